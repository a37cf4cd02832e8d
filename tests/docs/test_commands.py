"""Every command of ours that README and docs show is one that its parser takes."""

import re
import shlex
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from dcgan_dist.cli.arguments import read
from dcgan_dist.cli.invocation import COMMANDS, CONSOLE
from dcgan_dist.data.check import CheckOptions
from dcgan_dist.data.deduplication.options import DedupOptions
from dcgan_dist.data.preparation.options import PrepareOptions
from dcgan_dist.data.preset_data import PREPARE
from dcgan_dist.errors import CheckpointError, DataError, SettingsError
from dcgan_dist.evaluation.service.comparison import EvaluateOptions
from dcgan_dist.memorised import MemorisedOptions
from dcgan_dist.preflight import PreflightOptions
from dcgan_dist.report import ReportOptions
from dcgan_dist.status import StatusOptions
from dcgan_dist.studies.registry import STUDIES
from dcgan_dist.studies.samples import SampleOptions
from dcgan_dist.training.options import parse as parse_train
from tuning.claims import CLAIMS, ClaimOptions, chosen
from tuning.options import parse as parse_sweep

ROOT = Path(__file__).parents[2]
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]
BLOCK = re.compile(r"```(?:bash|sh|console)\n(.*?)```", re.S)
PARSERS: dict[str, Callable[[list[str]], object]] = {
    "train": parse_train,
    "sweep": parse_sweep,
    "sample": lambda given: read(SampleOptions, given, prog="sample"),
    "evaluate": lambda given: read(EvaluateOptions, given, prog="evaluate"),
    **{
        f"study {name}": partial(lambda name, given: read(STUDIES[name].options, given, prog=f"study {name}"), name)
        for name in STUDIES
    },
    "study memorised": lambda given: read(MemorisedOptions, given, prog="study memorised"),
    "prepare": lambda given: read(PrepareOptions, given, prog="prepare"),
    "check": lambda given: read(CheckOptions, given, prog="check"),
    "dedup": lambda given: read(DedupOptions, given, prog="dedup"),
    "claims": lambda given: chosen(read(ClaimOptions, given, prog="claims").only, CLAIMS),
    "status": lambda given: read(StatusOptions, given, prog="status"),
    "report": lambda given: read(ReportOptions, given, prog="report"),
    "doctor": lambda given: read(PreflightOptions, ["--doctor", *given], prog="doctor"),
}
STUDY = "dcgan_dist.study"
MODULES = {module.split()[0]: name for name, (module, _) in COMMANDS.items()}
ABSENT = re.compile(r"there is no|exists|no such|not set|not found|matches no|cannot read|no sweep|no run")
"""What may be missed here: files and runs that only the reader has."""


def commands(text: str) -> Iterator[tuple[str, list[str]]]:
    """Each command of ours in the shell blocks of a page, with its arguments."""
    for block in BLOCK.findall(text):
        for line in block.replace("\\\n", " ").splitlines():
            words = shlex.split(line, comments=True)
            for place, word in enumerate(words):
                rest = words[place + 1 :]
                for stop in ("&", "&&", "|", ";", ">", "2>&1"):
                    rest = rest[: rest.index(stop)] if stop in rest else rest
                if word == CONSOLE or word.endswith(f"/{CONSOLE}"):
                    name = next((name for name in COMMANDS if rest[: len(name.split())] == name.split()), "")
                    assert name or rest[:1] in (["--help"], ["--version"], ["COMMAND"]), line
                    if name:
                        yield name, rest[len(name.split()) :]
                elif word == "-m" and rest[:1] and rest[0] in MODULES:
                    name = MODULES[rest[0]]
                    options = [one for one in rest[1:] if name != "doctor" or one != "--doctor"]
                    if rest[0] == STUDY:
                        name, options = f"study {options[0]}", options[1:]
                    yield name, options


def cases() -> list[Any]:
    found = {(name, tuple(given)): page.name for page in PAGES for name, given in commands(page.read_text())}
    return [
        pytest.param(name, [one for one in given if one != "..."], id=f"{page}: {name} {' '.join(given)}")
        for (name, given), page in found.items()
    ]


def test_commands_are_found() -> None:
    assert {case.values[0] for case in cases()} == set(PARSERS) == set(COMMANDS)
    lines = [
        "ray job submit -- python -m dcgan_dist.train --lr 1e-4 \\",
        "  --name a  # why",
        "dcgan-dist status b | head",
    ]
    text = "\n".join(["```bash", *lines, "```"])
    assert list(commands(text)) == [("train", ["--lr", "1e-4", "--name", "a"]), ("status", ["b"])]


@pytest.mark.parametrize(("name", "given"), cases())
def test_a_command_of_the_docs_is_taken(
    name: str, given: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("DCGAN_DIST_DATA", str(tmp_path))
    missed = ""
    try:
        PARSERS[name]([one.replace("s3://bucket", f"{tmp_path}/bucket") for one in given])
    except (SettingsError, DataError, CheckpointError) as error:
        missed = str(error)
    assert not missed or ABSENT.search(missed), missed


@pytest.mark.parametrize("page", ["README.md", "docs/data.md"])
@pytest.mark.parametrize("preset", PREPARE)
def test_data_of_each_preset_is_prepared_and_trained_on_by_lines_of_the_docs(page: str, preset: str) -> None:
    shown = list(commands((ROOT / page).read_text()))
    assert ("prepare", list(PREPARE[preset])) in shown
    trained = [given for name, given in shown if name == "train" and given[:2] == ["--preset", preset]]
    assert any("--data" not in given for given in trained)
