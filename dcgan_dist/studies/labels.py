"""Boxes that a person drew on samples, with an annotation tool: COCO's JSON, or that of Label Studio; no Ray."""

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from dcgan_dist.errors import SettingsError
from dcgan_dist.storage import MissingFile, Place
from dcgan_dist.studies.judges.boxes import Box

SLACK = 0.005
"""Share of the side by which a box may reach out of its image: tools round."""

_NUMBER = re.compile(r"(?<![0-9a-z])(\d{6,9})\.(?:png|jpe?g|webp)$", re.IGNORECASE)
"""Of a sample, at the end of its file's name: as `sample --single` writes it; tools put things before it. Digits that
end something else, as the 1 of `000012_1.png` and those of a hash, are no number of a sample."""


def read_boxes(file: Place, label: str, samples: int) -> dict[int, list[Box]]:
    """The boxes with one label, by the number of the sample; samples without any are left out.

    Args:
        file: of COCO ("images", "annotations", "categories"), or what Label Studio exports as JSON (a list of tasks).
        label: of the boxes.
        samples: how many there are.

    Raises:
        SettingsError: the file is missing, or is of neither kind; no box has the label; a box is of no sample, or lies
            outside its image, or is turned; two images have the number of one sample.
    """
    try:
        content = json.loads(file.read_bytes())
    except MissingFile as error:
        raise SettingsError(f"boxes is {file}, which is not there") from error
    except (ValueError, RecursionError) as error:
        raise SettingsError(f"boxes is {file}, which is no JSON ({error})") from error
    try:
        if isinstance(content, dict) and content.keys() >= {"images", "annotations", "categories"}:
            drawn = list(_of_coco(content))
        elif isinstance(content, list):
            drawn = list(_of_label_studio(content))
        else:
            raise SettingsError(
                f"boxes is {file}, which is neither COCO's JSON (images, annotations, categories) nor that of Label "
                "Studio (a list of tasks): export one of them"
            )
    except (KeyError, TypeError, ValueError, AttributeError, ArithmeticError) as error:
        raise SettingsError(
            f"boxes is {file}, in which something is missing or is of another kind ({type(error).__name__}: {error}): "
            "export it again as COCO's JSON, or as that of Label Studio"
        ) from error
    labels = sorted({name for name, *_ in drawn})
    if label not in labels:
        raise SettingsError(f"{file} has no box labeled {label!r}; it has {', '.join(labels) or 'none at all'}")
    found: dict[int, list[Box]] = {}
    images: dict[int, str] = {}
    for name, image, box, rotation in drawn:
        if name == label:
            if rotation:
                raise SettingsError(f"{file}: a box on {image} is turned by {rotation:g} degrees: draw it upright")
            number = _sample(file, image, samples)
            if (other := images.setdefault(number, image)) != image:
                raise SettingsError(
                    f"{file} has boxes on {other} and on {image}, which are of the same number: leave one of them out, "
                    "since boxes on other samples are no boxes on these"
                )
            found.setdefault(number, []).append(_inside(file, image, box))
    return dict(sorted(found.items()))


Drawn = tuple[str, str, Box, float]
"""Label, file of the image, box in fractions of the sides, rotation in degrees."""


def _of_coco(content: Mapping[str, Any]) -> Iterator[Drawn]:
    names = {one["id"]: str(one["name"]) for one in content["categories"]}
    images = {one["id"]: one for one in content["images"]}
    for one in content["annotations"]:
        image = images[one["image_id"]]
        width, height = float(image["width"]), float(image["height"])
        left, top, across, down = (float(edge) for edge in one["bbox"])
        box = (left / width, top / height, (left + across) / width, (top + down) / height)
        yield names[one["category_id"]], str(image["file_name"]), box, 0.0


def _of_label_studio(tasks: Sequence[Mapping[str, Any]]) -> Iterator[Drawn]:
    for task in tasks:
        (image,) = task["data"].values() if len(task["data"]) == 1 else (task["data"]["image"],)
        for annotation in task["annotations"]:
            if annotation.get("was_cancelled"):
                continue
            for one in annotation["result"]:
                if one["type"] == "rectanglelabels":
                    value = one["value"]
                    left, top, across, down = (float(value[name]) / 100 for name in ("x", "y", "width", "height"))
                    for name in value["rectanglelabels"]:
                        rotation = float(value.get("rotation", 0))
                        yield str(name), str(image), (left, top, left + across, top + down), rotation


def _sample(file: Place, image: str, samples: int) -> int:
    number = _NUMBER.search(image)
    if number is None or int(number[1]) >= samples:
        raise SettingsError(
            f"{file} has a box on {image}, which is none of {samples} samples: files of samples end in their number, "
            f"000000.png to {samples - 1:06}.png, as `sample --single` writes them; --samples says how many there are"
        )
    return int(number[1])


def _inside(file: Place, image: str, box: Box) -> Box:
    """The box, cut at the edges of the image."""
    if not (min(box) >= -SLACK and max(box) <= 1 + SLACK and box[0] < box[2] and box[1] < box[3]):
        shown = ", ".join(f"{100 * edge:.1f} %" for edge in box)
        raise SettingsError(f"{file}: the box from left, top to right, bottom {shown} of {image} is not inside it")
    x0, y0, x1, y1 = (min(1.0, max(0.0, edge)) for edge in box)
    return x0, y0, x1, y1
