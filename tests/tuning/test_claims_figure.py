"""The figure of the claims."""

import io
from dataclasses import replace

import pytest
from PIL import Image

from tests.tuning.test_claims import CLAIM, measured
from tuning.claims_figure import COLORS, draw, figure_of
from tuning.claims_table import Judged, judged


def results() -> list[Judged]:
    four = replace(CLAIM, seeds=(4, 5, 6, 7))
    ours, others = four.runs()
    found = [*measured(ours, [0.9, 0.92, 0.91, 0.93]), *measured(others, [0.3, None, 0.31, 0.3])]
    unfinished = replace(CLAIM, name="later", measure="condemned", seeds=(4, 5, 6, 7, 8))
    by_setup = {CLAIM.setup: found}
    return [judged(four, by_setup, claims=1), judged(unfinished, by_setup, claims=1)]


def test_each_run_is_a_point_and_those_that_failed_lie_at_the_worst_value() -> None:
    shown = results()
    first, second = figure_of(shown).axes
    points = [list(zip(line.get_xdata(), line.get_ydata(), strict=True)) for line in first.lines]
    ours, no_failure, others, failed, medians = points
    assert ours == [(0, 0.9), (0, 0.92), (0, 0.91), (0, 0.93)]
    assert others == [(1, 0.3), (1, 0.0), (1, 0.31), (1, 0.3)]
    assert (no_failure, failed) == ([], [(1, 0.0)])
    assert [line.get_marker() for line in first.lines[1:4:2]] == ["X", "X"]
    assert medians == [(0, pytest.approx(0.915)), (1, pytest.approx(0.3))]
    assert first.get_title() == "good\nholds"
    assert first.get_ylabel() == "spread (more is better)"
    assert first.lines[0].get_color() == COLORS["holds"]
    assert second.get_title() == "later\nnot all runs yet"
    assert second.get_ylabel() == "condemned (less is better)"


def test_it_is_a_picture_of_the_claims_that_have_runs() -> None:
    one, two = (Image.open(io.BytesIO(draw(shown))).size for shown in (results()[:1], results()))
    assert two[0] == 2 * one[0]
    nothing = judged(CLAIM, {CLAIM.setup: []}, claims=1)
    assert draw([nothing]) == b""
    assert Image.open(io.BytesIO(draw([nothing, *results()]))).size == two


def test_panels_of_one_measure_have_one_scale() -> None:
    ours, others = CLAIM.runs()
    close = [*measured(ours, [0.9, 0.91, 0.9]), *measured(others, [0.91, 0.9, 0.91])]
    wide, other, narrow = figure_of([*results(), judged(CLAIM, {CLAIM.setup: close}, claims=1)]).axes
    assert wide.get_ylim() == narrow.get_ylim() != other.get_ylim()
