"""Whatever crosses the engine's interface pickles, so that an engine may be elsewhere."""

import pickle
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import fields, is_dataclass, replace
from pathlib import Path
from typing import Any, get_args

import numpy as np
import pytest

from photoenhance_ui import events
from photoenhance_ui.engine.interface import EngineEvent, QueueLength, Unblended
from photoenhance_ui.errors import PhotoEnhanceError, WeightsDamaged
from photoenhance_ui.events import Stage
from photoenhance_ui.geometry import Size
from photoenhance_ui.photo import Metadata, Photo
from photoenhance_ui.pipeline.contracts import DetectedFace
from photoenhance_ui.pipeline.enhancer import Enhanced
from photoenhance_ui.pipeline.faces import RestoredFace
from photoenhance_ui.pipeline.plan import Choice, EngineFacts, UpscalerFacts
from photoenhance_ui.request import Request
from photoenhance_ui.settings import PROJECT_DIR
from photoenhance_ui.weights.inventory import BUILTIN_FILE, Installed, Inventory
from testing.by_hand import TWO, StandIns, driven, photo_of, plan_of

PHOTO = replace(
    photo_of(dtype=np.uint16), alpha=photo_of(dtype=np.uint16).pixels[..., 1].copy(),
    metadata=Metadata(b"profile", b"exif", b"xmp", (72.0, 72.0)),
)  # fmt: skip
PARTS = driven(PHOTO, plan_of(PHOTO, Request(upscaler="upscaler")), StandIns(faces=TWO)).enhanced
DAMAGED = WeightsDamaged("It is damaged.")

EVENTS: tuple[Any, ...] = (
    events.Queued(),
    events.Started(("builtin",), "exact", ("A warning.",)),
    events.FacesFound(2),
    events.DraftRendered(PHOTO),
    events.Drafted("draft.jpg"),
    events.Progress(Stage.ENLARGING, 1, 3),
    events.Rendered(PHOTO, ("builtin",), "exact", 2, ("A warning.",), 1.5),
    events.Finished("a.png", Size(2, 3), ("builtin",), "exact", 2, 1.5, 40.0),
    events.Failed("unexpected", "It failed."),
    events.Cancelled(),
    Unblended(PARTS),
)
VALUES: tuple[Any, ...] = (
    PHOTO,
    Request(),
    Choice("builtin", "detector", "restorer", None),
    EngineFacts("cpu", "CPU", {"builtin": UpscalerFacts(2)}, refused={"mine": DAMAGED}),
    QueueLength(1, 2),
    Inventory({"builtin": Installed("builtin", BUILTIN_FILE)}, {"mine": DAMAGED}),
    PARTS,
    PARTS.faces[0],
    replace(PARTS.faces[0], mask=None),
    PARTS.faces[0].detected,
)


def assert_same(one: Any, other: Any) -> None:
    """Equal in all that they hold, arrays to the last bit."""
    assert type(one) is type(other)
    if isinstance(one, np.ndarray):
        np.testing.assert_array_equal(one, other)
        assert one.dtype == other.dtype
    elif isinstance(one, PhotoEnhanceError):
        assert one.sentence == other.sentence
    elif is_dataclass(one):
        for field in fields(one):
            assert_same(getattr(one, field.name), getattr(other, field.name))
    elif isinstance(one, Mapping):
        assert_same(list(one.items()), list(other.items()))
    elif isinstance(one, list | tuple):
        assert len(one) == len(other)
        for mine, others in zip(one, other, strict=True):
            assert_same(mine, others)
    else:
        assert one == other


@pytest.mark.parametrize("value", [*EVENTS, *VALUES], ids=lambda value: type(value).__name__)
def test_what_crosses_pickles(value: Any) -> None:
    for protocol in range(2, pickle.HIGHEST_PROTOCOL + 1):
        assert_same(pickle.loads(pickle.dumps(value, protocol)), value)


def test_every_type_that_crosses_is_among_them() -> None:
    assert {type(event) for event in EVENTS} == set(get_args(EngineEvent))
    parts = {Enhanced, RestoredFace, DetectedFace}
    asked = {Photo, Request, Choice, EngineFacts, QueueLength, Inventory}
    assert {type(value) for value in VALUES} == parts | asked


@pytest.mark.parametrize(
    "module", ["batches.batch", "batches.current", "engine.interface", "server"]
)
def test_who_uses_an_engine_imports_nothing_that_computes(module: str) -> None:
    code = (
        f"import sys, photoenhance_ui.{module}\n"
        "print(sorted({'torch', 'openvino', 'photoenhance_ui.networks.resident',"
        " 'photoenhance_ui.engine.engine'} & set(sys.modules)))"
    )
    told = subprocess.run(
        [sys.executable, "-c", code], cwd=Path(PROJECT_DIR), capture_output=True, text=True,
        check=True, timeout=100,
    )  # fmt: skip
    assert told.stdout == "[]\n"
