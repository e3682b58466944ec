"""Upscalers give what the plain architecture gives, at any size, and refuse what is none.

Small networks with seeded random weights where they show the same as full-size ones.
"""

import gc
import weakref
from collections.abc import Callable
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

torch = pytest.importorskip("torch")

from numpy.typing import NDArray
from safetensors.numpy import save_file
from torch import nn

from photoenhance_ui.catalogue import Architecture, by_name
from photoenhance_ui.errors import WeightsDamaged
from photoenhance_ui.networks.on_torch.architectures import UPSCALERS, module_of
from photoenhance_ui.networks.on_torch.placement import Placement
from photoenhance_ui.networks.on_torch.upscalers import (
    BLENDS_KEPT,
    BlendedUpscaler,
    load_upscaler,
)
from photoenhance_ui.networks.shapes import srvgg_shapes
from photoenhance_ui.networks.state_dicts import floats_of, load_arrays
from photoenhance_ui.photo import Pixels, white_of
from photoenhance_ui.pipeline.contracts import Upscaler
from photoenhance_ui.request import BUILTIN
from photoenhance_ui.weights.inventory import BUILTIN_FILE, Installed
from testing.photos import skimage_photo
from tests.networks.detection import DATA
from tests.networks.random_weights import Weights, random_rrdb, random_srvgg, write_span
from tests.networks.swin import swin

REAL_GENERAL = DATA / "weights" / "realesr-general-x4v3.fp16-rounded.pth"
REAL_GENERAL_WDN = DATA / "weights" / "realesr-general-wdn-x4v3.fp16-rounded.pth"
CPU = Placement(torch.device("cpu"))
GENERAL, GENERAL_WDN = "realesr-general-x4v3", "realesr-general-wdn-x4v3"

ANY = Path("any.pth")


def crop(height: int, width: int, depth: type = np.uint8) -> Pixels:
    """(height, width, 3), cut from a real photo; 16-bit ones have no level twice in a row."""
    photo = skimage_photo("astronaut")[20 : 20 + height, 200 : 200 + width]
    if depth == np.uint8:
        return np.ascontiguousarray(photo)
    noise = np.random.default_rng(1).integers(0, 256, photo.shape)
    return (photo.astype(np.uint16) * 256 + noise).astype(np.uint16)


def numbers_of(network: nn.Module, picture: Pixels) -> NDArray[np.float32]:
    """What a plain network gives for one picture, in levels of its depth, not rounded."""
    white = white_of(picture)
    given_to_it = torch.from_numpy(picture.astype(np.float32) / white).permute(2, 0, 1)[None]
    with torch.inference_mode():
        output = network(given_to_it)[0].clamp(0, 1)
    numbers: NDArray[np.float32] = output.permute(1, 2, 0).numpy() * white
    return numbers


def expect_nearest(ours: Pixels, numbers: NDArray[np.float32], like: Pixels) -> None:
    """Each level is the one that is nearest to the plain network's number."""
    assert (ours.dtype, ours.shape) == (like.dtype, numbers.shape)
    white = white_of(like)
    assert np.abs(ours - numbers).max() <= 0.5 + white * 3e-5
    if ours.size > 1000:
        assert 0.02 * white < ours.std(), "random weights left no picture to compare"


def one(upscaler: Upscaler, picture: Pixels, denoise: float = 1.0) -> Pixels:
    (large,) = upscaler(picture[None], denoise)
    return large


def installed(path: Path, weights: Weights) -> Installed:
    """A file of these weights: a known one where its name is, else a person's own."""
    save_file(weights, path)
    return Installed(path.stem, path, None if path.stem == "mine" else by_name(path.stem))


def srvgg(weights: Weights) -> nn.Module:
    return module_of(UPSCALERS[Architecture.SRVGG], weights, ANY).eval()


def rrdb(weights: Weights) -> nn.Module:
    return module_of(UPSCALERS[Architecture.RRDB], weights, ANY).eval()


