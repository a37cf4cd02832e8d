"""The state of a run, read from its folder alone, also while it runs and on object storage:

python -m dcgan_dist.status NAME
python -m dcgan_dist.status s3://bucket/runs/NAME
"""

import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated

import tyro

from dcgan_dist.cli.arguments import drop_output, read
from dcgan_dist.cli.invocation import prog
from dcgan_dist.errors import DcganDistError, complain
from dcgan_dist.monitoring.run_status import describe, read_standing
from dcgan_dist.printing import tell
from dcgan_dist.run_folder.naming import find_run

arg = tyro.conf.arg


@dataclass(frozen=True)
class StatusOptions:
    """Show the state of a run: progress, speed, checkpoints, and what interruptions cost."""

    run: Annotated[str, tyro.conf.Positional, arg(metavar="RUN")]
    """The run: its name in the storage, or the address of its folder on a disk or in an object store."""
    storage: Annotated[str, arg(metavar="ADDRESS")] = "runs"
    """Where to look for a run that is given by name."""


def main(arguments: Sequence[str] | None = None) -> int:
    """The command. Returns 0, or 2 where the folder is no run."""
    try:
        options = read(StatusOptions, arguments, prog=prog("status"))
        run = find_run(options.run, options.storage).place
        for line in describe(run, read_standing(run), time.time()):
            tell(line, sys.stdout)
    except BrokenPipeError:
        drop_output()
    except DcganDistError as error:
        complain(error)
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main())
