"""Curves of a study as SVG, where Matplotlib is installed."""

import io
from collections.abc import Mapping, Sequence

MISSING = "no curve is drawn without a package that is not installed: pip install 'dcgan-dist[report]'"


def curve(lines: Mapping[str, Sequence[tuple[int, float]]], x: str, y: str) -> bytes | None:
    """Lines over a whole number, on a scale of powers of two; values are shares and shown in percent.

    Args:
        lines: points by the label of the line.
        x: what the numbers are.
        y: what the values are.

    Returns:
        an SVG file, of the same bytes for the same lines; None where Matplotlib is not installed.
    """
    try:
        import matplotlib
    except ImportError:
        return None
    from matplotlib.figure import Figure
    from matplotlib.ticker import ScalarFormatter

    with matplotlib.rc_context({"font.size": 9.5, "svg.hashsalt": "dcgan-dist", "svg.fonttype": "path"}):
        figure = Figure(figsize=(5.2, 2.9), layout="constrained")
        axes = figure.subplots()
        for label, points in lines.items():
            numbers, values = zip(*points, strict=True)
            axes.plot(
                numbers, [100 * value for value in values], marker="o", markersize=3.5, linewidth=1.4, label=label
            )
        axes.set_xscale("log", base=2)
        axes.xaxis.set_major_formatter(ScalarFormatter())
        axes.set_ylim(bottom=0)
        axes.grid(axis="y", color="#e3e6ea", linewidth=0.8)
        axes.set_xlabel(x)
        axes.set_ylabel(f"{y}, %")
        axes.legend(frameon=False)
        file = io.BytesIO()
        figure.savefig(file, format="svg", metadata={"Date": None, "Creator": None})
    return file.getvalue()