class Both:
    """A plain network and ours from a file of the same weights."""

    def __init__(self, plain: nn.Module, found: Installed) -> None:
        self.plain = plain
        self.ours = load_upscaler(found, None, CPU)

    def expect_equal(self, picture: Pixels, padded: Pixels | None = None) -> None:
        height, width = picture.shape[:2]
        scale = self.ours.scale
        numbers = numbers_of(self.plain, picture if padded is None else padded)
        expect_nearest(one(self.ours, picture), numbers[: height * scale, : width * scale], picture)


pytestmark = pytest.mark.usefixtures("one_thread")


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("upscalers")


@pytest.fixture(scope="module")
def folding(folder: Path) -> Both:
    """A small RRDBNet of the shape of x2plus."""
    weights = random_rrdb(2, 2)
    return Both(rrdb(weights), installed(folder / "mine.safetensors", weights))


@pytest.fixture(scope="module")
def general(folder: Path) -> Both:
    weights = random_srvgg(64, 32, 4, seed=4)
    return Both(srvgg(weights), installed(folder / f"{GENERAL}.safetensors", weights))


@pytest.mark.parametrize("depth", [np.uint8, np.uint16])
def test_a_network_that_folds_pixels_gives_what_its_architecture_gives(
    folding: Both, depth: type
) -> None:
    assert (folding.ours.name, folding.ours.scale) == ("mine", 2)
    folding.expect_equal(crop(16, 20, depth))


def test_the_illustrator_gives_what_its_architecture_gives(folder: Path) -> None:
    name, weights = "RealESRGAN_x4plus_anime_6B", random_rrdb(6, 4)
    both = Both(rrdb(weights), installed(folder / f"{name}.safetensors", weights))
    assert (both.ours.name, both.ours.scale) == (name, 4)
    both.expect_equal(crop(11, 13))


@pytest.mark.parametrize("depth", [np.uint8, np.uint16])
@pytest.mark.parametrize(("height", "width"), [(24, 33), (1, 1), (1, 9), (40, 2)])
def test_the_general_network_gives_what_its_architecture_gives(
    general: Both, height: int, width: int, depth: type
) -> None:
    general.expect_equal(crop(height, width, depth))


def mirrored(picture: Pixels, multiple: int) -> Pixels:
    """Sides made longer, as RealESRGANer does it: the last but one row comes first, and so on.

    Where there are too few rows or columns, the last one is repeated.
    """
    for axis, length in enumerate(picture.shape[:2]):
        missing = -length % multiple
        more = range(length - 2, length - 2 - missing, -1)
        if length <= missing:
            more = [length - 1] * missing
        picture = np.take(picture, [*range(length), *more], axis=axis)
    return picture


@pytest.mark.parametrize(("height", "width"), [(7, 9), (8, 9), (7, 8), (1, 1), (9, 1)])
def test_odd_sides_are_padded_right_and_below_and_cut_again(
    folding: Both, height: int, width: int
) -> None:
    picture = crop(height, width)
    folding.expect_equal(picture, padded=mirrored(picture, 2))


def test_pictures_of_a_batch_do_not_see_each_other(general: Both) -> None:
    first, second = crop(20, 16), crop(20, 16)[::-1, ::-1]
    batch = general.ours(np.stack([first, second]), 1.0)
    expect_nearest(batch[0], numbers_of(general.plain, first), first)
    expect_nearest(batch[1], numbers_of(general.plain, second), second)


def test_denoise_changes_nothing_where_there_is_no_companion(general: Both) -> None:
    picture = crop(8, 8)
    assert np.array_equal(one(general.ours, picture, 0.0), one(general.ours, picture, 1.0))


Pair = tuple[Weights, Weights, Upscaler]


@pytest.fixture(scope="module")
def pair(folder: Path) -> Pair:
    """Weights of the general network and of its companion, and our upscaler of both."""
    ends = [random_srvgg(64, 32, 4, seed) for seed in (1, 2)]
    (folder / "pair").mkdir()
    found = [
        installed(folder / "pair" / f"{name}.safetensors", weights)
        for name, weights in zip((GENERAL, GENERAL_WDN), ends, strict=True)
    ]
    return ends[0], ends[1], load_upscaler(found[0], found[1], CPU)


