"""Probes of a run beside the rows of the paper's tables. Pure."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from dcgan_dist.evaluation.service.online import FEATURES
from dcgan_dist.evaluation.tables import TABLES, of_others, setting
from dcgan_dist.reporting.facts import Fact, accuracy
from dcgan_dist.reporting.headline import is_probe

MOST_ROWS = 6
"""Of a task, of ours."""


@dataclass(frozen=True)
class ProbeRow:
    """A row of a table of probes.

    Attributes:
        features: what the classifier learns from.
        all_labels, few_labels: accuracies; None where there is none.
        all_shown, few_shown: the same for people.
        source: where it is from.
        ours: whether this run, or a baseline that was evaluated beside it, has it; else it is published.
        setting: what was chosen for the classifier.
    """

    features: str
    all_labels: Fact | None
    few_labels: Fact | None
    all_shown: str
    few_shown: str
    source: str
    ours: bool
    setting: str = ""


@dataclass(frozen=True)
class ProbeTable:
    """Probes on a task.

    Attributes:
        task: its name.
        few: labels of a class where they are few; "" where nobody uses few.
        rows: ours first, best features of the newest checkpoint first, then the paper's.
        left_out: rows of ours that are not here.
        notes: what makes results doubtful.
    """

    task: str
    few: str
    rows: Sequence[ProbeRow]
    left_out: int
    notes: Sequence[str]


def probe_tables(
    evaluations: Mapping[str, Mapping[str, Any]], owner: str = "", own: int = MOST_ROWS
) -> list[ProbeTable]:
    """A table for each task on which something was evaluated.

    Args:
        evaluations: contents of results by file.
        owner: of the files, for a report of several runs; "" for one alone.
        own: rows of the run's own discriminator, at most.
    """
    probes = {file: result for file, result in evaluations.items() if is_probe(result)}
    return [_table(task, _of_task(probes, task), owner, own) for task in dict.fromkeys(map(_task, probes.values()))]


def joined(tables: Sequence[ProbeTable]) -> list[ProbeTable]:
    """Tables of several runs, one for each task, and for each number of labels where they are few: their rows below
    each other, the paper's once."""
    usual = {table.task: table.few for table in reversed(tables) if table.few}
    groups: dict[tuple[str, str], list[ProbeTable]] = {}
    for table in tables:
        groups.setdefault((table.task, table.few or usual.get(table.task, "")), []).append(table)
    found = []
    for (task, few), same in groups.items():
        ours = [row for table in same for row in table.rows if row.ours]
        published = [row for row in same[0].rows if not row.ours]
        notes = list(dict.fromkeys(note for table in same for note in table.notes))
        found.append(ProbeTable(task, few, [*ours, *published], sum(table.left_out for table in same), notes))
    return found


def _task(result: Mapping[str, Any]) -> str:
    return str(result["task"])


def _of_task(probes: Mapping[str, Mapping[str, Any]], task: str) -> dict[str, Mapping[str, Any]]:
    """Results of a task: the discriminator's first, newest first, then those of others."""
    chosen = [(file, result) for file, result in probes.items() if _task(result) == task]
    chosen.sort(key=lambda one: (one[1].get("features_of") != FEATURES, -one[1]["images"], one[0]))
    return dict(chosen)


def _table(task: str, results: Mapping[str, Mapping[str, Any]], owner: str, most_own: int) -> ProbeTable:
    published_few, published = TABLES.get(task, ("", ()))
    few = next(
        (str(one["few_labels"].get("per_class", published_few)) for one in results.values() if "few_labels" in one),
        published_few,
    )
    kept = _kept(results, most_own)
    rows = [_row(file, result, owner) for file, result in kept.items()]
    rows += [
        ProbeRow(
            row.method,
            None,
            None,
            _percent(row.all_labels),
            of_others(_percent(row.few_labels), published_few, few),
            row.source,
            ours=False,
        )
        for row in published
    ]
    notes = list(dict.fromkeys(str(note) for result in results.values() for note in result.get("notes", ())))
    return ProbeTable(task, few, rows, len(results) - len(kept), notes)


def _kept(results: Mapping[str, Mapping[str, Any]], most_own: int) -> dict[str, Mapping[str, Any]]:
    """Rows that are shown: baselines have the first right to a place, since there are few."""
    own = {file: one for file, one in results.items() if one.get("features_of") == FEATURES}
    others = {file: one for file, one in results.items() if file not in own}
    first = min(most_own, max(1, MOST_ROWS - len(others)))
    kept = dict(list(own.items())[:first])
    return kept | dict(list(others.items())[: MOST_ROWS - len(kept)])


def _row(file: str, result: Mapping[str, Any], owner: str) -> ProbeRow:
    name = str(result.get("features_of", ""))
    if result.get("run"):
        name += f"{f' of {owner}' if owner else ''} at {result['images']:,} images"
    found = {
        kind: accuracy(f"{name}, {kind.replace('_', ' ')}", result[kind], file, kind)
        for kind in ("all_labels", "few_labels")
        if isinstance(result.get(kind), Mapping)
    }
    every, less = found.get("all_labels"), found.get("few_labels")
    chosen = ", ".join(setting(result[kind]) for kind in found if {"c", "k", "trained_images"} & set(result[kind]))
    return ProbeRow(
        name, every, less, every.shown if every else "", less.shown if less else "", file, ours=True, setting=chosen
    )


def _percent(text: str) -> str:
    """A published accuracy with its unit."""
    return f"{text.replace(' (', ' % (')}{'' if '(' in text else ' %'}" if text else ""
