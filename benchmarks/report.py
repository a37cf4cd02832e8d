"""What every benchmark shares: rounds that take turns, the machine, bars, and the JSON that tables are rendered from.

The JSON is {"command", "machine", "ratios", "rates", "samples", "bars", "tables"}; `python -m benchmarks.render` puts
its tables into README and docs.
"""

import argparse
import json
import os
import platform
import shlex
import statistics
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any

import torch

from dcgan_dist.errors import DcganDistError, complain

Cell = str | int | float
PACKAGES = ("torch", "ray", "numpy", "dcgan-dist")
UNKNOWN = "unknown"


@dataclass(frozen=True)
class Bar:
    """What a measured number has to reach; it is written down whether or not it does."""

    name: str
    value: float
    at_least: float | None = None
    at_most: float | None = None

    @property
    def met(self) -> bool:
        """Whether the value is within both limits; one that is not a number is not."""
        above = self.at_least is None or self.value >= self.at_least
        return above and (self.at_most is None or self.value <= self.at_most) and self.value == self.value

    def to_json(self) -> dict[str, object]:
        """As it is listed under "bars"."""
        limits = {"at_least": self.at_least, "at_most": self.at_most}
        return {"name": self.name, "value": self.value, **limits, "met": self.met}


@dataclass(frozen=True)
class Table:
    """Rows of text and numbers; numbers are shown with three digits."""

    columns: Sequence[str]
    rows: Sequence[Sequence[Cell]]

    def markdown(self) -> str:
        """As Markdown, numbers to the right."""
        numeric = [all(isinstance(row[i], int | float) for row in self.rows) for i in range(len(self.columns))]
        lines = [
            _line([show(name) for name in self.columns]),
            _line(["---:" if right else "---" for right in numeric]),
        ]
        return "\n".join(lines + [_line([show(cell) for cell in row]) for row in self.rows])


@dataclass(frozen=True)
class Report:
    """What one benchmark has found."""

    command: str
    """As a reader gives it, to get the same."""
    tables: Mapping[str, Table]
    """By the name that its place in README or docs has."""
    ratios: Mapping[str, float] = field(default_factory=dict)
    rates: Mapping[str, float] = field(default_factory=dict)
    """With the unit in the name: `generated_images_per_s`."""
    samples: Mapping[str, object] = field(default_factory=dict)
    """The single measurements behind ratios and rates."""
    bars: Sequence[Bar] = ()

    def to_json(self) -> dict[str, Any]:
        """With the machine on which it is called."""
        return {
            "command": self.command,
            "machine": machine(),
            "ratios": dict(self.ratios),
            "rates": dict(self.rates),
            "samples": dict(self.samples),
            "bars": [bar.to_json() for bar in self.bars],
            "tables": {
                name: {"columns": list(table.columns), "rows": [list(row) for row in table.rows]}
                for name, table in self.tables.items()
            },
        }


def parser(description: str) -> argparse.ArgumentParser:
    """The options that every benchmark has."""
    # As a module, which Python 3.11 would show as the name of its file.
    prog = f"python -m benchmarks.{Path(sys.argv[0]).stem}"
    options = argparse.ArgumentParser(prog, description=description)
    options.add_argument("--json", type=Path, metavar="FILE", help="write the report there too")
    return options


def publish(report: Report, file: Path | None) -> None:
    """Print the tables and the bars, and write the JSON where there is a file for it."""
    content = report.to_json()
    for name, table in report.tables.items():
        print(f"\n{name}\n\n{table.markdown()}")
    print(f"\n{conditions(content)}")
    if report.bars:
        print(f"\n{bars_markdown(content)}")
    if file is not None:
        write(file, content)


def finish(find: Callable[[], Report], file: Path | None) -> int:
    """The end of a benchmark that gives commands of ours: publish what `find` returns.

    Returns:
        the status: 0; 1 where a command failed, 2 where data, runs or options are wrong, which a sentence names.
    """
    try:
        report = find()
    except subprocess.CalledProcessError as error:
        complain(f"{shlex.join(map(str, error.cmd))} ended with status {error.returncode}: what it said is above")
        return 1
    except DcganDistError as error:
        complain(error)
        return 2
    try:
        publish(report, file)
    except OSError as error:
        complain(f"{file} cannot be written ({error.strerror}): give --json another file")
        return 2
    return 0


