"""What notebooks and scripts use (docs/api.md). Ray is imported by `train` alone."""

import signal
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn

from dcgan_dist.arrays import Pixels
from dcgan_dist.errors import SettingsError
from dcgan_dist.evaluation.encoders.discriminator import features_of
from dcgan_dist.evaluation.encoders.encoder import fit
from dcgan_dist.evaluation.task import STATISTICS_BATCH
from dcgan_dist.model.adversarial_step import load_weights
from dcgan_dist.model.dcgan import Discriminator, new_networks
from dcgan_dist.model.exported import load_safetensors
from dcgan_dist.model.generate import FrozenGenerator, Which
from dcgan_dist.model.original_gan import OriginalDiscriminator
from dcgan_dist.run_folder.checkpoint import Checkpoint, named_checkpoint
from dcgan_dist.run_folder.load_generator import load_frozen
from dcgan_dist.run_folder.naming import find_run
from dcgan_dist.settings import Settings
from dcgan_dist.storage import Place, place

__all__ = ["features", "load_discriminator", "load_generator", "train"]


def train(settings: Settings, *, resume: bool = False) -> str:
    """Train a run to its end, as `python -m dcgan_dist.train` does, and return its folder.

    Args:
        settings: with a name; those of a preset, changed by `dataclasses.replace`.
        resume: go on with the run of that name; one that is finished stays as it is.

    Raises:
        DcganDistError: with the sentence that the command would print.
        KeyboardInterrupt: after Ctrl-C; a checkpoint is written.
        SystemExit: after SIGTERM, likewise.
    """
    from dcgan_dist.cluster.connect import connected, cpus_for, set_environment
    from dcgan_dist.training.launch import Launch, RunDone
    from dcgan_dist.training.options import TrainOptions

    if not settings.name:
        raise SettingsError("name is empty but the run needs one: give it by dataclasses.replace(settings, name=...)")
    set_environment(settings.workers.address, settings.workers.wait_s)
    launch = Launch(TrainOptions(settings=settings, resume=settings.name if resume else ""))
    try:
        with connected(settings.workers.address, cpus_for(settings)):
            launch.preflight()
            launch.open_data()
            status = launch.train()
    except RunDone:
        return str(launch.run)
    if status == 128 + signal.SIGINT:
        raise KeyboardInterrupt(f"{launch.run} was stopped, with a checkpoint")
    if status:
        raise SystemExit(status)
    return str(launch.run)


def load_generator(
    source: str | Path | Place,
    *,
    checkpoint: str = "",
    generator: Which = "auto",
    device: str = "cpu",
    storage: str = "runs",
    trust_code: bool = False,
) -> FrozenGenerator:
    """A generator that draws images `[n, channels, S, S]` in [-1, 1] of z `[n, latent_size]`, each of its own z
    alone, and of class numbers int64 `[n]` where the run knows classes (`of_class` chooses one for all).

    Args:
        source: a run, by its name in the storage, its folder or one of its checkpoints; or a file that
            `dcgan_dist.sample --export` wrote, FILE.safetensors.
        checkpoint: name of one of the run's; empty: the one that `source` names, else the latest.
        generator: which of the run's, as of `dcgan_dist.sample`.
        trust_code: import networks of a user's own that the run's settings name; that runs their code.

    Raises:
        CheckpointError: there is no such run, checkpoint, file or average.
        SettingsError: the run's networks are a user's own, and not trusted.
    """
    if str(source).endswith(".safetensors"):
        if checkpoint or generator != "auto":
            raise SettingsError(f"{source} holds one generator: leave checkpoint and generator out")
        return load_safetensors(place(str(source))).to(device)
    run, found = _open(source, checkpoint, storage, trust_code)
    return load_frozen(found, run, generator, torch.device(device))


def load_discriminator(
    source: str | Path | Place,
    *,
    checkpoint: str = "",
    device: str = "cpu",
    storage: str = "runs",
    trust_code: bool = False,
) -> nn.Module:
    """The discriminator of a run: logits `[n]` of images `[n, channels, S, S]` in [-1, 1], above 0 where taken for
    real; with class numbers int64 `[n]` as `labels` where the run knows classes.

    It normalizes by the batch that it is given, as in training. Arguments and what is raised are as of
    `load_generator`.
    """
    _, found = _open(source, checkpoint, storage, trust_code)
    _, discriminator = new_networks(found.settings.networks, found.code)
    load_weights(discriminator, found.state["discriminator"], "discriminator")
    return discriminator.eval().to(device)


def features(discriminator: nn.Module, images: Pixels, reference: Pixels | None = None) -> Tensor:
    """Features for a linear classifier (paper, section 5): float32 [n, F] on the CPU.

    Batch normalization uses fixed statistics, so what is said of an image does not depend on the others.

    Args:
        discriminator: of `load_discriminator`.
        images: uint8 [n, S, S, 3], S as the discriminator was trained on.
        reference: images of the same kind, whose batches of 128 the statistics are averaged over: training images of
            the classifier. None: `images` themselves; for another set of images features then mean something else.

    Raises:
        SettingsError: images are of another type or size; the discriminator is a user's own and has no maps.
    """
    given = {"images": images} if reference is None else {"images": images, "reference": reference}
    for name, some in given.items():
        _require_images(name, some, _side(discriminator))
    encoder = features_of(discriminator)
    reference = images if reference is None else reference
    encoder = fit(encoder, lambda encoder: [encoder.gather(_batches(reference))])
    return torch.cat([encoder.features(batch) for batch in _batches(images)])


def _open(source: str | Path | Place, checkpoint: str, storage: str, trust_code: bool) -> tuple[str, Checkpoint]:
    named = find_run(str(source), storage)
    name = named.choose(checkpoint, "checkpoint")
    return named.place.name, named_checkpoint(named.place, name, trust_code=trust_code)


def _batches(images: Pixels) -> list[Pixels]:
    return [images[i : i + STATISTICS_BATCH] for i in range(0, len(images), STATISTICS_BATCH)]


def _side(discriminator: nn.Module) -> int | None:
    """Height and width of the images of ours; others may take any."""
    if not isinstance(discriminator, Discriminator | OriginalDiscriminator):
        return None
    return discriminator.settings.image_size


def _require_images(name: str, images: Pixels, side: int | None) -> None:
    shape = np.shape(images)
    sides = shape[1:3] if side is None else (side, side)
    if getattr(images, "dtype", None) != np.uint8 or len(shape) != 4 or shape[1:] != (*sides, 3) or not len(images):
        wanted = f"[n, {side or 'S'}, {side or 'S'}, 3]"
        kind = getattr(images, "dtype", type(images).__name__)
        raise SettingsError(f"{name} is {kind} {list(shape)} but needs to be an array of uint8 {wanted}, n at least 1")
