"""A network that learns classes: its step against a definition in float64, and going on bit for bit."""

from dataclasses import replace

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from dcgan_dist.errors import CheckpointError
from dcgan_dist.model.classification import LabelLearner, LabelNetwork, Learning, batch_rows
from dcgan_dist.model.dcgan import Discriminator, count_parameters, initialize
from dcgan_dist.settings import NetworkSettings, OptimizationSettings

CPU = torch.device("cpu")
NETWORKS = NetworkSettings(image_size=16, discriminator_maps=5)
OPTIMIZATION = OptimizationSettings(
    batch_size=14, lr=3e-3, beta1=0.7, beta2=0.9, eps=1e-6, weight_decay=0.02, precision="fp64", decay=0.8
)
LEARNING = Learning(NETWORKS, OPTIMIZATION, dropout=0.0, seed=11, total_steps=9)
CLASSES = 3
DENSE = NetworkSettings(
    image_size=14, channels=1, discriminator_maps=5, dense_units=9, output="sigmoid", batchnorm_gain=False
)


def labeled(number: int = 33) -> tuple[np.ndarray, np.ndarray]:
    """Noise whose first color says the class."""
    random = np.random.default_rng(3)
    images, labels = random.integers(0, 256, (number, 16, 16, 3), np.uint8), random.integers(0, CLASSES, number)
    images[..., 0] = images[..., 0] // 2 + 60 * labels[:, None, None]
    return images, labels


def learner(learning: Learning = LEARNING, state: dict[str, object] | None = None) -> LabelLearner:
    return LabelLearner(learning, *labeled(), CLASSES, CPU, state)


def defined_logits(weights: dict[str, Tensor], images: Tensor, kept: Tensor | float = 1.0) -> Tensor:
    """Logits of a batch by definition: D's two layers, and a matrix in place of its last one."""
    maps = F.leaky_relu(F.conv2d(images, weights["layers.0.linear.weight"], stride=2, padding=2), 0.2)
    maps = F.conv2d(maps, weights["layers.1.linear.weight"], stride=2, padding=2)
    mean = maps.mean((0, 2, 3), keepdim=True)
    variance = (maps - mean).square().mean((0, 2, 3), keepdim=True)
    gain, shift = (weights[f"layers.1.norm.{name}"].view(1, -1, 1, 1) for name in ("weight", "bias"))
    maps = F.leaky_relu((maps - mean) / (variance + 1e-8).sqrt() * gain + shift, 0.2)
    return (maps.flatten(1) * kept) @ weights["head.weight"].T


def test_steps_are_those_of_the_definition() -> None:
    images, labels = labeled()
    fresh = LabelNetwork(NETWORKS, CLASSES).double()
    initialize(fresh.discriminator, LEARNING.seed)
    weights = {name: value.detach().double() for name, value in fresh.discriminator.state_dict().items()}
    moments = {name: (torch.zeros_like(value), torch.zeros_like(value)) for name, value in weights.items()}
    losses = []
    for step in range(4):
        rows = batch_rows(len(images), 14, LEARNING.seed, step)
        x = torch.from_numpy(images[rows]).permute(0, 3, 1, 2).double() / 127.5 - 1
        leaves = {name: value.clone().requires_grad_() for name, value in weights.items()}
        logits = defined_logits(leaves, x)
        loss = -logits.log_softmax(1)[range(len(rows)), labels[rows]].mean()
        loss.backward()
        losses.append(loss.item())
        rate = 3e-3 * min(1.0, (9 - step) / (0.8 * 9))
        for name, value in weights.items():
            gradient = leaves[name].grad + 0.02 * value
            first, second = moments[name]
            first.mul_(0.7).add_(0.3 * gradient)
            second.mul_(0.9).add_(0.1 * gradient.square())
            root = (second / (1 - 0.9 ** (step + 1))).sqrt()
            value -= rate * first / (1 - 0.7 ** (step + 1)) / (root + 1e-6)
    made = learner()
    assert made.train_to(4) == pytest.approx(np.mean(losses), rel=1e-9)
    assert made.train_to(4) is None
    for name, value in made.state_dict()["network"].items():
        torch.testing.assert_close(value, weights[name.removeprefix("discriminator.")], rtol=0, atol=1e-9)


def test_all_but_the_last_layer_is_the_discriminator() -> None:
    for networks in (NETWORKS, replace(NETWORKS, head="average"), replace(NETWORKS, structure="3x3"), DENSE):
        ours, theirs = LabelNetwork(networks, CLASSES), Discriminator(networks)
        head = theirs.head.weight.numel()
        side = networks.image_size
        assert count_parameters(ours) == count_parameters(theirs) + (CLASSES - 1) * head
        initialize(ours.discriminator, 2)
        assert ours(torch.zeros(4, networks.channels, side, side)).shape == (4, CLASSES)


@pytest.mark.parametrize("dropout", [0.0, 0.4])
@pytest.mark.parametrize("precision", ["fp32", "fp64"])
def test_learning_goes_on_bit_for_bit(precision: str, dropout: float) -> None:
    optimization = replace(OPTIMIZATION, precision=precision)  # type: ignore[arg-type]
    learning = replace(LEARNING, optimization=optimization, dropout=dropout)
    whole, first = learner(learning), learner(learning)
    whole.train_to(7)
    first.train_to(3)
    second = learner(learning, first.state_dict())
    first.train_to(5)  # the state was a copy
    second.train_to(7)
    expected, found = whole.state_dict(), second.state_dict()
    assert found["step"] == 7
    for name, value in expected["network"].items():
        assert torch.equal(found["network"][name], value), name
    for number, moments in expected["optimizer"].items():
        assert all(torch.equal(found["optimizer"][number][name], value) for name, value in moments.items())


