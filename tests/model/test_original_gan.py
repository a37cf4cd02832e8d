"""The original GAN against its definition."""

from dataclasses import replace
from typing import Literal

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from dcgan_dist.model.adversarial_step import AdversarialStep, learning_rate, momentum, scale
from dcgan_dist.model.dcgan import build_networks, count_parameters, new_networks
from dcgan_dist.model.original_gan import begin_with_mean, dropout_masks, stock_layers
from dcgan_dist.settings import PRESETS, NetworkSettings, OptimizationSettings
from tests.model import mnist_definition
from tests.model import original_definition as definition

CPU = torch.device("cpu")
SMALL = replace(
    PRESETS["original28"]().networks,
    image_size=8,
    generator_maps=5,
    discriminator_maps=4,
    maxout_pieces=3,
    latent_size=3,
    generator_activations="relu,sigmoid,relu",
)
CONVOLUTIONAL = replace(
    PRESETS["original32conv"]().networks,
    image_size=14,
    channels=1,
    generator_maps=2,
    discriminator_maps=2,
    maxout_pieces=3,
    dense_units=5,
    latent_size=3,
    output="sigmoid",
)
"""G draws from maps of 4 x 4; D's maps are of 7 x 7, 2 x 2 and 2 x 2."""
KINDS = {"dense": SMALL, "convolutional": CONVOLUTIONAL}
BATCH = 6
OPTIMIZATION = replace(
    PRESETS["original28"]().optimization,
    batch_size=BATCH,
    precision="fp64",
    lr=0.3,
    momentum=0.2,
    final_momentum=0.8,
    momentum_images=3 * BATCH,
    lr_divisor=1.5,
    lr_floor=0.15,
)


def built(settings: NetworkSettings, seed: int = 4) -> tuple[nn.Module, nn.Module]:
    """Both networks with weights of which none is 0, so that all of them bend."""
    networks, random = new_networks(settings), np.random.default_rng(seed)
    spread = 0.4 if settings.structure == "maxout" else 0.15
    for network in networks:
        network.double()
        with torch.no_grad():
            for parameter in network.parameters():
                parameter.copy_(torch.from_numpy(random.normal(0, spread, parameter.shape)))
    return networks


def weights(network: nn.Module) -> dict[str, definition.Array]:
    return {name: value.numpy().astype(complex) for name, value in network.state_dict().items()}


def batch(settings: NetworkSettings, step: int = 0) -> tuple[Tensor, Tensor]:
    random, size = np.random.default_rng(50 + step), settings.image_size
    real = torch.from_numpy(random.integers(0, 256, (BATCH, settings.channels, size, size), np.uint8))
    return real, torch.from_numpy(random.standard_normal((BATCH, settings.latent_size)))


def own_scale(pixels: Tensor, output: str) -> definition.Array:
    """Images from -1 to 1 on the scale of an output."""
    images = pixels.numpy() + 0j
    return (images + 1) / 2 if output == "sigmoid" else images / 0.5


def masks_of(settings: NetworkSettings, kept: Tensor, half: int) -> list[definition.Floats]:
    maps = settings.discriminator_maps
    inputs = [maps, maps] if settings.structure == "maxout" else [49 * maps, 4 * maps, 24 * maps, settings.dense_units]
    inputs = [settings.channels * settings.image_size**2, *inputs]
    rows = kept.chunk(2)[half].double().numpy()
    assert rows.shape[1] == sum(inputs)
    return np.split(rows, np.cumsum(inputs)[:-1], axis=1)


def defined_generator(settings: NetworkSettings, w: definition.Weights, z: Tensor) -> definition.Array:
    """Images, in rows where all is fully connected."""
    given = (w, z.numpy() + 0j, settings.generator_activations, settings.output)
    if settings.structure == "maxout":
        return definition.generator(*given)
    return definition.convolutional_generator(*given, side=4)


def defined_discriminator(
    settings: NetworkSettings, w: definition.Weights, x: definition.Array, masks: list[definition.Floats]
) -> definition.Array:
    dense = settings.structure == "maxout"
    defined = definition.discriminator if dense else definition.convolutional_discriminator
    return defined(w, x, masks, settings.maxout_pieces)


