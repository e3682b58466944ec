"""Resident networks: loaded once, told as they are, taken in as they come, never lost in use.

Full-size networks with seeded random weights under the official names, trusted by the settings.
"""

import logging
import shutil
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from facexlib.detection.retinaface import RetinaFace
from facexlib.parsing.bisenet import BiSeNet

from benchmarks import reference, seeded_weights
from photoenhance_ui.catalogue import Role
from photoenhance_ui.errors import NetworkFailed, NetworkMissing, WeightsDamaged
from photoenhance_ui.geometry import Size
from photoenhance_ui.networks.interfaces import Work
from photoenhance_ui.networks.on_openvino.proofs import LEAST_MEAN_DB
from photoenhance_ui.networks.resident import Networks
from photoenhance_ui.photo import Pixels
from photoenhance_ui.plan import UpscalerFacts, choose_networks, make_plan
from photoenhance_ui.request import Request
from photoenhance_ui.settings import Settings
from photoenhance_ui.weights import BUILTIN, installed
from tests.conftest import skimage_photo

EXACT, FAST = "exact", "fast"
GENERAL, GENERAL_WDN = "realesr-general-x4v3", "realesr-general-wdn-x4v3"
MOBILENET, RESNET50 = "detection_mobilenet0.25_Final", "detection_Resnet50_Final"
BISENET, PARSENET = "parsing_bisenet", "parsing_parsenet"


pytestmark = pytest.mark.usefixtures("one_thread")


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """Files from which each test takes those that it wants installed."""
    folder = tmp_path_factory.mktemp("store")
    seeded_weights.write_random_weights(
        folder, [seeded_weights.GENERAL_FILE, seeded_weights.GENERAL_WDN_FILE]
    )
    torch.manual_seed(1)
    torch.save(RetinaFace("mobile0.25", device="cpu").state_dict(), folder / f"{MOBILENET}.pth")
    torch.save(BiSeNet(num_class=19).state_dict(), folder / f"{BISENET}.pth")
    own = reference.SRVGGNetCompact(3, 3, num_feat=16, num_conv=2, upscale=2, act_type="prelu")
    torch.save({"params": own.state_dict()}, folder / "mine.pth")
    yield folder
    shutil.rmtree(folder)


@pytest.fixture
def settings(settings: Settings) -> Settings:
    return replace(settings, trust_weights=True)


@pytest.fixture
def install(settings: Settings, store: Path) -> Callable[..., None]:
    """Puts files of the store where they are looked for."""

    def put(*names: str) -> None:
        for name in names:
            (settings.weights_dir / f"{name}.pth").symlink_to(store / f"{name}.pth")

    return put


def networks_of(settings: Settings) -> Networks:
    return Networks(installed(settings), settings)


def spoil(settings: Settings, *names: str) -> None:
    for name in names:
        (settings.weights_dir / f"{name}.pth").write_bytes(b"cut short")


def picture(side: int = 16) -> Pixels:
    return skimage_photo("astronaut")[100 : 100 + side, 200 : 200 + side][None]


def upscaled(networks: Networks, name: str, denoise: float = 1.0, precision: str = EXACT) -> Pixels:
    result: Pixels = networks.run(Work(Role.UPSCALER, name, picture(), denoise), precision)
    return result


def loads_in(caplog: pytest.LogCaptureFixture) -> list[str]:
    """Names of the networks that were loaded, in order."""
    return [
        str(record.args[0])  # type: ignore[index]
        for record in caplog.records
        if record.msg.startswith("network_loads")
    ]


@pytest.fixture(autouse=True)
def logged(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO, logger="photoenhance_ui")


def test_without_files_there_is_the_builtin_network_alone(settings: Settings) -> None:
    facts = networks_of(settings).facts()
    assert (facts.device, facts.default_precision) == ("cpu", EXACT)
    assert set(facts.upscalers) == {BUILTIN}
    assert (facts.finder, facts.restorer, facts.parser) == (None, None, None)
    assert facts.max_output_pixels == settings.max_output_pixels
    assert facts.weights_warnings == {}


