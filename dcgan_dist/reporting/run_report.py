"""The report of one run: all its parts, from its folder."""

from collections.abc import Sequence
from dataclasses import dataclass

from dcgan_dist.evaluation.tasks.fidelity import NAME as FIDELITY
from dcgan_dist.reporting.advice import Advice, advice
from dcgan_dist.reporting.charts import Chart, Marks, charts, marks
from dcgan_dist.reporting.data_facts import DataPart, read_data
from dcgan_dist.reporting.distances import distances
from dcgan_dist.reporting.facts import Fact
from dcgan_dist.reporting.fidelity import FidelityTable, fidelity_tables
from dcgan_dist.reporting.headline import Headline, headline, judged_headline
from dcgan_dist.reporting.overview import Overview, overview
from dcgan_dist.reporting.pictures import Shot, read_shot
from dcgan_dist.reporting.presets import PresetDifferences, differences
from dcgan_dist.reporting.probes import ProbeTable, probe_tables
from dcgan_dist.reporting.run_files import RunFiles
from dcgan_dist.reporting.samples import Grid, frames, grids
from dcgan_dist.reporting.software import machines, software
from dcgan_dist.reporting.studies import StudiesPart, read_studies
from dcgan_dist.storage import Place

NEWEST_RANK, FRAME_RANK = 0, 30
"""Of the newest samples, and of those before: what tells least is left out first."""


@dataclass(frozen=True)
class Frame:
    """Samples at a time of the run."""

    grid: Grid
    shot: Shot


@dataclass(frozen=True)
class RunReport:
    """All that a page says of a run.

    Attributes:
        name, place: of the run.
        overview: how it stands.
        headline: the one number; None where there is none.
        advice: what to do for it, or for a table of probes; None where there are both.
        draws: whether it has a generator, which draws samples; not where it is trained on labels.
        frames: samples over time, oldest first.
        grids: how many grids of samples there are.
        charts, marks: curves, and what is marked in them.
        tables: probes.
        fidelity: how alike samples and images are.
        distances: of images to samples.
        data, studies: as they say.
        settings: that differ from the preset; None where they cannot be read.
        versions, machines: with and on which it was trained.
        notes: what could not be read, or is left out.
    """

    name: str
    place: Place
    overview: Overview
    headline: Headline | None
    advice: Advice | None
    draws: bool
    frames: Sequence[Frame]
    grids: int
    charts: Sequence[Chart]
    marks: Marks
    tables: Sequence[ProbeTable]
    fidelity: Sequence[FidelityTable]
    distances: Sequence[Fact]
    data: DataPart
    studies: StudiesPart
    settings: PresetDifferences | None
    versions: Sequence[Fact]
    machines: Sequence[Fact]
    notes: Sequence[str]

    @property
    def newest(self) -> Frame | None:
        """The newest samples."""
        return self.frames[-1] if self.frames else None

    @property
    def shots(self) -> list[Shot]:
        """All pictures."""
        found = [frame.shot for frame in self.frames]
        found += [study.figure for study in self.studies.shown if study.figure is not None]
        return found + ([self.data.sheet] if self.data.sheet is not None else [])


def run_report(files: RunFiles, now: float, price: float = 0.0, *, whole: bool = True) -> RunReport:
    """The report of a run.

    Args:
        now: seconds since 1970, at which it is made.
        price: see `overview`.
        whole: with all pictures and what lies beside the data; else the newest samples alone, for comparisons.
    """
    standing, settings, notes = files.standing, files.settings, list(files.notes)
    tasks = (
        [] if settings is None else [part.partition("=")[0].strip() for part in settings.probe.tasks.split(",") if part]
    )
    tasks = [task for task in tasks if task != FIDELITY]  # which has no accuracy
    labels = "" if settings is None else settings.supervised.task.partition("=")[0].strip()
    first = judged_headline(standing, labels) if labels else headline(files.evaluations, tasks)
    tables = probe_tables(files.evaluations)
    every = grids(files.samples)
    wanted = frames(every) if whole else every[-1:]
    data = read_data(files) if whole else DataPart()
    studies = read_studies(files) if whole else StudiesPart()
    marked = marks(standing.attempts, standing.points)
    shown = [frame for grid in wanted if (frame := _frame(files, grid, notes, newest=grid == every[-1])) is not None]
    return RunReport(
        name=files.place.name,
        place=files.place,
        overview=overview(standing, now, price),
        headline=first,
        advice=None if first and tables else advice(files, tasks),
        draws=not labels,
        frames=shown,
        grids=len(every),
        charts=charts(standing.points, files.probed, marked) if whole else [],
        marks=marked,
        tables=tables,
        fidelity=fidelity_tables(files.evaluations),
        distances=distances(files.evaluations),
        data=data,
        studies=studies,
        settings=None if settings is None else differences(settings, str(standing.record.get("preset", ""))),
        versions=software(standing.record),
        machines=machines(files.workers),
        notes=[*notes, *data.notes, *studies.notes],
    )


def _frame(files: RunFiles, grid: Grid, notes: list[str], *, newest: bool) -> Frame | None:
    about = f"{files.place.name}: samples after {grid.images:,} images, {grid.kind} generator"
    file = f"samples/{grid.file}"
    shot = read_shot(files.place / file, file, about, NEWEST_RANK if newest else FRAME_RANK)
    if isinstance(shot, str):
        notes.append(shot)
        return None
    return Frame(grid, shot)
