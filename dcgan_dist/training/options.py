"""The command line of a training run: options and settings, checked before anything starts."""

import argparse
import dataclasses
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Annotated

import tyro

from dcgan_dist.cli.arguments import read
from dcgan_dist.cli.invocation import prog
from dcgan_dist.errors import SettingsError
from dcgan_dist.extensions import named_by, require_trust
from dcgan_dist.run_folder.checkpoint import manifests
from dcgan_dist.run_folder.naming import SETTINGS_FILE, find_run, is_run
from dcgan_dist.run_folder.record import find_record
from dcgan_dist.run_folder.resuming import require_same
from dcgan_dist.settings import PRESETS, Settings, from_yaml
from dcgan_dist.storage import MissingFile, Place, place

arg = tyro.conf.arg

DEFAULT_STORAGE = Settings(images=1).storage
AUTO = "auto"
"""Value of `--resume` when it is given without one."""
COMMON = {
    "--preset NAME": f"the settings to start from: {', '.join(PRESETS)}",
    "--data ADDRESS": "images: WebDataset shards on a disk or in an object store",
    "--images IMAGES": "length of the run; without it, one that suits the data; --epochs counts passes",
    "--minutes MINUTES": "stop after this time, with a checkpoint",
    "--batch-size IMAGES": "images per step, over all workers",
    "--lr RATE": "learning rate",
    "--workers N": "training workers; 2:8 for up to 8, at least 2",
    "--storage ADDRESS": "where runs are stored: a folder, or an object store",
    "--name NAME": "name of the run",
    "--resume RUN": "resume a run",
}
"""The options that most runs need; the help begins with them."""
_TIME = re.compile(r"-\d{8}-\d{6}$")


@dataclass(frozen=True)
class TrainOptions:
    """Options of the training command, beside the settings of a run."""

    preset: Annotated[str, arg(metavar="|".join(PRESETS))] = "scenes32"
    """The settings to start from: drawn rooms, your own pictures (own64), or one of the paper's data sets."""
    config: Annotated[str, arg(metavar="FILE.yaml")] = ""
    """Start from the settings in this file instead, such as another run's `settings.yaml`."""
    resume: Annotated[str, arg(metavar="RUN")] = ""
    """Resume this run, given by name or folder, with its settings. Without a value, beside --name: start that run,
    or resume it if it exists; a finished one is left as it is."""
    init_from: Annotated[str, arg(metavar="RUN")] = ""
    """Start from the networks of another run's newest checkpoint, or of the checkpoint given by its folder."""
    trust_code: bool = False
    """Import your own networks and loss that a settings file names, which runs their code. Those that this command
    line names are imported in any case."""
    dry_run: bool = False
    """Print the settings, what the cluster lacks and what to expect, then exit."""
    length_of: tyro.conf.Suppress[tyro.conf.Fixed[str]] = ""
    """Preset whose length is adapted to the data; empty: the length is given."""
    began_with: tyro.conf.Suppress[tyro.conf.Fixed[str]] = ""
    """Preset that a new run begins with; empty: a settings file, or nobody said it."""
    settings: Annotated[Settings, arg(name="")] = dataclasses.field(default_factory=PRESETS["scenes32"])
    starts_or_goes_on: Annotated[bool, tyro.conf.Suppress] = False
    is_done: Annotated[bool, tyro.conf.Suppress] = False
    notes: Annotated[tuple[str, ...], tyro.conf.Suppress] = ()


def parse(arguments: Sequence[str]) -> TrainOptions:
    """Options from the command line; `resume` is the name of the run to resume, or empty for a new run.

    Raises:
        SettingsError: a setting is unknown, of a wrong type, or impossible.
        CheckpointError: there is no run to resume, or what is given would make it another one.
    """
    arguments = spread(with_bare_resume(arguments))
    given = look_ahead(arguments, "--preset", "--config", "--resume", "--storage", "--name")
    if given.preset and given.config:
        raise SettingsError("--preset and --config both choose the settings to start from: give one of them")
    if given.resume and not (given.resume == AUTO and (given.name or given.config)):
        return _resumed(arguments, given)
    options = _read(arguments, preset_or_file(given.preset, given.config))
    require_trust(not_given(options.settings, arguments), options.trust_code, options.config)
    if not given.config:
        options = replace(options, began_with=options.preset)
    if not (given.config or length_given(arguments)):
        options = replace(options, length_of=options.preset)
    if not given.resume:
        stem = place(given.config).name.removesuffix(".yaml") if given.config else options.preset
        settings, notes = name_run(options.settings, given, stem)
        return replace(options, settings=settings, notes=notes)
    settings = options.settings
    if not settings.name:
        raise SettingsError(NAMELESS)
    run = place(settings.storage) / settings.name
    begins = replace(options, resume="", starts_or_goes_on=True)
    if not (run / SETTINGS_FILE).is_file():
        return replace(begins, notes=(f"{run} does not exist yet: starting a new run",))
    return replace(_going_on(arguments, given, run, settings.storage), starts_or_goes_on=True)


