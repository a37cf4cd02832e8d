"""A network with the discriminator's layers that learns classes from labels: the paper's supervised control (section
5.2). Plain PyTorch.

A softmax over the classes takes the place of D's one logit; all else is D: its layers, batch normalization by the
batch, initial weights, Adam with coupled weight decay. It begins with initial weights, or with those of a trained D,
whose last layer alone is new then (fine-tuning).

The paper says only that the architecture is the same and that hyper-parameters were searched at random, in 64 trials.
Ours are: no augmentation; dropout, if any, before the softmax; batches from one permutation of the
images after the other. All random numbers are functions of seed and step, so that training goes on bit for bit.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor, nn

from dcgan_dist.arrays import Pixels
from dcgan_dist.model.adversarial_step import adam, learning_rate, load_moments, load_weights, scale
from dcgan_dist.model.batchnorm import average_of_batches, input_statistics, with_statistics
from dcgan_dist.model.dcgan import Discriminator, Projection, initialize
from dcgan_dist.model.precision import resolve_precision
from dcgan_dist.model.randomness import stream
from dcgan_dist.settings import NetworkSettings, OptimizationSettings

TOGETHER = 128
"""Images whose classes are told at once: it changes nothing but the speed."""


@dataclass(frozen=True, eq=False)
class Learning:
    """How a network learns classes.

    Attributes:
        networks: the layers, those of D.
        optimization: of these the batch size, Adam's rates and decays, the precision and the layout count.
        dropout: share of the last layer's inputs that are dropped in each step.
        seed: of the weights, the order of the images and what is dropped.
        total_steps: over the last part of which the learning rate may fall (`optimization.decay`).
        beginning: weights of a trained D to begin with; None: initial ones.
    """

    networks: NetworkSettings
    optimization: OptimizationSettings
    dropout: float
    seed: int
    total_steps: int
    beginning: Mapping[str, Tensor] | None = None


class LabelNetwork(nn.Module):
    """Logits of classes, by D's layers. Its weights are NaN until they are set, as those of `Discriminator`."""

    def __init__(self, settings: NetworkSettings, classes: int) -> None:
        super().__init__()
        self.discriminator = Discriminator(settings)
        self.discriminator.head = Projection(self.discriminator.head.weight.shape[1], classes)

    def forward(self, x: Tensor, kept: Tensor | None = None) -> Tensor:
        """Images `[n, channels, S, S]` in [-1, 1] -> logits `[n, classes]` in the dtype of the weights.

        Args:
            kept: factors `[n, values]` of what the last layer is given, 0 for what is dropped.
        """
        discriminator = self.discriminator
        maps = discriminator.maps(x)[-1]
        values = maps.mean((2, 3)) if discriminator.averages else maps.flatten(1)
        if discriminator.dense is not None:
            values = discriminator.dense(values)
        values = values.to(discriminator.head.weight.dtype)
        logits: Tensor = discriminator.head(values if kept is None else values * kept)
        return logits


