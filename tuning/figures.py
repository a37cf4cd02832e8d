"""Figures of a sweep: each setting's values against the objective, and each pair of settings."""

import io
import itertools
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from dcgan_dist.numerals import count
from tuning.objective import Objective
from tuning.ranking import shared_marks
from tuning.results import Result, values_by_trial
from tuning.space import Numbers, Space, short_name, show

MARKS = {"finished": "o", "cut": "v", "condemned": "X", "failed": "X", "unfinished": "s"}
"""Marker of a trial in a figure, by its state."""


@dataclass(frozen=True)
class Panel:
    """One plot of a figure: trials, compared by the objective after the same number of images.

    Attributes:
        at: that number of images.
        shown: trials that have a value there.
        scale: factor for the values: 100 shows accuracies in percent.
    """

    at: int
    shown: Sequence[Result]
    scale: int

    def value(self, result: Result) -> float:
        """The trial's value as it is plotted."""
        return self.scale * result.entry.objective_values[self.at]

    @property
    def title(self) -> str:
        """Title of the legend."""
        return f"{count(len(self.shown), 'trial')} at {self.at:,} images"


def panels(results: Sequence[Result], objective: Objective) -> list[Panel]:
    """The plots of a figure: one where all trials have a value, and one at the end of those that went further."""
    scale = 100 if objective.is_share else 1
    return [
        Panel(at, [result for result in results if at in result.entry.objective_values], scale)
        for at in shared_marks(values_by_trial(results))
    ]


def draw(results: Sequence[Result], space: Space, objective: Objective) -> dict[str, bytes]:
    """The figures as PNG, by file name. Each panel compares trials after the same number of images."""
    from matplotlib.figure import Figure

    shown = panels(results, objective)
    if not shown:
        return {}
    figures: dict[str, Any] = {}
    for name, values in space.items():
        figure = figures[f"{short_name(name)}.png"] = Figure(figsize=(6.0 * len(shown), 4.4), layout="constrained")
        for axes, panel in zip(_side_by_side(figure, len(shown)), shown, strict=True):
            _one(axes, panel, name, values, objective)
    for (first, x), (second, y) in itertools.combinations(space.items(), 2):
        file = f"{short_name(first)}-{short_name(second)}.png"
        figure = figures[file] = Figure(figsize=(6.4 * len(shown), 4.8), layout="constrained")
        for axes, panel in zip(_side_by_side(figure, len(shown)), shown, strict=True):
            _pair(figure, axes, panel, (first, second), (x, y), objective)
    files = {}
    for file, figure in figures.items():
        out = io.BytesIO()
        figure.savefig(out, format="png", dpi=120)
        files[file] = out.getvalue()
    return files


def _side_by_side(figure: Any, number: int) -> list[Any]:
    return list(figure.subplots(1, number, squeeze=False)[0])


def _one(axes: Any, panel: Panel, name: str, values: Any, objective: Objective) -> None:
    place = _axis(axes, "x", name, values, panel.shown)
    for state, mark in MARKS.items():
        some = [result for result in panel.shown if result.entry.state == state]
        if not some:
            continue
        x = [place(result.entry.values[name]) for result in some]
        y = [panel.value(result) for result in some]
        bounds = [result.bounds.get(panel.at) for result in some]
        if all(bounds):
            low = [at - panel.scale * bound[0] for at, bound in zip(y, bounds, strict=True) if bound]
            high = [panel.scale * bound[1] - at for at, bound in zip(y, bounds, strict=True) if bound]
            axes.errorbar(x, y, yerr=(low, high), fmt="none", ecolor="0.75", elinewidth=1, zorder=1)
        axes.scatter(x, y, marker=mark, s=46, zorder=2, label=state, edgecolors="none")
    _ring_first(axes, panel.shown, lambda result: (place(result.entry.values[name]), panel.value(result)))
    axes.set_ylabel(objective.metric + (", %" if objective.is_share else ""))
    axes.grid(alpha=0.25, linewidth=0.6)
    _legend(axes, panel.title)


def _pair(
    figure: Any, axes: Any, panel: Panel, names: tuple[str, str], values: tuple[Any, Any], objective: Objective
) -> None:
    place_x = _axis(axes, "x", names[0], values[0], panel.shown)
    place_y = _axis(axes, "y", names[1], values[1], panel.shown)
    shown = [panel.value(result) for result in panel.shown]
    image = None
    for state, mark in MARKS.items():
        some = [result for result in panel.shown if result.entry.state == state]
        if some:
            image = axes.scatter(
                [place_x(result.entry.values[names[0]]) for result in some],
                [place_y(result.entry.values[names[1]]) for result in some],
                c=[panel.value(result) for result in some],
                vmin=min(shown),
                vmax=max(shown),
                cmap="viridis" if objective.mode == "max" else "viridis_r",
                marker=mark,
                s=64,
                label=state,
                edgecolors="none",
            )
    _ring_first(
        axes,
        panel.shown,
        lambda result: (place_x(result.entry.values[names[0]]), place_y(result.entry.values[names[1]])),
    )
    axes.grid(alpha=0.25, linewidth=0.6)
    figure.colorbar(image, ax=axes, label=objective.metric + (", %" if objective.is_share else ""))
    _legend(axes, panel.title)


def _axis(axes: Any, which: str, name: str, values: Any, shown: Sequence[Result]) -> Any:
    """Set up an axis; return the function from a value to its position on it."""
    getattr(axes, f"set_{which}label")(name)
    if isinstance(values, Numbers):
        if values.log:
            getattr(axes, f"set_{which}scale")("log")
        return lambda value: value
    side_by_side = categories(values.values, [result.entry.values[name] for result in shown])
    getattr(axes, f"set_{which}ticks")(range(len(side_by_side)), [show(value) for value in side_by_side])
    return side_by_side.index


def categories(choices: Sequence[object], tried: Sequence[object]) -> list[object]:
    """Values in their order on the axis: trial 0 may have one that is not among the choices."""
    every = list(dict.fromkeys([*choices, *tried]))
    if all(isinstance(value, int | float) and not isinstance(value, bool) for value in every):
        every.sort(key=lambda value: float(str(value)))
    return every


def _ring_first(axes: Any, shown: Sequence[Result], where: Any) -> None:
    """Draw a ring around trial 0, which has the values of the preset."""
    for result in shown:
        if result.entry.number == 0:
            x, y = where(result)
            axes.scatter([x], [y], facecolors="none", edgecolors="crimson", s=150, linewidths=1.6, label="trial 0")


def _legend(axes: Any, title: str) -> None:
    # Above the axes: within them it would hide a trial.
    legend = axes.legend(loc="lower center", bbox_to_anchor=(0.5, 1.0), ncols=4, fontsize=8, frameon=False, title=title)
    for handle in legend.legend_handles:
        if handle.get_label() != "trial 0":
            handle.set_facecolor("0.35")
