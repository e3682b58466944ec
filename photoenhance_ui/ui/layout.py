"""The page: what is where, and which handler answers which event."""

from dataclasses import dataclass
from html import escape
from typing import Any

import gradio as gr

from photoenhance_ui.request import OPTIONS, PRESETS
from photoenhance_ui.ui.api import COMPUTES, build_api
from photoenhance_ui.ui.look import logo_svg
from photoenhance_ui.ui.options import option_inputs
from photoenhance_ui.ui.page import Page
from photoenhance_ui.ui.service import Service
from photoenhance_ui.ui.texts import text
from photoenhance_ui.ui.uploads import photos_input

STORAGE_KEY = "photoenhance-owner"
BANNER_EVERY_S = 3.0
SHOW_CLOSEUP_JS = """() => document.querySelector("#pe-closeup")
  ?.scrollIntoView({behavior: "smooth", block: "nearest"})"""
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


@dataclass(frozen=True)
class Controls:
    """What a person chooses with."""

    photos: gr.File
    preset: gr.Radio
    start: gr.Button
    options: list[Any]


@dataclass(frozen=True)
class View:
    """What a batch is shown in; ``Page`` fills these in this order."""

    summary: gr.HTML
    gallery: gr.Gallery
    rows: gr.HTML
    cancel: gr.Button
    retry: gr.Button
    download_all: gr.Button
    clear: gr.Button

    @property
    def components(self) -> list[Any]:
        """In the order in which updates come."""
        return [
            self.summary, self.gallery, self.rows, self.cancel, self.retry, self.download_all,
            self.clear,
        ]  # fmt: skip


@dataclass(frozen=True)
class Closeup:
    """One photo beside its original."""

    panel: gr.Column
    slider: gr.ImageSlider
    download: gr.DownloadButton

    @property
    def components(self) -> list[Any]:
        """In the order in which updates come."""
        return [self.panel, self.slider, self.download]


@dataclass(frozen=True)
class Screen:
    """Everything on the page that handlers read or fill in."""

    token: gr.BrowserState
    banner: gr.HTML
    controls: Controls
    view: View
    closeup: Closeup


def build_page(service: Service) -> gr.Blocks:
    """The whole app: the page and the API, ready to be launched."""
    page = Page(service)
    blocks = gr.Blocks(title=text("title"), analytics_enabled=False)
    with blocks:
        screen = _screen(service)
        _wire_batch(page, screen, service.settings.handlers)
        _wire_closeup(page, screen)
        _wire_page(blocks, page, screen)
        build_api(service)
    return blocks


def _screen(service: Service) -> Screen:
    token = gr.BrowserState(None, storage_key=STORAGE_KEY, secret=service.owners.storage_secret)
    gr.HTML(_header_html(), elem_id="pe-header")
    banner = gr.HTML(elem_id="pe-networks")
    with gr.Row(elem_id="pe-main"):
        with gr.Column(scale=2, min_width=320, elem_id="pe-controls"):
            controls = _controls(service)
        with gr.Column(scale=3, min_width=320, elem_id="pe-results"):
            view, closeup = _results()
    return Screen(token, banner, controls, view, closeup)


def _header_html() -> str:
    return (
        f'<header class="pe-header">{logo_svg()}<div><h1>{escape(text("title"))}</h1>'
        f"<p>{escape(text('tagline'))} <b>{escape(text('private'))}</b></p></div></header>"
    )


def _controls(service: Service) -> Controls:
    photos = photos_input(label=text("photos"), elem_id="pe-photos", height=200)
    presets = [(text(f"preset.{name}"), name) for name in PRESETS]
    preset = gr.Radio(presets, value=presets[0][1], label=text("preset"), elem_id="pe-presets")
    start = gr.Button(
        text("start"), variant="primary", size="lg", interactive=False, elem_id="pe-start"
    )
    with gr.Accordion(text("options"), open=False, elem_id="pe-options"):
        options = option_inputs(service.engine.facts())
    return Controls(photos, preset, start, options)


def _results() -> tuple[View, Closeup]:
    summary = gr.HTML(elem_id="pe-summary")
    gallery = gr.Gallery(
        label=text("results"), show_label=False, elem_id="pe-gallery", columns=3, height="auto",
        object_fit="cover", allow_preview=False, interactive=False, visible=False, buttons=[],
    )  # fmt: skip
    with gr.Row(elem_id="pe-actions"):
        cancel = gr.Button(text("cancel"), variant="stop", visible=False, elem_id="pe-cancel")
        retry = gr.Button(text("retry"), visible=False, elem_id="pe-retry")
        download_all = gr.Button(text("download.all"), visible=False, elem_id="pe-zip")
        clear = gr.Button(text("clear"), visible=False, elem_id="pe-clear")
    closeup = _closeup()
    rows = gr.HTML(elem_id="pe-rows")
    return View(summary, gallery, rows, cancel, retry, download_all, clear), closeup


def _closeup() -> Closeup:
    with gr.Column(visible=False, elem_id="pe-closeup") as panel:
        slider = gr.ImageSlider(
            label=text("compare"), interactive=False, buttons=["fullscreen"], max_height=640,
            elem_id="pe-slider",
        )  # fmt: skip
        download = gr.DownloadButton(text("download.one"), elem_id="pe-download")
    return Closeup(panel, slider, download)


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
    taken = controls.start.click(
        page.take,
        [controls.photos, token, *controls.options],
        [controls.photos, *view.components],
        **QUICK,
    )
    again = view.retry.click(page.retry, token, view.components, **QUICK)
    for ready in (taken, again):
        ready.success(page.watch, token, view.components, **watching)
    view.cancel.click(page.cancel, token, None, **QUICK)
    view.clear.click(page.clear, token, [screen.closeup.panel, *view.components], **QUICK)


def _wire_closeup(page: Page, screen: Screen) -> None:
    """Look at one photo; keep one or all."""
    token, view = screen.token, screen.view
    quiet: dict[str, Any] = {"api_visibility": "private"}
    chosen = view.gallery.select(page.choose, token, screen.closeup.components, **quiet)
    chosen.success(None, None, None, js=SHOW_CLOSEUP_JS, **quiet)
    archive = gr.DownloadButton(visible=False)
    made = view.download_all.click(page.zip_all, token, archive, **quiet)
    made.success(None, archive, None, js=SAVE_FILE_JS, **quiet)


def _wire_page(blocks: gr.Blocks, page: Page, screen: Screen) -> None:
    """What happens when the page opens, while it is open, and when it closes."""
    token, banner, controls = screen.token, screen.banner, screen.controls
    upscaler = controls.options[[option.name for option in OPTIONS].index("upscaler")]
    blocks.load(page.greet, token, [token, upscaler, banner, *screen.view.components], **QUICK)
    blocks.unload(page.leave)
    gr.Timer(BANNER_EVERY_S).tick(page.banner, None, banner, **QUICK)
    controls.preset.input(page.preset, controls.preset, controls.options, **QUICK)
