"""Images per second from JPEG shards to batches of a training process: our source beside others.

python -m benchmarks.ingest --data FOLDER [--json benchmarks/results/ingest.json]

FOLDER holds shards of 64-pixel JPEGs; they are linked as often as an epoch of 160,000 images needs. Everybody reads
them shuffled, on the same two cores, into uint8 batches of 128 in one consuming process. The contenders take turns; the
slow ones read one epoch a turn, the fast ones six.
"""

import io
import os
import shutil
import sys
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image

from benchmarks.report import Bar, Report, Table, interleave, medians, parser, publish, ratio
from dcgan_dist.data.image_decoding import decode
from dcgan_dist.data.shards.build_index import index_shard
from dcgan_dist.data.shards.index import Index, concatenate
from dcgan_dist.data.streaming.cache import CachedPictures, Gatherer, cache_pictures
from dcgan_dist.data.streaming.chunk_reader import ShardPictures
from dcgan_dist.data.streaming.plan import Plan, cut_slices
from dcgan_dist.storage import Place

SIZE, BATCH, WINDOW, PROCESSES = 64, 128, 4_096, 2
EPOCH_IMAGES = 160_000
MAX_PIXELS = 1 << 24


@dataclass(frozen=True)
class Setting:
    """What all contenders read: the shards, their index, and a copy in litdata's format."""

    shards: list[str]
    index: Index
    litdata: str
    epochs: int
    """Of a turn of the fast contenders."""


