"""From settings to a page that answers: networks first, then the page, until it is stopped."""

import os
import signal
import socket
import time
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager, contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import FrameType

import gradio as gr
from fastapi.exceptions import RequestValidationError
from gradio.routes import App
from gradio.utils import get_upload_folder
from starlette.middleware import Middleware

from photoenhance_ui.errors import InvalidSetting
from photoenhance_ui.networks.resident import Networks
from photoenhance_ui.server.broken_uploads import BrokenUploads
from photoenhance_ui.server.calls import WellFormedCalls
from photoenhance_ui.server.deployment import trusted_proxies
from photoenhance_ui.server.failures import malformed, unforeseen
from photoenhance_ui.server.guard import Guard
from photoenhance_ui.server.logins import LOGIN_MESSAGE
from photoenhance_ui.server.service import Service, open_service
from photoenhance_ui.settings import Settings
from photoenhance_ui.ui import theme
from photoenhance_ui.ui.blocks import PageBlocks
from photoenhance_ui.ui.building import build_page
from photoenhance_ui.ui.gradio_logins import GradioLogins

MAX_WAITING = 2000
"""Calls that may wait for a handler; further ones are refused, because the server is full."""
MAX_SESSIONS = 200
"""Gradio keeps what it changed on the page for so many sessions, 0.13 MB each; each call of curl is
one. A page that is older than these works on: what is chosen there is checked by the Request."""
OUTER_WALL_BYTES = 1_000_000_000
"""An upload is refused as a whole above this; the limit of a photo is checked by the batch."""


@dataclass(frozen=True)
class Running:
    """A page that answers."""

    url: str
    share_url: str | None
    blocks: PageBlocks
    service: Service


@contextmanager
def serving(
    settings: Settings, state: Path, *, networks: Networks | None = None
) -> Iterator[Running]:
    """Load the networks, open the page, and keep it open until the block ends.

    ``networks`` computes in the place of the settings' own. Raises InvalidSetting with a sentence
    where the port is taken.
    """
    check_port(settings.host, settings.port)
    os.environ["FORWARDED_ALLOW_IPS"] = trusted_proxies(settings)  # uvicorn reads it
    guard = Guard.of(settings)
    files = Path(get_upload_folder())
    with open_service(settings, files, state, networks=networks) as service:
        blocks = build_page(service)
        blocks.queue(api_open=False, max_size=MAX_WAITING, default_concurrency_limit=10)
        try:
            _, local_url, share_url = _launch(blocks, settings, guard)
            if share_url:
                guard.hosts.add_url(share_url)
            yield Running(local_url, share_url, blocks, service)
        finally:
            blocks.close(verbose=False)


def serve(settings: Settings, state: Path) -> int:
    """Run the page until Ctrl-C or SIGTERM; gives the exit code."""
    signal.signal(signal.SIGTERM, _stop)
    try:
        with serving(settings, state) as running:
            url = settings.root_path if "://" in settings.root_path else running.url
            _say(f"PhotoEnhance is ready: open {url} in a browser. Ctrl-C stops it.")
            if running.share_url:
                _say(f"Public link: {running.share_url}")
            _wait(running.blocks)
    except InvalidSetting as error:
        _say(error.sentence)
        return 1
    except KeyboardInterrupt:
        pass
    return 0


def check_port(host: str, port: int) -> None:
    """Raise InvalidSetting with a sentence where nobody can listen there."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family, socket.SOCK_STREAM) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except (OSError, OverflowError) as error:
            raise InvalidSetting(
                f"Nothing can listen on {host}:{port} ({error}). "
                "Is another server running there? Choose another port with --port."
            ) from error


def _launch(blocks: PageBlocks, settings: Settings, guard: Guard) -> tuple[object, str, str | None]:
    return blocks.launch(
        server_name=f"[{settings.host}]" if ":" in settings.host else settings.host,
        server_port=settings.port or None,
        share=settings.share,
        auth=None if guard.logins is None else guard.logins.check,
        auth_message=None if guard.logins is None else LOGIN_MESSAGE,
        root_path=settings.root_path,
        prevent_thread_lock=True,
        quiet=True,
        show_error=False,
        max_file_size=max(OUTER_WALL_BYTES, 2 * settings.max_bytes),
        run_history=False,
        enable_monitoring=False,
        ssr_mode=False,
        strict_cors=True,
        allowed_paths=[get_upload_folder()],  # else it refuses names that begin with a dot
        footer_links=["api"],
        state_session_capacity=MAX_SESSIONS,
        app_kwargs={
            "lifespan": _behind(guard),
            "middleware": [
                Middleware(BrokenUploads),
                Middleware(WellFormedCalls, queue=blocks, uploads=Path(get_upload_folder())),
            ],
            "exception_handlers": {RequestValidationError: malformed, Exception: unforeseen},
        },
        favicon_path=theme.LOGO,
        theme=theme.make_theme(),
        css_paths=[theme.STYLESHEET],
    )


def _behind(guard: Guard) -> Callable[[App], AbstractAsyncContextManager[None]]:
    """The lifespan of an app that stands behind the guard.

    The checks come before everything of the app, Gradio's own checks too, before it first answers.
    """

    @asynccontextmanager
    async def lifespan(app: App) -> AsyncIterator[None]:
        inner = app.middleware_stack
        assert inner is not None, "the app is starting, which made it"
        app.middleware_stack = guard.before(inner, GradioLogins(app))
        yield

    return lifespan


def _wait(blocks: gr.Blocks) -> None:
    """Until somebody stops the program.

    Gradio's own way takes five seconds more then: it closes the server before it ends the streams
    by which it hears that a visitor goes.
    """
    while blocks.is_running:
        time.sleep(0.1)


def _stop(_signal: int, _frame: FrameType | None) -> None:
    raise KeyboardInterrupt


def _say(line: str) -> None:
    print(line, flush=True)  # noqa: T201 - the one line that a person waits for
