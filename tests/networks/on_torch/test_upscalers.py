"""Upscalers give what the plain architecture gives, at any size, and refuse what is none.

Full-size networks with seeded random weights, in the form of the official files.
"""

import gc
import weakref
from collections.abc import Callable
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import settings as examples
from hypothesis import strategies as st
from numpy.typing import NDArray
from safetensors.torch import save_file
from torch import Tensor, nn

from benchmarks import reference, seeded_weights
from photoenhance_ui.catalogue import by_name
from photoenhance_ui.errors import WeightsDamaged
from photoenhance_ui.networks.interfaces import Upscaler
from photoenhance_ui.networks.on_torch.placement import Placement
from photoenhance_ui.networks.on_torch.upscalers import (
    BLENDS_KEPT,
    BlendedUpscaler,
    load_upscaler,
    pad_to_multiple,
    warm_up,
)
from photoenhance_ui.networks.state_dicts import read_metadata
from photoenhance_ui.photo import Pixels, white_of
from photoenhance_ui.weights import BUILTIN, BUILTIN_FILE, Installed
from tests.conftest import skimage_photo

DATA = Path(__file__).parents[3] / "shared" / "data"
REAL_GENERAL = DATA / "weights" / "realesr-general-x4v3.fp16-rounded.pth"
REAL_GENERAL_WDN = DATA / "weights" / "realesr-general-wdn-x4v3.fp16-rounded.pth"
CPU = Placement(torch.device("cpu"))
GENERAL, GENERAL_WDN = "realesr-general-x4v3", "realesr-general-wdn-x4v3"

State = dict[str, Tensor]


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
    with torch.inference_mode():
        (large,) = upscaler(picture[None], denoise)
    return large


def official(path: Path) -> Installed:
    return Installed(path.stem, path, by_name(path.stem))


def srvgg(seed: int, features: int = 16, convolutions: int = 2, scale: int = 2) -> nn.Module:
    torch.manual_seed(seed)
    network: nn.Module = reference.SRVGGNetCompact(
        3, 3, num_feat=features, num_conv=convolutions, upscale=scale, act_type="prelu"
    )
    return network.eval()


class Both:
    """A plain network and ours from its file."""

    def __init__(self, plain: nn.Module, path: Path, key: str) -> None:
        torch.save({key: plain.state_dict()}, path)
        self.plain = plain.eval()
        self.ours = load_upscaler(official(path), None, CPU)
        path.unlink()  # pytest keeps its folders for a while, and these are large

    def expect_equal(self, picture: Pixels, padded: Pixels | None = None) -> None:
        height, width = picture.shape[:2]
        scale = self.ours.scale
        numbers = numbers_of(self.plain, picture if padded is None else padded)
        expect_nearest(one(self.ours, picture), numbers[: height * scale, : width * scale], picture)


def rrdb(scale: int, blocks: int, seed: int) -> nn.Module:
    torch.manual_seed(seed)
    network = reference.RRDBNet(
        3, 3, scale=scale, num_feat=64, num_block=blocks, num_grow_ch=32
    )  # fmt: skip
    return reference._with_signal(network, 4 if scale == 2 else 1)


pytestmark = pytest.mark.usefixtures("one_thread")


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("upscalers")


@pytest.fixture(scope="module")
def x2plus(folder: Path) -> Both:
    return Both(rrdb(2, 23, seed=2), folder / "RealESRGAN_x2plus.pth", "params_ema")


@pytest.fixture(scope="module")
def general(folder: Path) -> Both:
    torch.manual_seed(4)
    return Both(reference.srvgg_network(), folder / f"{GENERAL}.pth", "params")


@pytest.mark.parametrize("depth", [np.uint8, np.uint16])
def test_x2plus_gives_what_its_architecture_gives(x2plus: Both, depth: type) -> None:
    assert (x2plus.ours.name, x2plus.ours.scale) == ("RealESRGAN_x2plus", 2)
    x2plus.expect_equal(crop(16, 20, depth))


