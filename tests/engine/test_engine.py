"""The real engine with the built-in network: isolation, bound, cancel, sameness."""

import shutil
import threading
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from photoenhance_ui.catalogue import Role
from photoenhance_ui.engine.engine import open_engine
from photoenhance_ui.engine.interface import Engine
from photoenhance_ui.errors import NetworkFailed
from photoenhance_ui.events import (
    Cancelled,
    Event,
    Failed,
    Progress,
    Queued,
    Rendered,
    Stage,
    Started,
)
from photoenhance_ui.photo import Photo, white_of
from photoenhance_ui.pipeline.contracts import Work
from photoenhance_ui.pipeline.plan import Choice, choose_networks
from photoenhance_ui.request import Faces, Precision, Request
from photoenhance_ui.settings import Settings
from photoenhance_ui.weights.inventory import BUILTIN_FILE, Installed
from testing.by_hand import face_at
from testing.driver import wait_until
from testing.hooked import HookedNetworks
from testing.photos import skimage_photo
from testing.stand_ins import LARGE, StandInNetworks

REQUEST = Request(upscaler="builtin")


def photo_of(name: str = "chelsea", side: int = 48) -> Photo:
    return Photo(skimage_photo(name, side), f"{name}.png", "PNG")


def begin(
    engine: Engine,
    job: str,
    photo: Photo | None = None,
    owner: str = "somebody",
    request: Request = REQUEST,
) -> Iterator[Event]:
    choice = choose_networks(request.upscaler, request.scale, engine.facts(wait=True))
    return engine.enhance(job, owner, photo or photo_of(), request, choice)


def last(events: Iterator[Event]) -> Event:
    return list(events)[-1]


def pixels_of(event: Event) -> np.ndarray:
    assert isinstance(event, Rendered), event
    return event.photo.pixels


class Background:
    """Reads a job's events in a thread."""

    def __init__(self, events: Iterator[Event]) -> None:
        self.events: list[Event] = []
        self._thread = threading.Thread(target=lambda: self.events.extend(events))
        self._thread.start()

    def last(self) -> Event:
        self._thread.join(timeout=60)
        assert not self._thread.is_alive()
        return self.events[-1]


def test_a_photo_goes_through_and_says_what_happened(engine: Engine) -> None:
    events = list(begin(engine, "1"))
    assert [type(event) for event in events[:2]] == [Queued, Started]
    rendered = events[-1]
    assert isinstance(rendered, Rendered)
    assert rendered.photo.pixels.shape == (96, 96, 3)
    assert rendered.networks == ("builtin",)
    assert rendered.precision == "exact"
    tiles = [e for e in events if isinstance(e, Progress) and e.stage is Stage.ENLARGING]
    assert tiles[-1].done == tiles[-1].total >= 1


def test_a_photo_gives_the_same_bytes_alone_and_in_a_crowd(engine: Engine) -> None:
    names = ("chelsea", "coffee", "astronaut")
    alone = [pixels_of(last(begin(engine, n, photo_of(n, 200)))) for n in names]
    crowd = [Background(begin(engine, f"c{n}", photo_of(n, 200), owner=n)) for n in names]
    for one, other in zip(alone, crowd, strict=True):
        assert np.array_equal(one, pixels_of(other.last()))


def test_a_network_that_raises_fails_one_photo_alone(
    engine: Engine, networks: HookedNetworks
) -> None:
    def trouble(work: Work) -> None:
        if work.inputs.shape[1] == 40:
            raise RuntimeError("kernel gone")

    networks.hook = trouble
    bad = Background(begin(engine, "bad", photo_of(side=40)))
    good = Background(begin(engine, "good", photo_of(side=48)))
    failed = bad.last()
    assert isinstance(failed, Failed)
    assert failed.code == "unexpected"
    assert "kernel gone" not in failed.reason
    assert isinstance(good.last(), Rendered)


def test_memory_that_runs_out_has_its_own_sentence(
    engine: Engine, networks: HookedNetworks
) -> None:
    def trouble(work: Work) -> None:
        raise MemoryError

    networks.hook = trouble
    failed = last(begin(engine, "1"))
    assert isinstance(failed, Failed)
    assert failed.code == "memory_exhausted"
    assert "memory" in failed.reason


