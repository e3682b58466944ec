"""Logging in: passwords, keys, and how wrong ones are slowed."""

from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from gradio_client import Client, handle_file

from photoenhance_ui.server.logins import FORGOTTEN_S, Backoff
from photoenhance_ui.server.users import hash_of_key, hash_of_password, new_key
from testing.hooked import HookedNetworks
from testing.photos import PhotoMaker
from testing.served import serving_on

KEY = new_key()
LONGEST_S = 60.0


class Clock:
    """Stands still until it is moved."""

    now_s = 1000.0

    def __call__(self) -> float:
        return self.now_s


def test_each_wrong_try_waits_twice_as_long() -> None:
    clock = Clock()
    backoff = Backoff(2, LONGEST_S, clock)
    waits = []
    for _ in range(12):
        waits.append(backoff.wait_s("me"))
        backoff.failed("me")
    assert waits[:6] == [0, 0, 1, 2, 4, 8]
    assert max(waits) == LONGEST_S
    assert backoff.wait_s("you") == 0
    clock.now_s += LONGEST_S
    assert backoff.wait_s("me") == 0


def test_mistakes_are_forgotten_in_time_or_by_the_right_password() -> None:
    clock = Clock()
    backoff = Backoff(1, LONGEST_S, clock)
    backoff.failed("me")
    assert backoff.wait_s("me") > 0
    backoff.succeeded("me")
    assert backoff.wait_s("me") == 0
    for _ in range(5):
        backoff.failed("you")
    clock.now_s += FORGOTTEN_S + 1
    backoff.failed("you")
    assert backoff.wait_s("you") <= 1


@pytest.fixture(scope="module")
def url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    folder = tmp_path_factory.mktemp("users")
    people = (("ann", hash_of_password("correct horse")), ("bob", hash_of_key(KEY)))
    (folder / "users").write_text("".join(f"{n}:{s}\n" for n, s in people), "utf-8")
    with serving_on(HookedNetworks, folder, users=str(folder / "users")) as (running, _):
        yield running.url


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", "gradio_api/openapi.json"), ("GET", "gradio_api/heartbeat/me"),
        ("POST", "gradio_api/cancel"), ("POST", "gradio_api/reset"), ("GET", "gradio_api/app_id"),
        ("GET", "gradio_api/info"), ("GET", "config"), ("POST", "gradio_api/upload"),
        ("GET", "gradio_api/file=/etc/passwd"), ("GET", "gradio_api/token"), ("GET", "nowhere"),
        ("POST", "gradio_api/queue/join"), ("POST", "gradio_api/call/enhance"), ("GET", "runs"),
        ("GET", "gradio_api/queue/data?session_hash=me"), ("GET", "monitoring/summary"),
    ],
)  # fmt: skip
def test_nothing_answers_before_a_login(url: str, method: str, path: str) -> None:
    assert httpx.request(method, url + path, timeout=20).status_code == 401


def test_the_login_page_is_there_and_says_that_wrong_passwords_wait(url: str) -> None:
    page = httpx.get(url)
    assert page.status_code == 200
    assert "wrong passwords" in page.text
    assert "#pe-start" not in page.text


def test_a_password_lets_a_script_in(url: str, photo_file: PhotoMaker, tmp_path: Path) -> None:
    client = Client(url, auth=("ann", "correct horse"), verbose=False)
    file, row = client.predict(handle_file(photo_file()), api_name="/enhance_one")
    assert row["state"] == "done"
    assert Path(file).is_file()
    client.close()


def test_a_key_lets_a_script_in(url: str, photo_file: PhotoMaker) -> None:
    client = Client(url, headers={"Authorization": f"Bearer {KEY}"}, verbose=False)
    file, row = client.predict(handle_file(photo_file()), api_name="/enhance_one")
    assert row["state"] == "done"
    assert Path(file).is_file()
    client.close()


@pytest.mark.parametrize("scheme", ["Bearer ", "bearer ", "BEARER  "])
def test_the_word_before_a_key_has_no_case(url: str, scheme: str) -> None:
    headers = {"Authorization": f"{scheme}{KEY}"}
    assert httpx.get(f"{url}gradio_api/info", headers=headers).status_code == 200


def test_who_logs_out_ends_the_login_of_one_browser(tmp_path: Path) -> None:
    login = {"username": "us", "password": "correct horse"}
    with serving_on(HookedNetworks, tmp_path, auth="us:correct horse") as (running, _):
        mine, other = (httpx.Client(base_url=running.url) for _ in range(2))
        for browser in (mine, other):
            assert browser.post("/login", data=login).status_code == 200
        link = {"Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "navigate",
                "Sec-Fetch-Dest": "document"}  # fmt: skip
        assert mine.get("/logout", headers=link).status_code == 403, "by a link of another site"
        token = dict(mine.cookies)
        mine.get("/logout")
        again = httpx.get(f"{running.url}gradio_api/info", cookies=token)
        assert again.status_code == 401, "what was the login is none any more"
        assert other.get("/gradio_api/info").status_code == 200


@pytest.mark.parametrize(
    "value",
    ["Bearer pe_wrong", f"Basic {KEY}", KEY, "Bearer", "Bearer ä"],
    ids=["wrong", "basic", "bare", "none", "not ASCII"],
)
def test_a_wrong_key_lets_nobody_in(url: str, value: str) -> None:
    headers = {"Authorization": value.encode()}
    assert httpx.get(f"{url}gradio_api/info", headers=headers).status_code == 401


def guesses(url: str) -> list[httpx.Response]:
    """Nine wrong passwords of nine people, each said to come from another address."""
    return [
        httpx.post(
            f"{url}login",
            data={"username": f"u{number}", "password": "guess"},
            headers={"X-Forwarded-For": f"10.0.0.{number}"},
        )
        for number in range(9)
    ]


def test_a_proxy_that_was_named_tells_who_guesses(tmp_path: Path) -> None:
    given = {"auth": "me:correct horse", "trusted_proxies": "127.0.0.1"}
    with serving_on(HookedNetworks, tmp_path, **given) as (running, _):
        assert [answer.status_code for answer in guesses(running.url)] == [400] * 9


def test_wrong_passwords_are_slowed_with_one_sentence(url: str) -> None:
    """Last: this address has to wait afterwards, whatever a header says of it."""
    answers = guesses(url)
    codes = [answer.status_code for answer in answers]
    assert codes[:5] == [400] * 5
    assert set(codes[5:]) <= {400, 429}
    assert codes.count(429) >= 2
    refused = next(answer for answer in answers if answer.status_code == 429)
    assert refused.json()["detail"].startswith("There were too many wrong passwords.")
    assert int(refused.headers["Retry-After"]) >= 1
