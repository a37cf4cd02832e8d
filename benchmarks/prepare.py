"""From photographs to shards: how fast, in how much memory, and from a tar of tars in place.

python -m benchmarks.prepare --json benchmarks/results/prepare.json

20,000 photographs of 384 x 256 pixels are made of those in $DCGAN_DIST_DATA/rooms256. `python -m
dcgan_dist.data.prepare` and the ways of `benchmarks/prepare_ways.py` make JPEGs of 64 pixels of them, each as a whole
command with two processes; only `limit` counts nothing but the work. All files are in the cache of the system. Memory
is that of all processes of the command, on more and more images of 8 pixels. No picture leaves the machine: the report
holds numbers alone.
"""

import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path

from benchmarks.ingest import told
from benchmarks.longrun import memory_of
from benchmarks.prepare_files import TINY, link, nest, unpack, write_photographs, write_tiny
from benchmarks.prepare_ways import PROCESSES, SIZE
from benchmarks.report import Bar, Cell, Report, Table, finish, interleave, medians, parser, ratio
from dcgan_dist.data.preparation.opening import open_source
from dcgan_dist.data.preparation.pieces import cut
from dcgan_dist.data.shards.addresses import expand
from dcgan_dist.data.shards.build_index import index_shard
from dcgan_dist.errors import DataError
from dcgan_dist.storage import Place

ROOT = Path(__file__).parents[1]
SOURCE = "$DCGAN_DIST_DATA/rooms256/bedrooms-*.tar"
TINY_SHARD = 10_000
"""Images of a shard of tiny ones."""
TIMES = (1, 4, 16)
LOOK_S = 0.05
"""Between two looks at the memory of a command."""

WAYS = {
    "ours": "dcgan-dist",
    "torchvision": "torchvision: ImageFolder, Resize, CenterCrop, Pillow's JPEG (a)",
    "img2dataset": "as img2dataset: OpenCV's decoder, INTER_AREA and encoder (b)",
    "limit": "decode, resize and encode alone, from memory (c)",
}
NEEDED = {"torchvision": 2.0, "img2dataset": 1.1, "limit": 0.7}
NESTED = {
    "in place, read": "in place: listed and read",
    "unpacked, read": "unpacked, then listed and read",
    "in place, prepared": "in place: the whole command",
    "unpacked, prepared": "unpacked, then the whole command",
}
NEEDED_NESTED = 1.5


@dataclass(frozen=True)
class Peak:
    """The most memory that a command had at a time, in MB; what processes share counts once.

    Attributes:
        all: its processes together.
        command: its first process.
        worker: the largest of those that this one has started.
    """

    all: float = 0.0
    command: float = 0.0
    worker: float = 0.0

    def with_look(self, command: float, others: Sequence[float]) -> "Peak":
        """After one more look: what its first process had, and each of the others."""
        return Peak(
            max(self.all, command + sum(others)),
            max(self.command, command),
            max(self.worker, *others, 0.0),
        )


def main(arguments: Sequence[str] | None = None) -> int:
    """The command: 0, 1 where a command failed, 2 where data is missing; missed bars are in its table."""
    options = parser("Measure how shards are prepared: speed beside other ways, memory, tars of tars in place.")
    options.add_argument("--images", type=int, default=20_000, help="photographs")
    options.add_argument("--rounds", type=int, default=3, help="turns of each way")
    options.add_argument("--tiny", type=int, default=2 * TINY_SHARD, help="images of 8 pixels in the smallest set")
    given = options.parse_args(arguments)
    with tempfile.TemporaryDirectory(prefix="prepare-") as scratch:
        return finish(partial(find, Path(scratch), given.images, given.rounds, given.tiny), given.json)


