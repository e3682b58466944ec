"""What Gradio lacks, as ``gr.HTML`` that a small script of ours draws or listens to.

The scripts lie in ``assets/``. Each is the body of a function that Gradio calls once, with
``element``, ``trigger``, ``props`` and ``watch``. What a person does there comes back as an
event of the component, with plain values. They are no subclasses of ``gr.HTML``, because for
those Gradio writes a file beside their source.
"""

from pathlib import Path
from typing import Any

import gradio as gr

from photoenhance_ui.ui.theme import ASSETS_DIR


def cards(**properties: Any) -> gr.HTML:
    """The photos of a batch, a card each; the value is that of ``view.cards_of``.

    Events, each with ``{"photo": id}``: ``stop_photo``, ``retry_photo``, ``save_photo``. A card
    that is opened tells the viewer in the browser.
    """
    return _scripted("cards.js", html_template='<ul class="pe-cards"></ul>', **properties)


def viewer(**properties: Any) -> gr.HTML:
    """One photo, closely: the value is that of ``viewer.viewer_value``.

    Events: ``open_photo`` and ``map_photo`` with ``{"photo", "request_id"}``, ``blend_photo`` with
    ``strengths`` too, ``save_photo`` with ``{"photo"}``. ``request_id`` comes back in the value, so
    that a late answer is not taken for the one that is waited for.
    """
    return _scripted("viewer.js", html_template='<dialog class="pe-viewer"></dialog>', **properties)


def buttons(**properties: Any) -> gr.HTML:
    """HTML with buttons of its own: one with ``data-act`` fires the event of that name.

    Events, each with the button's ``data-`` values: ``take_example``, ``fetch_network``.
    """
    return _scripted("buttons.js", **properties)


def _scripted(script: str, **properties: Any) -> gr.HTML:
    path: Path = ASSETS_DIR / script
    return gr.HTML(
        js_on_load=path.read_text(encoding="utf-8"), apply_default_css=False, **properties
    )
