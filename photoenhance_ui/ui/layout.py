"""The page: what is where, and which handler answers which event."""

from dataclasses import dataclass
from html import escape
from typing import Any

import gradio as gr

from photoenhance_ui.request import OPTIONS, PRESETS
from photoenhance_ui.server.service import Service
from photoenhance_ui.ui.api import COMPUTES, build_api
from photoenhance_ui.ui.blocks import PageBlocks
from photoenhance_ui.ui.components import buttons, cards, viewer
from photoenhance_ui.ui.labels import Labels
from photoenhance_ui.ui.options import option_input
from photoenhance_ui.ui.page import SAVED, Page
from photoenhance_ui.ui.texts import ENGLISH, Language, Texts, texts_in
from photoenhance_ui.ui.theme import logo_svg
from photoenhance_ui.ui.uploads import photos_input
from photoenhance_ui.ui.viewer import closed_viewer

STORAGE_KEY = "photoenhance-owner"
LANGUAGE_KEY = "photoenhance-language"
BANNER_EVERY_S = 3.0
LANGUAGES = [("English", Language.ENGLISH.value), ("中文", Language.CHINESE.value)]
SPEAK_JS = "(language) => { document.documentElement.lang = language; }"
SHOW_BATCH_JS = """() => {
  if (!matchMedia("(max-width: 800px)").matches) return;
  const summary = document.querySelector("#pe-summary");
  setTimeout(() => summary?.scrollIntoView({block: "start"}), 200);
}"""
SHOW_START_JS = """() =>
  document.querySelector("#pe-start")?.scrollIntoView({block: "nearest"})"""
CHOSEN_JS = """(_, ...others) => [
  [...document.querySelectorAll(".pe-choose:checked")].map((box) => box.closest("li").dataset.id),
  ...others]"""
SAVE_FILE_JS = """(file) => {
  if (!file) return;
  const link = document.createElement("a");
  link.href = file.url;
  link.download = file.orig_name || "";
  document.body.append(link);
  link.click();
  link.remove();
}"""


QUICK: dict[str, Any] = {"queue": False, "api_visibility": "private", "show_progress": "hidden"}
"""For what answers at once and never waits behind work."""
OFTEN: dict[str, Any] = {**QUICK, "trigger_mode": "multiple"}
"""For what a person may do again before the first answer is there."""

TELLS: dict[str, Any] = {
    "concurrency_id": "tells",
    "concurrency_limit": 20,
    "api_visibility": "private",
    "show_progress": "hidden",
    "trigger_mode": "multiple",
}
"""For what may have to tell something in passing, which Gradio does only from its queue."""


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
    download_chosen: gr.Button
    clear: gr.Button

    @property
    def components(self) -> list[Any]:
        """In the order in which updates come."""
        return [
            self.empty, self.summary, self.cards, self.cancel, self.retry, self.download_all,
            self.download_chosen, self.clear,
        ]  # fmt: skip


@dataclass(frozen=True)
class Networks:
    """The panel that tells of networks and takes new ones."""

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


def build_page(service: Service) -> PageBlocks:
    """The whole app: the page and the API, ready to be launched."""
    page = Page(service)
    labels = Labels()
    blocks = PageBlocks(title=ENGLISH("title"), analytics_enabled=False)
    with blocks:
        screen = _screen(page, labels)
        _wire_batch(page, screen, service.settings.handlers)
        _wire_viewer(page, screen)
        _wire_keeping(page, screen)
        _wire_networks(page, screen)
        _wire_page(blocks, page, screen, labels)
        build_api(service)
    return blocks


# What is where


def _screen(page: Page, labels: Labels) -> Screen:
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
    closely = labels.make(viewer, lambda say: {"value": closed_viewer(say)}, elem_id="pe-viewer")
    banner = gr.HTML(elem_id="pe-banner")
    networks = _networks(labels)
    return Screen(token, kept_language, language, banner, controls, view, closely, networks)


