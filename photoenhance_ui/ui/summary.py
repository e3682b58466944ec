"""What the page says of a whole batch, and of none: pure functions to HTML."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from html import escape
from pathlib import Path

from photoenhance_ui.events import Row, State
from photoenhance_ui.pipeline.plan import EngineFacts
from photoenhance_ui.ui.html import file_address, progress_bar
from photoenhance_ui.ui.texts import Texts


@dataclass(frozen=True)
class Tally:
    """How many photos of a batch are in which state."""

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


def summary_html(rows: Sequence[Row], left_s: float | None, say: Texts) -> str:
    """One line on the whole batch, with its progress; nothing where there is no batch."""
    if not rows:
        return ""
    tally = Tally.of(rows)
    share = sum(1.0 if row.state.settled else row.progress for row in rows) / len(rows)
    bar = progress_bar(share, say("summary.progress")) if tally.running else ""
    html = f'<p class="pe-summary" role="status">{escape(_summary(tally, left_s, say))}</p>{bar}'
    html += "".join(
        f'<p class="pe-warning">{escape(say.warning(line))}</p>' for line in common_warnings(rows)
    )
    hint = _hint(tally, say)
    return html + (f'<p class="pe-hint">{escape(hint)}</p>' if hint else "")


def common_warnings(rows: Sequence[Row]) -> tuple[str, ...]:
    """The warnings that every finished photo has; they are shown once, and not in each card."""
    finished = [row.warnings for row in rows if row.state is State.DONE]
    if len(rows) < 2 or not finished:
        return ()
    return tuple(line for line in finished[0] if all(line in others for others in finished))


def _summary(tally: Tally, left_s: float | None, say: Texts) -> str:
    if tally.running:
        text = say("summary.working", done=tally.done, total=tally.total)
        return f"{text} · {say('summary.left', time=say.duration(left_s))}" if left_s else text
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


def empty_html(examples: Mapping[str, Path], facts: EngineFacts, say: Texts) -> str:
    """What to expect and what to do; examples for who has no photo at hand."""
    bare = not facts.looking and not facts.upscalers and facts.restorer is None
    title, text = ("empty.nothing", "empty.nothing.how") if bare else ("empty.title", "empty")
    buttons = "".join(
        f'<button type="button" data-act="take_example" data-name="{escape(name)}" '
        f'aria-label="{escape(say("example", name=say(f"example.{name}")))}">'
        f'<img src="{escape(file_address(path))}" alt="">'
        f"<span>{escape(say(f'example.{name}'))}</span></button>"
        for name, path in examples.items()
    )
    offered = f"<p>{escape(say('examples'))}</p>" if buttons else ""
    return (
        f'<div class="pe-empty"><h2>{escape(say(title))}</h2><p>{escape(say(text))}</p>'
        f'{offered}<div class="pe-examples">{buttons}</div></div>'
    )