@pytest.mark.parametrize(
    ("preset", "generator", "discriminator"),
    [
        ("original28", 2_503_984, 1_231_441),
        ("original32", 89_395_072, 37_393_601),
        ("original32conv", 64_825_072, 12_454_073),
    ],
)
def test_the_published_networks_have_the_published_parameters(preset: str, generator: int, discriminator: int) -> None:
    """100-1200-1200-784 and 784-240x5-240x5-1; 100-8000-8000-3072 and 3072-1600x5-1600x5-1; all with biases.

    The convolutional ones, by hand: 100-8000-8000, then 80 x 3 kernels of 5 x 5 and 3072 biases; 3 x 64 and 32 x 64
    kernels of 8 x 8, 32 x 384 of 5 x 5, a bias for each of these 64, 64 and 384, then 192 maps of 5 x 5-500x5-1.
    """
    with torch.device("meta"):
        networks = new_networks(PRESETS[preset]().networks)
    assert [count_parameters(network) for network in networks] == [generator, discriminator]


def test_the_published_convolutions_give_maps_of_the_published_sizes() -> None:
    """33 x 33 and 15 x 15 before pooling, as partial_sum in the published file has them, 9 x 9 in the third."""
    settings = replace(PRESETS["original32conv"]().networks, discriminator_maps=1, dense_units=7)
    maps = new_networks(settings)[1].maps(torch.zeros(2, 3, 32, 32))  # type: ignore[operator]
    assert [one.shape for one in maps] == [(2, 1, 16, 16), (2, 1, 7, 7), (2, 6, 5, 5), (2, 7, 1, 1)]


@pytest.mark.parametrize(
    ("preset", "largest", "maps"),
    [
        ("original28", (0.05, 0.05, 0.005), 40),
        ("original32", (0.05, 0.5, 0.005), 40),
        ("original32conv", (0.05, 0.05, 0.005), 5),
    ],
)
def test_initial_weights_are_uniform_in_the_published_ranges(
    preset: str, largest: tuple[float, float, float], maps: int
) -> None:
    settings = replace(PRESETS[preset]().networks, generator_maps=maps, discriminator_maps=maps)
    networks = build_networks(settings, 3, CPU, torch.float32, channels_last=False)
    for network, other, seed in zip(
        networks, build_networks(settings, 3, CPU, torch.float32, True), (3, 3), strict=True
    ):
        for (name, value), same in zip(network.state_dict().items(), other.state_dict().values(), strict=True):
            assert torch.equal(value, same), seed
            if name.endswith("bias"):
                assert not value.any()
                continue
            place = 2 if network is networks[1] else int(name.startswith("output"))
            assert value.abs().max() <= largest[place]
            if value.numel() > 1_000:
                assert value.std().item() == pytest.approx(largest[place] / np.sqrt(3), rel=0.05)
    again = build_networks(settings, 4, CPU, torch.float32, channels_last=False)
    assert not torch.equal(next(again[0].parameters()), next(networks[0].parameters()))


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(("output", "channels"), [("sigmoid", 1), ("linear", 3)])
def test_both_networks_are_those_of_the_definition(
    output: Literal["sigmoid", "linear"], channels: Literal[1, 3], kind: str
) -> None:
    settings = replace(KINDS[kind], output=output, channels=channels)
    generator, discriminator = built(settings)
    real, z = batch(settings)
    kept = dropout_masks(settings, BATCH, 8, 2)
    assert kept is not None
    with torch.no_grad():
        images, logits = generator(z), discriminator(scale(real, z))
        dropped = discriminator(torch.cat([scale(real, z), images]), groups=2, kept=kept)
    assert images.shape == real.shape
    g, d = weights(generator), weights(discriminator)
    made = defined_generator(settings, g, z)
    np.testing.assert_allclose(own_scale(images, output), made.reshape(images.shape), atol=1e-12)
    x = own_scale(scale(real, z), output)
    for half, images_of_half in ((0, x), (1, made)):
        expected = defined_discriminator(settings, d, images_of_half, masks_of(settings, kept, half))
        np.testing.assert_allclose(dropped.chunk(2)[half].numpy(), expected.real, rtol=1e-10)
    first, *others = masks_of(settings, kept, 0)
    whole = [np.full_like(first, 1 / 1.25), *(np.full_like(mask, 1 / 2) for mask in others)]
    np.testing.assert_allclose(logits.numpy(), defined_discriminator(settings, d, x, whole).real, rtol=1e-10)


