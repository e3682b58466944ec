"""Networks on a CPU, compiled by OpenVINO: in 32 bits, or in a fast form of fewer."""

import hashlib
import os
import threading
from collections import OrderedDict
from collections.abc import Callable, Sequence
from functools import cache, cached_property
from pathlib import Path
from typing import Any

import numpy as np
import openvino as ov
from numpy.typing import NDArray

from photoenhance_ui.contracts import DetectedFace
from photoenhance_ui.errors import NetworkFailed
from photoenhance_ui.networks.on_openvino import graphs
from photoenhance_ui.networks.on_openvino.graphs import Depth, Network, Quantized, Weights
from photoenhance_ui.networks.padding import pad_to_multiple
from photoenhance_ui.networks.retinaface import Answers, find_faces
from photoenhance_ui.networks.state_dicts import interpolated
from photoenhance_ui.photo import Pixels

GRAPHS_KEPT = 4  # strengths of denoising times depths; people rarely use more at a time
EXACT: Quantized = {}

RestorerGraph = Callable[[Weights, Depth], ov.Model]
"""Builds (N, 512, 512, 3) levels -> restored levels, and a total that is finite where all are."""
ParserGraph = Callable[[Weights, Depth, int], ov.Model]
"""Builds (N, 512, 512, 3) levels -> (N, 512, 512), 255 where face; from faces so much smaller."""

# One for the process, and never freed: its first use gives the calling thread a stack to hear
# signals on, and a core freed before a later one leaves the thread with one that is no more. The
# next signal, as Ctrl+C is one, would end the process with a segmentation fault.
_CORE = ov.Core()


# OpenVINO's kernels keep to ONEDNN_MAX_CPU_ISA, the limit that oneDNN documents under "CPU
# Dispatcher Control", and its report of what the processor can do does not: with one of these it
# promises bfloat16, and compiling for it fails or ends the process.
_LIMITS_WITHOUT_BFLOAT16 = {
    "SSE41", "AVX", "AVX2", "AVX2_VNNI", "AVX2_VNNI_2", "AVX512_CORE", "AVX512_CORE_VNNI",
}  # fmt: skip


@cache
def has_bfloat16() -> bool:
    """Whether this processor multiplies in bfloat16: about twice as fast as in 32 bits."""
    limit = os.environ.get("ONEDNN_MAX_CPU_ISA", "").upper()
    reported = _CORE.get_property("CPU", "OPTIMIZATION_CAPABILITIES")
    return "BF16" in reported and limit not in _LIMITS_WITHOUT_BFLOAT16


def compiled(graph: ov.Model, *, fast: bool = False) -> ov.InferRequest:
    """The graph, ready to run on the CPU with all its cores for one call at a time.

    ``fast`` multiplies in bfloat16 where the processor can; OpenVINO keeps what comes after the
    last convolution in 32 bits, so that levels of 16 bits stay fine.
    """
    precision = "bf16" if fast and has_bfloat16() else "f32"
    options = {"PERFORMANCE_HINT": "LATENCY", "INFERENCE_PRECISION_HINT": precision}
    return _CORE.compile_model(graph, "CPU", options).create_infer_request()


def fingerprint_of(ends: Sequence[Weights]) -> str:
    """Tells these weights from all others."""
    digest = hashlib.sha256()
    for end in ends:
        for key in sorted(end):
            digest.update(key.encode())
            digest.update(end[key].tobytes())
    return digest.hexdigest()


class _Requests:
    """Compiled graphs by what they are made for, the last few used; one call at a time."""

    def __init__(self, build: Callable[[float, Depth], ov.Model], *, fast: bool) -> None:
        self._build = build
        self._fast = fast
        self._made: OrderedDict[tuple[float, Depth], ov.InferRequest] = OrderedDict()
        self._one_at_a_time = threading.Lock()

    def __len__(self) -> int:
        return len(self._made)

    def answer(self, levels: Pixels, denoise: float = 0.0) -> Sequence[NDArray[Any]]:
        """What the graph for this depth and strength gives, in arrays of their own."""
        with self._one_at_a_time:
            outputs = self._request(denoise, levels.dtype.type).infer(np.ascontiguousarray(levels))
            return [outputs[index] for index in range(len(outputs))]

    def check(self) -> None:
        """Build a graph and let it go."""
        self._build(0.0, np.uint8)

    def release_memory(self) -> None:
        """Let go of the layers' outputs; the next answer takes some tenths of a second more."""
        with self._one_at_a_time:
            for request in self._made.values():
                request.get_compiled_model().release_memory()

    def _request(self, denoise: float, depth: Depth) -> ov.InferRequest:
        key = (denoise, depth)
        if key not in self._made:
            self._made[key] = compiled(self._build(denoise, depth), fast=self._fast)
        self._made.move_to_end(key)
        if len(self._made) > GRAPHS_KEPT:
            self._made.popitem(last=False)
        return self._made[key]


class Compiled:
    """A network as compiled graphs."""

    _requests: _Requests

    def check(self) -> None:
        """Build a graph and let it go: raises whatever is wrong with the weights."""
        self._requests.check()

    def release_memory(self) -> None:
        """Let go of what is held between calls."""
        self._requests.release_memory()


def _checked(total: NDArray[Any], network: str) -> None:
    """Raise NetworkFailed where the sum of the values is none."""
    if not np.isfinite(total):
        raise NetworkFailed(
            f"The network {network} gave values that are no picture. Another one may work."
        )


