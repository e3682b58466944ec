"""What a browser may do with each answer, said in headers."""

from dataclasses import dataclass

from starlette.datastructures import MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from photoenhance_ui.server.asgi import path_of

FRAMES_OF_SPACES = ("https://huggingface.co", "https://*.hf.space")
POLICY = (
    "default-src 'self'",
    "script-src 'self' 'unsafe-inline' 'unsafe-eval' blob:",
    "style-src 'self' 'unsafe-inline'",
    "img-src 'self' data: blob:",
    "media-src 'self' data: blob:",
    "font-src 'self' data:",
    "worker-src 'self' blob:",
    "connect-src 'self' data: blob:",
    "object-src 'none'",
    "base-uri 'self'",
    "form-action 'self'",
)
"""The page may load what is its own. Gradio writes scripts and styles into its page."""
POLICY_OF_FILES = "default-src 'none'; style-src 'unsafe-inline'; sandbox"
"""A photo that is opened by itself runs nothing, whatever it holds."""
FILES = "/gradio_api/file"
SHOWN_AS_FILES = ("image/avif", "image/bmp", "image/gif", "image/jpeg", "image/png", "image/tiff",
                  "image/webp")  # fmt: skip
"""Kinds that a browser may show by themselves; all others are saved, so that they run nothing."""


@dataclass(frozen=True)
class SecurityHeaders:
    """Adds to each answer the headers that say what a browser may do with it."""

    app: ASGIApp
    embedded: bool
    """Whether pages of Hugging Face show the server in a frame, and its cookies go along."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """An ASGI application."""

        async def send_with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                is_file = path_of(scope).startswith(FILES)
                self._add_policy(headers, POLICY_OF_FILES if is_file else "; ".join(POLICY))
                if is_file:
                    _save_all_but_pictures(headers)
                if not self.embedded:
                    _keep_cookies_here(headers, is_https=scope.get("scheme") == "https")
            await send(message)

        await self.app(scope, receive, send_with_headers)

    def _add_policy(self, headers: MutableHeaders, policy: str) -> None:
        frames = " ".join(("'self'", *(FRAMES_OF_SPACES if self.embedded else ())))
        headers["Content-Security-Policy"] = f"{policy}; frame-ancestors {frames}"
        headers["X-Content-Type-Options"] = "nosniff"
        headers["Referrer-Policy"] = "same-origin"
        if not self.embedded:
            headers["X-Frame-Options"] = "SAMEORIGIN"


def _save_all_but_pictures(headers: MutableHeaders) -> None:
    """Have the browser save a file that is no picture, and not show it."""
    disposition = headers.get("content-disposition", "")
    is_picture = headers.get("content-type", "").partition(";")[0] in SHOWN_AS_FILES
    if disposition.startswith("inline") and not is_picture:
        headers["Content-Disposition"] = f"attachment{disposition.removeprefix('inline')}"


def _keep_cookies_here(headers: MutableHeaders, *, is_https: bool) -> None:
    """Let cookies come back from this server's own pages alone, and over https where it is used."""
    cookies = headers.getlist("set-cookie")
    del headers["set-cookie"]
    for cookie in cookies:
        sent = cookie.replace("SameSite=none", "SameSite=lax")
        is_open = is_https and "; secure" not in sent.lower()
        headers.append("set-cookie", f"{sent}; Secure" if is_open else sent)
