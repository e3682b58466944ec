from photoenhance_ui.networks.on_openvino.layers import Weights

"""Weights that tell which of them a graph is made of."""

import numpy as np
from numpy.typing import NDArray


class Read(dict[str, NDArray[np.float32]]):
    """Weights that remember which of them were read."""

    def __init__(self, weights: Weights) -> None:
        super().__init__(weights)
        self.names: set[str] = set()

    def __getitem__(self, name: str) -> NDArray[np.float32]:
        self.names.add(name)
        return super().__getitem__(name)
