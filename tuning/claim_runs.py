"""The runs of claims: a sweep for each setup, whose trials are the runs of all arms; and what was measured of them.

A run is found again by its setup and its values, so that no claim repeats what another one has.
"""

import hashlib
import json
import os
import time
from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime
from typing import Any

import yaml

from dcgan_dist.cluster.connect import connected, describe_connecting, set_environment
from dcgan_dist.data.scenes.builtin import EMBEDDED
from dcgan_dist.data.unprepared import find
from dcgan_dist.errors import DataError, DcganDistError, SettingsError, complain
from dcgan_dist.evaluation.fidelity.features import open_features
from dcgan_dist.monitoring.sinks.curves import read_points
from dcgan_dist.numerals import count
from dcgan_dist.run_folder.driver_lock import require_no_driver
from dcgan_dist.run_folder.naming import SETTINGS_FILE
from dcgan_dist.run_folder.record import find_record
from dcgan_dist.settings import Settings, from_yaml, replaced, to_yaml
from dcgan_dist.storage import MissingFile, Place, place, require_writable
from tuning.claim_data import FOLDER, make
from tuning.claim_measures import (
    FEATURES,
    KERNEL,
    MEASURES,
    PROBE,
    VERSION,
    Judging,
    held_out,
    measured,
    open_probed,
    reasons,
    replaced_by_worst,
)
from tuning.claims import Arm, Claim, Scale, Setup
from tuning.claims_figure import draw
from tuning.claims_table import CONDEMNED, Measured, judged, lines, markdown, require_same_data
from tuning.extras import require_matplotlib
from tuning.folder import Record, SweepFolder
from tuning.options import SweepOptions
from tuning.space import describe
from tuning.sweep import TUNE_ENVIRONMENT, Sweep

STOPPED = 128
"""Added to the number of the signal that stopped the command."""
MADE_DATA = "data"
"""Folder of data that are made for claims."""
OBJECTIVE = "samples/spread"
"""A sweep compares its trials by something; claims have measures of their own."""


class ClaimSweep(Sweep):
    """The runs of a setup."""

    stopped_by: int | None = None
    over: str = ""

    def report(self) -> bool:
        """Nothing: which run is the best one is no question here."""
        return True

    def _ending(self, running: Any, valued: bool) -> int:
        self.stopped_by, self.over = running.stopped_by, running.over
        return 0