def find(scratch: Path, images: int, rounds: int, tiny: int) -> Report:
    """Make what is read, and measure everything.

    Raises:
        DataError: the photographs are missing, or a way has lost some.
        CalledProcessError: a command failed.
    """
    photographs, nested = scratch / "photographs", scratch / "nested.tar"
    write_photographs([shard.local_path for shard in expand(SOURCE)], photographs, images)
    nest(photographs, nested)
    turns: list[dict[str, Callable[[Path], int | Path]]] = [
        {
            "ours": partial(prepare, photographs),
            "torchvision": partial(go, "torchvision", photographs),
            "img2dataset": partial(go, "img2dataset", photographs),
        },
        {
            "in place, read": lambda out: read(nested),
            "unpacked, read": lambda out: read(unpack(nested, out)),
            "in place, prepared": partial(prepare, nested),
            "unpacked, prepared": lambda out: prepare(unpack(nested, out), out / "shards"),
        },
    ]
    beside, in_place = (
        {name: told(name, partial(rate, work, scratch / "turn", images)) for name, work in some.items()}
        for some in turns
    )
    beside["limit"] = told("limit", partial(limit, photographs))
    samples = interleave(beside, rounds) | interleave(in_place, rounds)
    return report(samples, measure_memory(scratch, tiny), images)


# What is measured: each gets a folder that is empty, and says how many images there are, or where they are


def prepare(source: Path, out: Path) -> Path:
    """Our command."""
    run([*preparing(source, out), f"--size={SIZE}"])
    return out


def go(way: str, source: Path, out: Path) -> Path:
    """Another way, see `benchmarks/prepare_ways.py`."""
    run(["-m", "benchmarks.prepare_ways", way, str(source), str(out)])
    return out


def read(source: Path) -> int:
    """List and read all pictures with our reader of whatever it is, in this process; how many there are."""
    _, opened = open_source("", [Place(str(source))], ())
    units = cut(opened.samples, streamed=opened.streamed, size=SIZE)
    parts = [opened.samples.take(rows) for unit in units for rows in unit]
    return sum(isinstance(picture, bytes) for part in parts for picture in opened.fetch(opened.files, part))


def limit(source: Path) -> float:
    """Images per second of the work alone."""
    return float(run(["-m", "benchmarks.prepare_ways", "limit", str(source)]))


def preparing(source: Path, out: Path) -> list[str]:
    """What Python is given for our command."""
    return ["-m", "dcgan_dist.data.prepare", str(source), str(out), f"--processes={PROCESSES}"]


def run(arguments: Sequence[str]) -> str:
    """Give a command; what it prints. Raises `CalledProcessError` where it fails."""
    command = [sys.executable, *arguments]
    return subprocess.run(command, cwd=ROOT, env=environment(), stdout=subprocess.PIPE, text=True, check=True).stdout


def environment() -> dict[str, str]:
    """Of commands: no Ray cluster is joined."""
    return {name: value for name, value in os.environ.items() if name != "RAY_ADDRESS"}


def rate(work: Callable[[Path], int | Path], out: Path, images: int) -> float:
    """Images per second of some work; raises `DataError` where it has not made all of them."""
    out.mkdir()
    os.sync()  # what the one before has written is not to be waited for
    start = time.perf_counter()
    made = work(out)
    seconds = time.perf_counter() - start
    found = made if isinstance(made, int) else images_in(made)
    if found != images:
        raise DataError(f"{found:,} of {images:,} images have been made: see what was said above")
    shutil.rmtree(out)
    return images / seconds


def images_in(folder: Path) -> int:
    """Of all tars there."""
    return sum(len(index_shard(Place(str(shard)))) for shard in folder.glob("*.tar"))


# Memory


def measure_memory(scratch: Path, tiny: int) -> dict[int, Peak]:
    """Peaks of our command by how many images of 8 pixels it was given, 16 times `tiny` at most."""
    shard_images = min(tiny, TINY_SHARD)
    shard = write_tiny(scratch / "tiny", shard_images)
    peaks = {}
    for times in TIMES:
        source, out = scratch / f"tiny-{times}", scratch / "tiny-shards"
        shards = times * tiny // shard_images
        link(shard, source, shards)
        peaks[shards * shard_images] = peak = peak_of([*preparing(source, out), f"--size={TINY}"])
        print(f"{shards * shard_images:,} images of {TINY} pixels: {peak}", flush=True)
        if (found := images_in(out)) != shards * shard_images:
            raise DataError(f"{found:,} of {shards * shard_images:,} images have been made: see what was said above")
        shutil.rmtree(out)
    return peaks


