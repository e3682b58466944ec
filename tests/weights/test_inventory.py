import hashlib
import logging
import os
from dataclasses import replace
from pathlib import Path

import pytest

from photoenhance_ui.catalogue import WeightFile, by_file, by_name, default_downloads
from photoenhance_ui.errors import WeightsDamaged, WeightsError, WeightsUntrusted
from photoenhance_ui.request import BUILTIN
from photoenhance_ui.settings import Settings
from photoenhance_ui.weights import inventory
from photoenhance_ui.weights.inventory import Inventory, files_to_fetch, take_stock

YUNET = by_name("face_detection_yunet_2023mar")
WHOLE = b"the published bytes"


@pytest.fixture
def folder(settings: Settings) -> Path:
    return settings.weights_dir


@pytest.fixture
def short_yunet(monkeypatch: pytest.MonkeyPatch) -> None:
    """As if the published file of that name were WHOLE: the real one is not in the repository."""
    file = replace(YUNET, bytes=len(WHOLE), sha256=hashlib.sha256(WHOLE).hexdigest())
    known = {YUNET.file: file}
    monkeypatch.setattr(inventory, "by_file", lambda name: known.get(name) or by_file(name))


def found_besides_builtin(settings: Settings) -> set[str]:
    return set(take_stock(settings).installed) - {BUILTIN}


def test_an_empty_or_missing_folder_is_no_trouble(settings: Settings, folder: Path) -> None:
    assert found_besides_builtin(settings) == set()
    assert take_stock(replace(settings, weights_dir=folder / "none")).refused == {}


def test_the_builtin_network_is_found_whatever_the_folder_is(settings: Settings) -> None:
    builtin = take_stock(settings).installed[BUILTIN]
    assert builtin.path == inventory.BUILTIN_FILE
    assert builtin.known is None
    beside_it = take_stock(replace(settings, weights_dir=inventory.BUILTIN_FILE.parent))
    assert beside_it.installed[BUILTIN] == builtin
    assert inventory.BUILTIN_FILE.name not in beside_it.refused


@pytest.mark.usefixtures("short_yunet")
def test_a_published_file_is_installed(settings: Settings, folder: Path) -> None:
    (folder / YUNET.file).write_bytes(WHOLE)
    found = take_stock(settings).installed[YUNET.name]
    assert (found.path, found.warning) == (folder / YUNET.file, None)
    assert found.known is not None and found.known.role is YUNET.role


def refusal_of(settings: Settings, content: bytes) -> WeightsError:
    (settings.weights_dir / YUNET.file).write_bytes(content)
    stock = take_stock(settings)
    assert YUNET.name not in stock.installed
    return stock.refused[YUNET.name]


def test_a_file_cut_short_is_refused(settings: Settings) -> None:
    error = refusal_of(settings, bytes(YUNET.bytes - 1))
    assert isinstance(error, WeightsDamaged)
    assert f"{YUNET.bytes - 1} of {YUNET.bytes} bytes" in error.sentence


@pytest.mark.parametrize("more", [0, 1])
def test_other_bytes_under_a_known_name_are_refused(settings: Settings, more: int) -> None:
    error = refusal_of(settings, bytes(YUNET.bytes + more))
    assert isinstance(error, WeightsUntrusted)
    assert "--trust-weights" in error.sentence


def test_trusted_bytes_are_used_with_a_warning(settings: Settings, folder: Path) -> None:
    (folder / YUNET.file).write_bytes(bytes(YUNET.bytes))
    stock = take_stock(replace(settings, trust_weights=True))
    assert stock.refused == {}
    warning = stock.installed[YUNET.name].warning
    assert warning is not None and YUNET.file in warning


def test_a_file_that_nothing_here_can_run_is_refused_trusted_or_not(settings: Settings) -> None:
    codeformer = by_name("codeformer")
    (settings.weights_dir / codeformer.file).write_bytes(b"?")
    for trusted in (False, True):
        stock = take_stock(replace(settings, trust_weights=trusted))
        assert codeformer.name in stock.refused
        assert codeformer.name not in stock.installed


