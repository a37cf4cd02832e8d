"""Figures of a sweep: each setting's values against the objective, and each pair of settings."""

import io
import itertools
from collections.abc import Sequence
from typing import Any

from dcgan_dist.errors import SettingsError
from tuning.objective import Objective
from tuning.results import Result
from tuning.space import Numbers, Space, short_name, show

MARKS = {"finished": "o", "cut": "v", "condemned": "X", "failed": "X", "unfinished": "s"}
"""Of a trial, by how it ended."""


def require_matplotlib() -> None:
    """See that Matplotlib is installed; raises `SettingsError`."""
    try:
        import matplotlib  # noqa: F401
    except ImportError as error:
        raise SettingsError(
            "the figures of a sweep need a package that is not installed: pip install 'dcgan-dist[sweep]'"
        ) from error


def draw(results: Sequence[Result], space: Space, objective: Objective, total_images: int) -> dict[str, bytes]:
    """The figures as PNG, by the names of their files.

    Values of trials that were cut early are of younger checkpoints: colour says how old what is shown is.
    """
    from matplotlib.figure import Figure

    shown = [result for result in results if result.entry.value is not None]
    figures: dict[str, Any] = {}
    for name, values in space.items():
        figure = Figure(figsize=(6.4, 4.2), layout="constrained")
        _one(figure, shown, name, values, objective, total_images)
        figures[f"{short_name(name)}.png"] = figure
    for (first, x), (second, y) in itertools.combinations(space.items(), 2):
        figure = Figure(figsize=(6.4, 4.6), layout="constrained")
        _pair(figure, shown, (first, second), (x, y), objective)
        figures[f"{short_name(first)}-{short_name(second)}.png"] = figure
    files = {}
    for file, figure in figures.items():
        out = io.BytesIO()
        figure.savefig(out, format="png", dpi=120)
        files[file] = out.getvalue()
    return files


def _one(figure: Any, shown: Sequence[Result], name: str, values: Any, objective: Objective, total_images: int) -> None:
    axes = figure.subplots()
    place = _axis(axes, "x", name, values, shown)
    scale = 100 if objective.judged else 1
    image = None
    for state, mark in MARKS.items():
        some = [result for result in shown if result.entry.state == state]
        if not some:
            continue
        x = [place(result.entry.values[name]) for result in some]
        y = [scale * (result.entry.value or 0.0) for result in some]
        bounds = [result.bounds for result in some]
        if all(bounds):
            low = [at - scale * bound[0] for at, bound in zip(y, bounds, strict=True) if bound]
            high = [scale * bound[1] - at for at, bound in zip(y, bounds, strict=True) if bound]
            axes.errorbar(x, y, yerr=(low, high), fmt="none", ecolor="0.75", elinewidth=1, zorder=1)
        ages = [result.entry.at / total_images for result in some]
        image = axes.scatter(
            x, y, c=ages, vmin=0, vmax=1, cmap="viridis", marker=mark, s=46, zorder=2, label=state, edgecolors="none"
        )
    _ring_first(axes, shown, lambda result: (place(result.entry.values[name]), scale * (result.entry.value or 0.0)))
    axes.set_ylabel(objective.metric + (", %" if objective.judged else ""))
    axes.grid(alpha=0.25, linewidth=0.6)
    if image is not None:
        figure.colorbar(image, ax=axes, label="judged after this part of the run")
        _legend(axes)


def _pair(
    figure: Any, shown: Sequence[Result], names: tuple[str, str], values: tuple[Any, Any], objective: Objective
) -> None:
    axes = figure.subplots()
    place_x = _axis(axes, "x", names[0], values[0], shown)
    place_y = _axis(axes, "y", names[1], values[1], shown)
    scale = 100 if objective.judged else 1
    found = [scale * (result.entry.value or 0.0) for result in shown]
    image = None
    for state, mark in MARKS.items():
        some = [(result, value) for result, value in zip(shown, found, strict=True) if result.entry.state == state]
        if some:
            image = axes.scatter(
                [place_x(result.entry.values[names[0]]) for result, _ in some],
                [place_y(result.entry.values[names[1]]) for result, _ in some],
                c=[value for _, value in some],
                vmin=min(found),
                vmax=max(found),
                cmap="viridis" if objective.mode == "max" else "viridis_r",
                marker=mark,
                s=64,
                label=state,
                edgecolors="none",
            )
    _ring_first(
        axes, shown, lambda result: (place_x(result.entry.values[names[0]]), place_y(result.entry.values[names[1]]))
    )
    axes.grid(alpha=0.25, linewidth=0.6)
    if image is not None:
        figure.colorbar(image, ax=axes, label=objective.metric + (", %" if objective.judged else ""))
        _legend(axes)


def _axis(axes: Any, which: str, name: str, values: Any, shown: Sequence[Result]) -> Any:
    """Set up an axis; a function from a value to its place on it."""
    getattr(axes, f"set_{which}label")(name)
    if isinstance(values, Numbers):
        if values.log:
            getattr(axes, f"set_{which}scale")("log")
        return lambda value: value
    side_by_side = categories(values.values, [result.entry.values[name] for result in shown])
    getattr(axes, f"set_{which}ticks")(range(len(side_by_side)), [show(value) for value in side_by_side])
    return side_by_side.index


def categories(choices: Sequence[object], found: Sequence[object]) -> list[object]:
    """Values in the order in which they stand side by side: trial 0 may have one that is no choice."""
    every = list(dict.fromkeys([*choices, *found]))
    if all(isinstance(value, int | float) and not isinstance(value, bool) for value in every):
        every.sort(key=lambda value: float(str(value)))
    return every


def _ring_first(axes: Any, shown: Sequence[Result], where: Any) -> None:
    """A ring around the trial that has the values of the preset."""
    for result in shown:
        if result.entry.number == 0:
            x, y = where(result)
            axes.scatter([x], [y], facecolors="none", edgecolors="crimson", s=150, linewidths=1.6, label="trial 0")


def _legend(axes: Any) -> None:
    # Above the axes: within them it would hide a trial.
    legend = axes.legend(loc="lower center", bbox_to_anchor=(0.5, 1.0), ncols=4, fontsize=8, frameon=False)
    for handle in legend.legend_handles:
        if handle.get_label() != "trial 0":
            handle.set_facecolor("0.35")