class CompiledDetector(Compiled):
    """RetinaFace, always exact; ``graph`` is built of the weights that ``read`` gives."""

    def __init__(
        self, name: str, read: Callable[[], Weights], graph: Callable[[Weights], ov.Model]
    ) -> None:
        self.name = name
        self._requests = _Requests(lambda _, __: graph(read()), fast=False)

    def __call__(self, images: Sequence[NDArray[np.uint8]]) -> list[list[DetectedFace]]:
        """Each (H, W, 3) uint8 RGB -> its faces, best score first."""
        return [find_faces(self._answers, image) for image in images]

    def _answers(self, picture: NDArray[np.uint8]) -> Answers:
        boxes, landmarks, scores = self._requests.answer(picture[None])
        return Answers(boxes[0], landmarks[0], scores[0])


class CompiledRestorer(Compiled):
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
        self._requests = _Requests(lambda _, depth: graph(read(), depth), fast=fast)

    def __call__(self, faces: Pixels) -> Pixels:
        """(N, 512, 512, 3) -> (N, 512, 512, 3), same depth. Raises NetworkFailed."""
        restored, total = self._requests.answer(faces)
        _checked(total, self.name)
        return restored

    def in_form(self, *, fast: bool) -> "CompiledRestorer":
        """The same network, exact or in bfloat16."""
        return CompiledRestorer(self.name, self._read, self._graph, fast=fast)

    @cached_property
    def fingerprint(self) -> str:
        """Tells this network's weights from all others."""
        return fingerprint_of((self._read(),))


class CompiledParser(Compiled):
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
        self._requests = _Requests(lambda _, depth: graph(read(), depth, reduced), fast=fast)

    def __call__(self, faces: Pixels) -> NDArray[np.uint8]:
        """(N, 512, 512, 3) -> (N, 512, 512), 255 where face."""
        (mask,) = self._requests.answer(faces)
        return mask

    def in_form(self, *, reduced: int, fast: bool) -> "CompiledParser":
        """The same network, on faces made ``reduced`` times smaller, exact or in bfloat16."""
        return CompiledParser(self.name, self._read, self._graph, reduced=reduced, fast=fast)

    @cached_property
    def fingerprint(self) -> str:
        """Tells this network's weights from all others."""
        return fingerprint_of((self._read(),))


class CompiledUpscaler(Compiled):
    """An upscaler whose weights are those of one network, or lie between those of two.

    ``network`` is its graph. ``quantized_file`` may hold its convolutions in 8 bits, as they came
    with the weights.
    """

    def __init__(
        self,
        name: str,
        scale: int,
        network: Network,
        ends: tuple[Weights, ...],
        *,
        multiple: int = 1,
        quantized_file: Path | None = None,
        quantized_for: Callable[[float], Quantized] = lambda _: EXACT,
        fast: bool = False,
    ) -> None:
        self.name = name
        self.scale = scale
        self._network = network
        self._ends = ends
        self._multiple = multiple
        self.quantized_file = quantized_file
        self._quantized_for = quantized_for
        self._requests = _Requests(self._graph, fast=fast)

    def __call__(self, images: Pixels, denoise: float) -> Pixels:
        """(N, H, W, 3) -> (N, H*scale, W*scale, 3), same depth. Raises NetworkFailed."""
        height, width = images.shape[1:3]
        padded = pad_to_multiple(images, self._multiple)
        enlarged, total = self._requests.answer(padded, denoise if self.is_blended else 0.0)
        _checked(total, self.name)
        return enlarged[:, : height * self.scale, : width * self.scale]

    @property
    def operations_per_pixel(self) -> float:
        """Each weight once: right where all is computed at the photo's size."""
        return float(sum(value.size for value in self._ends[0].values()))

    @property
    def receptive_px(self) -> int:
        """Each 3x3 convolution looks one pixel further."""
        return sum(value.ndim == 4 for value in self._ends[0].values())

    @property
    def is_blended(self) -> bool:
        """Whether denoising has an effect."""
        return len(self._ends) == 2

    def weights(self, denoise: float) -> Weights:
        """Those with which a picture is enlarged at this strength of denoising."""
        if not self.is_blended:
            return self._ends[0]
        strong, weak = self._ends
        return interpolated(strong, weak, denoise)

    def exact_graph(self, denoise: float) -> ov.Model:
        """The network in 32 bits, for levels of 8 bits; to be taken apart by whoever asks."""
        return graphs.level_graph(self._network, self.weights(denoise), np.uint8)

    def in_fast_form(self, quantized_for: Callable[[float], Quantized]) -> "CompiledUpscaler":
        """The same network: convolutions that are quantized in 8 bits, the others in bfloat16."""
        return CompiledUpscaler(
            self.name, self.scale, self._network, self._ends,
            multiple=self._multiple, quantized_for=quantized_for, fast=True,
        )  # fmt: skip

    def in_exact_form(self) -> "CompiledUpscaler":
        """The same network in 32 bits, compiled apart, so that it can be let go of."""
        return CompiledUpscaler(
            self.name, self.scale, self._network, self._ends, multiple=self._multiple
        )

    @cached_property
    def fingerprint(self) -> str:
        """Tells this network's weights from all others."""
        return fingerprint_of(self._ends)

    def _graph(self, denoise: float, depth: Depth) -> ov.Model:
        quantized = self._quantized_for(denoise)
        return graphs.level_graph(self._network, self.weights(denoise), depth, quantized)