@pytest.mark.parametrize("depth", [np.uint8, np.uint16])
@pytest.mark.parametrize("denoise", [0.0, 0.3, 1.0])
def test_denoise_blends_the_weights_of_two_files(pair: Pair, denoise: float, depth: type) -> None:
    general, wdn, ours = pair
    between = {key: denoise * value + (1 - denoise) * wdn[key] for key, value in general.items()}
    between = {key: value.astype(np.float32) for key, value in between.items()}
    picture = crop(20, 24, depth)
    assert ours.is_blended
    expect_nearest(one(ours, picture, denoise), numbers_of(srvgg(between), picture), picture)


def test_the_ends_of_denoise_are_the_two_networks_themselves(pair: Pair) -> None:
    general, wdn, ours = pair
    picture = crop(20, 24)
    strong, weak = (numbers_of(srvgg(weights), picture) for weights in (general, wdn))
    expect_nearest(one(ours, picture, 1.0), strong, picture)
    expect_nearest(one(ours, picture, 0.0), weak, picture)
    assert np.abs(strong - weak).max() > 2, "the two are so alike that nothing was compared"


def test_a_pixel_costs_each_weight_once_blended_or_not(pair: Pair, general: Both) -> None:
    weights, _, blended = pair
    expected = sum(value.size for value in weights.values())
    assert general.ours.operations_per_pixel == blended.operations_per_pixel == expected


class Builder:
    """Builds small networks and knows which of them are still alive."""

    def __init__(self) -> None:
        self.built: list[weakref.ref[nn.Module]] = []

    def __call__(self, weights: Weights) -> nn.Module:
        network = srvgg(weights)
        self.built.append(weakref.ref(network))
        return network

    @property
    def alive(self) -> int:
        gc.collect()
        return sum(network() is not None for network in self.built)


def test_only_the_last_few_blends_are_kept_and_those_are_not_built_again() -> None:
    build = Builder()
    ends = (random_srvgg(8, 2, 2, seed=1), random_srvgg(8, 2, 2, seed=2))
    upscaler = BlendedUpscaler("any", 2, build, ends, CPU)
    picture = crop(6, 5)
    strengths = [step / 10 for step in range(BLENDS_KEPT + 3)]
    results = [one(upscaler, picture, strength) for strength in strengths]
    assert len(build.built) == len(strengths)
    assert build.alive == BLENDS_KEPT
    for strength, result in zip(strengths, results, strict=True):
        assert np.array_equal(one(upscaler, picture, strength), result)
    assert build.alive == BLENDS_KEPT
    often = len(build.built)
    for strength in reversed(strengths[-BLENDS_KEPT:]):
        one(upscaler, picture, strength)
    assert len(build.built) == often
    # The one that was used longest ago makes room: the last strength, gone through in reverse.
    one(upscaler, picture, 0.95)
    one(upscaler, picture, strengths[-BLENDS_KEPT])
    assert len(build.built) == often + 1
    one(upscaler, picture, strengths[-1])
    assert len(build.built) == often + 2


def test_a_file_of_another_network_is_damaged(tmp_path: Path) -> None:
    found = installed(tmp_path / f"{GENERAL}.safetensors", random_srvgg(16, 2, 2))
    with pytest.raises(WeightsDamaged, match=found.path.name):
        load_upscaler(found, None, CPU)


def test_a_companion_of_another_network_shows_itself_when_it_is_loaded(
    folder: Path, pair: Pair, tmp_path: Path
) -> None:
    path = folder / "pair" / f"{GENERAL}.safetensors"
    wrong = installed(tmp_path / f"{GENERAL_WDN}.safetensors", random_srvgg(16, 2, 2))
    with pytest.raises(WeightsDamaged, match=wrong.path.name):
        load_upscaler(Installed(GENERAL, path, by_name(GENERAL)), wrong, CPU)


