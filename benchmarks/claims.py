"""What came of the claims, as the tables of docs/claims.md:

python -m tuning.claims
python -m benchmarks.claims runs/claims/claims.json --keep benchmarks/results/claims.json
--json benchmarks/results/claims.json --figure docs/images/claims.png

With `--keep REPORT`, a report that an earlier call has written, runs that are not in FILE are those of then: they may
have been made on another machine. All claims are judged here, by today's rule.
"""

import json
import math
import statistics
import sys
from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

from benchmarks.claims_elsewhere import ELSEWHERE, Elsewhere, Found, elsewhere
from benchmarks.claims_runs import Run, in_order, missing, runs_in
from benchmarks.report import Bar, Cell, Report, Table, finish, parser
from dcgan_dist.errors import DataError
from dcgan_dist.numerals import count
from tuning.claim_measures import MEASURES, VERSION
from tuning.claim_runs import as_json
from tuning.claims import CLAIMS, Setup
from tuning.claims_figure import draw
from tuning.claims_table import COLUMNS, Judged, arms, better, found_of, judged, require_same_data, rows
from tuning.extras import require_matplotlib

RESULTS = Path(__file__).parent / "results"
PNG = b"\x89PNG"
AT_ONCE = 2
"""Runs on two cores, each with one thread."""
MOST_HOURS = 8.0
"""Of two cores, for the runs of all claims."""


def judge_all(runs: Mapping[Setup, Sequence[Run]]) -> list[Judged]:
    """All claims, by these runs."""
    return [judged(claim, runs, len(CLAIMS)) for claim in CLAIMS]


def report(runs: Mapping[Setup, Sequence[Run]], reports: Mapping[str, Found]) -> Report:
    """The tables.

    Args:
        runs: of each setup.
        reports: other reports, by name.

    Raises:
        DataError: another report lacks something.
    """
    results = judge_all(runs)
    costs = [_cost(setup, of) for setup, of in runs.items() if of]
    hours = math.fsum(float(cost[3]) for cost in costs)
    used = dict.fromkeys(result.claim.measure for result in results)
    of_both = len(CLAIMS) + len(ELSEWHERE)
    return Report(
        command="python -m tuning.claims; python -m benchmarks.claims runs/claims/claims.json "
        "--keep benchmarks/results/claims.json --json benchmarks/results/claims.json --figure docs/images/claims.png",
        tables={
            "claims": Table(COLUMNS, rows(results)),
            "claims-replaced": Table(
                ["claim", "arm", "measure", "replaced", "measured", "verdict by these"],
                [row for result in results for row in _replaced(result, runs)],
            ),
            "claims-cost": Table(["on", "runs", "seconds a run", "hours of two cores", "trained"], costs),
            "claim-measures": Table(
                ["measure", "what", "better", "of a failed run"],
                [[name, MEASURES[name].what, better(name), MEASURES[name].worst] for name in used],
            ),
            "claims-elsewhere": Table(
                ["claim", "source", "arm", "other arm", "pairs", "of the arm", "of the other", "effect", "verdict"],
                [_elsewhere(claim, reports, of_both) for claim in ELSEWHERE],
            ),
            "claims-redraws": Table(
                ["measure", "ways", "verdicts at 95 %", "verdicts as one of all claims"],
                [row for result in results for row in _redraws(result)],
            ),
        },
        rates={"hours_of_two_cores": hours},
        samples={
            "version": VERSION,
            "claims": [result.as_json() for result in results],
            "setups": [as_json(setup, of) for setup, of in runs.items() if of],
        },
        bars=[Bar("hours of two cores for the runs of all claims", hours, at_most=MOST_HOURS)]
        if all(result.verdict for result in results)
        else [],
    )


def _elsewhere(claim: Elsewhere, reports: Mapping[str, Found], of_both: int) -> list[Cell]:
    try:
        return elsewhere(claim, reports, of_both)
    except (KeyError, TypeError, IndexError, ValueError) as error:
        raise DataError(f"studies.json or probes.json lacks what the claim needs that {claim.said}") from error


def _replaced(result: Judged, runs: Mapping[Setup, Sequence[Run]]) -> list[list[Cell]]:
    """A row for each arm whose runs have the worst value in place of what was measured, since G no longer learns: with
    the latter, and the verdict that it would give."""
    claim = result.claim
    by_these = judged(claim, {setup: [_as_measured(run) for run in runs[setup]] for setup in claim.setups}, len(CLAIMS))
    rows: list[list[Cell]] = []
    for arm, setup, wanted in zip(arms(claim), claim.setups, claim.runs(), strict=True):
        used = [found_of(run, runs[setup], claim.measure, result.judge or None) for run in wanted]
        found = [one["replaced"][claim.measure] for one in used if one is not None and claim.measure in one["replaced"]]
        if found:
            spread = f"{statistics.median(found):.3g} ({min(found):.3g} to {max(found):.3g})"
            told = by_these.verdict or "not all runs so far"
            rows.append([claim.name, arm, claim.measure, f"{len(found)} of {len(wanted)}", spread, told])
    return rows


def _as_measured(run: Run) -> Run:
    values, found = run
    return values, {**found, "values": {**found["values"], **found["replaced"]}}


def _cost(setup: Setup, runs: Sequence[Run]) -> list[Cell]:
    """What the runs of a setup took, each once."""
    once: list[Run] = []
    for run in runs:
        if run[0] not in [values for values, _ in once]:
            once.append(run)
    seconds = [float(run["seconds"]) for _, run in once]
    dates = sorted({str(run["date"]) for _, run in once})
    trained = " to ".join(dict.fromkeys([dates[0], dates[-1]]))
    return [setup.name, len(once), statistics.fmean(seconds), math.fsum(seconds) / AT_ONCE / 3600, trained]


