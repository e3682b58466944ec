"""What a page of another site can do to a server on the machine of whoever visits it: nothing."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, Page, expect, sync_playwright

from testing.browser import CHROMIUM, DESKTOP, FLAGS, drop, opened
from testing.photos import PhotoMaker
from testing.served import Served

RULES = "--host-resolver-rules=MAP *.test 127.0.0.1"
ATTACK = """async ([target, mode]) => {
  const told = {};
  const body = new FormData();
  body.append("files", new Blob(["x"]), "left-by-another-site.png");
  for (const [name, path, options] of [
    ["config", "config", {}],
    ["upload", "gradio_api/upload", {method: "POST", body}],
    ["join", "gradio_api/call/status", {method: "POST", body: JSON.stringify({data: []})}],
  ]) {
    try {
      const answer = await fetch(target + path, {...options, mode, credentials: "include"});
      told[name] = answer.type === "opaque" ? "opaque" : answer.status + await answer.text();
    } catch (error) { told[name] = "blocked"; }
  }
  return told;
}"""
IMAGE = """(address) => new Promise((end) => {
  const image = new Image();
  image.onload = () => end("read");
  image.onerror = () => end("blocked");
  image.src = address;
})"""


class _Site(BaseHTTPRequestHandler):
    """A page of somebody else, the same at every address."""

    def do_GET(self) -> None:
        self.send_response(200)
        self.send_header("Content-Type", "text/html")
        self.end_headers()
        self.wfile.write(b"<!doctype html><title>Another site</title>")

    def log_message(self, *_: object) -> None:
        """Nothing on stderr."""


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """One to which every name of a test leads to this machine, as DNS rebinding does."""
    if CHROMIUM is None:
        pytest.skip("no chromium on this machine")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=[*FLAGS, RULES])
        yield browser
        browser.close()


@contextmanager
def another_site(browser: Browser, host: str) -> Iterator[tuple[Page, str]]:
    """A page of another site under that name, open."""
    site = ThreadingHTTPServer(("127.0.0.1", 0), _Site)
    serving = threading.Thread(target=site.serve_forever)
    serving.start()
    visit = browser.new_context()
    page = visit.new_page()
    try:
        page.goto(f"http://{host}:{site.server_port}/")
        yield page, f"{host}:{site.server_port}"
    finally:
        visit.close()
        site.shutdown()
        serving.join()
        site.server_close()


def port_of(served: Served) -> str:
    return served.url.rstrip("/").rpartition(":")[2]


def uploads(served: Served) -> list[Path]:
    files = served.running.service.workspace.root.parent
    return [path for path in files.rglob("*") if "left-by-another-site" in path.name]


@pytest.mark.parametrize("target", ["127.0.0.1", "localhost", "x.localhost", "evil.test"])
@pytest.mark.parametrize("host", ["evil.test", "localhost"])
@pytest.mark.parametrize("mode", ["cors", "no-cors"])
def test_it_reads_nothing_and_leaves_nothing(
    browser: Browser, served: Served, host: str, target: str, mode: str
) -> None:
    with another_site(browser, host) as (page, _):
        address = f"http://{target}:{port_of(served)}/"
        told: dict[str, Any] = page.evaluate(ATTACK, [address, mode])
        assert page.evaluate(IMAGE, f"{address}static/img/logo.svg") == "blocked"
    assert set(told.values()) <= {"blocked", "opaque"}
    assert uploads(served) == []


def test_by_a_name_that_leads_here_it_reads_nothing_either(
    browser: Browser, served: Served
) -> None:
    """The page comes from the very address that it then asks, under its own name."""
    visit = browser.new_context()
    page = visit.new_page()
    address = f"http://evil.test:{port_of(served)}/"
    answer = page.goto(address)
    assert answer is not None
    assert answer.status == 400
    told = page.evaluate(ATTACK, [address, "cors"])
    visit.close()
    assert all(answer.startswith("400") for answer in told.values())


def test_it_cannot_show_the_page_in_a_frame(browser: Browser, served: Served) -> None:
    with another_site(browser, "evil.test") as (page, _):
        page.set_content(f'<iframe src="{served.url}"></iframe>')
        page.wait_for_timeout(1000)
        assert all("127.0.0.1" not in frame.url for frame in page.frames if frame.parent_frame)


def test_a_link_from_another_site_opens_the_page(
    browser: Browser, served: Served, photo_file: PhotoMaker
) -> None:
    with another_site(browser, "evil.test") as (page, _):
        page.set_content(f'<a href="{served.url}">a tool</a>')
        page.locator("a").click()
        expect(page.locator('#pe-banner [data-network="builtin"]')).to_be_visible()
        drop(page, photo_file())
        page.locator("button#pe-start").click()
        expect(page.locator('.pe-card[data-state="done"]')).to_have_count(1)


def test_the_page_goes_by_localhost_too(
    browser: Browser, served: Served, photo_file: PhotoMaker
) -> None:
    url = f"http://localhost:{port_of(served)}/"
    with opened(browser, url, DESKTOP) as page:
        drop(page, photo_file())
        page.locator("button#pe-start").click()
        expect(page.locator('.pe-card[data-state="done"]')).to_have_count(1)
