"""The table of claims: each with its effect and verdict, from what was measured of its runs; pure."""

import statistics
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from dcgan_dist.errors import DataError
from dcgan_dist.numerals import count
from tuning.claim_measures import MEASURES
from tuning.claims import Arm, Claim, Setup
from tuning.space import describe
from tuning.verdicts import Effect, Verdict, effect, redrawn, verdict

CONDEMNED = "condemned"
"""A measure that the table shows of every run."""
Measured = Sequence[tuple[Arm, Mapping[str, Any]]]
"""Of each run, its values and what was measured: `values` by name of the measure, and the `judge` that saw them. A run
may be there more than once, seen by several judges: the first one that has what is wanted counts."""


@dataclass(frozen=True)
class Judged:
    """A claim and what was found.

    Attributes:
        claim: itself.
        ours: what was measured of each run of our arm that is there; None: the run has failed.
        others: the same of the other arm.
        condemned: how many runs of each arm the health rule found going wrong, or failed.
        effect: of the runs that are there; None: one arm has none.
        lacking: runs that are not there, each with the name of its setup.
        judge: that saw the values of all runs, where the measure is what a judge sees.
        claims: that are judged together.
    """

    claim: Claim
    ours: Sequence[float | None]
    others: Sequence[float | None]
    condemned: tuple[int, int]
    effect: Effect | None
    lacking: Sequence[tuple[str, Arm]]
    judge: str
    claims: int

    @property
    def verdict(self) -> Verdict | None:
        """None: runs are lacking. A look at some of them that one may stop at would be a second chance."""
        return None if self.effect is None or self.lacking else verdict(self.effect)

    def redraws(self, claims: int) -> dict[str, int] | None:
        """Where the arms are equal: in how many of all ways to part their runs into two there would be a verdict, if so
        many claims were judged together; None for other claims, and before all runs are there."""
        if self.claim.arms_differ or self.effect is None or self.lacking:
            return None
        measure = MEASURES[self.claim.measure]
        values = [*self.ours, *self.others]
        told, ways = redrawn(values, len(self.ours), measure.better, measure.worst, claims)
        return {"verdicts": told, "ways": ways}

    def as_json(self) -> dict[str, Any]:
        """All of it."""
        found = self.effect
        return {
            **declared(self.claim),
            "judge": self.judge,
            "measured": {"ours": list(self.ours), "other": list(self.others)},
            "condemned": {"ours": self.condemned[0], "other": self.condemned[1]},
            "effect": None if found is None else vars(found),
            "runs": {"ours": len(self.ours), "other": len(self.others)},
            "verdict": self.verdict,
            "redraws": {"alone": self.redraws(1), "together": self.redraws(self.claims)},
        }


def declared(claim: Claim) -> dict[str, Any]:
    """What a claim says, and how it is put to the test."""
    return {
        "name": claim.name,
        "said": claim.said,
        "source": claim.source,
        "setup": claim.setup.name,
        "preset": claim.setup.preset,
        "changes": dict(claim.setup.changes),
        "against": None if claim.against is None else {"setup": claim.against.name, **claim.against.changes},
        "ours": dict(claim.ours),
        "other": dict(claim.other),
        "measure": claim.measure,
        "better": MEASURES[claim.measure].better,
    }


def judged(claim: Claim, measured: Mapping[Setup, Measured], claims: int) -> Judged:
    """Judge a claim.

    Args:
        measured: of all runs of its setups. One that was measured by something else only is as one that is not there.
        claims: that are judged together.
    """
    arms = list(zip(claim.setups, claim.runs(), strict=True))
    judge = _judge(claim, measured)
    found = [[found_of(run, measured[setup], claim.measure, judge) for run in runs] for setup, runs in arms]
    lacking = [
        (setup.name, run)
        for (setup, runs), there in zip(arms, found, strict=True)
        for run, one in zip(runs, there, strict=True)
        if one is None
    ]
    there = [[one["values"] for one in arm if one is not None] for arm in found]
    ours, others = ([values[claim.measure] for values in arm] for arm in there)
    wrong_ours, wrong_others = (sum(values[CONDEMNED] in (1.0, None) for values in arm) for arm in there)
    measure = MEASURES[claim.measure]
    by = effect(ours, others, measure.better, measure.worst, claims) if ours and others else None
    return Judged(claim, ours, others, (wrong_ours, wrong_others), by, lacking, judge or "", claims)