@pytest.mark.parametrize(
    ("name", "blocks"), [("RealESRGAN_x4plus", 23), ("RealESRGAN_x4plus_anime_6B", 6)]
)
def test_x4plus_and_its_illustrator_give_what_their_architecture_gives(
    folder: Path, name: str, blocks: int
) -> None:
    both = Both(rrdb(4, blocks, seed=blocks), folder / f"{name}.pth", "params_ema")
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
    x2plus: Both, height: int, width: int
) -> None:
    picture = crop(height, width)
    x2plus.expect_equal(picture, padded=mirrored(picture, 2))


@examples(deadline=None)
@given(st.integers(1, 9), st.integers(1, 9), st.integers(1, 8))
def test_padding_adds_the_least_and_changes_nothing(height: int, width: int, multiple: int) -> None:
    pictures = np.arange(2 * height * width * 3, dtype=np.uint16).reshape(2, height, width, 3)
    padded = pad_to_multiple(pictures, multiple)
    for side, before in zip(padded.shape[1:3], (height, width), strict=True):
        assert side % multiple == 0
        assert 0 <= side - before < multiple
    assert np.array_equal(padded[:, :height, :width], pictures)
    assert np.isin(padded, pictures).all()
    if (height, width) == padded.shape[1:3]:
        assert padded is pictures


def test_padding_mirrors_where_there_is_enough_to_mirror() -> None:
    row = np.arange(1, 6, dtype=np.uint8).reshape(1, 1, 5, 1).repeat(3, axis=3)
    assert pad_to_multiple(row, 8)[0, 0, :, 0].tolist() == [1, 2, 3, 4, 5, 4, 3, 2]
    assert pad_to_multiple(row[:, :, :2], 8)[0, 0, :, 0].tolist() == [1, 2, 2, 2, 2, 2, 2, 2]


def test_pictures_of_a_batch_do_not_see_each_other(general: Both) -> None:
    first, second = crop(20, 16), crop(20, 16)[::-1, ::-1]
    with torch.inference_mode():
        batch = general.ours(np.stack([first, second]), 1.0)
    expect_nearest(batch[0], numbers_of(general.plain, first), first)
    expect_nearest(batch[1], numbers_of(general.plain, second), second)


def test_denoise_changes_nothing_where_there_is_no_companion(general: Both) -> None:
    picture = crop(8, 8)
    assert np.array_equal(one(general.ours, picture, 0.0), one(general.ours, picture, 1.0))


@pytest.fixture(scope="module")
def pair(folder: Path) -> tuple[nn.Module, nn.Module, Upscaler]:
    """The general network, its companion, and our upscaler of both."""
    seeded_weights.write_random_weights(
        folder / "pair", [seeded_weights.GENERAL_FILE, seeded_weights.GENERAL_WDN_FILE]
    )
    general, wdn = (official(folder / "pair" / f"{name}.pth") for name in (GENERAL, GENERAL_WDN))
    networks = [reference.srvgg_network().eval() for _ in range(2)]
    for network, found in zip(networks, (general, wdn), strict=True):
        network.load_state_dict(torch.load(found.path, weights_only=True)["params"])
    return networks[0], networks[1], load_upscaler(general, wdn, CPU)


@pytest.mark.parametrize("depth", [np.uint8, np.uint16])
@pytest.mark.parametrize("denoise", [0.0, 0.3, 1.0])
def test_denoise_blends_the_weights_of_two_files(
    pair: tuple[nn.Module, nn.Module, Upscaler], denoise: float, depth: type
) -> None:
    general, wdn, ours = pair
    between = reference.srvgg_network().eval()
    between.load_state_dict(
        {
            key: denoise * value + (1 - denoise) * wdn.state_dict()[key]
            for key, value in general.state_dict().items()
        }
    )
    picture = crop(20, 24, depth)
    expect_nearest(one(ours, picture, denoise), numbers_of(between, picture), picture)


