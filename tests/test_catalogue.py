import hashlib
import re
from collections import Counter
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from photoenhance_ui.catalogue import (
    CATALOGUE,
    DETECTORS,
    PARSERS,
    RESTORERS,
    Architecture,
    Role,
    WeightFile,
    by_name,
    default_downloads,
)
from photoenhance_ui.pipeline.plan import CPU_UPSCALERS, GPU_UPSCALERS
from photoenhance_ui.request import AUTO, BUILTIN, PRESETS, RESAMPLE_ONLY
from photoenhance_ui.settings import FLAGS

SHARED_WEIGHTS = Path(__file__).resolve().parents[2] / "shared" / "data" / "weights"
RANKINGS = ((DETECTORS, Role.DETECTOR), (RESTORERS, Role.RESTORER), (PARSERS, Role.PARSER))

every_file = pytest.mark.parametrize("file", CATALOGUE, ids=lambda file: file.name)


@every_file
def test_each_entry_is_complete(file: WeightFile) -> None:
    assert re.fullmatch(r"[0-9a-f]{64}", file.sha256)
    assert file.bytes > 100_000
    assert file.licence and file.purpose
    assert file.file == f"{file.name}.{file.file.rpartition('.')[2]}"


@every_file
def test_each_address_is_fixed_encrypted_and_of_that_file(file: WeightFile) -> None:
    """A release or a commit; a branch would serve another file one day."""
    address = urlsplit(file.url)
    assert address.scheme == "https"
    assert address.path.endswith(f"/{file.file}")
    assert "/releases/download/v" in address.path or re.search(r"/[0-9a-f]{40}/", address.path)


@every_file
def test_upscalers_say_their_shape_and_nobody_else(file: WeightFile) -> None:
    is_upscaler = file.role is Role.UPSCALER
    assert (file.scale is not None) == is_upscaler
    assert (file.blocks is not None) == is_upscaler
    assert (file.architecture in (Architecture.RRDB, Architecture.SRVGG)) == is_upscaler


def test_names_files_and_hashes_are_unique() -> None:
    for values in (
        [file.name for file in CATALOGUE],
        [file.file for file in CATALOGUE],
        [file.url for file in CATALOGUE],
        [file.sha256 for file in CATALOGUE],
    ):
        assert max(Counter(values).values()) == 1


def test_no_name_is_a_word_with_another_meaning() -> None:
    assert not {file.name for file in CATALOGUE} & {AUTO, RESAMPLE_ONLY, BUILTIN}


def test_companions_belong_to_a_file_of_the_same_shape() -> None:
    companions = {file.companion: file for file in CATALOGUE if file.companion}
    assert set(companions) == {file.name for file in CATALOGUE if not file.chosen_alone}
    for name, main in companions.items():
        other = by_name(name)
        assert (other.architecture, other.scale, other.blocks) == (
            main.architecture,
            main.scale,
            main.blocks,
        )


@pytest.mark.parametrize(("ranking", "role"), RANKINGS, ids=str)
def test_rankings_hold_every_network_of_their_role_that_runs(
    ranking: tuple[str, ...], role: Role
) -> None:
    assert sorted(ranking) == sorted(f.name for f in CATALOGUE if f.role is role and f.runs)


def test_other_modules_name_only_known_networks() -> None:
    presets = {options["upscaler"] for options in PRESETS.values() if "upscaler" in options}
    named = {*CPU_UPSCALERS, *GPU_UPSCALERS, *presets} - {BUILTIN, RESAMPLE_ONLY}
    assert named <= {f.name for f in CATALOGUE if f.role is Role.UPSCALER and f.chosen_alone}
    (detector,) = (flag for flag in FLAGS if flag.name == "face_detector")
    assert (AUTO, *DETECTORS) == detector.choices


def test_an_unknown_name_is_a_key_error() -> None:
    with pytest.raises(KeyError):
        by_name("nobody")


@pytest.mark.parametrize("device", ["cpu", "cuda", "mps"])
def test_a_first_start_fetches_what_auto_takes_and_can_run(device: str) -> None:
    names = [file.name for file in default_downloads(device)]
    assert all(by_name(name).runs for name in names)
    assert len(names) == len(set(names))
    for ranking, _ in RANKINGS:
        assert ranking[0] in names
    best = CPU_UPSCALERS if device == "cpu" else GPU_UPSCALERS
    assert set(best) - {BUILTIN} <= set(names)
    for name in names:
        companion = by_name(name).companion
        assert companion is None or companion in names


def test_a_cpu_is_spared_the_networks_that_it_cannot_run_in_time() -> None:
    on_cpu, on_gpu = default_downloads("cpu"), default_downloads("cuda")
    assert {f.name for f in on_gpu} - {f.name for f in on_cpu} == {
        "RealESRGAN_x2plus",
        "RealESRGAN_x4plus",
    }


@pytest.mark.skipif(not SHARED_WEIGHTS.is_dir(), reason="needs ../shared/data/weights")
def test_official_files_at_hand_are_as_catalogued() -> None:
    at_hand = [
        (f, SHARED_WEIGHTS / f.file) for f in CATALOGUE if (SHARED_WEIGHTS / f.file).exists()
    ]
    assert at_hand
    for file, path in at_hand:
        assert path.stat().st_size == file.bytes
        assert hashlib.sha256(path.read_bytes()).hexdigest() == file.sha256
