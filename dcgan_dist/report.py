"""One page that shows a run: samples, curves, probes, data, studies, settings; or several runs, or a sweep:

python -m dcgan_dist.report RUN
python -m dcgan_dist.report RUN RUN ...
python -m dcgan_dist.report SWEEP

It is one HTML file, which needs no server and no network, with the same numbers as JSON beside it.
"""

import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated

import tyro

from dcgan_dist.bounds import AtLeast, check_bounds, shows_bounds
from dcgan_dist.cli.arguments import read
from dcgan_dist.cli.invocation import prog
from dcgan_dist.errors import DcganDistError, SettingsError, at_work, complain
from dcgan_dist.printing import tell
from dcgan_dist.reporting.as_json import FORMAT, as_json
from dcgan_dist.reporting.comparison import Comparison, comparison
from dcgan_dist.reporting.figures import COLORS, require_matplotlib
from dcgan_dist.reporting.page import MARK, page
from dcgan_dist.reporting.run_files import read_run
from dcgan_dist.reporting.run_report import RunReport, run_report
from dcgan_dist.reporting.sweep import SweepReport, find_sweep, read_sweep
from dcgan_dist.run_folder.naming import find_run
from dcgan_dist.storage import Place, place, require_lasting, require_writable

arg = tyro.conf.arg
NAME = "report.html"
HEAD_BYTES = 4_096
"""Of a file that is there: in these a report says what it is."""


@shows_bounds
@dataclass(frozen=True, kw_only=True)
class ReportOptions:
    """Make one page of a run, of several runs side by side, or of a sweep; also while it goes on.

    Example: python -m dcgan_dist.report scenes32
    """

    runs: Annotated[tuple[str, ...], tyro.conf.Positional, arg(metavar="RUN ...")]
    """The run: its name in the storage, or the address of its folder on a disk or in an object store; or several runs;
    or a sweep."""
    storage: Annotated[str, arg(metavar="ADDRESS")] = "runs"
    """Where to look for what is given by name."""
    out: Annotated[str, arg(metavar="FILE.html")] = ""
    """The page; a JSON file of the same name is written beside it. Empty: report.html in the folder of the run or the
    sweep, or in this folder for several runs. A report that is there is made anew."""
    price: Annotated[float, AtLeast(0), arg(metavar="AMOUNT")] = 0.0
    """What an hour of one worker costs, in your currency, for the cost of the run; 0: nothing is said of it."""

    def __post_init__(self) -> None:
        check_bounds(self)
        if not self.runs:
            raise SettingsError("RUN is missing: give the name or the folder of a run")
        if len(self.runs) > len(COLORS):
            raise SettingsError(f"{len(self.runs)} runs are given, but a page shows {len(COLORS)} at most: give fewer")
        if self.out and not self.out.endswith(".html"):
            raise SettingsError(f"out is {self.out} but needs to be the name of a page, as in report.html")


def main(arguments: Sequence[str] | None = None) -> int:
    """The command; returns its exit status: 0, 2 for wrong input, 1 where it failed later."""
    try:
        options = read(ReportOptions, arguments, prog=prog("report"))
        require_matplotlib()
        now = time.time()
        shown = find(options, now)
        out = place(options.out) if options.out else _default(shown)
        beside = out.parent / f"{out.name.removesuffix('.html')}.json"
        require_lasting(out, "out")
        require_writable(out.parent, "the folder of out")
        require_ours(out, MARK)
        require_ours(beside, FORMAT)
        with at_work():
            written(shown, now, out, beside)
    except DcganDistError as error:
        complain(error)
        return error.status
    return 0


def find(options: ReportOptions, now: float) -> RunReport | Comparison | SweepReport:
    """What the options name, read at `now`, in seconds since 1970.

    Raises:
        CheckpointError: a run is not there, or its record cannot be read.
        SettingsError: a run is named twice, or a sweep beside others.
        DataError: the store cannot be reached.
    """
    sweeps = [sweep for text in options.runs if (sweep := find_sweep(text, options.storage)) is not None]
    if sweeps:
        if len(options.runs) > 1:
            raise SettingsError(f"{sweeps[0]} is a sweep, which has a page of its own: give it alone")
        return read_sweep(sweeps[0], now, options.price)
    places = [find_run(text, options.storage).place for text in options.runs]
    if twice := {str(one) for one in places if places.count(one) > 1}:
        raise SettingsError(f"{min(twice)} is given twice: leave one of them out")
    every = [read_run(run) for run in places]
    if len(every) == 1:
        return run_report(every[0], now, options.price)
    return comparison(every, now, options.price)


def _default(shown: RunReport | Comparison | SweepReport) -> Place:
    return place(NAME) if isinstance(shown, Comparison) else shown.place / NAME


def require_ours(file: Place, mark: str) -> None:
    """See that a file that is there is a report, which may be made anew.

    Args:
        mark: that a report has near its beginning.

    Raises:
        SettingsError: it is none.
    """
    if file.exists() and (not file.is_file() or mark.encode() not in file.read_range(0, HEAD_BYTES)):
        raise SettingsError(f"{file} exists and is no report of ours: give another name with --out")


def written(shown: RunReport | Comparison | SweepReport, now: float, out: Place, beside: Place) -> None:
    """Write page and JSON, and tell where they are."""
    made = time.strftime("%Y-%m-%d %H:%M:%S UTC", time.gmtime(now))
    made_page = page(shown, made)
    beside.write_bytes(as_json(shown, made, made_page.left_out))
    out.write_bytes(made_page.html)
    for note in shown.notes:
        tell(f"note: {note}", sys.stderr)
    if made_page.left_out:
        tell(f"note: no room for {len(made_page.left_out)} pictures, which the page names", sys.stderr)
    tell(f"report   {out} ({len(made_page.html) / 1e6:.1f} MB)", sys.stdout)
    tell(f"numbers  {beside}", sys.stdout)


if __name__ == "__main__":
    sys.exit(main())
