"""Networks that know classes: against the definition of the published ones for MNIST."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from dcgan_dist.model.adversarial_step import AdversarialStep, scale
from dcgan_dist.model.dcgan import build_networks, count_parameters
from dcgan_dist.model.randomness import class_numbers, latents
from dcgan_dist.settings import PRESETS, NetworkSettings, OptimizationSettings
from tests.model import mnist_definition as definition

CPU = torch.device("cpu")
SMALL = replace(
    PRESETS["mnist28"]().networks,
    classes=3,
    generator_maps=2,
    discriminator_maps=3,
    dense_units=6,
    latent_size=5,
)
BATCH = 7
Y = torch.tensor([2, 0, 1, 1, 0, 2, 2])


def built(settings: NetworkSettings, seed: int = 4) -> tuple[nn.Module, nn.Module]:
    networks = build_networks(settings, seed, CPU, torch.float64, channels_last=False)
    with torch.no_grad():
        for network in networks:
            for parameter in network.parameters():
                parameter.mul_(15)  # so that rectifiers and the sigmoid bend
    return networks


def weights(network: nn.Module) -> definition.Weights:
    return {name: value.numpy().astype(complex) for name, value in network.state_dict().items()}


def one_hot(labels: Tensor, classes: int) -> definition.Array:
    return np.eye(classes, dtype=complex)[labels.numpy()]


def to_unit(real: Tensor) -> definition.Array:
    return real.numpy() / 255 + 0j


def batch() -> tuple[Tensor, Tensor]:
    random = np.random.default_rng(5)
    real = torch.from_numpy(random.integers(0, 256, (BATCH, 1, 28, 28), np.uint8))
    return real, torch.from_numpy(random.uniform(-1, 1, (BATCH, SMALL.latent_size)))


def test_the_published_networks_have_the_published_parameters() -> None:
    generator, discriminator = built(PRESETS["mnist28"]().networks)
    assert (count_parameters(generator), count_parameters(discriminator)) == (6_820_538, 6_688_202)
    shapes = [[tuple(one.shape) for one in network.parameters()] for network in (generator, discriminator)]
    assert shapes == [
        [(1024, 110), (6272, 1034), (138, 64, 5, 5), (74, 1, 5, 5)],
        [(64, 11, 5, 5), (128, 74, 5, 5), (1024, 6282), (1, 1034)],
    ]


def test_both_networks_are_those_of_the_definition() -> None:
    generator, discriminator = built(SMALL)
    real, z = batch()
    with torch.no_grad():
        images, logits = generator(z, Y), discriminator(scale(real, z), labels=Y)
    y = one_hot(Y, 3)
    expected = definition.generator(weights(generator), z.numpy() + 0j, y)
    # Outside of the networks images are on the scale from -1 to 1.
    np.testing.assert_allclose((images.numpy() + 1) / 2, expected.real, atol=1e-12)
    expected = definition.discriminator(weights(discriminator), to_unit(real), y)
    np.testing.assert_allclose(logits.numpy(), expected.real, rtol=1e-10)


@pytest.mark.parametrize("step", [0, 1], ids=["generator", "discriminator"])
def test_a_step_is_that_of_the_definition(step: int) -> None:
    """Gradients of every array of weights along random directions, then Adam with coupled weight decay."""
    optimization = OptimizationSettings(
        batch_size=BATCH, schedule="alternate", lr=3e-3, weight_decay=0.01, precision="fp64"
    )
    generator, discriminator = built(SMALL)
    g, d, y = weights(generator), weights(discriminator), one_hot(Y, 3)
    real, z = batch()
    adversarial = AdversarialStep(generator, discriminator, optimization, total_steps=50)
    metrics = adversarial(real, z, step, Y)

    def loss(changed: definition.Weights) -> definition.Array:
        if step:
            return definition.discriminator_loss(g, changed, to_unit(real), z.numpy() + 0j, y)
        return definition.generator_loss(changed, d, z.numpy() + 0j, y)

    network, before = (discriminator, d) if step else (generator, g)
    name = f"loss/{'discriminator' if step else 'generator'}"
    assert float(metrics[name]) == pytest.approx(float(loss(before).real), rel=1e-10)
    random = np.random.default_rng(6)
    for name, parameter in network.named_parameters():
        for _ in range(3):
            along = random.standard_normal(parameter.shape)
            assert parameter.grad is not None
            found = float((parameter.grad.numpy() * along).sum())
            assert found == pytest.approx(definition.slope(loss, before, name, along), rel=1e-8)
        gradient = parameter.grad.numpy() + 0.01 * before[name].real
        expected = before[name].real - 3e-3 * gradient / (np.abs(gradient) + 1e-8)  # Adam's first step
        np.testing.assert_allclose(parameter.detach().numpy(), expected, rtol=1e-9, atol=1e-12)
    for name, value in (generator if step else discriminator).state_dict().items():
        assert np.array_equal(value.numpy(), (g if step else d)[name].real)


def test_classes_and_z_come_from_the_seed_and_the_step() -> None:
    first, again, other = (class_numbers(SMALL, 400, 9, "sample", step) for step in (2, 2, 3))
    assert torch.equal(first, again)
    assert not torch.equal(first, other)
    assert first.bincount().tolist() == pytest.approx([400 / 3] * 3, rel=0.25)
    assert first.dtype == torch.int64
    assert not torch.equal(latents(SMALL, 4, 9, "sample", 2), latents(SMALL, 4, 9, "sample", 3))


def test_another_class_gives_another_image_and_another_logit() -> None:
    generator, discriminator = built(SMALL)
    _, z = batch()
    other = (Y + 1) % 3
    with torch.no_grad():
        images, others = generator(z, Y), generator(z, other)
        logits, of_others = (discriminator(images, labels=labels) for labels in (Y, other))
    assert ((images - others).abs().amax((1, 2, 3)) > 1e-3).all()
    assert ((logits - of_others).abs() > 1e-6).all()


@pytest.mark.parametrize(
    ("settings", "labels", "message"),
    [
        (SMALL, None, "networks of 3 classes need the class number of each image"),
        (replace(SMALL, classes=0), Y, "class numbers are given to networks that know no classes"),
        (SMALL, Y + 1, "Class values must be smaller than num_classes"),
    ],
)
def test_classes_that_do_not_fit_are_refused(settings: NetworkSettings, labels: Tensor | None, message: str) -> None:
    generator, discriminator = built(settings)
    real, z = batch()
    with pytest.raises((ValueError, RuntimeError), match=message):
        generator(z, labels)
    with pytest.raises((ValueError, RuntimeError), match=message):
        discriminator(scale(real, z), labels=labels)


def test_the_maps_of_an_image_tell_no_class() -> None:
    _, discriminator = built(SMALL)
    real, z = batch()
    images = scale(real, z)
    first = discriminator.layers[0]  # type: ignore[index]
    maps = discriminator.maps(images)  # type: ignore[operator]
    weight = discriminator.state_dict()["layers.0.linear.weight"][:, :1]
    expected = nn.functional.leaky_relu(nn.functional.conv2d((images + 1) / 2, weight, stride=2, padding=2), 0.2)
    torch.testing.assert_close(maps[0], expected)
    assert [tuple(one.shape[1:]) for one in maps] == [(3, 14, 14), (6, 7, 7)]
    assert first.norm is None
