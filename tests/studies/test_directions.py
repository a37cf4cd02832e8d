"""Directions of z: those that move the first layer most, and those in which its activations vary most."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from dcgan_dist.errors import DataError, SettingsError
from dcgan_dist.model.dcgan import Generator, initialize
from dcgan_dist.model.generate import About, FrozenGenerator, freeze
from dcgan_dist.model.randomness import latents
from dcgan_dist.settings import NetworkSettings
from dcgan_dist.storage import Place
from dcgan_dist.studies.directions import (
    LABEL_WIDTH,
    DirectionsOptions,
    closed_form,
    directions,
    first_layers,
    linear_part,
    principal,
)
from dcgan_dist.studies.layout import GAP
from dcgan_dist.studies.subject import Subject
from tests.studies import linear_faces

NETWORKS = NetworkSettings(image_size=16, generator_maps=4, discriminator_maps=4, latent_size=12)


def subject(network: nn.Module, networks: NetworkSettings = NETWORKS) -> Subject:
    about = About("mine", "000000000640", 640, "raw", networks, 32, "fixed statistics")
    return Subject(FrozenGenerator(network, about), None, Place("/nowhere"))


def trained(networks: NetworkSettings = NETWORKS) -> nn.Module:
    """As if it were: its first layer follows some components of z much more than others."""
    generator = Generator(networks)
    initialize(generator, 3)
    with torch.no_grad():
        generator.first.linear.weight.mul_(torch.linspace(1, 20, networks.latent_size))  # type: ignore[operator, union-attr]
        if generator.first.norm is not None:
            generator.first.norm.weight.mul_(torch.linspace(0.2, 3, len(generator.first.norm.weight)))
    return freeze(generator, networks, 32)


def planted(size: int, units: int, along: Tensor, seed: int) -> Tensor:
    """A matrix of small random numbers that follows one direction of z much more than any other."""
    numbers = torch.from_numpy(np.random.default_rng(seed).standard_normal((units, size + 1)))
    return numbers[:, :size] * 0.1 + 3 * numbers[:, size:] * along


@pytest.mark.parametrize("batchnorm", ["prescribed", "nowhere"])
def test_directions_of_sefa_are_eigenvectors_and_the_first_moves_the_first_layer_most(batchnorm: str) -> None:
    networks = replace(NETWORKS, batchnorm=batchnorm)  # type: ignore[arg-type]
    projection, _ = first_layers(subject(trained(networks), networks))
    matrix = linear_part(projection, 12)
    found = closed_form(matrix, 5)
    moved = found.along @ matrix.T @ matrix
    lengths = moved.norm(dim=1, keepdim=True)
    assert torch.allclose(moved / lengths, found.along, atol=1e-9)
    assert lengths.flatten().tolist() == sorted(lengths.flatten().tolist(), reverse=True)
    assert torch.allclose(found.along @ found.along.T, torch.eye(5).double(), atol=1e-9)
    # No other step of the same length changes what stands before the rectifier as much.
    z, others = latents(networks, 1, 7, "here"), torch.randn(200, 12, generator=torch.manual_seed(0))
    steps = torch.cat([found.along[:1].float(), others / others.norm(dim=1, keepdim=True)])
    changes = (projection(z + steps) - projection(z)).flatten(1).norm(dim=1)
    assert int(changes.argmax()) == 0
    assert float(found.share[0]) == pytest.approx(float(changes[0]) ** 2 / float((matrix**2).sum()), rel=1e-3)


@pytest.mark.parametrize("units", [40, 700])
def test_principal_components_recover_a_planted_direction(units: int) -> None:
    along = nn.functional.normalize(torch.arange(1.0, 13), dim=0).double()
    z = latents(NETWORKS, 500, 4, "planted")
    activations = torch.relu(z.double() @ planted(12, units, along, 5).T)
    found = principal(activations, z, 3)
    assert float(found.along[0] @ along) > 0.97
    assert torch.allclose(found.along.norm(dim=1), torch.ones(3).double())
    variance = activations.var(dim=0, correction=0).sum()
    _, singular, _ = torch.linalg.svd(activations - activations.mean(0))
    assert found.share.tolist() == pytest.approx((singular[:3] ** 2 / len(z) / variance).tolist(), rel=1e-6)


def test_what_the_rectifier_stops_counts_for_sefa_alone() -> None:
    along, stopped = torch.eye(12)[0].double(), torch.eye(12)[1].double()
    layer = nn.Linear(12, 32 + 32)
    with torch.no_grad():
        layer.weight.copy_(torch.cat([planted(12, 32, along, 1), 3 * planted(12, 32, stopped, 2)]))
        layer.bias.copy_(torch.cat([torch.zeros(32), torch.full((32,), -200.0)]))
    projection, activations = first_layers(subject(nn.Sequential(layer, nn.ReLU(), nn.Linear(64, 1))))
    z = latents(NETWORKS, 300, 4, "planted")
    assert float(closed_form(linear_part(projection, 12), 1).along[0] @ stopped) > 0.99
    assert float(principal(activations(z).detach(), z, 1).along[0] @ along) > 0.99


@pytest.mark.parametrize("latent", ["uniform", "normal"])
def test_found_directions_change_images_more_than_random_ones(latent: str) -> None:
    networks = replace(NETWORKS, latent=latent)  # type: ignore[arg-type]
    network = trained(networks)
    found = directions(subject(network, networks), DirectionsOptions(run="mine", number=2, seed=3, reach=5), print)
    numbers = found.numbers
    changes = {name: np.array(numbers[name]["levels_per_sd"]) for name in ("sefa", "ganspace", "random")}
    assert [len(one) for one in changes.values()] == [2, 2, 32]
    assert min(changes["sefa"].min(), changes["ganspace"].min()) > 1.3 * np.median(changes["random"])
    assert numbers["sefa"]["largest_cosine"] < 1e-9
    assert 0 < numbers["random"]["largest_cosine"] < 1
    assert found.lines[0].startswith("SeFa: the first direction has ")
    # The first row is that of the first direction of SeFa, around two z one beside the other.
    projection, _ = first_layers(subject(network, networks))
    along = closed_form(linear_part(projection, 12), 1).along[0].float()
    sd = 1 if latent == "normal" else 3**-0.5
    factor = found.figure.shape[1] // (2 * (7 * 18 - 2) + GAP)
    shown = found.figure[::factor, ::factor]
    z = latents(networks, 2, 3, "directions", 1)
    for number, (left, step) in enumerate([(6 * 18, 5), (7 * 18 - 2 + GAP, -5)]):
        wanted = network(z[number : number + 1] + step * sd * along)[0].add(1).mul(127.5).permute(1, 2, 0)
        assert np.abs(shown[:16, left : left + 16] - wanted.detach().numpy()).max() <= 1
    assert len(shown) == 2 * (2 * 18 - 2) + 2 * GAP + 2 * 18 - 2


def test_what_each_direction_moves_is_beside_its_row(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("dcgan_dist.studies.directions.judge_of", lambda subject, say, **asked: linear_faces.judged())
    options = DirectionsOptions(run="mine", number=2, seed=3)
    found = directions(linear_faces.subject(), options, print)
    # The first layer follows red most, by which faces turn, then what no picture shows; nothing surely with GANSpace's
    # second: it may hold a little red.
    first, second = found.numbers["sefa"]["moves"]
    assert (first["most"], second["most"]) == ("yaw", None)
    assert abs(first["by"]["yaw"]) == pytest.approx(4, abs=0.3)
    assert second["by"] == {"smile": 0, "glasses": 0, "long_hair": 0, "bald": 0, "yaw": 0}
    assert found.numbers["ganspace"]["moves"][0]["most"] == "yaw"
    assert [one["most"] for one in found.numbers["random"]["moves"]] == [None] * 32
    assert found.numbers["judge"] == linear_faces.TESTED
    assert found.depends_on == {"judge_sha256": linear_faces.judged().sha256}
    assert found.lines[2].startswith("SeFa moves, in this order: yaw by +4.")
    monkeypatch.undo()
    without = directions(linear_faces.subject(), options, print)
    assert "moves" not in without.numbers["sefa"]
    assert (found.figure[:, :-LABEL_WIDTH] == without.figure).all()
    # Words stand beside the middle of each row of strips, and nothing between.
    dark = (found.figure[:, -LABEL_WIDTH:] < 128).any((1, 2))
    factor = len(dark) // (3 * 66 + 2 * GAP)
    tops = [factor * top for group in range(3) for top in (group * (66 + GAP), group * (66 + GAP) + 34)]
    assert all(dark[top : top + 32 * factor].any() for top in tops)
    words = np.zeros_like(dark)
    for top in tops:
        words[top + 16 * factor - 8 : top + 16 * factor + 12] = True
    assert not dark[~words].any()


def test_the_change_of_the_image_is_that_of_its_derivative() -> None:
    class Linear(nn.Sequential):
        """Each pixel is a tenth of the first component of z, whatever the layers compute."""

        def forward(self, z: Tensor) -> Tensor:
            return z[:, :1, None, None].expand(-1, 3, 16, 16) / 10

    network = Linear(nn.Linear(12, 20, bias=False), nn.ReLU())
    with torch.no_grad():
        network[0].weight.zero_()
        network[0].weight[0, 0] = 2
    found = directions(subject(network), DirectionsOptions(run="mine", number=1), print).numbers
    assert found["sefa"]["levels_per_sd"] == pytest.approx([12.75 * 3**-0.5], rel=1e-4)
    assert found["sefa"]["largest_cosine"] == 0


@pytest.mark.parametrize("moving", [0, 2])
def test_directions_that_are_nothing_but_rounding_are_refused(moving: int) -> None:
    layer = nn.Linear(12, 40)
    with torch.no_grad():
        layer.weight[:, moving:] = 0
    network = nn.Sequential(layer, nn.ReLU(), nn.Linear(40, 768), nn.Unflatten(1, (3, 16, 16)))
    sentence = f"number is 3, but the first layer of mine moves in {moving} directions of z alone: give a smaller"
    with pytest.raises(DataError, match=sentence):
        directions(subject(network), DirectionsOptions(run="mine", number=3), print)
    if moving:
        found = directions(subject(network), DirectionsOptions(run="mine", number=moving), print)
        assert len(found.numbers["sefa"]["share"]) == len(found.numbers["ganspace"]["share"]) == moving


def test_wrong_input_is_one_sentence() -> None:
    with pytest.raises(SettingsError, match="number is 13, but z of mine has 12 components"):
        directions(subject(trained()), DirectionsOptions(run="mine", number=13), print)
    own: list[nn.Module] = [
        nn.Linear(12, 4),
        nn.Sequential(nn.Linear(12, 4), nn.Tanh(), nn.ReLU()),
        nn.Sequential(nn.ReLU()),
    ]
    for network in own:
        with pytest.raises(SettingsError, match=r"needs a generator whose first layers.* but that of mine is another"):
            first_layers(subject(network))
