"""A sweep, read from the files that it leaves: its trials, its figures, and the best of its runs side by side.

Nothing of `tuning` is imported: the package knows nothing of sweeps but the files that docs/sweeps.md describes.
"""

import csv
import io
import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from dcgan_dist.cli.invocation import command_line
from dcgan_dist.errors import CheckpointError, DcganDistError
from dcgan_dist.reporting.comparison import Comparison, comparison
from dcgan_dist.reporting.facts import Fact, count_of
from dcgan_dist.reporting.pictures import Shot, read_shot
from dcgan_dist.reporting.run_files import RunFiles, read_run
from dcgan_dist.storage import MissingFile, Place, place

SWEEP_FILE, RESULTS_FILE = "sweep.json", "results.csv"
BEST, MOST_TRIALS, MOST_FIGURES = 4, 60, 6
"""Trials that are shown side by side; trials in the table; figures."""
FIGURE_RANK = 5
_AFTER_VALUES = "objective"
"""Column of the results behind those of the settings that are searched."""


@dataclass(frozen=True)
class Trial:
    """A trial.

    Attributes:
        number: of it.
        run: name of its newest run; "" where results do not say it.
        state: how it ended.
        values: of the settings that are searched, for people.
        objective: what it is compared by; None where there is none.
        images: that it was trained for.
        rank: 1 is the best; None where it has none.
        reason: why it did not finish.
    """

    number: int
    run: str
    state: str
    values: Mapping[str, str]
    objective: Fact | None
    images: str
    rank: int | None
    reason: str


@dataclass(frozen=True)
class SweepReport:
    """All that a page says of a sweep.

    Attributes:
        name, place: of the sweep.
        facts: what was searched, and how.
        trials: best first.
        left_out: trials that are not here.
        figures: that the sweep drew.
        best: the best of its runs side by side; None where none has begun.
        notes: what cannot be shown.
    """

    name: str
    place: Place
    facts: Sequence[Fact]
    trials: Sequence[Trial]
    left_out: int
    figures: Sequence[Shot]
    best: Comparison | None
    notes: Sequence[str]

    @property
    def searched(self) -> list[str]:
        """Names of the settings that are searched."""
        return list(dict.fromkeys(name for trial in self.trials for name in trial.values))

    @property
    def shots(self) -> list[Shot]:
        """All pictures."""
        return [*self.figures, *(self.best.shots if self.best else ())]


def find_sweep(text: str, storage: str) -> Place | None:
    """The folder of the sweep that a text means, by name in the storage or by folder; None where it means none."""
    bare = text.strip().rstrip("/")
    if not bare:
        return None
    wheres = [place(bare)] if "/" in bare or bare.startswith(("~", "$", ".")) else [place(storage) / bare, place(bare)]
    return next((where for where in wheres if (where / SWEEP_FILE).is_file()), None)


def read_sweep(folder: Place, now: float, price: float = 0.0) -> SweepReport:
    """The report of a sweep.

    Raises:
        CheckpointError: its record is damaged.
    """
    try:
        plan = json.loads((folder / SWEEP_FILE).read_bytes())
        if not isinstance(plan, dict):
            raise ValueError("it is no JSON object")
    except ValueError as error:
        raise CheckpointError(f"{folder / SWEEP_FILE} is damaged ({error}): restore an intact copy") from error
    notes: list[str] = []
    states = _states(folder, notes)
    try:
        trials = from_results((folder / RESULTS_FILE).read_bytes().decode(), states)
    except (MissingFile, ValueError, KeyError) as error:
        written = "is not there yet" if isinstance(error, MissingFile) else "cannot be read"
        again = command_line("sweep", "--report", str(folder))
        notes.append(f"{RESULTS_FILE} {written}, so that trials are not ranked: it is written by {again}")
        trials = from_records(states)
    figures: list[Shot] = []
    drawn = [name for name in (folder / "figures").names() if name.endswith(".png")]
    for number, name in enumerate(drawn[:MOST_FIGURES]):
        file = f"figures/{name}"
        shot = read_shot(folder / file, file, f"trials of {folder.name}: {name}", FIGURE_RANK + number)
        if isinstance(shot, str):
            notes.append(shot)
        else:
            figures.append(shot)
    if left := len(drawn) - MOST_FIGURES:
        notes += [f"figures/ holds {left} more figures"] * (left > 0)
    best = [run for trial in trials[:BEST] if trial.run and (run := _run(folder, trial.run, notes)) is not None]
    ended = sum(trial.state not in ("running", "unfinished") for trial in trials)
    facts = [
        *(
            Fact(name.replace("_", " ").capitalize(), text, text, SWEEP_FILE, name)
            for name in ("search", "objective", "searcher", "scheduler")
            if (text := _joined(plan.get(name)))
        ),
        count_of("Trials", len(trials), "records/*.json", "number"),
        count_of("Trials that have ended", ended, "records/*.json", "state"),
    ]
    return SweepReport(
        folder.name,
        folder,
        facts,
        trials[:MOST_TRIALS],
        max(0, len(trials) - MOST_TRIALS),
        figures,
        comparison(best, now, price) if best else None,
        notes,
    )


