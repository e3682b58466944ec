"""Looking closely, in a real browser."""

import re

from playwright.sync_api import Browser, Locator, Page, expect

from testing.browser import PHONE, enhance, expect_states, opened
from testing.photos import PhotoMaker
from testing.served import Served


def looked_at(page: Page, photo_file: PhotoMaker) -> Locator:
    """The viewer, open on the first of two photos."""
    enhance(page, photo_file("chelsea", 60), photo_file("coffee", 80))
    expect_states(page, done=2)
    page.get_by_role("button", name="View chelsea.png").click()
    viewer = page.get_by_role("dialog")
    expect(viewer.locator("h2")).to_have_text("chelsea.png")
    expect(image(viewer, "after")).to_have_attribute("src", has("chelsea_enhanced.png"))
    return viewer


def has(text: str) -> "re.Pattern[str]":
    return re.compile(re.escape(text))


def image(viewer: Locator, name: str) -> Locator:
    return viewer.locator(f".pe-pane-{name} img")


def width(image: Locator) -> float:
    """How wide the picture is on the screen."""
    return float(image.evaluate("image => image.getBoundingClientRect().width"))


def test_a_photo_is_compared_with_its_original_at_full_size(
    page: Page, photo_file: PhotoMaker
) -> None:
    viewer = looked_at(page, photo_file)
    expect(image(viewer, "before")).to_have_attribute("src", has("chelsea_original"))
    assert image(viewer, "after").evaluate("image => image.naturalWidth") == 120
    fitted = width(image(viewer, "after"))
    assert fitted == width(image(viewer, "before"))
    viewer.get_by_role("button", name="100 %").click()
    assert fitted >= width(image(viewer, "after"))
    viewer.get_by_role("button", name="Zoom in").click()
    viewer.get_by_role("button", name="Zoom in").click()
    assert width(image(viewer, "after")) > 120
    viewer.get_by_role("button", name="Fit").click()
    assert abs(width(image(viewer, "after")) - fitted) < 1
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")


def test_the_keyboard_goes_from_photo_to_photo_and_closes(
    desktop: Page, photo_file: PhotoMaker
) -> None:
    viewer = looked_at(desktop, photo_file)
    expect(viewer.get_by_role("button", name="Previous photo")).to_be_disabled()
    desktop.keyboard.press("ArrowRight")
    expect(viewer.locator("h2")).to_have_text("coffee.png")
    expect(viewer.get_by_role("button", name="Next photo")).to_be_disabled()
    desktop.keyboard.press("+")
    desktop.keyboard.press("ArrowLeft")
    expect(viewer.locator("h2")).to_have_text("chelsea.png")
    desktop.keyboard.press("Escape")
    expect(viewer).to_have_count(0)
    opener = desktop.get_by_role("button", name="View chelsea.png")
    expect(opener).to_be_focused()
    # A dialog tells of its closing a moment after it closed.
    expect(desktop.locator('img[src*="_enhanced"]')).to_have_count(2)


def test_the_slider_is_moved_by_hand_and_by_key(desktop: Page, photo_file: PhotoMaker) -> None:
    viewer = looked_at(desktop, photo_file)
    divider = viewer.locator(".pe-divider")
    before = divider.evaluate("line => line.offsetLeft")
    viewer.get_by_role("slider", name="Divider between before and after").focus()
    desktop.keyboard.press("ArrowRight")
    moved = divider.evaluate("line => line.offsetLeft")
    assert moved > before
    expect(viewer.locator("h2")).to_have_text("chelsea.png")
    box = viewer.locator(".pe-stage-area").bounding_box()
    assert box is not None
    desktop.mouse.move(box["x"] + moved, box["y"] + 200)
    desktop.mouse.down()
    desktop.mouse.move(box["x"] + 100, box["y"] + 200, steps=4)
    desktop.mouse.up()
    assert abs(divider.evaluate("line => line.offsetLeft") - 100) < 3


def test_side_by_side_and_what_changed(page: Page, photo_file: PhotoMaker) -> None:
    viewer = looked_at(page, photo_file)
    viewer.get_by_role("button", name="Side by side").click()
    boxes = [image(viewer, name).bounding_box() for name in ("before", "after")]
    first, second = boxes
    assert first is not None and second is not None
    apart = (second["x"] - first["x"]) + (second["y"] - first["y"])
    assert apart > 100, "next to each other, or one under the other on a phone"
    viewer.get_by_role("button", name="What changed").click()
    expect(image(viewer, "map")).to_have_attribute("src", has("_difference"))
    expect(image(viewer, "map")).to_be_visible()
    assert image(viewer, "map").evaluate("image => image.decode().then(() => 1)") == 1


def test_two_fingers_zoom_and_one_moves(
    browser: Browser, served: Served, photo_file: PhotoMaker
) -> None:
    with opened(browser, served.url, PHONE, has_touch=True) as page:
        viewer = looked_at(page, photo_file)
        shown, stage = image(viewer, "after"), viewer.locator(".pe-stage-area").bounding_box()
        assert stage is not None
        x, y = stage["x"] + stage["width"] / 2, stage["y"] + stage["height"] / 2
        session, fitted = page.context.new_cdp_session(page), width(shown)

        def touch(kind: str, *places: tuple[float, float]) -> None:
            points = [{"x": px, "y": py, "id": n} for n, (px, py) in enumerate(places)]
            session.send("Input.dispatchTouchEvent", {"type": kind, "touchPoints": points})

        touch("touchStart", (x - 20, y), (x + 20, y))
        for apart in (40, 60, 80):
            touch("touchMove", (x - apart, y), (x + apart, y))
        touch("touchEnd")
        zoomed = width(shown)
        assert zoomed > 2.5 * fitted
        before = shown.evaluate("image => image.getBoundingClientRect().top")
        touch("touchStart", (x + 100, y))
        touch("touchMove", (x + 100, y + 30))
        touch("touchEnd")
        after = shown.evaluate("image => image.getBoundingClientRect().top")
        assert abs(after - before - 30) < 2
        assert abs(width(shown) - zoomed) < 1