def _header_html(say: Texts) -> str:
    return (
        f'<header class="pe-header">{logo_svg()}<div><h1>{escape(say("title"))}</h1>'
        f"<p>{escape(say('tagline'))} <b>{escape(say('private'))}</b></p></div></header>"
        f"<style>:root {{ --pe-drop: '{say('drop')}'; --pe-kinds: '{say('drop.kinds')}'; "
        f"--pe-own: '{say('networks.own.drop')}'; }}</style>"
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
    empty = labels.make(buttons, lambda say: {"value": page.empty(say)}, elem_id="pe-empty")
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


# What happens


def _wire_batch(page: Page, screen: Screen, handlers: int) -> None:
    """Start, watch, cancel, retry. What a button does is quick; only watching waits in line."""
    token, controls, view = screen.token, screen.controls, screen.view
    watching: dict[str, Any] = {
        "concurrency_id": COMPUTES,
        "concurrency_limit": handlers,
        "api_visibility": "private",
        "show_progress": "hidden",
        "trigger_mode": "multiple",  # one that finds the batch watched ends at once
    }
    controls.photos.change(
        lambda photos: gr.Button(interactive=bool(photos)),
        controls.photos, controls.start, **QUICK,
    )  # fmt: skip
    given = view.empty.take_example(page.take_example, None, controls.photos, **QUICK)
    given.success(None, None, None, js=SHOW_START_JS, **QUICK)
    taken = controls.start.click(
        page.take,
        [controls.photos, token, *controls.options.values()],
        [controls.photos, *view.components],
        **{**TELLS, "trigger_mode": "once"},
    )
    taken.success(None, None, None, js=SHOW_BATCH_JS, **QUICK)
    again = view.retry.click(page.retry, token, view.components, **QUICK)
    one_again = view.cards.retry_photo(page.retry_photo, token, view.components, **OFTEN)
    for ready in (taken, again, one_again):
        ready.success(page.watch, token, view.components, **watching)
    view.cancel.click(page.cancel, token, None, **QUICK)
    view.cards.stop_photo(page.cancel_photo, token, None, **OFTEN)
    view.clear.click(page.clear, token, view.components, **QUICK)


def _wire_viewer(page: Page, screen: Screen) -> None:
    """Look closely; change faces."""
    token, closely, view = screen.token, screen.viewer, screen.view
    closely.open_photo(page.open_photo, token, closely, **OFTEN)
    closely.map_photo(page.map_photo, token, closely, **OFTEN)
    closely.blend_photo(page.blend_photo, token, [closely, *view.components], **OFTEN)


def _wire_keeping(page: Page, screen: Screen) -> None:
    """Keep one, the chosen ones, or all."""
    token, view, saving = screen.token, screen.view, screen.controls.saving
    archive, chosen = gr.DownloadButton(visible=False), gr.JSON(visible=False)
    quiet: dict[str, Any] = {"api_visibility": "private", "show_progress": "hidden"}
    for made in (
        view.cards.save_photo(page.save_photo, [token, *saving], archive, **quiet),
        screen.viewer.save_photo(page.save_photo, [token, *saving], archive, **quiet),
        view.download_all.click(page.zip_all, [token, *saving], archive, **quiet),
        view.download_chosen.click(
            page.zip_chosen, [chosen, token, *saving], archive, js=CHOSEN_JS, **quiet
        ),
    ):
        made.success(None, archive, None, js=SAVE_FILE_JS, **quiet)


def _wire_networks(page: Page, screen: Screen) -> None:
    """What is installed; more of it, which can be chosen at once."""
    networks, controls = screen.networks, screen.controls
    networks.panel.expand(page.networks, None, networks.table, **QUICK)
    networks.table.fetch_network(page.fetch_network, None, networks.table, **OFTEN)
    taken = networks.own.upload(
        page.take_network, networks.own, [networks.own, networks.table], **TELLS,
    )  # fmt: skip
    upscaler = controls.options["upscaler"]
    taken.success(page.upscalers, None, upscaler, **QUICK)
    controls.panel.expand(page.upscalers, None, upscaler, **QUICK)


def _wire_page(blocks: gr.Blocks, page: Page, screen: Screen, labels: Labels) -> None:
    """What happens when the page opens, while it is open, when its language changes."""
    token, language, controls, view = screen.token, screen.language, screen.controls, screen.view
    networks = screen.networks

    def greet(token: str | None, kept: str | None, request: gr.Request) -> list[Any]:
        known, spoken = page.greet(token, kept, request)
        return [known, spoken, *labels.updates(texts_in(spoken))]

    def speak(chosen: str, request: gr.Request) -> list[Any]:
        spoken = page.speak(chosen, request)
        return [spoken, *labels.updates(texts_in(spoken))]

    def read(begun: Any) -> None:
        """What handlers tell, once the language is settled."""
        begun.success(None, language, None, js=SPEAK_JS, **QUICK)
        begun.success(page.view, token, view.components, **QUICK)
        begun.success(page.banner, None, screen.banner, **QUICK)
        begun.success(page.networks, None, networks.table, **QUICK)
        begun.success(page.networks_hint, None, [networks.own, networks.hint], **QUICK)

    opened = blocks.load(
        greet, [token, screen.kept_language], [token, language, *labels.components], **QUICK
    )
    read(opened)
    opened.success(page.saving, token, controls.saving, **QUICK)
    chosen = language.input(speak, language, [screen.kept_language, *labels.components], **QUICK)
    read(chosen)
    blocks.unload(page.leave)
    clock = gr.Timer(BANNER_EVERY_S)
    clock.tick(page.banner, None, screen.banner, **QUICK)
    clock.tick(page.networks, None, networks.table, **QUICK)
    controls.preset.input(page.preset, controls.preset, controls.filled, **QUICK)