NAMELESS = "--resume names no run: give one, as in --resume NAME, or add --name NAME to start that run or resume it"


def _resumed(arguments: Sequence[str], given: argparse.Namespace) -> TrainOptions:
    """Options of a run that must exist."""
    storage = given.storage or DEFAULT_STORAGE
    if given.resume == AUTO and not is_run(place(storage) / AUTO):
        raise SettingsError(NAMELESS)
    found = find_run(given.resume, storage)
    run = found.place
    if not (run / SETTINGS_FILE).is_file():
        raise SettingsError(f"there is no run to resume in {run}: it has no {SETTINGS_FILE}")
    if found.checkpoint is not None and found.checkpoint != max(manifests(run), default=""):
        raise SettingsError(
            f"--resume is {given.resume}, but a run is resumed from its newest checkpoint: give {run}, or start "
            f"a new run with --init-from {given.resume}"
        )
    for option, value, theirs in (("--name", given.name, run.name), ("--storage", given.storage, str(run.parent))):
        if value and (value != theirs if option == "--name" else str(place(value)) != theirs):
            raise SettingsError(f"{option} is {value} but --resume names {run}: leave {option} out")
    return _going_on(arguments, given, run, storage if place(storage) == run.parent else str(run.parent))


def _going_on(arguments: Sequence[str], given: argparse.Namespace, run: Place, storage: str) -> TrainOptions:
    """Options of an existing run: its own settings, and those given that do not change what it computes.

    A settings file counts as a whole, with its length, workers and so on; the length of a preset is for new runs
    only.
    """
    saved = from_yaml((run / SETTINGS_FILE).read_bytes().decode(errors="replace"), str(run / SETTINGS_FILE))
    options = _read(arguments, saved)
    require_same(saved, replace(options.settings, name=run.name, storage=storage), run)
    if given.preset or given.config:
        source = f"--preset {given.preset}" if given.preset else f"--config {given.config}"
        sourced = _read(arguments, preset_or_file(given.preset, given.config))
        require_same(saved, sourced.settings, run, source)
        options = sourced if given.config else options
    settings = replace(options.settings, name=run.name, storage=storage)
    require_trust(not_given(settings, arguments), options.trust_code, str(run / SETTINGS_FILE))
    notes = []
    if given.config and not length_given(arguments) and _length(settings) != _length(saved):
        notes.append(f"length: {_length(settings)} as in {given.config}, in place of {_length(saved)}")
    if settings.optimization.decay and _length(settings) != _length(saved):
        new = _length(settings)
        notes.append(
            f"optimization.decay is {settings.optimization.decay:g}, so the learning rate follows the new length from "
            f"here on: {new} after {_length(saved)} are not the same as {new} from the start"
        )
    done = is_done(find_record(run) or {}, saved, settings)
    return replace(options, resume=run.name, settings=settings, is_done=done, notes=tuple(notes))


def _length(settings: Settings) -> str:
    return f"{settings.epochs:g} epochs" if settings.images is None else f"{settings.images:,} images"


def is_done(record: Mapping[str, object], saved: Settings, now: Settings) -> bool:
    """Whether a run has been trained to its end, and is not to be trained further.

    Args:
        record: what `run.json` holds; empty where there is none.
        saved: settings of the run.
        now: those that it would go on with.
    """
    return record.get("status") == "finished" and (now.images, now.epochs) == (saved.images, saved.epochs)


def _read(arguments: Sequence[str], base: Settings) -> TrainOptions:
    return read(
        TrainOptions,
        arguments,
        prog=prog("train"),
        default=TrainOptions(settings=with_length(base, arguments)),
        description=_description(),
    )


def _description() -> str:
    width = max(map(len, COMMON))
    rows = "\n".join(f"  {option:{width}}  {text}" for option, text in COMMON.items())
    return f"Train a DCGAN with Ray. What most runs need:\n\n{rows}\n\nAll settings, with units and sources:"