def test_a_missing_upscaler_fails_with_the_names_of_those_that_are_there(engine: Engine) -> None:
    failed = last(begin(engine, "1", request=replace(REQUEST, upscaler="RealESRGAN_x4plus")))
    assert isinstance(failed, Failed)
    assert failed.code == "network_missing"
    assert "builtin" in failed.reason


def test_the_engine_never_works_on_more_than_its_bound(
    engine: Engine, networks: HookedNetworks
) -> None:
    crowd = [Background(begin(engine, str(n), owner=str(n % 3))) for n in range(8)]
    assert all(isinstance(one.last(), Rendered) for one in crowd)
    assert networks.most_at_once == 1


def test_cancelling_stops_within_one_tile(engine: Engine, networks: HookedNetworks) -> None:
    networks.hold()
    job = Background(begin(engine, "1", photo_of(side=300)))  # 9 tiles of 128
    networks.began.acquire(timeout=60)
    engine.cancel("1")
    networks.release()
    assert isinstance(job.last(), Cancelled)
    assert networks.runs == 1


def test_a_waiting_photo_is_cancelled_at_once(engine: Engine, networks: HookedNetworks) -> None:
    networks.hold()
    working = Background(begin(engine, "working"))
    networks.began.acquire(timeout=60)
    waiting = begin(engine, "waiting")
    assert isinstance(next(waiting), Queued)
    assert engine.queue().waiting == 1
    engine.cancel("waiting")
    assert isinstance(last(waiting), Cancelled)
    assert engine.queue().waiting == 0
    networks.release()
    assert isinstance(working.last(), Rendered)


def test_a_reader_that_goes_away_cancels_its_photo(
    engine: Engine, networks: HookedNetworks
) -> None:
    networks.hold()
    events = engine.enhance(
        "1", "me", photo_of(side=300), REQUEST, choose_networks("builtin", 2, engine.facts())
    )
    assert isinstance(next(events), Queued)
    networks.began.acquire(timeout=60)
    events.close()
    networks.release()
    assert isinstance(last(begin(engine, "2")), Rendered)
    assert networks.runs == 2  # one tile of the first, one of the second


def test_owners_take_turns(engine: Engine, networks: HookedNetworks) -> None:
    networks.hold()
    order: list[str] = []

    def follow(name: str, owner: str) -> Background:
        def events() -> Iterator[Event]:
            for event in begin(engine, name, owner=owner):
                if isinstance(event, Started):
                    order.append(name)
                yield event

        return Background(events())

    jobs = [follow("a0", "a")]
    networks.began.acquire(timeout=60)
    for waiting, (name, owner) in enumerate((("a1", "a"), ("a2", "a"), ("b0", "b")), start=1):
        jobs.append(follow(name, owner))
        wait_until(lambda: engine.queue().waiting >= waiting)  # noqa: B023 - called at once
    networks.release()
    for job in jobs:
        job.last()
    assert order == ["a0", "b0", "a1", "a2"]


def test_closing_the_engine_ends_every_photo_with_a_sentence(
    networks: HookedNetworks, settings: Settings
) -> None:
    with open_engine(settings, networks=networks) as engine:
        networks.hold()
        jobs = [Background(begin(engine, str(n), photo_of(side=300))) for n in range(3)]
        networks.began.acquire(timeout=60)
        closing = threading.Thread(target=engine.close)
        closing.start()
        networks.release()
        closing.join(timeout=60)
        for job in jobs:
            failed = job.last()
            assert isinstance(failed, Failed)
            assert failed.code == "engine_stopped"
        assert isinstance(last(begin(engine, "late")), Failed)


class Measured:
    """Stands before ``prepare``: it waits until it is let go on, or raises what it is given."""

    def __init__(self, networks: HookedNetworks, monkeypatch: pytest.MonkeyPatch) -> None:
        self.error: Exception | None = None
        self.began, self.goes_on = threading.Event(), threading.Event()
        self.threads: list[str] = []
        self._known: set[float] = set()
        monkeypatch.setattr(networks, "prepare", self.prepare)
        monkeypatch.setattr(networks, "is_ready", self.is_ready)

    def is_ready(self, choice: Choice, denoise: float, *, fast: bool) -> bool:
        return not fast or denoise in self._known

    def prepare(self, choice: Choice, denoise: float, *, fast: bool) -> None:
        self.threads.append(threading.current_thread().name)
        self.began.set()
        assert self.goes_on.wait(timeout=60)
        if self.error is not None:
            raise self.error
        self._known.add(denoise)


