"""Pictures from a checkpoint:

python -m dcgan_dist.sample runs/scenes32 -n 64
python -m dcgan_dist.sample runs/scenes32 -n 10000 --single --out samples/
python -m dcgan_dist.sample s3://bucket/runs/lsun64 -n 0 --export generator.safetensors
"""

import math
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import chain
from typing import Annotated

import numpy as np
import safetensors.torch
import torch
import tyro
from torch import nn

from dcgan_dist.adversarial import load_weights
from dcgan_dist.arguments import read
from dcgan_dist.checkpoint import Checkpoint, named_checkpoint
from dcgan_dist.errors import CheckpointError, DataError, DcganDistError, SettingsError, complain
from dcgan_dist.networks import new_networks
from dcgan_dist.pictures import Pixels, grid, png, to_uint8
from dcgan_dist.randomness import latents
from dcgan_dist.settings import to_yaml
from dcgan_dist.storage import Place, place

arg = tyro.conf.arg


@dataclass(frozen=True)
class SampleOptions:
    """Draw images with the generator of a run: the same images for the same checkpoint and seed."""

    run: Annotated[str, tyro.conf.Positional, arg(metavar="RUN")]
    """The run's folder, on a disk or in an object store."""
    number: Annotated[int, arg(aliases=("-n",), metavar="N")] = 64
    """How many images; 0: none, which makes sense with --export."""
    seed: Annotated[int, arg(metavar="NUMBER")] = 0
    """Of z."""
    single: bool = False
    """A file for each image, in place of one picture of all."""
    out: Annotated[str, arg(metavar="FILE.png|FOLDER")] = ""
    """Where to: a PNG file, or a folder with --single; empty: named after run, images and seed, in this folder."""
    checkpoint: Annotated[str, arg(metavar="NAME")] = "latest"
    """Name of a folder in RUN/checkpoints, `latest`, or `best`: the one that the run's probe chose."""
    averaged: bool = False
    """Use the averaged generator, which a run keeps with --optimization.average-images."""
    export: Annotated[str, arg(metavar="FILE.safetensors")] = ""
    """Write the generator's weights there, with the run's settings as metadata."""
    trust_code: bool = False
    """Import the networks that the run's settings name, where they are none of ours: that runs their code."""
    overwrite: bool = False
    """Replace files that exist."""
    device: Annotated[str, arg(metavar="DEVICE")] = "auto"
    """`cpu`, `cuda`, `cuda:1`; `auto`: a GPU if there is one. Pictures may differ between devices in the last bit."""

    def __post_init__(self) -> None:
        if self.number < 0:
            raise SettingsError(f"number is {self.number} but needs at least 0 images")
        if self.number == 0 and not self.export:
            raise SettingsError("number is 0 and no --export is given, so there is nothing to do: give one of them")
        if self.out and self.out.endswith(".png") == self.single:
            needed = "a folder with --single" if self.single else "a .png file without --single"
            raise SettingsError(f"out is {self.out} but needs to be {needed}")
        if self.export and not self.export.endswith(".safetensors"):
            raise SettingsError(f"export is {self.export} but needs to end in .safetensors")


def sample(options: SampleOptions) -> list[Place]:
    """Write what the options ask for and return what was written.

    Raises `CheckpointError`, `SettingsError`, and, where a file exists (before anything is written) or cannot be
    written, `DataError`.
    """
    run = place(options.run)
    device = _device(options.device)
    checkpoint = named_checkpoint(run, options.checkpoint, trust_code=options.trust_code)
    generator = load_generator(checkpoint, averaged=options.averaged)
    targets = _picture_targets(options, f"{run.name}-{checkpoint.images:09}-seed{options.seed}")
    export = [place(options.export)] if options.export else []
    for target in [*targets, *export]:
        if not options.overwrite and target.exists():
            raise DataError(f"{target} exists: choose another name, or give --overwrite to replace it")
    if targets:
        images = draw(generator.to(device), checkpoint, options.number, options.seed, device)
        pictures = chain.from_iterable(images) if options.single else [grid(np.concatenate(list(images)))]
        for target, picture in zip(targets, pictures, strict=True):
            target.write_bytes(png(picture))
    for target in export:
        metadata = {
            "settings": to_yaml(checkpoint.settings),
            "checkpoint": checkpoint.name,
            "images": str(checkpoint.images),
            "averaged": str(options.averaged).lower(),
        }
        target.write_bytes(safetensors.torch.save(generator.cpu().state_dict(), metadata))
    return [*targets, *export]


def load_generator(checkpoint: Checkpoint, *, averaged: bool = False) -> nn.Module:
    """The generator of a checkpoint, or its average over the run's last images, on the CPU in float32.

    Raises `CheckpointError` where the run kept no average.
    """
    weights = checkpoint.state.get("averaged" if averaged else "generator")
    if weights is None:
        raise CheckpointError(
            f"checkpoint {checkpoint.name} holds no averaged generator: leave --averaged out, or train with "
            "--optimization.average-images"
        )
    generator, _ = new_networks(checkpoint.settings.networks, checkpoint.code)
    load_weights(generator, weights, "generator")
    return generator.eval()


@torch.no_grad()
def draw(
    generator: nn.Module, checkpoint: Checkpoint, number: int, seed: int, device: torch.device
) -> Iterator[Pixels]:
    """Images in batches, uint8 [n, S, S, 3]; `number` in all.

    Batch normalization uses the statistics of the batch, as in training and in the published code, so an image depends
    on its batch. Therefore whole batches of the training's size are drawn, and what is too many of the last one is left
    out: 64 images and 1,000 images of one seed begin with the same 64.
    """
    size = checkpoint.settings.optimization.batch_size
    for batch in range(math.ceil(number / size)):
        z = latents(checkpoint.settings.networks, size, seed, "sample", batch)
        yield to_uint8(generator(z.to(device)))[: number - batch * size]


def _picture_targets(options: SampleOptions, name: str) -> list[Place]:
    if options.number == 0:
        return []
    if not options.single:
        return [place(options.out or f"{name}.png")]
    folder = place(options.out or name)
    return [folder / f"{number:06}.png" for number in range(options.number)]


def _device(name: str) -> torch.device:
    if name == "auto":
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    try:
        return torch.empty(0, device=name).device
    except (RuntimeError, AssertionError) as error:  # torch without CUDA answers with an assertion
        reason = str(error).partition("\n")[0]
        raise SettingsError(
            f"device is {name!r} but this machine cannot use it ({reason}): give cpu or cuda"
        ) from error


def main(arguments: Sequence[str] | None = None) -> int:
    """The command; returns its exit code, 2 for a wrong input."""
    try:
        config = (tyro.conf.FlagCreatePairsOff,)
        options = read(SampleOptions, arguments, prog="python -m dcgan_dist.sample", config=config)
        written = sample(options)
    except DcganDistError as error:
        complain(error)
        return 2
    if len(written) > 2:
        print(f"{len(written)} files in {written[0].parent}")
    else:
        print(*written, sep="\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
