"""A walk through z: smooth networks have no sharp transition, one that replays images has."""

import io

import numpy as np
import pytest
import torch
from PIL import Image
from torch import Tensor, nn

from dcgan_dist.data.scenes import draw
from dcgan_dist.model.dcgan import Generator, initialize
from dcgan_dist.model.drawing import interpolate
from dcgan_dist.model.generate import About, FrozenGenerator, freeze
from dcgan_dist.model.randomness import latents
from dcgan_dist.settings import NetworkSettings
from dcgan_dist.storage import Place
from dcgan_dist.studies.subject import Subject
from dcgan_dist.studies.walk import PARTS, WalkOptions, spherical, steps_of, walk

NETWORKS = NetworkSettings(image_size=16, generator_maps=8, discriminator_maps=8, latent_size=12)


def subject(network: nn.Module) -> Subject:
    about = About("mine", "000000000640", 640, "raw", NETWORKS, 32, "fixed statistics")
    return Subject(FrozenGenerator(network, about), None, Place("/nowhere"))


def smooth() -> nn.Module:
    generator = Generator(NETWORKS)
    initialize(generator, 3)
    return freeze(generator, NETWORKS, 32)


class Replay(nn.Module):
    """Shows the training image whose z is nearest to the given one."""

    def __init__(self, number: int) -> None:
        super().__init__()
        images = np.stack([draw("rooms", 16, 5, index).image for index in range(number)])
        self.images = torch.from_numpy(images).permute(0, 3, 1, 2).float() / 127.5 - 1
        self.places = latents(NETWORKS, number, 8, "places")
        self.weight = nn.Parameter(torch.zeros(1))

    def forward(self, z: Tensor) -> Tensor:
        return self.images[torch.cdist(z, self.places).argmin(1)]


@pytest.mark.parametrize("path", ["linear", "spherical"])
def test_a_smooth_generator_has_no_sharp_transition_and_one_that_replays_images_has(path: str) -> None:
    options = WalkOptions(run="mine", points=4, images=31, path=path, seed=6)  # type: ignore[arg-type]
    found = {name: walk(subject(one), options, print) for name, one in (("new", smooth()), ("old", Replay(1_000)))}
    new, old = (found[name].numbers["pixels"] for name in ("new", "old"))
    assert new["sharp"] == []
    assert new["largest_share_of_a_part"] < 0.3
    assert new["largest_over_median"] < 4
    assert len(old["sharp"]) > 5
    assert old["largest_share_of_a_part"] == 1
    assert "no sharp transition" in found["new"].lines[0]
    assert f"{len(old['sharp'])} sharp transitions: images " in found["old"].lines[0]


def test_the_figure_shows_the_path_row_by_row() -> None:
    network = smooth()
    found = walk(subject(network), WalkOptions(run="mine", points=3, images=25, seed=9), print)
    z = interpolate(latents(NETWORKS, 3, 9, "walk"), 24 * PARTS + 1)[::PARTS]
    wanted = network(z)[13].detach().add(1).mul(127.5).round().permute(1, 2, 0).numpy()
    factor = found.figure.shape[1] // (10 * 18 - 2)
    shown = found.figure[::factor, ::factor]
    # The 14th image is the 4th of the second row.
    assert np.abs(shown[18:34, 54:70].astype(float) - wanted).max() <= 1
    with Image.open(io.BytesIO(found.files[".webp"])) as frames:
        # Images that do not differ share a frame.
        assert 1 < frames.n_frames <= 49
        assert frames.size == (192, 192)


def test_steps_are_sums_of_their_parts() -> None:
    even, sudden = np.full(PARTS, 0.2), np.r_[np.zeros(PARTS - 1), 3.0]
    steps = steps_of(np.concatenate([even, sudden, even, np.zeros(PARTS), sudden * 0.01]))
    assert steps.length == pytest.approx([2, 3, 2, 0, 0.03])
    assert steps.share == pytest.approx([0.1, 1, 0.1, 0, 1])
    # The last is sudden too, but next to nothing changes in it.
    assert steps.sharp.tolist() == [1]
    assert steps.largest_over_median == pytest.approx(1.5)
    assert steps_of(np.concatenate([sudden, np.zeros(2 * PARTS)])).largest_over_median is None


def test_arcs_lead_through_the_points_at_lengths_between_theirs() -> None:
    points = torch.tensor([[2.0, 0, 0], [0, 4, 0], [0, 0, 4]])
    path = spherical(points, 5)
    assert torch.allclose(path[::2], points, atol=1e-6)
    assert torch.allclose(path.norm(dim=1), torch.tensor([2.0, 3, 4, 4, 4]), atol=1e-6)
    assert torch.allclose(path[1], torch.tensor([3.0, 3, 0]) / 2**0.5, atol=1e-6)
    same = spherical(torch.tensor([[1.0, 1], [1, 1]]), 3)
    assert torch.allclose(same, torch.ones(3, 2), atol=1e-5)
