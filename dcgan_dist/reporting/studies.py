"""Studies of a run: the figure of each, what it found, and the command that makes it again."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import PurePosixPath
from typing import Any

from dcgan_dist.reporting.facts import Fact, leaves, shown
from dcgan_dist.reporting.pictures import Shot, read_shot
from dcgan_dist.reporting.run_files import RunFiles
from dcgan_dist.studies.memorisation import lines as memorised_lines

MOST_STUDIES, MOST_NUMBERS, DEEPEST = 16, 10, 2
"""That are shown: studies, numbers of each, and how deep these lie in their files."""
STUDY_RANK = 2


@dataclass(frozen=True)
class StudyPart:
    """A study.

    Attributes:
        name: of the study.
        file: its JSON, below the folder of the run.
        of: the checkpoint and the generator that it looked at.
        shows: what the figure shows.
        lines: what was found, for people.
        numbers: some of the numbers; lists are left to the file.
        more: how many numbers there are beside these.
        command: that makes it again; "" where it is not recorded.
        seed: of all that was drawn at random; None where it has none.
        figure: None where it cannot be shown, of which a note tells.
        others: names of the files beside it.
    """

    name: str
    file: str
    of: str
    shows: str
    lines: Sequence[str]
    numbers: Sequence[Fact]
    more: int
    command: str
    seed: Fact | None
    figure: Shot | None = None
    others: Sequence[str] = ()


@dataclass
class StudiesPart:
    """All studies of a run.

    Attributes:
        shown: in the order of their names, newest first.
        left_out: files of others.
        notes: what cannot be shown.
    """

    shown: list[StudyPart] = field(default_factory=list)
    left_out: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)


def read_studies(files: RunFiles) -> StudiesPart:
    """The studies of a run, with their figures; also whether samples repeat training images (`study memorised`)."""
    part = StudiesPart()
    every = {file: content for file, content in files.studies.items() if is_whole(content)}
    part.notes += [
        f"{file} does not say all that a study found: it is left out" for file in files.studies.keys() - every
    ]
    # Sheets to pick exemplars from are no results.
    every = {file: content for file, content in every.items() if content["numbers"]}
    every |= {file: content for file, content in files.evaluations.items() if is_memorised(content)}
    chosen = choose(every)
    part.left_out = sorted(every.keys() - set(chosen))
    for rank, file in enumerate(chosen):
        content = every[file]
        made = memorised(file, content) if is_memorised(content) else study(file, content)
        if (of := content.get("run", files.place.name)) != files.place.name:
            part.notes.append(f"{file} is of {of}: it says nothing of this run, unless that was its name")
            made = replace(made, of=f"{of}, {made.of}")
        # Beside its numbers, whatever folder its name may lead to.
        figure = str(content.get("figure") or f"{PurePosixPath(file).stem}.png").rpartition("/")[2]
        where = f"{file.rpartition('/')[0]}/{figure}"
        shot = read_shot(files.place / where, where, made.shows, STUDY_RANK + rank)
        if isinstance(shot, str):
            part.notes.append(shot)
        part.shown.append(made if isinstance(shot, str) else StudyPart(**{**vars(made), "figure": shot}))
    return part


def choose(every: Mapping[str, Mapping[str, Any]], most: int = MOST_STUDIES) -> list[str]:
    """Files of the studies that are shown: of each name the newest checkpoint and result first; one of each name before
    a second of any."""
    by_name: dict[str, list[str]] = {}
    order = sorted(
        every,
        key=lambda file: (every[file].get("images") or 0, str(every[file].get("written", "")), file),
        reverse=True,
    )
    for file in order:
        by_name.setdefault(str(every[file].get("study", "memorised")), []).append(file)
    turns = sorted((turn, name, file) for name, own in by_name.items() for turn, file in enumerate(own))[:most]
    return [file for _, _, file in sorted(turns, key=lambda one: (one[1], one[0]))]


def is_whole(content: Mapping[str, Any]) -> bool:
    """Whether a study's record has what is read of it."""
    return (
        isinstance(content.get("numbers"), Mapping)
        and all(isinstance(content.get(name), list) for name in ("lines", "files"))
        and all(isinstance(content.get(name), str) for name in ("study", "run", "checkpoint", "command", "shows"))
        and type(content.get("images")) in (int, type(None))
    )


def is_memorised(content: Mapping[str, Any]) -> bool:
    """Whether a result is of `study memorised`, with all that is read of it."""
    by = content.get("by")
    numbers = ("sample_median", "held_out_median", "p_value", "z", "rare", "copies")
    return (
        isinstance(by, Mapping)
        and all(isinstance(one, Mapping) and all(name in one for name in numbers) for one in by.values())
        and all(type(content.get(name)) is int for name in ("samples", "held_out_images", "training_images", "images"))
    )


def study(file: str, content: Mapping[str, Any]) -> StudyPart:
    """A study from its record."""
    numbers, more = _numbers(file, content["numbers"], "numbers")
    of = f"checkpoint {content['checkpoint']}, {content.get('generator', 'exported')} generator"
    seed = content.get("seed")
    return StudyPart(
        content["study"],
        file,
        of,
        content["shows"],
        [str(line) for line in content["lines"]],
        numbers,
        more,
        content["command"],
        None if seed is None else Fact("Seed", seed, str(seed), file, "seed"),
        others=[str(name) for name in content["files"]],
    )


def memorised(file: str, content: Mapping[str, Any]) -> StudyPart:
    """Whether samples repeat training images, from its record."""
    numbers, more = _numbers(file, content["by"], "by")
    said, *others = memorised_lines(content)
    notes = [f"note: {note}" for note in content.get("notes", ())]
    seed = content.get("seed")
    return StudyPart(
        "memorised",
        file,
        f"checkpoint {content.get('checkpoint', '')}",
        "Closest pairs, sample and training image.",
        [said, *(line.strip() for line in others), *notes],
        numbers,
        more,
        "",
        None if seed is None else Fact("Seed", seed, str(seed), file, "seed"),
    )


def _numbers(file: str, content: Mapping[str, Any], key: str) -> tuple[list[Fact], int]:
    every = [(name, value) for name, value in leaves(content) if isinstance(value, int | float)]
    # Those of deep places are details, and their keys no names for people.
    plain = [(name, value) for name, value in every if "[" not in name and name.count(".") <= DEEPEST]
    chosen = plain[:MOST_NUMBERS]
    facts = [
        Fact(name.replace("_", " ").replace(".", ", "), value, shown(value), file, f"{key}.{name}")
        for name, value in chosen
    ]
    return facts, len(every) - len(facts)
