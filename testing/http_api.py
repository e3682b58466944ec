"""Calls of the API over plain HTTP, as curl makes them."""

import json
from pathlib import Path
from typing import Any

import httpx

from photoenhance_ui.request import OPTIONS


def upload(url: str, path: Path) -> str:
    with path.open("rb") as file:
        answer = httpx.post(f"{url}gradio_api/upload", files={"files": (path.name, file)})
    (where,) = answer.raise_for_status().json()
    return str(where)


def file_data(url: str, path: Path) -> dict[str, Any]:
    return {
        "path": upload(url, path),
        "orig_name": path.name,
        "meta": {"_type": "gradio.FileData"},
    }


def called(url: str, data: list[Any]) -> list[tuple[str, Any]]:
    """The events of one call of ``/enhance``: kind and data."""
    return called_at(url, "enhance", data)


def called_at(url: str, endpoint: str, data: list[Any]) -> list[tuple[str, Any]]:
    """The events of one call: kind and data."""
    address = f"{url}gradio_api/call/{endpoint}"
    call = httpx.post(address, json={"data": data}, timeout=30).raise_for_status()
    events, kind = [], ""
    address = f"{address}/{call.json()['event_id']}"
    with httpx.stream("GET", address, timeout=60) as stream:
        for line in stream.iter_lines():
            if line.startswith("event: "):
                kind = line.removeprefix("event: ")
            elif line.startswith("data: ") and kind != "heartbeat":
                events.append((kind, json.loads(line.removeprefix("data: "))))
    return events


DEFAULTS = [str(o.default) if o.choices else o.default for o in OPTIONS]
