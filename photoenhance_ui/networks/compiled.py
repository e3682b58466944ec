"""Upscalers on a CPU: Real-ESRGAN's networks compiled by OpenVINO, in 32 or in 8 bits."""

import hashlib
import threading
from collections import OrderedDict
from collections.abc import Callable
from functools import cached_property

import numpy as np
import openvino as ov

from photoenhance_ui.errors import NetworkFailed
from photoenhance_ui.networks import graphs
from photoenhance_ui.networks.graphs import Depth, Network, Ranges, Weights
from photoenhance_ui.networks.padding import pad_to_multiple
from photoenhance_ui.photo import Pixels

GRAPHS_KEPT = 4  # strengths of denoising times depths; people rarely use more at a time
NO_RANGES: Ranges = {}


def compiled(graph: ov.Model) -> ov.InferRequest:
    """The graph, ready to run on the CPU with all its cores for one call at a time."""
    options = {"PERFORMANCE_HINT": "LATENCY", "INFERENCE_PRECISION_HINT": "f32"}
    return ov.Core().compile_model(graph, "CPU", options).create_infer_request()


class CompiledUpscaler:
    """An upscaler whose weights are those of one network, or lie between those of two.

    Between two: deep network interpolation (Wang et al., CVPR 2019), as Real-ESRGAN uses it for
    realesr-general-x4v3: ``denoise * first + (1 - denoise) * second``.
    """

    def __init__(
        self,
        name: str,
        scale: int,
        network: Network,
        ends: tuple[Weights, ...],
        *,
        multiple: int = 1,
        ranges_for: Callable[[float], Ranges] = lambda _: NO_RANGES,
    ) -> None:
        self.name = name
        self.scale = scale
        self.network = network
        self._ends = ends
        self._multiple = multiple
        self._ranges_for = ranges_for
        self._requests: OrderedDict[tuple[float, Depth], ov.InferRequest] = OrderedDict()
        self._one_at_a_time = threading.Lock()

    def __call__(self, images: Pixels, denoise: float) -> Pixels:
        """(N, H, W, 3) -> (N, H*scale, W*scale, 3), same depth. Raises NetworkFailed."""
        height, width = images.shape[1:3]
        padded = pad_to_multiple(images, self._multiple)
        with self._one_at_a_time:
            request = self._request(denoise, images.dtype.type)
            answer = request.infer(np.ascontiguousarray(padded))
        if not np.isfinite(answer[1]):
            raise NetworkFailed(
                f"The network {self.name} gave values that are no picture. "
                "Another upscaler may work."
            )
        enlarged: Pixels = answer[0][:, : height * self.scale, : width * self.scale]
        return enlarged

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
        share = np.float32(denoise)
        return {key: share * strong[key] + (1 - share) * weak[key] for key in strong}

    def in_8_bits(self, ranges_for: Callable[[float], Ranges]) -> "CompiledUpscaler":
        """The same network with the convolutions computed in 8 bits that have a range."""
        return CompiledUpscaler(
            self.name, self.scale, self.network, self._ends,
            multiple=self._multiple, ranges_for=ranges_for,
        )  # fmt: skip

    @cached_property
    def fingerprint(self) -> str:
        """Tells this network's weights from all others."""
        digest = hashlib.sha256()
        for end in self._ends:
            for key in sorted(end):
                digest.update(key.encode())
                digest.update(end[key].tobytes())
        return digest.hexdigest()

    def _request(self, denoise: float, depth: Depth) -> ov.InferRequest:
        key = (denoise if self.is_blended else 0.0, depth)
        if key not in self._requests:
            graph = graphs.level_graph(
                self.network, self.weights(denoise), depth, self._ranges_for(denoise)
            )
            self._requests[key] = compiled(graph)
        self._requests.move_to_end(key)
        if len(self._requests) > GRAPHS_KEPT:
            self._requests.popitem(last=False)
        return self._requests[key]
