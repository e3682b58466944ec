"""What face parsers were trained on: the parts of a face they tell apart, and how they see it."""

CLASSES = 19  # of CelebAMask-HQ (Lee et al., CVPR 2020)
PARSENET_FACE = (*range(1, 14), 15)  # skin to hair, and ear rings: those that GFPGAN pastes
BISENET_FACE = (*range(1, 14), 17)  # the same parts in BiSeNet's order
IMAGENET_MEANS = (0.485, 0.456, 0.406)
IMAGENET_DEVIATIONS = (0.229, 0.224, 0.225)
"""Of red, green and blue in 0..1, by which pictures are normalised for BiSeNet."""
