"""Where each image goes: which shards there are, and what is in each, once all pieces are made."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from dcgan_dist.data.preparation.gather import ShardPlan
from dcgan_dist.data.preparation.pieces import Table
from dcgan_dist.data.splits import TEST
from dcgan_dist.errors import SettingsError
from dcgan_dist.numerals import count


@dataclass(frozen=True)
class Everything:
    """The rows of all pieces, in the order of the shards; bad ones are not among `order`.

    Attributes:
        columns: of all rows, piece after piece, as in `Table`, and `piece`, the number of the piece.
        order: int64 [n], rows of the images in the order of the shards, split after split.
        reasons: of the bad ones, by row.
    """

    columns: dict[str, NDArray[np.generic]]
    order: NDArray[np.int64]
    reasons: dict[int, str]


def splits_of(splits: Sequence[str], where: str, pictures: int, holdout: float) -> tuple[str, ...]:
    """Names of the splits that there will be; the one of what is held out comes last.

    Args:
        splits: of the source.
        where: it is, for messages.
        pictures: how many it has.
        holdout: share of them that is held out.

    Raises:
        SettingsError: pictures cannot be held out.
    """
    if holdout and len(splits) > 1:
        raise SettingsError(
            f"holdout is {holdout:g} but {where} is split already, into {', '.join(splits)}: leave "
            "--holdout out, or take one of them by --split"
        )
    if holdout and tuple(splits) == (TEST,):
        raise SettingsError(f"holdout is {holdout:g} but split is {TEST}, which is what held-out pictures are called")
    if not holdout:
        return tuple(splits)
    for name, share in ((TEST, holdout), (splits[0], 1 - holdout)):
        if share * pictures < 1:
            raise SettingsError(none_left(holdout, pictures, where, name))
    return (*splits, TEST)


def none_left(holdout: float, pictures: int, where: str, split: str) -> str:
    """What is said where holding out leaves a split without pictures."""
    return (
        f"holdout is {holdout:g} but that leaves none of the {pictures:,} pictures in {where} to {split}: give another "
        "share"
    )


def unite(tables: Sequence[Table]) -> Everything:
    """All rows, and their order: within a split that of `order_of`, whatever pieces they are in."""
    columns = {name: np.concatenate([table.columns[name] for table in tables]) for name in tables[0].columns}
    columns["piece"] = np.repeat(np.arange(len(tables), dtype=np.int32), [len(table) for table in tables])
    reasons: dict[int, str] = {}
    first = 0
    for table in tables:
        reasons |= {first + row: reason for row, reason in table.reasons.items()}
        first += len(table)
    order = np.lexsort((columns["row"], columns["order"], columns["split"]))
    good = columns["image_bytes"][order] > 0
    return Everything(columns, order[good].astype(np.int64), reasons)


def plan_shards(everything: Everything, splits: Sequence[str], shard_images: int) -> list[ShardPlan]:
    """The shards, split after split; each but the last of a split has `shard_images` images."""
    columns, plans = everything.columns, []
    split = columns["split"][everything.order]
    for number, name in enumerate(splits):
        rows = everything.order[split == number]
        for shard, first in enumerate(range(0, len(rows), shard_images)):
            here = rows[first : first + shard_images]
            plans.append(
                ShardPlan(
                    name,
                    shard,
                    first,
                    **{
                        column: columns[column][here]
                        for column in ("piece", "offset", "image_bytes", "meta_bytes", "suffix", "label")
                    },
                )
            )
    return plans


def same_in_two(everything: Everything, splits: Sequence[str], keys: pa.Array) -> list[str]:
    """Lines about images of a split that are, byte for byte in the source, in one before it too.

    Args:
        everything: all rows.
        splits: their names.
        keys: of the source's samples.
    """
    if len(splits) < 2:
        return []
    rows = everything.order
    high, low = everything.columns["digest"][rows], everything.columns["digest_low"][rows]
    split = everything.columns["split"][rows]
    by_content = np.lexsort((np.arange(len(rows)), low, high))
    same = (high[by_content][1:] == high[by_content][:-1]) & (low[by_content][1:] == low[by_content][:-1])
    group = np.concatenate([[0], np.cumsum(~same)])
    # The rows of a group stand in the order of the shards, so the first one's split is the first that has the picture.
    first = by_content[np.searchsorted(group, group)]
    again = split[by_content] != split[first]
    notes = []
    for one in range(len(splits)):
        for other in range(one + 1, len(splits)):
            found = np.flatnonzero(again & (split[first] == one) & (split[by_content] == other))
            if len(found):
                pair = [keys[int(everything.columns["row"][rows[where[found[0]]]])] for where in (by_content, first)]
                notes.append(
                    f"the same in two splits: {count(len(found), 'picture')} of {splits[other]} also in "
                    f"{splits[one]}, byte for byte, for example {pair[0]} and {pair[1]}"
                )
    return notes
