"""What one person may ask for at once, as the page tells it."""

from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, expect

from testing.browser import DESKTOP, drop, enhance, expect_states, opened
from testing.hooked import HookedNetworks
from testing.photos import PhotoMaker
from testing.served import serving_on


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


def test_photos_that_would_overfill_the_running_batch_stay_chosen(
    browser: Browser, photo_file: PhotoMaker, tmp_path_factory: pytest.TempPathFactory
) -> None:
    made: list[HookedNetworks] = []

    def held(*arguments: Any) -> HookedNetworks:
        made.append(HookedNetworks(*arguments))
        made[0].hold()
        return made[0]

    with (
        serving_on(held, tmp_path_factory.mktemp("bounded"), max_photos="2") as (running, _),
        opened(browser, running.url, DESKTOP) as page,
    ):
        enhance(page, photo_file("chelsea"))
        expect(page.locator(".pe-card")).to_have_count(1)
        enhance(page, photo_file("coffee"), photo_file("rocket"))
        expect(page.locator(".toast-wrap")).to_contain_text("the batch would hold 3 photos")
        expect(page.locator("#pe-photos")).to_contain_text("rocket")
        made[0].release()
        expect_states(page, done=1)
        page.locator("button#pe-start").click()
        expect_states(page, done=2)
