"""What the page shows of a batch and of the networks: pure functions to HTML and plain values."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from html import escape
from pathlib import Path
from typing import Any
from urllib.parse import quote

from photoenhance_ui.catalogue import by_name
from photoenhance_ui.downloads import DownloadPhase, DownloadState
from photoenhance_ui.events import Row, State
from photoenhance_ui.plan import EngineFacts, choose_networks
from photoenhance_ui.request import AUTO, RESAMPLE_ONLY
from photoenhance_ui.ui.texts import Texts

Card = dict[str, Any]
"""What ``assets/cards.js`` draws one photo from."""


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


def file_address(path: Path) -> str:
    """Where the page finds a file of this server; relative, so that a prefix does no harm."""
    return f"gradio_api/file={quote(str(path))}"


# The batch


def summary_html(rows: Sequence[Row], left_s: float | None, say: Texts) -> str:
    """One line on the whole batch, with its progress; nothing where there is no batch."""
    if not rows:
        return ""
    tally = Tally.of(rows)
    share = sum(1.0 if row.state.settled else row.progress for row in rows) / len(rows)
    bar = _bar(share, say("summary.progress")) if tally.running else ""
    told = f'<p class="pe-summary" role="status">{escape(_summary(tally, left_s, say))}</p>{bar}'
    told += "".join(
        f'<p class="pe-warning">{escape(say.warning(line))}</p>' for line in common_warnings(rows)
    )
    hint = _hint(tally, say)
    return told + (f'<p class="pe-hint">{escape(hint)}</p>' if hint else "")


def common_warnings(rows: Sequence[Row]) -> tuple[str, ...]:
    """What every finished photo is warned of is said once; of a photo alone, in its card."""
    finished = [row.warnings for row in rows if row.state is State.DONE]
    if len(rows) < 2 or not finished:
        return ()
    return tuple(line for line in finished[0] if all(line in others for others in finished))


def _summary(tally: Tally, left_s: float | None, say: Texts) -> str:
    if tally.running:
        told = say("summary.working", done=tally.done, total=tally.total)
        return f"{told} · {say('summary.left', time=say.duration(left_s))}" if left_s else told
    if tally.done == tally.total:
        return say.counted("summary.done", tally.total, total=tally.total)
    if tally.done == 0 and not tally.cancelled:
        return say("summary.none")
    if tally.failed == 0:
        return say("summary.cancelled", done=tally.done, total=tally.total)
    return say("summary.partly", done=tally.done, total=tally.total)


def _hint(tally: Tally, say: Texts) -> str:
    """What to do next."""
    if tally.running:
        return ""
    if tally.failed and tally.done:
        return say("summary.partly.how")
    if tally.failed:
        return say("summary.none.how")
    return say("results.hint") if tally.done else ""


class PictureKind(StrEnum):
    """What a card shows of its photo."""

    ORIGINAL = "original"
    DRAFT = "draft"
    FINAL = "final"


@dataclass(frozen=True)
class Picture:
    """A picture file that a browser can show."""

    path: Path
    kind: PictureKind


def card_of(
    photo_id: str, row: Row, picture: Picture | None, said: Sequence[str], say: Texts
) -> Card:
    """Everything that the card of one photo shows; ``said`` are warnings told elsewhere."""
    is_working = row.state is State.WORKING
    stage = "" if row.stage is None else say(f"stage.{row.stage.value}")
    return {
        "id": photo_id,
        "name": row.name,
        "state": row.state.value,
        "badge": say(f"state.{row.state.value}"),
        "picture": None if picture is None else file_address(picture.path),
        "kind": None if picture is None else picture.kind.value,
        "tag": say("photo.draft") if picture and picture.kind is PictureKind.DRAFT else "",
        "percent": round(100 * row.progress) if is_working else None,
        "stage": stage if not row.state.settled else "",
        "facts": " · ".join(_facts(row, say)),
        "reason": _reason(row, say),
        "warnings": [say.warning(line) for line in row.warnings if line not in said]
        if row.state is State.DONE
        else [],
    }


def cards_of(cards: Sequence[Card], say: Texts) -> dict[str, Any]:
    """The value of the list of cards: the words that all of them use, and each one."""
    keys = ("list", "open", "choose", "progress", "cancel", "retry", "save")
    words = {key: say.table[f"photo.{key}"] for key in keys}
    labels = {f"{key}.label": say.table[f"photo.{key}.label"] for key in keys[4:]}
    return {"words": {**words, **labels}, "cards": list(cards)}


def _reason(row: Row, say: Texts) -> str:
    if row.reason is None or row.state is State.CANCELLED:
        return ""
    return say.reason(row.code, row.reason)


def _facts(row: Row, say: Texts) -> list[str]:
    """What there is to know of a photo that is ready."""
    if row.state is not State.DONE:
        return []
    facts = [say("note.size", width=row.width, height=row.height)]
    if row.faces:
        facts.append(say.counted("note.faces", row.faces))
    if row.seconds is not None:
        facts.append(say("note.seconds", seconds=f"{row.seconds:.1f}"))
    if row.faithfulness_db is not None:
        facts.append(say("note.faithfulness", db=f"{row.faithfulness_db:.1f}"))
    return [*facts, *row.networks]


def _bar(share: float, label: str) -> str:
    """A bar that a screen reader reads too."""
    percent = round(100 * share)
    return (
        f'<progress max="100" value="{percent}" aria-label="{escape(label)}">{percent} %</progress>'
    )


# Before there is a batch


def empty_html(examples: Mapping[str, Path], facts: EngineFacts, say: Texts) -> str:
    """What to expect and what to do; examples for who has no photo at hand."""
    bare = not facts.looking and not facts.upscalers and facts.restorer is None
    title, told = ("empty.nothing", "empty.nothing.how") if bare else ("empty.title", "empty")
    buttons = "".join(
        f'<button type="button" data-act="take_example" data-name="{escape(name)}" '
        f'aria-label="{escape(say("example", name=say(f"example.{name}")))}">'
        f'<img src="{escape(file_address(path))}" alt="">'
        f"<span>{escape(say(f'example.{name}'))}</span></button>"
        for name, path in examples.items()
    )
    offered = f"<p>{escape(say('examples'))}</p>" if buttons else ""
    return (
        f'<div class="pe-empty"><h2>{escape(say(title))}</h2><p>{escape(say(told))}</p>'
        f'{offered}<div class="pe-examples">{buttons}</div></div>'
    )


# The banner


def banner_html(facts: EngineFacts, downloads: Sequence[DownloadState], say: Texts) -> str:
    """Which networks are at work, which are being fetched and how far, which are absent."""
    lines = [_at_work(facts, say), *(_download_html(state, say) for state in downloads)]
    waiting = sum(state.phase is DownloadPhase.WAITING for state in downloads)
    if waiting:
        lines.append(f"<span>{escape(say.counted('networks.waiting', waiting))}</span>")
    if not facts.looking and (facts.detector is None or facts.restorer is None):
        lines.append(f'<span class="pe-absent">{escape(say("networks.no_faces"))}</span>')
    count = facts.photos_working + facts.photos_waiting
    if count:
        lines.append(f"<span>{escape(say.counted('networks.busy', count))}</span>")
    return f'<div class="pe-banner">{"".join(line for line in lines if line)}</div>'


def _at_work(facts: EngineFacts, say: Texts) -> str:
    if facts.looking:
        return f"<span>{escape(say('networks.looking'))}</span>"
    upscaler = choose_networks(AUTO, 2.0, facts).upscaler
    if upscaler == RESAMPLE_ONLY:
        return f'<span class="pe-absent">{escape(say("networks.no_upscaler"))}</span>'
    names = [upscaler]
    if facts.detector is not None and facts.restorer is not None:
        names += [name for name in (facts.detector, facts.restorer, facts.parser) if name]
    device = say("networks.device", device=facts.device_name)
    joined = ", ".join(f"<b>{escape(name)}</b>" for name in names)
    return f"<span>{escape(say('networks.label'))}: {joined} {escape(device)}</span>"


def _download_html(state: DownloadState, say: Texts) -> str:
    if state.phase is DownloadPhase.FAILED:
        return f'<span class="pe-absent">{escape(state.reason or "")}</span>'
    if state.phase is not DownloadPhase.LOADING:
        return ""
    return f"<span>{_loading_html(state, say)}</span>"


def _loading_html(state: DownloadState, say: Texts) -> str:
    told = say(
        "networks.downloading",
        name=state.name,
        done=round(state.done_bytes / 1e6),
        total=round(state.total_bytes / 1e6),
    )
    return f"{escape(told)} {_bar(state.done_bytes / max(1, state.total_bytes), state.name)}"


# The networks panel


def networks_html(
    models: Sequence[Mapping[str, Any]],
    downloads: Sequence[DownloadState],
    say: Texts,
    *,
    downloadable: bool,
) -> str:
    """The table of all networks: what each is for, its size and licence, how it stands.

    ``models`` are those of ``/models``; with ``downloadable`` each absent one has a button.
    """
    states = {state.name: state for state in downloads}
    heads = "".join(
        f'<th scope="col">{escape(say(f"networks.{name}"))}</th>'
        for name in ("name", "purpose", "size", "licence", "state")
    )
    lines = "".join(
        _network_html(model, states.get(model["name"]), say, downloadable=downloadable)
        for model in models
    )
    return (
        f'<div class="pe-scroll" tabindex="0" role="region" aria-label="{escape(say("networks"))}">'
        f'<table class="pe-networks"><thead><tr>{heads}</tr></thead><tbody>{lines}</tbody></table>'
        "</div>"
    )


def _network_html(
    model: Mapping[str, Any], loading: DownloadState | None, say: Texts, *, downloadable: bool
) -> str:
    size, role = model["bytes"], say(f"role.{model['role']}")
    cells = (
        f"<b>{escape(model['name'])}</b> <span>{escape(role)}</span>",
        escape(_purpose(model, say)),
        "" if size is None else escape(say("networks.megabytes", size=f"{size / 1e6:.1f}")),
        escape(model["licence"] or ""),
        _standing_html(model, loading, say, downloadable=downloadable),
    )
    return f"<tr>{''.join(f'<td>{cell}</td>' for cell in cells)}</tr>"


def _purpose(model: Mapping[str, Any], say: Texts) -> str:
    if model["url"] is None:
        return say(f"networks.{'builtin' if model['name'] == 'builtin' else 'own'}.purpose")
    return say.purpose(model["name"], model["purpose"])


def _standing_html(
    model: Mapping[str, Any], loading: DownloadState | None, say: Texts, *, downloadable: bool
) -> str:
    """Installed, on its way, or absent with a button that fetches it."""
    if model["installed"]:
        return f'<span class="pe-badge pe-done">{escape(say("networks.installed"))}</span>'
    if loading is not None and loading.phase is DownloadPhase.LOADING:
        return _loading_html(loading, say)
    if loading is not None and loading.phase is DownloadPhase.WAITING:
        return escape(say("networks.queued"))
    failed = loading is not None and loading.phase is DownloadPhase.FAILED
    problem = loading.reason if loading is not None and failed else model["problem"]
    told = f'<span class="pe-warning">{escape(problem)}</span> ' if problem else ""
    if model["url"] is not None and not by_name(model["name"]).runs:
        return told + escape(say("networks.never"))
    if not downloadable or model["url"] is None:
        return told or escape(say("networks.absent"))
    label = say("networks.get.label", name=model["name"])
    return (
        f'{told}<button type="button" class="pe-small" data-act="fetch_network" '
        f'data-name="{escape(model["name"])}" aria-label="{escape(label)}">'
        f"{escape(say('networks.get'))}</button>"
    )
