"""Compiled upscalers: the same as in torch, in any thread, blended, and without numbers.

Only what compares with torch needs it.
"""

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import numpy as np
import openvino as ov
import pytest
from safetensors.numpy import save_file

from photoenhance_ui.catalogue import by_name
from photoenhance_ui.errors import ArchitectureUnknown, NetworkFailed, WeightsDamaged
from photoenhance_ui.geometry import Size, even_tiles_of, tiles_of
from photoenhance_ui.networks.on_openvino.compilation import GRAPHS_KEPT
from photoenhance_ui.networks.on_openvino.compiled_networks import CompiledUpscaler
from photoenhance_ui.networks.on_openvino.layers import Layers
from photoenhance_ui.networks.on_openvino.loading import load_upscaler
from photoenhance_ui.networks.on_openvino.srvgg_graph import srvgg
from photoenhance_ui.networks.on_openvino.upscaler_graph import UpscalerLayers
from photoenhance_ui.photo import Pixels
from photoenhance_ui.request import BUILTIN
from photoenhance_ui.weights.inventory import BUILTIN_FILE, Installed
from testing.photos import skimage_photo
from tests.networks.random_weights import random_rrdb, random_srvgg

EMBEDDED = Installed(BUILTIN, BUILTIN_FILE)
GENERAL, GENERAL_WDN = "realesr-general-x4v3", "realesr-general-wdn-x4v3"
FOLDING = "folding"


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Networks with seeded random weights: a pair that is blended, and one's own that folds."""
    folder = tmp_path_factory.mktemp("weights")
    for name, weights in (
        (GENERAL, random_srvgg(64, 32, 4, seed=1)),
        (GENERAL_WDN, random_srvgg(64, 32, 4, seed=2)),
        (FOLDING, random_rrdb(2, 2)),
    ):
        save_file(weights, folder / f"{name}.safetensors")
    return folder


def installed(folder: Path, name: str) -> Installed:
    known = None if name == FOLDING else by_name(name)
    return Installed(name, folder / f"{name}.safetensors", known)


def both(
    found: Installed, companion: Installed | None, images: Pixels, denoise: float
) -> tuple[Pixels, Pixels]:
    """What the compiled network gives, and what torch gives of the same file."""
    torch = pytest.importorskip("torch")
    from photoenhance_ui.networks.on_torch import upscalers
    from photoenhance_ui.networks.on_torch.placement import Placement

    upscaler = load_upscaler(found, companion)
    expected = upscalers.load_upscaler(found, companion, Placement(torch.device("cpu")))(
        images, denoise
    )
    assert expected.std() > 2, "the picture is lost on the way"
    return upscaler(images, denoise), expected


def apart(one: Pixels, other: Pixels) -> int:
    assert one.shape == other.shape
    assert one.dtype == other.dtype
    return int(np.abs(one.astype(int) - other).max())


def test_the_built_in_network_is_the_same_in_both() -> None:
    assert apart(*both(EMBEDDED, None, skimage_photo("coffee", 40)[None], 0.5)) <= 1


def test_16_bits_stay_16_bits() -> None:
    deep = skimage_photo("coffee", 24)[None].astype(np.uint16) * 257 + 13
    assert apart(*both(EMBEDDED, None, deep, 0.5)) <= 8  # of 65535


def test_odd_sides_of_a_folding_network_are_padded_and_cut(folder: Path) -> None:
    odd = skimage_photo("coffee", 24)[None, :15, :17]
    assert apart(*both(installed(folder, FOLDING), None, odd, 0.5)) <= 1


@pytest.mark.parametrize("denoise", [0.0, 0.3, 1.0])
def test_blends_are_the_same_in_both(folder: Path, denoise: float) -> None:
    pair = (installed(folder, GENERAL), installed(folder, GENERAL_WDN))
    assert apart(*both(*pair, skimage_photo("coffee", 16)[None], denoise)) <= 1


def test_a_blend_is_told_from_a_single_network(folder: Path) -> None:
    general, wdn = installed(folder, GENERAL), installed(folder, GENERAL_WDN)
    alone, pair = load_upscaler(general, None), load_upscaler(general, wdn)
    assert (alone.is_blended, pair.is_blended) == (False, True)
    assert alone.fingerprint != pair.fingerprint
    again = load_upscaler(general, None)
    assert again.fingerprint == alone.fingerprint


