"""Writes the README's pictures of the page: ``python -m tests.browser.screenshots``.

Starts the page as a person does, drops in small photos that every machine has and one broken
file, and takes a picture at desktop and at phone width.
"""

import re
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from PIL import Image
from playwright.sync_api import Browser, expect, sync_playwright

from photoenhance_ui.settings import PROJECT_DIR
from tests.browser.conftest import CHROMIUM, FLAGS
from tests.conftest import skimage_photo

ASSETS = PROJECT_DIR / "assets"
VIEWS = {"screenshot.png": (1280, 1000), "screenshot-phone.png": (390, 844)}
PHOTOS = ("astronaut", "coffee", "chelsea", "rocket")
LONGEST_PX = 320


@contextmanager
def started() -> Iterator[str]:
    """``app.py`` on a free port, without downloads; gives its address."""
    command = [sys.executable, "app.py", "--offline", "--port", "0"]
    with subprocess.Popen(command, cwd=PROJECT_DIR, stdout=subprocess.PIPE, text=True) as app:
        try:
            assert app.stdout is not None
            for line in app.stdout:
                if address := re.search(r"http://\S+", line):
                    yield address[0]
                    break
        finally:
            app.terminate()


def small_photos(folder: Path) -> list[Path]:
    """Small photos, and a file that is none."""
    paths = []
    for name in PHOTOS:
        image = Image.fromarray(skimage_photo(name))
        image.thumbnail((LONGEST_PX, LONGEST_PX))
        paths.append(folder / f"{name}.jpg")
        image.save(paths[-1], quality=85)
    broken = folder / "broken.jpg"
    broken.write_text("no picture")
    return [*paths, broken]


def take(
    browser: Browser, address: str, size: tuple[int, int], photos: list[Path], to: Path
) -> None:
    """Enhance the photos, look at the first one closely, and keep the picture."""
    page = browser.new_page(viewport={"width": size[0], "height": size[1]})
    page.goto(address)
    page.set_input_files("#pe-photos input[type=file]", [str(path) for path in photos])
    page.locator("button#pe-start:enabled").click()
    expect(page.locator('tr[data-state="done"]')).to_have_count(len(PHOTOS), timeout=120_000)
    page.locator("#pe-gallery button:has(img)").first.click()
    expect(page.locator("#pe-slider img")).to_have_count(2)
    page.wait_for_timeout(4000)  # the slider moves to its place, the banner is told of the end
    page.evaluate("scrollTo(0, 0)")
    page.screenshot(path=to, full_page=True)
    page.close()


def main() -> None:
    """Take every picture."""
    with (
        tempfile.TemporaryDirectory() as folder,
        started() as address,
        sync_playwright() as playwright,
    ):
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=[*FLAGS])
        photos = small_photos(Path(folder))
        for name, size in VIEWS.items():
            take(browser, address, size, photos, ASSETS / name)
        browser.close()


if __name__ == "__main__":
    main()
