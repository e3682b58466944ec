"""What people do on the page, in a real browser with real enhancement."""

import threading
import zipfile
from pathlib import Path

from PIL import Image
from playwright.sync_api import Page, expect

from photoenhance_ui.pipeline.contracts import Work
from testing.browser import drop, enhance, expect_states, names
from testing.photos import PhotoMaker
from testing.served import Served, wait_until, written

FINALS = 'img[src*="_enhanced"]'


def test_nothing_starts_before_the_button(
    desktop: Page, served: Served, photo_file: PhotoMaker
) -> None:
    expect(desktop.locator("button#pe-start")).to_be_disabled()
    first = desktop.get_by_role("button", name="Enhance").first
    assert first.get_attribute("id") == "pe-start"
    first_input = desktop.locator("input[type=file]").first
    assert first_input.evaluate("input => !!input.closest('#pe-photos')")
    runs = served.networks.runs
    drop(desktop, photo_file("chelsea"))
    desktop.wait_for_timeout(500)
    assert served.networks.runs == runs
    assert desktop.locator(".pe-card").count() == 0


def test_an_example_gives_a_first_result_in_two_clicks(page: Page) -> None:
    page.locator('[data-name="chelsea"]').click()
    expect(page.locator("button#pe-start")).to_be_enabled()
    page.locator("button#pe-start").click()
    expect_states(page, done=1)
    assert names(page, "done") == ["chelsea.jpg"]
    expect(page.locator("#pe-empty")).to_be_hidden()


def test_photos_appear_as_they_are_finished_and_a_broken_one_says_why(
    page: Page, served: Served, photo_file: PhotoMaker, tmp_path: Path
) -> None:
    broken = written(tmp_path, "broken.jpg", b"no picture")
    sides, go_on = {"astronaut": 120, "coffee": 90, "rocket": 60}, threading.Event()
    begun: list[int] = []

    def only_the_first_goes_on(work: Work) -> None:
        begun.append(work.inputs.shape[1])
        assert begun[0] == begun[-1] or go_on.wait(timeout=60)

    served.networks.hook = only_the_first_goes_on
    enhance(page, broken, *(photo_file(name, side) for name, side in sides.items()))
    expect(page.locator(".pe-card")).to_have_count(4)
    expect(page.locator(f".pe-card {FINALS}").first).to_be_visible()
    assert names(page, "working") or names(page, "queued"), "one shows before the last is done"
    go_on.set()
    expect_states(page, done=3, failed=1)
    expect(page.locator(FINALS)).to_have_count(3)
    expect(page.locator(".pe-card .pe-reason").first).to_contain_text("This is no photo")
    expect(page.locator("#pe-summary")).to_contain_text("3 of 4 photos are ready")
    for image in page.locator(FINALS).all():
        expect(image).to_be_in_viewport()
    widths = [image.evaluate("image => image.naturalWidth") for image in page.locator(FINALS).all()]
    assert widths == [2 * side for side in sides.values()]
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")


def test_the_original_is_shown_until_there_is_a_result(
    desktop: Page, served: Served, photo_file: PhotoMaker
) -> None:
    served.networks.hold()
    enhance(desktop, photo_file("chelsea", 200), photo_file("coffee", 60))
    expect(desktop.locator('.pe-card[data-kind="original"] img')).to_have_count(2)
    assert desktop.locator(FINALS).count() == 0
    expect(desktop.locator('.pe-card[data-state="working"] .pe-stage').first).to_be_visible()
    served.networks.release()
    expect(desktop.locator(f'.pe-card[data-kind="final"] {FINALS}')).to_have_count(2)


def test_a_card_that_has_not_changed_is_not_touched(
    desktop: Page, served: Served, photo_file: PhotoMaker
) -> None:
    enhance(desktop, photo_file("chelsea"), photo_file("rocket"))
    expect_states(desktop, done=2)
    desktop.evaluate(
        """() => { window.touched = 0;
          new MutationObserver((all) => { window.touched += all.length; }).observe(
            document.querySelector(".pe-card"),
            {attributes: true, childList: true, subtree: true, characterData: true}); }"""
    )
    enhance(desktop, photo_file("coffee", 200))
    expect_states(desktop, done=3)
    assert desktop.evaluate("window.touched") == 0


def test_one_is_downloaded_as_it_is_or_in_another_format(
    desktop: Page, photo_file: PhotoMaker
) -> None:
    enhance(desktop, photo_file("chelsea", 60))
    expect_states(desktop, done=1)
    with desktop.expect_download() as download:
        desktop.locator(".pe-card").get_by_role("button", name="Download").click()
    assert download.value.suggested_filename == "chelsea_enhanced.png"
    with Image.open(download.value.path()) as image:
        assert image.size == (120, 120)
    desktop.locator("#pe-saving button").first.click()
    desktop.locator("#pe-output-format input").click()
    desktop.get_by_role("option", name="JPEG").click()
    with desktop.expect_download() as download:
        desktop.locator(".pe-card").get_by_role("button", name="Download").click()
    assert download.value.suggested_filename.startswith("chelsea_enhanced.jp")
    enhance(desktop, photo_file("coffee"))
    expect_states(desktop, done=2)
    assert {Path(name).suffix for name in zipped(desktop, "zip")} == {".jpg"}


def test_all_or_the_chosen_ones_come_as_one_zip(desktop: Page, photo_file: PhotoMaker) -> None:
    enhance(desktop, photo_file("chelsea"), photo_file("coffee"), photo_file("rocket"))
    expect_states(desktop, done=3)
    expect(desktop.locator("button#pe-zip-chosen")).to_be_hidden()
    assert zipped(desktop, "zip") == [
        "chelsea_enhanced.png", "coffee_enhanced.png", "rocket_enhanced.png",
    ]  # fmt: skip
    desktop.get_by_role("checkbox", name="Select coffee.png").check()
    assert zipped(desktop, "zip-chosen") == ["coffee_enhanced.png"]


