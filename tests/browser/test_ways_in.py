"""The page by the ways on which people reach it: behind a proxy, in a Space's frame, by logins."""

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, expect, sync_playwright
from starlette.applications import Starlette
from starlette.responses import HTMLResponse
from starlette.routing import Route

from photoenhance_ui.server.users import hash_of_password
from testing.browser import CHROMIUM, DESKTOP, FLAGS, enhance, expect_states, names, opened
from testing.hooked import HookedNetworks
from testing.photos import PhotoMaker
from testing.proxy import proxy, serving_app
from testing.served import serving_on

SPACE, HUB = "somebody-photos.hf.space", "huggingface.co"


@contextmanager
def browser_with(*flags: str) -> Iterator[Browser]:
    """A browser to which names of tests lead to this machine."""
    if CHROMIUM is None:
        pytest.skip("no chromium on this machine")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=[*FLAGS, *flags])
        yield browser
        browser.close()


def test_behind_a_proxy_under_a_path_it_works_whole(tmp_path: Path, photo_file: PhotoMaker) -> None:
    with ExitStack() as open_:
        before = open_.enter_context(proxy(tmp_path, path="/pe"))
        url = f"http://photos.test:{before.port}/pe"
        running, _ = open_.enter_context(serving_on(HookedNetworks, tmp_path, root_path=url))
        before.target = running.url
        browser = open_.enter_context(browser_with("--host-resolver-rules=MAP *.test 127.0.0.1"))
        page = open_.enter_context(opened(browser, f"{url}/", DESKTOP))
        enhance(page, photo_file(), photo_file("coffee"))
        expect_states(page, done=2)
        seen = page.locator(".pe-card img").first
        assert seen.evaluate("image => image.naturalWidth") > 0
        with page.expect_download() as saved:
            page.locator("button#pe-zip").click()
        assert saved.value.path().stat().st_size > 0


def test_in_a_space_it_works_in_the_frame_of_the_hub(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, photo_file: PhotoMaker
) -> None:
    monkeypatch.setenv("SPACE_ID", "somebody/photos")
    monkeypatch.setenv("SPACE_HOST", SPACE)
    shown = HTMLResponse(f'<title>Hub</title><iframe src="https://{SPACE}/" width=1200 height=800>')
    hub = Starlette(routes=[Route("/", lambda _: shown)])
    with ExitStack() as open_:
        before = open_.enter_context(proxy(tmp_path, names=(SPACE,)))
        hub_port = open_.enter_context(serving_app(hub, tmp_path, (HUB,)))
        running, _ = open_.enter_context(serving_on(HookedNetworks, tmp_path))
        before.target = running.url
        rules = f"MAP {HUB} 127.0.0.1:{hub_port}, MAP {SPACE} 127.0.0.1:{before.port}"
        flags = (f"--host-resolver-rules={rules}", "--ignore-certificate-errors")
        page = open_.enter_context(browser_with(*flags)).new_page(locale="en-US")
        page.goto(f"https://{HUB}/")
        frame = page.frame_locator("iframe")
        expect(frame.locator('#pe-banner [data-network="builtin"]')).to_be_visible()
        frame.locator("#pe-photos input[type=file]").set_input_files(str(photo_file()))
        frame.locator("button#pe-start").click()
        expect(frame.locator('.pe-card[data-state="done"]')).to_have_count(1)


# Logins


@contextmanager
def logged_in(browser: Browser, url: str, name: str, password: str) -> Iterator[Page]:
    """The page in a browser of its own, after its login."""
    visit = browser.new_context(locale="en-US", viewport={"width": 1280, "height": 900})
    page = visit.new_page()
    page.goto(url)
    page.get_by_label("username").fill(name)
    page.get_by_label("password").fill(password)
    page.get_by_role("button", name="Login").click()
    expect(page.locator('#pe-banner [data-network="builtin"]')).to_be_visible()
    yield page
    visit.close()


def test_one_password_opens_the_door_and_each_browser_has_its_own_photos(
    tmp_path: Path, photo_file: PhotoMaker
) -> None:
    with ExitStack() as open_:
        made: list[HookedNetworks] = []

        def networks(*given: object) -> HookedNetworks:
            made.append(HookedNetworks(*given))  # type: ignore[arg-type]
            return made[-1]

        running, _ = open_.enter_context(serving_on(networks, tmp_path, auth="us:correct horse"))
        browser = open_.enter_context(browser_with())
        who = (browser, running.url, "us", "correct horse")
        mine, other = (open_.enter_context(logged_in(*who)) for _ in range(2))
        made[0].hold()
        enhance(mine, photo_file())
        expect_states(mine, working=1)
        enhance(other, photo_file())
        expect_states(other, queued=1)
        other.locator("button#pe-cancel").click()
        expect_states(other, cancelled=1)
        other.locator("button#pe-clear").click()
        expect(other.locator(".pe-card")).to_have_count(0)
        made[0].release()
        expect_states(mine, done=1)
        other.reload()
        expect(other.locator('#pe-banner [data-network="builtin"]')).to_be_visible()
        expect(other.locator(".pe-card")).to_have_count(0)


def test_a_person_finds_their_photos_in_another_browser_and_nobody_else_does(
    tmp_path: Path, photo_file: PhotoMaker
) -> None:
    people = "".join(f"{name}:{hash_of_password(name * 3)}\n" for name in ("ann", "bob"))
    (tmp_path / "people").write_text(people, "utf-8")
    with ExitStack() as open_:
        users = str(tmp_path / "people")
        running, _ = open_.enter_context(serving_on(HookedNetworks, tmp_path, users=users))
        browser = open_.enter_context(browser_with())
        with logged_in(browser, running.url, "ann", "annannann") as first:
            enhance(first, photo_file(file_name="mine.png"))
            expect_states(first, done=1)
        with logged_in(browser, running.url, "ann", "annannann") as second:
            expect_states(second, done=1)
            assert names(second, "done") == ["mine.png"]
        with logged_in(browser, running.url, "bob", "bobbobbob") as stranger:
            expect(stranger.locator(".pe-card")).to_have_count(0)
