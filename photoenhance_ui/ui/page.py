"""The page's handlers, by the part of the page that they belong to."""

from photoenhance_ui.server.service import Service
from photoenhance_ui.ui.batch_handlers import BatchHandlers
from photoenhance_ui.ui.download_handlers import DownloadHandlers
from photoenhance_ui.ui.network_handlers import NetworkHandlers
from photoenhance_ui.ui.option_handlers import OptionHandlers
from photoenhance_ui.ui.viewer_handlers import ViewerHandlers
from photoenhance_ui.ui.visits import Visits


class Page:
    """What happens where a person does something on the page; each handler asks the service."""

    def __init__(self, service: Service) -> None:
        self.service = service
        self.visits = Visits(service)
        self.batches = BatchHandlers(self.visits)
        self.viewer = ViewerHandlers(self.visits, self.batches)
        self.downloads = DownloadHandlers(self.visits)
        self.options = OptionHandlers(self.visits)
        self.networks = NetworkHandlers(self.visits)
