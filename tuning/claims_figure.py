"""The claims as small panels, one each: what was measured of the runs of both arms, and a line between medians."""

import io
import math
import statistics
import textwrap
from collections.abc import Sequence
from typing import Any

from tuning.claim_measures import MEASURES
from tuning.claims_table import Judged, arms, better

COLUMNS = 5
ACROSS = 19
"""Characters of an arm in a line below its panel."""
COLORS = {"holds": "#2a7f4f", "does not hold": "#b5402b", "cannot tell": "#5b6470", None: "#9aa3ad"}
"""By verdict; there is none before all runs are there."""


def draw(results: Sequence[Judged]) -> bytes:
    """A PNG of all claims that have runs of both arms; empty where none has."""
    shown = [result for result in results if result.effect is not None]
    if not shown:
        return b""
    file = io.BytesIO()
    figure_of(shown).savefig(file, format="png", dpi=110)
    return file.getvalue()


def figure_of(shown: Sequence[Judged]) -> Any:
    """The same as a figure of Matplotlib, an extra."""
    from matplotlib.figure import Figure

    columns = min(COLUMNS, len(shown))
    rows = math.ceil(len(shown) / columns)
    figure = Figure(figsize=(2.5 * columns, 2.5 * rows), layout="constrained")
    first: dict[str, Any] = {}
    for number, result in enumerate(shown, start=1):
        # Panels of one measure have one scale: chance is not to look as large as an effect.
        like = first.get(result.claim.measure)
        first[result.claim.measure] = axes = figure.add_subplot(rows, columns, number, sharey=like)
        _panel(axes, result)
    return figure


def _panel(axes: Any, result: Judged) -> None:
    measure = MEASURES[result.claim.measure]
    color = COLORS[result.verdict]
    medians = []
    for place, values in enumerate((result.ours, result.others)):
        heights = [measure.worst if value is None else value for value in values]
        medians.append(statistics.median(heights))
        axes.plot([place] * len(heights), heights, linestyle="", marker="o", markersize=4, alpha=0.6, color=color)
        failed = [measure.worst for value in values if value is None]
        axes.plot([place] * len(failed), failed, linestyle="", marker="X", markersize=8, color=color)
    axes.plot([0, 1], medians, color=color, linewidth=1)
    axes.set_title(f"{result.claim.name}\n{result.verdict or 'not all runs yet'}", fontsize=9, color=color)
    axes.set_ylabel(f"{result.claim.measure} ({better(result.claim.measure)} is better)", fontsize=7)
    axes.set_xticks([0, 1], [_short(arm) for arm in arms(result.claim)], fontsize=6)
    axes.set_xlim(-0.3, 1.3)
    axes.tick_params(axis="y", labelsize=7)
    for side in ("top", "right"):
        axes.spines[side].set_visible(False)


def _short(arm: str) -> str:
    """Of an arm's words as many as two lines below a panel have room for."""
    first, *more = textwrap.wrap(arm, ACROSS, break_long_words=False)
    second = [textwrap.shorten(" ".join(more), ACROSS, placeholder=" ...")] if more else []
    return "\n".join([first, *second])
