"""Calls that cannot be right, over plain HTTP: 4xx and a sentence, and no traceback in the log."""

from typing import Any

import httpx
import pytest
from gradio_client import Client, handle_file
from gradio_client.exceptions import AppError

from photoenhance_ui.request import OPTIONS
from testing.http_api import DEFAULTS, called_at, file_data
from testing.photos import PhotoMaker
from testing.served import Served

META = {"_type": "gradio.FileData"}
COLOUR = {"photos": [], "colour": "red"}


@pytest.fixture(autouse=True)
def no_traceback(capfd: pytest.CaptureFixture[str]) -> Any:
    """Whatever a client gets wrong is none of the log's business."""
    yield
    told = capfd.readouterr()
    assert "Traceback" not in told.out + told.err


def posted(served: Served, path: str, **content: Any) -> tuple[int, str]:
    answer = httpx.post(f"{served.url}gradio_api/{path}", timeout=30, **content)
    return answer.status_code, answer.json()["detail"]


@pytest.mark.parametrize(
    ("path", "body", "status", "said"),
    [
        ("call/enhance", {"data": []}, 400, "/enhance takes 10 arguments (photos, scale"),
        ("call/enhance", {"data": [[], *DEFAULTS, 1]}, 400, "not 11."),
        ("call/enhance", {"data": "words"}, 400, "must be a list"),
        ("call/enhance", {}, 400, "must be a list"),
        ("call/enhance", [1], 400, "JSON object"),
        ("call/nothing", {"data": []}, 404, "no endpoint named 'nothing'; there are: /enhance"),
        ("call/v2/nothing", {}, 404, "no endpoint named 'nothing'"),
        ("call/v2/enhance", {}, 400, "/enhance needs the argument 'photos'."),
        ("call/v2/enhance", COLOUR, 400, "none named 'colour'."),
        ("run/nothing", {"data": []}, 404, "no endpoint named 'nothing'"),
        ("queue/join", {}, 400, "must be a list"),
        ("queue/join", {"data": []}, 404, "no event with the number None"),
        ("queue/join", {"data": [], "fn_index": 999}, 404, "no event with the number 999"),
        ("queue/join", {"data": [], "session_hash": 7}, 400, "session hash is a text"),
        ("queue/join", {"data": [], "session_hash": "x" * 101}, 400, "session hash is a text"),
        ("cancel", {}, 422, "body.session_hash"),
    ],
)
def test_a_call_of_the_wrong_form_gets_a_sentence(
    served: Served, path: str, body: Any, status: int, said: str
) -> None:
    code, told = posted(served, path, json=body)
    assert code == status
    assert said in told


def test_an_event_with_too_few_values_gets_a_sentence(served: Served) -> None:
    config = httpx.get(f"{served.url}config").json()
    (event,) = [one for one in config["dependencies"] if one["api_name"] == "enhance"]
    body = {"data": [[]], "fn_index": event["id"], "session_hash": "x"}
    assert posted(served, "queue/join", json=body) == (400, "The event takes 10 values, not 1.")


@pytest.mark.parametrize("body", [b"", b"{", b"words", b"[" * 100_000, b'{"data": NaN'])
def test_what_is_no_json_gets_a_sentence(served: Served, body: bytes) -> None:
    assert posted(served, "call/enhance", content=body) == (400, "The body must be a JSON object.")


def test_a_call_of_many_megabytes_is_refused_before_it_is_read(served: Served) -> None:
    code, told = posted(served, "call/enhance", json={"data": [[], "9" * 10**7, *DEFAULTS[1:]]})
    assert code == 413
    assert len(told) < 200


@pytest.mark.parametrize("address", ["call/enhance/none", "call/v2/enhance/none"])
def test_a_call_that_nobody_made_is_told_so(served: Served, address: str) -> None:
    answer = httpx.get(f"{served.url}gradio_api/{address}")
    assert (answer.status_code, answer.json()["detail"]) == (
        404, "There is no call with the number 'none'.",
    )  # fmt: skip


def test_a_session_that_nobody_opened_is_told_so(served: Served) -> None:
    answer = httpx.get(f"{served.url}gradio_api/queue/data", params={"session_hash": "none"})
    assert '"session_not_found":true' in answer.text


@pytest.mark.parametrize(
    ("photo", "said"),
    [
        (None, "No photo was given."),
        ("/etc/passwd", "photo must be one uploaded file"),
        ("https://example.org/a.png", "photo must be one uploaded file"),
        ([], "photo must be one uploaded file"),
        (7, "photo must be one uploaded file"),
        ({"path": 7, "meta": META}, "photo must be one uploaded file"),
        ({"path": "/etc/passwd", "meta": META}, "uploaded first"),
        ({"path": "https://example.org/a.png", "meta": META}, "uploaded first"),
        ({"path": "\0", "meta": META}, "uploaded first"),
    ],
)
def test_what_is_no_photo_is_told_so(served: Served, photo: Any, said: str) -> None:
    for endpoint, given in (("enhance_one", photo), ("enhance", [photo])):
        ((kind, told),) = called_at(served.url, endpoint, [given, *DEFAULTS])
        assert kind == "error"
        if endpoint == "enhance_one":
            assert said in told["error"]
        else:
            assert "uploaded" in told["error"]


def test_a_file_without_its_meta_is_told_so(served: Served, photo_file: PhotoMaker) -> None:
    given = {**file_data(served.url, photo_file()), "meta": {}}
    for endpoint, photo in (("enhance_one", given), ("enhance", [given])):
        ((kind, told),) = called_at(served.url, endpoint, [photo, *DEFAULTS])
        assert (kind, "gradio.FileData" in told["error"]) == ("error", True)


@pytest.mark.parametrize("place", range(len(OPTIONS)))
def test_a_long_option_is_not_repeated(served: Served, place: int) -> None:
    options = [*DEFAULTS[:place], "9" * 100_000, *DEFAULTS[place + 1 :]]
    ((kind, told),) = called_at(served.url, "enhance", [[], *options])
    assert kind == "error"
    assert OPTIONS[place].name in told["error"]
    assert len(told["error"]) < 300


def test_more_photos_than_a_batch_takes_are_refused_in_one_answer(
    served: Served, photo_file: PhotoMaker
) -> None:
    most = served.settings.max_photos
    given = [file_data(served.url, photo_file())] * (most + 1)
    ((kind, told),) = called_at(served.url, "enhance", [given, *DEFAULTS])
    assert kind == "error"
    assert f"{most + 1} photos" in told["error"] and f"{most} at most" in told["error"]


def test_the_client_is_told_the_same(served: Served) -> None:
    client = Client(served.url, verbose=False, download_files=False)
    with pytest.raises(AppError, match="uploaded first"):
        client.predict(handle_file("http://127.0.0.1:9/a.png"), api_name="/enhance_one")