def _judge(claim: Claim, measured: Mapping[Setup, Measured]) -> str | None:
    """The judge that has seen most runs of a claim: only its values can be compared. None: it is no matter of one."""
    if not MEASURES[claim.measure].by_judge:
        return None
    # A run that is there twice is one run; where judges have seen as many, the first one counts.
    seen = Counter(
        judge
        for setup, runs in zip(claim.setups, claim.runs(), strict=True)
        for run in runs
        for judge in dict.fromkeys(
            found["judge"] for values, found in measured[setup] if values == run and claim.measure in found["values"]
        )
    )
    return max(seen, key=lambda judge: seen[judge], default="")


def require_same_data(measured: Mapping[Setup, Measured]) -> None:
    """A path may lead to other data today, or on another machine: their difference would count as that of arms.

    Raises:
        DataError: runs of setups that name the same data were trained on different ones.
    """
    known: dict[str, dict[str, str]] = {}
    for setup, runs in measured.items():
        settings = setup.settings
        of_data = known.setdefault(repr((settings.data, settings.networks.image_size)), {})
        for _, found in runs:
            if found["data_sha256"]:
                of_data.setdefault(found["data_sha256"], setup.name)
    for of_data in known.values():
        if len(of_data) > 1:
            names = " and ".join(dict.fromkeys(of_data.values()))
            raise DataError(f"not all runs of {names} were trained on the same data, so that they cannot be compared")


def found_of(run: Arm, measured: Measured, measure: str, judge: str | None) -> Mapping[str, Any] | None:
    """What was measured of a run, by a judge if there is one; None: not this measure."""
    fit = (found for values, found in measured if values == run and measure in found["values"])
    return next((found for found in fit if judge is None or found["judge"] == judge), None)


COLUMNS = (
    "name",
    "claim",
    "source",
    "on",
    "arm",
    "other arm",
    "measure",
    "of the arm",
    "of the other",
    "effect",
    "going wrong",
    "verdict",
)


def rows(results: Sequence[Judged]) -> list[list[str]]:
    """Of the table, as `COLUMNS` say."""
    return [
        [
            one.claim.name,
            one.claim.said,
            one.claim.source,
            one.claim.setup.name,
            *arms(one.claim),
            one.claim.measure,
            _median(one.ours),
            _median(one.others),
            "" if one.effect is None else _interval(one.effect),
            f"{one.condemned[0]} of {len(one.ours)} and {one.condemned[1]} of {len(one.others)}",
            one.verdict or _until_now(one),
        ]
        for one in results
    ]


def _until_now(one: Judged) -> str:
    wanted = sum(map(len, one.claim.runs()))
    return f"{wanted - len(one.lacking)} of {count(wanted, 'run')} so far"


def lines(results: Sequence[Judged]) -> list[str]:
    """The table in short, for a terminal."""
    cells = [
        ("claim", "measure", "of the arm", "of the other", "effect", "verdict"),
        *((cells[0], f"{cells[6]} ({better(cells[6])} is better)", *cells[7:10], cells[11]) for cells in rows(results)),
    ]
    widths = [max(map(len, column)) for column in zip(*cells, strict=True)]
    return ["  ".join(f"{cell:{width}}" for cell, width in zip(row, widths, strict=True)).rstrip() for row in cells]


def markdown(results: Sequence[Judged]) -> str:
    """The table with a line for each measure in it."""
    lines = [COLUMNS, ["---"] * len(COLUMNS), *rows(results)]
    measures = dict.fromkeys(one.claim.measure for one in results)
    table = "\n".join(f"| {' | '.join(cells)} |" for cells in lines)
    words = "\n".join(f"- `{name}`: {MEASURES[name].what}; {better(name)} is better" for name in measures)
    return f"{table}\n\n{words}\n"


def better(measure: str) -> str:
    """Of a measure: `less` or `more`."""
    return "less" if MEASURES[measure].better == "min" else "more"


def arms(claim: Claim) -> tuple[str, str]:
    """Both arms of a claim in words."""
    if not claim.arms_differ:
        return _arm(claim.ours), "other seeds"
    if claim.against is None:
        return _arm(claim.ours), _arm(claim.other)
    return _arm(claim.ours), ", ".join([claim.against.name, *([describe(claim.other)] if claim.other else [])])


def _arm(arm: Arm) -> str:
    return describe(arm) or "as the setup"


def _median(values: Sequence[float | None]) -> str:
    known = [value for value in values if value is not None]
    failed = len(values) - len(known)
    shown = f"{statistics.median(known):.3g}" if known else ""
    return ", ".join(part for part in (shown, f"{failed} failed" if failed else "") if part)


def _interval(found: Effect) -> str:
    bounds = "" if found.low is None else f" ({found.low:+.3g} to {found.high:+.3g})"
    return f"{found.size:+.3g}{bounds}"
