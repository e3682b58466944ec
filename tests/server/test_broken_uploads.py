"""Uploads that break off, over a real connection."""

import socket
from pathlib import Path
from urllib.parse import urlsplit

import httpx
import pytest

from testing.photos import PhotoMaker
from testing.served import Served, wait_until

PART = (
    b"--edge\r\nContent-Disposition: form-data; name=files; filename=a.png\r\n"
    b"Content-Type: image/png\r\n\r\n"
)


def connected(served: Served, sent: bytes, length: int) -> socket.socket:
    """A connection on which a part of an upload was sent."""
    address = urlsplit(served.url)
    assert address.hostname is not None and address.port is not None
    connection = socket.create_connection((address.hostname, address.port))
    connection.sendall(
        b"POST /gradio_api/upload HTTP/1.1\r\nHost: " + address.netloc.encode() + b"\r\n"
        b"Content-Type: multipart/form-data; boundary=edge\r\n"
        b"Content-Length: " + str(length).encode() + b"\r\n\r\n" + sent
    )
    return connection


def files(served: Served) -> set[Path]:
    folder = served.running.service.workspace.root.parent
    return {path for path in folder.rglob("*") if path.is_file()}


@pytest.mark.parametrize(
    "sent",
    [
        PART + b"x" * 1000,
        PART + b"x" * 300_000,
        PART,
        PART + b"whole\r\n" + PART + b"half",
        PART + b"whole\r\n--edge\r\nContent-Dispo",
    ],
    ids=["small", "large", "empty", "second", "header"],
)
def test_an_upload_that_breaks_off_leaves_nothing(served: Served, sent: bytes) -> None:
    before = files(served)
    connection = connected(served, sent, len(sent) + 1000)
    wait_until(lambda: files(served) != before)
    connection.close()
    wait_until(lambda: files(served) == before)


@pytest.mark.parametrize(
    "body",
    [
        PART.replace(b"a.png", b"..") + b"whole\r\n--edge--\r\n",
        PART.replace(b"; filename=a.png", b"") + b"text\r\n--edge--\r\n",
        PART.replace(b"=files", b"=other") + b"whole\r\n--edge--\r\n",
        PART + b"whole\r\n" + PART.replace(b"a.png", b'"a\0b"') + b"whole\r\n--edge--\r\n",
        PART + b"no end",
        b"nothing",
    ],
    ids=["no name", "no file", "other field", "odd name", "no end", "no part"],
)
def test_what_cannot_be_used_is_refused_and_leaves_nothing(served: Served, body: bytes) -> None:
    before = files(served)
    kind = {"Content-Type": "multipart/form-data; boundary=edge"}
    answer = httpx.post(f"{served.url}gradio_api/upload", content=body, headers=kind)
    assert 400 <= answer.status_code < 500
    assert files(served) == before


@pytest.mark.parametrize(
    "kind",
    [
        "multipart/form-data", "multipart/form-data; boundary=", "text/plain; boundary=edge",
        f"multipart/form-data; boundary={'x' * 300}",
        "multipart/form-data; boundary=edge; charset=punycode",
    ],
)  # fmt: skip
def test_what_is_no_form_is_told_so(served: Served, kind: str) -> None:
    headers = {"Content-Type": kind}
    answer = httpx.post(f"{served.url}gradio_api/upload", content=b"x", headers=headers)
    assert answer.status_code == 400
    assert "multipart/form-data" in answer.json()["detail"]


def test_the_name_of_an_upload_is_short(served: Served) -> None:
    address = f"{served.url}gradio_api/upload?upload_id={'x' * 101}"
    answer = httpx.post(address, files={"files": b"x"})
    assert answer.status_code == 400
    assert "upload_id" in answer.json()["detail"]


def test_a_part_that_is_no_file_is_not_read(served: Served) -> None:
    """It would be held in memory."""
    sent = PART.replace(b"; filename=a.png", b"") + b"x" * 1_000_000
    with connected(served, sent, 500_000_000) as connection:
        connection.settimeout(20)
        assert connection.recv(100).startswith(b"HTTP/1.1 4")


def test_a_whole_upload_is_there(served: Served, photo_file: PhotoMaker) -> None:
    photo = photo_file()
    address = f"{served.url}gradio_api/upload"
    answer = httpx.post(address, files={"files": (photo.name, photo.read_bytes())})
    (path,) = answer.raise_for_status().json()
    wait_until(Path(path).is_file)
    assert Path(path).read_bytes() == photo.read_bytes()