def test_the_builtin_network_is_built_as_its_file_says() -> None:
    ours = load_upscaler(Installed(BUILTIN, BUILTIN_FILE), None, CPU)
    plain = srvgg(floats_of(load_arrays(BUILTIN_FILE)))
    assert (ours.name, ours.scale) == (BUILTIN, 4)
    for picture in (crop(16, 21), crop(1, 1), crop(9, 9, np.uint16)):
        expect_nearest(one(ours, picture), numbers_of(plain, picture), picture)


def write_pth(weights: Weights, path: Path) -> None:
    tensors = {name: torch.from_numpy(value) for name, value in weights.items()}
    torch.save({"params": tensors}, path)


WRITERS: dict[str, Callable[[Weights, Path], None]] = {
    "mine.pth": write_pth, "mine.PTH": write_pth,
    "mine.safetensors": save_file, "mine.SAFETENSORS": save_file,
}  # fmt: skip


@pytest.mark.parametrize("name", WRITERS)
def test_a_persons_own_upscaler_gives_what_its_architecture_gives(
    tmp_path: Path, name: str
) -> None:
    weights = random_srvgg(16, 2, 3, seed=6)
    WRITERS[name](weights, tmp_path / name)
    ours, plain = load_upscaler(Installed("mine", tmp_path / name), None, CPU), srvgg(weights)
    assert (ours.name, ours.scale) == ("mine", 3)
    for picture in (crop(13, 18), crop(1, 1), crop(8, 9, np.uint16)):
        expect_nearest(one(ours, picture), numbers_of(plain, picture), picture)


def test_an_architecture_that_only_spandrel_knows_is_computed(tmp_path: Path) -> None:
    both = Both(write_span(tmp_path / "mine.pth"), Installed("mine", tmp_path / "mine.pth"))
    assert (both.ours.name, both.ours.scale, both.ours.receptive_px) == ("mine", 2, None)
    assert both.ours.operations_per_pixel > 1000
    both.expect_equal(crop(13, 18))


@pytest.mark.filterwarnings("ignore:torch.meshgrid")
def test_a_network_that_outgrows_its_file_is_not_built(tmp_path: Path) -> None:
    path = tmp_path / "mine.pth"
    torch.save(swin(), path)
    assert load_upscaler(Installed("mine", path), None, CPU).scale == 2
    far = "layers.999999.residual_group.blocks.0.norm1.weight"
    torch.save(swin(**{far: torch.zeros(12)}), path)
    with pytest.raises(WeightsDamaged, match="no upscaler"):
        load_upscaler(Installed("mine", path), None, CPU)


def test_of_tensors_that_repeat_one_number_no_network_is_built(tmp_path: Path) -> None:
    path, one_number = tmp_path / "mine.pth", torch.zeros(1)
    shapes = srvgg_shapes(20_000, 1, 2)
    torch.save({name: one_number.expand(shape) for name, shape in shapes.items()}, path)
    assert path.stat().st_size < 10_000
    with pytest.raises(WeightsDamaged, match="more numbers than its storage"):
        load_upscaler(Installed("mine", path), None, CPU)


def test_sides_are_padded_as_spandrel_asks_for_an_architecture_that_it_knows(
    tmp_path: Path,
) -> None:
    weights = random_rrdb(1, 2, features=16)
    write_pth(weights, tmp_path / "mine.pth")
    both = Both(rrdb(weights), Installed("mine", tmp_path / "mine.pth"))
    for height, width in ((15, 17), (1, 1), (1, 6)):
        picture = crop(height, width)
        both.expect_equal(picture, mirrored(picture, 4))  # spandrel asks for 4 where 2 would do


