"""Samples of a run: as pictures, or the generator that draws them as a file."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from itertools import chain
from typing import Annotated

import torch
import tyro
from torch import Tensor

from dcgan_dist.arrays import Pixels
from dcgan_dist.bounds import AtLeast, check_bounds, shows_bounds
from dcgan_dist.errors import DataError, SettingsError, at_work
from dcgan_dist.model.drawing import CLASS_COLUMNS, class_rows
from dcgan_dist.model.exported import SUFFIXES, to_pt2, to_safetensors
from dcgan_dist.model.generate import Which, choose_kind, require_class, sample_labels
from dcgan_dist.model.pixels import grid, png
from dcgan_dist.run_folder.checkpoint import named_checkpoint
from dcgan_dist.run_folder.load_generator import load_frozen
from dcgan_dist.run_folder.naming import find_run
from dcgan_dist.storage import Place, place, require_lasting

arg = tyro.conf.arg


@shows_bounds
@dataclass(frozen=True)
class SampleOptions:
    """Draw samples from a run's generator; a checkpoint and a seed always give the same images."""

    run: Annotated[str, tyro.conf.Positional, arg(metavar="RUN")]
    """The run: its name in the storage, its folder on a disk or in an object store, or one of its checkpoints."""
    storage: Annotated[str, arg(metavar="ADDRESS")] = "runs"
    """Where to look for a run that is given by name."""
    number: Annotated[int, AtLeast(0, "images"), arg(aliases=("-n",), metavar="N")] = 64
    """How many images; 0: none, for use with --export."""
    seed: Annotated[int, arg(metavar="NUMBER")] = 0
    """Random seed of z."""
    label: Annotated[int | None, arg(name="class", metavar="NUMBER")] = None
    """Draw samples of this class alone, of a run that knows classes (networks.classes). None: a grid shows a class a
    row, at most N samples in all, and a line says which; with --single classes are drawn at random, and named in the
    files."""
    single: bool = False
    """Write one file per image, instead of one grid of all."""
    out: Annotated[str, arg(metavar="FILE.png|FOLDER")] = ""
    """Output: a PNG file, or a folder with --single; empty: in the current folder, named after run, images,
    generator and seed."""
    checkpoint: Annotated[str, arg(metavar="NAME")] = ""
    """Name of a folder in RUN/checkpoints, `latest`, or `best`, the one with the best probe accuracy. Empty: the one
    that RUN names, otherwise the latest."""
    generator: Which = "auto"
    """`raw`: G as it is trained; `averaged`: the moving average of its weights, kept with
    --optimization.average-images; `auto`: the averaged one once the run has trained for 4 of its half-lives, before
    that (or without one) the raw one."""
    export: Annotated[str, arg(metavar="FILE.safetensors|FILE.pt2")] = ""
    """Write the generator to this file, for plain PyTorch (docs/api.md), with fixed batch normalization statistics."""
    trust_code: bool = False
    """Import your own networks that the run's settings name, which runs their code."""
    overwrite: bool = False
    """Replace files that exist."""
    device: Annotated[str, arg(metavar="DEVICE")] = "auto"
    """`cpu`, `cuda`, `cuda:1`; `auto`: a GPU if there is one. Images from different devices may differ in the last
    bit."""

    def __post_init__(self) -> None:
        check_bounds(self)
        if self.number == 0 and not self.export:
            raise SettingsError("number is 0 and no --export is given, so there is nothing to do: give one of them")
        if self.out and self.out.endswith(".png") == self.single:
            needed = "a folder with --single" if self.single else "a .png file without --single"
            raise SettingsError(f"out is {self.out} but needs to be {needed}")
        if self.export and not self.export.endswith(SUFFIXES):
            raise SettingsError(f"export is {self.export} but needs to end in {' or '.join(SUFFIXES)}")