def test_steps_are_those_of_the_definition() -> None:
    """Three simultaneous updates, whose rates are 0.3, 0.2 and 0.15 and whose momentum is 0.2, 0.4 and 0.6."""
    generator, discriminator = built(SMALL)
    ours = AdversarialStep(generator, discriminator, OPTIMIZATION, total_steps=50)
    theirs = [weights(generator), weights(discriminator)]
    velocities = [{name: np.zeros(value.shape) for name, value in one.items()} for one in theirs]
    for step, (rate, part) in enumerate([(0.3, 0.2), (0.2, 0.4), (0.15, 0.6)]):
        real, z = batch(SMALL, step)
        kept = dropout_masks(SMALL, BATCH, 8, step)
        assert kept is not None
        metrics = ours(real, z, step, kept=kept)
        of_real, of_made = (masks_of(SMALL, kept, half) for half in (0, 1))
        x = real.flatten(1).numpy() / 255 + 0j

        def answer(g: definition.Weights, d: definition.Weights, z: Tensor = z, m: list = of_made) -> definition.Array:
            made = definition.generator(g, z.numpy() + 0j, SMALL.generator_activations, "sigmoid")
            return definition.discriminator(d, made, m, 3)

        def of_generator(g: definition.Weights, d: definition.Weights = theirs[1]) -> definition.Array:
            return definition.generator_loss(answer(g, d))

        def of_discriminator(
            d: definition.Weights, g: definition.Weights = theirs[0], x: definition.Array = x, m: list = of_real
        ) -> definition.Array:
            return definition.discriminator_loss(definition.discriminator(d, x, m, 3), answer(g, d))

        # The curves show the loss as that of other runs, without the factor 0.5 that D learns by.
        assert float(metrics["loss/discriminator"]) == pytest.approx(2 * of_discriminator(theirs[1]).real, rel=1e-10)
        assert float(metrics["loss/generator"]) == pytest.approx(of_generator(theirs[0]).real, rel=1e-10)
        assert "score/generated_after" not in metrics
        slopes = [
            definition.gradient(loss, one) for loss, one in zip((of_generator, of_discriminator), theirs, strict=True)
        ]
        assert float(metrics["gradient/discriminator"]) == pytest.approx(
            np.sqrt(sum((one**2).sum() for one in slopes[1].values())), rel=1e-8
        )
        for velocity, slope in zip(velocities, slopes, strict=True):
            for name in velocity:
                velocity[name] = part * velocity[name] - rate * slope[name]
        theirs = [{name: one[name] + v[name] for name in one} for one, v in zip(theirs, velocities, strict=True)]
        for network, expected in zip((generator, discriminator), theirs, strict=True):
            for name, value in network.state_dict().items():
                np.testing.assert_allclose(value.numpy(), expected[name].real, rtol=1e-8, atol=1e-11)


@pytest.mark.parametrize("output", ["sigmoid", "linear"])
def test_a_convolutional_step_is_that_of_the_definition(output: Literal["sigmoid", "linear"]) -> None:
    """Losses, and how far each array of weights is moved along random directions."""
    settings = replace(CONVOLUTIONAL, output=output, channels=3)
    networks, before = built(settings), [weights(network) for network in built(settings)]
    ours = AdversarialStep(*networks, OPTIMIZATION, total_steps=50)
    real, z = batch(settings)
    kept = dropout_masks(settings, BATCH, 8, 0)
    assert kept is not None
    metrics = ours(real, z, 0, kept=kept)
    of_real, of_made = (masks_of(settings, kept, half) for half in (0, 1))
    x = own_scale(scale(real, z), output)

    def answer(g: definition.Weights, d: definition.Weights) -> definition.Array:
        return defined_discriminator(settings, d, defined_generator(settings, g, z), of_made)

    def of_generator(g: definition.Weights) -> definition.Array:
        return definition.generator_loss(answer(g, before[1]))

    def of_discriminator(d: definition.Weights) -> definition.Array:
        return definition.discriminator_loss(defined_discriminator(settings, d, x, of_real), answer(before[0], d))

    assert float(metrics["loss/discriminator"]) == pytest.approx(2 * of_discriminator(before[1]).real, rel=1e-10)
    assert float(metrics["loss/generator"]) == pytest.approx(of_generator(before[0]).real, rel=1e-10)
    random = np.random.default_rng(3)
    for network, loss, start in zip(networks, (of_generator, of_discriminator), before, strict=True):
        for name, value in weights(network).items():
            for _ in range(3):
                along = random.standard_normal(value.shape)
                moved = float(((value - start[name]).real * along).sum())
                assert moved != 0
                assert moved == pytest.approx(-0.3 * mnist_definition.slope(loss, start, name, along), rel=1e-7), name