@pytest.fixture
def measured(networks: HookedNetworks, monkeypatch: pytest.MonkeyPatch) -> Iterator[Measured]:
    stands = Measured(networks, monkeypatch)
    yield stands
    stands.goes_on.set()


FAST = replace(REQUEST, precision=Precision.FAST)


def test_while_a_network_is_measured_for_one_photo_others_are_done(
    engine: Engine, measured: Measured
) -> None:
    asks = Background(begin(engine, "asks", request=FAST))
    assert measured.began.wait(timeout=60)
    exact = replace(REQUEST, precision=Precision.EXACT)
    assert isinstance(last(begin(engine, "another's", owner="another", request=exact)), Rendered)
    assert [type(event) for event in asks.events] == [Queued, Progress]
    assert asks.events[1] == Progress(Stage.PREPARING)
    assert engine.queue().waiting == 1
    measured.goes_on.set()
    assert isinstance(asks.last(), Rendered)
    assert isinstance(last(begin(engine, "later", request=FAST)), Rendered)
    assert measured.threads == ["engine-calibration_0"]


def test_a_photo_whose_network_is_measured_is_cancelled_at_once(
    engine: Engine, measured: Measured
) -> None:
    asks = Background(begin(engine, "asks", request=FAST))
    behind = Background(begin(engine, "behind", request=FAST))
    assert measured.began.wait(timeout=60)
    for name, job in (("asks", asks), ("behind", behind)):
        engine.cancel(name)
        assert isinstance(job.last(), Cancelled)
    assert engine.queue().waiting == 0
    measured.goes_on.set()
    assert isinstance(last(begin(engine, "later", request=FAST)), Rendered)


def test_a_network_that_cannot_be_measured_fails_its_photo_alone(
    engine: Engine, measured: Measured
) -> None:
    measured.error = NetworkFailed("It gave nothing.")
    measured.goes_on.set()
    failed = last(begin(engine, "asks", request=FAST))
    assert isinstance(failed, Failed)
    assert failed.reason == "It gave nothing."
    measured.error = None
    assert isinstance(last(begin(engine, "later", request=FAST)), Rendered)


def test_closing_ends_photos_whose_network_is_measured(
    networks: HookedNetworks, settings: Settings, measured: Measured
) -> None:
    with open_engine(settings, networks=networks) as engine:
        jobs = [Background(begin(engine, str(n), request=FAST)) for n in range(2)]
        assert measured.began.wait(timeout=60)
        closing = threading.Thread(target=engine.close)
        closing.start()
        for job in jobs:
            failed = job.last()
            assert isinstance(failed, Failed)
            assert failed.code == "engine_stopped"
        measured.goes_on.set()
        closing.join(timeout=60)
        assert not closing.is_alive()


def test_open_engine_has_the_built_in_network_in_an_empty_folder(tmp_path: Path) -> None:
    with open_engine(Settings(device="cpu", offline=True, weights_dir=tmp_path)) as engine:
        assert "builtin" in engine.facts(wait=True).upscalers
        assert isinstance(last(begin(engine, "1")), Rendered)


def test_as_started_by_default_photos_of_every_depth_come_out_as_exact_ones(
    tmp_path: Path,
) -> None:
    """With nothing set, networks run in their fastest form that is near enough."""
    plain = photo_of(side=96)
    alpha = np.arange(96 * 96, dtype=np.uint8).reshape(96, 96)
    fine = replace(plain, pixels=plain.pixels.astype(np.uint16) * 257 + 100)
    kinds = (plain, replace(plain, alpha=alpha), fine, photo_of(side=3))
    settings = Settings(
        device="cpu", offline=True, weights_dir=tmp_path / "none", cache_dir=tmp_path / "cache"
    )
    with open_engine(settings) as engine:
        for number, photo in enumerate(kinds):
            rendered = last(begin(engine, f"{number} by default", photo))
            by_default = pixels_of(rendered)
            assert rendered.precision == "fast"
            wish = replace(REQUEST, precision=Precision.EXACT)
            exact = pixels_of(last(begin(engine, f"{number} exact", photo, request=wish)))
            assert by_default.dtype == exact.dtype == photo.pixels.dtype
            apart = np.abs(by_default / white_of(exact) - exact / white_of(exact))
            assert apart.mean() < 0.01


