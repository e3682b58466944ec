"""One loaded network: exact, in its fastest form, and whether it is ready for a photo."""

import logging
from typing import Any

import numpy as np

from photoenhance_ui.catalogue import Role, logged_name
from photoenhance_ui.networks.foreign_errors import errors_told
from photoenhance_ui.networks.interfaces import Forms
from photoenhance_ui.networks.once import Once
from photoenhance_ui.pipeline.contracts import Work
from photoenhance_ui.request import Precision, Request

log = logging.getLogger(__name__)

WARM_UP_PX = 16


class LoadedNetwork:
    """A network in 32 bits, and what is found out and made of it once. Thread-safe."""

    def __init__(self, role: Role, forms: Forms) -> None:
        self.role = role
        self._forms = forms
        self._fast_forms: Once[float, str | None] = Once()
        self._in_fast_form: Once[None, Any] = Once()
        self._prepared: Once[tuple[float, bool], None] = Once()

    @property
    def exact(self) -> Any:
        """The network in 32 bits."""
        return self._forms.exact

    @property
    def name(self) -> str:
        """The name by which a person chooses the network."""
        name: str = self.exact.name
        return name

    def fast_form(self, denoise: float) -> str | None:
        """The fastest form that is measured to be near enough; None where there is none.

        It is measured when it is first asked for, which takes seconds to minutes, and then known.
        """
        return self._fast_forms.get(self._strength(denoise), lambda: self._forms.fast_form(denoise))

    def is_prepared(self, denoise: float, *, fast: bool) -> bool:
        """Whether the network computes at once at this strength of denoising."""
        return (self._strength(denoise), fast) in self._prepared

    def prepare(self, denoise: float, *, fast: bool) -> None:
        """Measure the fast form where it is wanted, and compile what computes a photo's tiles."""
        key = (self._strength(denoise), fast)
        self._prepared.get(key, lambda: self._warm_up(denoise, fast=fast))

    def compute(self, work: Work, precision: str) -> Any:
        """What the network gives for the inputs; MemoryExhausted or NetworkFailed."""
        network = self._fastest() if precision == Precision.FAST.value else self.exact
        with errors_told(work.network):
            if self.role is Role.UPSCALER:
                return network(work.inputs, work.denoise)
            return network(work.inputs)

    def confirm(self) -> None:
        """Measure what is only assumed of the fast form; one that is not near enough goes."""
        if not self._forms.confirm():
            log.warning("fast_form_gone name=%s", logged_name(self.name))
            self._fast_forms.drop(lambda _: True)
            self._in_fast_form.drop(lambda _: True)
            self._prepared.drop(lambda _: True)

    def release_memory(self) -> None:
        """Let go of what the network holds between calls; its next call takes it anew."""
        for network in (self.exact, *self._in_fast_form.values()):
            self._forms.release_memory(network)

    def _warm_up(self, denoise: float, *, fast: bool) -> None:
        """Upscalers compute a tiny picture, so that no photo pays for what the first call takes."""
        is_fast = fast and self.fast_form(denoise) is not None
        network = self._made_fast() if is_fast else self.exact
        if self.role is Role.UPSCALER:
            with errors_told(self.name):
                network(np.zeros((1, WARM_UP_PX, WARM_UP_PX, 3), np.uint8), denoise)

    def _fastest(self) -> Any:
        """Face networks stay exact where no fast form is near; of upscalers, plans know it."""
        if self.role is not Role.UPSCALER and self.fast_form(Request.denoise) is None:
            return self.exact
        return self._made_fast()

    def _made_fast(self) -> Any:
        return self._in_fast_form.get(None, self._forms.in_fast_form)

    def _strength(self, denoise: float) -> float:
        """The strength of denoising, where one makes a difference to the network."""
        is_blended = self.role is Role.UPSCALER and self.exact.is_blended
        return denoise if is_blended else 0.0