def gray_network() -> dict[str, Any]:
    shapes = {"body.0.weight": (8, 1, 3, 3), "body.0.bias": (8,), "body.1.weight": (8,),
              "body.2.weight": (8, 8, 3, 3), "body.2.bias": (8,), "body.3.weight": (8,),
              "body.4.weight": (4, 8, 3, 3), "body.4.bias": (4,)}  # fmt: skip
    return {name: torch.zeros(shape) for name, shape in shapes.items()}


@pytest.mark.parametrize(
    "content",
    [
        {"params": {"layer.weight": torch.ones(2, 2)}},
        {"params": nn.Sequential(nn.Conv2d(3, 8, 3), nn.Conv2d(8, 3, 3)).state_dict()},
        {"params": gray_network()},
        {"params": {}},
        ["no", "weights"],
    ],
    ids=["one layer", "unknown network", "gray pictures only", "nothing", "no weights"],
)
def test_what_is_no_upscaler_is_refused_with_a_sentence(content: Any, tmp_path: Path) -> None:
    torch.save(content, tmp_path / "mine.pth")
    with pytest.raises(WeightsDamaged, match=r"mine\.pth (holds no|is damaged)"):
        load_upscaler(Installed("mine", tmp_path / "mine.pth"), None, CPU)


@pytest.mark.parametrize("name", ["mine.pth", "mine.safetensors"])
@pytest.mark.parametrize("share", [0.0, 0.4, 0.99])
def test_a_persons_own_file_that_is_cut_is_refused(tmp_path: Path, name: str, share: float) -> None:
    path = tmp_path / name
    WRITERS[name](random_srvgg(8, 2, 2), path)
    path.write_bytes(path.read_bytes()[: int(path.stat().st_size * share)])
    with pytest.raises(WeightsDamaged, match=name.replace(".", r"\.")):
        load_upscaler(Installed("mine", path), None, CPU)


class Harm:
    """Makes a folder when it is unpickled as pickle would do it."""

    def __init__(self, mark: Path) -> None:
        self._mark = mark

    def __reduce__(self) -> tuple[Any, ...]:
        return Path.mkdir, (self._mark,)


@pytest.mark.parametrize("new_form", [True, False], ids=["zip", "before torch 1.6"])
def test_a_persons_own_file_cannot_run_code(tmp_path: Path, new_form: bool) -> None:
    path, mark = tmp_path / "mine.pth", tmp_path / "harmed"
    torch.save(
        {"params": {"weight": torch.ones(2)}, "more": Harm(mark)}, path,
        _use_new_zipfile_serialization=new_form,
    )  # fmt: skip
    with pytest.raises(WeightsDamaged):
        load_upscaler(Installed("mine", path), None, CPU)
    assert not mark.exists()
    torch.load(path, weights_only=False)
    assert mark.exists()


@pytest.mark.skipif(not REAL_GENERAL.is_file(), reason="needs the shared real weights")
def test_the_real_general_network_on_a_real_photo() -> None:
    photo = cv2.imread(str(DATA / "photos" / "one-face-418x520.jpg"))
    assert photo is not None
    picture = np.ascontiguousarray(photo[190:238, 170:218, ::-1])
    found = Installed(GENERAL, REAL_GENERAL, by_name(GENERAL))
    companion = Installed(GENERAL_WDN, REAL_GENERAL_WDN, by_name(GENERAL_WDN))
    ours = load_upscaler(found, companion, CPU)
    results = {}
    for denoise, path in ((1.0, REAL_GENERAL), (0.0, REAL_GENERAL_WDN)):
        plain = srvgg(floats_of(load_arrays(path)))
        results[denoise] = one(ours, picture, denoise)
        expect_nearest(results[denoise], numbers_of(plain, picture), picture)
        # It is the same photo, four times as large.
        back = cv2.resize(results[denoise], (48, 48), interpolation=cv2.INTER_AREA)
        assert cv2.PSNR(back, picture) > 25
    # Denoising takes the fine differences between neighbours away.
    strong, weak = (
        np.abs(np.diff(results[each].astype(int), axis=1)).mean() for each in (1.0, 0.0)
    )
    assert strong < weak
