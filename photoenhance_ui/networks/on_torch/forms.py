"""The forms in which torch computes a network: exact, and in 16 bits on a GPU."""

import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

import torch

from photoenhance_ui.catalogue import Role, logged_name
from photoenhance_ui.errors import NetworkFailed
from photoenhance_ui.networks.calibration_pictures import crops
from photoenhance_ui.networks.foreign_errors import errors_told
from photoenhance_ui.networks.interfaces import ExactOnly, Forms
from photoenhance_ui.networks.similarity import (
    MIN_BLENDED_DB,
    is_near,
    parser_psnr_db,
    restorer_psnr_db,
    upscaler_psnr_db,
)

log = logging.getLogger(__name__)

VALIDATION_CROPS = 4


class SixteenBits(NamedTuple):
    """The type of 16 bits in which networks of a role are computed, and how it is measured."""

    dtype: torch.dtype
    are_near: Callable[[Any, Any, float], bool]
    """Whether a fast network gives what the exact one gives, at a strength of denoising."""


SIXTEEN_BITS: Mapping[Role, SixteenBits] = {
    Role.UPSCALER: SixteenBits(
        torch.float16,
        lambda exact, fast, denoise: is_near(
            *upscaler_psnr_db(exact, fast, denoise, crops(VALIDATION_CROPS, 2))
        ),
    ),
    # The values of face networks overflow in float16.
    Role.RESTORER: SixteenBits(
        torch.bfloat16, lambda exact, fast, _: is_near(*restorer_psnr_db(exact, fast))
    ),
    Role.PARSER: SixteenBits(
        torch.bfloat16, lambda exact, fast, _: parser_psnr_db(exact, fast) >= MIN_BLENDED_DB
    ),
}
"""The roles whose networks have a form in 16 bits; detectors stay exact."""


def forms_of(role: Role, exact: Any, *, on_gpu: bool) -> Forms:
    """The forms of a network of that role, which is computed on a GPU or on a CPU."""
    if role not in SIXTEEN_BITS:
        return ExactOnly(exact)
    return TorchForms(exact, SIXTEEN_BITS[role], on_gpu)


@dataclass(frozen=True, eq=False)
class TorchForms:
    """A network that has a form in 16 bits on a GPU, where that is near enough."""

    exact: Any
    sixteen_bits: SixteenBits
    on_gpu: bool
    """On a CPU torch gains nothing by fewer bits."""

    def fast_form(self, denoise: float) -> str | None:
        """In 16 bits on a GPU, where that is near enough; measuring takes moments."""
        if not self.on_gpu:
            return None
        try:
            with errors_told(self.exact.name):
                near = self.sixteen_bits.are_near(self.exact, self.in_fast_form(), denoise)
        except NetworkFailed:  # values that are no picture; not every GPU computes in bfloat16
            log.warning("fast_form_failed name=%s", logged_name(self.exact.name))
            return None
        return "16 bits" if near else None

    def in_fast_form(self) -> Any:
        """The same network in 16 bits."""
        return self.exact.in_type(self.sixteen_bits.dtype)

    def confirm(self) -> bool:
        """Nothing was assumed."""
        return True

    def release_memory(self, network: Any) -> None:
        """Torch keeps nothing between calls that it would not use again."""
