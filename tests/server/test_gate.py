"""Who may speak to a real server, and what it says with its answers."""

import http.client
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from photoenhance_ui.errors import InvalidSetting
from photoenhance_ui.ui.launch import Running
from testing.hooked import HookedNetworks
from testing.photos import PhotoMaker
from testing.served import Served, serving_on

ALBUM = "https://album.test"


@pytest.fixture(scope="module")
def proxied(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    """A server that a proxy offers as https://photos.test/pe, and whose pages an album uses."""
    given: Any = {"root_path": "https://photos.test/pe", "allowed_origins": ALBUM}
    with serving_on(HookedNetworks, tmp_path_factory.mktemp("proxied"), **given) as (running, _):
        yield running


def port(served: Served) -> int:
    return httpx.URL(served.url).port or 80


@pytest.mark.parametrize("name", ["evil.test", "x.localhost", "localhost.", "127.0.0.1.evil.test"])
@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", "config"), ("POST", "gradio_api/upload"), ("GET", "gradio_api/queue/data"),
        ("POST", "gradio_api/queue/join"), ("GET", ""), ("GET", "theme.css"),
    ],
)  # fmt: skip
def test_what_was_sent_to_another_name_is_refused(
    served: Served, name: str, method: str, path: str
) -> None:
    headers = {"Host": f"{name}:{port(served)}"}
    answer = httpx.request(method, served.url + path, headers=headers)
    assert answer.status_code == 400
    assert "--allowed-hosts" in answer.json()["detail"]


@pytest.mark.parametrize("names", [[], ["localhost", "127.0.0.1"]])
def test_no_name_and_two_names_are_refused(served: Served, names: list[str]) -> None:
    connection = http.client.HTTPConnection("127.0.0.1", port(served), timeout=20)
    connection.putrequest("GET", "/config", skip_host=True)
    for name in names:
        connection.putheader("Host", f"{name}:{port(served)}")
    connection.endheaders()
    assert connection.getresponse().status == 400
    connection.close()


@pytest.mark.parametrize("origin", ["http://evil.test", "null", "http://localhost:1", "http://["])
@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", "config"), ("POST", "gradio_api/upload"), ("POST", "gradio_api/call/enhance"),
        ("POST", "gradio_api/cancel"), ("OPTIONS", "gradio_api/upload"), ("GET", ""),
    ],
)  # fmt: skip
def test_a_page_of_another_site_is_refused_and_reads_nothing(
    served: Served, origin: str, method: str, path: str
) -> None:
    headers = {"Origin": origin, "Access-Control-Request-Method": "POST"}
    answer = httpx.request(method, served.url + path, headers=headers)
    assert answer.status_code == 403
    assert not [name for name in answer.headers if name.startswith("access-control")]


@pytest.mark.parametrize("site", ["cross-site", "same-site"])
def test_what_another_site_loads_without_telling_its_origin_is_refused(
    served: Served, site: str
) -> None:
    image = {"Sec-Fetch-Site": site, "Sec-Fetch-Mode": "no-cors", "Sec-Fetch-Dest": "image"}
    link = {"Sec-Fetch-Site": site, "Sec-Fetch-Mode": "navigate", "Sec-Fetch-Dest": "document"}
    assert httpx.get(f"{served.url}config", headers=image).status_code == 403
    assert httpx.get(served.url, headers=link | {"Sec-Fetch-Dest": "iframe"}).status_code == 403
    assert httpx.post(f"{served.url}login", headers=link).status_code == 403
    assert httpx.get(served.url, headers=link).status_code == 200, "a link may be followed"


def test_the_page_itself_and_scripts_are_answered(served: Served) -> None:
    origin = served.url.rstrip("/")
    for headers in ({}, {"Origin": origin}, {"Sec-Fetch-Site": "same-origin"}):
        answer = httpx.get(f"{served.url}config", headers=headers)
        assert answer.status_code == 200
        assert "access-control-allow-origin" not in answer.headers


def test_a_page_that_was_named_may_ask_and_read(proxied: Running) -> None:
    answer = httpx.get(f"{proxied.url}config", headers={"Origin": ALBUM})
    assert answer.status_code == 200
    assert answer.headers["access-control-allow-origin"] == ALBUM
    asked = {"Origin": ALBUM, "Access-Control-Request-Method": "POST"}
    may = httpx.options(f"{proxied.url}gradio_api/upload", headers=asked)
    assert may.status_code == 200
    assert may.headers["access-control-allow-origin"] == ALBUM


def test_behind_a_proxy_it_goes_by_the_proxys_name(proxied: Running) -> None:
    headers = {"Host": "photos.test", "Origin": "https://photos.test"}
    answer = httpx.get(f"{proxied.url}config", headers=headers)
    assert answer.status_code == 200
    assert answer.json()["root"] == "https://photos.test/pe"


