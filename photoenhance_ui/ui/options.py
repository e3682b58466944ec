"""The options of a Request as components, made from the options themselves."""

from collections.abc import Callable
from typing import Any

import gradio as gr

from photoenhance_ui.options import Option
from photoenhance_ui.pipeline.plan import EngineFacts
from photoenhance_ui.request import AUTO, BUILTIN, RESAMPLE_ONLY
from photoenhance_ui.ui.labels import Labels
from photoenhance_ui.ui.texts import Texts

Choices = list[tuple[str, str]]
"""Each choice as a person sees it, and as the Request spells it."""


def option_input(option: Option, facts: Callable[[], EngineFacts], labels: Labels) -> Any:
    """The input for one option; upscalers are those that ``facts`` tells whenever it is read."""
    fixed: dict[str, Any] = {"elem_id": f"pe-{option.name.replace('_', '-')}"}
    if option.name == "upscaler":
        chosen = labels.make(
            gr.Dropdown,
            lambda say: {**_labels(option, say), "choices": upscaler_choices(facts(), say)},
            value=option.default,
            **fixed,
        )
        # The Request judges it: Gradio knows the choices of the start alone, once it has forgotten
        # a session's.
        chosen.preprocess = lambda name: name
        return chosen
    if option.choices:
        return labels.make(
            gr.Dropdown,
            lambda say: {**_labels(option, say), "choices": _choices(option, say)},
            value=str(option.default),
            **fixed,
        )
    if option.kind is bool:
        return labels.make(
            gr.Checkbox, lambda say: _labels(option, say), value=option.default, **fixed
        )
    bounds = {"minimum": option.lowest, "maximum": option.highest, "step": option.step}
    return labels.make(
        gr.Slider, lambda say: _labels(option, say), value=option.default, **bounds, **fixed
    )


def upscaler_choices(facts: EngineFacts, say: Texts) -> Choices:
    """Every upscaler that can be chosen now."""
    return [
        (say("choice.auto"), AUTO),
        *((say("choice.builtin") if n == BUILTIN else n, n) for n in sorted(facts.upscalers)),
        (say("choice.none.upscaler"), RESAMPLE_ONLY),
    ]


def _choices(option: Option, say: Texts) -> Choices:
    texts = say.table
    return [(texts.get(f"choice.{choice}", str(choice)), str(choice)) for choice in option.choices]


def _labels(option: Option, say: Texts) -> dict[str, Any]:
    """Its name and meaning on the page; of an option without texts there, its own."""
    key, named = f"option.{option.name}", option.name.replace("_", " ").capitalize()
    return {
        "label": say.table.get(key, named),
        "info": say.table.get(f"{key}.meaning", option.meaning),
    }
