"""Every architecture of the catalogue is in each room's tables, and one in none is unknown."""

from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from photoenhance_ui.catalogue import CATALOGUE, Architecture, Role, WeightFile, by_name
from photoenhance_ui.errors import ArchitectureUnknown
from photoenhance_ui.networks import yunet
from photoenhance_ui.networks.architectures import entry_of
from photoenhance_ui.networks.interfaces import Backend
from photoenhance_ui.networks.upscaler_weights import KINDS
from photoenhance_ui.weights.inventory import Installed

Tables = Mapping[Role, Mapping[Architecture, Any]]

ONLY_OPENCV = {Architecture.YUNET}
RUNNING = [file for file in CATALOGUE if file.runs]
A_FILE_OF = {file.role: file for file in RUNNING}


def on_openvino() -> tuple[Tables, Backend]:
    from photoenhance_ui.networks.on_openvino import architectures as tables
    from photoenhance_ui.networks.on_openvino.backend import OpenVinoBackend
    from photoenhance_ui.networks.on_openvino.calibration_store import CalibrationStore

    return by_role(tables), OpenVinoBackend(CalibrationStore(Path("none")))


def on_torch() -> tuple[Tables, Backend]:
    pytest.importorskip("torch")
    from photoenhance_ui.networks.on_torch import architectures as tables
    from photoenhance_ui.networks.on_torch.backend import TorchBackend

    return by_role(tables), TorchBackend("cpu", fuse=False)


def by_role(tables: Any) -> Tables:
    return {
        Role.UPSCALER: tables.UPSCALERS,
        Role.DETECTOR: tables.DETECTORS,
        Role.RESTORER: tables.RESTORERS,
        Role.PARSER: tables.PARSERS,
    }


ROOMS = pytest.mark.parametrize("room", [on_openvino, on_torch])
Room = Callable[[], tuple[Tables, Backend]]


@ROOMS
@pytest.mark.parametrize("file", RUNNING, ids=lambda file: file.name)
def test_every_file_of_the_catalogue_has_its_line(room: Room, file: WeightFile) -> None:
    tables, _ = room()
    table = yunet.DETECTORS if file.architecture in ONLY_OPENCV else tables[file.role]
    assert entry_of(table, file.architecture)


@ROOMS
def test_no_line_is_for_files_that_are_not_in_the_catalogue(room: Room) -> None:
    tables, _ = room()
    for role, table in tables.items():
        used = {file.architecture for file in RUNNING if file.role is role}
        assert set(table) == used - ONLY_OPENCV


def test_each_architecture_of_upscalers_is_known_by_its_weights() -> None:
    assert set(KINDS) == {file.architecture for file in RUNNING if file.role is Role.UPSCALER}


def test_what_is_in_no_table_is_told_by_name() -> None:
    with pytest.raises(ArchitectureUnknown, match="CodeFormer"):
        entry_of({Architecture.RRDB: 1}, Architecture.CODEFORMER)
    with pytest.raises(ArchitectureUnknown):
        entry_of({Architecture.RRDB: 1}, None)


@ROOMS
@pytest.mark.parametrize("role", Role)
def test_a_file_of_an_unknown_architecture_is_taken_for_nothing_else(
    room: Room, role: Role, tmp_path: Path
) -> None:
    _, backend = room()
    known = replace(A_FILE_OF[role], architecture=Architecture.CODEFORMER)
    with pytest.raises(ArchitectureUnknown, match="CodeFormer"):
        backend.load(Installed(known.name, tmp_path / known.file, known), None)


def test_opencv_takes_no_other_architecture_either(tmp_path: Path) -> None:
    known = by_name("detection_Resnet50_Final")
    with pytest.raises(ArchitectureUnknown, match="RetinaFace"):
        yunet.OpenCvBackend().load(Installed(known.name, tmp_path / known.file, known), None)
