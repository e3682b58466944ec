"""Faces and drafts on the page; the networks are stand-ins, the rest is real."""

import hashlib
import re
import shutil
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Locator, Page, expect

from testing.browser import DESKTOP, PHONE, drop, enhance, expect_states, opened
from testing.by_hand import face_at
from testing.photos import PhotoMaker
from testing.served import serving_on
from testing.stand_ins import LARGE, StandInNetworks

TWO = (face_at(10, 12, 40), face_at(60, 30, 50))


@dataclass
class Faced:
    """A page whose networks find two faces in every photo."""

    url: str
    files: Path
    networks: StandInNetworks = field(repr=False)


@pytest.fixture(scope="module")
def faced(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Faced]:
    networks = StandInNetworks(TWO)
    folder = tmp_path_factory.mktemp("faced")
    with serving_on(lambda *_: networks, folder) as (running, _):
        yield Faced(running.url, folder / "files", networks)


@contextmanager
def looked_at(
    browser: Browser, faced: Faced, size: tuple[int, int], photo_file: PhotoMaker
) -> Iterator[tuple[Page, Locator]]:
    """A finished photo, closely."""
    with opened(browser, faced.url, size) as page:
        enhance(page, photo_file("astronaut", 160))
        expect_states(page, done=1)
        expect(page.locator(".pe-card .pe-facts")).to_contain_text("2 faces")
        page.locator(".pe-look").click()
        viewer = page.get_by_role("dialog")
        expect(viewer.locator(".pe-face")).to_have_count(2)
        yield page, viewer


def bytes_of(page: Page, image: Locator) -> str:
    """What the picture consists of."""
    address = image.evaluate("image => image.src")
    return hashlib.sha256(page.request.get(address).body()).hexdigest()


@pytest.mark.parametrize("size", [DESKTOP, PHONE], ids=["desktop", "phone"])
def test_each_face_is_shown_and_blended_anew(
    browser: Browser, faced: Faced, size: tuple[int, int], photo_file: PhotoMaker
) -> None:
    with looked_at(browser, faced, size, photo_file) as (page, viewer):
        after, runs = viewer.locator(".pe-pane-after img"), len(faced.networks.work)
        boxes = [box.bounding_box() for box in viewer.locator(".pe-box").all()]
        picture = after.bounding_box()
        assert picture is not None and len(boxes) == 2
        for box in boxes:
            assert box is not None and picture["x"] <= box["x"] < picture["x"] + picture["width"]
        first = bytes_of(page, after)
        address = after.get_attribute("src")
        viewer.get_by_role("checkbox", name="Face 1").uncheck()
        expect(after).not_to_have_attribute("src", address or "")
        without = bytes_of(page, after)
        assert without != first
        card = page.locator(".pe-card img")
        expect(card).to_have_attribute("src", after.get_attribute("src") or "")
        address = after.get_attribute("src")
        viewer.get_by_role("button", name="None").click()
        expect(after).not_to_have_attribute("src", address or "")
        assert bytes_of(page, after) not in (first, without)
        address = after.get_attribute("src")
        viewer.get_by_role("button", name="All").click()
        expect(after).not_to_have_attribute("src", address or "")
        assert bytes_of(page, after) == first
        assert len(faced.networks.work) == runs, "no network ran again"


def test_the_strength_of_a_face_is_set_by_key(
    browser: Browser, faced: Faced, photo_file: PhotoMaker
) -> None:
    with looked_at(browser, faced, DESKTOP, photo_file) as (page, viewer):
        after = viewer.locator(".pe-pane-after img")
        address = after.get_attribute("src")
        viewer.get_by_role("slider", name="Strength of face 2").focus()
        for _ in range(4):
            page.keyboard.press("ArrowLeft")
        expect(after).not_to_have_attribute("src", address or "")
        page.keyboard.press("Escape")
        page.locator(".pe-look").click()
        expect(viewer.locator(".pe-face")).to_have_count(2)
        strength = viewer.get_by_role("slider", name="Strength of face 2")
        expect(strength).to_have_value("60")


def test_a_draft_is_shown_as_one_until_the_final_comes(
    browser: Browser, faced: Faced, photo_file: PhotoMaker
) -> None:
    may_go_on = threading.Event()

    def wait(work: object) -> None:
        if getattr(work, "network", None) == LARGE:
            may_go_on.wait(60)

    faced.networks.hook = wait
    try:
        with opened(browser, faced.url, DESKTOP) as page:
            drop(page, photo_file("astronaut", 200))
            page.locator("#pe-options button").first.click()
            page.locator("#pe-upscaler input").click()
            page.get_by_role("option", name=LARGE).click()
            page.locator("button#pe-start").click()
            expect(page.locator('.pe-card[data-kind="draft"] .pe-tag')).to_have_text("Draft")
            assert page.locator('img[src*="_enhanced"]').count() == 0
            may_go_on.set()
            expect(page.locator('.pe-card[data-kind="final"] img')).to_have_count(1)
            expect(page.locator(".pe-card .pe-tag")).to_be_hidden()
            assert page.locator('img[src*="_enhanced"]').count() == 1
    finally:
        may_go_on.set()
        faced.networks.hook = lambda work: None


def test_what_changed_follows_the_faces(
    browser: Browser, faced: Faced, photo_file: PhotoMaker
) -> None:
    with looked_at(browser, faced, DESKTOP, photo_file) as (_, viewer):
        viewer.get_by_role("button", name="What changed").click()
        shown = viewer.locator(".pe-pane-map img")
        expect(shown).to_have_attribute("src", re.compile("_difference"))
        before = shown.get_attribute("src") or ""
        viewer.get_by_role("button", name="None").click()
        expect(shown).to_have_attribute("src", re.compile("_difference"))
        expect(shown).not_to_have_attribute("src", before)


def test_faces_that_are_kept_no_more_are_told_of(
    browser: Browser, faced: Faced, photo_file: PhotoMaker
) -> None:
    with looked_at(browser, faced, DESKTOP, photo_file) as (_, viewer):
        for part in faced.files.glob("batches/*/kept/*"):
            shutil.rmtree(part)
        viewer.get_by_role("checkbox", name="Face 1").uncheck()
        expect(viewer.locator(".pe-wait")).to_contain_text("are not kept")
        expect(viewer.locator(".pe-wait")).to_be_visible()
