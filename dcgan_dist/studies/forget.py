"""Make a generator forget an object (paper, section 6.3.1, figure 6): drop the hidden maps that draw it; no Ray.

Which maps these are, a logistic regression tells from boxes on samples, as in the paper. On scenes, where a judge sees
what samples show, it is counted over new samples what is lost, and what with it (as GAN Dissection measures causes, Bau
et al., 2019). The control is as many maps at random.

Maps are not chosen by what the judge sees without them: that finds maps which blind the judge, while a person still
sees the object.
"""

import hashlib
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Annotated, Any, Final

import numpy as np
import torch
from PIL import Image, ImageDraw
from torch import Tensor

from dcgan_dist.arrays import Pixels
from dcgan_dist.bounds import AtLeast, shows_bounds
from dcgan_dist.errors import SettingsError
from dcgan_dist.model.randomness import stream
from dcgan_dist.storage import place
from dcgan_dist.studies.curve import MISSING, curve
from dcgan_dist.studies.forgotten import Forgotten, changed, compare
from dcgan_dist.studies.hidden_maps import HiddenMaps, hidden_maps
from dcgan_dist.studies.judges.boxes import Box
from dcgan_dist.studies.judges.rooms import OBJECTS, RoomJudge, RoomsSeen
from dcgan_dist.studies.judges.store import Judged, judge_of
from dcgan_dist.studies.labels import read_boxes
from dcgan_dist.studies.layout import joined, labeled_row, large
from dcgan_dist.studies.options import StudyOptions, arg
from dcgan_dist.studies.position_regression import inside, weights_of
from dcgan_dist.studies.result import StudyResult
from dcgan_dist.studies.subject import Subject

COLUMNS: Final = 10
"""Samples in the figure (paper: 10)."""
CONTROLS: Final = 10
"""Random sets of maps; the figure shows what the first one does."""
LEAST_SAMPLES: Final = 5
"""With a box: from fewer, nothing can be learned and tested."""
FEW_BOXES: Final = 50
"""On samples, below which a line says that there are few (paper: 52)."""
CURVE: Final = (1, 2, 4, 8, 16, 32, 64, 128, 256)


@shows_bounds
@dataclass(frozen=True, kw_only=True)
class ForgetOptions(StudyOptions):
    """Make the generator forget an object, by dropping the hidden maps that draw it (paper, figure 6).

    Example: python -m dcgan_dist.study forget scenes32 --object window
    """

    object: Annotated[str, arg(metavar="NAME")] = "window"
    """What is to be forgotten: on drawn rooms bed, window, door, lamp or picture; or a label of your boxes."""
    boxes: Annotated[str, arg(metavar="FILE.json")] = ""
    """Boxes on samples, as COCO's JSON or that of Label Studio, drawn on what `dcgan_dist.sample --single` wrote with
    the same seed. Empty: on drawn rooms, they are found."""
    samples: Annotated[int, AtLeast(LEAST_SAMPLES), arg(metavar="N")] = 150
    """Samples that are labeled: the first ones of the seed (paper: 150)."""
    layer: Annotated[int, AtLeast(1), arg(metavar="N")] = 2
    """Hidden layer whose maps are dropped, counted from the image (paper: the second highest)."""
    maps: Annotated[int, AtLeast(0), arg(metavar="N")] = 0
    """Maps that are dropped by weight, the largest first; 0: all whose weight is above 0 (paper)."""
    measured: Annotated[int, AtLeast(10), arg(metavar="N")] = 1_000
    """Other samples, on which it is measured what is lost."""


