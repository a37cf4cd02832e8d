"""The generators that a checkpoint holds, as networks: as they train, or with fixed statistics, to draw samples."""

import torch
from torch import nn

from dcgan_dist.errors import CheckpointError
from dcgan_dist.model.adversarial_step import load_weights
from dcgan_dist.model.dcgan import new_networks
from dcgan_dist.model.generate import About, FrozenGenerator, Kind, Which, choose_kind, describe_frozen, freeze
from dcgan_dist.run_folder.checkpoint import Checkpoint


def load_training_generator(checkpoint: Checkpoint, wanted: Which = "auto") -> tuple[nn.Module, Kind]:
    """A generator of a checkpoint that normalizes by the batch, as in training, and which it is; on the CPU, float32.

    Raises `CheckpointError` where the averaged one is wanted and the run kept none.
    """
    kind = choose_kind(checkpoint.images, checkpoint.settings.optimization.average_images, wanted)
    weights = checkpoint.state.get("averaged" if kind == "averaged" else "generator")
    if weights is None:
        raise CheckpointError(
            f"checkpoint {checkpoint.name} holds no averaged generator: give --generator auto or raw, or train with "
            "--optimization.average-images"
        )
    generator, _ = new_networks(checkpoint.settings.networks, checkpoint.code)
    load_weights(generator, weights, "generator")
    return generator.eval(), kind


def load_frozen(checkpoint: Checkpoint, run: str, wanted: Which, device: torch.device) -> FrozenGenerator:
    """The generator of a checkpoint with fixed statistics, on a device; raises as `load_training_generator`.

    Args:
        run: its name.
    """
    generator, kind = load_training_generator(checkpoint, wanted)
    settings = checkpoint.settings
    size = settings.optimization.batch_size
    statistics = describe_frozen(generator, size)
    about = About(run, checkpoint.name, checkpoint.images, kind, settings.networks, size, statistics)
    return FrozenGenerator(freeze(generator.to(device), settings.networks, size), about)
