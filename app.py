"""Starts the page: settings, then networks, then Gradio. Also what Hugging Face Spaces runs."""

import logging
import os
import sys
from collections.abc import MutableMapping, Sequence

from photoenhance_ui.settings import STATE_DIR, parse_settings


def prepare_environment(environment: MutableMapping[str, str]) -> None:
    """What Gradio reads when it is imported: nothing leaves the machine, files live with us."""
    environment["GRADIO_ANALYTICS_ENABLED"] = "False"
    environment["GRADIO_ANALYTICS_MAX_EVENTS"] = "1"  # else a table of the last 10,000 calls
    environment.setdefault("HF_HUB_OFFLINE", "1")
    environment.setdefault("GRADIO_TEMP_DIR", str(STATE_DIR / "files"))


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the page until it is stopped; gives the exit code."""
    settings = parse_settings(arguments)
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(name)s %(message)s")
    logging.getLogger("httpx").setLevel(logging.WARNING)
    prepare_environment(os.environ)
    try:
        from photoenhance_ui.ui.launch import serve  # noqa: PLC0415 - the environment comes first

        return serve(settings, STATE_DIR)
    except KeyboardInterrupt:  # before there was a page
        return 0


if __name__ == "__main__":
    sys.exit(main())