@dataclass(frozen=True)
class Runs:
    """All runs of a setup that were made, or are to be.

    Attributes:
        setup: that they share.
        folder: of the sweep.
    """

    setup: Setup
    folder: SweepFolder

    @classmethod
    def below(cls, claims: Place, setup: Setup) -> "Runs":
        """In the folder that was begun with the same settings: one that an older version knew nothing of counts as what
        it is by default. Else in a new one, whose name changes with every setting."""
        runs, wanted = claims / "runs", setup.settings_at(str(claims / MADE_DATA / FOLDER))
        for name in sorted(runs.names()):
            found = _settings_in(runs / name)
            if found is not None:
                found = replace(found, name=wanted.name, storage=wanted.storage)
                if _at(found, wanted.workers.address) == wanted:
                    return cls(setup, SweepFolder(runs / name))
        recipe = hashlib.sha256(to_yaml(setup.settings).encode()).hexdigest()[:8]
        return cls(setup, SweepFolder(runs / f"{setup.preset}-{recipe}"))

    def missing(self, wanted: Sequence[Arm]) -> list[Arm]:
        """Of the wanted ones, each once, those that no call has begun."""
        there = [record.values for record in self.folder.records()]
        new: list[Arm] = []
        for arm in wanted:
            if arm not in there and arm not in new:
                new.append(arm)
        return new

    def take_up(self) -> int:
        """See that runs which an earlier call has left in the middle go on, and those that failed, for a full disk say,
        are tried again; returns how many there are. Training that fails comes to its end, and is a result."""
        left = [record for record in self.folder.records() if record.state != "finished"]
        for record in left:
            self.folder.write(replace(record, state="unfinished", reason=""))
        return len(left)

    def failed(self) -> list[Record]:
        """Runs that ended for reasons that are not their arm's."""
        return [record for record in self.folder.records() if record.state not in ("finished", "unfinished")]

    def measures(
        self, claims: Iterable[Claim], judging: Callable[[], Judging], say: Callable[[str], None]
    ) -> list[tuple[Arm, dict[str, Any]]]:
        """Of each run that has finished, its values and what was measured, with how it was trained; measured now what
        these claims need and was not measured before, which is said. A run that cannot be measured is named, and left
        out.

        Raises:
            DataError: the runs were not all trained on the same data.
        """
        found = []
        self._require_same_data()
        for record in self.folder.records():
            own = [claim for claim in claims if any(record.values in runs for runs in _arms(claim, self.setup))]
            names = {name for claim in own for name in (claim.measure, CONDEMNED)}
            if record.state != "finished":
                continue
            try:
                found.append((record.values, self._trained(record) | self._measure(record, names, judging, say)))
            except DcganDistError as error:
                complain(f"run {record.number} of {self.setup.name} counts as one that is not there: {error}")
        return found

    def _require_same_data(self) -> None:
        """A path may lead to other data today, or on another machine: their difference would count as that of arms."""
        numbers: dict[str, list[int]] = {}
        for record in self.folder.records():
            if record.state == "finished" and (run := find_record(self._run(record))) is not None:
                numbers.setdefault(str(run.get("data_sha256", "")), []).append(record.number)
        if len(numbers) > 1:
            first, *others = [", ".join(map(str, each)) for each in numbers.values()]
            raise DataError(
                f"runs {first} of {self.setup.name} were trained on other data than {' and '.join(others)}, so that "
                f"they cannot be compared: delete the records of those that are wrong in {self.folder.place}/records, "
                f"and see that {self.setup.settings.data.path} is what it was"
            )

    def _run(self, record: Record) -> Place:
        return self.folder.trials / self.folder.run_of(record.number)

    def _trained(self, record: Record) -> dict[str, Any]:
        """When, how long, with what and on which data."""
        run = find_record(self._run(record)) or {}
        date = f"{datetime.fromtimestamp(record.started, UTC):%Y-%m-%d}"
        about = {name: run.get(name) for name in ("versions", "data_sha256")}
        return {"date": date, "seconds": record.seconds, **about}

    def _measure(
        self, record: Record, names: set[str], judging: Callable[[], Judging], say: Callable[[str], None]
    ) -> dict[str, Any]:
        file = self.folder.place / "measures" / f"{record.number:03d}.json"
        # The number alone does not tell: records may have been deleted to begin anew.
        about = {"version": VERSION, "run": record.values, "started": record.started}
        known: dict[str, Any] = {**about, "judge": "", "values": {}, "replaced": {}}
        with suppress(MissingFile):
            read = _measures_in(file)
            known = known | read if {name: read.get(name) for name in about} == about else known
        if any(MEASURES[name].by_judge for name in names):
            judge = judging().sha256
            if known["judge"] != judge:
                kept = {name: value for name, value in known["values"].items() if not MEASURES[name].by_judge}
                known = known | {"judge": judge, "values": kept}
        new = names - known["values"].keys()
        if not new:
            return known
        run = self._run(record)
        loss = replaced(self.setup.settings, record.values, f"run {record.number}").optimization.loss
        values = measured(run, sorted(new), judging, loss)
        replaced_now = replaced_by_worst(run, sorted(new), judging, loss)
        shown = [_shown(name, value) for name, value in values.items()]
        say(f"run {record.number} ({describe(record.values)}): {', '.join(shown)}")
        found = {
            **about,
            "judge": known["judge"],
            "health": reasons(read_points(run), loss),
            "values": known["values"] | values,
            "replaced": known["replaced"] | replaced_now,
        }
        file.write_bytes(json.dumps(found, indent=1).encode())
        return found

    def options(self, number: int, made: Place, minutes: float | None, at_once: int, address: str) -> SweepOptions:
        """Of the sweep; `number` of its runs, `made` the folder of data that are made."""
        settings = self.setup.settings_at(str(made))
        settings = replace(settings, name=self.folder.place.name, storage=str(self.folder.place.parent))
        return SweepOptions(
            preset=self.setup.preset,
            trials=number,
            searcher="grid",
            scheduler="none",
            objective=OBJECTIVE,
            at_once=at_once,
            budget_minutes=minutes,
            resume=settings.name if self.folder.is_begun() else "",
            settings=_at(settings, address),
        )