def zipped(page: Page, button: str) -> list[str]:
    """The names in the ZIP that this button gives."""
    with page.expect_download() as download:
        page.locator(f"button#pe-{button}").click()
    with zipfile.ZipFile(download.value.path()) as archive:
        assert archive.testzip() is None
        return archive.namelist()


def test_cancel_stops_and_retry_goes_on(
    desktop: Page, served: Served, photo_file: PhotoMaker
) -> None:
    served.networks.hold()
    before = served.networks.runs
    enhance(desktop, *(photo_file(name, 200) for name in ("chelsea", "coffee", "rocket")))
    wait_until(lambda: served.networks.runs > before)
    desktop.locator("button#pe-cancel").click()
    expect_states(desktop, cancelled=2)  # those that wait: the server has heard of it
    served.networks.release()
    expect_states(desktop, cancelled=3)
    assert served.networks.runs == before + 1, "stopped within one tile"
    expect(desktop.locator("button#pe-cancel")).to_be_hidden()
    desktop.get_by_role("button", name="Retry coffee.png").click()
    expect_states(desktop, done=1, cancelled=2)
    desktop.locator("button#pe-retry").click()
    expect_states(desktop, done=3)


def test_one_photo_is_cancelled_alone(
    desktop: Page, served: Served, photo_file: PhotoMaker
) -> None:
    served.networks.hold()
    enhance(desktop, *(photo_file(name, 200) for name in ("chelsea", "coffee", "rocket")))
    desktop.get_by_role("button", name="Cancel rocket.png").click()
    served.networks.release()
    expect_states(desktop, done=2, cancelled=1)
    assert names(desktop, "cancelled") == ["rocket.png"]


def test_photos_added_while_others_run_join_them(
    desktop: Page, served: Served, photo_file: PhotoMaker
) -> None:
    served.networks.hold()
    enhance(desktop, photo_file("chelsea"))
    expect_states(desktop, working=1)
    enhance(desktop, photo_file("coffee"), photo_file("rocket"))
    expect(desktop.locator(".pe-card")).to_have_count(3)
    served.networks.release()
    expect_states(desktop, done=3)


def test_later_photos_join_what_is_there_until_one_begins_afresh(
    desktop: Page, photo_file: PhotoMaker
) -> None:
    enhance(desktop, photo_file("chelsea"))
    expect_states(desktop, done=1)
    enhance(desktop, photo_file("coffee"))
    expect_states(desktop, done=2)
    desktop.locator("#pe-presets label", has_text="Illustrations").click()
    enhance(desktop, photo_file("rocket"))
    expect(desktop.get_by_text("begin a new batch")).to_be_visible()
    expect_states(desktop, done=1)
    desktop.locator("button#pe-clear").click()
    expect(desktop.locator(".pe-card")).to_have_count(0)
    expect(desktop.locator("#pe-empty")).to_be_visible()


def test_results_are_still_there_after_a_reload(desktop: Page, photo_file: PhotoMaker) -> None:
    enhance(desktop, photo_file("chelsea"))
    expect_states(desktop, done=1)
    desktop.reload()
    expect_states(desktop, done=1)
    expect(desktop.locator(FINALS)).to_have_count(1)


def test_a_closed_tab_stops_the_work(desktop: Page, served: Served, photo_file: PhotoMaker) -> None:
    tiles, before = 25, served.networks.runs
    served.networks.hook = lambda work: threading.Event().wait(0.3)
    enhance(desktop, photo_file("astronaut", 5 * 100))
    wait_until(lambda: served.networks.runs > before)
    desktop.close()
    wait_until(served.quiet)
    assert 1 <= served.networks.runs - before < tiles


def test_people_do_not_see_each_other(
    desktop: Page, served: Served, photo_file: PhotoMaker
) -> None:
    enhance(desktop, photo_file("chelsea"))
    expect_states(desktop, done=1)
    assert desktop.context.browser is not None
    other = desktop.context.browser.new_context()
    theirs = other.new_page()
    theirs.goto(served.url)
    expect(theirs.locator('#pe-banner [data-network="builtin"]')).to_be_visible()
    expect(theirs.locator("#pe-empty")).to_be_visible()
    assert theirs.locator(".pe-card").count() == 0
    other.close()


def test_options_and_presets_change_the_result(desktop: Page, photo_file: PhotoMaker) -> None:
    desktop.locator("#pe-presets label", has_text="Illustrations").click()
    enhance(desktop, photo_file("chelsea", 40))
    expect_states(desktop, done=1)
    expect(desktop.locator(".pe-card .pe-facts")).to_contain_text("160 × 160")


def test_where_all_fail_the_page_says_what_can_be_done(desktop: Page, tmp_path: Path) -> None:
    enhance(desktop, written(tmp_path, "broken.jpg", b"no picture"))
    expect_states(desktop, failed=1)
    expect(desktop.locator("#pe-summary")).to_contain_text("No photo could be finished")
    expect(desktop.locator("button#pe-zip")).to_be_hidden()


def test_photos_that_ask_for_something_else_are_told_that_they_joined(
    desktop: Page, served: Served, photo_file: PhotoMaker
) -> None:
    served.networks.hold()
    enhance(desktop, photo_file("chelsea"))
    expect_states(desktop, working=1)
    desktop.locator("#pe-presets label", has_text="Illustrations").click()
    enhance(desktop, photo_file("coffee"))
    expect(desktop.get_by_text("joined the running batch")).to_be_visible()
    served.networks.release()
    expect_states(desktop, done=2)
