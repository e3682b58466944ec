"""One photo through the pipeline by hand, with stand-ins for what networks answer."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from photoenhance_ui.catalogue import Role
from photoenhance_ui.events import Event, Progress
from photoenhance_ui.photo import Photo, Pixels, white_of
from photoenhance_ui.pipeline.contracts import FACE_PX, DetectedFace, Work
from photoenhance_ui.pipeline.enhancer import Enhanced, enhance, without_colour
from photoenhance_ui.pipeline.faces import TEMPLATE
from photoenhance_ui.pipeline.plan import Choice, EngineFacts, Plan, UpscalerFacts, make_plan
from photoenhance_ui.request import Faces, Request
from testing.photos import skimage_photo

Answer = Callable[[Work], Any]


@dataclass(frozen=True, eq=False)
class Run:
    """What the enhancer said, what it wanted computed, and what came of it."""

    steps: list[Work | Event]
    enhanced: Enhanced

    @property
    def work(self) -> list[Work]:
        return [step for step in self.steps if isinstance(step, Work)]

    @property
    def progress(self) -> list[Progress]:
        return [step for step in self.steps if isinstance(step, Progress)]


def driven(photo: Photo, plan: Plan, answer: Answer) -> Run:
    """The contract: Work is answered with its outputs, events with nothing."""
    steps, said, given_back = enhance(photo, plan), [], None
    while True:
        try:
            step = steps.send(given_back)
        except StopIteration as end:
            return Run(said, end.value)
        said.append(step)
        given_back = answer(step) if isinstance(step, Work) else None


def repeated(images: Pixels, scale: int) -> Pixels:
    return images.repeat(scale, axis=-3).repeat(scale, axis=-2)


@dataclass(frozen=True)
class StandIns:
    """Answers as networks would: each pixel repeated, faces as given and then inverted."""

    scale: int = 2
    faces: Sequence[DetectedFace] = ()
    is_face: int = 255

    def __call__(self, work: Work) -> Any:
        match work.role:
            case Role.DETECTOR:
                return [list(self.faces)]
            case Role.RESTORER:
                return white_of(work.inputs) - work.inputs
            case Role.PARSER:
                return np.full(work.inputs.shape[:3], self.is_face, np.uint8)
            case Role.UPSCALER:
                return repeated(work.inputs, self.scale)


def plan_of(
    photo: Photo,
    request: Request | None = None,
    network_scale: int = 2,
    tile_px: int = 32,
    overlap_px: int = 4,
    parser: str | None = "parser",
) -> Plan:
    request = Request(faces=Faces.NONE, upscaler="upscaler") if request is None else request
    facts = EngineFacts("cpu", "", {"upscaler": UpscalerFacts(network_scale, "companion")})
    choice = Choice(request.upscaler, "detector", "restorer", parser)
    return make_plan(photo.size, request, choice, facts, tile_px=tile_px, overlap_px=overlap_px)


def photo_of(width: int = 70, height: int = 50, dtype: type = np.uint8) -> Photo:
    """A piece of a real photo with all its colours, as 16 bits with levels between the 257ths."""
    pixels = np.ascontiguousarray(skimage_photo("astronaut")[30 : 30 + height, 180 : 180 + width])
    if dtype is np.uint16:
        between = np.random.default_rng(2).integers(0, 257, pixels.shape)
        pixels = np.minimum(pixels.astype(int) * 257 + between, 65535).astype(np.uint16)
    return Photo(pixels, "astronaut.png", "PNG")


def gray_photo(dtype: type = np.uint8) -> Photo:
    photo = photo_of(dtype=dtype)
    return replace(photo, pixels=without_colour(photo.pixels), monochrome=True)


def face_at(x: float, y: float, width: float = 30) -> DetectedFace:
    """A face whose aligned square lies at x, y and is ``width`` wide."""
    box = np.array([x, y, x + width, y + width], np.float32)
    return DetectedFace(box, (TEMPLATE * width / FACE_PX + (x, y)).astype(np.float32), 0.9)


TWO = (face_at(2, 5), face_at(35, 15))
WITH_FACES = Request(upscaler="upscaler")
