"""The one repair that basicsr 1.4.2 needs to be imported beside a current torchvision.

basicsr imports ``rgb_to_grayscale`` from ``torchvision.transforms.functional_tensor``, a private
module that torchvision 0.17 removed; the function now lives in ``transforms.functional``.
"""

import sys
from types import ModuleType

_GONE = "torchvision.transforms.functional_tensor"


def repair() -> None:
    """Put the vanished module back; to be called before basicsr, gfpgan or realesrgan."""
    if _GONE in sys.modules:
        return
    from torchvision.transforms.functional import rgb_to_grayscale

    module = ModuleType(_GONE)
    module.rgb_to_grayscale = rgb_to_grayscale  # type: ignore[attr-defined]
    sys.modules[_GONE] = module
