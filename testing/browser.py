"""What is done with the page in Debian's chromium."""

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from playwright.sync_api import Browser, ConsoleMessage, Page, Request, expect

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
DESKTOP, PHONE = (1280, 900), (390, 844)

expect.set_options(timeout=30_000)  # a machine that trains beside is slow


@contextmanager
def opened(browser: Browser, url: str, size: tuple[int, int], **context: Any) -> Iterator[Page]:
    """The page, open; a complaint of the browser or a request to outside fails the test."""
    viewport: Any = {"width": size[0], "height": size[1]}
    visit = browser.new_context(
        viewport=viewport, accept_downloads=True, **{"locale": "en-US", **context}
    )
    page = visit.new_page()
    page.set_default_timeout(30_000)
    complaints: list[str] = []

    def heard(message: ConsoleMessage) -> None:
        if message.type in ("error", "warning") and message.text not in HARMLESS:
            complaints.append(f"{message.text} {message.location['url']}")

    def asked(asking: Request) -> None:
        if not asking.url.startswith((url, "data:", "blob:")):
            complaints.append(f"asked outside: {asking.url}")

    page.on("console", heard)
    page.on("pageerror", lambda error: complaints.append(str(error)))
    page.on("request", asked)
    page.goto(url)
    page.locator("html[lang]").wait_for()
    expect(page.locator('#pe-banner [data-network="builtin"]')).to_be_visible()
    yield page
    visit.close()
    assert complaints == []


def drop(page: Page, *paths: Path) -> None:
    """Choose files; the page shows that it has them."""
    page.set_input_files("#pe-photos input[type=file]", [str(path) for path in paths])
    expect(page.locator("button#pe-start")).to_be_enabled()


def enhance(page: Page, *paths: Path) -> None:
    """Choose files and press the button."""
    drop(page, *paths)
    page.locator("button#pe-start").click()


def names(page: Page, state: str) -> list[str]:
    """The names of the photos in that state."""
    return page.locator(f'.pe-card[data-state="{state}"] .pe-name').all_inner_texts()


def expect_states(page: Page, **counts: int) -> None:
    """So many photos are in each of these states, soon."""
    for state, count in counts.items():
        expect(page.locator(f'.pe-card[data-state="{state}"]')).to_have_count(count)
