"""What test_fuzz.py runs: reads mutated shards and holds what comes of them against what has to come.

`python fuzz.py FOLDER` makes the shards that the others are mutations of; `python fuzz.py FOLDER FIRST END` reads those
from FIRST to END, each of which is made from its number alone.
"""

import io
import json
import re
import signal
import sys
import warnings
from collections import Counter
from pathlib import Path

import numpy as np
from mutations import ANY, BAD, MUTATIONS, SAMPLES, SIZE, Case, bombs, crowd, files_of
from numpy.typing import NDArray
from PIL import Image

from dcgan_dist.data.shards.build_index import index_shard
from dcgan_dist.data.shards.index import concatenate
from dcgan_dist.data.shards.writer import ShardWriter
from dcgan_dist.data.streaming.chunk_reader import ShardPictures, read_chunk
from dcgan_dist.errors import DcganDistError
from dcgan_dist.storage import Place

SHARDS = ("ours", "unlabeled", "webdataset")
MAX_PIXELS = 1 << 20
MAX_BYTES = 1 << 20
HANG_S = 60
"""After so long with one shard a signal ends the process, which fails the test. A shard takes a millisecond."""

Pictures = NDArray[np.uint8]


def make_shards(folder: Path) -> None:
    """Six pictures of every kind, in shards of ours and in one of the real webdataset's."""
    import webdataset  # takes a second, and memory

    rng = np.random.default_rng(0)
    samples = []
    for suffix, side, options in [
        ("jpg", 16, {"quality": 95}),
        ("png", 20, {}),
        ("webp", 16, {"lossless": True}),
        ("jpg", 32, {"progressive": True}),
        ("png", 16, {"bits": 4}),
        ("webp", 24, {}),
    ]:
        pixels = rng.integers(0, 256, (4, 4, 3), np.uint8)
        image = Image.fromarray(pixels).resize((side, side), Image.Resampling.BILINEAR)
        image = image.quantize(16) if "bits" in options else image
        file = io.BytesIO()
        image.save(file, "jpeg" if suffix == "jpg" else suffix, **options)
        samples.append((suffix, file.getvalue()))
    for name in ("ours", "unlabeled"):
        with ShardWriter(Place(str(folder)), name, SAMPLES) as writer:
            for number, (suffix, data) in enumerate(samples):
                labeled = name == "ours"
                writer.add(
                    data,
                    suffix=suffix,
                    label=number + 10 if labeled else None,
                    meta={"number": number} if labeled else None,
                )
        Place(writer.written[0].shard).local_path.rename(folder / f"{name}.tar")
    path = folder / "webdataset.tar"
    with webdataset.TarWriter(str(path), encoder=False, format="PAX_FORMAT", mtime=1.5) as writer:
        for number, (suffix, data) in enumerate(samples):
            key = f"{'folder/' * 20}sample{number}"
            writer.write({"__key__": key, suffix: data, "cls": b"%d" % (number + 10), "json": b'{"a": [1]}'})


def read(path: Path, chunk: bool = True) -> tuple[Pictures, NDArray[np.bool_], list[int], str | None]:
    """Pictures of a shard, which of them are bad, their labels, and how it is torn."""
    part = index_shard(Place(str(path)))
    index = concatenate([part])
    rows = np.arange(len(index))
    out = np.zeros((len(index), SIZE, SIZE, 3), np.uint8)
    source = ShardPictures(index, SIZE, "resize", MAX_PIXELS, MAX_BYTES)
    bad = read_chunk(source, rows, out, rows) if chunk else source.read(rows, out, rows)
    for row in np.flatnonzero(bad)[:SAMPLES]:
        check_sentence(index.names(int(row)))
    return out, bad, index.label.tolist(), part.torn


def check_sentence(text: str) -> None:
    assert text
    assert "\n" not in text, text
    assert len(text) < 1_000, text
    text.encode()


def check_refusal(case: Case, sentence: str) -> set[str]:
    check_sentence(sentence)
    assert case.found is None, sentence
    assert case.whole == 0, sentence
    return {"refused"}


def check(case: Case, path: Path, golden: Pictures, labels: list[int]) -> set[str]:
    """Read a mutated shard and hold the result against what has to come of it; returns what was found."""
    path.write_bytes(case.data)
    try:
        out, bad, read_labels, torn = read(path)
    except DcganDistError as error:
        return check_refusal(case, str(error))
    if torn is not None:
        check_sentence(torn)

    expected = case.found
    if expected is None:
        assert len(out) >= case.whole, f"only {len(out)} of {case.whole} whole samples were found"
        expected = tuple(range(len(out) if case.told else case.whole))
        same = labels[: len(out)] == read_labels
        assert not case.told or torn is not None or (same and len(out) == SAMPLES), "something was lost in silence"
        # Where nothing else tells that there are labels, one image may have lost its own.
        assert not case.told or same or len(out) == 1, f"labels are {read_labels}, not {labels}"
    else:
        assert torn is None, torn
        assert len(out) == len(expected), f"{len(out)} samples instead of {len(expected)}"
        sure = [(read_labels[row], labels[number]) for row, number in enumerate(expected) if number >= 0]
        assert not case.labels or all(one == other for one, other in sure), f"labels are not as they were: {sure}"
    for row, number in enumerate(expected):
        if number == BAD:
            assert bad[row], f"row {row} is not bad"
        elif number != ANY:
            assert not bad[row], f"row {row} is bad"
            assert (out[row] == golden[number]).all(), f"row {row} is not sample {number}"
    return {"torn" if torn else "whole", "bad" if bad.any() else "good"}


def peak_memory() -> int:
    """Most bytes that this process ever had in memory. (`ru_maxrss` counts what its parent had before it, too.)"""
    return int(re.search(r"VmHWM:\s+([0-9]+) kB", Path("/proc/self/status").read_text())[1]) << 10  # type: ignore[index]


def main(folder: Path, first: int, end: int) -> None:
    """Read mutated shards; the last line says what came of them, the one before that on which shard it ended."""
    warnings.simplefilter("ignore")  # Pillow warns of odd EXIF data
    shards = []
    for name in SHARDS:
        out, bad, labels, torn = read(folder / f"{name}.tar")
        assert not bad.any()
        assert torn is None
        assert len({picture.tobytes() for picture in out}) == SAMPLES
        shards.append((files_of((folder / f"{name}.tar").read_bytes()), out, labels))
    bombs()
    before = peak_memory()
    mutations: Counter[str] = Counter()
    outcomes: Counter[str] = Counter()
    for number in range(first, end):
        mutation = MUTATIONS[number % len(MUTATIONS)]
        name, (files, golden, labels) = SHARDS[number // len(MUTATIONS) % 3], shards[number // len(MUTATIONS) % 3]
        print(f"case {number}, {mutation.__name__} of {name}", flush=True)
        signal.alarm(HANG_S)
        case = mutation(np.random.default_rng(number), files)
        outcomes.update(check(case, folder / "mutated.tar", golden, labels))
        mutations[mutation.__name__] += 1
    print("one key", flush=True)
    signal.alarm(HANG_S)
    (folder / "mutated.tar").write_bytes(crowd())
    _, bad, labels, _ = read(folder / "mutated.tar", chunk=False)
    assert bad.all()
    assert labels == [7]
    signal.alarm(0)
    print(json.dumps({"growth_bytes": peak_memory() - before, "mutations": mutations, "outcomes": outcomes}))


if __name__ == "__main__":
    if len(sys.argv) == 2:
        make_shards(Path(sys.argv[1]))
    else:
        main(Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3]))
