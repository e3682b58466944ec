"""What Gradio remembers of the page's visitors, and what works without it."""

from typing import Any

import httpx

from photoenhance_ui.request import OPTIONS
from photoenhance_ui.ui.launch import MAX_SESSIONS
from testing.http_api import DEFAULTS, file_data
from testing.photos import PhotoMaker
from testing.served import Served


def asked(served: Served, session: str, number: int, data: list[Any]) -> str:
    """What an event of the page answers to a session, as it comes."""
    body = {"data": data, "fn_index": number, "session_hash": session}
    httpx.post(f"{served.url}gradio_api/queue/join", json=body).raise_for_status()
    stream = httpx.get(f"{served.url}gradio_api/queue/data", params={"session_hash": session})
    return stream.text


def test_a_session_that_gradio_has_forgotten_may_choose_any_network(
    served: Served, photo_file: PhotoMaker
) -> None:
    config = httpx.get(f"{served.url}config").json()
    photos, token = [file_data(served.url, photo_file())], served.running.service.owners.new_token()
    options = [*DEFAULTS]
    options[[option.name for option in OPTIONS].index("upscaler")] = "of_my_own"
    (press,) = [one for one in config["dependencies"] if len(one["inputs"]) == 2 + len(OPTIONS)]
    told = asked(served, "forgotten", press["id"], [photos, token, *options])
    assert '"success":true' in told


def test_sessions_are_forgotten_the_oldest_first(served: Served) -> None:
    config = httpx.get(f"{served.url}config").json()
    (status,) = [one for one in config["dependencies"] if one["api_name"] == "status"]
    for number in range(MAX_SESSIONS + 5):
        asked(served, f"passing-{number}", status["id"], [])
    kept = served.running.blocks.state_holder.session_data
    assert len(kept) == MAX_SESSIONS
    assert "passing-0" not in kept
