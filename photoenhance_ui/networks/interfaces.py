"""What computes networks, as the resident networks see it."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Protocol

from photoenhance_ui.weights.inventory import Installed


class Forms(Protocol):
    """A network of one of the four roles, in every form in which it can be computed here."""

    @property
    def exact(self) -> Any:
        """The network in 32 bits."""
        ...

    def fast_form(self, denoise: float) -> str | None:
        """The fastest form that is measured to be near enough; None where there is none.

        It is measured now where it never was on this machine, which takes seconds to minutes.
        """
        ...

    def in_fast_form(self) -> Any:
        """The same network in its fastest form."""
        ...

    def confirm(self) -> bool:
        """Measure what was only assumed of the fast form; False where it was not so."""
        ...

    def release_memory(self, network: Any) -> None:
        """Let go of what one of these forms holds between calls; its next call takes it anew."""
        ...


@dataclass(frozen=True, eq=False)
class ExactOnly:
    """A network that is always computed in 32 bits: every detector is."""

    exact: Any
    release: Callable[[], None] = lambda: None
    """Lets go of what the network holds between calls."""

    def fast_form(self, denoise: float) -> None:
        """There is none."""

    def in_fast_form(self) -> Any:
        """The network itself."""
        return self.exact

    def confirm(self) -> bool:
        """Nothing was assumed."""
        return True

    def release_memory(self, network: Any) -> None:  # noqa: ARG002 - there is one
        """Let go of what the network holds between calls."""
        self.release()


class Backend(Protocol):
    """Computes networks in one way: by OpenVINO, by torch, by OpenCV."""

    def load(self, found: Installed, companion: Installed | None) -> Forms:
        """The network of a file.

        Raises ArchitectureUnknown where networks of its kind are not built here, and
        WeightsDamaged where the file's weights are not those of its network.
        """
        ...

    def stop(self) -> None:
        """Give up what is being measured: EngineStopped for who waits for it."""
        ...
