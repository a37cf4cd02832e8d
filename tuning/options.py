"""The command line of a sweep, checked before anything starts."""

import argparse
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, fields, replace
from typing import Annotated, Any, Literal

import tyro

from dcgan_dist.bounds import Above, AtLeast, check_bounds, shows_bounds
from dcgan_dist.cli.arguments import read
from dcgan_dist.cli.invocation import prog
from dcgan_dist.data.scenes.builtin import EMBEDDED
from dcgan_dist.errors import CheckpointError, SettingsError
from dcgan_dist.evaluation.labels import pinned
from dcgan_dist.evaluation.tasks import rooms
from dcgan_dist.extensions import require_trust
from dcgan_dist.settings import PRESETS, Settings, flatten, from_yaml
from dcgan_dist.storage import place
from dcgan_dist.training.length import require_own_length
from dcgan_dist.training.options import (
    AUTO,
    length_given,
    look_ahead,
    name_run,
    not_given,
    preset_or_file,
    spread,
    with_bare_resume,
    with_length,
)
from tuning.folder import SweepFolder
from tuning.space import defaults, grid, parse_space

arg = tyro.conf.arg

Kind = Literal["none", "asha", "pbt"]
PROBES: Mapping[str, str] = {"cifar32": "cifar10", "imagenet32": "cifar10", "svhn32": "svhn"}
"""Probe task of the trials by preset, unless another one is given."""
TRIALS = 10
"""Number of trials of a sweep that is not a grid, unless it is given."""
FREE_ON_RESUME = ("trials", "at_once", "budget_minutes", "budget_hours")
"""Options that may be given together with --resume."""
FIXED = ("search", "searcher", "scheduler", "objective", "mode")
"""Options, besides the settings, that must be the same when a sweep is resumed."""
_OF_THE_CALL = frozenset(
    {"settings", "notes", "resume", "report", "trust_code", "dry_run", "config", "length_of", "starts_or_resumes"}
)


@shows_bounds
@dataclass(frozen=True)
class SweepOptions:
    """Search settings of the training job with Ray Tune. All other settings of the training command can be given as
    well."""

    preset: Annotated[str, arg(metavar="|".join(PRESETS))] = "scenes32"
    """The settings to start from."""
    config: Annotated[str, arg(metavar="FILE.yaml")] = ""
    """Start from the settings in this file instead."""
    search: Annotated[tuple[str, ...], arg(metavar="NAME=FORM")] = ()
    """Settings to search, by dotted or short name, and their values: uniform(LOW,HIGH), loguniform(LOW,HIGH),
    integer(LOW,HIGH), choice(A,B,...). Several are separated by spaces."""
    trials: Annotated[int, AtLeast(0), arg(metavar="N")] = 0
    """How many trials; 0: all of a grid, otherwise 10. The first one has the values that the settings have without a
    sweep."""
    searcher: Literal["random", "optuna", "grid"] = "random"
    """How values are chosen: drawn at random by the seed, proposed by Optuna from the results so far, or every
    combination of the choices."""
    scheduler: Kind = "asha"
    """Which trials continue. `none`: all to their end; `asha`: the best third after a ninth of the run, and the best
    third of those after a third of it; `pbt`: bad trials continue from a copy of a good one, with other values."""
    objective: Annotated[str, arg(metavar="probe|METRIC")] = "probe"
    """What is compared: the probe's accuracy on its first task (of `fidelity`, the kernel distance), or a metric that
    runs log or the probe finds."""
    mode: Literal["", "max", "min"] = ""
    """Whether higher or lower values are better; needed for metrics for which that is not known."""
    at_once: Annotated[int, AtLeast(0), arg(metavar="N")] = 0
    """Trials that run at once; 0: as many as the cluster has room for."""
    budget_minutes: Annotated[float | None, Above(0), arg(metavar="MINUTES")] = None
    """Stop the sweep after this time; it can be resumed."""
    budget_hours: Annotated[float | None, Above(0), arg(metavar="HOURS")] = None
    """Stop it when its workers have used this many accelerator hours (CPU hours if there are no GPUs)."""
    resume: Annotated[str, arg(metavar="NAME")] = ""
    """Resume this sweep, by its name in the storage or its folder. Without a value, beside --name: start the sweep of
    that name, or resume it if it exists."""
    report: Annotated[str, arg(metavar="NAME")] = ""
    """Write the tables and figures of this sweep again, then exit."""
    trust_code: bool = False
    """Import your own networks and losses that files name, which runs their code."""
    dry_run: bool = False
    """Print what would run, then exit."""
    length_of: tyro.conf.Suppress[tyro.conf.Fixed[str]] = ""
    """Preset whose length is adapted to the data; empty: the length is given."""
    settings: Annotated[Settings, arg(name="")] = field(default_factory=PRESETS["scenes32"])
    notes: Annotated[tuple[str, ...], tyro.conf.Suppress] = ()
    starts_or_resumes: Annotated[bool, tyro.conf.Suppress] = False

    def __post_init__(self) -> None:
        check_bounds(self)

    @property
    def folder(self) -> SweepFolder:
        """The sweep's folder."""
        return SweepFolder(place(self.settings.storage) / self.settings.name)

    def plan(self) -> dict[str, Any]:
        """The options as they are recorded in `sweep.json`."""
        return {
            name: value
            for name, value in ((item.name, getattr(self, item.name)) for item in fields(self))
            if name not in _OF_THE_CALL
        }


