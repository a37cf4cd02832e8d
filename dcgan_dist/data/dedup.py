"""Near duplicates among the images of shards -> a list of those to keep, and a page to look at (paper, section 4.1).

    python -m dcgan_dist.data.dedup "shards/train-*.tar" duplicates/
    python -m dcgan_dist.train --data "shards/train-*.tar" --data.keep duplicates/keep.parquet

The work is done by processes of this machine, or by those of a Ray cluster; called again, the command goes on where it
was interrupted. The result is the same for any number of processes and machines.
"""

import sys
from collections.abc import Sequence

from dcgan_dist.cli.arguments import read
from dcgan_dist.cli.invocation import prog
from dcgan_dist.cli.signals import STOPPED, status_after, terminable
from dcgan_dist.data.deduplication.find import find_duplicates
from dcgan_dist.data.deduplication.kept import write_kept_shards
from dcgan_dist.data.deduplication.options import DedupOptions
from dcgan_dist.data.deduplication.record import SCRATCH
from dcgan_dist.data.deduplication.report import summary, write_results
from dcgan_dist.data.deduplication.work import ask, clean, prepare_work
from dcgan_dist.data.preparation.machines import workers_for
from dcgan_dist.data.preparation.packages import installed
from dcgan_dist.errors import DcganDistError, SettingsError, complain
from dcgan_dist.numerals import count
from dcgan_dist.printing import tell
from dcgan_dist.run_folder.driver_lock import sole_driver


def main(arguments: Sequence[str] | None = None) -> int:
    """The command; returns its exit status: 1 where it failed, 2 for wrong input, 130 or 143 after a signal."""
    begun = False
    try:
        with terminable():
            asked = ask(read(DedupOptions, arguments, prog=prog("dedup")))
            options = asked.options
            with workers_for(
                options.workers.address, options.processes, asked.scratch, asked.shards[0], installed(faces=False)
            ) as workers:
                work = prepare_work(asked, workers)
                begun = True
                if not work.record.complete:
                    tell(f"{len(work.images.index):,} images in {count(len(asked.shards), 'shard')}", sys.stderr)
                    with sole_driver(asked.out / SCRATCH):
                        work = write_results(work, find_duplicates(work, workers))
                if options.write_shards:
                    write_kept_shards(work, workers)
            lines = summary(work)
            clean(work)
    except DcganDistError as error:
        complain(error)
        return 1 if begun and not isinstance(error, SettingsError) else 2
    except STOPPED as stopped:
        goes_on = "the same command continues where it was stopped" if begun else "nothing has been written yet"
        tell(f"stopped; {goes_on}", sys.stderr)
        return status_after(stopped)
    for line in lines:
        tell(line, sys.stdout)
    return 0


if __name__ == "__main__":
    sys.exit(main())
