"""What the ASGI scope of a request tells, and how a request is refused."""

from starlette.datastructures import Headers
from starlette.requests import HTTPConnection
from starlette.responses import JSONResponse
from starlette.types import Receive, Scope, Send

from photoenhance_ui.server.hosts import Address


def host_of(scope: Scope) -> Address | None:
    """What the request calls the server; None where it names nothing, or several hosts."""
    named = Headers(scope=scope).getlist("host")
    return Address.of(named[0]) if len(named) == 1 else None


def port_of(scope: Scope) -> int:
    """The port at which the request came in."""
    server = scope.get("server")
    return int(server[1] or 0) if server else 0


def path_of(scope: Scope) -> str:
    """The path of a request below the folder at which a proxy offers the server."""
    path, root = str(scope.get("path", "")), str(scope.get("root_path", "")).rstrip("/")
    return path[len(root) :] if root and path.startswith(f"{root}/") else path


def address_of(scope: Scope) -> str:
    """The sender's address, as the server or a proxy that was named knows it; "": unknown."""
    client = scope.get("client")
    return str(client[0]) if client else ""


def cookies_of(scope: Scope) -> dict[str, str]:
    """The request's cookies by name."""
    return HTTPConnection(scope).cookies


def without_header(scope: Scope, name: bytes) -> Scope:
    """The request as if it had been sent without this header."""
    return {**scope, "headers": [(n, value) for n, value in scope["headers"] if n != name]}


def with_cookie(scope: Scope, cookie: str) -> Scope:
    """The request as if it had been sent with this ``NAME=VALUE`` before its other cookies."""
    others = [value for name, value in scope["headers"] if name == b"cookie"]
    kept = [(name, value) for name, value in scope["headers"] if name != b"cookie"]
    together = b"; ".join((cookie.encode(), *others))
    return {**scope, "headers": [*kept, (b"cookie", together)]}


async def refuse(scope: Scope, receive: Receive, send: Send, status: int, sentence: str) -> None:
    """Answer with a status and a sentence as JSON; a WebSocket is closed with it."""
    if scope["type"] == "websocket":
        await send({"type": "websocket.close", "code": 1008, "reason": sentence})
        return
    await JSONResponse({"detail": sentence}, status)(scope, receive, send)
