"""The second half of the work: images from all pieces become a shard."""

import hashlib
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from dcgan_dist.data.image_decoding import SUFFIXES
from dcgan_dist.data.preparation.pieces import piece_names
from dcgan_dist.data.shards.build_index import index_shard
from dcgan_dist.data.shards.index import ShardIndex
from dcgan_dist.data.shards.tar import BLOCK, END
from dcgan_dist.data.shards.writer import ShardWriter, shard_name
from dcgan_dist.errors import DataError
from dcgan_dist.storage import Place

# On an object store most of the time is waiting.
_REQUESTS = 16

_UNBOUNDED = 1 << 62
_READ_BYTES = 16 << 20


@dataclass(frozen=True)
class ShardPlan:
    """A shard to be written: what it is called, and which images are in it, in their order.

    Attributes:
        split: first part of its name.
        number: of the shard within the split.
        first_image: number of its first image within the split.
        piece: int32 [n], in which piece an image is.
        offset: int64 [n], where it begins there.
        image_bytes: int32 [n].
        meta_bytes: int32 [n], of what is said of it, which follows.
        suffix: int8 [n], number in `SUFFIXES`.
        label: int32 [n].
    """

    split: str
    number: int
    first_image: int
    piece: NDArray[np.int32]
    offset: NDArray[np.int64]
    image_bytes: NDArray[np.int32]
    meta_bytes: NDArray[np.int32]
    suffix: NDArray[np.int8]
    label: NDArray[np.int32]

    def __len__(self) -> int:
        return len(self.piece)

    @property
    def name(self) -> str:
        """Of the shard's file."""
        return shard_name(self.split, self.number)


def write_shard(target: Place, pieces: Place, plan: ShardPlan) -> ShardIndex:
    """Gather the images of a shard and write it.

    Args:
        target: folder of the shards.
        pieces: folder of the pieces.
        plan: of the shard; the images that it has of a piece are neighbors there.

    Raises:
        DataError: a piece is shorter than its table says, or a store fails.
    """
    bodies: list[bytes] = [b""] * len(plan)
    metas: list[bytes] = [b""] * len(plan)
    with ThreadPoolExecutor(1 if pieces.is_local else _REQUESTS) as requests:
        for rows, data in requests.map(lambda rows: (rows, _read(pieces, plan, rows)), _by_piece(plan)):
            begin = int(plan.offset[rows[0]])
            for row in rows.tolist():
                at = int(plan.offset[row]) - begin
                middle = at + int(plan.image_bytes[row])
                bodies[row] = data[at:middle]
                metas[row] = data[middle : middle + int(plan.meta_bytes[row])]
    with ShardWriter(
        target, plan.split, len(plan), max_bytes=_UNBOUNDED, first_shard=plan.number, first_image=plan.first_image
    ) as writer:
        for row, label in enumerate(plan.label.tolist()):
            suffix = SUFFIXES[plan.suffix[row]]
            writer.add(bodies[row], suffix=suffix, label=None if label < 0 else label, meta=metas[row])
            bodies[row] = metas[row] = b""
    return writer.written[0]


def _by_piece(plan: ShardPlan) -> list[NDArray[np.intp]]:
    """Rows of the shard that lie in a piece, for each piece."""
    rows = np.argsort(plan.piece, kind="stable")
    return np.split(rows, np.flatnonzero(np.diff(plan.piece[rows])) + 1)


def _read(pieces: Place, plan: ShardPlan, rows: NDArray[np.intp]) -> bytes:
    """The bytes of a piece from the first of these rows to the last."""
    place = pieces / piece_names(int(plan.piece[rows[0]]))[0]
    lengths = plan.image_bytes[rows].astype(np.int64) + plan.meta_bytes[rows]
    begin, end = int(plan.offset[rows[0]]), int(plan.offset[rows[-1]] + lengths[-1])
    data = place.read_range(begin, end - begin)
    if len(data) != end - begin or int(lengths.sum()) != end - begin:
        raise DataError(f"{place} is damaged: delete {pieces}, and call the command again")
    return data


def find_shard(target: Place, plan: ShardPlan) -> ShardIndex | None:
    """The shard that an earlier call wrote, which did not live to say so; None where the file is something else."""
    shard = target / plan.name
    try:
        found = index_shard(shard)
    except DataError:
        return None
    same = np.array_equal(found.size, plan.image_bytes) and np.array_equal(found.label, plan.label)
    if not same or found.torn is not None or found.shard_bytes != length_of(plan):
        return None
    return replace(found, sha256=sha256_of(shard))


def length_of(plan: ShardPlan) -> int:
    """Bytes of a shard: of each sample a header and a body for its image, for what is said of it, and for its class."""
    blocks = sum(-(-column.astype(np.int64) // BLOCK) + 1 for column in (plan.image_bytes, plan.meta_bytes))
    return int(BLOCK * (np.sum(blocks) + 2 * np.count_nonzero(plan.label >= 0)) + len(END))


def sha256_of(shard: Place) -> str:
    """Checksum of a file, of which only a part is in memory at a time."""
    digest, offset = hashlib.sha256(), 0
    while data := shard.read_range(offset, _READ_BYTES):
        digest.update(data)
        offset += len(data)
    return digest.hexdigest()
