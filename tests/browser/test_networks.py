"""The panel of networks, and who may bring one."""

import shutil
from dataclasses import replace
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from photoenhance_ui.settings import EMBEDDED_WEIGHTS_DIR, Settings
from photoenhance_ui.ui.manage import may_manage
from tests.browser.conftest import enhance, expect_states
from tests.conftest import PhotoMaker
from tests.served import Served, written


def test_the_panel_tells_what_there_is(page: Page) -> None:
    page.locator("#pe-networks button").first.click()
    panel = page.locator("#pe-networks")
    builtin = panel.locator("tr", has_text="builtin")
    expect(builtin).to_contain_text("Installed")
    gfpgan = panel.locator("tr", has_text="GFPGANv1.4")
    for fact in ("348.6 MB", "Restoring faces", "Not installed"):
        expect(gfpgan).to_contain_text(fact)
    expect(page.locator("#pe-networks-hint")).to_contain_text("offline")
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")


def test_a_network_of_ones_own_is_taken_in_and_used(
    desktop: Page, served: Served, photo_file: PhotoMaker, tmp_path: Path
) -> None:
    own = tmp_path / "mine.safetensors"
    shutil.copy(EMBEDDED_WEIGHTS_DIR / "builtin.safetensors", own)
    folder = served.settings.weights_dir
    desktop.locator("#pe-networks button").first.click()
    try:
        desktop.set_input_files("#pe-own-network input[type=file]", str(own))
        expect(desktop.locator("#pe-networks tr", has_text="mine")).to_contain_text("Installed")
        assert (folder / "mine.safetensors").exists()
        desktop.reload()
        expect(desktop.locator("#pe-banner")).to_contain_text("builtin")
        desktop.locator("#pe-options button").first.click()
        desktop.locator("#pe-upscaler input").click()
        desktop.get_by_role("option", name="mine").click()
        enhance(desktop, photo_file("chelsea"))
        expect_states(desktop, done=1)
        expect(desktop.locator(".pe-card .pe-facts")).to_contain_text("mine")
    finally:
        (folder / "mine.safetensors").unlink(missing_ok=True)
        served.running.service.networks_arrived()


@pytest.mark.parametrize("name", ["no-network.safetensors", "photo.jpg"])
def test_what_is_no_network_is_refused_and_leaves_nothing(
    desktop: Page, served: Served, tmp_path: Path, name: str
) -> None:
    desktop.locator("#pe-networks button").first.click()
    wrong = written(tmp_path, name, b"nothing of the kind")
    desktop.set_input_files("#pe-own-network input[type=file]", str(wrong))
    expect(desktop.get_by_text("was not taken")).to_be_visible()
    assert list(served.settings.weights_dir.iterdir()) == []


def test_only_who_sits_at_the_machine_manages_its_networks() -> None:
    at_home = Settings()
    assert may_manage(at_home, {})
    assert not may_manage(at_home, {"x-forwarded-for": "10.0.0.1"}), "through a proxy"
    assert not may_manage(replace(at_home, host="0.0.0.0"), {})
    assert not may_manage(replace(at_home, share=True), {})
    assert not may_manage(replace(at_home, manage_networks="never"), {})
    assert may_manage(replace(at_home, host="0.0.0.0", manage_networks="always"), {})
