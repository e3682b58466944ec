"""What one owner may ask for at once: told in one sentence, and freed when photos end."""

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import httpx
import pytest
from gradio_client import handle_file
from gradio_client.exceptions import AppError

from photoenhance_ui.batches.batch import Batch
from photoenhance_ui.batches.storage import Workspace
from photoenhance_ui.engine.interface import Engine
from photoenhance_ui.errors import TooManyCalls, TooMuchAtOnce
from photoenhance_ui.request import Request
from photoenhance_ui.server.bounds import Bounds
from photoenhance_ui.server.calls import MAX_CALLS_WAITING
from photoenhance_ui.settings import FLAGS, Settings
from testing.hooked import HookedNetworks
from testing.photos import PhotoMaker
from testing.served import Served, serving_on, wait_until

WISH = Request(upscaler="none", faces="none")  # type: ignore[arg-type]


@contextmanager
def bounded(folder: Path, **bounds: str) -> Iterator[Served]:
    """A server with these bounds, whose networks can be held."""
    made: list[HookedNetworks] = []

    def networks(*arguments: Any) -> HookedNetworks:
        made.append(HookedNetworks(*arguments))
        return made[0]

    with serving_on(networks, folder, **bounds) as (running, settings):
        yield Served(running, made[0], settings)
        made[0].release()


@pytest.mark.parametrize(
    ("bounds", "said"),
    [
        ({"max_waiting_photos": "2", "max_photos": "2"}, "3 photos of yours would wait, and 2 may"),
        ({"max_waiting_megabytes": "0.01"}, r"MB of photos of yours would wait, and 0\.01 may"),
        ({"max_waiting_megapixels": "0.006"}, r"0\.0069\d* megapixels of yours .* and 0\.006 may"),
    ],
)
def test_more_than_may_wait_is_one_sentence_until_photos_end(
    photo_file: PhotoMaker, tmp_path: Path, bounds: dict[str, str], said: str
) -> None:
    with bounded(tmp_path, **bounds) as served:
        client, photos = served.client(), [handle_file(photo_file(n)) for n in ("coffee", "rocket")]
        served.networks.hold()
        running = client.submit(photos, api_name="/enhance")
        wait_until(lambda: served.running.service.engine.queue().working == 1)
        with pytest.raises(AppError, match=said):
            client.predict(photos[0], api_name="/enhance_one")
        served.networks.release()
        assert len(running.result(timeout=60)[1]) == 2
        _, row = client.predict(photos[0], api_name="/enhance_one")
        assert row["state"] == "done"


def test_who_has_many_calls_waiting_is_refused_and_others_are_not(
    photo_file: PhotoMaker, tmp_path: Path
) -> None:
    with bounded(tmp_path) as served:
        with photo_file().open("rb") as photo:
            files = {"files": photo}
            path = httpx.post(f"{served.url}gradio_api/upload", files=files).json()[0]
        served.networks.hold()
        asked = {"photo": {"path": path, "meta": {"_type": "gradio.FileData"}}}
        address = f"{served.url}gradio_api/call/v2/enhance_one"
        with httpx.Client() as many:
            codes = [many.post(address, json=asked).status_code for _ in range(MAX_CALLS_WAITING)]
            refused = many.post(address, json=asked)
        assert set(codes) == {200}
        assert refused.status_code == 429
        assert "wait already" in refused.json()["detail"]
        elsewhere = httpx.Client(transport=httpx.HTTPTransport(local_address="127.0.0.2"))
        with elsewhere:
            status = f"{served.url}gradio_api/call/v2/status"
            assert elsewhere.post(status, json={}).status_code == 200
        served.networks.release()
        wait_until(served.quiet, 120)


def test_more_calls_than_a_minute_takes_are_one_sentence(
    photo_file: PhotoMaker, tmp_path: Path
) -> None:
    with bounded(tmp_path, max_calls_per_minute="2") as served:
        client, photo = served.client(), handle_file(photo_file())
        for _ in range(2):
            client.predict(photo, upscaler="none", api_name="/enhance_one")
        with pytest.raises(AppError, match="more than 2 calls in a minute"):
            client.predict(photo, api_name="/enhance_one")


def test_calls_count_for_a_minute_and_for_who_made_them() -> None:
    now = [0.0]
    bounds = Bounds(Settings(max_calls_per_minute=2), clock=lambda: now[0])
    for second in (0.0, 50.0):
        now[0] = second
        bounds.note_call("me")
    with pytest.raises(TooManyCalls):
        bounds.note_call("me")
    bounds.note_call("you")
    now[0] = 61.0
    bounds.note_call("me")
    with pytest.raises(TooManyCalls):
        bounds.note_call("me")


def test_a_script_of_200_calls_at_10_a_second_passes() -> None:
    now = [0.0]
    bounds = Bounds(Settings(), clock=lambda: now[0])
    for number in range(200):
        now[0] = number / 10
        bounds.note_call("me")


def test_what_waits_counts_for_who_sent_it_and_no_more_once_it_ended(
    engine: Engine, settings: Settings, photo_file: PhotoMaker, tmp_path: Path
) -> None:
    settings = replace(settings, max_photos=2, max_waiting_photos=2)
    bounds, workspace = Bounds(settings), Workspace(tmp_path / "files")
    photos = [photo_file("coffee"), photo_file("rocket")]

    def begin() -> Batch:
        return Batch(engine, "anyone", WISH, workspace.new_batch(), settings)

    async def run(batch: Batch) -> None:
        async for _ in batch.changes():
            pass

    batch = bounds.fill("me", photos, begin)
    assert len(batch.ids) == 2
    with pytest.raises(TooMuchAtOnce):
        bounds.fill("me", photos[:1], begin)
    bounds.fill("you", photos, begin)
    asyncio.run(asyncio.wait_for(run(batch), timeout=60))
    bounds.fill("me", photos, begin)


def test_what_could_not_be_taken_in_does_not_count(
    settings: Settings, photo_file: PhotoMaker
) -> None:
    bounds = Bounds(replace(settings, max_photos=1, max_waiting_photos=1))

    def fail() -> Batch:
        raise OSError("no room")

    for _ in range(2):
        with pytest.raises(OSError, match="no room"):
            bounds.fill("me", [photo_file()], fail)


def test_the_bound_is_never_less_than_a_batch() -> None:
    defaults = {flag.name: flag.default for flag in FLAGS}
    assert defaults["max_waiting_photos"] >= defaults["max_photos"]
    assert defaults["max_waiting_megabytes"] >= defaults["max_photos"] * defaults["max_megabytes"]
    assert defaults["max_waiting_megapixels"] >= defaults["max_photos"] * defaults["max_megapixels"]
