"""Resident networks: loaded once, told as they are, taken in as they come, never lost in use.

Networks with seeded random weights under the official names, trusted by the settings. Only what
torch writes or computes needs torch.
"""

import json
import logging
import subprocess
import sys
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from safetensors.numpy import save_file

from photoenhance_ui.catalogue import Architecture, Role, by_name
from photoenhance_ui.errors import (
    ArchitectureUnknown,
    EngineStopped,
    NetworkFailed,
    NetworkMissing,
    TorchMissing,
    WeightsDamaged,
)
from photoenhance_ui.geometry import Size
from photoenhance_ui.networks.devices import install_torch
from photoenhance_ui.networks.on_openvino.calibration import Calibration
from photoenhance_ui.networks.resident import Networks
from photoenhance_ui.networks.similarity import MIN_MEAN_DB
from photoenhance_ui.networks.stock import Stock, engine_facts
from photoenhance_ui.photo import Pixels
from photoenhance_ui.pipeline.contracts import Work
from photoenhance_ui.pipeline.plan import UpscalerFacts, choose_networks, make_plan
from photoenhance_ui.request import AUTO, BUILTIN, Request
from photoenhance_ui.settings import Settings
from photoenhance_ui.weights.inventory import Installed, installed
from testing.photos import skimage_photo
from tests.networks.random_weights import Weights, random_rrdb, random_srvgg, write_span

EXACT, FAST = "exact", "fast"
GENERAL, GENERAL_WDN = "realesr-general-x4v3", "realesr-general-wdn-x4v3"
MOBILENET, RESNET50 = "detection_mobilenet0.25_Final", "detection_Resnet50_Final"
BISENET, PARSENET = "parsing_bisenet", "parsing_parsenet"


pytestmark = pytest.mark.usefixtures("one_thread")


CALIBRATION = "photoenhance_ui.networks.on_openvino.calibration"
STORE = "photoenhance_ui.networks.on_openvino.calibration_store"


def write_pth(weights: Weights, path: Path) -> None:
    torch = pytest.importorskip("torch")
    torch.save({"params": {name: torch.from_numpy(v) for name, v in weights.items()}}, path)


def write_face_network(path: Path) -> None:
    torch = pytest.importorskip("torch")
    from testing import seeded_weights

    torch.manual_seed(1)
    make, _ = seeded_weights.MAKERS[path.name]
    torch.save(make(), path)


FILES: dict[str, Callable[[Path], Any]] = {
    f"{GENERAL}.pth": lambda path: write_pth(random_srvgg(64, 32, 4, seed=1), path),
    f"{GENERAL_WDN}.pth": lambda path: write_pth(random_srvgg(64, 32, 4, seed=2), path),
    f"{MOBILENET}.pth": write_face_network,
    f"{BISENET}.pth": write_face_network,
    "mine.safetensors": lambda path: save_file(random_srvgg(16, 2, 2), path),
    "deep.safetensors": lambda path: save_file(random_rrdb(1, 4), path),
    "span.pth": write_span,
    "other.safetensors": lambda path: save_file({"layer": np.ones(3, np.float32)}, path),
}
"""What tests install, and how it is written where a test wants it for the first time."""


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("store")


@pytest.fixture
def settings(settings: Settings) -> Settings:
    return replace(settings, trust_weights=True)


@pytest.fixture
def install(settings: Settings, store: Path) -> Callable[..., None]:
    """Puts files of the store where they are looked for."""

    def put(*names: str) -> None:
        for name in names:
            (file,) = (file for file in FILES if Path(file).stem == name)
            if not (store / file).exists():
                FILES[file](store / file)
            (settings.weights_dir / file).symlink_to(store / file)

    return put


