"""Networks and losses that the paper's are compared with, against their definition in NumPy."""

from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

from dcgan_dist.evaluation.encoders.maps import batch_statistics, features, widths
from dcgan_dist.model.adversarial_step import AdversarialStep, scale
from dcgan_dist.model.dcgan import build_networks, count_parameters
from dcgan_dist.settings import NetworkSettings, OptimizationSettings
from tests.model import compared_definition as definition
from tests.model.mnist_definition import Weights, slope

CPU, BATCH = torch.device("cpu"), 7
NETWORKS: dict[str, dict[str, Any]] = {
    "relu in D": {"discriminator_activations": "relu"},
    "leaky in G": {"generator_activations": "leaky_relu"},
    "tanh": {"generator_activations": "tanh", "discriminator_activations": "tanh"},
    "maxout": {"generator_activations": "maxout", "discriminator_activations": "maxout", "dense_units": 5},
    "pooling": {"resampling": "pooling"},
    "pooling 3x3": {"resampling": "pooling", "structure": "3x3", "discriminator_activations": "maxout"},
    "ends": {"batchnorm": "ends", "dense_units": 4},
    "generator": {"batchnorm": "generator", "dense_units": 4},
    "linear": {"output": "linear"},
    "linear everywhere": {"output": "linear", "batchnorm": "everywhere"},
}
LOSSES: dict[str, dict[str, Any]] = {
    "smooth": {"real_label": 0.85},
    "saturating": {"loss": "saturating", "real_label": 0.9},
    "hinge": {"loss": "hinge"},
    "least squares": {"loss": "least_squares"},
}


def settings_of(**chosen: Any) -> NetworkSettings:
    return NetworkSettings(
        **{"image_size": 16, "generator_maps": 3, "discriminator_maps": 2, "latent_size": 5, **chosen}
    )


def built(settings: NetworkSettings) -> tuple[nn.Module, nn.Module]:
    networks = build_networks(settings, 4, CPU, torch.float64, channels_last=False)
    random = np.random.default_rng(8)
    with torch.no_grad():
        for network in networks:
            for name, parameter in network.named_parameters():
                if name.endswith("bias"):  # shifts of 0 would hide an error
                    parameter.copy_(torch.from_numpy(random.uniform(-0.5, 0.5, parameter.shape)))
                elif not name.endswith("norm.weight"):
                    parameter.mul_(15)  # so that activations bend
    return networks


def weights(network: nn.Module) -> Weights:
    return {name: value.numpy().astype(complex) for name, value in network.state_dict().items()}


def batch() -> tuple[torch.Tensor, torch.Tensor]:
    random = np.random.default_rng(5)
    real = torch.from_numpy(random.integers(0, 256, (BATCH, 3, 16, 16), np.uint8))
    return real, torch.from_numpy(random.uniform(-1, 1, (BATCH, 5)))


@pytest.mark.parametrize("chosen", NETWORKS.values(), ids=NETWORKS)
def test_networks_are_those_of_the_definition(chosen: dict[str, Any]) -> None:
    settings = settings_of(**chosen)
    generator, discriminator = built(settings)
    real, z = batch()
    with torch.no_grad():
        images, logits = generator(z), discriminator(scale(real, z))
    expected = definition.generator(settings, weights(generator), z.numpy() + 0j)
    np.testing.assert_allclose(images.numpy(), expected.real, rtol=0, atol=1e-11)
    expected = definition.discriminator(settings, weights(discriminator), scale(real, z).numpy() + 0j)
    np.testing.assert_allclose(logits.numpy(), expected.real, rtol=1e-10)


@pytest.mark.parametrize("step", [0, 1], ids=["G", "D"])
@pytest.mark.parametrize(
    ("networks", "losses"),
    [*((one, {}) for one in NETWORKS.values()), *(({}, one) for one in LOSSES.values())],
    ids=[*NETWORKS, *LOSSES],
)
def test_loss_and_gradients_of_a_step_are_those_of_the_definition(
    networks: dict[str, Any], losses: dict[str, Any], step: int
) -> None:
    """Along two random directions of each array of weights."""
    settings = settings_of(**networks)
    optimization = OptimizationSettings(batch_size=BATCH, schedule="alternate", precision="fp64", **losses)
    generator, discriminator = built(settings)
    g, d = weights(generator), weights(discriminator)
    real, z = batch()
    x, latents = scale(real, z).numpy() + 0j, z.numpy() + 0j
    metrics = AdversarialStep(generator, discriminator, optimization, total_steps=50)(real, z, step)

    def loss(changed: Weights) -> definition.Array:
        if not step:
            images = definition.generator(settings, changed, latents)
            return definition.generator_loss(optimization, definition.discriminator(settings, d, images))
        images = definition.generator(settings, g, latents)
        logits = (definition.discriminator(settings, changed, one) for one in (x, images))
        return definition.discriminator_loss(optimization, *logits)

    network, before = (discriminator, d) if step else (generator, g)
    name = f"loss/{'discriminator' if step else 'generator'}"
    assert float(metrics[name]) == pytest.approx(float(loss(before).real), rel=1e-10)
    random = np.random.default_rng(6)
    for name, parameter in network.named_parameters():
        for _ in range(2):
            along = random.standard_normal(parameter.shape)
            assert parameter.grad is not None
            found = float((parameter.grad.numpy() * along).sum())
            assert found == pytest.approx(slope(loss, before, name, along), rel=1e-7, abs=1e-12)