def test_only_some_strengths_are_kept_ready(folder: Path) -> None:
    general, wdn = installed(folder, GENERAL), installed(folder, GENERAL_WDN)
    ends = load_upscaler(general, None).weights(1.0), load_upscaler(wdn, None).weights(1.0)
    plain, built = srvgg(4), list[ov.Output]()

    def counted(layers: Layers, picture: ov.Output) -> ov.Output:
        built.append(picture)
        return plain.layers(layers, picture)

    pair = CompiledUpscaler("pair", 4, UpscalerLayers(counted, plain.folded), ends)
    images = np.zeros((1, 4, 4, 3), np.uint8)
    strengths = [step / 10 for step in range(GRAPHS_KEPT + 1)]
    results = [pair(images, strength) for strength in strengths]
    assert len(built) == len(strengths)
    for strength in strengths[1:]:
        pair(images, strength)
    assert len(built) == len(strengths), "one of the last few was built again"
    assert np.array_equal(pair(images, strengths[0]), results[0])
    assert len(built) == len(strengths) + 1, "more than a few are kept"


def test_many_threads_at_once_get_what_each_gets_alone() -> None:
    upscaler = load_upscaler(EMBEDDED, None)
    photos = [skimage_photo(name, 24 + 4 * n)[None] for n, name in enumerate(("coffee",) * 6)]
    alone = [upscaler(photo, 0.0) for photo in photos]
    with ThreadPoolExecutor(4) as threads:
        for _ in range(3):
            crowd = list(threads.map(lambda photo: upscaler(photo, 0.0), photos))
            assert all(np.array_equal(one, other) for one, other in zip(crowd, alone, strict=True))


def test_an_answer_is_not_overwritten_by_the_next() -> None:
    upscaler = load_upscaler(EMBEDDED, None)
    first = upscaler(skimage_photo("coffee", 16)[None], 0.0)
    before = first.copy()
    upscaler(skimage_photo("rocket", 16)[None], 0.0)
    assert np.array_equal(first, before)


def test_after_memory_was_released_the_answer_is_the_same() -> None:
    upscaler = load_upscaler(EMBEDDED, None)
    upscaler.release_memory()  # nothing is compiled yet
    picture = skimage_photo("coffee", 200)[None]
    before = upscaler(picture, 0.5)
    upscaler.release_memory()
    assert np.array_equal(upscaler(picture, 0.5), before)


def test_values_that_are_no_numbers_are_no_picture() -> None:
    upscaler = load_upscaler(EMBEDDED, None)
    weights = dict(upscaler.weights(0.0))
    weights["body.0.bias"] = weights["body.0.bias"] + np.float32(np.inf)
    broken = CompiledUpscaler("broken", 4, srvgg(4), (weights,))
    with pytest.raises(NetworkFailed, match="broken"):
        broken(skimage_photo("coffee", 16)[None], 0.0)


def test_a_network_of_another_architecture_is_left_to_others(tmp_path: Path) -> None:
    path = tmp_path / "mine.safetensors"
    save_file({"a": np.zeros(1, np.float32)}, path)
    with pytest.raises(ArchitectureUnknown):
        load_upscaler(Installed("mine", path), None)


def test_the_wrong_file_is_refused(folder: Path) -> None:
    wrong = replace(installed(folder, GENERAL), path=installed(folder, FOLDING).path)
    with pytest.raises(WeightsDamaged):
        load_upscaler(wrong, None)


def test_tiles_with_the_receptive_field_around_them_are_the_whole_exactly() -> None:
    upscaler = load_upscaler(EMBEDDED, None)
    photo = skimage_photo("coffee", 100)
    whole = upscaler(photo[None], 0.0)[0]
    for tile in tiles_of(Size(100, 100), 40, upscaler.receptive_px):
        large = upscaler(photo[tile.padded.slices][None], 0.0)[0]
        core = large[tile.core.relative_to(tile.padded).scaled(4).slices]
        assert apart(core, whole[tile.core.scaled(4).slices]) <= 1  # the order of additions


def test_tiles_of_a_folding_network_keep_its_grid(folder: Path) -> None:
    """RRDBNet sees further than this overlap, so they are near the whole and not the same."""
    upscaler = load_upscaler(installed(folder, FOLDING), None)
    photo = skimage_photo("coffee", 98)
    whole = upscaler(photo[None], 0.0)[0]
    for tile in even_tiles_of(Size(98, 98), 32, 16):
        large = upscaler(photo[tile.padded.slices][None], 0.0)[0]
        core = large[tile.core.relative_to(tile.padded).scaled(2).slices]
        assert apart(core, whole[tile.core.scaled(2).slices]) <= 3