def test_dropout_is_by_seed_and_step_and_keeps_the_mean() -> None:
    made = learner(replace(LEARNING, dropout=0.25))
    kept = made._kept()
    assert kept is not None
    assert kept.unique().tolist() == pytest.approx([0, 4 / 3])
    assert kept.mean().item() == pytest.approx(1, abs=0.05)
    again = learner(replace(LEARNING, dropout=0.25))._kept()
    assert again is not None
    assert torch.equal(kept, again)
    made.train_to(1)
    later = made._kept()
    assert later is not None
    assert not torch.equal(kept, later)


def test_steps_show_every_image_once_before_any_twice() -> None:
    rows = np.concatenate([batch_rows(33, 14, 5, step) for step in range(5)])
    assert sorted(rows[:33]) == list(range(33))
    assert sorted(rows[33:66]) == list(range(33))
    assert list(rows[:33]) != list(rows[33:66])
    assert list(batch_rows(33, 14, 6, 0)) != list(rows[:14])
    # A batch may be larger than all images.
    assert sorted(batch_rows(4, 12, 5, 0)) == sorted([*range(4)] * 3)


def test_fine_tuning_begins_with_the_discriminator_and_a_new_last_layer() -> None:
    trained = Discriminator(NETWORKS)
    initialize(trained, 77)
    begun = learner(replace(LEARNING, beginning=trained.state_dict())).state_dict()["network"]
    fresh = learner().state_dict()["network"]
    for name, value in trained.state_dict().items():
        mine = begun[f"discriminator.{name}"]
        if name == "head.weight":
            assert torch.equal(mine, fresh[f"discriminator.{name}"])
        else:
            assert torch.equal(mine, value.double())
            assert name.endswith("bias") or not torch.equal(mine, fresh[f"discriminator.{name}"])


def test_fine_tuning_of_other_layers_is_refused() -> None:
    wide = Discriminator(replace(NETWORKS, discriminator_maps=6))
    initialize(wide, 1)
    with pytest.raises(CheckpointError, match="the checkpoint's discriminator does not fit the settings"):
        learner(replace(LEARNING, beginning=wide.state_dict()))


def test_a_frozen_network_says_of_an_image_the_same_whatever_is_beside_it() -> None:
    images, labels = labeled()
    made = learner()
    made.train_to(9)
    classifier = made.frozen(10)
    whole = classifier.confusion(images, labels, CLASSES, CPU)
    assert whole.sum() == len(images)
    assert np.trace(whole) > 0.6 * len(images)
    parts = [classifier.confusion(images[at : at + 1], labels[at : at + 1], CLASSES, CPU) for at in range(len(images))]
    assert np.array_equal(sum(parts), whole)
    # Training goes on as if nobody had looked.
    blind = learner()
    blind.train_to(9)
    assert all(
        torch.equal(one, two)
        for one, two in zip(made.state_dict()["network"].values(), blind.state_dict()["network"].values(), strict=True)
    )


def test_frozen_statistics_are_means_over_batches_of_the_images_learned_from() -> None:
    images, _ = labeled()
    made = learner()
    norm = made.frozen(10, most=30).network.get_submodule("discriminator.layers.1.norm")
    weights = {name.removeprefix("discriminator."): value for name, value in made.state_dict()["network"].items()}
    x = torch.from_numpy(images[:30]).permute(0, 3, 1, 2).double() / 127.5 - 1
    maps = F.leaky_relu(F.conv2d(x, weights["layers.0.linear.weight"], stride=2, padding=2), 0.2)
    before = F.conv2d(maps, weights["layers.1.linear.weight"], stride=2, padding=2)
    variances = torch.stack([part.var((0, 2, 3), correction=0) for part in before.split(10)])
    torch.testing.assert_close(norm.get_buffer("running_var"), variances.mean(0), rtol=1e-9, atol=0)
    torch.testing.assert_close(norm.get_buffer("running_mean"), before.mean((0, 2, 3)), rtol=0, atol=1e-12)


def test_what_is_dropped_is_not_seen() -> None:
    images, labels = labeled()
    made = learner(replace(LEARNING, dropout=0.25))
    weights = {name.removeprefix("discriminator."): value for name, value in made.state_dict()["network"].items()}
    rows, kept = batch_rows(len(images), 14, LEARNING.seed, 0), made._kept()
    assert kept is not None
    x = torch.from_numpy(images[rows]).permute(0, 3, 1, 2).double() / 127.5 - 1
    logits = defined_logits(weights, x, kept)
    assert made.train_to(1) == pytest.approx(F.cross_entropy(logits, torch.from_numpy(labels[rows])).item(), rel=1e-9)


def test_an_image_that_is_left_over_is_left_out_of_the_statistics() -> None:
    random = np.random.default_rng(5)
    images, labels = random.integers(0, 256, (21, 14, 14, 1), np.uint8), random.integers(0, CLASSES, 21)
    made = LabelLearner(replace(LEARNING, networks=DENSE), images, labels, CLASSES, CPU)
    made.train_to(1)
    whole, of_two = made.frozen(10), made.frozen(10, most=20)
    for name, value in of_two.network.state_dict().items():
        assert torch.equal(whole.network.state_dict()[name], value), name