def write(file: Path, content: Mapping[str, Any]) -> None:
    """Write a report's JSON; raises `ValueError` where a number is infinite or none, which JSON cannot hold."""
    text = json.dumps(content, indent=1, allow_nan=False)
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(text + "\n")


def conditions(content: Mapping[str, Any]) -> str:
    """One line about how a report was made, from its JSON."""
    made = content["machine"]
    amx = " with AMX" if made["amx"] else ""
    gpu = f", {made['gpu']}" if made["gpu"] else ""
    versions = ", ".join(f"{name} {number}" for name, number in made["versions"].items())
    where = f"{made['cores']} cores of {made['processor']}{amx}{gpu}"
    return f"`{content['command']}`, {made['date']}, commit {made['commit']}; {where}; {versions}."


def bars_markdown(content: Mapping[str, Any]) -> str:
    """A report's bars with what was measured, as a Markdown table, from its JSON."""
    rows = []
    for bar in content["bars"]:
        limits = [
            f"{word} {show(bar[key])}"
            for key, word in (("at_least", "at least"), ("at_most", "at most"))
            if bar[key] is not None
        ]
        rows.append([bar["name"], " and ".join(limits), show(bar["value"]), "yes" if bar["met"] else "**no**"])
    return Table(["bar", "needed", "measured", "met"], rows).markdown()


def interleave(contenders: Mapping[str, Callable[[], float]], rounds: int = 3) -> dict[str, list[float]]:
    """Let contenders take turns, A B A B, so that what disturbs the machine for a while disturbs them alike.

    Args:
        contenders: each does its work once and returns its rate.
        rounds: turns of each.
    """
    samples: dict[str, list[float]] = {name: [] for name in contenders}
    for _ in range(rounds):
        for name, measure in contenders.items():
            samples[name].append(measure())
    return samples


def medians(samples: Mapping[str, Sequence[float]]) -> dict[str, float]:
    """The median of each contender's turns."""
    return {name: statistics.median(values) for name, values in samples.items()}


def ratio(samples: Mapping[str, Sequence[float]], name: str, other: str) -> float:
    """How many times the other's rate one contender has: the median over the rounds."""
    return statistics.median(a / b for a, b in zip(samples[name], samples[other], strict=True))


def machine() -> dict[str, Any]:
    """Where and with what this process runs: processor, cores it may use, AMX, GPU, versions, commit, date (UTC)."""
    return {
        "processor": _processor(),
        "cores": len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count(),
        "amx": bool(torch.cpu.get_capabilities().get("amx_bf16", False)),
        "gpu": torch.cuda.get_device_name() if torch.cuda.is_available() else None,
        "system": platform.system(),
        "versions": {"python": platform.python_version()} | {name: version(name) for name in PACKAGES},
        "commit": _commit(),
        "date": f"{datetime.now(UTC):%Y-%m-%d}",
    }


def _processor() -> str:
    information = Path("/proc/cpuinfo")
    if information.is_file():
        for line in information.read_text().splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    return platform.processor() or platform.machine() or UNKNOWN


def _commit() -> str:
    """Of the checkout that this file lies in, marked where code in it was changed since."""
    folder = Path(__file__).parent.parent

    def git(*arguments: str) -> str:
        return subprocess.run(
            ["git", *arguments], cwd=folder, capture_output=True, text=True, check=True
        ).stdout.strip()

    try:
        changed = git("status", "--porcelain", "--", "*.py")
        return git("rev-parse", "--short=12", "HEAD") + (" with changes" if changed else "")
    except (FileNotFoundError, subprocess.CalledProcessError):  # no git, or no checkout
        return UNKNOWN


def _line(cells: Sequence[str]) -> str:
    return f"| {' | '.join(cells)} |"


def show(cell: Cell) -> str:
    """As documents show it: text so that it cannot end its cell, whole numbers in full, others with three digits."""
    if isinstance(cell, str):
        return cell.replace("|", "\\|")
    if isinstance(cell, int):
        return f"{cell:,}"
    return f"{cell:,.0f}" if abs(cell) >= 100 else f"{cell:.3g}"
