"""What is to be done: the samples of a source, and what an earlier call wanted of them."""

import hashlib
import os
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace

import numpy as np

from dcgan_dist.data.preparation.arrange import splits_of
from dcgan_dist.data.preparation.encoding import ImageFormat
from dcgan_dist.data.preparation.faces import face_arguments
from dcgan_dist.data.preparation.make import Making
from dcgan_dist.data.preparation.options import PrepareOptions
from dcgan_dist.data.preparation.packages import installed
from dcgan_dist.data.preparation.pieces import FOLDER
from dcgan_dist.data.preparation.record import KEEP, RECORD_FILE, Record, earlier, identity
from dcgan_dist.data.readers.source import Samples, Source
from dcgan_dist.data.shards.index import DATASET_FILE, INDEX_FILE, Index
from dcgan_dist.errors import DataError, SettingsError
from dcgan_dist.settings import DataSettings
from dcgan_dist.storage import Place, require_lasting

# All keys at once, as Python's text, would be larger than the list of samples.
_KEYS = 65_536
_SHARDS_NAMED = 3

# On an object store most of the time is waiting.
_REQUESTS = 16


@dataclass(frozen=True)
class Work:
    """What is to be done, checked and begun.

    Attributes:
        options: of the call.
        source: what is prepared.
        target: folder of the shards.
        splits: names of those that there will be, in the order in which they are written.
        record: what an earlier call has left, or what this one has begun.
        faces: whether faces in the pictures become the images.
    """

    options: PrepareOptions
    source: Source
    target: Place
    splits: tuple[str, ...]
    record: Record
    faces: bool = False

    @property
    def pieces(self) -> Place:
        """Folder of the pieces: those of another source, of other options or other versions are not taken for them."""
        return self.target / FOLDER / identity(self.record, self.versions)

    @property
    def versions(self) -> dict[str, str]:
        """Of the packages that make images."""
        return installed(faces=self.faces)

    @property
    def making(self) -> Making:
        """What all pieces have in common."""
        options, limits = self.options, DataSettings()
        form = ImageFormat(
            options.size, options.fit, options.channels, options.encode, options.quality,
            limits.max_image_bytes, limits.max_image_pixels,
        )  # fmt: skip
        source = self.source
        return Making(
            self.pieces, source.files, source.fetch, source.classes, form,
            options.seed, options.holdout, len(source.splits), options.faces if self.faces else None,
        )  # fmt: skip


def check_target(target: Place, addresses: Sequence[Place]) -> None:
    """See that shards can be written into a folder, before the source is gone through.

    Raises:
        SettingsError: it holds something else, or lies in the source.
        DataError: what is written there would not last.
    """
    require_lasting(target, "the target")
    for where in addresses:
        real, inside = _real(target), _real(where)
        if real == inside or real.startswith(f"{inside.rstrip('/')}/"):
            raise SettingsError(f"the target {target} is in {where}, which is to be read: choose one outside of it")
    children = target.children()
    if children and RECORD_FILE not in children:
        raise SettingsError(f"the target {target} is not empty, it holds {min(children)}: choose a new folder")


def _real(place: Place) -> str:
    """The address behind links."""
    return os.path.realpath(place.local_path) if place.is_local else place.address


def begin(
    options: PrepareOptions, reader: str, source: Source, target: Place, *, faces: bool = False, keep: str = ""
) -> Work:
    """Begin in a folder that was checked, or continue what an earlier call has begun there.

    Args:
        options: of the call.
        reader: name of the reader, which is recorded.
        source: what it found.
        target: folder of the shards.
        faces: whether faces in the pictures become the images.
        keep: SHA-256 of the keep-list; empty: there is none.

    Raises:
        SettingsError: pictures cannot be held out, faces cannot be found here, or the target was begun with other
            arguments.
        DataError: the pictures have changed since the earlier call, or a file that holds some was written again.
    """
    notes = source.notes
    splits = splits_of(source.splits, source.where, len(source.samples), options.holdout)
    arguments = {"reader": reader, **options.decide_bytes(), **face_arguments(faces, options.faces)}
    if keep:
        arguments[KEEP] = keep
    record = Record(arguments, listing_sha256(source), len(source.samples), files=file_versions(source.files))
    if RECORD_FILE in target.children():
        record = earlier(target, record)
        if record.complete and (lost := lost_shards(target)):
            # Checksums stay: a shard that has changed since is not taken for what was written.
            record = replace(record, complete=False, bad=(), without_face=None, without_room=None)
            some = f"{', '.join(lost[:_SHARDS_NAMED])}{', ...' if len(lost) > _SHARDS_NAMED else ''}"
            notes = (*notes, f"made again, since missing or of another length than they were written with: {some}")
    else:
        target.make_folder()
        record.save(target)
    return Work(options, replace(source, notes=notes), target, splits, record, faces)


def require_begun(work: Work) -> None:
    """See that a folder is still the one that was begun, by who works on it alone now; raises `DataError` if not."""
    found = Record.load(work.target)
    if (found.arguments, found.listing) != (work.record.arguments, work.record.listing):
        raise DataError(f"{work.target} was begun by another command meanwhile: choose another target")


def lost_shards(target: Place) -> list[str]:
    """Files of a complete target that are not there any more, or not whole; raises `DataError` where a store fails."""
    there = target.children()
    lost = [name for name in (DATASET_FILE, INDEX_FILE) if name not in there]
    if lost:
        return lost
    index = Index.load(target)
    lengths = {Place(shard).name: length for shard, length in zip(index.shards, index.shard_bytes, strict=True)}
    found = {name: info.size for name, info in there.items() if info is not None}
    return [name for name, length in lengths.items() if found.get(name) != length]


def file_versions(files: Sequence[Place]) -> dict[str, str] | None:
    """Address and version of those that are files and not folders; None where none is. Raises `DataError`."""

    def look(file: Place) -> tuple[str, str] | None:
        return (file.address, file.info().version) if file.is_file() else None

    with ThreadPoolExecutor(1 if all(file.is_local for file in files) else _REQUESTS) as requests:
        return dict(filter(None, requests.map(look, files))) or None


def listing_sha256(source: Source) -> str:
    """Changes with every sample: its key, place, size, split, label, attributes; with names of splits and classes; and
    with whether files are streamed, on which it depends what the pieces are.

    It does not change with where the source lies, so that a copy of it is continued with.
    """
    samples: Samples = source.samples
    digest = hashlib.sha256(repr((source.streamed, source.splits, source.classes, sorted(samples.attributes))).encode())
    for first in range(0, len(samples), _KEYS):
        digest.update("".join(f"{key}\0" for key in samples.key[first : first + _KEYS].to_pylist()).encode())
    for column in (samples.file, samples.offset, samples.size, samples.split, samples.label):
        digest.update(np.ascontiguousarray(column).tobytes())
    for _, values in sorted(samples.attributes.items()):
        digest.update(np.ascontiguousarray(values).tobytes())
    return digest.hexdigest()
