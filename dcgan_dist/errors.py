"""The failures that a user can cause or mend. The text of each is one sentence that the commands print as it is.

Anything else that is raised is a defect of ours and keeps its traceback.
"""

import sys


class DcganDistError(Exception):
    """Parent of all failures whose text is meant for the user."""


class SettingsError(DcganDistError):
    """A setting is unknown, of the wrong type, or impossible together with another one."""


class DataError(DcganDistError):
    """Images or shards are missing, unreadable or too bad to train on."""


class CheckpointError(DcganDistError):
    """A checkpoint or a file of weights is missing, torn, or does not fit the settings."""


class TrainingError(DcganDistError):
    """A step failed in a dry run, or training went wrong and the user wished to stop then."""


class ClusterError(DcganDistError):
    """The cluster cannot give what the run needs, or a part of it was lost for good."""


def complain(error: DcganDistError | str) -> None:
    """Tell the user on stderr what a command ends with, the same way for all commands: `error: SENTENCE`."""
    encoding = sys.stderr.encoding or "ascii"
    text = " ".join(str(error).split())
    print(f"error: {text.encode(encoding, 'backslashreplace').decode(encoding)}", file=sys.stderr, flush=True)