@pytest.mark.parametrize("schedule", ["both", "simultaneous"])
def test_g_learns_from_the_d_of_before_a_simultaneous_step(schedule: Literal["both", "simultaneous"]) -> None:
    settings = OptimizationSettings(batch_size=BATCH, schedule=schedule, lr=0.05, precision="fp64")
    generator, discriminator = built(SMALL)
    alone = AdversarialStep(*built(SMALL), replace(settings, schedule="alternate"), total_steps=9)
    real, z = batch(SMALL)
    kept = dropout_masks(SMALL, BATCH, 8, 0)
    AdversarialStep(generator, discriminator, settings, total_steps=9)(real, z, 0, kept=kept)
    alone(real, z, 0, kept=kept)  # G alone, with the D of before
    same = all(torch.equal(a, b) for a, b in zip(generator.parameters(), alone.generator.parameters(), strict=True))
    assert same == (schedule == "simultaneous")


def test_masks_are_those_of_seed_and_step_and_keep_the_published_parts() -> None:
    settings = replace(SMALL, discriminator_maps=300)
    first, again, other, step = (dropout_masks(settings, 200, *key) for key in ((7, 3), (7, 3), (8, 3), (7, 4)))
    assert first is not None
    assert first.shape == (400, 64 + 600)
    assert first.dtype == torch.bool
    assert torch.equal(first, again)
    assert not torch.equal(first, other)
    assert not torch.equal(first, step)
    assert not torch.equal(first[:200], first[200:])
    assert first[:, :64].float().mean().item() == pytest.approx(0.8, abs=0.01)
    assert first[:, 64:].float().mean().item() == pytest.approx(0.5, abs=0.01)
    part = dropout_masks(settings, 200, 7, 3, slice(60, 130))
    assert part is not None
    assert torch.equal(part, torch.cat([first[60:130], first[260:330]]))
    assert dropout_masks(NetworkSettings(), 200, 7, 3) is None


def test_masks_of_convolutions_are_of_each_unit() -> None:
    settings = replace(CONVOLUTIONAL, discriminator_maps=30)
    whole = dropout_masks(settings, 90, 7, 3)
    assert whole is not None
    parts = [dropout_masks(settings, 90, 7, 3, rows) for rows in (slice(0, 30), slice(30, 60), slice(60, 90))]
    for half in (0, 1):
        assert torch.equal(torch.cat([part.chunk(2)[half] for part in parts if part is not None]), whole.chunk(2)[half])
    pixels, first, *others = masks_of(settings, whole, 0)
    assert pixels.mean() == pytest.approx(0.8, abs=0.01)
    for mask in (first, *others[:2]):
        assert mask.mean() == pytest.approx(0.5, abs=0.01)
    # Places of a map are kept one by one, not all or none.
    assert np.var(first.reshape(90, 30, 49).mean(2)) == pytest.approx(0.25 / 49, rel=0.1)


def test_masks_are_needed_where_there_is_dropout_and_nowhere_else() -> None:
    real, z = batch(SMALL)
    step = AdversarialStep(*built(SMALL), OPTIMIZATION, total_steps=9)
    with pytest.raises(ValueError, match="masks of dropout are needed where D has dropout, and nowhere else"):
        step(real, z, 0)
    plain = NetworkSettings(image_size=8, generator_maps=2, discriminator_maps=2, latent_size=3)
    step = AdversarialStep(*build_networks(plain, 1, CPU, torch.float64, True), OPTIMIZATION, total_steps=9)
    with pytest.raises(ValueError, match="masks of dropout are needed"):
        step(real.expand(-1, 3, -1, -1), z, 0, kept=dropout_masks(SMALL, BATCH, 8, 0))


