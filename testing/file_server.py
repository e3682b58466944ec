"""A real HTTP server on this machine that serves one file, with the faults of real servers."""

import re
import threading
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager
from enum import Enum, auto
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

FILE_PATH = "/releases/file"


class Fault(Enum):
    """What one answer does instead of serving the file."""

    BREAKS_HALFWAY = auto()
    """Half of what was asked for, then the connection is gone."""
    STALLS_HALFWAY = auto()
    """Half of what was asked for, then nothing until ``release()``; the connection stays."""
    WRONG_BYTES = auto()
    OTHER_FILE = auto()
    """A page of another size, as a log-in page of a hotel is."""
    ENDLESS = auto()
    """No length, and far more bytes than the file has."""
    WRONG_START = auto()
    """A 206 that begins at another byte than asked for."""
    NOT_FOUND = auto()
    BROKEN_SERVER = auto()
    BUSY = auto()
    REDIRECTS = auto()
    REDIRECTS_FOR_EVER = auto()
    WAITS = auto()
    """Serves the file after ``release()``."""


class FileServer:
    """``faults`` are worked off one per request; afterwards the file is served as it should be."""

    def __init__(self, content: bytes) -> None:
        self.content = content
        self.faults: deque[Fault] = deque()
        self.knows_ranges = True
        self.ranges_asked: list[str | None] = []
        """The Range header of each request for the file."""
        self.url = ""
        self._released = threading.Event()

    def release(self) -> None:
        """End all waiting."""
        self._released.set()

    def answer(self, to: BaseHTTPRequestHandler) -> None:
        """Answer one GET."""
        self.ranges_asked.append(to.headers.get("Range"))
        start = self._start(to.headers.get("Range"))
        if start >= len(self.content):
            _refuse(to, 416)
            return
        match self.faults.popleft() if self.faults else None:
            case Fault.NOT_FOUND:
                _refuse(to, 404)
            case Fault.BROKEN_SERVER:
                _refuse(to, 500)
            case Fault.BUSY:
                _refuse(to, 429)
            case Fault.REDIRECTS:
                _redirect(to, FILE_PATH)
            case Fault.REDIRECTS_FOR_EVER:
                self.faults.append(Fault.REDIRECTS_FOR_EVER)
                _redirect(to, FILE_PATH)
            case Fault.OTHER_FILE:
                page = b"<html>Please log in</html>"
                _begin(to, 200, {"Content-Length": str(len(page))})
                to.wfile.write(page)
            case Fault.ENDLESS:
                _begin(to, 200, {})
                for _ in range(100):
                    to.wfile.write(self.content)
            case Fault.WRONG_START:
                wrong = max(0, start - 10)
                self._head(to, wrong)
                to.wfile.write(self.content[wrong:])
            case Fault.WRONG_BYTES:
                self._head(to, start)
                to.wfile.write(bytes(255 - byte for byte in self.content[start:]))
            case Fault.BREAKS_HALFWAY:
                self._head(to, start)
                to.wfile.write(self._half(start))
            case Fault.STALLS_HALFWAY:
                self._head(to, start)
                to.wfile.write(self._half(start))
                to.wfile.flush()
                self._released.wait(timeout=30)
            case Fault.WAITS:
                self._released.wait(timeout=30)
                self._head(to, start)
                to.wfile.write(self.content[start:])
            case None:
                self._head(to, start)
                to.wfile.write(self.content[start:])

    def _start(self, asked: str | None) -> int:
        found = re.fullmatch(r"bytes=(\d+)-", asked or "")
        return int(found[1]) if found and self.knows_ranges else 0

    def _half(self, start: int) -> bytes:
        return self.content[start : (start + len(self.content)) // 2]

    def _head(self, to: BaseHTTPRequestHandler, start: int) -> None:
        total = len(self.content)
        headers = {"Content-Length": str(total - start)}
        if start:
            headers["Content-Range"] = f"bytes {start}-{total - 1}/{total}"
        _begin(to, 206 if start else 200, headers)


def _begin(to: BaseHTTPRequestHandler, status: int, headers: dict[str, str]) -> None:
    to.send_response(status)
    for name, value in headers.items():
        to.send_header(name, value)
    to.end_headers()


def _refuse(to: BaseHTTPRequestHandler, status: int) -> None:
    _begin(to, status, {"Content-Length": "0"})


def _redirect(to: BaseHTTPRequestHandler, path: str) -> None:
    _begin(to, 302, {"Location": path, "Content-Length": "0"})


@contextmanager
def serving(content: bytes) -> Iterator[FileServer]:
    """A server that runs until the block ends."""
    file_server = FileServer(content)

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            try:
                file_server.answer(self)
            except ConnectionError:
                self.close_connection = True  # the client had enough

        def log_message(self, *_: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as http_server:
        file_server.url = f"http://127.0.0.1:{http_server.server_port}{FILE_PATH}"
        thread = threading.Thread(target=http_server.serve_forever, args=(0.02,))
        thread.start()
        try:
            yield file_server
        finally:
            file_server.release()
            http_server.shutdown()
            thread.join()