class Experiments:
    """One call of the command."""

    def __init__(
        self, claims: Sequence[Claim], every: Sequence[Claim], scale: Scale, storage: str, address: str
    ) -> None:
        """See that it is possible; nothing is started.

        Args:
            claims: that are asked for. Where these are all, those whose data are not there are left out.
            every: claims of the scale. They are judged together also where some are asked for alone: else each could be
                asked for until chance gives it a verdict.
            scale: of them.

        Raises:
            SettingsError: a package is missing.
        """
        require_matplotlib()
        if any(claim.measure.startswith(KERNEL) for claim in claims):
            open_features(FEATURES, 32, "")  # raises where what it needs is not installed
        self._claims, self._every, self._scale, self._address = claims, every, scale, address
        self._left_out: list[str] = []
        self._place = place(storage) / "claims"
        self._judging: Judging | None = None

    def run(self, *, minutes: float | None, at_once: int, only_report: bool) -> int:
        """Train what is missing, measure, write the table; returns the status of the command."""
        status = 0
        if only_report and self._place.parent.is_file():
            raise SettingsError(
                f"--storage is {self._place.parent}, a file: give the folder that --storage named before"
            )
        if only_report and not (self._place / "runs").names():
            raise SettingsError(f"there are no runs of claims in {self._place}: train some, without --report")
        if not only_report:
            require_writable(self._place, "--storage")
            status = self._train(minutes, at_once)
        if status > STOPPED:  # whoever stops a command does not want to wait for what is measured
            print("stopped; the same command goes on, and with --report it shows what is there", flush=True)
            return status
        measures = self._measures()
        require_same_data(measures)
        every = [judged(claim, measures, len(self._every)) for claim in self._every]
        content = {
            "version": VERSION,
            "claims": [result.as_json() for result in every],
            "setups": [as_json(setup, found) for setup, found in measures.items()],
        }
        self._file("json").write_bytes(json.dumps(content, indent=1, allow_nan=False).encode())
        self._file("md").write_bytes(markdown(every).encode())
        figure = draw(every)
        if figure:
            self._file("png").write_bytes(figure)
        results = [result for result in every if result.claim in self._claims]
        print("\n".join(["", *lines(results), "", f"in full: {self._file('md')}"]), flush=True)
        results = [result for result in results if result.claim.name not in self._left_out]
        if self._left_out:
            print(f"left out, as said above: {', '.join(self._left_out)}", flush=True)
        lacking = {(setup, json.dumps(run, sort_keys=True)) for one in results for setup, run in one.lacking}
        if lacking:
            goes_on = "without --report they are trained" if only_report else "the same command goes on"
            print(f"{count(len(lacking), 'run')} of these claims not there yet: {goes_on}", flush=True)
        return status or (1 if lacking else 0)

    def _train(self, minutes: float | None, at_once: int) -> int:
        began = time.monotonic()
        claims = self._with_data()
        os.environ.update({name: os.environ.get(name, value) for name, value in TUNE_ENVIRONMENT.items()})
        for setup in _setups(claims):
            runs = Runs.below(self._place, setup)
            if runs.folder.is_begun():
                require_no_driver(runs.folder.place)
            new = runs.missing(_by_seed(claims, setup))
            if not (runs.take_up() or new):
                continue
            left = None if minutes is None else minutes - (time.monotonic() - began) / 60
            if left is not None and left <= 0:
                return 1
            listed = [*(record.values for record in runs.folder.records()), *new]
            print(f"{setup.name}: {count(len(listed), 'run')}, {len(new)} of them new", flush=True)
            if setup.made:
                make(self._place / MADE_DATA / FOLDER, self._say)
            options = runs.options(len(listed), self._place / MADE_DATA / FOLDER, left, at_once, self._address)
            set_environment(options.settings.workers.address, options.settings.workers.wait_s)
            sweep = ClaimSweep(options, listed)
            print(describe_connecting(self._address), flush=True)
            with connected(self._address, sweep.local_cpus):
                sweep.preflight()
                sweep.open_data()
                sweep.run()
            if sweep.stopped_by is not None:
                return STOPPED + sweep.stopped_by
            if sweep.over:
                return 1
            for record in runs.failed():
                complain(f"run {record.number} of {setup.name} failed, the next call tries it again: {record.reason}")
        return 0

    def _with_data(self) -> list[Claim]:
        """The claims whose data are there. What the others lack is said.

        Raises:
            SettingsError: no claim has its data, or one that is asked for by name has not.
        """
        lacking: dict[str, list[str]] = {}
        for claim in self._claims:
            if lack := _lacks(claim):
                lacking.setdefault(lack, []).append(claim.name)
        self._left_out = [name for names in lacking.values() for name in names]
        for lack, names in lacking.items():
            text = f"{', '.join(names)} cannot be tried: {lack}"
            if len(self._claims) < len(self._every) or len(self._left_out) == len(self._claims):
                raise SettingsError(text)
            print(f"left out: {text}", flush=True)
        return [claim for claim in self._claims if claim.name not in self._left_out]

    def _measures(self) -> dict[Setup, Measured]:
        """Of the runs of all claims of the scale, though only what those that were asked for need is measured now."""
        return {
            setup: Runs.below(self._place, setup).measures(self._claims, self._judge, self._say)
            for setup in _setups(self._every)
        }

    def _file(self, kind: str) -> Place:
        """Of the table of all claims of the scale."""
        return self._place / (f"claims.{kind}" if self._scale == "small" else f"claims-{self._scale}.{kind}")

    def _judge(self) -> Judging:
        if self._judging is None:
            self._judging = Judging.beside(self._place, self._say)
        return self._judging

    @staticmethod
    def _say(text: str) -> None:
        print(text, flush=True)