@pytest.mark.parametrize("header", ["X-Forwarded-Host", "X-Gradio-Server"])
@pytest.mark.parametrize("name", ["evil.test", "http://evil.test", "localhost, evil.test"])
def test_nobody_has_it_called_by_another_name(served: Served, header: str, name: str) -> None:
    for path in ("gradio_api/info", "config", ""):
        assert "evil.test" not in httpx.get(served.url + path, headers={header: name}).text


def test_a_proxys_own_name_is_believed(served: Served) -> None:
    headers = {"X-Forwarded-Host": f"localhost:{port(served)}", "X-Forwarded-Proto": "https"}
    told = httpx.get(f"{served.url}config", headers=headers).json()
    assert told["root"] == f"https://localhost:{port(served)}"


@pytest.mark.parametrize(
    "part", ["bytes=0-1,2-3", "bytes=0-0-0", "bytes=²-³", f"bytes=0-{'9' * 5000}", "bytes=-5", "x"]
)
def test_a_part_that_cannot_be_read_is_the_whole(
    served: Served, photo_file: PhotoMaker, part: str
) -> None:
    with photo_file().open("rb") as photo:
        uploaded = httpx.post(f"{served.url}gradio_api/upload", files={"files": photo}).json()[0]
    answer = httpx.get(f"{served.url}gradio_api/file={uploaded}", headers={"Range": part.encode()})
    assert answer.status_code == 200
    assert answer.content == photo_file().read_bytes()


def test_each_answer_says_what_a_browser_may_do_with_it(
    served: Served, photo_file: PhotoMaker
) -> None:
    with photo_file().open("rb") as photo:
        uploaded = httpx.post(f"{served.url}gradio_api/upload", files={"files": photo}).json()[0]
    for path in ("", "config", "theme.css", "nowhere", f"gradio_api/file={uploaded}"):
        headers = httpx.get(served.url + path).headers
        assert headers["x-content-type-options"] == "nosniff"
        assert headers["referrer-policy"] == "same-origin"
        assert "frame-ancestors 'self'" in headers["content-security-policy"]
    assert "sandbox" in headers["content-security-policy"], "a photo runs nothing"


@pytest.mark.parametrize("name", ["a.html", "a.svg", "a.xhtml", "a.js", "a.pdf", "a.txt", "a"])
@pytest.mark.parametrize("part", [{}, {"Range": "bytes=0-3"}])
def test_what_is_no_photo_is_saved_and_not_shown(
    served: Served, name: str, part: dict[str, str]
) -> None:
    files = {"files": (name, b"<script>alert(1)</script>")}
    uploaded = httpx.post(f"{served.url}gradio_api/upload", files=files).json()[0]
    headers = httpx.get(f"{served.url}gradio_api/file={uploaded}", headers=part).headers
    assert headers["content-disposition"].startswith("attachment")


@pytest.mark.parametrize(
    "path",
    [
        "file=http://photos.test/a.png", "file=https://photos.test/a.png", "file=HTTPS://a.test",
        "file/https://photos.test/a.png", "file=%68ttp://photos.test/", "file=%20http://photos.test",
    ],
)  # fmt: skip
def test_it_fetches_nothing_that_somebody_names(served: Served, path: str) -> None:
    for method in ("GET", "HEAD"):
        answer = httpx.request(method, f"{served.url}gradio_api/{path}")
        assert answer.status_code == 403
        assert method == "HEAD" or "fetches nothing" in answer.json()["detail"]


