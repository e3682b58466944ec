"""Graphs compiled for this processor: with its signals, and within its limits."""

import os
import subprocess
import sys

import pytest

SIGNALLED_AFTER_FREEING = """
import signal
import openvino as ov
from photoenhance_ui.networks.on_openvino.compilation import compile_graph

def graph():
    picture = ov.opset13.parameter([1, 3, 8, 8], ov.Type.f32)
    return ov.Model([ov.opset13.relu(picture)], [picture])

first, second = compile_graph(graph()), compile_graph(graph())
del first, second
signal.signal(signal.SIGUSR1, lambda *_: print("heard", flush=True))
signal.raise_signal(signal.SIGUSR1)
"""


def test_a_signal_is_heard_after_graphs_were_freed() -> None:
    # OpenVINO gives the thread a stack for its signals, and takes it away with the core.
    ended = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", SIGNALLED_AFTER_FREEING],
        check=False,
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert (ended.returncode, ended.stdout) == (0, "heard\n")


COMPILED_FAST = """
import numpy as np, openvino as ov
from openvino import opset13 as ops
from photoenhance_ui.networks.on_openvino.compilation import compile_graph
photo = ops.parameter([1, 3, 32, 32], np.float32)
weights = ops.constant(np.full((8, 3, 3, 3), 0.5, np.float32))
features = ops.convolution(photo, weights, [1, 1], [1, 1], [1, 1], [1, 1])
ran = compile_graph(ov.Model([features], [photo]), fast=True)
print(ran.infer({0: np.ones((1, 3, 32, 32), np.float32)})[0].max())
"""


@pytest.mark.parametrize("limit", ["AVX2", "AVX2_VNNI", "AVX512_CORE", "AVX512_CORE_VNNI", "ALL"])
def test_a_processor_held_to_fewer_instructions_computes_with_those(limit: str) -> None:
    ended = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", COMPILED_FAST],
        env={**os.environ, "ONEDNN_MAX_CPU_ISA": limit},
        check=False,
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert (ended.returncode, ended.stdout) == (0, "13.5\n")
