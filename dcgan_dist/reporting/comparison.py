"""Several runs side by side."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

from dcgan_dist.reporting.charts import Chart, compared
from dcgan_dist.reporting.pictures import Shot
from dcgan_dist.reporting.presets import between
from dcgan_dist.reporting.probes import ProbeTable, joined, probe_tables
from dcgan_dist.reporting.run_files import RunFiles
from dcgan_dist.reporting.run_report import RunReport, run_report


@dataclass(frozen=True)
class Comparison:
    """Several runs.

    Attributes:
        runs: each by itself, under a name of its own.
        charts: with a line for each run.
        settings: that differ: name, and the value of each run; None where not all can be read.
        tables: probes of all runs.
        notes: of all runs.
    """

    runs: Sequence[RunReport]
    charts: Sequence[Chart]
    settings: Sequence[tuple[str, Sequence[str]]] | None
    tables: Sequence[ProbeTable]
    notes: Sequence[str]

    @property
    def unlike(self) -> bool:
        """Whether their numbers are of different tasks, or of different numbers of images."""
        return len({(run.headline.task, run.headline.images) for run in self.runs if run.headline}) > 1

    @property
    def shots(self) -> list[Shot]:
        """All pictures."""
        return [shot for run in self.runs for shot in run.shots]


def comparison(every: Sequence[RunFiles], now: float, price: float = 0.0) -> Comparison:
    """Runs side by side, in the order given; see `run_report`."""
    named = dict(zip(names([str(files.place) for files in every]), every, strict=True))
    runs = [replace(run_report(files, now, price, whole=False), name=name) for name, files in named.items()]
    settings = {name: files.settings for name, files in named.items() if files.settings is not None}
    differing = between(settings) if len(settings) == len(named) else None
    notes = [f"{run.name}: {note}" for run in runs for note in run.notes]
    if len(settings) < len(named):
        notes.append("settings are not compared, since not all of them can be read")
    return Comparison(
        runs,
        compared({name: (files.standing.points, files.probed) for name, files in named.items()}),
        differing,
        joined([table for name, files in named.items() for table in probe_tables(files.evaluations, name, own=1)]),
        notes,
    )


def names(addresses: Sequence[str]) -> list[str]:
    """What runs are called: the last parts of their addresses, as many as tell them apart."""
    parts = [address.rstrip("/").split("/") for address in addresses]
    for length in range(1, max(map(len, parts), default=1) + 1):
        found = ["/".join(part[-length:]) for part in parts]
        if len(set(found)) == len(found):
            return found
    return list(addresses)
