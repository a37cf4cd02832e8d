"""What codes depend on: every number of it, by name."""

from dataclasses import dataclass
from typing import Final


@dataclass(frozen=True)
class PaperRecipe:
    """The autoencoder of the paper (section 4.1), taken literally: equal codes are duplicates.

    The paper gives the layers (3072-128-3072), de-noising, dropout, ReLU and "thresholding the ReLU activation". The
    numbers below it does not give.

    Attributes:
        seed: of weights, order, noise and dropout.
        sample: how many thumbnails it is fitted to, if there are so many.
        radius: largest Hamming distance of codes that are compared further, in bits of 128.
        steps: of Adam, in passes over the sample. After few of them most units are off for all images, whose codes
            then are equal without being of duplicates.
        batch: thumbnails a step, fewer where there are fewer.
        learning_rate: of Adam.
        noise: standard deviation of the Gaussian noise on the pixels, which go from -1 to 1.
        dropout: share of the 128 units that is left out in each step.
    """

    seed: int = 0
    sample: int = 20_000
    radius: int = 0
    steps: int = 600
    batch: int = 256
    learning_rate: float = 1e-3
    noise: float = 0.1
    dropout: float = 0.2


@dataclass(frozen=True)
class DefaultRecipe:
    """A linear autoencoder, which takes out what copies differ by.

    Attributes:
        seed: of the changes and of the bits' directions.
        sample: how many thumbnails it is fitted to, if there are so many.
        radius: largest Hamming distance of codes that are compared further, in bits of 128.
        units: size of the code before it is binarized; the 128 bits are projections of it.
        whitening: 0 leaves each unit the share that it has in images, 1 gives all units the same.
        shift: largest shift of a changed image, in pixels of the thumbnail, along each axis.
        zoom: largest change of scale, as a share.
        views: shift down, shift right (pixels of the thumbnail), scale of what is looked up besides the image itself.
            A pair is found if a view of one is near the other, so that of two opposite shifts one is enough.
        flat_below: standard deviation in gray levels below which a thumbnail shows nothing.
    """

    seed: int = 0
    sample: int = 10_000
    radius: int = 9
    units: int = 28
    whitening: float = 1.0
    shift: float = 0.5
    zoom: float = 0.025
    views: tuple[tuple[float, float, float], ...] = (
        (0.0, 1.0, 1.0),
        (1.0, 0.0, 1.0),
        (1.0, 1.0, 1.0),
        (1.0, -1.0, 1.0),
        (-0.8, -0.8, 1.05),
        (-0.8, 0.0, 1.05),
        (-0.8, 0.8, 1.05),
        (0.0, -0.8, 1.05),
        (0.0, 0.0, 1.05),
        (0.0, 0.8, 1.05),
        (0.8, -0.8, 1.05),
        (0.8, 0.0, 1.05),
        (0.8, 0.8, 1.05),
    )
    flat_below: float = 2.0


AutoencoderRecipe = PaperRecipe | DefaultRecipe

RECIPES: Final[dict[str, AutoencoderRecipe]] = {"paper": PaperRecipe(), "default": DefaultRecipe()}
