"""Figures as SVG, drawn by Matplotlib. No text from a run is in them: the page has the names of their lines."""

import io
from collections.abc import Sequence
from typing import Any

from dcgan_dist.errors import SettingsError
from dcgan_dist.reporting.charts import Chart

COLORS = ("#1f5fa8", "#c2571a", "#2f7d43", "#8a3d8f", "#a8871f", "#3d8c8c", "#b0345c", "#5c5c5c", "#6a76d9", "#7a5230")
"""Of lines; the page's style sheet has the same."""
RESTART, FINDING = "#6b7683", "#b3261e"
WIDTH, HEIGHT = 5.2, 2.7
"""Inches: on a phone a point is about a pixel."""


def require_matplotlib() -> None:
    """Raise `SettingsError` if Matplotlib is not installed."""
    try:
        import matplotlib  # noqa: F401
    except ImportError as error:
        raise SettingsError(
            "the figures of a report need a package that is not installed: pip install 'dcgan-dist[report]'"
        ) from error


def svg(chart: Chart) -> bytes:
    """A figure as an SVG file; the same chart gives the same bytes."""
    import matplotlib
    from matplotlib.figure import Figure
    from matplotlib.ticker import FuncFormatter, MaxNLocator

    look = {"font.size": 9.5, "svg.hashsalt": "dcgan-dist", "svg.fonttype": "path", "axes.spines.top": False}
    with matplotlib.rc_context({**look, "axes.spines.right": False, "axes.edgecolor": "#7a8592"}):
        figure = Figure(figsize=(WIDTH, HEIGHT), layout="constrained")
        axes = figure.subplots()
        _marks(axes, chart.restarts, RESTART, ":")
        _marks(axes, chart.findings, FINDING, "--")
        for line in chart.series:
            _line(axes, chart, line)
        axes.grid(axis="y", color="#e3e6ea", linewidth=0.8)
        axes.set_axisbelow(True)
        axes.tick_params(length=0, labelcolor="#3a424c")
        axes.set_xlabel("images seen", color="#3a424c")
        axes.set_ylabel(chart.axis + (", %" if chart.percent else ""), color="#3a424c")
        axes.set_xlim(left=0)
        axes.xaxis.set_major_locator(MaxNLocator(5, steps=[1, 2, 2.5, 5, 10]))
        axes.xaxis.set_major_formatter(FuncFormatter(_thousands))
        file = io.BytesIO()
        figure.savefig(file, format="svg", metadata={"Date": None, "Creator": None})
    return file.getvalue()


def _line(axes: Any, chart: Chart, line: Any) -> None:
    scale, color = (100 if chart.percent else 1), COLORS[line.color % len(COLORS)]
    mean, low, high = ([scale * value for value in values] for values in (line.mean, line.low, line.high))
    if chart.intervals:
        below = [at - bound for at, bound in zip(mean, low, strict=True)]
        above = [bound - at for at, bound in zip(mean, high, strict=True)]
        axes.errorbar(line.x, mean, yerr=(below, above), color=color, marker="o", markersize=3.5, elinewidth=1)
        return
    if line.together > 1:
        axes.fill_between(line.x, low, high, color=color, alpha=0.15, linewidth=0)
    axes.plot(line.x, mean, color=color, linewidth=1.4, marker="o" if len(line.x) == 1 else "", markersize=3.5)


def _marks(axes: Any, images: Sequence[int], color: str, style: str) -> None:
    for at in images:
        axes.axvline(at, color=color, linestyle=style, linewidth=1.1)


def _thousands(value: float, position: int) -> str:
    """`40k`, `1.5M`: whole numbers of images take too much room on a phone."""
    for factor, letter in ((1e9, "G"), (1e6, "M"), (1e3, "k")):
        if abs(value) >= factor:
            return f"{value / factor:g}{letter}"
    return f"{value:g}"