def parse(arguments: Sequence[str]) -> SweepOptions:
    """Options from the command line.

    Raises:
        SettingsError: an option is unknown, of a wrong type, or impossible.
        CheckpointError: there is no sweep to resume, or the options are not those that it was started with.
    """
    arguments = spread(with_bare_resume(arguments))
    given = look_ahead(arguments, "--preset", "--config", "--resume", "--report", "--storage", "--name")
    if given.preset and given.config:
        raise SettingsError("--preset and --config both choose the settings to start from: give one of them")
    if given.resume and given.report:
        raise SettingsError("--resume and --report both name a sweep: give one of them")
    base = with_length(preset_or_file(given.preset, given.config), arguments)
    options = read(SweepOptions, arguments, prog=prog("sweep"), default=SweepOptions(settings=base))
    starts_or_resumes = given.resume == AUTO and bool(given.name)
    if options.report or (options.resume and not starts_or_resumes):
        options = replace(options, settings=_named(options.resume or options.report, options.settings))
        if options.resume == AUTO and not options.folder.is_begun():
            raise SettingsError(
                "--resume names no sweep: give one, as in --resume NAME, or a --name beside it, whose sweep is started "
                "or resumed"
            )
        return _saved(options, arguments)
    options = _new(options, given, arguments)
    if not starts_or_resumes:
        return options
    options = replace(options, resume="", starts_or_resumes=True)
    if not options.folder.is_begun():
        return replace(options, notes=(f"there is no sweep {options.folder.place} yet: it starts",))
    return _same(options, arguments)


def _new(options: SweepOptions, given: argparse.Namespace, arguments: Sequence[str]) -> SweepOptions:
    """Options of a new sweep, with its name and defaults filled in."""
    require_trust(not_given(options.settings, arguments), options.trust_code, options.config)
    settings, notes = name_run(options.settings, given, "sweep")
    options = replace(options, notes=notes)
    if not (given.config or length_given(arguments)):
        options = replace(options, length_of=options.preset)
    if settings.minutes is not None:
        raise SettingsError(
            "minutes would end trials after different numbers of images: give --images for the length of each "
            "trial, and --budget-minutes for the sweep"
        )
    if settings.supervised.task:
        require_own_length(options.length_of)
        if options.scheduler == "pbt":
            raise SettingsError(
                "scheduler is pbt but runs that are trained on labels write no checkpoints on the way, which others "
                "could go on from: use asha or none"
            )
        # Trials are recorded with the checkpoint that they all begin with.
        settings = pinned(settings)
    elif options.objective.startswith("probe") and not settings.probe.tasks:
        tasks = rooms.NAME if _shows_rooms(settings) else PROBES.get(options.preset, "")
        settings = replace(settings, probe=replace(settings.probe, tasks=tasks))
    if not options.search:
        raise SettingsError("--search is missing: name the settings to search, as in --search 'lr=uniform(1e-4,1e-3)'")
    return _counted(replace(options, settings=settings))


