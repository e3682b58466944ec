"""What the server holds for readers, and for how long."""

import httpx

from photoenhance_ui.ui.blocks import IDLE_S
from testing.http_api import DEFAULTS, file_data
from testing.photos import PhotoMaker
from testing.served import Served, wait_until


def test_a_call_that_nobody_reads_is_forgotten_after_a_while(
    served: Served, photo_file: PhotoMaker
) -> None:
    address = f"{served.url}gradio_api/call/enhance"
    blocks = served.running.blocks
    body = {"data": [[file_data(served.url, photo_file())], *DEFAULTS]}

    def call() -> str:
        event_id: str = httpx.post(address, json=body).raise_for_status().json()["event_id"]
        wait_until(lambda: event_id not in blocks.calls_waiting())
        return event_id

    read, unread, now = call(), call(), 1e9
    for _ in range(3):
        blocks.forget_idle(now)  # looks once in a while, however often it is asked
    assert "event: complete" in httpx.get(f"{address}/{read}").text
    late = call()
    blocks.forget_idle(now + IDLE_S)
    assert httpx.get(f"{address}/{unread}").status_code == 404
    assert "event: complete" in httpx.get(f"{address}/{late}").text
