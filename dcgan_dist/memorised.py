"""Does the generator of a run repeat its training images?

python -m dcgan_dist.memorised runs/scenes32
python -m dcgan_dist.memorised runs/cifar32 --data FOLDER
"""

import sys
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated

import numpy as np
import torch
import tyro

from dcgan_dist.bounds import AtLeast, shows_bounds
from dcgan_dist.cli.arguments import read
from dcgan_dist.cli.invocation import prog
from dcgan_dist.errors import at_work
from dcgan_dist.evaluation.encoders.discriminator import of_discriminator
from dcgan_dist.evaluation.encoders.encoder import Encoder
from dcgan_dist.evaluation.encoders.pixels import PixelFeatures
from dcgan_dist.evaluation.results import recipe_sha256
from dcgan_dist.evaluation.service.actor_options import ActorOptions
from dcgan_dist.evaluation.service.job import FOLDER
from dcgan_dist.evaluation.service.options import open_pool, status_of
from dcgan_dist.model.generate import Which
from dcgan_dist.model.pixels import png
from dcgan_dist.monitoring.sinks.terminal import Line
from dcgan_dist.run_folder.checkpoint import named_checkpoint
from dcgan_dist.run_folder.load_generator import load_frozen
from dcgan_dist.run_folder.naming import find_run
from dcgan_dist.storage import require_writable
from dcgan_dist.studies.memorisation import doubts, lines, look, recipe, record
from dcgan_dist.studies.training_images import training_images

arg = tyro.conf.arg

FEWEST = 100
"""Samples, and images held out, without which the test says little."""


@shows_bounds
@dataclass(frozen=True, kw_only=True)
class MemorisedOptions(ActorOptions):
    """Check whether a run's samples repeat its training images, by comparing them with images that the run has not
    seen."""

    run: Annotated[str, tyro.conf.Positional, arg(metavar="RUN")]
    """The run: its name in the storage, its folder on a disk or in an object store, or one of its checkpoints."""
    storage: Annotated[str, arg(metavar="ADDRESS")] = "runs"
    """Where to look for a run that is given by name."""
    data: Annotated[str, arg(metavar="FOLDER")] = ""
    """Where the run's training images lie as `train-*.tar`, and images that it has not seen as `test-*.tar`. Empty: the
    folder that the run was trained from. For the embedded data set more scenes are drawn."""
    keep: Annotated[str, arg(metavar="FILE")] = ""
    """Compare with those training images alone that this keep-list of `dcgan_dist.data.dedup` keeps. Where a run was
    trained on near duplicates, they have to be left out here: a copy of such an image has two that are equally near."""
    number: Annotated[int, AtLeast(FEWEST), arg(aliases=("-n",), metavar="N")] = 1_000
    """Number of samples, and the most held-out images that are compared with them."""
    seed: Annotated[int, arg(metavar="NUMBER")] = 0
    """Random seed of z."""
    checkpoint: Annotated[str, arg(metavar="NAME")] = ""
    """Name of a folder in RUN/checkpoints, `latest`, or `best`, the one with the best probe accuracy. Empty: the one
    that RUN names, otherwise the latest."""
    generator: Which = "auto"
    """Which generator draws the samples: see `dcgan_dist.sample`."""


def main(arguments: Sequence[str] | None = None) -> int:
    """The command. Returns 0, 2 for wrong input, 1 for what fails later, 130 after Ctrl-C."""

    def act(line: Line) -> None:
        options = read(MemorisedOptions, arguments, prog=prog("study memorised"))
        named = find_run(options.run, options.storage)
        run, name = named.place, named.choose(options.checkpoint)
        checkpoint = named_checkpoint(run, name, trust_code=options.trust_code)
        compared = training_images(run, checkpoint.settings, options.data, options.number, options.keep)
        line.say("drawing samples")
        generator = load_frozen(checkpoint, run.name, options.generator, torch.device("cpu"))
        samples = np.concatenate(list(generator.draw(options.number, options.seed)))
        encoders: dict[str, Encoder] = {
            "pixels": PixelFeatures(),
            "features of D": of_discriminator(checkpoint),
        }
        require_writable(run / FOLDER, "the run's folder for results")
        line.clear()
        with open_pool(options, line.say) as pool:
            found = look(pool, compared.train, compared.held_out, samples, encoders, line.say)
        notes = [*compared.notes, *doubts(found.result)]
        asked = recipe(generator.about, options.number, options.seed, compared.data)
        # Results of another generator, of other samples or images are other results, and stay.
        name = f"{checkpoint.name}-memorised-{generator.about.kind}-{recipe_sha256(asked)[:8]}"
        file, sheet = (run / FOLDER / f"{name}.{kind}" for kind in ("json", "png"))
        with at_work():
            file.write_bytes(record(found, generator.about, asked, notes))
            sheet.write_bytes(png(found.sheet, f"closest pairs, sample and training image; {generator.about.caption}"))
        line.clear()
        print(
            *lines(found.result),
            *(f"note: {note}" for note in notes),
            f"samples of {generator.about.caption}",
            f"closest pairs, sample and training image: {sheet}",
            sep="\n",
        )

    return status_of(act, "left")


if __name__ == "__main__":
    sys.exit(main())