def test_the_facts_are_what_is_installed(settings: Settings, install: Callable[..., None]) -> None:
    install(GENERAL, GENERAL_WDN, MOBILENET, BISENET, "mine")
    facts = networks_of(settings).facts()
    assert set(facts.upscalers) == {BUILTIN, GENERAL, "mine"}
    assert facts.upscalers[GENERAL] == UpscalerFacts(4, GENERAL_WDN, 1.21e6)
    own = facts.upscalers["mine"]
    assert (own.scale, own.companion) == (2, None)
    assert 5_000 < own.operations_per_pixel < 10_000  # two 3x3 convolutions of 16 channels
    assert (facts.finder, facts.parser, facts.restorer) == (MOBILENET, BISENET, None)
    assert set(facts.weights_warnings) == {GENERAL, GENERAL_WDN, MOBILENET, BISENET}
    assert f"{MOBILENET}.pth" in facts.weights_warnings[MOBILENET]


@pytest.mark.parametrize(("tile_px", "expected"), [("auto", None), ("192", 192)])
def test_tiles_are_as_large_as_the_settings_say(
    settings: Settings, tile_px: str, expected: int | None
) -> None:
    assert networks_of(replace(settings, tile_px=tile_px)).facts().tile_px == expected


def test_a_gpu_computes_batches_and_a_cpu_one_picture_at_a_time(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    networks = Networks(installed(settings), settings)
    facts = networks.facts()
    assert (facts.tiles_at_once, facts.faces_at_once) == (1, 1)
    monkeypatch.setattr(networks, "_device", torch.device("cuda"))
    monkeypatch.setattr("photoenhance_ui.networks.resident.name_of", str)
    facts = networks._facts_of({}, {})
    assert facts.tiles_at_once > 1
    assert facts.faces_at_once > 1


def test_auto_precision_is_fast_where_that_is_proven(settings: Settings) -> None:
    for wanted, expected in (("auto", FAST), (FAST, FAST), (EXACT, EXACT)):
        settings = replace(settings, precision=wanted)
        assert networks_of(settings).facts().default_precision == expected


def test_what_auto_takes_is_loaded_at_once_and_nothing_else(
    settings: Settings, install: Callable[..., None], caplog: pytest.LogCaptureFixture
) -> None:
    install(GENERAL, GENERAL_WDN, MOBILENET, BISENET)
    networks = networks_of(settings)
    # The built-in network is loaded too, as any that only its file tells the factor of.
    assert sorted(loads_in(caplog)) == sorted([BUILTIN, GENERAL, MOBILENET, BISENET])
    caplog.clear()
    upscaled(networks, GENERAL)
    networks.run(Work(Role.FINDER, MOBILENET, [picture()[0]]), EXACT)
    networks.run(Work(Role.PARSER, BISENET, picture(64)), EXACT)
    assert loads_in(caplog) == []


def test_several_threads_load_a_network_once_and_get_the_same_from_it(
    settings: Settings, install: Callable[..., None], caplog: pytest.LogCaptureFixture
) -> None:
    install(GENERAL, GENERAL_WDN)
    networks, together = networks_of(settings), threading.Barrier(4)
    caplog.clear()

    def work(_: int) -> Pixels:
        together.wait(timeout=60)
        return upscaled(networks, GENERAL, precision=FAST)  # which nobody has loaded yet

    with ThreadPoolExecutor(4) as pool:
        results = list(pool.map(work, range(4)))
    assert loads_in(caplog) == [GENERAL]
    assert all(np.array_equal(results[0], result) for result in results)


def test_a_network_does_what_its_role_does(
    settings: Settings, install: Callable[..., None]
) -> None:
    install(GENERAL, MOBILENET, BISENET)
    networks = networks_of(settings)
    assert upscaled(networks, GENERAL).shape == (1, 64, 64, 3)
    assert networks.run(Work(Role.FINDER, MOBILENET, [picture()[0]] * 2), EXACT) == [[], []]
    mask = networks.run(Work(Role.PARSER, BISENET, picture(64)), EXACT)
    assert mask.shape == (1, 64, 64)
    assert np.isin(mask, [0, 255]).all()


def test_a_finder_stays_exact_whatever_the_precision(
    settings: Settings, install: Callable[..., None], caplog: pytest.LogCaptureFixture
) -> None:
    install(MOBILENET)
    networks = networks_of(settings)
    caplog.clear()
    work = Work(Role.FINDER, MOBILENET, [picture()[0]])
    exact, fast = (networks.run(work, precision) for precision in (EXACT, FAST))
    assert exact == fast == [[]]
    assert loads_in(caplog) == [], "a finder was loaded anew, in 16 bits"
    fast_picture, exact_picture = (upscaled(networks, BUILTIN, precision=p) for p in (FAST, EXACT))
    assert loads_in(caplog) == [BUILTIN]
    assert not np.array_equal(fast_picture, exact_picture), "16 bits left no trace"
    error = np.mean((fast_picture.astype(float) - exact_picture) ** 2)
    assert 10 * np.log10(255**2 / error) >= LEAST_MEAN_DB


def test_a_network_that_is_not_there_is_missing(settings: Settings) -> None:
    networks = networks_of(settings)
    for role in Role:
        with pytest.raises(NetworkMissing, match="GFPGANv9"):
            networks.run(Work(role, "GFPGANv9", picture()), EXACT)


def test_a_foreign_error_of_a_network_is_told_by_its_name(settings: Settings) -> None:
    networks = networks_of(settings)
    five_channels = np.zeros((1, 8, 8, 5), np.uint8)
    with pytest.raises(NetworkFailed, match="builtin failed"):
        networks.run(Work(Role.UPSCALER, BUILTIN, five_channels), EXACT)
    assert upscaled(networks, BUILTIN).any(), "the next photo is not affected"


def test_the_setting_chooses_the_finder(settings: Settings, install: Callable[..., None]) -> None:
    install(MOBILENET)
    spoil(settings, RESNET50)
    chosen = networks_of(replace(settings, face_detector=MOBILENET))
    assert chosen.facts().finder == MOBILENET
    # Installed or not, no other finder takes the place of one that was asked for.
    for name in (RESNET50, "face_detection_yunet_2023mar"):
        assert networks_of(replace(settings, face_detector=name)).facts().finder is None


def test_a_damaged_file_is_left_out_and_the_next_best_takes_its_place(
    settings: Settings, install: Callable[..., None], caplog: pytest.LogCaptureFixture
) -> None:
    install(MOBILENET, BISENET)
    spoil(settings, GENERAL, RESNET50, PARSENET, "GFPGANv1.4", "GFPGANv1.3", "mine")
    networks = networks_of(settings)
    facts = networks.facts()
    assert set(facts.upscalers) == {BUILTIN}
    assert (facts.finder, facts.parser, facts.restorer) == (MOBILENET, BISENET, None)
    assert set(facts.weights_warnings) == {MOBILENET, BISENET}
    assert upscaled(networks, BUILTIN).any()
    for name in (GENERAL, RESNET50, PARSENET, "GFPGANv1.4", "GFPGANv1.3", "mine.pth"):
        assert f"={name} code=weights_damaged" in caplog.text
    assert str(settings.weights_dir) not in caplog.text
    with pytest.raises(NetworkMissing):
        upscaled(networks, GENERAL)


def test_a_network_that_gives_no_picture_is_left_out(settings: Settings) -> None:
    network = reference.srvgg_network()
    with torch.no_grad():
        next(network.parameters()).fill_(float("nan"))
    torch.save({"params": network.state_dict()}, settings.weights_dir / f"{GENERAL}.pth")
    assert set(networks_of(settings).facts().upscalers) == {BUILTIN}


def test_a_damaged_file_that_auto_does_not_take_shows_itself_when_it_is_used(
    settings: Settings,
) -> None:
    spoil(settings, "RealESRGAN_x4plus")
    networks = networks_of(settings)
    assert "RealESRGAN_x4plus" in networks.facts().upscalers
    for _ in range(2):
        with pytest.raises(WeightsDamaged, match=r"RealESRGAN_x4plus\.pth"):
            upscaled(networks, "RealESRGAN_x4plus")
    assert upscaled(networks, BUILTIN).any()


def test_new_files_are_taken_in_all_at_once(
    settings: Settings, install: Callable[..., None], caplog: pytest.LogCaptureFixture
) -> None:
    networks = networks_of(settings)
    before = networks.facts()
    install(GENERAL, MOBILENET, "mine")
    caplog.clear()
    networks.refresh(installed(settings))
    after = networks.facts()
    assert set(before.upscalers) == {BUILTIN}, "facts that somebody holds have changed"
    assert (set(after.upscalers), after.finder) == ({BUILTIN, GENERAL, "mine"}, MOBILENET)
    assert set(loads_in(caplog)) == {GENERAL, MOBILENET, "mine"}
    assert upscaled(networks, GENERAL).shape == (1, 64, 64, 3)
    caplog.clear()
    networks.refresh(installed(settings))
    assert networks.facts() == after
    assert loads_in(caplog) == []


def test_a_file_that_was_damaged_is_taken_in_once_it_is_whole(
    settings: Settings, install: Callable[..., None]
) -> None:
    spoil(settings, MOBILENET)
    networks = networks_of(settings)
    assert networks.facts().finder is None
    (settings.weights_dir / f"{MOBILENET}.pth").unlink()
    install(MOBILENET)
    networks.refresh(installed(settings))
    assert networks.facts().finder == MOBILENET


def test_a_network_in_use_is_not_lost_when_its_file_goes(
    settings: Settings, install: Callable[..., None]
) -> None:
    install(GENERAL, GENERAL_WDN, MOBILENET, "mine")
    networks = networks_of(settings)
    works = [
        Work(Role.UPSCALER, GENERAL, picture(), 0.3),
        Work(Role.UPSCALER, "mine", picture()),
        Work(Role.FINDER, MOBILENET, [picture()[0]]),
    ]
    before = [networks.run(work, EXACT) for work in works]
    for path in settings.weights_dir.iterdir():
        path.unlink()
    networks.refresh(installed(settings))
    facts = networks.facts()
    assert (set(facts.upscalers), facts.finder) == ({BUILTIN}, None)
    for work, result in zip(works, before, strict=True):
        assert np.array_equal(networks.run(work, EXACT), result)


def test_work_goes_on_while_files_come_and_go(
    settings: Settings, install: Callable[..., None]
) -> None:
    networks = networks_of(settings)
    expected, stop, runs = upscaled(networks, BUILTIN), threading.Event(), [0]

    def work() -> int:
        while not stop.is_set():
            assert np.array_equal(upscaled(networks, BUILTIN), expected)
            runs[0] += 1
        return runs[0]

    with ThreadPoolExecutor(1) as pool:
        working = pool.submit(work)
        try:
            for names in ((GENERAL,), (GENERAL_WDN, "mine"), (MOBILENET,)):
                install(*names)
                networks.refresh(installed(settings))
        finally:
            stop.set()
        assert working.result(timeout=60) > 0
    assert set(networks.facts().upscalers) == {BUILTIN, GENERAL, "mine"}


def test_a_companion_that_comes_later_makes_denoise_work(
    settings: Settings, install: Callable[..., None]
) -> None:
    # A first start downloads the two files one after the other, and refreshes after each.
    install(GENERAL)
    networks = networks_of(settings)
    assert networks.facts().upscalers[GENERAL].companion is None
    alone = upscaled(networks, GENERAL, denoise=0.0)
    choice = choose_networks(GENERAL, 2, networks.facts())
    plan = make_plan(Size(9, 9), Request(denoise=0.3), choice, networks.facts())
    install(GENERAL_WDN)
    networks.refresh(installed(settings))
    assert networks.facts().upscalers[GENERAL].companion == GENERAL_WDN
    # Of a photo that was begun before, the other tiles are computed as the first ones were.
    assert np.array_equal(upscaled(networks, GENERAL, denoise=plan.denoise), alone)
    blended = upscaled(networks, GENERAL, denoise=0.0)
    assert not np.array_equal(blended, alone), "denoise has no effect"
    assert np.array_equal(blended, upscaled(networks_of(settings), GENERAL, denoise=0.0))


def test_a_companion_that_is_damaged_is_left_out_and_the_network_stays(
    settings: Settings, install: Callable[..., None]
) -> None:
    install(GENERAL)
    networks = networks_of(settings)
    alone = upscaled(networks, GENERAL)
    spoil(settings, GENERAL_WDN)
    networks.refresh(installed(settings))
    assert networks.facts().upscalers[GENERAL].companion is None
    assert np.array_equal(upscaled(networks, GENERAL), alone)


def test_the_same_work_gives_the_same_bytes_from_another_start(settings: Settings) -> None:
    first: Any = upscaled(networks_of(settings), BUILTIN)
    assert np.array_equal(first, upscaled(networks_of(settings), BUILTIN))