@pytest.fixture(autouse=True)
def few_pictures(monkeypatch: pytest.MonkeyPatch) -> None:
    """Fast forms are measured on a few: whether they are near is looked at elsewhere."""
    monkeypatch.setattr(f"{CALIBRATION}.CALIBRATION_CROPS", 4)
    monkeypatch.setattr(f"{CALIBRATION}.VALIDATION_CROPS", 2)
    face = skimage_photo("astronaut")
    monkeypatch.setattr("photoenhance_ui.networks.similarity.faces", lambda: [face])


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
    assert (facts.detector, facts.restorer, facts.parser) == (None, None, None)
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
    assert (facts.detector, facts.parser, facts.restorer) == (MOBILENET, BISENET, None)
    assert set(facts.weights_warnings) == {GENERAL, GENERAL_WDN, MOBILENET, BISENET}
    assert f"{MOBILENET}.pth" in facts.weights_warnings[MOBILENET]


@pytest.mark.parametrize(("tile_px", "expected"), [("auto", None), ("192", 192)])
def test_tiles_are_as_large_as_the_settings_say(
    settings: Settings, tile_px: str, expected: int | None
) -> None:
    assert networks_of(replace(settings, tile_px=tile_px)).facts().tile_px == expected


def test_a_gpu_computes_batches_and_a_cpu_one_picture_at_a_time(settings: Settings) -> None:
    facts = networks_of(settings).facts()
    assert (facts.tiles_at_once, facts.faces_at_once) == (1, 1)
    facts = engine_facts(Stock(), "cuda", "A GPU", settings)
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
    networks.run(Work(Role.DETECTOR, MOBILENET, [picture()[0]]), EXACT)
    networks.run(Work(Role.PARSER, BISENET, picture(64)), EXACT)
    assert loads_in(caplog) == []


def test_several_threads_load_a_network_once_and_get_the_same_from_it(
    settings: Settings, install: Callable[..., None], caplog: pytest.LogCaptureFixture
) -> None:
    networks, together = networks_of(settings), threading.Barrier(4)
    install("mine")
    networks.refresh(installed(settings), loads=False)
    assert loads_in(caplog) == [BUILTIN, "own"], "what only its file tells of"

    def work(_: int) -> Pixels:
        together.wait(timeout=60)
        return upscaled(networks, "mine", precision=FAST)  # which nobody has asked for yet

    with ThreadPoolExecutor(4) as pool:
        results = list(pool.map(work, range(4)))
    assert loads_in(caplog) == [BUILTIN, "own"]
    assert caplog.text.count("fast_form_measured name=own") == 1
    assert all(np.array_equal(results[0], result) for result in results)


def test_a_network_does_what_its_role_does(
    settings: Settings, install: Callable[..., None]
) -> None:
    install(GENERAL, MOBILENET, BISENET)
    networks = networks_of(settings)
    assert upscaled(networks, GENERAL).shape == (1, 64, 64, 3)
    assert networks.run(Work(Role.DETECTOR, MOBILENET, [picture()[0]] * 2), EXACT) == [[], []]
    mask = networks.run(Work(Role.PARSER, BISENET, picture(64)), EXACT)
    assert mask.shape == (1, 64, 64)
    assert np.isin(mask, [0, 255]).all()