def sample(options: SampleOptions, say: Callable[[str], None] = lambda text: None) -> list[Place]:
    """Write what the options ask for and return what was written.

    Args:
        say: is told what draws, in one line.

    Raises `CheckpointError`, `SettingsError`, and, where a file exists (before anything is written) or cannot be
    written, `DataError`.
    """
    named = find_run(options.run, options.storage)
    device = _device(options.device)
    checkpoint = named_checkpoint(named.place, named.choose(options.checkpoint), trust_code=options.trust_code)
    settings, run = checkpoint.settings, named.place.name
    kind = choose_kind(checkpoint.images, settings.optimization.average_images, options.generator)
    networks = settings.networks
    require_class(options.label, networks, run)
    labels = sample_labels(networks, options.number, settings.optimization.batch_size, options.seed, options.label)
    of_class = "" if options.label is None else f"-class{options.label}"
    targets = _picture_targets(options, f"{run}-{checkpoint.images:09}-{kind}{of_class}-seed{options.seed}", labels)
    export = [place(options.export)] if options.export else []
    for target in [*targets, *export]:
        if not options.overwrite and target.exists():
            raise DataError(f"{target} exists: choose another name, or give --overwrite to replace it")
    for option, some in (("out", targets[:1]), ("export", export)):
        for target in some:
            given = getattr(options, option)
            require_lasting(target, f"--{option}" if given else f"without --{option}, the file of the samples")
            _require_folder(option, target.parent)
    generator = load_frozen(checkpoint, run, options.generator, device).of_class(options.label)
    shown = 0 if options.single or options.label is not None else options.number
    caption = generator.about.caption + classes_in_words(networks.classes, settings.data.label, shown)
    say(caption)
    # First, since a format may not hold the user's own networks, which is wrong input.
    exported = [(to_safetensors if target.name.endswith(".safetensors") else to_pt2)(generator) for target in export]
    with at_work():
        if targets:
            if options.single:
                pictures: Iterable[Pixels] = chain.from_iterable(generator.draw(options.number, options.seed))
            else:
                pictures = [grid(*generator.draw_grid(options.number, options.seed))]
            for target, picture in zip(targets, pictures, strict=True):
                target.write_bytes(png(picture, f"{caption}, seed {options.seed}"))
        for target, content in zip(export, exported, strict=True):
            target.write_bytes(content)
    return [*targets, *export]


def classes_in_words(classes: int, label: str, number: int) -> str:
    """What the rows of a grid show, and what the numbers of classes mean, as the end of a caption.

    Args:
        classes: that the networks know; 0: there is nothing to say.
        label: the attributes that make the class (`data.label`).
        number: of samples of the grid at most; 0: there is no grid of several classes.
    """
    if classes == 0:
        return ""
    told = ""
    if number:
        labels, columns = class_rows(classes, number)
        rows = labels[::columns].tolist()
        told += f", a class a row, from the top: {', '.join(map(str, rows))}"
        if len(rows) < classes:
            told += f" of 0 to {classes - 1} (-n {CLASS_COLUMNS * classes} has room for all)"
    names = [name for name in label.split(",") if name]
    if len(names) == 1:
        told += f", the class is the value of {names[0]}"
    elif names:
        terms = [f"{1 << place} for {name}" for place, name in enumerate(names)]
        told += f", the class is the sum of {', '.join(terms[:-1])} and {terms[-1]}"
    return told


def _require_folder(option: str, folder: Place) -> None:
    """See that a folder is there, or in one that is: a slip of the keys must not make a tree of folders.

    Raises `SettingsError`.
    """
    if not folder.is_local or folder.is_folder():
        return
    if folder.exists():
        raise SettingsError(f"{option} leads into {folder}, which is a file and no folder: give another name")
    if not folder.parent.is_folder() or folder.parent == folder.parent.parent:
        raise SettingsError(
            f"{option} leads into {folder}, which is not there, and is made only in a folder that is: make it, or give "
            "another name"
        )


def _picture_targets(options: SampleOptions, name: str, labels: Tensor | None) -> list[Place]:
    if options.number == 0:
        return []
    if not options.single:
        return [place(options.out or f"{name}.png")]
    folder = place(options.out or name)
    classes = [""] * options.number if labels is None else [f"-class{label}" for label in labels.tolist()]
    return [folder / f"{number:06}{of_class}.png" for number, of_class in enumerate(classes[: options.number])]


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