def _shown(name: str, value: float | None) -> str:
    if name == CONDEMNED:
        return "healthy" if value == 0 else "going wrong"
    return f"{name} {'failed' if value is None else f'{value:.3g}'}"


def as_json(setup: Setup, found: Measured) -> dict[str, Any]:
    """A setup with its settings, those of any folder, and its runs: `run` is what each has other than its setup."""
    return {"name": setup.name, "settings": asdict(setup.settings), "runs": [run for _, run in found]}


def _settings_in(folder: Place) -> Settings | None:
    """Those of runs that share a folder; None: it is none of ours, or they have settings that are none any more.

    Raises:
        DataError: the file is damaged. Its runs would be trained again.
    """
    file = folder / SETTINGS_FILE
    try:
        text = file.read_bytes().decode()
        yaml.safe_load(text)
    except MissingFile:
        return None
    except (UnicodeDecodeError, yaml.YAMLError) as error:
        raise DataError(f"{file} is damaged ({type(error).__name__}): restore it, or delete {folder}") from error
    try:
        return from_yaml(text, str(file))
    except SettingsError:
        return None


def _measures_in(file: Place) -> dict[str, Any]:
    """What was measured of a run before."""
    try:
        found: dict[str, Any] = json.loads(file.read_bytes())
        return dict(found)
    except (ValueError, TypeError) as error:
        raise DataError(f"{file} is damaged: delete it, and the run is measured again") from error


def _lacks(claim: Claim) -> str:
    """What is not there of the data that the runs of a claim, and what is measured of them, need; "" if all is."""
    try:
        for setup in claim.setups:
            path = setup.settings.data.path
            if not setup.made and path != EMBEDDED:
                find(path)
        if claim.measure == PROBE:
            open_probed(claim.setup.settings.networks.image_size)
        if claim.measure.startswith(KERNEL):
            held_out(claim.setup.settings)
    except DcganDistError as error:
        return str(error)
    return ""


def _setups(claims: Iterable[Claim]) -> list[Setup]:
    """Each once, in the order in which claims name them."""
    return list(dict.fromkeys(setup for claim in claims for setup in claim.setups))


def _by_seed(claims: Iterable[Claim], setup: Setup) -> list[Arm]:
    """The runs of claims that a setup has, those of the first seed first: a budget that ends early leaves pairs of all
    claims."""
    runs = [run for claim in claims for arm in _arms(claim, setup) for run in enumerate(arm)]
    return [run for _, run in sorted(runs, key=lambda run: run[0])]


def _arms(claim: Claim, setup: Setup) -> list[list[Arm]]:
    """The arms of a claim whose runs a setup has, each with all its runs."""
    return [runs for of, runs in zip(claim.setups, claim.runs(), strict=True) if of is setup]


def _at(settings: Settings, address: str) -> Settings:
    return replace(settings, workers=replace(settings.workers, address=address))
