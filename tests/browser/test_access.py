"""Everybody can use the page: either language, light or dark, by screen reader; axe agrees."""

import re

from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, Page, expect

from photoenhance_ui.catalogue import CATALOGUE
from testing.browser import PHONE, enhance, expect_states, opened
from testing.photos import PhotoMaker
from testing.served import Served

SERIOUS = ("serious", "critical")


def faults(page: Page) -> list[str]:
    """What axe finds and calls serious."""
    found = Axe().run(page).response["violations"]
    return [
        f"{fault['id']}: {[node['html'][:120] for node in fault['nodes']]}"
        for fault in found
        if fault["impact"] in SERIOUS
    ]


def test_axe_finds_nothing_serious(page: Page, photo_file: PhotoMaker) -> None:
    assert faults(page) == [], "with nothing there"
    for panel in ("options", "saving", "networks"):
        page.locator(f"#pe-{panel} button").first.click()
    expect(page.locator("#pe-networks")).to_contain_text("GFPGANv1.4")
    enhance(page, photo_file("chelsea"), photo_file("coffee"))
    expect_states(page, done=2)
    assert faults(page) == [], "with everything open"
    page.locator(".pe-look").first.click()
    expect(page.locator(".pe-pane-after img[src]")).to_have_count(1)
    assert faults(page) == [], "in the viewer"


def test_the_page_speaks_chinese_to_who_reads_it(
    chinese_phone: Page, photo_file: PhotoMaker
) -> None:
    page = chinese_phone
    expect(page.locator("html")).to_have_attribute("lang", "zh")
    first = page.get_by_role("button", name="增强").first
    expect(first).to_have_attribute("id", "pe-start")
    enhance(page, photo_file("chelsea"), photo_file("coffee"))
    expect_states(page, done=2)
    expect(page.locator("#pe-summary")).to_contain_text("全部 2 张照片都好了")
    for image in page.locator('img[src*="_enhanced"]').all():
        expect(image).to_be_in_viewport()
    assert faults(page) == [], "also in the dark"
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    for panel in ("options", "saving", "networks"):
        page.locator(f"#pe-{panel} button").first.click()
    expect(page.locator("#pe-networks")).to_contain_text("照片，放大四倍")
    assert english_in(page) == []


def english_in(page: Page) -> list[str]:
    """Runs of three English words on the page that are no licence."""
    shown = page.locator(".gradio-container main").inner_text()
    found = re.findall(r"(?:[A-Za-z]{2,} ){2,}[a-z]{2,}", shown)
    licences = " ".join(file.licence for file in CATALOGUE)
    return [words for words in found if words not in licences]


def test_the_language_is_switched_at_once_and_kept(
    browser: Browser, served: Served, photo_file: PhotoMaker
) -> None:
    with opened(browser, served.url, PHONE) as page:
        enhance(page, photo_file("chelsea"))
        expect_states(page, done=1)
        page.locator("#pe-language label", has_text="中文").click()
        expect(page.locator("button#pe-start")).to_have_text("增强")
        expect(page.locator("#pe-summary")).to_contain_text("您的照片好了")
        expect(page.locator(".pe-card .pe-badge")).to_have_text("完成")
        expect(page.locator("#pe-presets")).to_contain_text("老照片")
        assert "把照片拖到这里" in page.locator("#pe-photos .wrap").first.evaluate(
            "zone => getComputedStyle(zone, '::before').content"
        )
        page.reload()
        expect(page.locator("button#pe-start")).to_have_text("增强")
        page.locator(".pe-look").click()
        expect(page.get_by_role("dialog").get_by_role("button", name="并排")).to_be_visible()


def test_the_whole_way_is_possible_by_keyboard(desktop: Page) -> None:
    desktop.locator('[data-name="chelsea"]').focus()
    desktop.keyboard.press("Enter")
    expect(desktop.locator("button#pe-start")).to_be_enabled()
    desktop.locator("button#pe-start").focus()
    desktop.keyboard.press("Enter")
    expect_states(desktop, done=1)
    desktop.locator(".pe-look").focus()
    desktop.keyboard.press("Enter")
    expect(desktop.get_by_role("dialog").locator("h2")).to_have_text("chelsea.jpg")
    desktop.keyboard.press("Escape")
    expect(desktop.locator(".pe-look")).to_be_focused()
