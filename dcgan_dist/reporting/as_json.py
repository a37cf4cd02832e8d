"""`report.json`: the numbers of a page for programs, each with its file and key. Pure."""

import json
from collections.abc import Mapping, Sequence
from typing import Any

from dcgan_dist.reporting.comparison import Comparison
from dcgan_dist.reporting.facts import Fact
from dcgan_dist.reporting.run_report import RunReport
from dcgan_dist.reporting.sweep import SweepReport
from dcgan_dist.versions import versions

FORMAT = "dcgan-dist report 1"


def as_json(shown: RunReport | Comparison | SweepReport, made: str, left_out: Sequence[str]) -> bytes:
    """The file.

    Args:
        made: when it was, as a text.
        left_out: pictures that the page has no room for.
    """
    content: dict[str, Any] = {"format": FORMAT, "made": made, "versions": versions()}
    if isinstance(shown, SweepReport):
        content["sweep"] = _sweep(shown)
    runs = [shown] if isinstance(shown, RunReport) else _runs(shown)
    content["runs"] = [_run(run) for run in runs]
    content["pictures_left_out"] = list(left_out)
    return json.dumps(content, indent=1, allow_nan=False).encode() + b"\n"


def _runs(shown: Comparison | SweepReport) -> Sequence[RunReport]:
    compared = shown.best if isinstance(shown, SweepReport) else shown
    return compared.runs if compared is not None else []


def _facts(facts: Sequence[Fact]) -> list[dict[str, Any]]:
    return [fact.record() for fact in facts]


def _run(run: RunReport) -> Mapping[str, Any]:
    overview = run.overview
    return {
        "name": run.name,
        "address": str(run.place),
        "state": overview.state.record(),
        "overview": _facts(overview.facts),
        "headline": None if run.headline is None else {**run.headline.fact.record(), "says": run.headline.says},
        "draws_samples": run.draws,
        "samples": [
            {"images": frame.grid.images, "generator": frame.grid.kind, "file": frame.shot.file} for frame in run.frames
        ],
        "restarts": _facts(run.marks.restarts),
        "findings": _facts(run.marks.findings),
        "probes": {
            table.task: [
                {
                    "features": row.features,
                    "ours": row.ours,
                    "from": row.source,
                    "all_labels": row.all_labels.record() if row.all_labels else row.all_shown or None,
                    "few_labels": row.few_labels.record() if row.few_labels else row.few_shown or None,
                }
                for row in table.rows
            ]
            for table in run.tables
        },
        "distances": _facts([*(row.fact for table in run.fidelity for row in table.rows), *run.distances]),
        "data": _facts(run.data.facts),
        "deduplication": _facts(run.data.deduplication),
        "studies": [
            {
                "study": study.name,
                "file": study.file,
                "of": study.of,
                "command": study.command,
                "seed": study.seed.value if study.seed else None,
                "lines": list(study.lines),
                "numbers": _facts(study.numbers),
                "figure": study.figure.file if study.figure else None,
                "files": list(study.others),
            }
            for study in run.studies.shown
        ],
        "settings": None
        if run.settings is None
        else {
            "preset": run.settings.preset,
            "recorded": run.settings.recorded,
            "differing": [{**one.fact.record(), "preset": one.preset_shown} for one in run.settings.differing],
        },
        "losses": _facts(overview.losses),
        "machines": _facts(run.machines),
        "versions": _facts(run.versions),
        "notes": list(run.notes),
    }


def _sweep(sweep: SweepReport) -> Mapping[str, Any]:
    return {
        "name": sweep.name,
        "address": str(sweep.place),
        "facts": _facts(sweep.facts),
        "trials": [
            {
                "trial": trial.number,
                "run": trial.run,
                "state": trial.state,
                "values": dict(trial.values),
                "rank": trial.rank,
                "objective": trial.objective.record() if trial.objective else None,
                "reason": trial.reason,
            }
            for trial in sweep.trials
        ],
        "notes": list(sweep.notes),
    }
