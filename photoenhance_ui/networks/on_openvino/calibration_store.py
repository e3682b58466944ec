"""Calibrations that are remembered: on this machine's disk, or as they came with the weights."""

import json
import logging
import threading
from collections.abc import Callable
from pathlib import Path

import openvino as ov
from safetensors import SafetensorError

from photoenhance_ui.catalogue import logged_name
from photoenhance_ui.errors import EngineStopped
from photoenhance_ui.networks.foreign_errors import errors_told
from photoenhance_ui.networks.on_openvino.calibration import (
    Calibration,
    calibrate_parser,
    calibrate_restorer,
    calibrate_upscaler,
    quantized_of,
)
from photoenhance_ui.networks.on_openvino.compilation import has_bfloat16
from photoenhance_ui.networks.on_openvino.compiled_networks import (
    CompiledParser,
    CompiledRestorer,
    CompiledUpscaler,
)
from photoenhance_ui.networks.on_openvino.quantized_files import (
    QuantizedFile,
    read_quantized,
    write_quantized,
)
from photoenhance_ui.networks.on_openvino.whole_sums import largest_weight
from photoenhance_ui.networks.once import Once

log = logging.getLogger(__name__)

VERSION = 5
"""The way in which forms are calibrated; what was measured in another way is measured anew."""
METADATA_KEY = "proof"
"""Where a file of convolutions says how near they are: the key that earlier versions wrote."""


class CalibrationStore:
    """Calibrations by network, strength of denoising and version, each in a file of its own."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._known: Once[str, Calibration] = Once()
        self._unconfirmed: set[str] = set()
        self._stopped = threading.Event()

    def of_upscaler(self, upscaler: CompiledUpscaler, denoise: float) -> Calibration:
        """How near the upscaler's fast form is at this strength of denoising.

        It is measured now where it never was on this machine and did not come with the weights.
        """
        return self._remembered(
            _upscaler_key(upscaler, denoise),
            upscaler.name,
            lambda: calibrate_upscaler(upscaler, denoise, self._check),
            lambda: shipped_calibration(upscaler),
        )

    def confirm(self, upscaler: CompiledUpscaler, denoise: float) -> bool:
        """Measure here what came with the file; False where another form is to be used instead."""
        key = _key(_upscaler_key(upscaler, denoise))
        if key not in self._unconfirmed:
            return True
        assumed = self.of_upscaler(upscaler, denoise)
        measured = self._measured(
            key, upscaler.name, lambda: calibrate_upscaler(upscaler, denoise, self._check)
        )
        self._known.put(key, measured)
        self._unconfirmed.discard(key)
        return measured.form == assumed.form

    def stop(self) -> None:
        """Give up what is being measured, now and later: EngineStopped for who asked for it."""
        self._stopped.set()

    def of_restorer(self, restorer: CompiledRestorer) -> Calibration:
        """How near the restorer's fast form is; measured now where it never was."""
        key, name = restorer.fingerprint[:32], restorer.name
        return self._remembered(key, name, lambda: calibrate_restorer(restorer, self._check))

    def of_parser(self, parser: CompiledParser) -> Calibration:
        """How near the parser's fast form is; measured now where it never was."""
        key, name = parser.fingerprint[:32], parser.name
        return self._remembered(key, name, lambda: calibrate_parser(parser, self._check))

    def assume(self, upscaler: CompiledUpscaler, denoise: float, calibration: Calibration) -> None:
        """Take ``calibration`` for measured: random weights of benchmarks have none that counts."""
        key = _key(_upscaler_key(upscaler, denoise))
        _write(self._path(key), calibration)
        self._known.put(key, calibration)

    def stored(self) -> list[Calibration]:
        """All calibrations on disk, whichever program measured them."""
        calibrations = (_read(path) for path in sorted(self._folder.glob("*.safetensors")))
        return [calibration for calibration in calibrations if calibration is not None]

    def _remembered(
        self,
        network: str,
        name: str,
        measure: Callable[[], Calibration],
        shipped: Callable[[], Calibration | None] = lambda: None,
    ) -> Calibration:
        """The calibration on disk, or the one that came with the weights, or one measured now."""
        key = _key(network)

        def make() -> Calibration:
            if (known := _read(self._path(key))) is not None:
                return known
            if (came := shipped()) is not None:
                self._unconfirmed.add(key)
                return came
            return self._measured(key, name, measure)

        return self._known.get(key, make)

    def _measured(self, key: str, name: str, measure: Callable[[], Calibration]) -> Calibration:
        with errors_told(name):
            calibration = measure()
        log.info(
            "fast_form_measured name=%s form=%s mean_db=%.1f worst_db=%.1f",
            logged_name(name), calibration.form, calibration.mean_db, calibration.worst_db,
        )  # fmt: skip
        _write(self._path(key), calibration)
        return calibration

    def _path(self, key: str) -> Path:
        return self._folder / f"{key}.safetensors"

    def _check(self) -> None:
        if self._stopped.is_set():
            raise EngineStopped("The program was closed before the network was measured.")


def openvino_version() -> str:
    """The version of OpenVINO that calibrations are made with, without how it was built."""
    return str(ov.__version__.partition("-")[0])


def _key(network: str) -> str:
    """The name of the network's file: another processor or OpenVINO computes differently."""
    kind = "bf16" if has_bfloat16() else "f32"
    return f"{network}-{kind}-{largest_weight()}-v{VERSION}-{openvino_version()}"


def _upscaler_key(upscaler: CompiledUpscaler, denoise: float) -> str:
    strength = f"{denoise:g}" if upscaler.is_blended else "none"
    return f"{upscaler.fingerprint[:32]}-{strength}"


def _read(path: Path) -> Calibration | None:
    content = read_quantized(path)
    return None if content is None else _calibration_in(content)


def _calibration_in(content: QuantizedFile) -> Calibration | None:
    try:
        fields = json.loads(content.metadata[METADATA_KEY])
        return Calibration(
            fields["form"], fields["mean_db"], fields["worst_db"], content.convolutions
        )
    except (ValueError, KeyError, TypeError):
        return None  # not whole: measured anew


def shipped_calibration(upscaler: CompiledUpscaler) -> Calibration | None:
    """The calibration that came with these very weights, for this very version of OpenVINO."""
    content = quantized_of(upscaler)
    if content is None or content.metadata.get("openvino") != openvino_version():
        return None
    return _calibration_in(content)


def metadata_of(calibration: Calibration) -> dict[str, str]:
    """The calibration, without its convolutions, as a file of convolutions says it."""
    fields = {name: getattr(calibration, name) for name in ("form", "mean_db", "worst_db")}
    return {METADATA_KEY: json.dumps(fields)}


def _write(path: Path, calibration: Calibration) -> None:
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        write_quantized(path, QuantizedFile(calibration.quantized, metadata_of(calibration)))
    except (OSError, SafetensorError) as error:  # it only costs measuring again
        log.warning("fast_form_not_kept reason=%s", type(error).__name__)