def name_run(settings: Settings, given: argparse.Namespace, stem: str) -> tuple[Settings, tuple[str, ...]]:
    """Settings of a new run, with a name, and what to tell the user about that name.

    A name that was given is used as it is. The name in a settings file is often that of an existing run, from which
    the file comes: then the new run gets the same name with the time of its start.

    Args:
        given: `name` and `config`, as texts, and `storage`.
        stem: of the name of a run that has none: the preset, or the file of settings.
    """
    if given.config and not given.storage and (place(settings.storage).parent / "sweep.json").is_file():
        # The settings of a sweep's trial: a run of its own has no place among the trials.
        settings = replace(settings, storage=str(place(settings.storage).parent.parent))
    old = settings.name
    if old and (given.name or not (place(settings.storage) / old).names()):
        return settings, ()
    name = f"{_TIME.sub('', old) or stem}-{datetime.now():%Y%m%d-%H%M%S}"
    note = f"{given.config} has the name {old}, which is taken: this run is called {name}"
    return replace(settings, name=name), (note,) if old else ()


def with_bare_resume(arguments: Sequence[str]) -> list[str]:
    """The arguments, with `--resume` that has no value as `--resume=auto`."""
    following = [*arguments[1:], "--"]
    return [
        f"--resume={AUTO}" if text == "--resume" and after.startswith("--") else text
        for text, after in zip(arguments, following, strict=False)
    ]


def look_ahead(arguments: Sequence[str], *names: str) -> argparse.Namespace:
    """Options that are needed before the others are parsed: the help shows the defaults of the preset or file."""
    first = argparse.ArgumentParser(add_help=False, allow_abbrev=False)
    for name in names:
        first.add_argument(name, default="", nargs="?", const="")
    given, _ = first.parse_known_args([_hyphened(text) if text.startswith("--") else text for text in arguments])
    return given


def not_given(settings: Settings, arguments: Sequence[str]) -> dict[str, str]:
    """Import paths that the settings file names, and not the command line, by the setting's dotted name."""
    given = vars(look_ahead(arguments, *(f"--{setting}" for setting in named_by(settings))))
    return {setting: path for setting, path in named_by(settings).items() if given[setting] != path}


def _hyphened(option: str) -> str:
    """An option whose name may be written with underscores."""
    name, equals, value = option.partition("=")
    return name.replace("_", "-") + equals + value


def preset_or_file(preset: str, config: str) -> Settings:
    """The settings to start from: those of a file, else of a preset, else of the first preset.

    Raises:
        SettingsError: there is no such preset, or the file holds what is no setting.
    """
    if config:
        file = place(config)
        file = file / SETTINGS_FILE if file.is_folder() else file
        try:
            text = file.read_bytes().decode(errors="replace")
        except MissingFile as error:
            raise SettingsError(
                f"--config is {config} but there is no {file}: give a file of settings, such as RUN/{SETTINGS_FILE}"
            ) from error
        return from_yaml(text, str(file))
    if preset and preset not in PRESETS:
        raise SettingsError(f"preset is {preset} but needs to be one of {', '.join(PRESETS)}")
    return PRESETS[preset or "scenes32"]()


def length_given(arguments: Sequence[str]) -> set[str]:
    """Which of `--images` and `--epochs` are among the arguments."""
    return {"--images", "--epochs"} & {text.partition("=")[0] for text in arguments}


def with_length(base: Settings, arguments: Sequence[str]) -> Settings:
    """The settings that the arguments override; a length that is given replaces the other kind of length."""
    flags = length_given(arguments)
    if "--epochs" in flags and "--images" not in flags:
        return replace(base, images=None, epochs=base.epochs or 1.0)
    if "--images" in flags and "--epochs" not in flags:
        return replace(base, epochs=None, images=base.images or 1)
    return base


def spread(arguments: Sequence[str]) -> list[str]:
    """The arguments, with `--workers 2:8` as the two settings that it stands for."""
    return [text for given in _spread(arguments) for text in given]


def _spread(arguments: Sequence[str]) -> Iterator[list[str]]:
    names = ("--workers", "--workers.number")
    rest = iter(arguments)
    for text in rest:
        name, equals, value = text.partition("=")
        if name not in names or (not equals and (value := next(rest, "")) == ""):
            yield [text]
            continue
        least, colon, most = value.partition(":")
        if colon and not (least.isdigit() and most.isdigit()):
            raise SettingsError(f"workers is {value} but needs to be a number, or a range such as 2:8")
        yield [f"{name}={most}", f"--workers.at-least={least}"] if colon else [f"{name}={value}"]