def test_the_ends_of_denoise_are_the_two_networks_themselves(
    pair: tuple[nn.Module, nn.Module, Upscaler],
) -> None:
    general, wdn, ours = pair
    picture = crop(20, 24)
    strong, weak = (numbers_of(network, picture) for network in (general, wdn))
    expect_nearest(one(ours, picture, 1.0), strong, picture)
    expect_nearest(one(ours, picture, 0.0), weak, picture)
    assert np.abs(strong - weak).max() > 2, "the two are so alike that nothing was compared"


class Builder:
    """Builds small networks and knows which of them are still alive."""

    def __init__(self) -> None:
        self.built: list[weakref.ref[nn.Module]] = []

    def __call__(self) -> nn.Module:
        network = srvgg(seed=0)
        self.built.append(weakref.ref(network))
        return network

    @property
    def alive(self) -> int:
        gc.collect()
        return sum(network() is not None for network in self.built)


def test_only_the_last_few_blends_are_kept_and_those_are_not_built_again() -> None:
    build = Builder()
    ends = (srvgg(seed=1).state_dict(), srvgg(seed=2).state_dict())
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


def test_a_file_of_another_network_is_damaged(folder: Path) -> None:
    path = folder / f"{GENERAL}.pth"
    torch.save({"params": srvgg(seed=1).state_dict()}, path)
    with pytest.raises(WeightsDamaged, match=path.name):
        load_upscaler(official(path), None, CPU)


def test_a_companion_of_another_network_shows_itself_when_it_is_loaded(
    folder: Path, pair: tuple[nn.Module, nn.Module, Upscaler]
) -> None:
    good = official(folder / "pair" / f"{GENERAL}.pth")
    wrong = folder / f"{GENERAL_WDN}.pth"
    torch.save({"params": srvgg(seed=1).state_dict()}, wrong)
    with pytest.raises(WeightsDamaged, match=wrong.name):
        load_upscaler(good, official(wrong), CPU)


def test_the_builtin_network_is_built_as_its_file_says() -> None:
    ours = load_upscaler(Installed(BUILTIN, BUILTIN_FILE), None, CPU)
    told = read_metadata(BUILTIN_FILE)
    plain = srvgg(0, int(told["num_feat"]), int(told["num_conv"]), int(told["scale"]))
    plain.load_state_dict(reference_state(BUILTIN_FILE))
    assert (ours.name, ours.scale) == (BUILTIN, int(told["scale"]))
    for picture in (crop(16, 21), crop(1, 1), crop(9, 9, np.uint16)):
        expect_nearest(one(ours, picture), numbers_of(plain, picture), picture)


def reference_state(path: Path) -> State:
    """Weights of a safetensors file, read without our code."""
    from safetensors.torch import load_file

    return {key: value.float() for key, value in load_file(path).items()}


def retrained(folder: Path, **told: str) -> Installed:
    """A network of another shape than the built-in one, in a file of its form."""
    path = folder / "mine.safetensors"
    save_file(srvgg(5, features=8, convolutions=3, scale=3).state_dict(), path, metadata=told)
    return Installed("mine", path)


def test_a_network_of_the_builtins_form_may_have_another_shape(tmp_path: Path) -> None:
    ours = load_upscaler(retrained(tmp_path, scale="3", num_feat="8", num_conv="3"), None, CPU)
    assert ours.scale == 3
    picture = crop(20, 20)
    plain = srvgg(5, features=8, convolutions=3, scale=3)
    expect_nearest(one(ours, picture), numbers_of(plain, picture), picture)


