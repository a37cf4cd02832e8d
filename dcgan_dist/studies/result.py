"""The result of a study: a figure, its numbers, and lines for people; and the files that hold them; no Ray."""

import hashlib
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, fields
from typing import Any

from torch import nn

from dcgan_dist.arrays import Pixels
from dcgan_dist.evaluation.results import encode, recipe_sha256
from dcgan_dist.model.pixels import png
from dcgan_dist.monitoring.sinks.tensorboard import picture_file
from dcgan_dist.storage import Place
from dcgan_dist.studies.options import COMMON, StudyOptions
from dcgan_dist.studies.subject import FOLDER, Subject
from dcgan_dist.versions import versions

FORMAT = "dcgan-dist study 1"


@dataclass(frozen=True, eq=False)
class StudyResult:
    """What a study found.

    Attributes:
        figure: uint8 [H, W, 3], for people.
        shows: what the figure shows, in a sentence.
        numbers: what was measured; can be written as JSON.
        lines: the same for people.
        files: others, by the ending of their names.
        to_edit: files for people to change, likewise: they are written only where there are none.
        depends_on: what the result depends on beside the options, such as the content of a file that these name.
    """

    figure: Pixels
    shows: str
    numbers: Mapping[str, Any]
    lines: Sequence[str]
    files: Mapping[str, bytes] = field(default_factory=dict)
    to_edit: Mapping[str, bytes] = field(default_factory=dict)
    depends_on: Mapping[str, Any] = field(default_factory=dict)


def recipe(study: str, subject: Subject, options: StudyOptions) -> dict[str, Any]:
    """All that the result of a study depends on; the discriminator's weights go with the generator's."""
    own = {one.name: getattr(options, one.name) for one in fields(options) if one.name not in COMMON}
    if own["label"] is None:
        del own["label"]  # so that results of versions that knew no classes keep their names
    about = subject.about
    weights = {"generator": about.kind, "generator_sha256": sha256_of(subject.generator)}
    return {"study": study, **weights, "statistics": about.statistics, **own}


def sha256_of(network: nn.Module) -> str:
    """Tells the weights of a network, and its fixed statistics, from others: 16 hexadecimal digits."""
    digest = hashlib.sha256()
    for name, value in network.state_dict().items():
        digest.update(name.encode() + value.cpu().numpy().tobytes())
    return digest.hexdigest()[:16]


def write(study: str, subject: Subject, options: StudyOptions, command: str, result: StudyResult) -> Place:
    """Write the figure and other files, then the numbers, as JSON; returns the place of the figure.

    A run's TensorBoard gets the figure too, where results go to the run: with another folder nothing is written there.

    Another recipe has other names, so that no result is lost for it.

    Args:
        study: its name.
        subject: that was studied.
        options: of the study.
        command: that a person would give.
        result: what it found.

    Raises:
        DataError: a number is not finite, or the store fails.
    """
    about, asked = subject.about, {**recipe(study, subject, options), **result.depends_on}
    name = f"{study}-{about.run}-{about.checkpoint}-{recipe_sha256(asked)[:8]}"
    record = {
        "format": FORMAT,
        **asked,
        "recipe_sha256": recipe_sha256(asked),
        "run": about.run,
        "checkpoint": about.checkpoint,
        "images": about.images,
        "command": command,
        "figure": f"{name}.png",
        "shows": result.shows,
        "files": [f"{name}{ending}" for ending in [*result.files, *result.to_edit]],
        "numbers": dict(result.numbers),
        "lines": list(result.lines),
        "versions": versions("torch", "numpy", "pillow"),
        "written": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
    }
    content = encode(record, f"study {study} on {about.run}")
    figure = subject.out / f"{name}.png"
    shown = png(result.figure, f"{result.shows} {about.caption}")
    figure.write_bytes(shown)
    if subject.run is not None and subject.out == subject.run / FOLDER:
        height, width, _ = result.figure.shape
        events = picture_file(about.images, f"{study}/{asked['generator']}", shown, height, width, result.shows)
        # A folder of its own is a line of its own in TensorBoard: the run may go on, and begin its curves anew.
        (subject.run / "tensorboard" / FOLDER / f"events.out.tfevents.{time.time_ns()}").write_bytes(events)
    for ending, data in result.files.items():
        (subject.out / f"{name}{ending}").write_bytes(data)
    for ending, data in result.to_edit.items():
        if not (subject.out / f"{name}{ending}").exists():
            (subject.out / f"{name}{ending}").write_bytes(data)
    (subject.out / f"{name}.json").write_bytes(content)
    return figure
