"""Writes the README's pictures of the page: ``python -m tests.browser.screenshots``.

Starts the page as a person does, drops in small photos that every machine has and one broken
file, and takes pictures at desktop and at phone width. Where a folder is named, every state of
every visit goes there, to be looked at; ``assets/`` gets what the README shows.
"""

import re
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from PIL import Image
from playwright.sync_api import Browser, Page, expect, sync_playwright

from photoenhance_ui.settings import PROJECT_DIR
from testing.browser import CHROMIUM, DESKTOP, FLAGS, PHONE, enhance, expect_states
from testing.photos import skimage_photo
from testing.running_app import started_app

ASSETS = PROJECT_DIR / "assets"
PHOTOS = ("astronaut", "coffee", "chelsea", "rocket")
LONGEST_PX = 320


@dataclass(frozen=True)
class Visit:
    """Who looks at the page, and what the pictures of it are called."""

    name: str
    size: tuple[int, int]
    shown: tuple[str, ...]
    """The states that the README shows."""
    locale: str = "en-US"
    scheme: str = "light"


VISITS = (
    Visit("screenshot", DESKTOP, ("", "-viewer")),
    Visit("screenshot-dark", DESKTOP, ("",), scheme="dark"),
    Visit("screenshot-phone", PHONE, ("",)),
    Visit("screenshot-phone-zh", PHONE, ("",), locale="zh-CN", scheme="dark"),
)


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


def take(page: Page, visit: Visit, photos: Sequence[Path], folder: Path) -> None:
    """The empty page, the batch, and a photo closely."""

    def keep(state: str) -> None:
        if folder != ASSETS or state in visit.shown:
            page.wait_for_timeout(1000)  # pictures are decoded, nothing moves any more
            page.screenshot(path=folder / f"{visit.name}{state}.png")

    expect(page.locator('#pe-banner [data-network="builtin"]')).to_be_visible()
    keep("-empty")
    enhance(page, *photos)
    expect_states(page, done=len(PHOTOS), failed=1)
    page.wait_for_timeout(3000)  # the banner is told of the end
    keep("")
    page.locator(".pe-look").first.click()
    expect(page.locator(".pe-pane-after img")).to_have_attribute("src", re.compile("_enhanced"))
    keep("-viewer")


def main(folder: Path = ASSETS) -> None:
    """Take every picture."""
    with (
        tempfile.TemporaryDirectory() as photos,
        started_app("--offline") as address,
        sync_playwright() as playwright,
    ):
        paths = small_photos(Path(photos))
        browser: Browser = playwright.chromium.launch(executable_path=CHROMIUM, args=[*FLAGS])
        for visit in VISITS:
            context = browser.new_context(
                viewport={"width": visit.size[0], "height": visit.size[1]},
                locale=visit.locale,
                color_scheme="dark" if visit.scheme == "dark" else "light",
            )
            page = context.new_page()
            page.goto(address)
            take(page, visit, paths, folder)
            context.close()
        browser.close()


if __name__ == "__main__":
    main(*(Path(argument) for argument in sys.argv[1:2]))