def forget(subject: Subject, options: ForgetOptions, say: Callable[[str], None]) -> StudyResult:
    """Choose maps, draw without them, and measure what is lost."""
    hidden = hidden_maps(subject, options.layer)
    if options.maps > hidden.count:
        raise SettingsError(f"maps is {options.maps}, but the layer has {hidden.count} maps")
    drawn = read_boxes(place(options.boxes), options.object, options.samples) if options.boxes else None
    judged = _judge(subject, options, say)
    depends_on = _depends_on(options, judged)
    z = subject.generator.latents(options.samples + options.measured, options.seed)
    labeled, new = hidden.see(z[: options.samples]), hidden.see(z[options.samples :])
    images = hidden.draw(labeled)
    boxes = _found(judged, images, options.object) if drawn is None else drawn
    shown = _usable(boxes, hidden.side, options)
    say("finding maps")
    where = np.stack([inside(boxes[number], hidden.side) for number in shown])
    weights = weights_of(labeled[shown], where, options.seed)
    order = torch.argsort(-weights, stable=True).tolist()
    by_weight = order[: options.maps or int((weights > 0).sum())]
    random = stream(options.seed, "random maps")
    controls = [random.permutation(hidden.count)[: len(by_weight)].tolist() for _ in range(CONTROLS)]
    sets: dict[str, list[int]] = {"by weight": by_weight, "random": controls[0]}
    files: dict[str, bytes] = {}
    numbers: dict[str, Any] = {
        "layer": {"maps": hidden.count, "side": hidden.side},
        "labeled": {"samples": options.samples, "with_boxes": len(shown), "boxes": sum(map(len, boxes.values()))},
        "by_weight": {"maps": by_weight, "weights": weights[by_weight].tolist()},
    }
    if judged is None:
        numbers["changed"] = {
            name: changed(images[shown], hidden.draw(labeled[shown], hidden.without(maps)), [boxes[i] for i in shown])
            for name, maps in sets.items()
        }
        lines = [_changed_line(name, numbers["changed"][name]) for name in sets]
        if numbers["labeled"]["boxes"] < FEW_BOXES:
            lines.append(
                f"note: {numbers['labeled']['boxes']} boxes are few, so that the maps are chosen nearly at random: the "
                "paper had 52"
            )
    else:
        assert isinstance(judged.judge, RoomJudge)
        before = hidden.draw(new)
        seen = judged.judge.see(before)
        if not seen.present[:, OBJECTS.index(options.object)].any():
            raise SettingsError(
                f"the judge sees no {options.object} on any of the {options.measured:,} other samples, so that none "
                "can be lost: give a larger number by --measured, another object, or train for longer"
            )
        measure = _Measure(hidden, judged.judge, new, before, seen, options.object)
        say(f"measuring on {options.measured:,} other samples")
        found = {name: measure.of(maps) for name, maps in sets.items()}
        numbers |= {
            "judge": judged.tested,
            "by_weight": numbers["by_weight"] | found["by weight"].numbers(),
            "random": [found["random"].numbers(), *(measure.of(maps).numbers() for maps in controls[1:])],
            "curve": {
                name: [measure.of(maps[:k]).brief() | {"maps": k} for k in CURVE if k <= len(maps)]
                for name, maps in {"by_weight": order, "random": controls[0]}.items()
            },
        }
        lines = _lines(options.object, numbers)
        drawn_curve = curve(_points(numbers["curve"]), "maps dropped", f"samples that show a {options.object}")
        if drawn_curve is None:
            lines.append(MISSING)
        else:
            files["-curve.svg"] = drawn_curve
    return StudyResult(
        figure=_figure(images, boxes, shown, hidden, _examples(judged, hidden, new, options.object), sets),
        shows=f"Above {min(COLUMNS, len(shown))} labeled samples with their boxes. Below, others: with all maps, then "
        f"without maps chosen {', '.join(sets)}.",
        numbers=numbers,
        lines=lines,
        files=files,
        depends_on=depends_on,
    )


@dataclass(frozen=True, eq=False)
class _Measure:
    """Tells what is lost on samples that are drawn without some maps.

    Attributes:
        maps: hidden maps of the samples.
        before: what is drawn with all of them, uint8 [n, S, S, 3].
        seen: what the judge sees on that.
        name: of the object.
    """

    hidden: HiddenMaps
    judge: RoomJudge
    maps: Tensor
    before: Pixels
    seen: RoomsSeen
    name: str

    def of(self, dropped: Collection[int]) -> Forgotten:
        after = self.hidden.draw(self.maps, self.hidden.without(dropped))
        return compare(self.before, after, self.seen, self.judge.see(after), self.name)


def _judge(subject: Subject, options: ForgetOptions, say: Callable[[str], None]) -> Judged | None:
    """The judge of rooms, where there is one and it knows the object."""
    if options.boxes:
        return judge_of(subject, say, only="rooms") if options.object in OBJECTS else None
    judged = judge_of(subject, say, only="rooms", check=lambda judge: _require_known(options.object))
    if judged is None:
        raise SettingsError(
            f"study forget has no boxes for {subject.about.run}, and finds some itself only on samples of a run that "
            "was trained on drawn rooms of at least 32 pixels: draw boxes on samples, and give --boxes FILE.json"
        )
    return judged


