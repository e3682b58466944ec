"""The API through gradio_client and plain HTTP, as scripts use it."""

import io
import threading
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import pytest
from gradio_client import Client, handle_file
from gradio_client.exceptions import AppError
from PIL import Image

from photoenhance_ui.cli import main
from photoenhance_ui.events import Row
from photoenhance_ui.pipeline.contracts import Work
from photoenhance_ui.request import OPTIONS
from photoenhance_ui.server.service import sweep
from testing.http_api import DEFAULTS, called, file_data
from testing.photos import PhotoMaker
from testing.served import Served, wait_until, written

Answer = tuple[list[dict[str, Any]], list[dict[str, Any]]]


@pytest.fixture
def client(served: Served) -> Client:
    return served.client()


def uploaded(*paths: Path) -> list[Any]:
    return [handle_file(str(path)) for path in paths]


def answers(client: Client, paths: list[Path], **options: Any) -> list[Answer]:
    """What comes while photos are worked on, and what the call ends with."""
    job = client.submit(uploaded(*paths), **options, api_name="/enhance")
    return [*job, job.result(timeout=120)]


def states(report: list[dict[str, Any]]) -> list[str]:
    return [row["state"] for row in report]


def gallery_names(gallery: list[dict[str, Any]]) -> list[str]:
    return [Path(item["image"]["path"]).name for item in gallery]


def pixels(url: str, row: dict[str, Any]) -> np.ndarray[Any, Any]:
    """The result, fetched as a script would."""
    answer = httpx.get(f"{url}gradio_api/file={row['output']}").raise_for_status()
    with Image.open(io.BytesIO(answer.content)) as image:
        return np.asarray(image)


def test_four_photos_and_a_broken_one(
    client: Client, served: Served, photo_file: PhotoMaker, tmp_path: Path
) -> None:
    names = ("astronaut", "chelsea", "coffee", "rocket")
    photos = [photo_file(name, 96) for name in names]
    broken = written(tmp_path, "broken.jpg", b"no picture at all")
    seen = answers(client, [*photos[:2], broken, *photos[2:]], scale=2)

    assert len(seen) == 5 + 1, "one answer per finished or failed photo, and all at the end"
    gallery, report = seen[-1]
    assert states(report) == ["done", "done", "failed", "done", "done"]
    assert gallery_names(gallery) == [f"{name}_enhanced.png" for name in names]
    assert [row["name"] for row in report] == [
        "astronaut.png", "chelsea.png", "broken.jpg", "coffee.png", "rocket.png",
    ]  # fmt: skip
    assert report[2]["code"] == "not_a_photo"
    assert report[2]["reason"].startswith("This is no photo")
    for row in report:
        assert row.keys() == {"index", *Row("x").as_json()}
        if row["state"] == "done":
            assert (row["width"], row["height"], row["networks"]) == (192, 192, ["builtin"])
            assert pixels(served.url, row).shape == (192, 192, 3)


def test_each_answer_holds_what_is_new_and_the_result_holds_all(
    client: Client, photo_file: PhotoMaker, tmp_path: Path
) -> None:
    broken = written(tmp_path, "broken.jpg", b"no picture at all")
    photos = [photo_file("chelsea"), broken, photo_file("coffee"), photo_file("rocket")]
    *news, (gallery, report) = answers(client, photos)
    assert [len(new) for _, new in news] == [1] * 4
    assert sorted(row["index"] for _, (row,) in news) == [0, 1, 2, 3]
    for files, (row,) in news:
        assert row == report[row["index"]]
        assert [item["image"]["path"] for item in files] == [row["output"]] * (row["code"] is None)
    assert [row["index"] for row in report] == [0, 1, 2, 3]
    assert [row["name"] for row in report] == [path.name for path in photos]
    outputs = [row["output"] for row in report if row["output"] is not None]
    assert [item["image"]["path"] for item in gallery] == outputs


def test_the_first_answer_comes_while_the_others_wait(
    client: Client, served: Served, photo_file: PhotoMaker
) -> None:
    sizes: list[tuple[int, ...]] = []
    go_on = threading.Event()

    def wait(work: Work) -> None:
        sizes.append(work.inputs.shape)
        assert sizes[-1] == sizes[0] or go_on.wait(timeout=60)

    served.networks.hook = wait
    photos = [photo_file("chelsea", 40), photo_file("coffee", 50), photo_file("rocket", 60)]
    job = client.submit(uploaded(*photos), api_name="/enhance")
    _, (row,) = next(job)
    assert row["state"] == "done"
    go_on.set()
    assert states(job.result(timeout=60)[1]) == ["done"] * 3


