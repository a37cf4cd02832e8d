"""How far the judges of samples of scenes are to be trusted (docs/studies.md): on drawn scenes that they did not learn
from, and on 50 samples of each kind that a person has marked.

python -m benchmarks.judges --json benchmarks/results/judges.json

The samples are those of runs of 1,600,000 images; boxes and attributes were marked before a judge had seen them.
`marked/rooms.json` is COCO's format.
"""

import json
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from benchmarks.report import Bar, Report, Table, finish, parser
from dcgan_dist.arrays import Pixels
from dcgan_dist.intervals import wilson
from dcgan_dist.storage import Place
from dcgan_dist.studies.judges.faces import ATTRIBUTES, FaceJudge
from dcgan_dist.studies.judges.rooms import RoomJudge, matching
from dcgan_dist.studies.labels import read_boxes

MARKED: Final = Path(__file__).parent / "marked"
SAMPLES: Final = 50
OBJECTS: Final = ("bed", "window", "door")
"""That are marked."""
HELD_OUT: Final = 0.95
AGREEMENT: Final = 0.9
"""Which shares of right answers are asked for."""


def main(arguments: Sequence[str] | None = None) -> int:
    """The command."""
    options = parser("Let judges of scenes learn, and test them on held-out scenes and marked samples.")
    return finish(find, options.parse_args(arguments).json)


def find() -> Report:
    """Learn, and test."""
    rooms, faces = RoomJudge.learn(), FaceJudge.learn()
    tested = {"rooms": rooms.tested(), "faces": faces.tested()}
    agreed = {**agreement_on_rooms(rooms), **agreement_on_faces(faces)}
    return report(tested, agreed)


def agreement_on_rooms(judge: RoomJudge) -> dict[str, NDArray[np.bool_]]:
    """By name of the object, of which samples the judge found exactly the marked boxes."""
    seen, agreed = judge.see(samples("rooms")), {}
    for name in OBJECTS:
        marked = read_boxes(Place(str(MARKED / "rooms.json")), name, SAMPLES)
        agreed[name] = np.array(matching(seen.boxes(name), [marked.get(number, []) for number in range(SAMPLES)]))
    return agreed


def agreement_on_faces(judge: FaceJudge) -> dict[str, NDArray[np.bool_]]:
    """By attribute, on which samples the judge and the person agree."""
    marks = json.loads((MARKED / "faces.json").read_text())
    seen = judge.see(samples("faces"))
    marked = np.array([[name in marks[str(number)] for name in ATTRIBUTES] for number in range(SAMPLES)])
    return dict(zip(ATTRIBUTES, (seen.attributes == marked).T, strict=True))


def samples(kind: str) -> Pixels:
    """The marked samples, uint8 [50, 32, 32, 3]: rows of ten in the picture."""
    with Image.open(MARKED / f"{kind}.png") as picture:
        rows = np.asarray(picture.convert("RGB")).reshape(5, 32, 10, 32, 3)
    return np.ascontiguousarray(rows.swapaxes(1, 2).reshape(SAMPLES, 32, 32, 3))


def report(tested: dict[str, dict[str, Any]], agreed: dict[str, NDArray[np.bool_]]) -> Report:
    """The table: what is right on held-out scenes, and where judge and person agree."""
    right = {**tested["rooms"]["right"], **tested["faces"]["right"]}
    boxes = tested["rooms"]["boxes"]
    rows: list[Sequence[str | float]] = []
    for name, share in right.items():
        in_boxes = f"{100 * boxes[name]:.1f} %" if name in boxes else ""
        rows.append([name.replace("_", " "), f"{100 * share:.1f} %", in_boxes, _agreement(agreed.get(name))])
    all_boxes, all_attributes = (np.concatenate([agreed[name] for name in names]) for names in (OBJECTS, ATTRIBUTES))
    of_objects = min(min(right[name], boxes[name]) for name in OBJECTS)
    yaw = tested["faces"]
    return Report(
        command="python -m benchmarks.judges",
        tables={
            "judges": Table(["what", "right, held-out scenes", "boxes, held-out scenes", "agrees with marks"], rows)
        },
        rates={
            "yaw_correlation": yaw["yaw_correlation"],
            "yaw_error_degrees": yaw["yaw_error_degrees"],
            "box_agreement": float(all_boxes.mean()),
            "attribute_agreement": float(all_attributes.mean()),
        },
        samples={"tested": tested, "agreed": {name: one.tolist() for name, one in agreed.items()}},
        bars=[
            Bar("beds, windows and doors on held-out scenes, share right, the least", of_objects, HELD_OUT),
            Bar("attributes of faces on held-out scenes, share right, the least", min(yaw["right"].values()), HELD_OUT),
            Bar("agreement with boxes marked on samples", float(all_boxes.mean()), AGREEMENT),
            Bar("agreement with attributes marked on samples", float(all_attributes.mean()), AGREEMENT),
        ],
    )


def _agreement(right: NDArray[np.bool_] | None) -> str:
    if right is None:
        return ""
    low, high = wilson(float(right.mean()), len(right))
    return f"{100 * right.mean():.0f} % [{100 * low:.0f}, {100 * high:.0f}]"


if __name__ == "__main__":
    sys.exit(main())