class LabelLearner:
    """A network that learns from labeled images, step by step; it goes on from its `state_dict`."""

    def __init__(
        self,
        learning: Learning,
        images: Pixels,
        labels: NDArray[np.int64],
        classes: int,
        device: torch.device,
        state: Mapping[str, Any] | None = None,
    ) -> None:
        """
        Args:
            images: uint8 [n, S, S, channels].
            labels: int64 [n], from 0.
            state: of a learner with the same other arguments; None: it begins.

        Raises:
            CheckpointError: the weights to begin with are of other layers.
        """
        self._learning, self._images, self._labels, self._device = learning, images, labels, device
        optimization = learning.optimization
        self._precision = resolve_precision(optimization.precision, device)
        self._network = LabelNetwork(learning.networks, classes)
        discriminator = self._network.discriminator
        initialize(discriminator, learning.seed)
        if learning.beginning is not None:
            own_head = {"head.weight": discriminator.state_dict()["head.weight"]}
            load_weights(discriminator, {**learning.beginning, **own_head}, "discriminator")
        layout = torch.channels_last if optimization.channels_last else torch.contiguous_format
        self._network.to(device=device, dtype=self._precision.weights, memory_format=layout)  # type: ignore[call-overload]
        self._optimizer = adam(self._network, optimization)
        self.step = 0
        if state is not None:
            load_weights(self._network, state["network"], "network")
            load_moments(self._optimizer, state["optimizer"])
            self.step = state["step"]

    def train_to(self, step: int) -> float | None:
        """Train until so many steps are done; the mean loss of an image over the steps, None where there were none."""
        losses = []
        while self.step < step:
            losses.append(self._update())
        return float(torch.stack(losses).mean()) if losses else None

    def _update(self) -> Tensor:
        learning, size = self._learning, self._learning.optimization.batch_size
        rows = batch_rows(len(self._images), size, learning.seed, self.step)
        labels = torch.from_numpy(self._labels[rows]).to(self._device)
        logits = self._network(self._input(self._images[rows]), self._kept())
        loss = F.cross_entropy(logits, labels)
        for group in self._optimizer.param_groups:
            group["lr"] = learning_rate(learning.optimization, self.step, learning.total_steps)
        self._optimizer.zero_grad()
        torch.autograd.backward(loss)
        self._optimizer.step()
        self.step += 1
        return loss.detach()

    def _kept(self) -> Tensor | None:
        share = self._learning.dropout
        if share == 0:
            return None
        values = self._network.discriminator.head.weight.shape[1]
        numbers = stream(self._learning.seed, "dropout", self.step).random(
            (self._learning.optimization.batch_size, values), dtype=np.float32
        )
        kept = torch.from_numpy((numbers >= share).astype(np.float32) / np.float32(1 - share))
        return kept.to(self._device, self._precision.weights)

    def _input(self, images: Pixels) -> Tensor:
        like = torch.empty(0, dtype=self._precision.compute, device=self._device)
        layout = torch.channels_last if self._learning.optimization.channels_last else torch.contiguous_format
        return scale(torch.from_numpy(images).permute(0, 3, 1, 2), like).contiguous(memory_format=layout)

    def state_dict(self) -> dict[str, Any]:
        """All that the next step depends on, on the CPU: a copy."""
        return {
            "network": {name: value.cpu().clone() for name, value in self._network.state_dict().items()},
            "optimizer": {
                number: {name: value.cpu().clone() for name, value in moments.items()}
                for number, moments in self._optimizer.state_dict()["state"].items()
            },
            "step": self.step,
        }

    def frozen(self, batch_size: int, most: int | None = None) -> "Classifier":
        """The network as it is now, with fixed statistics: those of batches of the images learned from, averaged.

        Args:
            batch_size: images of each of these batches.
            most: only this many of the images, the first ones, are used.
        """
        images = self._images[:most]
        if len(images) > batch_size and len(images) % batch_size == 1:
            images = images[:-1]  # one image alone has no variance in a fully connected layer
        starts = range(0, len(images), batch_size)
        batches = (self._input(np.array(images[at : at + batch_size])) for at in starts)
        statistics = average_of_batches(input_statistics(self._network, self._network, batch) for batch in batches)
        assert statistics is not None, "there are images"
        learning = self._learning
        return Classifier(with_statistics(self._network, statistics), learning.networks, learning.optimization)


@dataclass(frozen=True, eq=False)
class Classifier:
    """A network that tells classes; what it says of an image depends on that image alone."""

    network: nn.Module
    networks: NetworkSettings
    optimization: OptimizationSettings

    def to(self, device: torch.device) -> "Classifier":
        """The same, with its network there; the network is moved."""
        return Classifier(self.network.to(device), self.networks, self.optimization)

    def confusion(
        self, images: Pixels, labels: NDArray[np.int64], classes: int, device: torch.device
    ) -> NDArray[np.int64]:
        """Confusion matrix int64 [true, predicted] on images uint8 [n, S, S, channels] of labels int64 [n]."""
        counts = np.zeros((classes, classes), np.int64)
        network = self.to(device).network
        like = torch.empty(0, dtype=resolve_precision(self.optimization.precision, device).compute, device=device)
        for at in range(0, len(images), TOGETHER):
            batch = torch.from_numpy(np.array(images[at : at + TOGETHER])).permute(0, 3, 1, 2)
            with torch.no_grad():
                predicted = network(scale(batch, like)).argmax(1).cpu().numpy()
            np.add.at(counts, (labels[at : at + TOGETHER], predicted), 1)
        return counts


def batch_rows(images: int, batch_size: int, seed: int, step: int) -> NDArray[np.int64]:
    """int64 [batch_size]: which images step `step` learns from. Steps take one permutation of all after the other."""
    positions = np.arange(step * batch_size, (step + 1) * batch_size)
    passes, places = np.divmod(positions, images)
    rows = np.empty(batch_size, np.int64)
    for number in np.unique(passes):
        order = stream(seed, "order of labeled images", int(number)).permutation(images)
        rows[passes == number] = order[places[passes == number]]
    return rows