def test_a_client_that_downloads_fetches_no_file_again_while_others_come(
    served: Served, photo_file: PhotoMaker, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fetched: list[str] = []
    stream = httpx.stream

    def counted(method: str, url: Any, **options: Any) -> Any:
        if "/file=" in str(url):
            fetched.append(str(url))
        return stream(method, url, **options)

    monkeypatch.setattr(httpx, "stream", counted)
    client = Client(served.url, verbose=False, download_files=tmp_path / "better")
    photos = [photo_file(name) for name in ("astronaut", "chelsea", "coffee", "rocket")]
    job = client.submit(uploaded(*photos), api_name="/enhance")
    came = [Path(item["image"]).name for gallery, _ in job for item in gallery]
    gallery, _ = job.result(timeout=60)
    assert [Path(item["image"]).name for item in gallery] == [
        f"{path.stem}_enhanced.png" for path in photos
    ]
    assert sorted(came) == sorted(Path(item["image"]).name for item in gallery)
    assert all(Path(item["image"]).is_file() for item in gallery)
    assert sorted(fetched) == sorted([*set(fetched)] * 2), "once as it came, once for the result"
    client.close()


def test_three_clients_at_once_get_what_each_gets_alone(
    served: Served, photo_file: PhotoMaker
) -> None:
    names = ("astronaut", "coffee", "rocket")
    photos = [photo_file(name, 150) for name in names]

    def enhanced(photo: Path) -> np.ndarray[Any, Any]:
        (_, report) = answers(served.client(), [photo], scale=2.5)[-1]
        return pixels(served.url, report[0])

    alone = [enhanced(photo) for photo in photos]
    with ThreadPoolExecutor(3) as at_once:
        together = list(at_once.map(enhanced, photos))
    for one, other in zip(alone, together, strict=True):
        assert one.shape == (375, 375, 3)
        np.testing.assert_array_equal(one, other)


def test_a_network_that_raises_fails_one_photo_alone(
    client: Client, served: Served, photo_file: PhotoMaker
) -> None:
    marked = photo_file("coffee", 40)

    def trouble(work: Work) -> None:
        if work.inputs.shape[1:3] == (40, 40):
            raise RuntimeError("out of order")

    served.networks.hook = trouble
    _, report = answers(client, [marked, photo_file("chelsea")])[-1]
    assert states(report) == ["failed", "done"]
    assert report[0]["reason"].endswith(".") and "out of order" not in report[0]["reason"]
    served.networks.hook = lambda work: None
    _, report = answers(client, [marked])[-1]
    assert states(report) == ["done"]


def test_a_cancelled_job_stops_within_one_tile(
    client: Client, served: Served, photo_file: PhotoMaker
) -> None:
    photos = [photo_file("astronaut", 400), photo_file("coffee", 300)]
    served.networks.hold()
    before = served.networks.runs
    job = client.submit(uploaded(*photos), api_name="/enhance")
    wait_until(lambda: served.networks.runs > before)
    job.cancel()
    wait_until(lambda: served.running.service.engine.queue().waiting == 0)
    served.networks.release()
    wait_until(served.quiet)
    assert served.networks.runs == before + 1


def test_a_client_that_is_gone_stops_what_it_asked_for(
    served: Served, photo_file: PhotoMaker
) -> None:
    client = served.client()
    before, tiles = served.networks.runs, 25
    served.networks.hook = lambda work: threading.Event().wait(0.3)
    client.submit(uploaded(photo_file("astronaut", 5 * 120)), api_name="/enhance")
    wait_until(lambda: served.networks.runs > before)
    client.close()
    wait_until(served.quiet)
    assert 1 <= served.networks.runs - before < tiles


def test_one_photo_by_itself(client: Client, served: Served, photo_file: PhotoMaker) -> None:
    photo = photo_file("chelsea", 64)
    file, row = client.predict(handle_file(str(photo)), scale=3, api_name="/enhance_one")
    assert (row["state"], row["width"]) == ("done", 192)
    assert Path(file["path"]) == Path(row["output"])
    _, report = answers(client, [photo], scale=3)[-1]
    np.testing.assert_array_equal(pixels(served.url, row), pixels(served.url, report[0]))


def test_one_photo_that_is_none(client: Client, tmp_path: Path) -> None:
    file, row = client.predict(
        handle_file(str(written(tmp_path, "notes.txt", b"words"))), api_name="/enhance_one"
    )
    assert file is None
    assert (row["state"], row["code"]) == ("failed", "not_a_photo")


def test_no_photo_at_all(client: Client) -> None:
    assert client.predict([], api_name="/enhance") == ([], [])
    with pytest.raises(AppError, match="No photo was given"):
        client.predict(None, api_name="/enhance_one")


@pytest.mark.parametrize(
    "name", ["файл.exe", "no_suffix", "..jpg", "写真 1.JPG", "a'b&c;d.png", "x" * 150 + ".png"]
)
def test_odd_names_refuse_nothing(
    client: Client, photo_file: PhotoMaker, tmp_path: Path, name: str
) -> None:
    odd = written(tmp_path / "odd", name, photo_file("coffee").read_bytes())
    gallery, report = answers(client, [odd, photo_file("chelsea")])[-1]
    assert states(report) == ["done", "done"]
    assert all(name.endswith("_enhanced.png") for name in gallery_names(gallery))


def test_a_photo_that_is_too_large_fails_alone(
    client: Client, photo_file: PhotoMaker, tmp_path: Path, served: Served
) -> None:
    heavy = written(tmp_path, "heavy.png", bytes(served.settings.max_bytes + 1))
    _, report = answers(client, [heavy, photo_file("chelsea")])[-1]
    assert states(report) == ["failed", "done"]
    assert report[0]["code"] == "file_too_large"


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"scale": 9}, "scale must be a number from 1 to 8"),
        ({"scale": "two"}, "scale must be a number"),
        ({"faces": "some"}, "faces must be one of"),
        ({"quality": 95.5}, "whole number"),
        ({"keep_metadata": "no"}, "keep_metadata"),
        ({"output_format": "gif"}, "output_format must be one of"),
    ],
)
def test_an_impossible_option_is_one_sentence(
    client: Client, photo_file: PhotoMaker, options: dict[str, Any], said: str
) -> None:
    with pytest.raises(AppError, match=said):
        client.predict(uploaded(photo_file()), **options, api_name="/enhance")


