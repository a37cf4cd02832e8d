"""What a report tells to do for a number that is not there yet. Pure."""

from collections.abc import Sequence
from dataclasses import dataclass

from dcgan_dist.cli.invocation import command_line
from dcgan_dist.data.scenes.builtin import EMBEDDED
from dcgan_dist.evaluation.service.online import FEATURES
from dcgan_dist.reporting.run_files import RunFiles


@dataclass(frozen=True)
class Advice:
    """What to do.

    Attributes:
        says: what is missing, in words that begin small.
        command: a shell line that makes it, to be pasted as it is; "" where the run itself will.
        note: what the words in capitals in the command stand for.
    """

    says: str
    command: str = ""
    note: str = ""


def advice(files: RunFiles, tasks: Sequence[str]) -> Advice:
    """How a run comes by a result of a task.

    Args:
        tasks: of the run's probe.
    """
    settings = files.settings
    if settings is not None and settings.supervised.task:
        features = "finetuned" if settings.supervised.begin_with else "supervised"
        again = command_line("evaluate", str(files.place), "--tasks", settings.supervised.task, "--features", features)
        return Advice(
            "no network has been trained anew by this run's settings and put to the test; this command does that", again
        )
    if tasks and files.standing.record["status"] == "running":
        return Advice(f"no checkpoint has been evaluated on {tasks[0]} yet")
    note = ""
    if tasks:
        task = tasks[0]
    elif settings is not None and settings.data.path == EMBEDDED and settings.data.scenes == "rooms":
        task = "rooms"
    elif settings is None or (settings.networks.image_size, settings.networks.channels) == (32, 3):
        task = "cifar10"
    else:
        task = "NAME=FOLDER"
        note = (
            f"FOLDER stands for a folder with labeled images of {settings.networks.image_size} pixels, NAME for what "
            "you call them."
        )
    again = command_line("evaluate", str(files.place), "--tasks", task, "--features", FEATURES)
    return Advice("no probe has been evaluated; this command does that", again, note)