def _states(folder: Place, notes: list[str]) -> dict[int, Mapping[str, Any]]:
    """Records of the trials by number."""
    found = {}
    for name in (folder / "records").names():
        if not (match := re.fullmatch(r"(\d+)\.json", name)):
            continue
        try:
            content = json.loads((folder / "records" / name).read_bytes())
            if not isinstance(content["values"], dict):
                raise ValueError("it has no values")
            found[int(match[1])] = content
        except (MissingFile, ValueError, KeyError, TypeError):
            notes.append(f"records/{name} is not whole: it is left out")
    return found


def from_results(text: str, states: Mapping[int, Mapping[str, Any]]) -> list[Trial]:
    """Trials from `results.csv`, best first; those that have begun since are behind them.

    Raises:
        KeyError, ValueError: it lacks a column, or a number is none.
    """
    rows = list(csv.DictReader(io.StringIO(text)))
    columns = list(rows[0]) if rows else []
    searched = columns[columns.index("state") + 1 : columns.index(_AFTER_VALUES)] if rows else []
    trials = []
    for line, row in enumerate(rows, start=2):
        number = int(row["trial"])
        objective = None
        if row["objective"]:
            value = float(row["objective"])
            low, high = (float(row[name]) if row[name] else None for name in ("low", "high"))
            interval = f" ({low:.4g} to {high:.4g})" if low is not None and high is not None else ""
            at = f"at {int(row['compared_images']):,} images"
            objective = Fact(
                f"Objective of trial {number}", value, f"{value:.4g}{interval}", RESULTS_FILE,
                f"line {line}, objective", low, high, at,
            )  # fmt: skip
        trials.append(
            Trial(
                number,
                row["run"],
                str(states.get(number, row).get("state", row["state"])),
                {name: _short(row[name]) for name in searched},
                objective,
                f"{int(row['images']):,}",
                int(row["rank"]) if row["rank"] else None,
                row["reason"],
            )
        )
    known = {trial.number for trial in trials}
    trials += from_records({number: one for number, one in states.items() if number not in known})
    return sorted(trials, key=lambda trial: (trial.rank is None, trial.rank or 0, trial.number))


def from_records(states: Mapping[int, Mapping[str, Any]]) -> list[Trial]:
    """Trials from their records alone, which know no objective; the name of a run is that of its first attempt."""
    return [
        Trial(
            number,
            f"{number:03d}",
            str(one.get("state", "")),
            {str(name): _short(str(value)) for name, value in one["values"].items()},
            None,
            "",
            None,
            str(one.get("reason", "")),
        )
        for number, one in sorted(states.items())
    ]


def _short(value: str) -> str:
    """A value that was searched, with four digits: more of them say nothing, and the file has them."""
    try:
        return f"{float(value):.4g}" if "." in value or "e" in value else value
    except ValueError:
        return value


def _run(folder: Place, name: str, notes: list[str]) -> RunFiles | None:
    if "/" in name or name in ("", ".", ".."):
        return None
    try:
        return read_run(folder / "trials" / name)
    except DcganDistError as error:
        notes.append(str(error))
        return None


def _joined(value: object) -> str:
    return ", ".join(map(str, value)) if isinstance(value, list | tuple) else "" if value is None else str(value)
