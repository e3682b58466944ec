"""Networks on a CPU, compiled by OpenVINO: in 32 bits, or in a fast form of fewer."""

from collections.abc import Callable, Sequence
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import openvino as ov
from numpy.typing import NDArray

from photoenhance_ui.errors import NetworkFailed
from photoenhance_ui.networks.on_openvino.compilation import CompiledGraphs, fingerprint_of
from photoenhance_ui.networks.on_openvino.layers import Depth, Quantized, Weights
from photoenhance_ui.networks.on_openvino.upscaler_graph import UpscalerLayers, upscaler_graph
from photoenhance_ui.networks.padding import pad_to_multiple
from photoenhance_ui.networks.retinaface import Answers, find_faces
from photoenhance_ui.networks.state_dicts import interpolated
from photoenhance_ui.photo import Pixels
from photoenhance_ui.pipeline.contracts import DetectedFace

EXACT: Quantized = {}

RestorerGraph = Callable[[Weights, Depth], ov.Model]
"""Builds (N, 512, 512, 3) levels -> restored levels, and a total that is finite where all are."""
ParserGraph = Callable[[Weights, Depth, int], ov.Model]
"""Builds (N, 512, 512, 3) levels -> (N, 512, 512), 255 where face; from faces so much smaller."""


class CompiledNetwork:
    """A network as compiled graphs."""

    _graphs: CompiledGraphs

    def check(self) -> None:
        """Build a graph and let it go: raises whatever is wrong with the weights."""
        self._graphs.check()

    def release_memory(self) -> None:
        """Let go of what is held between calls."""
        self._graphs.release_memory()


def _checked(total: NDArray[Any], network: str) -> None:
    """Raise NetworkFailed where the total of the values is no finite number."""
    if not np.isfinite(total):
        raise NetworkFailed(
            f"The network {network} gave values that are no picture. Another one may work."
        )


class CompiledDetector(CompiledNetwork):
    """RetinaFace, always exact; ``graph`` is built of the weights that ``read`` gives."""

    def __init__(
        self, name: str, read: Callable[[], Weights], graph: Callable[[Weights], ov.Model]
    ) -> None:
        self.name = name
        self._graphs = CompiledGraphs(lambda _, __: graph(read()), fast=False)

    def __call__(self, images: Sequence[NDArray[np.uint8]]) -> list[list[DetectedFace]]:
        """Each (H, W, 3) uint8 RGB -> its faces, best score first."""
        return [find_faces(self._answers, image) for image in images]

    def _answers(self, picture: NDArray[np.uint8]) -> Answers:
        boxes, landmarks, scores = self._graphs.answer(picture[None])
        return Answers(boxes[0], landmarks[0], scores[0])


class CompiledRestorer(CompiledNetwork):
    """A face restorer, of which the same face gives the same result each time.

    ``graph`` is built of the weights that ``read`` gives, which is asked each time: a third of a
    gigabyte would otherwise lie beside the compiled graph, which has them too.
    """

    def __init__(
        self, name: str, read: Callable[[], Weights], graph: RestorerGraph, *, fast: bool = False
    ) -> None:
        self.name = name
        self._read = read
        self._graph = graph
        self._graphs = CompiledGraphs(lambda _, depth: graph(read(), depth), fast=fast)

    def __call__(self, faces: Pixels) -> Pixels:
        """(N, 512, 512, 3) -> (N, 512, 512, 3), same depth. Raises NetworkFailed."""
        restored, total = self._graphs.answer(faces)
        _checked(total, self.name)
        return restored

    def in_form(self, *, fast: bool) -> "CompiledRestorer":
        """The same network, exact or in bfloat16."""
        return CompiledRestorer(self.name, self._read, self._graph, fast=fast)

    @cached_property
    def fingerprint(self) -> str:
        """A digest that tells this network's weights from all others."""
        return fingerprint_of((self._read(),))


