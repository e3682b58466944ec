"""What computes networks, as the resident networks see it."""

from typing import Any, Protocol

from photoenhance_ui.weights import Installed


class Backend(Protocol):
    """Computes networks in one way: by OpenVINO, by torch, by OpenCV.

    What it gives are networks of the four roles above; ``exact`` is one that it gave itself.
    """

    def load(self, found: Installed, companion: Installed | None) -> Any | None:
        """The network of a file in 32 bits; None where its architecture is unknown here.

        Raises WeightsDamaged where the file's weights are not those of its network.
        """
        ...

    def fast_form(self, exact: Any, denoise: float) -> str | None:
        """The fastest form of the network that is measured to be near enough; None: there is none.

        Measured now where it never was on this machine, which takes seconds to minutes.
        """
        ...

    def in_fast_form(self, exact: Any) -> Any:
        """The same network in its fastest form."""
        ...

    def confirm(self, exact: Any) -> bool:
        """Measure what was only assumed of the network's fast form; False where it was not so."""
        ...

    def stop(self) -> None:
        """Give up what is being measured: EngineStopped for who waits for it."""
        ...

    def release_memory(self, network: Any) -> None:
        """Let go of what the network holds between calls; its next call takes it anew."""
        ...