@pytest.mark.parametrize(
    "told",
    [
        {"num_conv": "4", "num_feat": "8", "scale": "3"},
        {"num_conv": "3", "num_feat": "8"},
        {"num_conv": "3", "num_feat": "many", "scale": "3"},
        {"num_conv": "3", "num_feat": "-8", "scale": "3"},
    ],
    ids=["another shape", "no scale", "no number", "negative"],
)
def test_a_file_that_lies_about_its_shape_is_damaged(tmp_path: Path, told: dict[str, str]) -> None:
    with pytest.raises(WeightsDamaged, match=r"mine\.safetensors"):
        load_upscaler(retrained(tmp_path, **told), None, CPU)


def write_pth(state: State, path: Path) -> None:
    torch.save({"params": state}, path)


WRITERS: dict[str, Callable[[State, Path], None]] = {
    "mine.pth": write_pth, "mine.PTH": write_pth,
    "mine.safetensors": save_file, "mine.SAFETENSORS": save_file,
}  # fmt: skip


@pytest.mark.parametrize("name", WRITERS)
def test_a_persons_own_upscaler_gives_what_its_architecture_gives(
    tmp_path: Path, name: str
) -> None:
    plain = srvgg(seed=6)
    WRITERS[name](plain.state_dict(), tmp_path / name)
    ours = load_upscaler(Installed("mine", tmp_path / name), None, CPU)
    assert (ours.name, ours.scale) == ("mine", 2)
    for picture in (crop(13, 18), crop(1, 1), crop(8, 9, np.uint16)):
        expect_nearest(one(ours, picture), numbers_of(plain, picture), picture)


def test_a_persons_own_network_that_folds_pixels_gets_sides_it_can_fold(tmp_path: Path) -> None:
    torch.manual_seed(7)
    plain = reference.RRDBNet(3, 3, scale=2, num_feat=16, num_block=1, num_grow_ch=32)
    plain = reference._with_signal(plain, 4).eval()
    torch.save({"params_ema": plain.state_dict()}, tmp_path / "mine.pth")
    ours = load_upscaler(Installed("mine", tmp_path / "mine.pth"), None, CPU)
    for height, width in ((15, 17), (1, 1), (1, 6)):
        picture = crop(height, width)
        numbers = numbers_of(plain, mirrored(picture, 4))  # spandrel asks for 4 where 2 would do
        expect_nearest(one(ours, picture), numbers[: 2 * height, : 2 * width], picture)


def gray_network() -> State:
    network = reference.SRVGGNetCompact(1, 1, num_feat=16, num_conv=2, upscale=2, act_type="prelu")
    return network.state_dict()


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
    with pytest.raises(WeightsDamaged, match=r"mine\.pth holds no upscaler"):
        load_upscaler(Installed("mine", tmp_path / "mine.pth"), None, CPU)


@pytest.mark.parametrize("name", ["mine.pth", "mine.safetensors"])
@pytest.mark.parametrize("share", [0.0, 0.4, 0.99])
def test_a_persons_own_file_that_is_cut_is_refused(tmp_path: Path, name: str, share: float) -> None:
    path = tmp_path / name
    WRITERS[name](srvgg(seed=6).state_dict(), path)
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
        {"params": srvgg(seed=6).state_dict(), "more": Harm(mark)}, path,
        _use_new_zipfile_serialization=new_form,
    )  # fmt: skip
    with pytest.raises(WeightsDamaged):
        load_upscaler(Installed("mine", path), None, CPU)
    assert not mark.exists()
    torch.load(path, weights_only=False)
    assert mark.exists()


def test_warming_up_runs_the_network_once(general: Both) -> None:
    seen: list[torch.Size] = []
    hook = general.ours._network.register_forward_pre_hook(
        lambda _network, given_to_it: seen.append(given_to_it[0].shape)
    )
    warm_up(general.ours)
    hook.remove()
    assert len(seen) == 1
    assert seen[0][0] == 1


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
        plain = reference.srvgg_network().eval()
        plain.load_state_dict(torch.load(path, weights_only=True)["params"])
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