class CompiledParser(CompiledNetwork):
    """A face parser, at the size of the faces or at a part of it.

    ``graph`` is built of the weights that ``read`` gives.
    """

    def __init__(
        self,
        name: str,
        read: Callable[[], Weights],
        graph: ParserGraph,
        *,
        reduced: int = 1,
        fast: bool = False,
    ) -> None:
        self.name = name
        self._read = read
        self._graph = graph
        self._graphs = CompiledGraphs(lambda _, depth: graph(read(), depth, reduced), fast=fast)

    def __call__(self, faces: Pixels) -> NDArray[np.uint8]:
        """(N, 512, 512, 3) -> (N, 512, 512), 255 where face."""
        (mask,) = self._graphs.answer(faces)
        return mask

    def in_form(self, *, reduced: int, fast: bool) -> "CompiledParser":
        """The same network, on faces made ``reduced`` times smaller, exact or in bfloat16."""
        return CompiledParser(self.name, self._read, self._graph, reduced=reduced, fast=fast)

    @cached_property
    def fingerprint(self) -> str:
        """A digest that tells this network's weights from all others."""
        return fingerprint_of((self._read(),))


class CompiledUpscaler(CompiledNetwork):
    """An upscaler whose weights are those of one network, or lie between those of two.

    ``layers`` are those of its architecture. ``quantized_file`` may hold its convolutions in 8
    bits, as they came with the weights.
    """

    def __init__(
        self,
        name: str,
        scale: int,
        layers: UpscalerLayers,
        ends: tuple[Weights, ...],
        *,
        multiple: int = 1,
        quantized_file: Path | None = None,
        quantized_for: Callable[[float], Quantized] = lambda _: EXACT,
        fast: bool = False,
    ) -> None:
        self.name = name
        self.scale = scale
        self._layers = layers
        self._ends = ends
        self._multiple = multiple
        self.quantized_file = quantized_file
        self._quantized_for = quantized_for
        self._graphs = CompiledGraphs(self._build, fast=fast)

    def __call__(self, images: Pixels, denoise: float) -> Pixels:
        """(N, H, W, 3) -> (N, H*scale, W*scale, 3), same depth. Raises NetworkFailed."""
        height, width = images.shape[1:3]
        padded = pad_to_multiple(images, self._multiple)
        enlarged, total = self._graphs.answer(padded, denoise if self.is_blended else 0.0)
        _checked(total, self.name)
        return enlarged[:, : height * self.scale, : width * self.scale]

    @property
    def operations_per_pixel(self) -> float:
        """The number of weights: right where all is computed at the photo's size."""
        return float(sum(value.size for value in self._ends[0].values()))

    @property
    def receptive_px(self) -> int:
        """The number of convolutions, each of which looks one pixel further."""
        return sum(value.ndim == 4 for value in self._ends[0].values())

    @property
    def is_blended(self) -> bool:
        """Whether denoising has an effect."""
        return len(self._ends) == 2

    def weights(self, denoise: float) -> Weights:
        """The weights with which a picture is enlarged at this strength of denoising."""
        if not self.is_blended:
            return self._ends[0]
        strong, weak = self._ends
        return interpolated(strong, weak, denoise)

    def exact_graph(self, denoise: float) -> ov.Model:
        """The network in 32 bits, for levels of 8 bits; to be taken apart by whoever asks."""
        return upscaler_graph(self._layers, self.weights(denoise), np.uint8)

    def in_fast_form(self, quantized_for: Callable[[float], Quantized]) -> "CompiledUpscaler":
        """The same network: convolutions that are quantized in 8 bits, the others in bfloat16."""
        return CompiledUpscaler(
            self.name, self.scale, self._layers, self._ends,
            multiple=self._multiple, quantized_for=quantized_for, fast=True,
        )  # fmt: skip

    def in_exact_form(self) -> "CompiledUpscaler":
        """The same network in 32 bits, compiled apart, so that it can be let go of."""
        return CompiledUpscaler(
            self.name, self.scale, self._layers, self._ends, multiple=self._multiple
        )

    @cached_property
    def fingerprint(self) -> str:
        """A digest that tells this network's weights from all others."""
        return fingerprint_of(self._ends)

    def _build(self, denoise: float, depth: Depth) -> ov.Model:
        quantized = self._quantized_for(denoise)
        return upscaler_graph(self._layers, self.weights(denoise), depth, quantized)
