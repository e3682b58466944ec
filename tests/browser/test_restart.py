"""What a person has is there again after the server was started anew."""

from pathlib import Path

import pytest
from playwright.sync_api import Browser, expect

from testing.browser import DESKTOP, enhance, expect_states, opened
from testing.hooked import HookedNetworks
from testing.photos import PhotoMaker
from testing.served import serving_on


def test_results_survive_a_restart(
    browser: Browser, photo_file: PhotoMaker, tmp_path_factory: pytest.TempPathFactory
) -> None:
    folder: Path = tmp_path_factory.mktemp("server")
    with serving_on(HookedNetworks, folder) as (running, _):
        with opened(browser, running.url, DESKTOP) as page:
            enhance(page, photo_file("chelsea"))
            expect_states(page, done=1)
            kept = page.context.storage_state()
        port = running.url.rstrip("/").rpartition(":")[2]
    with (
        serving_on(HookedNetworks, folder, port=port) as (running, _),
        opened(browser, running.url, DESKTOP, storage_state=kept) as page,
    ):
        expect_states(page, done=1)
        expect(page.locator('img[src*="_enhanced"]')).to_have_count(1)
        page.locator(".pe-look").click()
        expect(page.locator(".pe-pane-after img[src]")).to_have_count(1)
