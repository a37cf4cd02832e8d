"""The runs of claims in files: what `tuning.claims` wrote, and an earlier report, made elsewhere perhaps; pure."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import yaml

from benchmarks.report import Report
from dcgan_dist.errors import DataError, SettingsError
from dcgan_dist.numerals import count
from dcgan_dist.settings import from_yaml
from tuning.claim_measures import VERSION
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
        for entry in content["setups"]:
            runs = [(run["run"], _whole(run)) for run in entry["runs"]]
            setup = _setup_of(entry["settings"])
            if setup is None:
                unused.append(f"{source}: {count(len(runs), 'run')} of {entry['name']} not used, having other settings")
                continue
            wanted = _wanted(setup)
            found[setup] += [run for run in runs if run[0] in wanted]
    except (KeyError, TypeError, AttributeError) as error:
        report = isinstance(content, dict) and "samples" in content
        told = "is a report: give it to --keep" if report else "does not hold runs of claims"
        raise DataError(f"{source} {told}") from error
    return found, unused


def together(now: Sequence[Run], before: Iterable[Run], source: str) -> list[Run]:
    """The runs of a setup in two files: those of before come last, without the ones that tell nothing more.

    Raises:
        DataError: they were not trained on the same data; names `source`.
    """
    data = {run["data_sha256"] for _, run in [*now, *before] if run["data_sha256"]}
    if len(data) > 1:
        raise DataError(f"runs of {source} were not all trained on the same data, so that they cannot be compared")
    return [*now, *(run for run in before if not any(_tells(one, run) for one in now))]


def _tells(one: Run, other: Run) -> bool:
    """Whether a run tells all that another one does."""
    (values, found), (other_values, other_found) = one, other
    same = values == other_values and other_found["judge"] in ("", found["judge"])
    return same and other_found["values"].keys() <= found["values"].keys()


def lost(before: Any, report: Report) -> list[str]:
    """Claims that have a verdict in a report that was written before, and none in this one."""
    try:
        had = [claim["name"] for claim in before["samples"]["claims"] if claim["verdict"]]
    except (KeyError, TypeError):  # it is no report on claims
        return []
    claims: Any = report.samples["claims"]
    return [name for name in had if name not in {claim["name"] for claim in claims if claim["verdict"]}]


def _whole(run: Any) -> Mapping[str, Any]:
    """What was measured of a run; raises `KeyError` where a part is missing."""
    lacking = [name for name in ("replaced", "judge", "date", "seconds", "data_sha256") if name not in run]
    if lacking or (run["values"] and CONDEMNED not in run["values"]):
        raise KeyError(lacking or CONDEMNED)
    whole: Mapping[str, Any] = run
    return whole


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