def test_cookies_do_not_go_along_from_other_sites(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    login = {"username": "me", "password": "correct horse"}
    with serving_on(HookedNetworks, tmp_path, auth="me:correct horse") as (running, _):
        answer = httpx.post(f"{running.url}login", data=login)
    assert answer.status_code == 200
    cookies = answer.headers.get_list("set-cookie")
    assert len(cookies) >= 2
    assert not [cookie for cookie in cookies if "samesite=none" in cookie.lower()]


def test_cookies_of_a_page_behind_https_are_sent_by_https_alone(tmp_path: Path) -> None:
    given = {"auth": "me:correct horse", "trusted_proxies": "127.0.0.1"}
    with serving_on(HookedNetworks, tmp_path, **given) as (running, _):
        login = {"username": "me", "password": "correct horse"}
        told = {"X-Forwarded-Proto": "https"}
        answers = [
            httpx.post(f"{running.url}login", data=login, headers=told),
            httpx.get(running.url, headers=told),
        ]
    cookies = [cookie for answer in answers for cookie in answer.headers.get_list("set-cookie")]
    assert len(cookies) >= 3
    assert all("secure" in cookie.lower().split("; ") for cookie in cookies)


def test_in_a_space_hugging_face_may_show_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SPACE_ID", "somebody/photos")
    monkeypatch.setenv("SPACE_HOST", "somebody-photos.hf.space")
    frame = {
        "Sec-Fetch-Site": "cross-site",
        "Sec-Fetch-Mode": "navigate",
        "Sec-Fetch-Dest": "iframe",
    }
    with serving_on(HookedNetworks, tmp_path) as (running, _):
        answer = httpx.get(running.url, headers={"Host": "somebody-photos.hf.space", **frame})
    assert answer.status_code == 200
    assert "https://huggingface.co" in answer.headers["content-security-policy"]
    assert "x-frame-options" not in answer.headers


@pytest.mark.parametrize(
    "path",
    [
        "gradio_api/deep_link?session_hash=mine", "gradio_api/component_server", "monitoring",
        "gradio_api/component_server/", "gradio_api/process_recording", "gradio_api/vibe-code",
        "gradio_api/vibe-edit", "gradio_api/dev/reload", "gradio_api/runs", "gradio_api/token",
        "gradio_api/stream/mine/1/1/playlist.m3u8", "gradio_api/stream/x/close",
        "gradio_api/custom_component/x/client/component/index.js", "monitoring/summary",
        "gradio_api/proxy=https://a.hf.space", "gradio_api", "gradio_api//queue/join", "docs",
        "pwa_icon/64", "?page=x", "/gradio_api/info", f"assets/{'a' * 5000}",
    ],
)  # fmt: skip
def test_what_nobody_here_uses_of_gradio_is_closed(served: Served, path: str) -> None:
    for method in ("GET", "POST"):
        answer = httpx.request(method, f"{served.url}{path}", json={"session_hash": "mine"})
        assert answer.status_code == 404
        assert answer.json() == {"detail": "There is nothing here."}


# Sessions


def test_a_session_is_its_first_visitors(served: Served) -> None:
    mine, other = httpx.Client(base_url=served.url), httpx.Client(base_url=served.url)
    for visitor in (mine, other):
        visitor.get("/")
        assert visitor.cookies
    join = {"data": [], "fn_index": 0, "session_hash": "mine"}
    mine.post("/gradio_api/queue/join", json=join)
    for asked in (
        other.post("/gradio_api/queue/join", json=join),
        other.post("/gradio_api/cancel", json={**join, "event_id": "x"}),
        other.get("/gradio_api/queue/data", params={"session_hash": "mine"}),
        other.get("/gradio_api/queue/data?session_hash=its&session_hash=mine"),
        other.get("/gradio_api/upload_progress?upload_id=x&session_hash=mine"),
        other.get("/gradio_api/call/status/mine"),
        other.post("/gradio_api/api/status", json=join),
        other.get("/gradio_api/heartbeat/mine"),
        httpx.get(f"{served.url}gradio_api/heartbeat/mine"),
    ):
        assert asked.status_code == 403
        assert asked.json()["detail"] == "This session is somebody else's. Load the page anew."
    assert mine.post("/gradio_api/cancel", json={**join, "event_id": "x"}).status_code == 200


@pytest.mark.parametrize("session", ["", "x" * 101, "x" * 400_000])
def test_a_session_has_a_short_name(served: Served, session: str) -> None:
    asked = {"session_hash": session, "event_id": "x", "data": [], "fn_index": 0}
    for path in ("cancel", "queue/join", "call/status"):
        answer = httpx.post(f"{served.url}gradio_api/{path}", json=asked)
        assert answer.status_code == 400
        assert "session hash" in answer.json()["detail"]


@pytest.mark.parametrize("path", ["call/enhance", "cancel", "reset", "run/status", "api/status"])
def test_no_call_may_be_long(served: Served, path: str) -> None:
    answer = httpx.post(f"{served.url}gradio_api/{path}", content=b"x" * 2_000_000)
    assert answer.status_code == 413


def test_a_body_that_is_too_long_is_not_read(served: Served) -> None:
    body = json.dumps({"data": ["x" * 5_000_000]})
    answer = httpx.post(f"{served.url}gradio_api/call/enhance", content=body)
    assert answer.status_code == 413


@pytest.mark.parametrize(
    "given",
    [
        {"allowed_hosts": "https://photos.test"}, {"allowed_hosts": "a b"},
        {"allowed_origins": "photos.test"}, {"allowed_origins": "https://photos.test/album"},
    ],
)  # fmt: skip
def test_what_names_no_host_or_origin_is_said_before_anything_starts(
    tmp_path: Path, given: dict[str, str]
) -> None:
    with (
        pytest.raises(InvalidSetting, match="--allowed-"),
        serving_on(HookedNetworks, tmp_path, **given),
    ):
        pass
