"""Does the generator of a run repeat its training images?

python -m dcgan_dist.memorised runs/scenes32
python -m dcgan_dist.memorised runs/cifar32 --data FOLDER
"""

import sys
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Annotated

import numpy as np
import simplejpeg
import torch
import tyro

from dcgan_dist.arguments import read
from dcgan_dist.checkpoint import named_checkpoint
from dcgan_dist.data.embedded import EMBEDDED, embedded_image
from dcgan_dist.data.shards import Index
from dcgan_dist.errors import SettingsError, at_work
from dcgan_dist.evaluation.descriptions import Description, PixelFeatures, of_discriminator
from dcgan_dist.evaluation.job import FOLDER
from dcgan_dist.evaluation.memorisation import lines, look, record
from dcgan_dist.evaluation.options import ActorOptions, open_pool, status_of
from dcgan_dist.evaluation.task import Labelled
from dcgan_dist.evaluation.tasks.labelled import find_split, open_index, pictures
from dcgan_dist.evaluation.tasks.neighbours import require_unseen, training_index
from dcgan_dist.generate import Which, load_frozen
from dcgan_dist.invocation import prog
from dcgan_dist.monitoring.terminal import Line
from dcgan_dist.pictures import Pixels, png
from dcgan_dist.runs import find_run
from dcgan_dist.settings import Settings
from dcgan_dist.storage import Place, place, require_writable

arg = tyro.conf.arg

FEWEST = 100
"""Samples, and images held out, without which the test says little."""


@dataclass(frozen=True, kw_only=True)
class MemorisedOptions(ActorOptions):
    """Compare samples of a run's generator, and images that it has not seen, with all its training images."""

    run: Annotated[str, tyro.conf.Positional, arg(metavar="RUN")]
    """The run: its name in the storage, its folder on a disk or in an object store, or one of its checkpoints."""
    storage: Annotated[str, arg(metavar="ADDRESS")] = "runs"
    """Where a run lies that is given by its name."""
    data: Annotated[str, arg(metavar="FOLDER")] = ""
    """Where the run's training images lie as `train-*.tar`, and images that it has not seen as `test-*.tar`. A run on
    the embedded data set does not need it: more scenes are drawn."""
    number: Annotated[int, arg(aliases=("-n",), metavar="N")] = 1_000
    """How many samples, and at most how many images that are held out."""
    seed: Annotated[int, arg(metavar="NUMBER")] = 0
    """Of z."""
    checkpoint: Annotated[str, arg(metavar="NAME")] = ""
    """Name of a folder in RUN/checkpoints, `latest`, or `best`: the one that the run's probe chose. Empty: the one that
    RUN names, else the latest."""
    generator: Which = "auto"
    """Which generator draws, as of `dcgan_dist.sample`."""

    def __post_init__(self) -> None:
        if self.number < FEWEST:
            raise SettingsError(f"number is {self.number} but needs at least {FEWEST}")
        super().__post_init__()


def training_images(run: Place, settings: Settings, data: str, number: int) -> tuple[Labelled, Pixels]:
    """What a run was trained on, and at most so many images that it was not: uint8 [m, S, S, 3].

    Raises:
        DataError: images are not there, or those that are held out are among what the run was trained on.
        SettingsError: it has to be said where they are.
    """
    size = settings.networks.image_size
    if data:
        train, test = (open_index(find_split(place(data), split)) for split in ("train", "test"))
        require_unseen(test, settings)
        for line in dict.fromkeys([*train.told, *test.told]):
            print(line, file=sys.stderr)
        others = _unlabelled(test, size, settings)
        held_out = others.read(np.arange(min(number, len(test))))
        return _unlabelled(train, size, settings), held_out
    if settings.data.path != EMBEDDED:
        raise SettingsError(
            f"{run} was trained on {settings.data.path}: give --data FOLDER with those images as train-*.tar, and "
            "others as test-*.tar"
        )
    first = settings.data.scenes_images
    more = (embedded_image(settings.data.scenes, size, first + i)[0] for i in range(number))
    train = training_index(run, settings)
    return _unlabelled(train, size, settings), np.stack([simplejpeg.decode_jpeg(jpeg) for jpeg in more])


def _unlabelled(index: Index, size: int, settings: Settings) -> Labelled:
    shown = replace(pictures(index, size), fit=settings.data.fit)
    return Labelled(shown, np.arange(len(index)), np.zeros(len(index), np.int64))


def main(arguments: Sequence[str] | None = None) -> int:
    """The command. Returns 0, 2 for wrong input, 1 for what fails later, 130 after Ctrl-C."""

    def act(line: Line) -> None:
        options = read(MemorisedOptions, arguments, prog=prog("study memorised"))
        named = find_run(options.run, options.storage)
        run, name = named.place, named.choose(options.checkpoint)
        checkpoint = named_checkpoint(run, name, trust_code=options.trust_code)
        train, held_out = training_images(run, checkpoint.settings, options.data, options.number)
        line.say("drawing samples")
        generator = load_frozen(checkpoint, run.name, options.generator, torch.device("cpu"))
        samples = np.concatenate(list(generator.draw(options.number, options.seed)))
        descriptions: dict[str, Description] = {
            "pixels": PixelFeatures(),
            "features of D": of_discriminator(checkpoint),
        }
        require_writable(run / FOLDER, "the run's folder for results")
        with open_pool(options, line.say) as pool:
            found = look(pool, train, held_out, samples, descriptions, line.say)
        # Those of another generator are other results, and stay.
        name = f"{checkpoint.name}-memorised-{generator.about.kind}"
        file, sheet = (run / FOLDER / f"{name}.{kind}" for kind in ("json", "png"))
        with at_work():
            file.write_bytes(record(found, generator.about, options.seed))
            sheet.write_bytes(png(found.sheet, f"closest pairs, sample and training image; {generator.about.caption}"))
        line.clear()
        print(
            *lines(found.result),
            f"samples of {generator.about.caption}",
            f"closest pairs, sample and training image: {sheet}",
            sep="\n",
        )

    return status_of(act, "left")


if __name__ == "__main__":
    sys.exit(main())