def _redraws(result: Judged) -> list[list[Cell]]:
    """Of a claim whose arms are equal."""
    alone, of_all = result.redraws(1), result.redraws(result.claims)
    if alone is None or of_all is None:
        return []
    return [[result.claim.measure, alone["ways"], alone["verdicts"], of_all["verdicts"]]]


def main(arguments: Sequence[str] | None = None) -> int:
    """The command: 0, 2 where a file is not what it has to be, or a verdict would be lost."""
    options = parser("The claims and their verdicts, as tables.")
    options.add_argument("found", type=Path, metavar="FILE", help="claims.json, as tuning.claims wrote it")
    options.add_argument(
        "--keep", type=Path, metavar="REPORT", help="use the runs of this earlier report that FILE does not hold"
    )
    options.add_argument(
        "--figure", type=Path, metavar="PNG", help="draw the claims whose runs are all there, as a PNG"
    )
    given = options.parse_args(arguments)
    return finish(partial(_made, given.found, given.keep, given.figure, given.json), given.json)


WRITTEN_BY_CLAIMS = "give claims.json of STORAGE/claims, as tuning.claims wrote it"
A_REPORT = "give a report that this command has written by --json"


def _made(file: Path, keep: Path | None, figure: Path | None, written: Path | None) -> Report:
    _require_apart(file, keep, figure, written)
    reports = {name: _content(RESULTS / f"{name}.json", A_REPORT) for name in ("studies", "probes")}
    now, unused = runs_in(_content(file, WRITTEN_BY_CLAIMS), str(file))
    before: Mapping[Setup, Sequence[Run]] = {}
    if keep is not None:
        before, unused_too = runs_in(_samples(keep), str(keep))
        unused += unused_too
    for told in unused:
        print(told, file=sys.stderr)
    runs = {setup: in_order([*of, *before.get(setup, ())]) for setup, of in now.items()}
    require_same_data(runs)
    made = report(runs, reports)
    if written is not None and written.exists():
        _require_nothing_lost(written, runs, made)
    if figure is not None:
        drawn = draw([result for result in judge_all(runs) if result.verdict])
        if not drawn:
            raise DataError(f"no claim has all of its runs, so that there is nothing to draw for {figure}")
        try:
            figure.parent.mkdir(parents=True, exist_ok=True)
            figure.write_bytes(drawn)
        except OSError as error:
            raise DataError(f"{figure} cannot be written ({error.strerror}): give another file") from error
    return made


def _require_apart(file: Path, keep: Path | None, figure: Path | None, written: Path | None) -> None:
    """That nothing which is read is written over, but the report that is kept; and nothing by a figure but a figure."""
    named = {"FILE": file, "--keep": keep, "--figure": figure, "--json": written}
    there = {name: path for name, path in named.items() if path is not None}
    for name in ("--figure", "--json"):
        if name in there and there[name].is_dir():
            raise DataError(f"{name} is {there[name]}, a folder: give a file")
    for one, other in (("FILE", "--json"), ("FILE", "--figure"), ("--keep", "--figure"), ("--json", "--figure")):
        if one in there and other in there and _same(there[one], there[other]):
            raise DataError(f"{one} and {other} are both {there[one]}: give another file to write")
    if figure is not None:
        require_matplotlib()
        if figure.suffix != ".png" or (figure.exists() and not figure.read_bytes().startswith(PNG)):
            raise DataError(f"--figure is {figure}, which is no PNG: give FILE.png")


def _same(one: Path, other: Path) -> bool:
    if one.exists() and other.exists():
        return one.samefile(other)
    return one.absolute() == other.absolute()


def _require_nothing_lost(written: Path, runs: Mapping[Setup, Sequence[Run]], made: Report) -> None:
    before, unused = runs_in(_samples(written), str(written))
    if unused:
        raise DataError(f"{unused[0]}, so that it would be lost: give another file, or delete it to begin anew")
    if lost := missing(before, runs):
        raise DataError(f"{written} has {count(lost, 'run')} more: add --keep {written}, or delete it to begin anew")
    claims: Any = made.samples["claims"]
    have = {claim["name"] for claim in claims if claim["verdict"]}
    had = [claim["name"] for claim in _samples(written)["claims"] if claim["verdict"]]
    if names := [name for name in had if name not in have]:
        told = f"{written} has verdicts that its runs do not give any more, on {', '.join(names)}"
        raise DataError(f"{told}: give another file, or delete it to begin anew")


def _samples(file: Path) -> Any:
    """What a report holds besides its tables; None where it is none."""
    content = _content(file, A_REPORT)
    return content.get("samples") if isinstance(content, dict) else None


def _content(file: Path, wanted: str) -> Any:
    try:
        return json.loads(file.read_bytes(), parse_constant=_refused)
    except FileNotFoundError:
        raise DataError(f"{file} is not there: {wanted}") from None
    except OSError as error:
        raise DataError(f"{file} cannot be read ({error.strerror}): {wanted}") from None
    except (ValueError, RecursionError):
        raise DataError(f"{file} holds no JSON: {wanted}") from None


def _refused(constant: str) -> float:
    """Python reads NaN, which no JSON has."""
    raise ValueError(constant)


if __name__ == "__main__":
    sys.exit(main())
