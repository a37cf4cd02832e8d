"""What it costs in quality to send less between workers: runs of each way beside runs in float32.

python -m benchmarks.exchanges --storage runs --json benchmarks/results/exchanges.json
python -m benchmarks.exchanges --storage runs --minutes 60      (goes on where it was ended)

The runs are those of claims (`tuning/claim_runs.py`), on drawn rooms and on CIFAR-10, with two workers and with four.
Steps that exchange gradients in float32 give the same numbers for any number of workers, but for rounding, so that
their runs have one worker. A way keeps the quality where the mean of its runs lies within the interval in which that of
as many runs in float32 lies with a probability of 95 %.
"""

import json
import math
import statistics
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from benchmarks.report import Bar, Cell, Report, Table, parser, publish
from dcgan_dist.errors import DcganDistError, SettingsError, complain
from dcgan_dist.storage import place
from tuning.claim_measures import MEASURES
from tuning.claims import MORE_SEEDS, PHOTOS, ROOMS, SEEDS, Arm, Claim, Setup

WORKERS = (2, 4)
EVERY = (4, 16, 64)
WAYS: Mapping[str, Arm] = {
    "gradients bf16": {"workers.gradients": "bf16"},
    "gradients powersgd": {"workers.gradients": "powersgd"},
    **{f"weights every {k} steps": {"workers.exchange_steps": k} for k in EVERY},
}
OWN_SEEDS = SEEDS[:3]
"""Of the runs of each way."""
CONFIDENCE = 0.95
MEASURED = {ROOMS: ("rooms", "attributes"), PHOTOS: ("kernel", "probe")}
"""By which ways are compared, on either data set."""


@dataclass(frozen=True)
class Interval:
    """In which the mean of some further runs lies."""

    low: float
    high: float

    def holds(self, value: float) -> bool:
        """Whether a mean is in it."""
        return self.low <= value <= self.high


def setups() -> dict[Setup, dict[int, Setup]]:
    """Of each data set the setups by number of workers."""
    return {
        setup: {
            number: Setup(f"{setup.name}, {number} workers", setup.preset, {**setup.changes, "workers.number": number})
            for number in WORKERS
        }
        for setup in MEASURED
    }


def experiments() -> list[Claim]:
    """A claim for each way, number of workers, data set and measure: its runs beside all in float32."""
    more = (*SEEDS[len(OWN_SEEDS) :], *MORE_SEEDS)
    return [
        Claim(
            f"{way} {number} {measure}".replace(" ", "-"),
            f"{way} cost nothing",
            "no one",
            setup,
            arm,
            {},
            measure,
            seeds=OWN_SEEDS,
            more=more,
            against=base,
        )
        for base, by_number in setups().items()
        for number, setup in by_number.items()
        for way, arm in WAYS.items()
        for measure in MEASURED[base]
    ]


def interval(values: Sequence[float], further: int) -> Interval:
    """In which the mean of so many further runs lies, if they are of the same normal distribution as these.

    Args:
        values: of at least two runs.

    Raises:
        SettingsError: SciPy is not installed.
    """
    try:
        from scipy.stats import t  # an extra
    except ImportError as error:
        raise SettingsError("intervals need SciPy: pip install 'dcgan-dist[sweep]'") from error
    spread = statistics.stdev(values) * math.sqrt(1 / len(values) + 1 / further)
    half = float(t.ppf((1 + CONFIDENCE) / 2, len(values) - 1)) * spread
    mean = statistics.fmean(values)
    return Interval(mean - half, mean + half)


def report(found: Sequence[Mapping[str, Any]]) -> Report:
    """The table; `found`: entries of claims.json, of those of `experiments` that have all their runs."""
    named = {claim.name: claim for claim in experiments()}
    rows: list[list[Cell]] = []
    bars = []
    for entry in found:
        claim = named[entry["name"]]
        measure = MEASURES[claim.measure]
        ours, others = (
            [measure.worst if value is None else value for value in entry["measured"][arm]] for arm in ("ours", "other")
        )
        wanted, mean = interval(others, len(ours)), statistics.fmean(ours)
        best = measure.better == "max"
        told = "as in float32" if wanted.holds(mean) else "better" if (mean > wanted.high) == best else "worse"
        (way,) = [way for way, arm in WAYS.items() if arm == claim.ours]
        workers = claim.setup.changes["workers.number"]
        between = f"{wanted.low:.3g} to {wanted.high:.3g}"
        wrong = f"{entry['condemned']['ours']} of {len(ours)}"
        setup = claim.setups[1].name
        rows.append([setup, str(workers), way, claim.measure, mean, statistics.fmean(others), between, wrong, told])
        # A way may be better, so that only one end of the interval is a bar.
        least, most = (wanted.low, None) if best else (None, wanted.high)
        bars.append(Bar(f"{setup}, {workers} workers, {way}: {claim.measure}", mean, least, most))
    columns = ["on", "workers", "way", "measure", "mean", "in float32", "interval", "going wrong", "so"]
    return Report(
        command="python -m benchmarks.exchanges --storage runs --json benchmarks/results/exchanges.json",
        tables={"exchanges": Table(columns, rows)},
        samples={"claims": [dict(entry) for entry in found]},
        bars=bars,
    )


def main(arguments: Sequence[str] | None = None) -> int:
    """The command: 0, 1 where runs are not there yet, 2 for wrong input."""
    options = parser("What it costs in quality to send less between workers.")
    options.add_argument("--storage", default="runs", help="where runs are stored: a folder, or an object store")
    options.add_argument("--minutes", type=float, help="stop training after this time, with checkpoints")
    options.add_argument("--report", action="store_true", help="train nothing")
    given = options.parse_args(arguments)
    from tuning.claim_runs import Experiments  # imports Ray once its environment is set

    try:
        claims = experiments()
        running = Experiments(claims, claims, "small", f"{given.storage}/exchanges", "")
        status = running.run(minutes=given.minutes, at_once=0, only_report=given.report)
    except DcganDistError as error:
        complain(error)
        return 2
    written = json.loads((place(given.storage) / "exchanges" / "claims" / "claims.json").read_bytes())
    whole = [entry for entry in written["claims"] if entry["verdict"]]
    publish(report(whole), given.json)
    return status


if __name__ == "__main__":
    sys.exit(main())