def test_an_upscaler_that_is_not_there_fails_the_photo(
    client: Client, photo_file: PhotoMaker
) -> None:
    _, report = answers(client, [photo_file()], upscaler="RealESRGAN_x4plus")[-1]
    assert states(report) == ["failed"]
    assert "RealESRGAN_x4plus" in report[0]["reason"]


def test_the_format_asked_for_is_the_format_of_the_bytes(
    client: Client, served: Served, photo_file: PhotoMaker
) -> None:
    for word, suffix, magic in (("jpeg", ".jpg", b"\xff\xd8"), ("webp", ".webp", b"RIFF")):
        _, (row,) = answers(client, [photo_file()], output_format=word)[-1]
        assert row["output"].endswith(f"_enhanced{suffix}")
        got = httpx.get(f"{served.url}gradio_api/file={row['output']}").content
        assert got.startswith(magic)


def test_every_option_is_a_named_parameter_with_its_default(client: Client) -> None:
    told = client.view_api(return_format="dict", print_info=False)["named_endpoints"]
    assert set(told) == {"/enhance", "/enhance_one", "/status", "/models"}
    for endpoint, first in (("/enhance", "photos"), ("/enhance_one", "photo")):
        parameters = told[endpoint]["parameters"]
        assert [p["parameter_name"] for p in parameters] == [first, *(o.name for o in OPTIONS)]
        for option, parameter in zip(OPTIONS, parameters[1:], strict=True):
            assert parameter["parameter_default"] == option.default


def test_status_and_models(client: Client) -> None:
    status = client.predict(api_name="/status")
    assert status["device"] == "cpu"
    assert status["networks"]["upscalers"] == ["builtin"]
    assert status["queue"] == {"working": 0, "waiting": 0}
    models = client.predict(api_name="/models")
    assert [m["name"] for m in models["models"] if m["installed"]] == ["builtin"]
    assert set(models["presets"]["everyday"]) == {option.name for option in OPTIONS}