def test_of_files_that_arrive_at_once_none_is_forgotten(
    engine: Engine, networks: HookedNetworks, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    refresh, first_looked, second_done = networks.refresh, threading.Event(), threading.Event()

    def slowly(files: Mapping[str, Installed], *, loads: bool) -> None:
        if not first_looked.is_set():
            first_looked.set()
            second_done.wait(timeout=1)  # as where loading takes long
        refresh(files, loads=loads)

    monkeypatch.setattr(networks, "refresh", slowly)
    first = threading.Thread(target=engine.networks_arrived)
    first.start()
    assert first_looked.wait(timeout=60)
    shutil.copy(BUILTIN_FILE, settings.weights_dir / "mine.safetensors")
    engine.networks_arrived()
    second_done.set()
    first.join(timeout=60)
    assert "mine" in engine.facts().upscalers


@pytest.mark.parametrize("scale", [1.0, 1.5, 3.0, 8.0])
def test_any_scale_gives_the_size_that_was_asked_for(engine: Engine, scale: float) -> None:
    rendered = last(begin(engine, "1", photo_of(side=30), request=replace(REQUEST, scale=scale)))
    assert pixels_of(rendered).shape == (int(30 * scale), int(30 * scale), 3)


# On a device that computes batches: four tiles or four faces

TILES = Request(upscaler=LARGE, faces=Faces.NONE)
WITH_FACE = Request(upscaler=LARGE)
OWNERS = ("a", "b", "c")


@pytest.fixture
def stand_ins() -> StandInNetworks:
    return StandInNetworks((face_at(50, 50, 60),), tiles_at_once=4, faces_at_once=4)


@pytest.fixture
def batching(stand_ins: StandInNetworks, settings: Settings) -> Iterator[Engine]:
    with open_engine(settings, networks=stand_ins) as engine:
        yield engine


def one_tile(owner: str) -> Photo:
    """A photo of another place for each owner, of one size."""
    pixels = skimage_photo("astronaut")
    at = 60 * OWNERS.index(owner)
    return Photo(np.ascontiguousarray(pixels[at : at + 150, at : at + 150]), "a.png", "PNG")


def two_batches(owner: str) -> Photo:
    """2 x 3 tiles: four at the corners go together, then the two between them."""
    pixels = skimage_photo("astronaut")[:384, : 3 * 168]
    return Photo(np.ascontiguousarray(np.roll(pixels, OWNERS.index(owner), axis=0)), "a.png", "PNG")


def alone(photo: Photo, request: Request, settings: Settings) -> np.ndarray:
    """What comes of it where nobody else is, one picture at a time."""
    with open_engine(settings, networks=StandInNetworks((face_at(50, 50, 60),))) as engine:
        return pixels_of(last(begin(engine, "1", photo, request=request)))


def in_company(
    engine: Engine,
    networks: StandInNetworks,
    photos: Mapping[str, Photo],
    request: Request,
    then: Callable[[Work], None] = lambda work: None,
) -> dict[str, Background]:
    """The first owner's photo is current; the others come during its first run. Then ``then``."""
    first, *others = photos
    jobs: dict[str, Background] = {}
    is_there = threading.Event()

    def others_come(work: Work) -> None:
        networks.hook = then
        for waiting, owner in enumerate(others, start=1):
            jobs[owner] = Background(begin(engine, owner, photos[owner], owner, request))
            wait_until(lambda: engine.queue().waiting >= waiting)  # noqa: B023 - called at once
        is_there.set()

    networks.hook = others_come
    jobs[first] = Background(begin(engine, first, photos[first], first, request))
    assert is_there.wait(timeout=60)
    return jobs


def test_pictures_of_several_owners_are_computed_together_and_are_the_same_as_alone(
    batching: Engine, stand_ins: StandInNetworks, settings: Settings
) -> None:
    photos = {owner: one_tile(owner) for owner in OWNERS}
    jobs = in_company(batching, stand_ins, photos, WITH_FACE)
    for owner, job in jobs.items():
        expected = alone(photos[owner], WITH_FACE, settings)
        assert np.array_equal(pixels_of(job.last()), expected)
    assert stand_ins.batches == [
        ("detector", 1), ("detector", 1), ("detector", 1), ("restorer", 3), ("parser", 3),
        (LARGE, 3),
    ]  # fmt: skip


def test_each_photos_events_come_in_their_order_also_of_prefetched_ones(
    batching: Engine, stand_ins: StandInNetworks
) -> None:
    jobs = in_company(batching, stand_ins, {o: one_tile(o) for o in OWNERS}, WITH_FACE)
    names = {owner: [type(e).__name__ for e in job.events] for owner, job in jobs.items()
             if job.last()}  # fmt: skip
    assert names["a"] == names["b"] == names["c"] == [
        "Queued", "Started", "Progress", "FacesFound", "Progress", "Progress", "Progress",
        "Progress", "Rendered",
    ]  # fmt: skip


def test_gaps_are_filled_while_a_photo_needs_several_batches(
    batching: Engine, stand_ins: StandInNetworks, settings: Settings
) -> None:
    photos = {owner: two_batches(owner) for owner in OWNERS[:2]}
    working: list[int] = []
    jobs = in_company(
        batching, stand_ins, photos, TILES,
        lambda work: working.append(batching.queue().working),
    )  # fmt: skip
    for owner, job in jobs.items():
        expected = alone(photos[owner], TILES, settings)
        assert np.array_equal(pixels_of(job.last()), expected)
    assert [size for _, size in stand_ins.batches] == [4, 2, 4, 2], "no gap takes four"
    assert working == [2, 1, 1]
    assert batching.queue().working == 0


def test_a_culprit_fails_alone_also_in_a_batch_with_others(
    batching: Engine, stand_ins: StandInNetworks, settings: Settings
) -> None:
    photos = {owner: one_tile(owner) for owner in OWNERS}
    photos["b"] = photos["b"].with_pixels(np.zeros_like(photos["b"].pixels), None)

    def trouble(work: Work) -> None:
        if work.role is Role.UPSCALER and not all(picture.any() for picture in work.inputs):
            raise NetworkFailed("It gave no picture.")

    jobs = in_company(batching, stand_ins, photos, WITH_FACE, trouble)
    assert jobs["b"].last() == Failed("network_failed", "It gave no picture.")
    for owner in ("a", "c"):
        expected = alone(photos[owner], WITH_FACE, settings)
        assert np.array_equal(pixels_of(jobs[owner].last()), expected)
    assert stand_ins.batches[-3:] == [("parser", 3), (LARGE, 1), (LARGE, 1)]


def test_a_photo_that_was_begun_is_cancelled_while_another_is_current(
    batching: Engine, stand_ins: StandInNetworks
) -> None:
    photos = {owner: two_batches(owner) for owner in OWNERS[:2]}
    jobs = in_company(batching, stand_ins, photos, TILES, lambda work: batching.cancel("b"))
    assert isinstance(jobs["b"].last(), Cancelled)
    assert isinstance(jobs["a"].last(), Rendered)
    assert any(isinstance(event, Started) for event in jobs["b"].events)
    assert [size for _, size in stand_ins.batches] == [4, 2], "nothing of it was computed"
    assert batching.queue().working == 0


def test_closing_ends_also_those_that_were_prefetched(
    batching: Engine, stand_ins: StandInNetworks
) -> None:
    closing = threading.Thread(target=batching.close)

    def closes(work: Work) -> None:
        assert batching.queue().working == 3
        closing.start()
        assert stand_ins.stopped.wait(timeout=60)

    jobs = in_company(batching, stand_ins, {o: two_batches(o) for o in OWNERS}, TILES, closes)
    for job in jobs.values():
        failed = job.last()
        assert isinstance(failed, Failed)
        assert failed.code == "engine_stopped"
    closing.join(timeout=60)
    assert not closing.is_alive()
    assert len(stand_ins.batches) == 2


def test_the_real_network_gives_the_same_bytes_in_a_batch_of_several_photos(
    networks: HookedNetworks, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    names, sizes = ("chelsea", "coffee", "astronaut"), []
    facts = replace(networks.facts(), tiles_at_once=4)
    with open_engine(settings, networks=networks) as engine:
        expected = [pixels_of(last(begin(engine, name, photo_of(name, 100)))) for name in names]
    monkeypatch.setattr(networks, "facts", lambda: facts)
    networks.hook = lambda work: sizes.append(len(work.inputs))
    with open_engine(settings, networks=networks) as engine:
        networks.hold()
        crowd = [Background(begin(engine, name, photo_of(name, 100), name)) for name in names]
        wait_until(lambda: engine.queue().waiting + engine.queue().working == len(names))
        networks.release()
        for job, pixels in zip(crowd, expected, strict=True):
            assert np.array_equal(pixels_of(job.last()), pixels)
    assert max(sizes) >= 2, "nothing was computed together"
    assert sum(sizes) == len(names)