def test_face_networks_without_a_fast_form_stay_exact_whatever_the_precision(
    settings: Settings, install: Callable[..., None], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(f"{STORE}.calibrate_parser", lambda *_: Calibration(None, 20.0, 20.0))
    install(MOBILENET, BISENET)
    networks = networks_of(settings)
    for work in (
        Work(Role.PARSER, BISENET, picture(64)),
        Work(Role.DETECTOR, MOBILENET, [picture()[0]]),
    ):
        exact, fast = (np.array(networks.run(work, precision)) for precision in (EXACT, FAST))
        assert np.array_equal(exact, fast)


def test_face_networks_with_a_fast_form_are_computed_in_it(
    settings: Settings, install: Callable[..., None], monkeypatch: pytest.MonkeyPatch
) -> None:
    half = Calibration("exact, faces 256 px", 50.0, 50.0)
    monkeypatch.setattr(f"{STORE}.calibrate_parser", lambda *_: half)
    install(BISENET)
    networks, work = networks_of(settings), Work(Role.PARSER, BISENET, picture(64))
    exact, fast = (networks.run(work, precision) for precision in (EXACT, FAST))
    assert not np.array_equal(exact, fast)
    assert np.array_equal(fast[:, ::2], fast[:, 1::2]), "it is not twice as coarse"


def test_the_fast_form_of_the_builtin_network_is_near_the_exact_one(
    settings: Settings, caplog: pytest.LogCaptureFixture
) -> None:
    networks = networks_of(settings)
    caplog.clear()
    fast, exact = (upscaled(networks, BUILTIN, precision=each) for each in (FAST, EXACT))
    assert loads_in(caplog) == [], "it was loaded anew"
    assert not np.array_equal(fast, exact), "the fast form left no trace"
    error = np.mean((fast.astype(float) - exact) ** 2)
    assert 10 * np.log10(255**2 / error) >= MIN_MEAN_DB


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


def test_the_setting_chooses_the_detector(settings: Settings, install: Callable[..., None]) -> None:
    install(MOBILENET)
    spoil(settings, RESNET50)
    chosen = networks_of(replace(settings, face_detector=MOBILENET))
    assert chosen.facts().detector == MOBILENET
    # Installed or not, no other detector takes the place of one that was asked for.
    for name in (RESNET50, "face_detection_yunet_2023mar"):
        assert networks_of(replace(settings, face_detector=name)).facts().detector is None


def test_a_damaged_file_is_left_out_and_the_next_best_takes_its_place(
    settings: Settings, install: Callable[..., None], caplog: pytest.LogCaptureFixture
) -> None:
    install(MOBILENET, BISENET)
    spoil(settings, GENERAL, RESNET50, PARSENET, "GFPGANv1.4", "GFPGANv1.3", "mine")
    networks = networks_of(settings)
    facts = networks.facts()
    assert set(facts.upscalers) == {BUILTIN}
    assert (facts.detector, facts.parser, facts.restorer) == (MOBILENET, BISENET, None)
    assert set(facts.weights_warnings) == {MOBILENET, BISENET}
    assert upscaled(networks, BUILTIN).any()
    for name in (GENERAL, RESNET50, PARSENET, "GFPGANv1.4", "GFPGANv1.3", "mine"):
        file = "own" if name == "mine" else f"{name}.pth"
        assert f"file={file} code=weights_damaged" in caplog.text
    assert str(settings.weights_dir) not in caplog.text
    with pytest.raises(NetworkMissing):
        upscaled(networks, GENERAL)


def test_a_network_that_gives_no_picture_is_left_out(settings: Settings) -> None:
    weights = random_srvgg(64, 32, 4)
    weights["body.0.weight"] = weights["body.0.weight"] * np.float32(np.nan)
    write_pth(weights, settings.weights_dir / f"{GENERAL}.pth")
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
    assert (set(after.upscalers), after.detector) == ({BUILTIN, GENERAL, "mine"}, MOBILENET)
    assert set(loads_in(caplog)) == {GENERAL, MOBILENET, "own"}
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
    assert networks.facts().detector is None
    (settings.weights_dir / f"{MOBILENET}.pth").unlink()
    install(MOBILENET)
    networks.refresh(installed(settings))
    assert networks.facts().detector == MOBILENET


def test_a_network_in_use_is_not_lost_when_its_file_goes(
    settings: Settings, install: Callable[..., None]
) -> None:
    install(GENERAL, GENERAL_WDN, MOBILENET, "mine")
    networks = networks_of(settings)
    works = [
        Work(Role.UPSCALER, GENERAL, picture(), 0.3),
        Work(Role.UPSCALER, "mine", picture()),
        Work(Role.DETECTOR, MOBILENET, [picture()[0]]),
    ]
    before = [networks.run(work, EXACT) for work in works]
    for path in settings.weights_dir.iterdir():
        path.unlink()
    networks.refresh(installed(settings))
    facts = networks.facts()
    assert (set(facts.upscalers), facts.detector) == ({BUILTIN}, None)
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


# Taken in without being loaded


@pytest.fixture
def networks(settings: Settings) -> Networks:
    """Nothing is known yet, as when the program starts."""
    return Networks({}, settings)


def test_files_can_be_told_before_they_are_loaded(
    networks: Networks, settings: Settings, install: Callable[..., None],
    caplog: pytest.LogCaptureFixture,
) -> None:  # fmt: skip
    install(GENERAL, GENERAL_WDN, MOBILENET)
    networks.refresh(installed(settings), loads=False)
    facts = networks.facts()
    assert facts == networks_of(settings).facts()
    assert set(facts.upscalers) == {BUILTIN, GENERAL}
    caplog.clear()
    choice = networks.choose(AUTO, 4)
    assert (choice.upscaler, choice.detector) == (GENERAL, MOBILENET)
    assert sorted(loads_in(caplog)) == sorted([GENERAL, MOBILENET])
    caplog.clear()
    assert networks.choose(AUTO, 4) == choice
    assert loads_in(caplog) == []


def test_who_asks_for_networks_loads_just_these(
    networks: Networks, settings: Settings, install: Callable[..., None],
    caplog: pytest.LogCaptureFixture,
) -> None:  # fmt: skip
    install(GENERAL)
    networks.refresh(installed(settings), loads=False)
    assert networks.choose(BUILTIN, 4).upscaler == BUILTIN
    assert loads_in(caplog) == [BUILTIN]


def test_a_damaged_file_is_left_out_by_who_asks_for_what_auto_takes(
    networks: Networks, settings: Settings, install: Callable[..., None]
) -> None:
    install(MOBILENET)
    spoil(settings, GENERAL, RESNET50)
    networks.refresh(installed(settings), loads=False)
    assert GENERAL in networks.facts().upscalers
    choice = networks.choose(AUTO, 4)
    assert (choice.upscaler, choice.detector) == (BUILTIN, MOBILENET)
    facts = networks.facts()
    assert (set(facts.upscalers), facts.detector) == ({BUILTIN}, MOBILENET)
    assert "damaged" in facts.refused[GENERAL].sentence
    assert RESNET50 in facts.refused


def test_a_damaged_upscaler_that_is_named_stays_and_fails_who_asks_for_it(
    networks: Networks, settings: Settings
) -> None:
    spoil(settings, GENERAL)
    networks.refresh(installed(settings), loads=False)
    choice = networks.choose(GENERAL, 4)
    assert choice.upscaler == GENERAL
    with pytest.raises(WeightsDamaged):
        networks.prepare(choice, 0.5, fast=False)
    assert networks.choose(AUTO, 4).upscaler == BUILTIN


# Ready or not


def test_networks_are_ready_once_they_are_prepared(
    networks: Networks, settings: Settings, install: Callable[..., None]
) -> None:
    install("mine")
    networks.refresh(installed(settings), loads=False)
    choice = networks.choose("mine", 2)
    assert not networks.is_ready(choice, 0.5, fast=False)
    networks.prepare(choice, 0.5, fast=False)
    assert networks.is_ready(choice, 0.5, fast=False)
    assert networks.is_ready(choice, 0.2, fast=False), "a network of one end is always the same"
    assert not networks.is_ready(choice, 0.5, fast=True)
    networks.prepare(choice, 0.5, fast=True)
    assert networks.is_ready(choice, 0.2, fast=True)


def test_each_strength_of_a_blend_is_made_ready_by_itself(
    settings: Settings, install: Callable[..., None]
) -> None:
    install(GENERAL, GENERAL_WDN)
    networks = networks_of(settings)
    choice = networks.choose(GENERAL, 4)
    assert networks.is_ready(choice, Request.denoise, fast=False)
    assert not networks.is_ready(choice, 0.2, fast=False)
    networks.prepare(choice, 0.2, fast=False)
    assert networks.is_ready(choice, 0.2, fast=False)


def test_what_makes_all_ready_makes_what_auto_takes_ready(
    settings: Settings, install: Callable[..., None], caplog: pytest.LogCaptureFixture
) -> None:
    install(MOBILENET)
    networks = networks_of(replace(settings, precision="auto"))
    assert networks.is_ready(networks.choose(AUTO, 4), Request.denoise, fast=True)
    assert "fast_form_measured" not in caplog.text, "the built-in network comes measured"


# Fast forms


def measuring(monkeypatch: pytest.MonkeyPatch, calibration: Calibration) -> None:
    monkeypatch.setattr(f"{STORE}.calibrate_upscaler", lambda *_: calibration)


def test_an_assumed_fast_form_that_is_confirmed_stays(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    networks = networks_of(replace(settings, precision="auto"))
    form = networks.fast_form(BUILTIN, 0.5)
    assert form is not None
    measuring(monkeypatch, Calibration(form, 46.0, 39.0))
    networks.confirm()
    assert networks.is_ready(networks.choose(AUTO, 4), 0.5, fast=True)
    assert networks.fast_form(BUILTIN, 0.5) == form


def test_an_assumed_fast_form_that_is_not_near_here_goes(
    settings: Settings, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    networks = networks_of(replace(settings, precision="auto"))
    assert networks.runs_fast(BUILTIN, 0.5)
    measuring(monkeypatch, Calibration(None, 30.0, 20.0))
    networks.confirm()
    assert "fast_form_gone name=builtin" in caplog.text
    assert not networks.runs_fast(BUILTIN, 0.5)
    choice = networks.choose(AUTO, 4)
    networks.prepare(choice, 0.5, fast=True)
    assert networks.is_ready(choice, 0.5, fast=True)
    assert not networks_of(settings).runs_fast(BUILTIN, 0.5), "the next start knows it, too"


def test_measuring_can_be_stopped_and_what_is_exact_computes_on(
    settings: Settings, install: Callable[..., None]
) -> None:
    install("mine")
    networks = networks_of(settings)
    choice = networks.choose("mine", 2)
    networks.stop_measuring()
    with pytest.raises(EngineStopped):
        networks.prepare(choice, 0.5, fast=True)
    networks.prepare(choice, 0.5, fast=False)
    assert upscaled(networks, "mine").any()


def test_after_memory_was_released_results_are_the_same(
    settings: Settings, install: Callable[..., None]
) -> None:
    install("mine")
    networks = networks_of(settings)
    before = [upscaled(networks, "mine", precision=each) for each in (EXACT, FAST)]
    networks.release_memory()
    for precision, result in zip((EXACT, FAST), before, strict=True):
        assert np.array_equal(upscaled(networks, "mine", precision=precision), result)


# People's own


def test_a_persons_own_network_of_a_known_architecture_has_a_fast_form(
    settings: Settings, install: Callable[..., None]
) -> None:
    install("mine")
    networks = networks_of(settings)
    assert networks.runs_fast("mine", 0.5)
    fast, exact = (upscaled(networks, "mine", precision=each) for each in (FAST, EXACT))
    assert not np.array_equal(fast, exact)
    assert np.abs(fast.astype(int) - exact).mean() < 3


def test_a_persons_own_rrdb_is_compiled_and_measured_too(
    settings: Settings, install: Callable[..., None], monkeypatch: pytest.MonkeyPatch
) -> None:
    measuring(monkeypatch, Calibration("bfloat16", 50.0, 45.0))
    install("deep")
    networks = networks_of(settings)
    facts = networks.facts().upscalers["deep"]
    assert (facts.scale, facts.companion) == (4, None)
    assert upscaled(networks, "deep").shape == (1, 64, 64, 3)
    assert networks.fast_form("deep", 0.5) == "bfloat16"


def test_tiles_of_a_network_whose_reach_is_known_overlap_no_more_than_it(
    settings: Settings, install: Callable[..., None]
) -> None:
    install("mine", "deep")
    facts = networks_of(settings).facts()
    assert facts.upscalers["mine"].overlap_px < facts.upscalers["deep"].overlap_px


def test_another_architecture_is_computed_by_torch(
    settings: Settings, install: Callable[..., None]
) -> None:
    pytest.importorskip("torch")
    from photoenhance_ui.networks.on_torch.backend import TorchBackend

    install("span")
    networks = networks_of(settings)
    assert networks.facts().upscalers["span"].scale == 2
    plain = TorchBackend("cpu", fuse=False).load(installed(settings)["span"], None).exact
    assert np.array_equal(upscaled(networks, "span"), plain(picture(), 1.0))
    assert not networks.runs_fast("span", 0.5)
    assert np.array_equal(upscaled(networks, "span"), upscaled(networks, "span", precision=EXACT))


def test_what_neither_of_them_knows_is_no_upscaler(
    settings: Settings, install: Callable[..., None]
) -> None:
    pytest.importorskip("torch")
    install("other")
    assert "holds no upscaler" in networks_of(settings).facts().refused["other"].sentence


def test_a_file_of_an_architecture_that_nothing_builds_is_refused_by_name(
    settings: Settings, tmp_path: Path
) -> None:
    pytest.importorskip("torch")
    name = "GFPGANv1.4"
    known = replace(by_name(name), architecture=Architecture.CODEFORMER)
    networks = Networks({}, settings)
    networks.refresh({name: Installed(name, tmp_path / known.file, known)}, loads=False)
    with pytest.raises(ArchitectureUnknown, match="CodeFormer"):
        networks.run(Work(Role.RESTORER, name, picture(512)), EXACT)
    assert networks.choose(AUTO, 4).restorer is None
    assert "CodeFormer" in networks.facts().refused[name].sentence


# Without torch


def test_a_network_that_only_torch_may_know_tells_which_command_adds_it(
    settings: Settings, install: Callable[..., None], monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:  # fmt: skip
    monkeypatch.setattr("photoenhance_ui.networks.loader.has_torch", lambda: False)
    install("other", "mine")
    networks = networks_of(settings)
    facts = networks.facts()
    assert set(facts.upscalers) == {BUILTIN, "mine"}
    assert "file=own code=torch_missing" in caplog.text
    assert install_torch() in facts.refused["other"].sentence
    choice = networks.choose("other", 2)
    with pytest.raises(TorchMissing, match=install_torch()):
        make_plan(Size(9, 9), Request(upscaler="other"), choice, facts)


def test_a_file_that_is_damaged_is_called_so_without_torch_too(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("photoenhance_ui.networks.loader.has_torch", lambda: False)
    spoil(settings, "mine")
    assert "damaged" in networks_of(settings).facts().refused["mine"].sentence


WITHOUT_TORCH = """
import json, sys
for name in ("torch", "torchvision", "spandrel", "facexlib"):
    sys.modules[name] = None  # as where it is not installed
from pathlib import Path
import numpy as np
from photoenhance_ui.catalogue import Role
from photoenhance_ui.pipeline.contracts import Work
from photoenhance_ui.networks.on_openvino import calibration
from photoenhance_ui.networks.resident import Networks
from photoenhance_ui.settings import Settings
from photoenhance_ui.weights.inventory import installed

calibration.CALIBRATION_CROPS, calibration.VALIDATION_CROPS = 4, 2
folder = Path(sys.argv[1])
settings = Settings(device="cpu", offline=True, weights_dir=folder, cache_dir=folder / "cache",
                    trust_weights=True)
networks = Networks(installed(settings), settings)
zeros = np.zeros((1, 8, 8, 3), np.uint8)
print(json.dumps({
    "refused": {name: why.sentence for name, why in networks.facts().refused.items()},
    "sides": {name: networks.run(Work(Role.UPSCALER, name, zeros), "exact").shape[1]
              for name in networks.facts().upscalers},
    "fast": networks.runs_fast("mine", 0.5),
}))
"""


def test_where_torch_is_not_installed_all_but_other_architectures_is_computed(
    settings: Settings, install: Callable[..., None]
) -> None:
    install("mine", "deep", "other")
    ended = subprocess.run(
        [sys.executable, "-c", WITHOUT_TORCH, str(settings.weights_dir)],
        check=False, capture_output=True, text=True, timeout=200,
    )  # fmt: skip
    assert ended.returncode == 0, ended.stderr
    told = json.loads(ended.stdout)
    assert list(told["refused"]) == ["other"]
    assert install_torch() in told["refused"]["other"]
    assert told["sides"] == {BUILTIN: 32, "mine": 16, "deep": 32}
    assert told["fast"]


def test_a_companion_that_is_damaged_from_the_start_leaves_the_network_alone(
    settings: Settings, install: Callable[..., None]
) -> None:
    install(GENERAL)
    spoil(settings, GENERAL_WDN)
    facts = networks_of(settings).facts()
    assert facts.upscalers[GENERAL].companion is None
    assert GENERAL_WDN in facts.refused
