"""Debian's chromium on a real server; skipped where there is no chromium."""

from collections.abc import Callable, Iterator

import pytest
from playwright.sync_api import Browser, Page, sync_playwright

from testing.browser import CHROMIUM, DESKTOP, FLAGS, PHONE, opened
from testing.served import Served, released, served

__all__ = ["released", "served"]

Opens = Callable[..., Page]


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """Open for one module only: as long as it is, this thread can run no event loop of its own."""
    if CHROMIUM is None:
        pytest.skip("no chromium on this machine")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=[*FLAGS])
        yield browser
        browser.close()


@pytest.fixture(params=[DESKTOP, PHONE], ids=["desktop", "phone"])
def page(browser: Browser, served: Served, request: pytest.FixtureRequest) -> Iterator[Page]:
    """The page in English, as wide as a desktop and a phone."""
    with opened(browser, served.url, request.param) as page:
        yield page


@pytest.fixture
def desktop(browser: Browser, served: Served) -> Iterator[Page]:
    """The page in English, as wide as a desktop: for what does not depend on the width."""
    with opened(browser, served.url, DESKTOP) as page:
        yield page


@pytest.fixture
def chinese_phone(browser: Browser, served: Served) -> Iterator[Page]:
    """The page on the phone of somebody who reads Chinese, in the dark."""
    with opened(browser, served.url, PHONE, locale="zh-CN", color_scheme="dark") as page:
        yield page