def _named(text: str, settings: Settings) -> Settings:
    """Settings with the name and storage of a sweep that is given by its name in the storage, or by its folder."""
    bare = text.rstrip("/")
    if "/" not in bare:
        return replace(settings, name=bare)
    return replace(settings, name=place(bare).name, storage=str(place(bare).parent))


def _counted(options: SweepOptions) -> SweepOptions:
    """The options with the number of trials filled in; raises `SettingsError` if a grid has fewer."""
    if options.searcher != "grid":
        return replace(options, trials=options.trials or TRIALS)
    space = parse_space(options.search, options.settings)
    combinations = len(grid(space, defaults(space, options.settings)))
    if options.trials > combinations:
        raise SettingsError(f"trials is {options.trials} but the grid has {combinations} combinations: leave it out")
    return replace(options, trials=options.trials or combinations)


def _shows_rooms(settings: Settings) -> bool:
    return settings.data.path == EMBEDDED and settings.data.scenes == "rooms"


def _saved(options: SweepOptions, arguments: Sequence[str]) -> SweepOptions:
    """Options of an existing sweep, with those of the command line that may change."""
    flags = {text.partition("=")[0].lstrip("-").replace("-", "_") for text in arguments if text.startswith("--")}
    allowed = {"resume", "report", "storage", "trust_code", "dry_run", *FREE_ON_RESUME}
    if flags - allowed:
        raise SettingsError(
            f"--{min(flags - allowed).replace('_', '-')} cannot be given for a sweep that exists, which keeps its own: "
            f"leave it out; only {', '.join('--' + name.replace('_', '-') for name in FREE_ON_RESUME)} can"
        )
    return _restored(options, flags)


def _same(options: SweepOptions, arguments: Sequence[str]) -> SweepOptions:
    """Options of an existing sweep, from a command line that would start the same one.

    Raises:
        CheckpointError: it would start a different one.
    """
    plan, text = options.folder.read_plan()
    saved = from_yaml(text, str(options.folder.place / "settings.yaml"))
    # A length that follows from the data is known only once the data is indexed.
    ours = replace(options.settings, name=saved.name, storage=saved.storage)
    if options.length_of:
        ours = replace(ours, images=saved.images, epochs=saved.epochs)
    old = {name: _text(plan[name]) for name in FIXED} | {name: str(value) for name, value in flatten(saved).items()}
    new = {name: _text(getattr(options, name)) for name in FIXED}
    new |= {name: str(value) for name, value in flatten(ours).items()}
    differ = [name for name in old if old[name] != new[name]]
    if differ:
        more = f" (and {', '.join(differ[1:4])}{' and others' if differ[4:] else ''})" if differ[1:] else ""
        raise CheckpointError(
            f"the sweep {options.folder.place} was started with {differ[0]} {old[differ[0]]} and cannot be resumed "
            f"with {new[differ[0]]}{more}: give what it was started with, or start a sweep of another name"
        )
    flags = {text.partition("=")[0].lstrip("-").replace("-", "_") for text in arguments if text.startswith("--")}
    return replace(_restored(replace(options, resume=options.settings.name), flags), starts_or_resumes=True)


def _text(value: object) -> str:
    return " ".join(map(str, value)) if isinstance(value, list | tuple) else str(value)


def _restored(options: SweepOptions, flags: set[str]) -> SweepOptions:
    """Options as recorded in the sweep's folder, except for those given as flags that may change."""
    plan, settings = options.folder.read_plan()
    plan = {name: value for name, value in plan.items() if name in {item.name for item in fields(SweepOptions)}}
    now = {name: getattr(options, name) for name in FREE_ON_RESUME if name in flags}
    saved = from_yaml(settings, str(options.folder.place / "settings.yaml"))
    return _counted(
        replace(
            SweepOptions(**{**plan, "search": tuple(plan["search"]), **now}),
            settings=replace(saved, name=options.settings.name, storage=options.settings.storage),
            resume=options.resume,
            report=options.report,
            trust_code=options.trust_code,
            dry_run=options.dry_run,
        )
    )