def _require_known(name: str) -> None:
    if name not in OBJECTS:
        raise SettingsError(f"object is {name!r} but needs to be one of {', '.join(OBJECTS)}")


def _found(judged: Judged | None, images: Pixels, name: str) -> dict[int, list[Box]]:
    assert judged is not None
    assert isinstance(judged.judge, RoomJudge)
    return {number: boxes for number, boxes in enumerate(judged.judge.see(images).boxes(name)) if boxes}


def _usable(boxes: Mapping[int, Sequence[Box]], side: int, options: ForgetOptions) -> list[int]:
    """Numbers of the samples that have positions both inside and outside their boxes."""
    masks = {number: inside(some, side) for number, some in boxes.items()}
    usable = [number for number, mask in masks.items() if mask.any() and not mask.all()]
    if len(usable) < LEAST_SAMPLES:
        raise SettingsError(
            f"only {len(usable)} of {options.samples} samples show a {options.object} that takes at least one of the "
            f"{side} x {side} positions of the maps, and not all: {LEAST_SAMPLES} are needed; label more samples, and "
            "give --samples"
        )
    return usable


def _depends_on(options: ForgetOptions, judged: Judged | None) -> dict[str, Any]:
    found = {} if judged is None else {"judge_sha256": judged.sha256}
    if options.boxes:
        content = place(options.boxes).read_bytes()
        found["boxes_sha256"] = hashlib.sha256(content).hexdigest()[:16]
    return found


def _examples(judged: Judged | None, hidden: HiddenMaps, new: Tensor, name: str) -> Tensor:
    """Maps of the first new samples for the figure: of those that show the object, where that is known."""
    if judged is None:
        return new[:COLUMNS]
    assert isinstance(judged.judge, RoomJudge)
    seen = judged.judge.see(hidden.draw(new)).present[:, OBJECTS.index(name)]
    return new[torch.from_numpy(seen)][:COLUMNS]


def _figure(
    images: Pixels,
    boxes: Mapping[int, Sequence[Box]],
    shown: Sequence[int],
    hidden: HiddenMaps,
    examples: Tensor,
    sets: Mapping[str, Collection[int]],
) -> Pixels:
    boxed = np.stack([_with_boxes(large(images[number]), boxes[number]) for number in shown[:COLUMNS]])
    rows = [
        labeled_row(boxed, "labeled samples"),
        labeled_row(_large(hidden.draw(examples)), "other samples, all maps"),
    ]
    for name, maps in sets.items():
        drawn = hidden.draw(examples, hidden.without(maps))
        rows.append(labeled_row(_large(drawn), f"the same, without {len(maps)} maps, {name}"))
    return joined(rows, axis=0)


def _large(images: Pixels) -> Pixels:
    return np.stack([large(image) for image in images])


def _with_boxes(picture: Pixels, boxes: Sequence[Box]) -> Pixels:
    """With red outlines."""
    drawn = Image.fromarray(picture)
    for box in boxes:
        left, top, right, bottom = (edge * len(picture) for edge in box)
        ImageDraw.Draw(drawn).rectangle((left, top, right - 1, bottom - 1), outline="red")
    return np.asarray(drawn)


def _points(curves: Mapping[str, Sequence[Mapping[str, Any]]]) -> dict[str, list[tuple[int, float]]]:
    """Samples that show the object over the number of maps; none where no sample shows it with all maps."""
    return {
        name.replace("_", " "): [(one["maps"], one["left"]) for one in points if one["left"] is not None]
        for name, points in curves.items()
    }


def _lines(name: str, numbers: Mapping[str, Any]) -> list[str]:
    one, left = numbers["by_weight"], [control["left"] for control in numbers["random"]]
    if one["left"] is None:
        return [f"no sample shows a {name}, so that nothing can be lost"]
    kept = ", ".join(f"{other} {share:.0%}" for other, share in one["kept"].items() if share is not None)
    return [
        f"without {len(one['maps'])} of {numbers['layer']['maps']} maps: {name}s on {one['after']:,} samples, before "
        f"on {one['before']:,}; of the samples that showed them still show: {kept}",
        f"without as many maps at random: {name}s on {np.mean(left):.0%} as many samples in the mean of {len(left)} "
        f"draws, {min(left):.0%} in the worst",
    ]


def _changed_line(name: str, found: Mapping[str, float]) -> str:
    return f"{name}: pixels change by {found['inside']:.1f} levels inside the boxes, by {found['outside']:.1f} outside"
