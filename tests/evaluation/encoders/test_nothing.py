"""No features, where networks take the images."""

import numpy as np

from dcgan_dist.evaluation.encoders.encoder import fit
from dcgan_dist.evaluation.encoders.nothing import NoFeatures


def test_images_have_no_numbers_and_the_record_says_what_learns_instead() -> None:
    encoder = fit(NoFeatures({"lr": 3}), lambda encoder: [])
    assert encoder.features(np.zeros((7, 4, 4, 3), np.uint8)).shape == (7, 0)
    assert encoder.recipe == {"lr": 3}
