"""Whether shards are whole and a run can use them; every image of them is read and decoded.

    python -m dcgan_dist.data.check shards/
    python -m dcgan_dist.data.check "s3://bucket/shards/train-*.tar" --sheets sheets/

Takes shards of ours, whose checksums it compares, and those of others, of which it says what is odd.
"""

import sys
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated

import tyro

from dcgan_dist.bounds import AtLeast, check_bounds, shows_bounds
from dcgan_dist.cli.arguments import drop_output, read
from dcgan_dist.cli.invocation import prog
from dcgan_dist.data.checking.opening import Given, find_given, find_sheets_folder
from dcgan_dist.data.checking.report import Report, report
from dcgan_dist.data.checking.shard import Limits, ShardCheck, check_shard
from dcgan_dist.data.checking.sheets import draw_sheets
from dcgan_dist.data.checking.training import TrainedOn, find_trained_on, refusal
from dcgan_dist.data.preparation.processes import processes
from dcgan_dist.data.preparation.progress import Progress
from dcgan_dist.data.preset_data import training
from dcgan_dist.errors import DcganDistError, at_work, complain
from dcgan_dist.numerals import count
from dcgan_dist.printing import tell
from dcgan_dist.settings import DataSettings
from dcgan_dist.storage import Place

arg = tyro.conf.arg


@shows_bounds
@dataclass(frozen=True)
class CheckOptions:
    """Check shards before a run trains on them: their checksums, and every image.

    Prints counts by split, class and size, unreadable images, exact duplicates, and what is odd. The exit status is 0
    where a run can use them, 1 where it cannot, or where they are not what was written.

    Example: python -m dcgan_dist.data.check shards/ --sheets sheets/
    """

    data: Annotated[str, tyro.conf.Positional, arg(metavar="ADDRESS")]
    """Shards, given as for `train --data`; a folder means the shards of all its splits."""
    sheets: Annotated[str, arg(metavar="FOLDER")] = ""
    """Write contact sheets into this new or empty folder: one of 100 images, and one of 36 images for each class."""
    processes: Annotated[int, AtLeast(0), arg(metavar="N")] = 0
    """Processes that read shards; 0: one per core."""

    def __post_init__(self) -> None:
        check_bounds(self)


def main(arguments: Sequence[str] | None = None) -> int:
    """The command. Returns 0 where a run can use the shards, 1 where it cannot, 2 for wrong input, 130 for Ctrl-C."""
    try:
        options = read(CheckOptions, arguments, prog=prog("check"))
        given = find_given(options.data)
        sheets = find_sheets_folder(options.sheets) if options.sheets else None
        with at_work():
            trained_on = find_trained_on(options.data, given.shards)
            found = check(given, trained_on, options.processes)
            problems = found.problems or list(filter(None, [refusal(trained_on)]))
            for line in (*found.lines, *given.notes, *verdict(problems, trained_on, given.word, found.image_size)):
                tell(line, sys.stdout)
            if sheets is not None and found.good.any():
                draw(found, sheets)
    except BrokenPipeError:
        drop_output()
        return 1
    except KeyboardInterrupt:
        return 130
    except DcganDistError as error:
        complain(error)
        return error.status
    return 1 if problems else 0


def check(given: Given, trained_on: TrainedOn, number: int) -> Report:
    """Read all shards, in so many processes; raises `DataError` where one of these was killed."""
    limits = Limits(DataSettings().max_image_bytes, DataSettings().max_image_pixels)
    found: dict[str, ShardCheck] = {}
    with processes(number) as workers, Progress("checked", "shards", len(given.shards)) as progress:
        for one in workers.each(check_shard, limits, ((shard,) for shard in given.shards)):
            found[one.index.shard] = one
            progress.add(1)
    checks = [found[shard.address] for shard in given.shards]
    return report(checks, given.record, given.checksums, trained_on.shards, given.problems)


def verdict(problems: Sequence[str], trained_on: TrainedOn, word: str, image_size: int | None) -> list[str]:
    """Lines that say whether a run can use shards with these problems, and how it is trained on them."""
    if not problems:
        doubt = [f"odd: {trained_on.doubt}"] if trained_on.doubt else []
        return [
            *doubt,
            "usable: a run can train on these shards",
            f"to train: {training(trained_on.data, word, image_size)}",
        ]
    return [f"not usable: {count(len(problems), 'problem')}", *(f"- {problem}" for problem in problems)]


def draw(found: Report, folder: Place) -> None:
    """Write the contact sheets, and say so; raises `DataError`."""
    assert found.index is not None
    sheets = draw_sheets(found.index, found.digest, found.good, folder)
    tell(f"look at {count(sheets, 'contact sheet')} in {folder}", sys.stdout)


if __name__ == "__main__":
    sys.exit(main())
