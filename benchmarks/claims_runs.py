"""The runs of claims in files: what `tuning.claims` wrote, and an earlier report, made elsewhere perhaps; pure."""

import json
import math
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import yaml

from dcgan_dist.errors import DataError, SettingsError
from dcgan_dist.numerals import count
from dcgan_dist.settings import from_yaml
from tuning.claim_measures import MEASURES, VERSION
from tuning.claims import CLAIMS, Arm, Setup
from tuning.claims_table import CONDEMNED

Run = tuple[Arm, Mapping[str, Any]]
"""Its values, and what was measured of it (`tuning.claim_runs.Runs.measures`)."""


def setups() -> list[Setup]:
    """Of all claims, each once."""
    return list(dict.fromkeys(setup for claim in CLAIMS for setup in claim.setups))


def runs_in(content: Any, source: str) -> tuple[dict[Setup, list[Run]], list[str]]:
    """Of each setup of today its runs in a file, those that claims need; and, in words, what was not used.

    Args:
        content: with `version` and `setups`.
        source: name of the file, for the message.

    Raises:
        DataError: it holds something else.
    """
    found: dict[Setup, list[Run]] = {setup: [] for setup in setups()}
    unused = []
    try:
        if content["version"] != VERSION:
            told = f"was measured in way {content['version']}, today's is {VERSION}"
            return found, [f"{source} {told}: none of its runs are used"]
        for entry in _listed(content["setups"]):
            runs = [_whole(run) for run in _listed(entry["runs"])]
            setup = _setup_of(entry["settings"])
            if setup is None:
                unused.append(f"{source}: {count(len(runs), 'run')} of {entry['name']} not used, having other settings")
                continue
            wanted = _wanted(setup)
            found[setup] += [run for run in runs if run[0] in wanted]
    except (KeyError, TypeError, AttributeError, ValueError, OverflowError) as error:
        report = isinstance(content, dict) and "samples" in content
        told = "is a report: give it to --keep" if report else "does not hold runs of claims"
        raise DataError(f"{source} {told}") from error
    return found, unused


def in_order(runs: Iterable[Run]) -> list[Run]:
    """The runs of a setup, the newest first, without those that tell nothing which a newer one does not.

    Claims take the first of several that are the same run, so that whatever is judged, written and read again has this
    order.
    """

    def place(run: Run) -> tuple[float, str]:
        return -(run[1]["started"] or 0.0), json.dumps(run, sort_keys=True)

    kept: list[Run] = []
    for run in sorted(runs, key=place):
        if not any(_tells(one, run) for one in kept):
            kept.append(run)
    return kept


def missing(before: Mapping[Setup, Sequence[Run]], now: Mapping[Setup, Sequence[Run]]) -> int:
    """How many runs of before are not told of now."""
    return sum(not any(_tells(one, run) for one in now[setup]) for setup, runs in before.items() for run in runs)


def _tells(one: Run, other: Run) -> bool:
    """Whether a run tells all that another one does."""
    (values, found), (other_values, other_found) = one, other
    names = other_found["values"].keys()
    judged = any(MEASURES[name].by_judge for name in names)
    same = values == other_values and (not judged or other_found["judge"] == found["judge"])
    return same and names <= found["values"].keys()


def _listed(content: Any) -> list[Any]:
    if not isinstance(content, list):
        raise TypeError(content)
    return content


def _whole(run: Any) -> Run:
    """A run, if it has all parts; raises `KeyError`, `TypeError` or `ValueError` where it has not."""
    if run["version"] != VERSION:
        raise ValueError(run["version"])
    for name, kinds in (("judge", str), ("date", str), ("data_sha256", str | None), ("started", float | int | None)):
        if not isinstance(run[name], kinds):
            raise TypeError(name)
    numbers = [
        run["seconds"],
        *run["replaced"].values(),
        *(value for value in run["values"].values() if value is not None),
    ]
    if not all(isinstance(value, float | int) and math.isfinite(value) for value in numbers):
        raise ValueError(numbers)
    if run["values"].keys() - MEASURES.keys() or (run["values"] and CONDEMNED not in run["values"]):
        raise KeyError(CONDEMNED)
    if not isinstance(run["run"].get("seed"), int):
        raise TypeError("seed")
    return run["run"], run


def _wanted(setup: Setup) -> list[Arm]:
    """The runs of a setup that claims need."""
    return [
        run
        for claim in CLAIMS
        for of, runs in zip(claim.setups, claim.runs(), strict=True)
        if of is setup
        for run in runs
    ]


def _setup_of(settings: Mapping[str, Any]) -> Setup | None:
    """The one that has these settings, where what was no setting then counts as what it is by default."""
    if not isinstance(settings, dict):
        raise TypeError(settings)
    try:
        found = from_yaml(yaml.safe_dump(settings), "settings")
    except SettingsError:  # one of them is none any more
        return None
    return next((setup for setup in setups() if setup.settings == found), None)
