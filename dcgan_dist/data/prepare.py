"""A folder of pictures -> shuffled WebDataset shards of one size, with an index.

    python -m dcgan_dist.data.prepare photos/ shards/ --size 64 --holdout 0.1

Pictures in subfolders, `photos/CLASS/...`, get the subfolder as their class; those in `photos/train/CLASS/...` and
`photos/test/CLASS/...` are of these splits, with one list of classes. The shards are the same bytes on any machine, for
any number of processes, and whether or not the command was interrupted: called again it goes on.
"""

import signal
import sys
from collections.abc import Sequence
from types import FrameType

from dcgan_dist.cli.arguments import read
from dcgan_dist.cli.invocation import prog
from dcgan_dist.data.preparation.convert import convert
from dcgan_dist.data.preparation.options import PrepareOptions
from dcgan_dist.data.preparation.report import next_commands, summary
from dcgan_dist.data.preparation.work import begin
from dcgan_dist.data.readers.registry import READERS
from dcgan_dist.errors import DcganDistError, complain
from dcgan_dist.monitoring.sinks.terminal import printable

_BAD_TOLD = 10


def main(arguments: Sequence[str] | None = None) -> int:
    """The command; returns its exit status: 1 where it failed, 2 for wrong input, 130 or 143 after a signal."""
    stopped_by = signal.SIGINT

    def stop(number: int, frame: FrameType | None) -> None:
        nonlocal stopped_by
        stopped_by = signal.Signals(number)
        raise KeyboardInterrupt

    # So that `kill` also lets the last shard be and ends the processes that decode.
    before = signal.signal(signal.SIGTERM, stop)
    begun = False
    try:
        work = begin(read(PrepareOptions, arguments, prog=prog("prepare")), READERS["folder"])
        begun = True
        for line in work.told:
            print(line, file=sys.stderr)
        if work.record.is_complete:
            print(f"all {work.record.pictures:,} pictures have been converted before; nothing is left", file=sys.stderr)
        elif work.record.done:
            print(f"continuing after {work.record.done:,} of {work.record.pictures:,} pictures", file=sys.stderr)
        index, record = convert(work)
    except DcganDistError as error:
        complain(error)
        return 1 if begun else 2
    except KeyboardInterrupt:
        goes_on = (
            "the same command continues after the last complete shard" if begun else "nothing has been written yet"
        )
        print(f"stopped; {goes_on}", file=sys.stderr)
        return 128 + stopped_by
    finally:
        signal.signal(signal.SIGTERM, before)
    for name, reason in record.bad[:_BAD_TOLD]:
        print(f"left out: {name}: {reason}", file=sys.stderr)
    lines = [*summary(work, record, index), *next_commands(work)]
    print(printable("\n".join(lines), sys.stdout))
    return 0


if __name__ == "__main__":
    sys.exit(main())
