"""OpenVINO as a way of computing networks: on a CPU all that are known, each in several forms."""

from pathlib import Path
from typing import Any

from photoenhance_ui.catalogue import Architecture, Role
from photoenhance_ui.networks.on_openvino.compiled import (
    Compiled,
    CompiledParser,
    CompiledRestorer,
    CompiledUpscaler,
)
from photoenhance_ui.networks.on_openvino.graphs import rrdb, srvgg
from photoenhance_ui.networks.on_openvino.loading import compile_face_network
from photoenhance_ui.networks.on_openvino.proofs import Proofs, parser_forms
from photoenhance_ui.networks.on_openvino.quantization import largest_weight
from photoenhance_ui.networks.upscaler_weights import read_upscaler
from photoenhance_ui.weights import Installed

GRAPHS = {Architecture.RRDB: rrdb, Architecture.SRVGG: srvgg}
"""Of an upscaler's architecture, for each scale."""


class OpenVinoBackend:
    """Networks as compiled graphs on the CPU."""

    def __init__(self, proofs: Proofs) -> None:
        self.proofs = proofs
        # Whoever computes first starts OpenVINO's threads, which take that one's urgency and keep
        # it: not one that measures beside others' photos, but whoever is the first to load.
        largest_weight()

    def load(self, found: Installed, companion: Installed | None) -> Compiled | None:
        """The network of a file in 32 bits; None where there is no graph of its architecture.

        Raises WeightsDamaged.
        """
        if found.role is Role.UPSCALER:
            return compile_upscaler(found, companion)
        network: Compiled | None = compile_face_network(found)
        return network

    def fast_form(self, exact: Any, denoise: float) -> str | None:
        """The fastest form that is measured to be near enough; None where there is none."""
        match exact:
            case CompiledUpscaler():
                return self.proofs.of_upscaler(exact, denoise).form
            case CompiledRestorer():
                return self.proofs.of_restorer(exact).form
            case CompiledParser():
                return self.proofs.of_parser(exact).form
            case _:  # detectors stay exact
                return None

    def in_fast_form(self, exact: Any) -> Any:
        """The same network in its fastest form, an upscaler for each strength in that one's."""
        match exact:
            case CompiledUpscaler():
                return exact.in_fast_form(lambda d: self.proofs.of_upscaler(exact, d).quantized)
            case CompiledRestorer():
                return exact.in_form(fast=True)
            case CompiledParser():
                proven = self.proofs.of_parser(exact).form
                form = next(form for form in parser_forms() if form.name == proven)
                return exact.in_form(reduced=form.reduced, fast=form.fast)
            case _:
                return exact

    def confirm(self, exact: Any) -> bool:
        """Measure here what came with an upscaler's file; False where that was not so."""
        return not isinstance(exact, CompiledUpscaler) or self.proofs.confirm(exact, 0.0)

    def stop(self) -> None:
        """Give up what is being measured."""
        self.proofs.stop()

    def release_memory(self, network: Any) -> None:
        """Let go of the layers' outputs; the next call takes some tenths of a second more."""
        network.release_memory()


def compile_upscaler(found: Installed, companion: Installed | None) -> CompiledUpscaler | None:
    """The upscaler of an installed file; None where it is of another architecture.

    Raises WeightsDamaged.
    """
    read = read_upscaler(found, companion)
    if read is None:
        return None
    return CompiledUpscaler(
        found.name, read.scale, GRAPHS[read.architecture](read.scale), read.ends,
        multiple=read.multiple, quantized_file=quantized_beside(found.path),
    )  # fmt: skip


def quantized_beside(weights: Path) -> Path:
    """Where the convolutions in 8 bits lie that come with a file: nobody's own network."""
    return weights.parent / "8bits" / weights.name
