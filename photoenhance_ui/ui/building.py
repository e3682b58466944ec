"""The whole app, built of its parts: the page, its handlers, and the API."""

from photoenhance_ui.server.service import Service
from photoenhance_ui.ui.api import build_api
from photoenhance_ui.ui.blocks import PageBlocks
from photoenhance_ui.ui.labels import Labels
from photoenhance_ui.ui.layout import make_screen
from photoenhance_ui.ui.page import Page
from photoenhance_ui.ui.texts import ENGLISH
from photoenhance_ui.ui.wiring import wire


def build_page(service: Service) -> PageBlocks:
    """The page and the API, ready to be launched."""
    page, labels = Page(service), Labels()
    blocks = PageBlocks(title=ENGLISH("title"), analytics_enabled=False)
    with blocks:
        screen = make_screen(page, labels)
        wire(blocks, page, screen, labels, service.settings.handlers)
        build_api(service)
    return blocks
