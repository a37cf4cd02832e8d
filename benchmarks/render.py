"""Tables of README and docs, from benchmarks/results/*.json:

python -m benchmarks.render
python -m benchmarks.render --check

A table goes between `<!-- table: NAME -->` and `<!-- end -->`, with a line about how it was measured; the bars of a
report, whose name is its file's, between `<!-- bars: REPORT -->` and `<!-- end -->`. One of its ratios or rates goes
between `<!-- value: REPORT NAME -->` and `<!-- end -->` within a sentence.
"""

import argparse
import json
import re
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from benchmarks.report import Table, bars_markdown, conditions, show
from dcgan_dist.errors import DataError, complain

ROOT = Path(__file__).parent.parent

# In the middle only what holds no other marker: a forgotten end would swallow the text up to the next one.
_CONTENT = r"((?:(?!<!-- (?:table|bars|value|end)\b).)*)(<!-- end -->)"
_PLACE = re.compile(r"(<!-- (table|bars): (\S+) -->\n)" + _CONTENT, re.DOTALL)
_VALUE = re.compile(r"(<!-- value: (\S+) (\S[^>\n]*?) -->)" + _CONTENT)
_BEGIN = re.compile(r"<!-- (?:table|bars|value)\b.*?-->")


class Results:
    """What the benchmarks have found, by the names that places in the documents have."""

    def __init__(self, folder: Path) -> None:
        """Read all reports of a folder; raises `DataError` where two have a table of the same name."""
        self._reports: dict[str, dict[str, Any]] = {}
        self._tables: dict[str, str] = {}
        for file in sorted(folder.glob("*.json")):
            self._reports[file.stem] = json.loads(file.read_text())
            for name in self._reports[file.stem]["tables"]:
                if name in self._tables:
                    raise DataError(f"table {name} is in {self._tables[name]}.json and in {file.name}: rename one")
                self._tables[name] = file.stem

    def table(self, name: str) -> str:
        """A table and the line about it, as Markdown; raises `KeyError` for one that is in no report."""
        report = self._reports[self._tables[name]]
        return f"{Table(**report['tables'][name]).markdown()}\n\n{conditions(report)}"

    def bars(self, report: str) -> str:
        """The bars of a report, as Markdown; raises `KeyError` for a report that is not there."""
        return bars_markdown(self._reports[report])

    def value(self, report: str, name: str) -> str:
        """One of the ratios or rates of a report, in three digits; raises `KeyError` where it is not there."""
        content = self._reports[report]
        return show({**content["ratios"], **content["rates"]}[name])


def documents(root: Path) -> list[Path]:
    """README.md and the pages below docs/, as far as they are there."""
    return [file for file in [root / "README.md", *sorted((root / "docs").rglob("*.md"))] if file.is_file()]


def render(text: str, results: Results, source: str) -> str:
    """The text with all its places filled anew.

    Raises:
        DataError: naming `source` and the place that has no end or no report.
    """
    found = {place.start() for pattern in (_PLACE, _VALUE) for place in pattern.finditer(text)}
    for begin in _BEGIN.finditer(text):
        if begin.start() not in found:
            raise DataError(
                f"{source}: {begin.group()} cannot be filled: it needs a name, <!-- end --> before the next one, and, "
                "for tables and bars, a line of its own"
            )

    def table_or_bars(place: re.Match[str]) -> str:
        begin, kind, name, _, end = place.groups()
        with _named(source, begin.strip()):
            return f"{begin}{results.table(name) if kind == 'table' else results.bars(name)}\n{end}"

    def value(place: re.Match[str]) -> str:
        begin, report, name, _, end = place.groups()
        with _named(source, begin):
            return f"{begin}{results.value(report, name)}{end}"

    return _VALUE.sub(value, _PLACE.sub(table_or_bars, text))


@contextmanager
def _named(source: str, place: str) -> Iterator[None]:
    """Turn a name that is in no report into the sentence for the user."""
    try:
        yield
    except KeyError as error:
        raise DataError(
            f"{source}: there is no {error.args[0]} in benchmarks/results/*.json for {place}: correct the name, or run "
            "its benchmark with --json"
        ) from None


def main(arguments: Sequence[str] | None = None, root: Path = ROOT) -> int:
    """The command: 0, or 1 where `--check` finds a file that differs, or 2 where one cannot be rendered."""
    options = argparse.ArgumentParser(description="Render the tables of README and docs from benchmarks/results.")
    options.add_argument("--check", action="store_true", help="change nothing; fail where a file would change")
    check = options.parse_args(arguments).check
    differing = []
    try:
        results = Results(root / "benchmarks" / "results")
        for file in documents(root):
            text = file.read_text()
            rendered = render(text, results, str(file.relative_to(root)))
            if rendered != text:
                differing.append(str(file.relative_to(root)))
                if not check:
                    file.write_text(rendered)
    except DataError as error:
        complain(error)
        return 2
    if check and differing:
        complain(f"{', '.join(differing)} differ from benchmarks/results: run make docs")
        return 1
    print(*(f"rendered {name}" for name in differing), sep="\n", end="\n" if differing else "")
    return 0


if __name__ == "__main__":
    sys.exit(main())
