"""Curves as SVG."""

import sys

import pytest

from dcgan_dist.studies.curve import curve

LINES = {"by weight": [(1, 0.9), (4, 0.2)], "random": [(1, 1.0)]}


def test_the_same_lines_give_the_same_picture_and_others_another() -> None:
    first = curve(LINES, "maps", "windows")
    assert first is not None
    assert first == curve(LINES, "maps", "windows")
    assert first != curve({**LINES, "random": [(1, 0.5)]}, "maps", "windows")
    assert b"<svg" in first


def test_without_matplotlib_there_is_none(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    assert curve(LINES, "maps", "windows") is None
