"""The command line of a training run: options and settings, checked before anything starts."""

import argparse
import dataclasses
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Annotated

import tyro

from dcgan_dist.arguments import read
from dcgan_dist.errors import SettingsError
from dcgan_dist.extensions import named_by, require_trust
from dcgan_dist.settings import PRESETS, Settings, from_yaml
from dcgan_dist.storage import Place, place

arg = tyro.conf.arg


@dataclass(frozen=True)
class Options:
    """Train a DCGAN with Ray. Settings are those of a preset; every one can be given here."""

    preset: Annotated[str, arg(metavar="|".join(PRESETS))] = "scenes32"
    """What the settings begin with: rooms drawn on the spot, or one of the paper's data sets."""
    config: Annotated[str, arg(metavar="FILE.yaml")] = ""
    """Begin with the settings of this file instead, for example `settings.yaml` of another run."""
    resume: Annotated[str, arg(metavar="NAME")] = ""
    """Go on with the run of this name in the storage, with its settings."""
    init_from: Annotated[str, arg(metavar="RUN")] = ""
    """Begin with the networks of the newest checkpoint of another run's folder."""
    trust_code: bool = False
    """Import networks and loss that a file of settings names, where they are none of ours: that runs their code. What
    this command line names is imported anyhow."""
    dry_run: bool = False
    """Print the settings, what the cluster lacks and what to expect, and leave."""
    length_of: tyro.conf.Suppress[tyro.conf.Fixed[str]] = ""
    """Preset whose length fits itself to the data; empty: the length is given."""
    settings: Annotated[Settings, arg(name="")] = dataclasses.field(default_factory=PRESETS["scenes32"])


def parse(arguments: Sequence[str]) -> Options:
    """Options from the command line.

    Raises:
        SettingsError: a setting is unknown, of a wrong type, or impossible.
    """
    arguments = spread(arguments)
    given = look_ahead(arguments, "--preset", "--config", "--resume", "--storage")
    if sum(bool(value) for value in (given.preset, given.config, given.resume)) > 1:
        raise SettingsError("--preset, --config and --resume each say what the settings begin with: give one of them")
    if given.resume:
        base = _settings_of(place(given.storage or Settings(images=1).storage) / given.resume)
    else:
        base = preset_or_file(given.preset, given.config)
    options = read(
        Options,
        arguments,
        prog="python -m dcgan_dist.train",
        default=Options(settings=with_length(base, arguments)),
    )
    settings = options.settings
    if not (given.resume or given.config or length_given(arguments)):
        options = replace(options, length_of=options.preset)
    source = str(place(settings.storage) / options.resume / "settings.yaml") if options.resume else options.config
    require_trust(not_given(settings, arguments), options.trust_code, source)
    if options.resume:
        settings = replace(settings, name=options.resume)
    elif not settings.name:
        settings = replace(settings, name=f"{options.preset}-{datetime.now():%Y%m%d-%H%M%S}")
    return replace(options, settings=settings)


def look_ahead(arguments: Sequence[str], *names: str) -> argparse.Namespace:
    """Some options before all are parsed: what the settings begin with has to be known, since their help shows it."""
    first = argparse.ArgumentParser(add_help=False, allow_abbrev=False)
    for name in names:
        first.add_argument(name, default="")
    given, _ = first.parse_known_args([_hyphened(text) if text.startswith("--") else text for text in arguments])
    return given


def not_given(settings: Settings, arguments: Sequence[str]) -> dict[str, str]:
    """Import paths that the settings name, and not the command line; by the setting's dotted name."""
    given = vars(look_ahead(arguments, *(f"--{setting}" for setting in named_by(settings))))
    return {setting: path for setting, path in named_by(settings).items() if given[setting] != path}


def _hyphened(option: str) -> str:
    """An option whose name may be written with underscores."""
    name, equals, value = option.partition("=")
    return name.replace("_", "-") + equals + value


def preset_or_file(preset: str, config: str) -> Settings:
    """What the settings begin with: those of a file, else those of a preset, else those of the first preset.

    Raises:
        SettingsError: there is no such preset, or the file holds what is no setting.
    """
    if config:
        file = place(config)
        return from_yaml(file.read_bytes().decode(errors="replace"), str(file))
    if preset and preset not in PRESETS:
        raise SettingsError(f"preset is {preset} but needs to be one of {', '.join(PRESETS)}")
    return PRESETS[preset or "scenes32"]()


def length_given(arguments: Sequence[str]) -> set[str]:
    """Which of `--images` and `--epochs` are among the arguments."""
    return {"--images", "--epochs"} & {text.partition("=")[0] for text in arguments}


def with_length(base: Settings, arguments: Sequence[str]) -> Settings:
    """The settings that arguments are read over: a length that is given takes the place of the other kind of length."""
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
            raise SettingsError(f"workers is {value} but needs to be a number, or two as in 2:8")
        yield [f"{name}={most}", f"--workers.at-least={least}"] if colon else [f"{name}={value}"]


def _settings_of(run: Place) -> Settings:
    file = run / "settings.yaml"
    if not file.is_file():
        raise SettingsError(f"there is no run to resume in {run}: it has no settings.yaml")
    return from_yaml(file.read_bytes().decode(errors="replace"), str(file))
