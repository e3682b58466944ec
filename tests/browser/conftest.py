"""Debian's chromium on a real server; skipped where there is no chromium."""

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, ConsoleMessage, Page, Request, sync_playwright

from tests.served import Served, released, served

__all__ = ["released", "served"]

CHROMIUM = shutil.which("chromium")
FLAGS = (
    "--no-sandbox",
    "--disable-gpu",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--no-first-run",
)
HARMLESS = ("Method not implemented.",)
"""What Gradio's own front end writes to the console."""


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """Open for one module only: as long as it is, this thread can run no event loop of its own."""
    if CHROMIUM is None:
        pytest.skip("no chromium on this machine")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=[*FLAGS])
        yield browser
        browser.close()


@pytest.fixture(params=[(1280, 900), (390, 844)], ids=["desktop", "phone"])
def page(
    browser: Browser, served: Served, request: pytest.FixtureRequest, tmp_path: Path
) -> Iterator[Page]:
    """The page, open; a complaint of the browser or a request to outside fails the test."""
    width, height = request.param
    context = browser.new_context(
        viewport={"width": width, "height": height}, accept_downloads=True
    )
    page = context.new_page()
    page.set_default_timeout(30_000)
    complaints: list[str] = []

    def heard(message: ConsoleMessage) -> None:
        if message.type in ("error", "warning") and message.text not in HARMLESS:
            complaints.append(message.text)

    def asked(asking: Request) -> None:
        if not asking.url.startswith((served.url, "data:", "blob:")):
            complaints.append(f"asked outside: {asking.url}")

    page.on("console", heard)
    page.on("pageerror", lambda error: complaints.append(str(error)))
    page.on("request", asked)
    page.goto(served.url)
    page.locator("button#pe-start").wait_for()
    yield page
    context.close()
    assert complaints == []
