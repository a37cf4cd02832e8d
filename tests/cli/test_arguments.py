"""What is wrong with a command line is one sentence."""

import subprocess
import sys
from dataclasses import dataclass, field
from typing import Annotated, Literal

import pytest
import tyro

from dcgan_dist.cli.arguments import read
from dcgan_dist.errors import SettingsError, complain

arg = tyro.conf.arg


@dataclass(frozen=True)
class Part:
    """A part."""

    rate: Annotated[float, arg(aliases=("--rate",), metavar="RATE")] = 0.25
    """A rate."""
    depth: int = 3
    """A depth."""
    maps_of_d: int = 5
    """Maps."""
    maps_of_g: int = 5
    """Maps."""


@dataclass(frozen=True)
class Given:
    """Options of a command."""

    run: Annotated[str, tyro.conf.Positional, arg(metavar="RUN")]
    """A run."""
    images: Annotated[int | None, arg(metavar="IMAGES")] = 640
    """Images."""
    kind: Literal["wide", "narrow"] = "wide"
    """A kind."""
    fast: bool = False
    """A flag."""
    part: Part = field(default_factory=Part)


def read_these(*arguments: str) -> Given:
    return read(Given, arguments, prog="some command")


def test_numbers_are_taken_as_people_write_them() -> None:
    assert read_these("here", "--images", "1e5", "--rate=2e-3").images == 100_000
    assert read_these("here", "--images", "240_000", "--part.rate=2e-3").part.rate == 2e-3
    assert read_these("here", "--images", "None", "--part.depth=7").images is None
    assert read_these("here", "--part.depth=7").part.depth == 7


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["here", "--images", "1k"], "--images is 1k but needs a whole number: write 1000"),
        (["here", "--images=240,000"], "--images is 240,000 but needs a whole number: write 240000, or 240_000"),
        (["here", "--images="], "--images is '' but needs a whole number, such as 64, 240_000 or 2.4e5"),
        (["here", "--rate", "fast"], "--rate is fast but needs a number, such as 0.0002 or 2e-4"),
        (["here", "--part.rate", "fast"], "--part.rate is fast but needs a number, such as 0.0002 or 2e-4"),
        (["here", "--part.dpeth", "3"], "--part.dpeth is not an option; did you mean --part.depth?"),
        (["here", "--depth", "3"], "--depth is not an option; did you mean --part.depth?"),
        (["here", "--maps", "3"], "--maps is not an option; did you mean --part.maps-of-d or --part.maps-of-g?"),
        (["here", "--zzz"], "--zzz is not an option: see some command --help"),
        (["here", "there"], "there is one argument too many: see some command --help"),
        (["here", "images=3"], "images=3 is one argument too many; did you mean --images=3?"),
        (["here", "--fast", "yes"], "--fast takes no value but was given yes: leave that out"),
        (["here", "--fast=yes"], "--fast takes no value but was given yes: leave that out"),
        (["here", "--images"], "--images has no value: give --images IMAGES; see some command --help"),
        (["here", "--kind", "wied"], "--kind is wied but needs to be one of wide, narrow; did you mean wide?"),
        ([], "RUN is missing: see some command --help"),
        (["--imagse", "3"], "--imagse is not an option; did you mean --images?"),
    ],
)
def test_wrong_input_is_one_sentence(arguments: list[str], sentence: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SettingsError) as caught:
        read_these(*arguments)
    assert str(caught.value) == sentence
    assert capsys.readouterr() == ("", "")


@dataclass(frozen=True)
class Several:
    """Options of a command with several words."""

    words: Annotated[tyro.conf.Positional[tuple[str, ...]], arg(metavar="WORDS")]
    """Words."""
    images: int = 640
    """Images."""
    fast: bool = False
    """A flag."""


@pytest.mark.parametrize(
    "arguments",
    [
        ["a", "b", "c", "--images", "3", "--fast"],
        ["a", "--images", "3", "--fast", "b", "c"],
        ["--images=3", "a", "b", "--fast", "c"],
        ["--fast", "a", "--images", "3", "b", "--", "c"],
    ],
)
def test_words_may_stand_anywhere(arguments: list[str]) -> None:
    found = read(Several, arguments, prog="some command", words="words")
    assert found == Several(("a", "b", "c"), images=3, fast=True)


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["a", "--zzz", "b"], "--zzz is not an option: see some command --help"),
        (["a", "--imagse=3"], "--imagse is not an option; did you mean --images?"),
        (["a", "--fast=yes", "b"], "--fast takes no value but was given yes: leave that out"),
        (["a", "--images", "1k", "b"], "--images is 1k but needs a whole number: write 1000"),
    ],
)
def test_what_is_no_option_is_no_word_either(arguments: list[str], sentence: str) -> None:
    with pytest.raises(SettingsError) as caught:
        read(Several, arguments, prog="some command", words="words")
    assert str(caught.value) == sentence


def test_help_is_answered(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as caught:
        read_these("--help")
    assert caught.value.code == 0
    assert "some command" in capsys.readouterr().out


def test_a_complaint_is_one_line_on_stderr(capsys: pytest.CaptureFixture[str]) -> None:
    complain(SettingsError("a setting\nis wrong"))
    complain("so is another")
    assert capsys.readouterr() == ("", "error: a setting is wrong\nerror: so is another\n")


def test_help_that_is_cut_short_by_its_reader_says_nothing_more() -> None:
    command = [sys.executable, "-m", "dcgan_dist.status", "--help"]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    assert process.stdout is not None
    process.stdout.close()  # as `head` does once it has its lines
    _, told = process.communicate(timeout=60)
    assert (process.returncode, told) == (0, b"")
