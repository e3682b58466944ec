"""What face parsers were trained on: the parts of a face they tell apart, and how they see it."""

from dataclasses import dataclass

CLASSES = 19  # of CelebAMask-HQ (Lee et al., CVPR 2020)
IMAGENET_MEANS = (0.485, 0.456, 0.406)
IMAGENET_DEVIATIONS = (0.229, 0.224, 0.225)
HALF = (0.5, 0.5, 0.5)


@dataclass(frozen=True)
class Parsing:
    """What a parser was trained to see and to tell apart."""

    face_classes: tuple[int, ...]
    """The classes that are face, of CLASSES."""
    means: tuple[float, float, float]
    """What is subtracted from red, green and blue in 0..1."""
    deviations: tuple[float, float, float]
    """What they are divided by then."""


PARSENET = Parsing((*range(1, 14), 15), HALF, HALF)  # skin to hair, and ear rings, as GFPGAN pastes
BISENET = Parsing((*range(1, 14), 17), IMAGENET_MEANS, IMAGENET_DEVIATIONS)  # the same parts
