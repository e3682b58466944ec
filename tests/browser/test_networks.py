"""The panel of networks, and who may bring one."""

import shutil
from dataclasses import replace
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, expect

from photoenhance_ui.catalogue import by_name
from photoenhance_ui.server import service as service_module
from photoenhance_ui.server.manage import may_manage
from photoenhance_ui.settings import EMBEDDED_WEIGHTS_DIR, PROJECT_DIR, Settings
from photoenhance_ui.ui import network_handlers
from testing.browser import DESKTOP, enhance, expect_states, opened
from testing.file_server import serving as serving_file
from testing.hooked import HookedNetworks
from testing.photos import PhotoMaker
from testing.served import Served, serving_on, written

REAL_DETECTOR = PROJECT_DIR.parent / "shared/data/weights/face_detection_yunet_2023mar.onnx"


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
        desktop.locator("#pe-options button").first.click()
        desktop.locator("#pe-upscaler input").click()
        desktop.get_by_role("option", name="mine").click()
        enhance(desktop, photo_file("chelsea"))
        expect_states(desktop, done=1)
        expect(desktop.locator(".pe-card .pe-facts")).to_contain_text("mine")
    finally:
        (folder / "mine.safetensors").unlink(missing_ok=True)
        served.running.service.engine.networks_arrived()


@pytest.mark.parametrize("name", ["no-network.safetensors", "photo.jpg"])
def test_what_is_no_network_is_refused_and_leaves_nothing(
    desktop: Page, served: Served, tmp_path: Path, name: str
) -> None:
    desktop.locator("#pe-networks button").first.click()
    wrong = written(tmp_path, name, b"nothing of the kind")
    desktop.set_input_files("#pe-own-network input[type=file]", str(wrong))
    expect(desktop.get_by_text("was not installed")).to_be_visible()
    assert list(served.settings.weights_dir.iterdir()) == []


def test_a_network_is_downloaded_and_put_to_use(
    browser: Browser, tmp_path_factory: pytest.TempPathFactory
) -> None:
    if not REAL_DETECTOR.is_file():
        pytest.skip("needs a real network file")
    with (
        serving_file(REAL_DETECTOR.read_bytes()) as published,
        pytest.MonkeyPatch.context() as patch,
    ):
        here = replace(by_name(REAL_DETECTOR.stem), url=published.url)
        patch.setattr(network_handlers, "CATALOGUE", (here,))
        patch.setattr(service_module.inventory, "files_to_fetch", lambda *_: ())
        folder = tmp_path_factory.mktemp("fetching")
        with (
            serving_on(HookedNetworks, folder, offline=False) as (running, _),
            opened(browser, running.url, DESKTOP) as page,
        ):
            page.locator("#pe-networks button").first.click()
            page.get_by_role("button", name=f"Download {REAL_DETECTOR.stem}").click()
            line = page.locator("#pe-networks tr", has_text=REAL_DETECTOR.stem)
            expect(line).to_contain_text("Installed")
            assert (folder / "weights" / REAL_DETECTOR.name).exists()


def test_only_who_sits_at_the_machine_manages_its_networks() -> None:
    at_home = Settings()
    assert may_manage(at_home, {})
    assert not may_manage(at_home, {"x-forwarded-for": "10.0.0.1"}), "through a proxy"
    for told in ("x-real-ip", "via", "x-forwarded-proto", "forwarded"):
        assert not may_manage(at_home, {told: "10.0.0.1"})
    assert not may_manage(at_home, {"host": "photos.example.org"}), "through one that tells nothing"
    assert may_manage(at_home, {"host": "127.0.0.1:7860"})
    for proxied in (
        {"allowed_hosts": ("a.test",)},
        {"root_path": "/a"},
        {"trusted_proxies": "::1"},
    ):
        assert not may_manage(replace(at_home, **proxied), {})
    assert not may_manage(replace(at_home, host="0.0.0.0"), {})
    assert not may_manage(replace(at_home, share=True), {})
    assert not may_manage(replace(at_home, manage_networks="never"), {})
    assert may_manage(replace(at_home, host="0.0.0.0", manage_networks="always"), {})