@pytest.mark.parametrize("kind", KINDS)
def test_a_state_is_gone_on_from_bit_for_bit(kind: str) -> None:
    settings = KINDS[kind]

    def run(step: AdversarialStep, numbers: range) -> None:
        for number in numbers:
            step(*batch(settings, number), number, kept=dropout_masks(settings, BATCH, 8, number))

    whole, first = (AdversarialStep(*built(settings), OPTIMIZATION, total_steps=9) for _ in range(2))
    run(whole, range(6))
    run(first, range(3))
    second = AdversarialStep(*built(settings, seed=9), OPTIMIZATION, total_steps=9)
    second.load_state_dict(first.state_dict())
    run(second, range(3, 6))
    for ours, theirs in ((whole.generator, second.generator), (whole.discriminator, second.discriminator)):
        for a, b in zip(ours.parameters(), theirs.parameters(), strict=True):
            assert torch.equal(a, b)


def test_the_rate_and_the_momentum_are_the_published_ones() -> None:
    published = PRESETS["original28"]().optimization
    # Pylearn2's ExponentialDecay and MomentumAdjustor: epoch 126 of 500 steps.
    step = 125 * 500
    assert learning_rate(published, step, 10**9) == pytest.approx(0.1 / 1.000004**step)
    assert learning_rate(published, 10**9, 2 * 10**9) == 1e-6
    assert momentum(published, 0) == 0.5
    assert momentum(published, step) == pytest.approx(0.5 + 0.2 * (125 - 1) / (250 - 1), abs=1e-3)
    assert momentum(published, 250 * 500) == momentum(published, 10**9) == pytest.approx(0.7)
    assert momentum(replace(published, momentum_images=0), 0) == 0.7
    falling = replace(published, lr_divisor=1.01, decay=0.5, lr_floor=0.0)
    assert learning_rate(falling, 75, 100) == pytest.approx(0.1 / 1.01**75 / 2)


@pytest.mark.parametrize("kind", KINDS)
def test_a_sigmoid_output_begins_with_the_mean_image(kind: str) -> None:
    settings = replace(KINDS[kind], channels=3)
    generator, _ = build_networks(settings, 2, CPU, torch.float64, True)
    mean = np.random.default_rng(1).random((3, settings.image_size, settings.image_size), np.float32)
    mean[0, 0, :2] = 0, 1
    begin_with_mean(generator, mean)
    assert all(parameter.isfinite().all() for parameter in generator.parameters())
    with torch.no_grad():
        for name, parameter in generator.named_parameters():
            if name.endswith("weight"):
                parameter.zero_()
        drawn = generator(torch.zeros(1, settings.latent_size, dtype=torch.float64))
    np.testing.assert_allclose((drawn[0].numpy() + 1) / 2, mean, atol=1e-6)
    assert settings.begins_with_mean
    assert not replace(settings, output="linear").begins_with_mean
    assert not PRESETS["mnist28"]().networks.begins_with_mean


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("output", ["sigmoid", "tanh", "linear"])
def test_stock_layers_draw_the_same_within_what_pixels_can_be(
    output: Literal["sigmoid", "tanh", "linear"], kind: str
) -> None:
    settings = replace(KINDS[kind], output=output, channels=3)
    generator, _ = built(settings)
    z = batch(settings)[1]
    with torch.no_grad():
        generator.output.weight.mul_(9)  # type: ignore[union-attr, operator]
    with torch.no_grad():
        drawn = generator(z)
        torch.testing.assert_close(stock_layers(generator)(z), drawn.clamp(-1, 1))  # type: ignore[arg-type]
    assert (drawn.abs().max() > 1) == (output == "linear")


@pytest.mark.parametrize("kind", KINDS)
def test_maps_are_the_hidden_units_without_dropout(kind: str) -> None:
    settings = KINDS[kind]
    _, discriminator = built(settings)
    images = scale(batch(settings)[0], torch.zeros((), dtype=torch.float64))
    with torch.no_grad():
        maps = discriminator.maps(images)  # type: ignore[operator]
        logits = discriminator.head(maps[-1].flatten(1)).squeeze(1)  # type: ignore[operator]
        torch.testing.assert_close(logits, discriminator(images))
    convolutional = [(BATCH, 2, 7, 7), (BATCH, 2, 2, 2), (BATCH, 12, 2, 2), (BATCH, 5, 1, 1)]
    assert [one.shape for one in maps] == ([(BATCH, 4, 1, 1)] * 2 if kind == "dense" else convolutional)