def test_status_answers_while_every_handler_is_busy(served: Served, photo_file: PhotoMaker) -> None:
    served.networks.hold()
    photo = uploaded(photo_file())
    jobs = [
        served.client().submit(photo, api_name="/enhance")
        for _ in range(served.settings.handlers + 1)
    ]
    wait_until(lambda: served.running.service.engine.queue().waiting >= 2)
    wait_until(lambda: served.running.service.engine.queue().working == 1)
    queue = served.client().predict(api_name="/status")["queue"]
    assert queue == {"working": 1, "waiting": served.settings.handlers - 1}
    served.networks.release()
    for job in jobs:
        assert states(job.result(timeout=60)[1]) == ["done"]


# Plain HTTP, as with curl


@pytest.mark.parametrize("as_list", [True, False])
def test_curl_gets_each_photo_as_it_comes(
    served: Served, photo_file: PhotoMaker, as_list: bool
) -> None:
    given = file_data(served.url, photo_file())
    events = called(served.url, [[given] if as_list else given, *DEFAULTS])
    assert [kind for kind, _ in events] == ["generating", "complete"]
    for _, (gallery, report) in events:
        assert states(report) == ["done"]
        assert gallery_names(gallery) == ["chelsea_enhanced.png"]


def test_curl_gets_what_is_new_and_then_all(served: Served, photo_file: PhotoMaker) -> None:
    given = [file_data(served.url, photo_file(name)) for name in ("chelsea", "coffee")]
    events = called(served.url, [given, *DEFAULTS])
    assert [kind for kind, _ in events] == ["generating", "generating", "complete"]
    assert [[len(part) for part in value] for _, value in events] == [[1, 1], [1, 1], [2, 2]]


def test_what_is_no_file_gets_a_sentence(served: Served) -> None:
    (event,) = called(served.url, [["words"], *DEFAULTS])
    assert event[0] == "error"


def test_a_file_outside_is_not_read(served: Served, tmp_path: Path) -> None:
    secret = written(tmp_path, "secret.txt", b"mine")
    given = {"path": str(secret), "meta": {"_type": "gradio.FileData"}}
    (event,) = called(served.url, [[given], *DEFAULTS])
    assert event[0] == "error"
    got = httpx.get(f"{served.url}gradio_api/file={secret}")
    assert got.status_code == 403


def test_the_queue_cannot_be_passed_by(served: Served, photo_file: PhotoMaker) -> None:
    given = file_data(served.url, photo_file())
    answer = httpx.post(f"{served.url}gradio_api/run/enhance", json={"data": [[given], *DEFAULTS]})
    assert answer.status_code >= 400


def test_a_batch_outlasts_every_cleaning_age(
    client: Client, served: Served, photo_file: PhotoMaker, monkeypatch: pytest.MonkeyPatch
) -> None:
    """All that is older than nothing is swept before each tile: the batch loses nothing."""
    service = served.running.service
    monkeypatch.setattr(service, "settings", replace(service.settings, keep_hours=-1.0))
    served.networks.hook = lambda work: sweep(service, service.workspace.root.parent)
    photos = [photo_file(name, 200) for name in ("chelsea", "coffee", "rocket")]
    gallery, report = answers(client, photos)[-1]
    assert states(report) == ["done"] * 3
    assert all(Path(item["image"]["path"]).is_file() for item in gallery)
    sweep(service, service.workspace.root.parent)
    assert not any(Path(item["image"]["path"]).exists() for item in gallery)


def test_the_command_line_writes_the_same_bytes(
    client: Client, served: Served, photo_file: PhotoMaker, tmp_path: Path
) -> None:
    photo = photo_file("coffee", 90)
    row = client.predict(handle_file(str(photo)), scale=2, api_name="/enhance_one")[1]
    by_api = httpx.get(f"{served.url}gradio_api/file={row['output']}").raise_for_status().content
    settings = served.settings
    flags = ["--device", "cpu", "--offline", "--tile-px", settings.tile_px]
    flags += ["--weights-dir", str(settings.weights_dir), "--quiet"]
    assert main(["enhance", str(photo), "--output", str(tmp_path / "out"), *flags]) == 0
    (by_cli,) = (tmp_path / "out").iterdir()
    assert by_cli.name == Path(row["output"]).name
    assert by_cli.read_bytes() == by_api
