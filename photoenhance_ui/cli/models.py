"""``models list|download|verify``: the files of the networks."""

import argparse
import sys
from collections.abc import Iterable, Mapping

from tqdm import tqdm

from photoenhance_ui.catalogue import CATALOGUE, WeightFile, by_name, default_downloads
from photoenhance_ui.cli.parser import ALL_DONE, NOTHING_STARTED, SOME_FAILED
from photoenhance_ui.errors import DiskFull, InvalidOption, PhotoEnhanceError, WeightsError
from photoenhance_ui.request import BUILTIN
from photoenhance_ui.settings import Settings
from photoenhance_ui.weights import downloads
from photoenhance_ui.weights.inventory import Installed, Inventory, take_stock


def models(given: argparse.Namespace, settings: Settings) -> int:
    """Run one of the three tasks."""
    match given.task:
        case "download":
            return download(given.names, settings)
        case "verify":
            return verify(settings)
        case _:
            return show_list(settings)


def show_list(settings: Settings) -> int:
    """Every known file and every file that is here, with its state."""
    stock = take_stock(settings)
    own = [found for found in stock.installed.values() if found.known is None]
    rows = [
        (file.name, file.role.value, f"{file.bytes / 1e6:.1f}", _state(file.name, stock),
         file.licence, file.purpose)
        for file in CATALOGUE
    ]  # fmt: skip
    rows += [
        (found.name, "upscaler", f"{found.path.stat().st_size / 1e6:.1f}", "here",
         "MIT" if found.name == BUILTIN else "your own", found.path.name)
        for found in own
    ]  # fmt: skip
    _print_table(("NAME", "ROLE", "MB", "STATE", "LICENCE", "PURPOSE"), rows)
    return ALL_DONE


def _state(name: str, stock: Inventory) -> str:
    if name in stock.installed:
        return "installed"
    refusal = stock.refused.get(name)
    return "not here" if refusal is None else refusal.code.removeprefix("weights_")


def _print_table(heads: tuple[str, ...], rows: Iterable[tuple[str, ...]]) -> None:
    lines = [heads, *rows]
    widths = [max(len(cell) for cell in column) for column in zip(*lines, strict=True)]
    for line in lines:
        cells = (cell.ljust(width) for cell, width in zip(line, widths, strict=True))
        print("  ".join(cells).rstrip())


def verify(settings: Settings) -> int:
    """Check every file that is here; files that are not what they say make it fail."""
    stock = take_stock(settings)
    unusable = _unusable(stock.installed, settings)
    for found in stock.installed.values():
        if found.name in unusable:
            continue
        checked = "whole and as published" if found.known and not found.warning else "here"
        print(f"{found.name}: {found.warning or checked}")
    for name, error in (stock.refused | unusable).items():
        print(f"{name}: {error.sentence}", file=sys.stderr)
    return SOME_FAILED if stock.refused or unusable else ALL_DONE


def _unusable(
    installed: Mapping[str, Installed], settings: Settings
) -> dict[str, PhotoEnhanceError]:
    """Try a person's own networks; gives those that do not load, and why."""
    from photoenhance_ui.networks.resident import Networks

    networks = Networks({}, settings)
    networks.refresh(installed, loads=False)
    return dict(networks.facts().refused)


def download(names: list[str], settings: Settings) -> int:
    """Fetch files, each verified; what came of a broken one is kept for the next try."""
    files = [_known(name) for name in names] or default_downloads(_device_of(settings))
    if settings.offline:
        print("Nothing is downloaded with --offline.", file=sys.stderr)
        return NOTHING_STARTED
    failed = 0
    for file in files:
        try:
            _download_one(file, settings)
        except (WeightsError, DiskFull) as error:
            failed += 1
            print(error.sentence, file=sys.stderr)
        except OSError as error:
            print(f"The weights folder cannot be written ({error.strerror}).", file=sys.stderr)
            return NOTHING_STARTED
    return SOME_FAILED if failed else ALL_DONE


def _known(name: str) -> WeightFile:
    try:
        return by_name(name)
    except KeyError:
        there = ", ".join(file.name for file in CATALOGUE)
        raise InvalidOption(
            f"There is no network file named {name!r}; there are: {there}."
        ) from None


def _device_of(settings: Settings) -> str:
    """The one that is named need not be here: files may be fetched for another machine."""
    from photoenhance_ui.networks.devices import find_device

    return find_device("auto") if settings.device == "auto" else settings.device


def _download_one(file: WeightFile, settings: Settings) -> None:
    with tqdm(
        total=file.bytes, desc=file.name, unit="B", unit_scale=True, file=sys.stderr, disable=None
    ) as bar:
        path = downloads.download(file, settings.weights_dir, lambda done, _total: _move(bar, done))
    print(f"{file.name}: {path}")


def _move(bar: "tqdm[object]", done: int) -> None:
    bar.update(done - bar.n)
