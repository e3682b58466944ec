"""Which of a face's parts count as face, and how the parsers were trained to see pictures."""

from collections.abc import Mapping

from photoenhance_ui.catalogue import Architecture

CLASSES = 19
"""Parts that CelebAMask-HQ (Lee et al., CVPR 2020) tells apart."""

FACE_CLASSES: Mapping[Architecture, tuple[int, ...]] = {
    Architecture.PARSENET: (*range(1, 14), 15),  # skin to hair, and ear rings: those GFPGAN pastes
    Architecture.BISENET: (*range(1, 14), 17),  # the same parts in BiSeNet's order
}

Normalization = tuple[tuple[float, float, float], tuple[float, float, float]]
"""What is subtracted from each colour in 0..1, and by what it is divided then."""

NORMALIZATIONS: Mapping[Architecture, Normalization] = {
    Architecture.PARSENET: ((0.5, 0.5, 0.5), (0.5, 0.5, 0.5)),
    Architecture.BISENET: ((0.485, 0.456, 0.406), (0.229, 0.224, 0.225)),  # of ImageNet
}
