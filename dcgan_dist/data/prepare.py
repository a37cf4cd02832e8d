"""From what publishers ship, or a folder of pictures -> shuffled WebDataset shards of one size, with an index.

    python -m dcgan_dist.data.prepare photos/ shards/ --size 64 --holdout 0.1

The format is recognized, or given by name before the addresses. The work is done by processes of this machine, or by
those of a Ray cluster. The shards are the same bytes on any machines, for any number of processes, and whether or not
the command was interrupted: called again it goes on.
"""

import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from dcgan_dist.cli.arguments import read
from dcgan_dist.cli.invocation import prog
from dcgan_dist.cli.signals import STOPPED, status_after, terminable
from dcgan_dist.cluster.connect import has_address
from dcgan_dist.data.keep_list import load
from dcgan_dist.data.preparation import machines
from dcgan_dist.data.preparation.convert import clean, convert
from dcgan_dist.data.preparation.faces import face_arguments
from dcgan_dist.data.preparation.naming import name_words
from dcgan_dist.data.preparation.opening import open_named
from dcgan_dist.data.preparation.options import PrepareOptions
from dcgan_dist.data.preparation.pieces import FOLDER
from dcgan_dist.data.preparation.processes import ThisProcess, Workers, get_ready
from dcgan_dist.data.preparation.report import next_commands, summary
from dcgan_dist.data.preparation.work import Work, begin, check_target, require_begun
from dcgan_dist.data.readers.registry import READERS, SCENES
from dcgan_dist.errors import DcganDistError, SettingsError, complain
from dcgan_dist.printing import tell
from dcgan_dist.run_folder.driver_lock import sole_driver
from dcgan_dist.storage import place

_BAD_TOLD = 10


def main(arguments: Sequence[str] | None = None) -> int:
    """The command; returns its exit status: 1 where it failed, 2 for wrong input, 130 or 143 after a signal."""
    begun = False
    try:
        with terminable():  # so that `kill` also lets the last shard be and ends the processes that decode
            work = prepare_work(read(PrepareOptions, arguments, prog=prog("prepare"), words="words"))
            begun = True
            for note in work.source.notes:
                say(note)
            if work.record.complete:
                say(f"all {work.record.pictures:,} pictures have been converted before; nothing is left")
            with alone(work), workers_for(work) as workers:
                index, record = convert(work, workers)
            clean(work.target)
    except DcganDistError as error:
        complain(error)
        return 1 if begun and not isinstance(error, SettingsError) else 2
    except STOPPED as stopped:
        goes_on = "the same command continues where it was stopped" if begun else "nothing has been written yet"
        say(f"stopped; {goes_on}")
        return status_after(stopped)
    for key, _, reason in record.bad[:_BAD_TOLD]:
        say(f"left out: {key}: {reason}")
    for line in (*summary(work, record, index), *next_commands(work)):
        tell(line, sys.stdout)
    return 0


def prepare_work(options: PrepareOptions) -> Work:
    """Open the source and begin in the target, or continue there; raises `DcganDistError`."""
    named = name_words(options.words, (*READERS, SCENES), without_address=(SCENES,))
    target = place(named.out)
    check_target(target, [place(address) for address in named.addresses])
    face_arguments(named.faces, options.faces)  # what is wrong with them is told before the source is gone through
    if not has_address(options.workers.address):
        get_ready(options.processes)
    keep = load(place(options.keep)) if options.keep else None
    reader, source = open_named(named, options, keep)
    return begin(options, reader, source, target, faces=named.faces, keep=keep.sha256 if keep else "")


@contextmanager
def alone(work: Work) -> Iterator[None]:
    """See that no other command works on the same target, where its file system has locks.

    Two of them would write the same bytes, but the first that is done deletes the pieces.
    """
    if work.record.complete:
        yield
        return
    with sole_driver(work.target / FOLDER):
        require_begun(work)
        yield


@contextmanager
def workers_for(work: Work) -> Iterator[Workers]:
    """Who does the work, if there is any left."""
    if work.record.complete:
        yield ThisProcess()
        return
    options, scratch = work.options, work.target / FOLDER
    with machines.workers_for(
        options.workers.address, options.processes, scratch, work.source.witness, work.versions
    ) as workers:
        yield workers


def say(line: str) -> None:
    """Tell people, beside the result."""
    tell(line, sys.stderr)


if __name__ == "__main__":
    sys.exit(main())
