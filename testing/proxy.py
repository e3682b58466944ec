"""A reverse proxy, as hosts and people put one before the server: under a path, with TLS or not."""

import socket
import threading
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import httpx
import trustme
import uvicorn
from starlette.applications import Starlette
from starlette.background import BackgroundTask
from starlette.requests import Request
from starlette.responses import Response, StreamingResponse
from starlette.routing import Route

METHODS = ("GET", "HEAD", "POST", "OPTIONS")
PASSED_ON_ANEW = ("transfer-encoding", "connection", "content-encoding", "content-length")
"""What is between a proxy and one of its two sides alone."""


@dataclass
class Proxy:
    """It listens, at its port, before it knows whom it stands before."""

    path: str
    port: int = 0
    target: str = ""
    """The server's own address, ending in a slash."""

    async def passed_on(self, request: Request) -> Response:
        """The server's answer, piece by piece as it comes."""
        below = request.url.path.removeprefix(self.path).lstrip("/")
        query = f"?{request.url.query}" if request.url.query else ""
        assert request.client is not None
        told = {
            "x-forwarded-for": request.client.host,
            "x-forwarded-proto": request.url.scheme,
        }
        client = httpx.AsyncClient(timeout=None, trust_env=False)
        asked = client.build_request(
            request.method,
            f"{self.target}{below}{query}",
            headers={**request.headers, **told},
            content=request.stream(),
        )
        answer = await client.send(asked, stream=True)

        async def pieces() -> AsyncIterator[bytes]:
            async for piece in answer.aiter_bytes():
                yield piece

        response = StreamingResponse(
            pieces(), answer.status_code, background=BackgroundTask(client.aclose)
        )
        for name, value in answer.headers.multi_items():
            if name not in PASSED_ON_ANEW:
                response.headers.append(name, value)
        return response


@contextmanager
def proxy(folder: Path, *, path: str = "", names: tuple[str, ...] = ()) -> Iterator[Proxy]:
    """A proxy at a path, with TLS for these names where there are any."""
    made = Proxy(path)
    routes = [
        Route(f"{path}/{{rest:path}}", made.passed_on, methods=list(METHODS)),
        Route("/{rest:path}", lambda _: Response(status_code=204)),  # what else stands there
    ]
    with serving_app(Starlette(routes=routes), folder, names) as made.port:
        yield made


@contextmanager
def serving_app(app: Starlette, folder: Path, names: tuple[str, ...] = ()) -> Iterator[int]:
    """The application at a free port of loopback, with TLS for these names where there are any."""
    certificate = None
    if names:
        certificate = folder / f"{names[0]}.pem"
        trustme.CA().issue_cert(*names).private_key_and_cert_chain_pem.write_to_path(certificate)
    listening = socket.create_server(("127.0.0.1", 0))
    server = uvicorn.Server(
        uvicorn.Config(app, ssl_certfile=certificate, log_level="error", lifespan="off")
    )
    running = threading.Thread(target=server.run, args=([listening],))
    running.start()
    try:
        yield listening.getsockname()[1]
    finally:
        server.should_exit = server.force_exit = True
        running.join()
        listening.close()
