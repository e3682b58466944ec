"""The forms in which OpenVINO computes a network: exact, and the fastest that is near enough."""

from dataclasses import dataclass

from photoenhance_ui.networks.on_openvino.calibration import parser_forms
from photoenhance_ui.networks.on_openvino.calibration_store import CalibrationStore
from photoenhance_ui.networks.on_openvino.compiled_networks import (
    CompiledNetwork,
    CompiledParser,
    CompiledRestorer,
    CompiledUpscaler,
)


class _Releasing:
    """What the forms below share: each of them is compiled graphs."""

    def release_memory(self, network: CompiledNetwork) -> None:
        """Let go of the layers' outputs; the next call takes some tenths of a second more."""
        network.release_memory()


@dataclass(frozen=True, eq=False)
class UpscalerForms(_Releasing):
    """An upscaler: in 8 bits, partly in 8 bits or in bfloat16, as each strength allows."""

    exact: CompiledUpscaler
    calibrations: CalibrationStore

    def fast_form(self, denoise: float) -> str | None:
        """The fastest form that is near enough at this strength of denoising."""
        return self.calibrations.of_upscaler(self.exact, denoise).form

    def in_fast_form(self) -> CompiledUpscaler:
        """The same network, for each strength of denoising in that one's fastest form."""
        return self.exact.in_fast_form(
            lambda denoise: self.calibrations.of_upscaler(self.exact, denoise).quantized
        )

    def confirm(self) -> bool:
        """Measure here what came with the file; False where that was not so."""
        return self.calibrations.confirm(self.exact, 0.0)


@dataclass(frozen=True, eq=False)
class RestorerForms(_Releasing):
    """A face restorer, in bfloat16 where that is near enough."""

    exact: CompiledRestorer
    calibrations: CalibrationStore

    def fast_form(self, denoise: float) -> str | None:  # noqa: ARG002 - of upscalers
        """The fastest form that is near enough."""
        return self.calibrations.of_restorer(self.exact).form

    def in_fast_form(self) -> CompiledRestorer:
        """The same network in bfloat16."""
        return self.exact.in_form(fast=True)

    def confirm(self) -> bool:
        """Nothing was assumed."""
        return True


@dataclass(frozen=True, eq=False)
class ParserForms(_Releasing):
    """A face parser: on smaller faces, in bfloat16, or both."""

    exact: CompiledParser
    calibrations: CalibrationStore

    def fast_form(self, denoise: float) -> str | None:  # noqa: ARG002 - of upscalers
        """The fastest form that is near enough."""
        return self.calibrations.of_parser(self.exact).form

    def in_fast_form(self) -> CompiledParser:
        """The same network in the form that is near enough."""
        name = self.calibrations.of_parser(self.exact).form
        form = next(form for form in parser_forms() if form.name == name)
        return self.exact.in_form(reduced=form.reduced, fast=form.fast)

    def confirm(self) -> bool:
        """Nothing was assumed."""
        return True
