"""What directions of z move, where that is known."""

import numpy as np
import pytest
import torch

from dcgan_dist.studies.judges.faces import ATTRIBUTES
from dcgan_dist.studies.moved import FAR, Moved, in_words, moved, named, numbers
from tests.studies.linear_faces import LATENTS, judged, subject

SD = 3**-0.5


def of(by: list[list[float]]) -> Moved:
    return Moved(("bed", "door"), np.array(by), np.full(np.shape(by), 0.01))


@pytest.mark.parametrize(
    ("by", "random", "wanted"),
    [
        ([[0.3, 0.1]], [[0.1, 0.1], [-0.1, 0.1]], ["bed"]),
        ([[-0.3, 0.1]], [[0.1, 0.1], [-0.1, 0.1]], ["bed"]),
        # Any step opens doors; only few move beds.
        ([[0.2, 0.4]], [[0.05, 0.4], [0.05, -0.4]], ["bed"]),
        # A random direction moves doors nearly twice as far as is usual, so that twice is needed.
        ([[0.19, 0.1]], [[0.1, 0.05], [0.1, 0.05], [0.1, 0.05], [0.1, 0.6]], [None]),
        ([[0.1, 0.1], [0.1, 0.9]], [[0.1, 0.1], [-0.1, 0.1]], [None, "door"]),
        # What no random direction moves has no scale.
        ([[0.9, 0.1]], [[0.0, 0.1]], [None]),
        ([[0.9, 0.1]], [[0.0, 0.0]], [None]),
    ],
)
def test_a_direction_is_named_by_what_it_moves_further_than_all_random_ones(
    by: list[list[float]], random: list[list[float]], wanted: list[str | None]
) -> None:
    assert named(of(by), of(random)) == wanted
    assert named(of(random), of(random)) == [None] * len(random)


def test_both_sides_of_z_are_compared() -> None:
    generator = subject()
    z = generator.generator.latents(300, 6)
    found = moved(generator, judged().judge, torch.eye(LATENTS)[[0, 1, 2, 6]], z, SD)
    assert found.names == (*ATTRIBUTES, "yaw")
    yaw, smile, glasses, nothing = found.by
    # Red moves by four standard deviations; green and blue pass 0 where they begin near enough to it: everywhere.
    assert yaw.tolist() == pytest.approx([0, 0, 0, 0, 2 * FAR * SD / float(z[:, 0].std())], abs=0.03)
    assert smile.tolist() == [1, 0, 1, 0, 0]
    assert glasses.tolist() == [0, 1, 0, 0, 0]
    assert (nothing == 0).all()
    halfway = moved(generator, judged().judge, torch.eye(LATENTS)[[1]], z, SD / 4)
    share = float((z[:, 1].abs() < FAR * SD / 4).float().mean())
    assert halfway.by[0, 0] == pytest.approx(share, abs=0.04)
    assert halfway.half[0, 0] == pytest.approx(1.96 * np.sqrt(share * (1 - share) / 300), rel=0.1)


def test_numbers_and_words_say_what_moves() -> None:
    found = Moved(("bed", "yaw"), np.array([[-0.25, 1.5], [0.1, 3.24], [0.0, 0.2]]), np.array([[0.02, 0.3]] * 3))
    said = numbers(found, ["bed", "yaw", None])
    assert said[0] == {
        "most": "bed",
        "by": {"bed": -0.25, "yaw": 1.5},
        "half_interval": {"bed": 0.02, "yaw": 0.3},
    }
    assert [in_words(one) for one in said] == ["bed by -25 points", "yaw by +3.2 SD", "none surely"]
