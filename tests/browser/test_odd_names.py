"""Names with a dot at their start, as macOS writes them beside every photo on a stick."""

import shutil
import zipfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, expect

from testing.browser import DESKTOP, drop, enhance, expect_states, names, opened
from testing.hooked import HookedNetworks
from testing.photos import PhotoMaker
from testing.served import serving_on


@pytest.fixture
def strict(browser: Browser, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Page]:
    """A server that was started above the folder of its files, where Gradio is strictest."""
    monkeypatch.chdir(tmp_path)
    with (
        serving_on(HookedNetworks, tmp_path) as (running, _),
        opened(browser, running.url, DESKTOP) as page,
    ):
        yield page


def test_side_files_are_left_out_and_told_and_all_others_are_enhanced(
    strict: Page, photo_file: PhotoMaker
) -> None:
    photo = photo_file("chelsea", file_name="photo.png")
    odd = [photo.with_name(name) for name in ("._photo.png", ".DS_Store", ".photo.png")]
    for path in odd:
        shutil.copyfile(photo, path)
    enhance(strict, *odd, photo)
    expect(strict.get_by_text("were left out")).to_be_visible()
    expect_states(strict, done=2, failed=0)
    assert sorted(names(strict, "done")) == [".photo.png", "photo.png"]
    with strict.expect_download() as download:
        strict.locator("button#pe-zip").click()
    with zipfile.ZipFile(download.value.path()) as archive:
        assert archive.namelist() == ["photo_enhanced.png", "photo_enhanced (2).png"]


def test_side_files_alone_are_told_too(strict: Page, photo_file: PhotoMaker) -> None:
    drop(strict, photo_file("chelsea", file_name="._photo.png"))
    strict.locator("button#pe-start").click()
    expect(strict.get_by_text("were left out")).to_be_visible()
    expect(strict.locator(".pe-card")).to_have_count(0)


def test_zips_of_several_tabs_at_once_all_come(
    browser: Browser, tmp_path: Path, photo_file: PhotoMaker
) -> None:
    with (
        serving_on(HookedNetworks, tmp_path) as (running, _),
        opened(browser, running.url, DESKTOP) as page,
    ):
        enhance(page, photo_file("chelsea"), photo_file("coffee"))
        expect_states(page, done=2)
        tabs = [page, *(page.context.new_page() for _ in range(4))]
        for tab in tabs[1:]:
            tab.goto(running.url)
            expect_states(tab, done=2)
        came: list[Path] = []
        for tab in tabs:
            tab.on("download", lambda download: came.append(download.path()))
            tab.evaluate("setTimeout(() => document.querySelector('#pe-zip').click(), 300)")
        page.wait_for_timeout(3000)
        assert len(came) == 5
        for path in came:
            with zipfile.ZipFile(path) as archive:
                assert len(archive.namelist()) == 2
