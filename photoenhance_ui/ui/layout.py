"""The page: what is where."""

from dataclasses import dataclass
from html import escape
from typing import Any

import gradio as gr

from photoenhance_ui.request import OPTIONS, PRESETS
from photoenhance_ui.ui.components import buttons, cards, viewer
from photoenhance_ui.ui.download_handlers import SAVED
from photoenhance_ui.ui.labels import Labels
from photoenhance_ui.ui.options import option_input
from photoenhance_ui.ui.page import Page
from photoenhance_ui.ui.texts import Language, Texts
from photoenhance_ui.ui.theme import css_string, logo_svg
from photoenhance_ui.ui.uploads import photos_input
from photoenhance_ui.ui.viewer import closed_viewer

STORAGE_KEY = "photoenhance-owner"
LANGUAGE_KEY = "photoenhance-language"
LANGUAGES = [("English", Language.ENGLISH.value), ("中文", Language.CHINESE.value)]


@dataclass(frozen=True)
class Controls:
    """What a person chooses with."""

    photos: gr.File
    preset: gr.Radio
    start: gr.Button
    options: dict[str, Any]
    panel: gr.Accordion
    """Holds the options."""

    @property
    def saving(self) -> list[Any]:
        """The options that only say how a result is written."""
        return [self.options[name] for name in SAVED]

    @property
    def filled(self) -> list[Any]:
        """The options that a preset fills in."""
        return [part for name, part in self.options.items() if name not in SAVED]


@dataclass(frozen=True)
class View:
    """What a batch is shown in; ``Page`` fills these in this order."""

    empty: gr.HTML
    summary: gr.HTML
    cards: gr.HTML
    cancel: gr.Button
    retry: gr.Button
    download_all: gr.Button
    download_selected: gr.Button
    clear: gr.Button

    @property
    def components(self) -> list[Any]:
        """In the order in which updates come."""
        return [
            self.empty, self.summary, self.cards, self.cancel, self.retry, self.download_all,
            self.download_selected, self.clear,
        ]  # fmt: skip


@dataclass(frozen=True)
class Networks:
    """The panel that shows networks and installs new ones."""

    panel: gr.Accordion
    table: gr.HTML
    own: gr.File
    hint: gr.Markdown


@dataclass(frozen=True)
class Screen:
    """Everything on the page that handlers read or fill in."""

    token: gr.BrowserState
    kept_language: gr.BrowserState
    language: gr.Radio
    banner: gr.HTML
    controls: Controls
    view: View
    viewer: gr.HTML
    networks: Networks


def make_screen(page: Page, labels: Labels) -> Screen:
    """Put everything onto the page; of ``labels`` come the parts that are texts."""
    secret = page.service.owners.storage_secret
    token = gr.BrowserState(None, storage_key=STORAGE_KEY, secret=secret)
    kept_language = gr.BrowserState(None, storage_key=LANGUAGE_KEY, secret=secret)
    with gr.Row(elem_id="pe-top"):
        labels.make(gr.HTML, lambda say: {"value": _header_html(say)}, elem_id="pe-header")
        language = gr.Radio(
            LANGUAGES, value=LANGUAGES[0][1], label="Language · 语言", container=False,
            elem_id="pe-language",
        )  # fmt: skip
    with gr.Row(elem_id="pe-main"):
        with gr.Column(scale=1, min_width=320, elem_id="pe-controls"):
            controls = _controls(page, labels)
        with gr.Column(scale=3, min_width=320, elem_id="pe-results"):
            view = _view(page, labels)
    photo_viewer = labels.make(
        viewer, lambda say: {"value": closed_viewer(say)}, elem_id="pe-viewer"
    )
    banner = gr.HTML(elem_id="pe-banner")
    networks = _networks(labels)
    return Screen(token, kept_language, language, banner, controls, view, photo_viewer, networks)


def _header_html(say: Texts) -> str:
    return (
        f'<header class="pe-header">{logo_svg()}<div><h1>{escape(say("title"))}</h1>'
        f"<p>{escape(say('tagline'))} <b>{escape(say('private'))}</b></p></div></header>"
        f"<style>:root {{ --pe-drop: {css_string(say('drop'))}; "
        f"--pe-kinds: {css_string(say('drop.kinds'))}; "
        f"--pe-own: {css_string(say('networks.own.drop'))}; }}</style>"
    )


def _controls(page: Page, labels: Labels) -> Controls:
    photos = labels.make(
        photos_input, lambda say: {"label": say("photos")}, elem_id="pe-photos", height=150
    )
    preset = labels.make(
        gr.Radio,
        lambda say: {
            "label": say("preset"),
            "choices": [(say(f"preset.{name}"), name) for name in PRESETS],
        },
        value=next(iter(PRESETS)), elem_id="pe-presets",
    )  # fmt: skip
    start = labels.make(
        gr.Button, lambda say: {"value": say("start")},
        variant="primary", size="lg", interactive=False, elem_id="pe-start",
    )  # fmt: skip
    parts: dict[str, Any] = {}
    facts = page.service.engine.facts
    with labels.make(
        gr.Accordion, lambda say: {"label": say("options")}, open=False, elem_id="pe-options"
    ) as panel:
        for option in OPTIONS:
            if option.name not in SAVED:
                parts[option.name] = option_input(option, facts, labels)
    with labels.make(
        gr.Accordion, lambda say: {"label": say("saving")}, open=False, elem_id="pe-saving"
    ):
        labels.make(gr.Markdown, lambda say: {"value": say("saving.hint")})
        for option in OPTIONS:
            if option.name in SAVED:
                parts[option.name] = option_input(option, facts, labels)
    options = {option.name: parts[option.name] for option in OPTIONS}
    return Controls(photos, preset, start, options, panel)


def _view(page: Page, labels: Labels) -> View:
    empty = labels.make(buttons, lambda say: {"value": page.batches.empty(say)}, elem_id="pe-empty")
    summary = gr.HTML(elem_id="pe-summary")
    with gr.Row(elem_id="pe-actions"):
        actions = [
            _action(labels, key, elem_id)
            for key, elem_id in (
                ("cancel", "pe-cancel"),
                ("retry", "pe-retry"),
                ("download.all", "pe-zip"),
                ("download.chosen", "pe-zip-chosen"),
                ("clear", "pe-clear"),
            )
        ]
    return View(empty, summary, cards(elem_id="pe-cards"), *actions)


def _action(labels: Labels, key: str, elem_id: str) -> Any:
    """A button that is hidden until there is something for it to do."""
    return labels.make(
        gr.Button,
        lambda say: {"value": say(key)},
        variant="stop" if key == "cancel" else "secondary",
        size="sm",
        visible=False,
        elem_id=elem_id,
    )


def _networks(labels: Labels) -> Networks:
    with labels.make(
        gr.Accordion, lambda say: {"label": say("networks")}, open=False, elem_id="pe-networks"
    ) as panel:
        table = buttons(elem_id="pe-networks-table")
        own = labels.make(
            gr.File, lambda say: {"label": say("networks.own.purpose")},
            visible=False, height=120, elem_id="pe-own-network",
        )  # fmt: skip
        hint = gr.Markdown(elem_id="pe-networks-hint")
    return Networks(panel, table, own, hint)
