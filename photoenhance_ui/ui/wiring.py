"""Which handler answers which event of the page."""

from typing import Any

import gradio as gr

from photoenhance_ui.ui.api import COMPUTES
from photoenhance_ui.ui.labels import Labels
from photoenhance_ui.ui.layout import Screen
from photoenhance_ui.ui.page import Page
from photoenhance_ui.ui.scripts import (
    SAVE_FILE_JS,
    SELECTED_JS,
    SHOW_BATCH_JS,
    SHOW_START_JS,
    SPEAK_JS,
)
from photoenhance_ui.ui.texts import texts_in

BANNER_EVERY_S = 3.0

QUICK: dict[str, Any] = {"queue": False, "api_visibility": "private", "show_progress": "hidden"}
"""Settings of handlers that answer at once and never wait behind work."""
OFTEN: dict[str, Any] = {**QUICK, "trigger_mode": "multiple"}
"""Settings of those that may be called again before the first answer is there."""

TELLING: dict[str, Any] = {
    "concurrency_id": "tells",
    "concurrency_limit": 20,
    "api_visibility": "private",
    "show_progress": "hidden",
    "trigger_mode": "multiple",
}
"""Settings of those that may show a notice, which Gradio does only from its queue."""


def wire(blocks: gr.Blocks, page: Page, screen: Screen, labels: Labels, handlers: int) -> None:
    """Connect everything; ``handlers`` batches are watched at once."""
    _wire_batch(page, screen, handlers)
    _wire_viewer(page, screen)
    _wire_downloads(page, screen)
    _wire_networks(page, screen)
    _wire_page(blocks, page, screen, labels)


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
    example = view.empty.take_example(page.batches.take_example, None, controls.photos, **QUICK)
    example.success(None, None, None, js=SHOW_START_JS, **QUICK)
    started = controls.start.click(
        page.batches.start,
        [controls.photos, token, *controls.options.values()],
        [controls.photos, *view.components],
        **{**TELLING, "trigger_mode": "once"},
    )
    started.success(None, None, None, js=SHOW_BATCH_JS, **QUICK)
    again = view.retry.click(page.batches.retry, token, view.components, **QUICK)
    one_again = view.cards.retry_photo(page.batches.retry_photo, token, view.components, **OFTEN)
    for ready in (started, again, one_again):
        ready.success(page.batches.watch, token, view.components, **watching)
    view.cancel.click(page.batches.cancel, token, None, **QUICK)
    view.cards.stop_photo(page.batches.cancel_photo, token, None, **OFTEN)
    view.clear.click(page.batches.clear, token, view.components, **QUICK)


def _wire_viewer(page: Page, screen: Screen) -> None:
    """Look at one photo; change its faces."""
    token, viewer, view = screen.token, screen.viewer, screen.view
    viewer.open_photo(page.viewer.open_photo, token, viewer, **OFTEN)
    viewer.map_photo(page.viewer.map_photo, token, viewer, **OFTEN)
    viewer.blend_photo(page.viewer.blend_photo, token, [viewer, *view.components], **OFTEN)


def _wire_downloads(page: Page, screen: Screen) -> None:
    """Download one, the selected ones, or all."""
    token, view, saving = screen.token, screen.view, screen.controls.saving
    archive, selected = gr.DownloadButton(visible=False), gr.JSON(visible=False)
    quiet: dict[str, Any] = {"api_visibility": "private", "show_progress": "hidden"}
    for made in (
        view.cards.save_photo(page.downloads.save_photo, [token, *saving], archive, **quiet),
        screen.viewer.save_photo(page.downloads.save_photo, [token, *saving], archive, **quiet),
        view.download_all.click(page.downloads.zip_all, [token, *saving], archive, **quiet),
        view.download_selected.click(
            page.downloads.zip_selected,
            [selected, token, *saving],
            archive,
            js=SELECTED_JS,
            **quiet,
        ),
    ):
        made.success(None, archive, None, js=SAVE_FILE_JS, **quiet)


def _wire_networks(page: Page, screen: Screen) -> None:
    """What is installed; more of it, which can be chosen at once."""
    networks, controls = screen.networks, screen.controls
    networks.panel.expand(page.networks.table, None, networks.table, **QUICK)
    networks.table.fetch_network(page.networks.fetch, None, networks.table, **OFTEN)
    installed = networks.own.upload(
        page.networks.install_file, networks.own, [networks.own, networks.table], **TELLING,
    )  # fmt: skip
    upscaler = controls.options["upscaler"]
    installed.success(page.options.upscalers, None, upscaler, **QUICK)
    controls.panel.expand(page.options.upscalers, None, upscaler, **QUICK)


def _wire_page(blocks: gr.Blocks, page: Page, screen: Screen, labels: Labels) -> None:
    """What happens when the page opens, while it is open, when its language changes."""
    token, language, controls, view = screen.token, screen.language, screen.controls, screen.view
    networks = screen.networks

    def greet(token: str | None, kept: str | None, request: gr.Request) -> list[Any]:
        known, spoken = page.visits.greet(token, kept, request)
        return [known, spoken, *labels.updates(texts_in(spoken))]

    def speak(chosen: str, request: gr.Request) -> list[Any]:
        spoken = page.visits.speak(chosen, request)
        return [spoken, *labels.updates(texts_in(spoken))]

    def show_in_language(begun: Any) -> None:
        """Show what handlers tell, once the language is settled."""
        begun.success(None, language, None, js=SPEAK_JS, **QUICK)
        begun.success(page.batches.view, token, view.components, **QUICK)
        begun.success(page.networks.banner, None, screen.banner, **QUICK)
        begun.success(page.networks.table, None, networks.table, **QUICK)
        begun.success(page.networks.hint, None, [networks.own, networks.hint], **QUICK)

    opened = blocks.load(
        greet, [token, screen.kept_language], [token, language, *labels.components], **QUICK
    )
    show_in_language(opened)
    opened.success(page.options.saving, token, controls.saving, **QUICK)
    chosen = language.input(speak, language, [screen.kept_language, *labels.components], **QUICK)
    show_in_language(chosen)
    blocks.unload(page.visits.leave)
    clock = gr.Timer(BANNER_EVERY_S)
    clock.tick(page.networks.banner, None, screen.banner, **QUICK)
    clock.tick(page.networks.table, None, networks.table, **QUICK)
    controls.preset.input(page.options.preset, controls.preset, controls.filled, **QUICK)