@pytest.mark.parametrize(
    "chosen",
    [
        {"batchnorm": "generator"},
        {"batchnorm": "nowhere", "resampling": "pooling", "discriminator_activations": "maxout"},
        {"batchnorm": "generator", "discriminator_activations": "tanh"},
    ],
    ids=["leaky", "pooling", "tanh"],
)
def test_the_penalty_is_the_mean_squared_slope_at_real_images(chosen: dict[str, Any]) -> None:
    """The slope by the definition, to the last digit; its change with the weights by a difference."""
    settings = settings_of(**chosen)
    both = [
        OptimizationSettings(batch_size=2, schedule="alternate", precision="fp64", r1=r1, discriminator_weight=0.5)
        for r1 in (0.0, 0.3)
    ]
    real, z = (one[:2] for one in batch())
    x = scale(real, z).numpy() + 0j
    gradients, found = [], {}
    for optimization in both:
        generator, discriminator = built(settings)
        d = weights(discriminator)
        found = AdversarialStep(generator, discriminator, optimization, total_steps=50)(real, z, 1)
        gradients.append({name: one.grad.numpy().copy() for name, one in discriminator.named_parameters()})  # type: ignore[union-attr]

    def penalty(changed: Weights) -> float:
        return 0.5 * 0.3 * definition.squared_slope(settings, changed, x)

    assert float(found["loss/r1"]) == pytest.approx(penalty(d), rel=1e-10)
    random = np.random.default_rng(6)
    for name, value in d.items():
        along = random.standard_normal(value.shape)
        higher, lower = (penalty({**d, name: value + sign * 1e-6 * along}) for sign in (1, -1))
        added = float(((gradients[1][name] - gradients[0][name]) * along).sum())
        assert added == pytest.approx((higher - lower) / 2e-6, rel=1e-6)


def test_other_networks_have_the_parameters_of_the_papers_but_for_those_that_say_otherwise() -> None:
    plain = NetworkSettings(image_size=32, generator_maps=64, discriminator_maps=64)
    paper = [count_parameters(network) for network in built(plain)]
    assert paper == [1_446_976, 1_033_664]

    def counts(**chosen: Any) -> list[int]:
        chosen = {"image_size": 32, "generator_maps": 64, "discriminator_maps": 64, **chosen}
        return [count_parameters(network) for network in built(NetworkSettings(**chosen))]

    for same in (
        {"generator_activations": "tanh", "discriminator_activations": "relu"},
        {"resampling": "pooling"},
        {"output": "linear"},
    ):
        assert counts(**same) == paper
    # Every hidden layer has two linear maps, each with its gain and shift: all but the weights of the last layer.
    assert counts(generator_activations="maxout", discriminator_activations="maxout") == [
        2 * (1_446_976 - 64 * 3 * 25) + 64 * 3 * 25,
        2 * (1_033_664 - 4_096) + 4_096,
    ]
    norms_of_generator, norms_of_discriminator = 2 * (4_096 + 128 + 64), 2 * (128 + 256)
    assert counts(batchnorm="generator") == [paper[0], paper[1] - norms_of_discriminator]
    assert counts(batchnorm="ends") == [
        paper[0] - norms_of_generator + 2 * 3,
        paper[1] - norms_of_discriminator + 2 * 64,
    ]


@pytest.mark.parametrize("chosen", NETWORKS.values(), ids=NETWORKS)
def test_features_are_of_every_layers_maps(chosen: dict[str, Any]) -> None:
    """Each layer's maps, pooled to 4 x 4; normalized by one batch, they are what the network makes of that batch."""
    discriminator = built(settings_of(**chosen))[1]
    real, z = batch()
    x = scale(real, z)
    found = features(discriminator, batch_statistics(discriminator, x), x)  # type: ignore[arg-type]
    maps = discriminator.maps(x)  # type: ignore[operator]
    assert widths(discriminator) == [one.shape[1] for one in maps]  # type: ignore[arg-type]
    expected = [torch.nn.functional.max_pool2d(one, one.shape[-1] // 4).flatten(1) for one in maps]
    torch.testing.assert_close(found, torch.cat(expected, 1).detach(), rtol=0, atol=1e-8)