def peak_of(arguments: Sequence[str]) -> Peak:
    """Look at a command's memory until it ends; raises `CalledProcessError` where it fails."""
    command = [sys.executable, *arguments]
    peak = Peak()
    # In a session of its own, by which its processes are found.
    with subprocess.Popen(
        command, cwd=ROOT, env=environment(), stdout=subprocess.DEVNULL, start_new_session=True
    ) as process:
        while process.poll() is None:
            found = {}
            for pid in session(process.pid):
                with suppress(OSError, StopIteration):  # it has just ended
                    found[pid] = memory_of(pid)
            peak = peak.with_look(found.pop(process.pid, 0.0), list(found.values()))
            time.sleep(LOOK_S)
    if process.returncode:
        raise subprocess.CalledProcessError(process.returncode, command)
    return peak


def session(leader: int) -> list[int]:
    """The processes of a session."""
    found = []
    for entry in Path("/proc").glob("[0-9]*"):
        with suppress(OSError):
            if os.getsid(int(entry.name)) == leader:
                found.append(int(entry.name))
    return found


# The report


def bytes_a_sample(peaks: Mapping[int, Peak]) -> float:
    """What one more sample takes: from the second largest set to the largest."""
    fewer, most = sorted(peaks)[-2:]
    return (peaks[most].all - peaks[fewer].all) * 1e6 / (most - fewer)


def report(samples: Mapping[str, Sequence[float]], peaks: Mapping[int, Peak], images: int) -> Report:
    """The report from what was measured.

    Args:
        samples: images per second of each turn, by the names of `WAYS` and `NESTED`.
        peaks: of memory, by the number of images.
        images: photographs that each turn was given.
    """
    rates = medians(samples)
    ratios = {f"ours over {name}": ratio(samples, "ours", name) for name in NEEDED}
    ratios |= {
        f"{what} in place over unpacked": ratio(samples, f"in place, {what}", f"unpacked, {what}")
        for what in ("read", "prepared")
    }
    a_sample = bytes_a_sample(peaks)
    ways: list[list[Cell]] = [[WAYS[name], rates[name], ratio(samples, "ours", name)] for name in WAYS]
    nested: list[list[Cell]] = [[told, rates[name]] for name, told in NESTED.items()]
    memory: list[list[Cell]] = [
        [number, round(peak.all), round(peak.command), round(peak.worker)] for number, peak in sorted(peaks.items())
    ]
    return Report(
        command="python -m benchmarks.prepare --json benchmarks/results/prepare.json",
        tables={
            "prepare": Table(["from photographs to shards", "images/s", "ours is times faster"], ways),
            "prepare-nested": Table(["a tar of tars", "images/s"], nested),
            "prepare-memory": Table(
                [
                    "images",
                    "MB at most, all processes",
                    "MB at most, the command",
                    "MB at most, a process that decodes",
                ],
                memory,
            ),
        },
        ratios=ratios,
        rates={f"{name}_images_per_s": value for name, value in rates.items()} | {"state_bytes_a_sample": a_sample},
        samples={**samples, "images": images, "memory_mb": {number: asdict(peak) for number, peak in peaks.items()}},
        bars=[
            *(
                Bar(f"whole command over {WAYS[name]}", ratios[f"ours over {name}"], at_least=least)
                for name, least in NEEDED.items()
            ),
            Bar(
                "a tar of tars read in place over unpacked and read",
                ratios["read in place over unpacked"],
                at_least=NEEDED_NESTED,
            ),
        ],
    )


if __name__ == "__main__":
    sys.exit(main())
