"""OpenVINO graphs, compiled for this processor and run on it."""

import hashlib
import os
import threading
from collections import OrderedDict
from collections.abc import Callable, Sequence
from functools import cache
from typing import Any

import numpy as np
import openvino as ov
from numpy.typing import NDArray

from photoenhance_ui.networks.on_openvino.layers import Depth, Weights
from photoenhance_ui.photo import Pixels

GRAPHS_KEPT = 4  # strengths of denoising times depths; people rarely use more at a time

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


def compile_graph(graph: ov.Model, *, fast: bool = False) -> ov.InferRequest:
    """The graph, ready to run on the CPU with all its cores for one call at a time.

    ``fast`` multiplies in bfloat16 where the processor can; OpenVINO keeps what comes after the
    last convolution in 32 bits, so that levels of 16 bits stay fine.
    """
    precision = "bf16" if fast and has_bfloat16() else "f32"
    options = {"PERFORMANCE_HINT": "LATENCY", "INFERENCE_PRECISION_HINT": precision}
    return _CORE.compile_model(graph, "CPU", options).create_infer_request()


def fingerprint_of(ends: Sequence[Weights]) -> str:
    """A digest that tells these weights from all others."""
    digest = hashlib.sha256()
    for end in ends:
        for key in sorted(end):
            digest.update(key.encode())
            digest.update(end[key].tobytes())
    return digest.hexdigest()


class CompiledGraphs:
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
            self._made[key] = compile_graph(self._build(denoise, depth), fast=self._fast)
        self._made.move_to_end(key)
        if len(self._made) > GRAPHS_KEPT:
            self._made.popitem(last=False)
        return self._made[key]