def test_a_file_that_cannot_be_read_is_refused_alone(
    settings: Settings, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (folder / YUNET.file).write_bytes(bytes(YUNET.bytes))
    (folder / "mine.pth").write_bytes(b"?")

    def denied(_path: Path) -> str:
        raise PermissionError

    monkeypatch.setattr(inventory, "sha256_of", denied)
    stock = take_stock(settings)
    assert isinstance(stock.refused[YUNET.name], WeightsDamaged)
    assert "mine" in stock.installed


def test_own_files_go_by_their_stem(settings: Settings, folder: Path) -> None:
    for name in ("mine.pth", "yours.v2.SAFETENSORS", "builtin-of-mine.pth"):
        (folder / name).write_bytes(b"?")
    assert found_besides_builtin(settings) == {"mine", "yours.v2", "builtin-of-mine"}


def test_what_is_no_network_is_left_alone(settings: Settings, folder: Path) -> None:
    for name in (f"{YUNET.file}.part", f".{YUNET.file}.lock", "notes.txt", ".hidden.pth"):
        (folder / name).write_bytes(b"?")
    assert found_besides_builtin(settings) == set()
    assert take_stock(settings).refused == {}


@pytest.mark.parametrize("name", ["odd.pth", "odd.safetensors", YUNET.file])
@pytest.mark.parametrize("kind", ["loop", "nowhere", "folder", "pipe", "endless"])
def test_what_is_no_file_is_told_and_passed_over(
    settings: Settings, folder: Path, caplog: pytest.LogCaptureFixture, name: str, kind: str
) -> None:
    odd = folder / name
    match kind:
        case "loop":
            odd.symlink_to(odd)
        case "nowhere":
            odd.symlink_to(folder / "missing")
        case "folder":
            odd.mkdir()
        case "pipe":
            os.mkfifo(odd)
        case "endless":
            odd.symlink_to("/dev/zero")
    (folder / "mine.pth").write_bytes(b"?")
    stock = take_stock(settings)
    assert set(stock.installed) == {BUILTIN, "mine"}
    (refused,) = stock.refused.values()
    assert isinstance(refused, WeightsDamaged)
    assert "weights_refused" in caplog.text and "odd" not in caplog.text


@pytest.mark.parametrize(
    "name",
    ["auto.pth", "none.pth", "builtin.pth", "builtin.safetensors", "GFPGANv1.4.safetensors"],
)
def test_an_own_file_cannot_take_a_name_that_means_something(
    settings: Settings, folder: Path, name: str
) -> None:
    (folder / name).write_bytes(b"?")
    stock = take_stock(settings)
    assert set(stock.installed) <= {BUILTIN}
    assert "Rename" in stock.refused[name].sentence


def test_of_two_own_files_of_one_name_the_second_is_refused(
    settings: Settings, folder: Path
) -> None:
    for name in ("mine.pth", "mine.safetensors"):
        (folder / name).write_bytes(b"?")
    stock = take_stock(settings)
    assert stock.installed["mine"].path.name == "mine.pth"
    assert list(stock.refused) == ["mine.safetensors"]


def test_refusals_are_logged_without_the_path(
    settings: Settings, folder: Path, caplog: pytest.LogCaptureFixture
) -> None:
    (folder / YUNET.file).write_bytes(b"?")
    with caplog.at_level(logging.WARNING):
        take_stock(settings)
    assert f"weights_refused file={YUNET.file} code=weights_damaged" in caplog.text
    assert str(folder) not in caplog.text


def missing(settings: Settings, device: str = "cpu") -> tuple[WeightFile, ...]:
    return files_to_fetch(settings, device, take_stock(settings))


def test_a_first_start_fetches_what_is_missing_or_damaged(settings: Settings, folder: Path) -> None:
    online = replace(settings, offline=False)
    wanted = default_downloads("cpu")
    assert missing(online) == wanted
    (folder / wanted[0].file).write_bytes(b"cut short")
    assert missing(online) == wanted


def test_a_first_start_never_overwrites_what_somebody_put_there(
    settings: Settings, folder: Path
) -> None:
    online = replace(settings, offline=False)
    wanted = default_downloads("cpu")
    with (folder / wanted[0].file).open("wb") as file:
        file.truncate(wanted[0].bytes)
    assert missing(online) == wanted[1:]
    assert missing(replace(online, trust_weights=True)) == wanted[1:]


def test_offline_means_that_nothing_is_fetched(settings: Settings) -> None:
    assert settings.offline
    assert missing(settings, "cuda") == ()


@pytest.mark.usefixtures("short_yunet")
def test_an_installed_file_is_not_missing(settings: Settings, folder: Path) -> None:
    (folder / YUNET.file).write_bytes(WHOLE)
    assert take_stock(settings).missing([YUNET]) == ()
    assert Inventory().missing([YUNET]) == (YUNET,)
