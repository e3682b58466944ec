"""What people do on the page, in a real browser with real enhancement."""

import threading
import zipfile
from pathlib import Path

from PIL import Image
from playwright.sync_api import Page, expect

from tests.conftest import PhotoMaker
from tests.served import Served, wait_until, written


def drop(page: Page, *paths: Path) -> None:
    """Choose files; the page shows that it has them."""
    page.set_input_files("#pe-photos input[type=file]", [str(path) for path in paths])
    expect(page.locator("button#pe-start")).to_be_enabled()


def enhance(page: Page, *paths: Path) -> None:
    drop(page, *paths)
    page.locator("button#pe-start").click()


def rows(page: Page, state: str) -> list[str]:
    """The names of the photos in that state."""
    return page.locator(f'#pe-rows tr[data-state="{state}"] td.pe-name').all_inner_texts()


def expect_states(page: Page, **counts: int) -> None:
    for state, count in counts.items():
        expect(page.locator(f'#pe-rows tr[data-state="{state}"]')).to_have_count(count)


def test_nothing_starts_before_the_button(
    page: Page, served: Served, photo_file: PhotoMaker
) -> None:
    expect(page.locator("button#pe-start")).to_be_disabled()
    runs = served.networks.runs
    drop(page, photo_file("chelsea"))
    page.wait_for_timeout(500)
    assert served.networks.runs == runs
    assert page.locator("#pe-rows tr").count() == 0


def test_photos_appear_as_they_are_finished_and_a_broken_one_says_why(
    page: Page, served: Served, photo_file: PhotoMaker, tmp_path: Path
) -> None:
    names = ("astronaut", "coffee", "rocket")
    broken = written(tmp_path, "broken.jpg", b"no picture")
    served.networks.hook = lambda work: threading.Event().wait(0.2)
    enhance(page, broken, *(photo_file(name, 160) for name in names))
    expect(page.locator('#pe-gallery img[src*="_enhanced"]').first).to_be_visible()
    assert rows(page, "working") or rows(page, "queued"), "the first shows before the last is done"
    expect_states(page, done=3, failed=1)
    expect(page.locator('#pe-gallery img[src*="_enhanced"]')).to_have_count(3)
    expect(page.locator("#pe-rows .pe-reason")).to_contain_text("This is no photo")
    expect(page.locator("#pe-summary")).to_contain_text("3 of 4 photos are ready")
    for image in page.locator('#pe-gallery img[src*="_enhanced"]').all():
        assert image.evaluate("image => image.naturalWidth") == 320


def test_the_chosen_photo_is_compared_and_downloaded(
    page: Page, photo_file: PhotoMaker, tmp_path: Path
) -> None:
    enhance(page, photo_file("chelsea", 60))
    page.locator("#pe-gallery button:has(img)").first.click()
    slider = page.locator("#pe-slider img")
    expect(slider).to_have_count(2)
    sources = [image.get_attribute("src") or "" for image in slider.all()]
    assert any("chelsea_enhanced.png" in source for source in sources)
    assert any("chelsea_original" in source for source in sources)
    with page.expect_download() as download:
        page.locator("#pe-download").click()
    assert download.value.suggested_filename == "chelsea_enhanced.png"
    with Image.open(download.value.path()) as image:
        assert image.size == (120, 120)


def test_all_results_come_as_one_zip(page: Page, photo_file: PhotoMaker) -> None:
    enhance(page, photo_file("chelsea"), photo_file("coffee"), photo_file("rocket"))
    expect_states(page, done=3)
    with page.expect_download() as download:
        page.locator("button#pe-zip").click()
    with zipfile.ZipFile(download.value.path()) as archive:
        assert archive.testzip() is None
        assert archive.namelist() == [
            "chelsea_enhanced.png", "coffee_enhanced.png", "rocket_enhanced.png",
        ]  # fmt: skip


def test_cancel_stops_and_retry_goes_on(page: Page, served: Served, photo_file: PhotoMaker) -> None:
    served.networks.hold()
    before = served.networks.runs
    enhance(page, *(photo_file(name, 200) for name in ("chelsea", "coffee", "rocket")))
    wait_until(lambda: served.networks.runs > before)
    page.locator("button#pe-cancel").click()
    served.networks.release()
    expect_states(page, cancelled=3)
    assert served.networks.runs == before + 1, "stopped within one tile"
    expect(page.locator("button#pe-cancel")).to_be_hidden()
    page.locator("button#pe-retry").click()
    expect_states(page, done=3)


def test_photos_added_while_others_run_join_them(
    page: Page, served: Served, photo_file: PhotoMaker
) -> None:
    served.networks.hold()
    enhance(page, photo_file("chelsea"))
    expect_states(page, working=1)
    enhance(page, photo_file("coffee"), photo_file("rocket"))
    expect(page.locator("#pe-rows tbody tr")).to_have_count(3)
    served.networks.release()
    expect_states(page, done=3)
    expect(page.locator("#pe-gallery img")).to_have_count(3)


def test_later_photos_join_what_is_there_until_one_begins_afresh(
    page: Page, photo_file: PhotoMaker
) -> None:
    enhance(page, photo_file("chelsea"))
    expect_states(page, done=1)
    enhance(page, photo_file("coffee"))
    expect_states(page, done=2)
    expect(page.locator("#pe-gallery img")).to_have_count(2)
    page.locator("button#pe-clear").click()
    expect(page.locator("#pe-rows tr")).to_have_count(0)
    expect(page.locator("#pe-gallery img")).to_have_count(0)


def test_results_are_still_there_after_a_reload(page: Page, photo_file: PhotoMaker) -> None:
    enhance(page, photo_file("chelsea"))
    expect_states(page, done=1)
    page.reload()
    expect_states(page, done=1)
    expect(page.locator('#pe-gallery img[src*="_enhanced"]')).to_have_count(1)


def test_a_closed_tab_stops_the_work(page: Page, served: Served, photo_file: PhotoMaker) -> None:
    tiles, before = 25, served.networks.runs
    served.networks.hook = lambda work: threading.Event().wait(0.3)
    enhance(page, photo_file("astronaut", 5 * 120))
    wait_until(lambda: served.networks.runs > before)
    page.close()
    wait_until(served.quiet)
    assert 1 <= served.networks.runs - before < tiles


def test_people_do_not_see_each_other(page: Page, served: Served, photo_file: PhotoMaker) -> None:
    enhance(page, photo_file("chelsea"))
    expect_states(page, done=1)
    assert page.context.browser is not None
    other = page.context.browser.new_context()
    theirs = other.new_page()
    theirs.goto(served.url)
    expect(theirs.locator("#pe-networks")).to_contain_text("builtin")
    assert theirs.locator("#pe-rows tr").count() == 0
    other.close()


def test_options_and_presets_change_the_result(page: Page, photo_file: PhotoMaker) -> None:
    page.locator("#pe-presets label", has_text="Illustrations").click()
    enhance(page, photo_file("chelsea", 40))
    expect_states(page, done=1)
    expect(page.locator("#pe-rows .pe-facts")).to_contain_text("160 × 160")


def test_the_banner_says_which_networks_are_at_work(page: Page) -> None:
    expect(page.locator("#pe-networks")).to_contain_text("builtin")
    expect(page.locator("#pe-networks")).to_contain_text("No network that restores faces")


def test_the_page_fits(page: Page, photo_file: PhotoMaker) -> None:
    enhance(page, photo_file("chelsea"))
    expect_states(page, done=1)
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