def link_shards(source: Path, target: Path) -> list[str]:
    """Link the shards of a folder under new names until they hold an epoch."""
    found = sorted(source.glob("train-*.tar"))
    if not found:
        sys.exit(f"{source} holds no train-*.tar: give the folder of the shards with --data")
    images = sum(len(index_shard(Place(str(path)))) for path in found)
    shards: list[str] = []
    for _ in range(-(-EPOCH_IMAGES // images)):
        for path in found:
            shards.append(str(target / f"train-{len(shards):06d}.tar"))
            os.link(path, shards[-1]) if path.stat().st_dev == target.stat().st_dev else shutil.copy(path, shards[-1])
    return shards


def jpegs(shard: str) -> Iterator[bytes]:
    """The files of a shard, in order."""
    index = index_shard(Place(shard))
    data = Path(shard).read_bytes()
    for offset, size in zip(index.offset.tolist(), index.size.tolist(), strict=True):
        yield data[offset : offset + size]


def decoded(data: bytes) -> torch.Tensor:
    """By our decoder: uint8 [3, S, S]."""
    out = np.empty((SIZE, SIZE, 3), np.uint8)
    decode(data, out, fit="resize", max_pixels=MAX_PIXELS)
    return torch.from_numpy(out).permute(2, 0, 1)


def drain(batches: Iterable[Any], count: Callable[[Any], int]) -> float:
    """Images per second from the first request to the last batch."""
    start = time.perf_counter()
    images = sum(count(batch) for batch in batches)
    return images / (time.perf_counter() - start)


# Ours


def plan_of(index: Index) -> Plan:
    return Plan(cut_slices(index.shard, index.size, WINDOW), BATCH, WINDOW, seed=0)


def consume(shard: Any, steps: int, chunk_steps: int, cached: CachedPictures | None) -> tuple[float, list[float]]:
    """In a process of Ray's: seconds to the first batch, and the wait for each batch after it."""
    from dcgan_dist.data.streaming.batches import batches

    gather = None if cached is None else Gatherer(cached)
    start = time.perf_counter()
    first, waits = 0.0, []
    for batch in batches([shard], BATCH, BATCH, 0, steps, chunk_steps, torch.device("cpu"), gather):
        waited = time.perf_counter() - start
        if batch.images.shape != (BATCH, 3, SIZE, SIZE):
            raise RuntimeError(f"a batch has the shape {tuple(batch.images.shape)}")
        if first:
            waits.append(waited)
        else:
            first = waited
        start = time.perf_counter()
    return first, waits


@dataclass
class Ours:
    """Our source in a running Ray, with what it told of waiting."""

    setting: Setting
    cached: bool = False
    waits: list[tuple[float, list[float]]] = field(default_factory=list)
    pictures: ShardPictures | CachedPictures | None = None

    def __call__(self) -> float:
        import ray

        from dcgan_dist.data.streaming.source import Reading, part_of, split

        index = self.setting.index
        plan = plan_of(index)
        if self.pictures is None:
            shards = ShardPictures(index, SIZE, "resize", MAX_PIXELS, MAX_PIXELS)
            self.pictures = cache_pictures(shards, lambda *_: None) if self.cached else shards
        steps = self.setting.epochs * len(index) // BATCH
        start = time.perf_counter()
        reading = Reading(plan, self.pictures)
        (shard,) = split(ray.put(reading), plan, reading.row_bytes, part_of(plan, 0, steps, 1))
        cached = self.pictures if isinstance(self.pictures, CachedPictures) else None
        result = ray.get(ray.remote(num_cpus=1)(consume).remote(shard, steps, plan.chunk_steps, cached))
        seconds = time.perf_counter() - start
        self.waits.append(result)
        return steps * BATCH / seconds


# Others


def webdataset_reader(setting: Setting, ours: bool) -> float:
    """webdataset in a torch DataLoader with 2 workers, shards and samples shuffled."""
    import webdataset

    pipeline = webdataset.WebDataset(setting.shards, shardshuffle=len(setting.shards), empty_check=False)
    pipeline = pipeline.shuffle(1_000)
    if not ours:
        pipeline = pipeline.decode("torchrgb8")
    pipeline = pipeline.to_tuple("jpg")
    if ours:
        pipeline = pipeline.map_tuple(decoded)
    loader = torch.utils.data.DataLoader(pipeline, batch_size=BATCH, num_workers=PROCESSES)
    return drain(loader, lambda batch: len(batch[0]))


def as_ray_decodes(sample: dict[str, Any]) -> dict[str, Any]:
    """As Ray's own decoder, and to RGB: without that, grey images among colored ones end the run."""
    return sample | {"jpg": np.asarray(Image.open(io.BytesIO(sample["jpg"])).convert("RGB"))}


def ray_reader(setting: Setting, override: bool) -> float:
    """`ray.data.read_webdataset`, files shuffled."""
    import ray

    blocks = {"override_num_blocks": len(setting.shards)} if override else {}
    dataset = ray.data.read_webdataset(
        setting.shards, suffixes=["jpg"], decoder=as_ray_decodes, shuffle="files", **blocks
    )
    return drain(dataset.iter_batches(batch_size=BATCH, batch_format="numpy"), lambda batch: len(batch["jpg"]))


def litdata_items(shard: str) -> Iterator[dict[str, Any]]:
    """The samples of a shard as litdata stores them."""
    for number, data in enumerate(jpegs(shard)):
        yield {"index": number, "jpeg": data}


def write_litdata(shards: list[str], target: str) -> None:
    """The same JPEG bytes in litdata's chunks."""
    import litdata

    litdata.optimize(litdata_items, shards, output_dir=target, chunk_bytes="32MB", num_workers=PROCESSES)


def litdata_images(samples: list[dict[str, Any]]) -> torch.Tensor:
    """A batch, decoded by our decoder in litdata's workers."""
    return torch.stack([decoded(sample["jpeg"]) for sample in samples])


def litdata_reader(setting: Setting) -> float:
    """litdata's StreamingDataset and StreamingDataLoader with 2 workers, shuffled."""
    import litdata

    dataset = litdata.StreamingDataset(setting.litdata, shuffle=True)
    loader = litdata.StreamingDataLoader(
        dataset, batch_size=BATCH, num_workers=PROCESSES, collate_fn=litdata_images, drop_last=False
    )

    def epochs() -> Iterator[torch.Tensor]:
        for _ in range(setting.epochs):
            yield from loader

    return drain(epochs(), len)


def read_part(shards: list[str]) -> int:
    """Read and decode whole shards in order, into one array."""
    out = np.empty((SIZE, SIZE, 3), np.uint8)
    images = 0
    for shard in shards:
        for data in jpegs(shard):
            decode(data, out, fit="resize", max_pixels=MAX_PIXELS)
            images += 1
    return images


def limit(setting: Setting, pool: ProcessPoolExecutor) -> float:
    """Read and decode alone on 2 processes: nothing is shuffled, moved or handed over."""
    parts = [setting.shards[i::PROCESSES] * setting.epochs for i in range(PROCESSES)]
    start = time.perf_counter()
    images = sum(pool.map(read_part, parts))
    return images / (time.perf_counter() - start)


# The report

NAMES = {
    "ours": "dcgan-dist, streamed",
    "cached": "dcgan-dist, cached",
    "webdataset": "webdataset, DataLoader with 2 workers (a)",
    "webdataset, our decoder": "the same with our decoder (a')",
    "ray": "ray.data.read_webdataset (b)",
    "ray, override_num_blocks": "the same with override_num_blocks (b)",
    "litdata": "litdata, same JPEG bytes, our decoder (c)",
    "limit": "read and decode alone, 2 processes (d)",
}


def epoch_end_waits(waits: list[float], epoch_images: int) -> tuple[float, float]:
    """Longest wait for a batch that holds the first image of an epoch; 99th percentile of all other waits."""
    ends = {position // BATCH - 1 for position in range(epoch_images, (len(waits) + 1) * BATCH, epoch_images)}
    at_ends = [wait for i, wait in enumerate(waits) if i in ends]
    elsewhere = [wait for i, wait in enumerate(waits) if i not in ends]
    return max(at_ends), float(np.percentile(elsewhere, 99))


def report(setting: Setting, rounds: int) -> Report:
    """Measure everybody."""
    import ray

    ray.init(num_cpus=1 + PROCESSES, include_dashboard=False, log_to_driver=False, logging_level="ERROR")
    streamed, cached = Ours(setting), Ours(setting, cached=True)
    cold_rate = streamed()
    ((cold, _),) = streamed.waits
    print(f"cold: first batch after {cold:.1f} s, {cold_rate:,.0f} images/s", flush=True)
    streamed.waits.clear()
    start = time.perf_counter()
    cached()
    print(f"cached once in {time.perf_counter() - start:.0f} s", flush=True)
    with ProcessPoolExecutor(PROCESSES) as pool:
        contenders: dict[str, Callable[[], float]] = {
            "ours": streamed,
            "webdataset": partial(webdataset_reader, setting, False),
            "limit": partial(limit, setting, pool),
            "webdataset, our decoder": partial(webdataset_reader, setting, True),
            "cached": cached,
            "ray": partial(ray_reader, setting, False),
            "litdata": partial(litdata_reader, setting),
            "ray, override_num_blocks": partial(ray_reader, setting, True),
        }
        samples = interleave({name: told(name, call) for name, call in contenders.items()}, rounds)
    ray.shutdown()
    ends = [epoch_end_waits(waits, len(setting.index)) for _, waits in streamed.waits]
    rates = medians(samples)
    needed = {
        "webdataset": 5.0,
        "webdataset, our decoder": 2.5,
        "ray": 6.0,
        "ray, override_num_blocks": 3.0,
        "litdata": 0.9,
        "limit": 0.6,
    }
    waited = float(np.median([at_end / elsewhere for at_end, elsewhere in ends]))
    bars = [
        *(Bar(f"streamed over {NAMES[name]}", ratio(samples, "ours", name), at_least=n) for name, n in needed.items()),
        Bar("cached over streamed", ratio(samples, "cached", "ours"), at_least=3.0),
        Bar("seconds to the first batch of a cold run", cold, at_most=8.0),
        Bar("longest wait at an epoch's end over the 99th percentile elsewhere", waited, at_most=1.0),
    ]
    rows = [(NAMES[name], rates[name], ratio(samples, "ours", name)) for name in NAMES]
    table = Table(["reader", "images/s", "ours is times faster"], rows)
    return Report(
        command="python -m benchmarks.ingest --data FOLDER --json benchmarks/results/ingest.json",
        tables={"ingest": table},
        ratios={f"ours over {name}": ratio(samples, "ours", name) for name in NAMES if name != "ours"},
        rates={f"{name}_images_per_s": rate for name, rate in rates.items()} | {"cold_images_per_s": cold_rate},
        samples=samples
        | {
            "epoch_images": len(setting.index),
            "epochs_per_turn": setting.epochs,
            "epoch_end_waits_s": [a for a, _ in ends],
            "p99_waits_s": [b for _, b in ends],
        },
        bars=bars,
    )


def told(name: str, call: Callable[[], float]) -> Callable[[], float]:
    """The same call, with a line about what came out."""

    def measure() -> float:
        rate = call()
        print(f"{name}: {rate:,.0f} images/s", flush=True)
        return rate

    return measure


def main() -> None:
    """The command."""
    options = parser("images per second from shards to batches")
    options.add_argument("--data", type=Path, required=True, metavar="FOLDER", help="shards of 64-pixel JPEGs")
    options.add_argument("--rounds", type=int, default=3, help="turns of each contender")
    options.add_argument("--epochs", type=int, default=6, help="epochs in a turn of the fast contenders")
    given = options.parse_args()
    os.environ |= {"RAY_USAGE_STATS_ENABLED": "0", "RAY_DATA_DISABLE_PROGRESS_BARS": "1", "RAY_DATA_LOG_LEVEL": "ERROR"}
    os.environ.setdefault("RAY_AUTH_MODE", "disabled")
    with tempfile.TemporaryDirectory(prefix="ingest-") as scratch:
        shards = link_shards(given.data, Path(scratch))
        index = concatenate([index_shard(Place(shard)) for shard in shards])
        copy = str(Path(scratch) / "litdata")
        # By default litdata works in /tmp/data and /tmp/chunks, and empties what it finds there.
        os.environ["DATA_OPTIMIZER_CACHE_FOLDER"] = str(Path(scratch) / "litdata-chunks")
        os.environ["DATA_OPTIMIZER_DATA_CACHE_FOLDER"] = str(Path(scratch) / "litdata-data")
        write_litdata(shards, copy)
        publish(report(Setting(shards, index, copy, given.epochs), given.rounds), given.json)


if __name__ == "__main__":
    main()
