"""What one person may ask for at once, as the page tells it."""

from pathlib import Path

import pytest
from playwright.sync_api import Browser, expect

from tests.browser.conftest import DESKTOP, drop, enhance, expect_states, opened
from tests.conftest import PhotoMaker
from tests.hooked import HookedNetworks
from tests.served import serving_on


def test_too_many_photos_are_refused_at_once_and_stay_chosen(
    browser: Browser, photo_file: PhotoMaker, tmp_path_factory: pytest.TempPathFactory
) -> None:
    folder: Path = tmp_path_factory.mktemp("bounded")
    photos = [photo_file(name) for name in ("chelsea", "coffee", "rocket")]
    with (
        serving_on(HookedNetworks, folder, max_photos="2") as (running, _),
        opened(browser, running.url, DESKTOP) as page,
    ):
        enhance(page, *photos)
        expect(page.locator(".toast-wrap")).to_contain_text("These are 3 photos")
        expect(page.locator(".toast-wrap")).to_contain_text("2 at most")
        for photo in photos:
            expect(page.locator("#pe-photos")).to_contain_text(photo.stem)
        expect(page.locator("button#pe-start")).to_be_enabled()
        expect_states(page, done=0, failed=0)


def test_a_batch_that_ended_makes_room_for_the_next(
    browser: Browser, photo_file: PhotoMaker, tmp_path_factory: pytest.TempPathFactory
) -> None:
    folder: Path = tmp_path_factory.mktemp("bounded")
    with (
        serving_on(HookedNetworks, folder, max_photos="2") as (running, _),
        opened(browser, running.url, DESKTOP) as page,
    ):
        drop(page, photo_file("chelsea"))
        page.locator("button#pe-start").click()
        expect_states(page, done=1)
        enhance(page, photo_file("coffee"), photo_file("rocket"))
        expect_states(page, done=2, failed=0)
