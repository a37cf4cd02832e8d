"""The errors that a user can cause or fix. The text of each is one sentence that the commands print as it is.

Anything else that is raised is a defect of ours and keeps its traceback.
"""

import sys
from collections.abc import Iterator
from contextlib import contextmanager

from dcgan_dist.printing import tell


class DcganDistError(Exception):
    """Parent of all failures whose text is meant for the user.

    Attributes:
        status: exit status of a command that ends with it: 2 for wrong input, 1 for what fails later.
    """

    status = 2


@contextmanager
def at_work() -> Iterator[None]:
    """What fails within the block is no wrong input any more: the exit status is 1."""
    try:
        yield
    except DcganDistError as error:
        error.status = 1
        raise


class SettingsError(DcganDistError):
    """A setting is unknown, of the wrong type, or impossible together with another one."""


class DataError(DcganDistError):
    """Images or shards are missing, unreadable or too bad to train on."""


class CheckpointError(DcganDistError):
    """A checkpoint or a file of weights is missing, torn, or does not fit the settings."""


class TrainingError(DcganDistError):
    """A step failed in a dry run, or training went wrong and the user wished to stop then."""

    status = 1


class ClusterError(DcganDistError):
    """The cluster cannot give what the run needs, or a part of it was lost for good."""


def complain(error: DcganDistError | str) -> None:
    """Tell the user on stderr what a command ends with, the same way for all commands: `error: SENTENCE`."""
    tell(f"error: {' '.join(str(error).split())}", sys.stderr)
