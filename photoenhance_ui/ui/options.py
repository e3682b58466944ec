"""The options of a Request as components, made from the options themselves."""

from typing import Any

import gradio as gr

from photoenhance_ui.plan import BUILTIN, EngineFacts
from photoenhance_ui.request import AUTO, OPTIONS, RESAMPLE_ONLY, Option
from photoenhance_ui.ui.texts import text

Choices = list[tuple[str, str]]
"""What a person sees, and the word that the Request takes."""


def option_inputs(facts: EngineFacts) -> list[Any]:
    """One input per option, in their order."""
    return [_input(option, facts) for option in OPTIONS]


def upscaler_choices(facts: EngineFacts) -> Choices:
    """Every upscaler that can be chosen now."""
    return [
        (text("choice.auto"), AUTO),
        *((text("choice.builtin") if n == BUILTIN else n, n) for n in sorted(facts.upscalers)),
        (text("choice.none.upscaler"), RESAMPLE_ONLY),
    ]


def _input(option: Option, facts: EngineFacts) -> Any:
    shown: dict[str, Any] = {
        "label": text(f"option.{option.name}"),
        "info": text(f"option.{option.name}.meaning"),
        "elem_id": f"pe-{option.name.replace('_', '-')}",
    }
    if option.name == "upscaler":
        return gr.Dropdown(upscaler_choices(facts), value=option.default, **shown)
    if option.choices:
        choices = [(text(f"choice.{choice}"), str(choice)) for choice in option.choices]
        return gr.Dropdown(choices, value=str(option.default), **shown)
    if option.kind is bool:
        return gr.Checkbox(value=option.default, **shown)
    bounds: dict[str, Any] = {
        "minimum": option.lowest,
        "maximum": option.highest,
        "step": option.step,
    }
    return gr.Slider(value=option.default, **bounds, **shown)
