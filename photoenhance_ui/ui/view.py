"""What the page shows of a batch, from its report rows alone: pure functions to HTML."""

from collections.abc import Sequence
from dataclasses import dataclass
from html import escape

from photoenhance_ui.downloads import DownloadPhase, DownloadState
from photoenhance_ui.events import Row, State
from photoenhance_ui.plan import EngineFacts, choose_networks
from photoenhance_ui.request import AUTO, RESAMPLE_ONLY
from photoenhance_ui.ui.texts import counted, text


@dataclass(frozen=True)
class Tally:
    """How many photos stand where."""

    total: int
    done: int
    failed: int
    cancelled: int

    @classmethod
    def of(cls, rows: Sequence[Row]) -> "Tally":
        """Count the rows."""
        states = [row.state for row in rows]
        return cls(
            len(states),
            states.count(State.DONE),
            states.count(State.FAILED),
            states.count(State.CANCELLED),
        )

    @property
    def running(self) -> bool:
        """Whether something waits or is being worked on."""
        return self.done + self.failed + self.cancelled < self.total

    @property
    def again(self) -> int:
        """How many may be tried again."""
        return self.failed + self.cancelled


# The batch


def summary_html(rows: Sequence[Row]) -> str:
    """One line on the whole batch, with its progress; what to do, where there is no batch."""
    if not rows:
        return f'<p class="pe-empty">{escape(text("empty"))}</p>'
    tally = Tally.of(rows)
    share = sum(1.0 if row.state.settled else row.progress for row in rows) / len(rows)
    bar = _bar(share, text("rows.progress")) if tally.running else ""
    told = f'<p class="pe-summary" role="status">{escape(_summary(tally))}</p>{bar}'
    told += "".join(f'<p class="pe-warning">{escape(line)}</p>' for line in common_warnings(rows))
    if tally.done:
        told += f'<p class="pe-hint">{escape(text("results.hint"))}</p>'
    return told


def common_warnings(rows: Sequence[Row]) -> tuple[str, ...]:
    """What every finished photo is warned of is said once; with one photo, in its line."""
    finished = [row.warnings for row in rows if row.state is State.DONE]
    if len(finished) < 2:
        return ()
    return tuple(line for line in finished[0] if all(line in others for others in finished))


def _summary(tally: Tally) -> str:
    if tally.running:
        return text("summary.working", done=tally.done, total=tally.total)
    if tally.done == tally.total:
        return counted("summary.done", tally.total, total=tally.total)
    if tally.done == 0 and not tally.cancelled:
        return text("summary.none")
    if tally.failed == 0:
        return text("summary.cancelled", done=tally.done, total=tally.total)
    return text("summary.partly", done=tally.done, total=tally.total)


def rows_html(rows: Sequence[Row]) -> str:
    """The table with one line per photo; nothing where there is none."""
    if not rows:
        return ""
    heads = "".join(
        f'<th scope="col">{escape(text(f"rows.{name}"))}</th>'
        for name in ("name", "state", "progress", "notes")
    )
    said = common_warnings(rows)
    lines = "".join(_row_html(row, said) for row in rows)
    return f'<table class="pe-rows"><thead><tr>{heads}</tr></thead><tbody>{lines}</tbody></table>'


def _row_html(row: Row, said: Sequence[str]) -> str:
    state = row.state.value
    cells = (
        ("name", f'<span title="{escape(row.name)}">{escape(row.name)}</span>'),
        ("state", f'<span class="pe-badge pe-{state}">{escape(text(f"state.{state}"))}</span>'),
        ("progress", _progress_html(row)),
        ("notes", _notes_html(row, said)),
    )
    body = "".join(f'<td class="pe-{name}">{cell}</td>' for name, cell in cells)
    return f'<tr data-state="{state}">{body}</tr>'


def _progress_html(row: Row) -> str:
    if row.state is State.DONE:
        return _bar(1.0, row.name)
    if row.state.settled:
        return ""
    stage = "" if row.stage is None else text(f"stage.{row.stage.value}")
    bar = _bar(row.progress, row.name) if row.state is State.WORKING else ""
    return f'{bar}<span class="pe-stage">{escape(stage)}</span>'


def _bar(share: float, label: str) -> str:
    """A bar that a screen reader reads too."""
    percent = round(100 * share)
    return (
        f'<progress max="100" value="{percent}" aria-label="{escape(label)}">{percent} %</progress>'
    )


def _notes_html(row: Row, said: Sequence[str]) -> str:
    if row.reason is not None and row.state is not State.CANCELLED:
        return f'<span class="pe-reason">{escape(row.reason)}</span>'
    facts = f'<span class="pe-facts">{escape(" · ".join(_facts(row)))}</span>'
    warnings = (line for line in row.warnings if line not in said)
    return facts + "".join(f'<span class="pe-warning">{escape(line)}</span>' for line in warnings)


def _facts(row: Row) -> list[str]:
    """What there is to know of a photo that is ready."""
    if row.state is not State.DONE:
        return []
    facts = [text("note.size", width=row.width, height=row.height)]
    if row.faces:
        facts.append(counted("note.faces", row.faces))
    if row.seconds is not None:
        facts.append(text("note.seconds", seconds=f"{row.seconds:.1f}"))
    if row.faithfulness_db is not None:
        facts.append(text("note.faithfulness", db=f"{row.faithfulness_db:.1f}"))
    return [*facts, *row.networks]


# The banner


def banner_html(facts: EngineFacts, downloads: Sequence[DownloadState]) -> str:
    """Which networks are at work, which are being fetched and how far, which are absent."""
    lines = [_at_work(facts), *(_download_html(state) for state in downloads)]
    waiting = sum(state.phase is DownloadPhase.WAITING for state in downloads)
    if waiting:
        lines.append(f"<span>{escape(counted('networks.waiting', waiting))}</span>")
    if facts.finder is None or facts.restorer is None:
        lines.append(f'<span class="pe-absent">{escape(text("networks.no_faces"))}</span>')
    count = facts.photos_working + facts.photos_waiting
    if count:
        lines.append(f"<span>{escape(counted('networks.busy', count))}</span>")
    return f'<div class="pe-banner">{"".join(line for line in lines if line)}</div>'


def _at_work(facts: EngineFacts) -> str:
    upscaler = choose_networks(AUTO, 2.0, facts).upscaler
    if upscaler == RESAMPLE_ONLY:
        return f'<span class="pe-absent">{escape(text("networks.no_upscaler"))}</span>'
    names = [upscaler]
    if facts.finder is not None and facts.restorer is not None:
        names += [name for name in (facts.finder, facts.restorer, facts.parser) if name]
    device = text("networks.device", device=facts.device_name)
    joined = ", ".join(f"<b>{escape(name)}</b>" for name in names)
    return f"<span>{escape(text('networks.label'))}: {joined} {escape(device)}</span>"


def _download_html(state: DownloadState) -> str:
    if state.phase is DownloadPhase.FAILED:
        return f'<span class="pe-absent">{escape(state.reason or "")}</span>'
    if state.phase is not DownloadPhase.LOADING:
        return ""
    told = text(
        "networks.downloading",
        name=state.name,
        done=round(state.done_bytes / 1e6),
        total=round(state.total_bytes / 1e6),
    )
    bar = _bar(state.done_bytes / max(1, state.total_bytes), state.name)
    return f"<span>{escape(told)} {bar}</span>"
