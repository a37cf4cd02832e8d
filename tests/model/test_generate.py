"""Samples by fixed statistics, against batch normalization written out here."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from dcgan_dist.errors import CheckpointError, SettingsError
from dcgan_dist.evaluation.coverage import Sampler
from dcgan_dist.model.batchnorm import EPS, BatchNorm
from dcgan_dist.model.dcgan import Generator, Layer, initialize
from dcgan_dist.model.drawing import to_uint8
from dcgan_dist.model.generate import (
    BATCHES,
    About,
    FrozenGenerator,
    choose_kind,
    describe_frozen,
    freeze,
    require_class,
)
from dcgan_dist.model.randomness import class_numbers, latents
from dcgan_dist.run_folder.checkpoint import Checkpoint
from dcgan_dist.run_folder.load_generator import load_frozen, load_training_generator
from dcgan_dist.settings import NetworkSettings, OptimizationSettings, Settings, original32conv

CPU = torch.device("cpu")
BATCH = 12
STRUCTURES: list[dict[str, Any]] = [
    {},
    {"structure": "3x3", "latent": "normal"},
    {"batchnorm": "everywhere"},
    {"batchnorm": "nowhere"},
    {"output": "sigmoid", "batchnorm": "everywhere"},
    {"output": "sigmoid", "batchnorm": "everywhere", "batchnorm_gain": False},
    {"generator_activations": "leaky_relu", "resampling": "pooling"},
    {"generator_activations": "maxout", "dense_units": 6, "resampling": "pooling", "structure": "3x3"},
    {"generator_activations": "tanh", "batchnorm": "ends", "output": "sigmoid"},
    {"output": "linear", "batchnorm": "generator"},
    {"image_size": 28, "channels": 1, "dense_units": 5, "output": "sigmoid", "batchnorm_gain": False},
]
KNOWING: dict[str, Any] = STRUCTURES[-1] | {"classes": 4}
ACTIVATIONS: dict[str, Callable[[Tensor], Tensor]] = {
    "relu": F.relu,
    "leaky_relu": lambda x: torch.maximum(x, 0.2 * x),
    "tanh": torch.tanh,
    "maxout": lambda x: torch.maximum(x[:, 0::2], x[:, 1::2]),
}
OUTPUTS: dict[str, Callable[[Tensor], Tensor]] = {
    "tanh": torch.tanh,
    "sigmoid": lambda x: 2 * x.sigmoid() - 1,
    "linear": lambda x: x.clamp(-1, 1),
}
LABELS = torch.tensor([3, 0, 0, 2, 1])


def generator_of(seed: int, **settings: Any) -> tuple[Generator, NetworkSettings]:
    networks = NetworkSettings(**{"image_size": 16, "generator_maps": 3, "latent_size": 7, **settings})
    generator = Generator(networks)
    initialize(generator, seed)
    # Shifts of 0 would hide an error.
    with torch.no_grad():
        for name, parameter in generator.named_parameters():
            if name.endswith("norm.bias"):
                parameter.copy_(torch.linspace(-0.5, 0.5, len(parameter)))
    return generator, networks


def defined(generator: Generator, networks: NetworkSettings, z: Tensor, labels: Tensor | None = None) -> Tensor:
    """What freezing means, in float64: two passes over the same batches, layer after layer."""
    generator = generator.double()
    layers = [layer for layer in (generator.dense, generator.first, *generator.layers) if isinstance(layer, Layer)]
    sums: dict[int, list[Tensor]] = {}

    def run(x: Tensor, labels: Tensor | None, fixed: bool) -> Tensor:
        for number, layer in enumerate(layers):
            if labels is not None:
                code = F.one_hot(labels, networks.classes).double()
                x = torch.cat([x, code.view(*code.shape, *[1] * (x.dim() - 2)).expand(-1, -1, *x.shape[2:])], 1)
            x = layer.linear(x)
            if layer.norm is not None:
                axes = [0] if x.dim() == 2 else [0, 2, 3]
                if fixed:
                    mean, variance = (value / BATCHES for value in sums[number])
                else:
                    mean, variance = x.mean(axes), x.var(axes, correction=0)
                    before = sums.get(number, [torch.zeros_like(mean), torch.zeros_like(mean)])
                    sums[number] = [before[0] + mean, before[1] + variance]
                shape = [1, -1, *[1] * (x.dim() - 2)]
                x = (x - mean.view(shape)) / (variance.view(shape) + EPS).sqrt()
                if layer.norm.weight is not None and layer.norm.bias is not None:
                    x = x * layer.norm.weight.view(shape) + layer.norm.bias.view(shape)
            hidden = number + 1 < len(layers)
            x = ACTIVATIONS[networks.generator_activations](x) if hidden else OUTPUTS[networks.output](x)
            if layer is generator.first:
                side = 7 if networks.image_size == 28 else 4
                x = x.view(len(x), -1, side, side)
        return x

    with torch.no_grad():
        for batch in range(BATCHES):
            known = class_numbers(networks, BATCH, 0, "statistics", batch) if networks.classes else None
            run(latents(networks, BATCH, 0, "statistics", batch).double(), known, fixed=False)
        return run(z.double(), labels, fixed=True)


@pytest.mark.parametrize("settings", STRUCTURES, ids=lambda settings: ",".join(map(str, settings.values())))
def test_stock_layers_draw_what_the_definition_says(settings: dict[str, Any]) -> None:
    generator, networks = generator_of(1, **settings)
    frozen = freeze(generator, networks, BATCH)
    z = latents(networks, 5, 3, "some")
    with torch.no_grad():
        found = frozen(z)
    torch.testing.assert_close(found.double(), defined(generator, networks, z), rtol=0, atol=2e-5)
    assert isinstance(frozen, nn.Sequential)
    assert {type(layer).__module__.partition(".nn.")[0] for layer in frozen} == {"torch"}


@pytest.mark.parametrize("settings", STRUCTURES, ids=lambda settings: ",".join(map(str, settings.values())))
def test_a_sample_depends_on_its_z_alone(settings: dict[str, Any]) -> None:
    generator, networks = generator_of(2, **settings)
    frozen = freeze(generator.double(), networks, BATCH)
    z = latents(networks, 9, 4, "some").double()
    with torch.no_grad():
        every = frozen(z)
        alone = torch.cat([frozen(row[None]) for row in z])
    torch.testing.assert_close(alone, every, rtol=0, atol=1e-12)
    # No image is grey.
    assert every.flatten(1).std(1).min() > 0.01 * every.std()


def test_networks_that_know_classes_draw_what_the_definition_says() -> None:
    generator, networks = generator_of(1, **KNOWING)
    frozen = freeze(generator, networks, BATCH)
    z = latents(networks, 5, 3, "some")
    with torch.no_grad():
        found = frozen(z, LABELS)
        alone = torch.cat([frozen(row[None], label[None]) for row, label in zip(z, LABELS, strict=True)])
    torch.testing.assert_close(found.double(), defined(generator, networks, z, LABELS), rtol=0, atol=2e-5)
    torch.testing.assert_close(alone, found, rtol=0, atol=1e-5)


def knowing() -> FrozenGenerator:
    generator, networks = generator_of(6, **KNOWING)
    return FrozenGenerator(freeze(generator, networks, BATCH), About("run", "00", 0, "raw", networks, BATCH, ""))


def test_samples_of_a_class_are_of_that_class_alone() -> None:
    frozen = knowing()
    of_two = frozen.of_class(2)
    z = frozen.latents(5, seed=4)
    assert of_two.about.caption == "run after 0 images, raw generator, class 2, "
    assert torch.equal(of_two(z), frozen(z, torch.full((5,), 2)))
    assert not torch.equal(of_two(z), frozen.of_class(1)(z))
    [images] = of_two.draw(5, seed=4)
    assert (images == to_uint8(frozen(frozen.latents(BATCH, seed=4), torch.full((BATCH,), 2)))[:5]).all()
    with pytest.raises(ValueError, match="networks of 4 classes need the class number"):
        frozen(z)


def test_samples_of_any_class_are_drawn_of_random_ones_and_do_not_depend_on_how_many_follow() -> None:
    frozen = knowing()
    labels = frozen.labels(30, seed=5)
    assert labels is not None
    assert torch.equal(labels[BATCH : 2 * BATCH], class_numbers(frozen.about.networks, BATCH, 5, "sample", 1))
    images = np.concatenate(list(frozen.draw(30, seed=5)))
    assert images.shape == (30, 28, 28, 3)
    expected = frozen(list(frozen.batches(30, seed=5))[2], labels[2 * BATCH :])
    assert (images[2 * BATCH :] == to_uint8(expected)[:6]).all()
    assert (np.concatenate(list(frozen.draw(17, seed=5))) == images[:17]).all()


def test_a_grid_of_samples_shows_a_class_a_row() -> None:
    frozen = knowing()
    images, columns = frozen.draw_grid(20, seed=5)
    assert (len(images), columns) == (20, 5)
    z = latents(frozen.about.networks, 5, 5, "sample")
    for row in range(4):
        one = to_uint8(frozen.of_class(row)(torch.cat([z, z, z])[:BATCH]))[:5].astype(int)
        assert np.abs(images[5 * row : 5 * row + 5] - one).max() <= 1
    images, columns = frozen.of_class(3).draw_grid(20, seed=5)
    assert (len(images), columns) == (20, None)


@pytest.mark.parametrize(
    ("settings", "label", "sentence"),
    [
        (KNOWING, 4, "class is 4 but the networks of run know classes 0 to 3"),
        (KNOWING, -1, "class is -1 but the networks of run know classes 0 to 3"),
        ({}, 0, "class is 0 but the networks of run know no classes: leave --class out, or train with --networks.cla"),
    ],
)
def test_a_class_that_is_not_known_is_told(settings: dict[str, Any], label: int, sentence: str) -> None:
    generator, networks = generator_of(6, **settings)
    frozen = FrozenGenerator(freeze(generator, networks, BATCH), About("run", "00", 0, "raw", networks, BATCH, ""))
    with pytest.raises(SettingsError, match=sentence):
        frozen.of_class(label)


def test_the_original_gan_is_not_to_be_trained_with_classes() -> None:
    with pytest.raises(SettingsError, match=r"leave --class out, as no network of the original GAN knows any$"):
        require_class(3, original32conv().networks, "run")


def test_training_mode_changes_nothing() -> None:
    generator, networks = generator_of(seed=3)
    frozen = FrozenGenerator(freeze(generator, networks, BATCH), About("run", "00", 0, "raw", networks, BATCH, ""))
    z = frozen.latents(5)
    before = frozen(z)
    # A module that contains it passes the mode on.
    nn.ModuleList([frozen]).train()
    assert torch.equal(frozen(z), before)
    assert torch.equal(frozen(z), before), "no statistics were changed either"


def test_the_statistics_depend_on_the_weights_alone() -> None:
    generator, networks = generator_of(3)
    torch.manual_seed(5)
    first, state = freeze(generator, networks, BATCH), torch.get_rng_state()
    torch.manual_seed(5)
    assert torch.equal(torch.get_rng_state(), state)  # nothing is taken of PyTorch's random numbers
    torch.rand(100)
    again = freeze(generator, networks, BATCH).state_dict()
    for name, value in first.state_dict().items():
        assert torch.equal(value, again[name])
    # The copy stays what it is when training goes on.
    with torch.no_grad():
        for parameter in generator.parameters():
            parameter.zero_()
    assert all(torch.equal(value, again[name]) for name, value in first.state_dict().items())


@pytest.mark.parametrize(
    ("images", "average_images", "wanted", "kind"),
    [
        (240_000, 10_000, "auto", "averaged"),
        (40_000, 10_000, "auto", "averaged"),
        (39_999, 10_000, "auto", "raw"),  # more than a sixteenth of it is the weights that it began with
        (240_000, 0, "auto", "raw"),
        (100, 10_000, "averaged", "averaged"),
        (240_000, 10_000, "raw", "raw"),
    ],
)
def test_which_generator_draws(images: int, average_images: int, wanted: Any, kind: str) -> None:
    assert choose_kind(images, average_images, wanted) == kind


def checkpoint(images: int, *, averaged: bool) -> Checkpoint:
    generator, networks = generator_of(4)
    settings = Settings(
        images=999,
        networks=networks,
        optimization=OptimizationSettings(batch_size=BATCH, average_images=100 if averaged else 0),
    )
    state = {"generator": generator.state_dict()}
    if averaged:
        state["averaged"] = generator_of(5)[0].state_dict()
    return Checkpoint(f"{images:012}", images // BATCH, images, settings, state)


def test_what_draws_is_said() -> None:
    early, late = (load_frozen(checkpoint(images, averaged=True), "mine", "auto", CPU) for images in (360, 480))
    assert (early.about.kind, late.about.kind) == ("raw", "averaged")
    assert late.about.caption == (
        "mine after 480 images, averaged generator, batch normalization by fixed statistics of 32 batches of 12 z"
    )
    z = early.latents(3)
    assert not torch.equal(early(z), late(z))
    raw, _ = load_training_generator(checkpoint(480, averaged=True), "raw")
    assert torch.equal(early(z), freeze(raw, early.about.networks, BATCH)(z))


class Normalized(nn.Module):
    """One layer of batch normalization of each of these kinds."""

    def __init__(self, *norms: nn.Module) -> None:
        super().__init__()
        self.norms = nn.ModuleList(norms)


OURS, THEIRS = BatchNorm(4), nn.BatchNorm2d(4)
WITHOUT_RUNNING = nn.BatchNorm2d(4, track_running_stats=False)
RUNNING = "running statistics of the training batches"


@pytest.mark.parametrize(
    ("norms", "frozen", "of_each_batch"),
    [
        ([OURS], "fixed statistics of 32 batches of 12 z", "of each batch of 12 samples, as in the published code"),
        ([THEIRS], RUNNING, RUNNING),
        ([nn.BatchNorm1d(3)], RUNNING, RUNNING),
        ([WITHOUT_RUNNING], "statistics of each batch of 12 samples", "of each batch of 12 samples"),
        (
            [THEIRS, OURS, nn.BatchNorm2d(2)],
            f"{RUNNING} and fixed statistics of 32 batches of 12 z",
            f"{RUNNING} and of each batch of 12 samples, as in the published code",
        ),
        ([nn.GroupNorm(2, 4), nn.InstanceNorm2d(4)], None, "no layers of batch normalization"),
    ],
    ids=["ours", "PyTorch's", "of vectors", "without running ones", "both", "others"],
)
def test_what_layers_of_any_kind_normalize_by_is_said_as_it_is(
    norms: list[nn.Module], frozen: str | None, of_each_batch: str
) -> None:
    network = Normalized(*norms)
    said = "no layers of batch normalization" if frozen is None else f"batch normalization by {frozen}"
    assert describe_frozen(network, BATCH) == said
    assert Sampler(network, "raw", NetworkSettings(), BATCH, seed=0).statistics == of_each_batch


def test_running_statistics_are_what_a_network_of_a_users_own_draws_by() -> None:
    norm = nn.BatchNorm1d(5)
    own = nn.Sequential(nn.Linear(7, 5), norm)
    with torch.no_grad():
        own(latents(NetworkSettings(latent_size=7), 40, 1, "some"))  # as training does
    frozen = freeze(own.eval(), NetworkSettings(latent_size=7), BATCH)
    assert torch.equal(frozen[1].running_var, norm.running_var)  # type: ignore[index]


def test_an_average_that_was_not_kept_is_not_replaced_by_something_else() -> None:
    with pytest.raises(CheckpointError, match="holds no averaged generator: give --generator auto or raw"):
        load_frozen(checkpoint(480, averaged=False), "mine", "averaged", CPU)


def test_fewer_samples_are_the_first_of_more_byte_for_byte() -> None:
    frozen = load_frozen(checkpoint(480, averaged=False), "mine", "auto", CPU)
    many = np.concatenate(list(frozen.draw(29, seed=6)))
    assert many.shape == (29, 16, 16, 3)
    assert np.array_equal(np.concatenate(list(frozen.draw(13, seed=6))), many[:13])
    assert not np.array_equal(np.concatenate(list(frozen.draw(13, seed=7))), many[:13])
    assert list(frozen.draw(0)) == []
    assert torch.equal(frozen.latents(13, 6), frozen.latents(29, 6)[:13])
    assert frozen.latents(0).shape == (0, 7)


def test_a_network_of_a_users_own_keeps_its_layers() -> None:
    class Own(nn.Module):
        def __init__(self, networks: NetworkSettings) -> None:
            super().__init__()
            self.ours, self.noise = generator_of(6)[0], nn.Dropout()

        def forward(self, z: Tensor) -> Tensor:
            images: Tensor = self.ours(self.noise(z))
            return images

    made = checkpoint(480, averaged=False)
    settings = replace(made.settings, networks=replace(made.settings.networks, factory="mine:build"))
    state = {"generator": Own(settings.networks).state_dict()}
    own = replace(
        made, settings=settings, state=state, code={"mine:build": lambda networks: (Own(networks), nn.Identity())}
    )
    frozen = load_frozen(own, "mine", "auto", CPU)
    z = frozen.latents(BATCH)
    torch.testing.assert_close(torch.cat([frozen(row[None]) for row in z]), frozen(z), rtol=0, atol=1e-5)
    assert isinstance(frozen.network, Own)
