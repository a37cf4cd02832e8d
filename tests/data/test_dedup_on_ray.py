"""Machines of a Ray cluster look for duplicates: the same results for any number of them, whatever is killed."""

import hashlib
import json
import os
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from pathlib import Path

import numpy as np
import pytest
import simplejpeg

from dcgan_dist.data.dedup import main
from dcgan_dist.data.keep_list import load
from dcgan_dist.data.shards.index import concatenate
from dcgan_dist.data.shards.writer import ShardWriter
from dcgan_dist.storage import Place
from tests.harness.processes import Home, Run

pytestmark = [pytest.mark.ray, pytest.mark.system]

IMAGES, PER_SHARD = 720, 16
OPTIONS = ("--sample", "300", "--seed", "4")
TASK = "make_thumbnails"


def images() -> Iterator[bytes]:
    """Every third one is a copy of the one before, as a smaller file; large enough that decoding takes a while."""
    rng = np.random.default_rng(5)
    pixels = np.empty(0)
    for number in range(IMAGES):
        if number % 3 < 2:
            pixels = np.repeat(np.repeat(rng.integers(0, 255, (24, 24, 3), np.uint8), 32, 0), 32, 1)
        yield simplejpeg.encode_jpeg(pixels, quality=60 if number % 3 == 2 else 90)


@pytest.fixture(scope="module")
def home() -> Iterator[Home]:
    """A cluster, and beside it shards and what one process finds in them."""
    before = dict(os.environ)
    with Home() as found:
        folder = Place(str(found.work / "shards"))
        with ShardWriter(folder, "train", PER_SHARD) as writer:
            for image in images():
                writer.add(image, label=None)
        concatenate(writer.written).save(folder)
        assert main([str(folder), str(found.work / "whole"), *OPTIONS, "--processes", "1"]) == 0
        # Machines bring credentials of their own.
        os.environ |= {"AWS_ACCESS_KEY_ID": "test", "AWS_SECRET_ACCESS_KEY": "test"}
        found.start_nodes()
        yield found
    os.environ.clear()
    os.environ.update(before)


def contents(folder: Place) -> dict[str, str]:
    return {place.name: hashlib.sha256(place.read_bytes()).hexdigest() for place, _ in folder.files()}


def begin(home: Home, data: str, out: str) -> Run:
    assert home.nodes is not None
    command = ["dcgan_dist.data.dedup", data, out, *OPTIONS]
    return Run(home, home.work / Path(out).name, command, command, home.nodes.address)


def test_what_is_found_is_what_was_planted(home: Home) -> None:
    keep = load(Place(str(home.work / "whole" / "keep.parquet")))
    assert np.flatnonzero(~keep.kept).tolist() == list(range(2, IMAGES, 3))


@pytest.mark.parametrize("nodes", [1, 2])  # three of them are in the tests that kill
def test_any_number_of_machines_finds_the_same(home: Home, nodes: int) -> None:
    assert home.nodes is not None
    home.nodes.fill(nodes - 1)
    assert home.nodes.number == nodes - 1
    run = begin(home, str(home.work / "shards"), str(home.work / f"by-{nodes}"))
    assert run.end() == 0, run.said()
    assert contents(Place(str(run.folder))) == contents(Place(str(home.work / "whole")))


def files(folder: Path, kind: str) -> int:
    return sum(path.is_file() for path in (folder / "cache" / kind).rglob("*"))


@pytest.mark.parametrize(
    "deaths",
    [
        [
            (Run.kill_driver, lambda folder: files(folder, "thumbnails") >= 3),
            (Run.kill_driver, lambda folder: files(folder, "codes") >= 2),
            (Run.kill_driver, lambda folder: files(folder, "pairs") >= 2),
        ],
        [
            (lambda run: run.kill_worker(TASK), lambda folder: files(folder, "thumbnails") >= 5),
            (lambda run: run.kill_machine(TASK), lambda folder: files(folder, "thumbnails") >= 7),
        ],
    ],
    ids=["drivers", "worker-and-machine"],
)
def test_whatever_is_killed_the_result_is_that_of_a_call_that_was_not(
    home: Home,
    deaths: Sequence[tuple[Callable[[Run], None], Callable[[Path], bool]]],
    request: pytest.FixtureRequest,
) -> None:
    assert home.nodes is not None
    home.nodes.fill(2)
    run = begin(home, str(home.work / "shards"), str(home.work / f"killed-{request.node.callspec.id}"))
    for death, there in deaths:
        run.wait("the moment", partial(there, run.folder))
        death(run)
    assert run.end() == 0, run.said()
    assert contents(Place(str(run.folder))) == contents(Place(str(home.work / "whole")))
    assert "Traceback" not in run.said()


def test_a_driver_on_an_object_store_is_killed_and_called_again(home: Home, s3: Place) -> None:
    for place, _ in Place(str(home.work / "shards")).files():
        (s3 / "shards" / place.name).write_bytes(place.read_bytes())
    assert home.nodes is not None
    home.nodes.fill(1)
    run = begin(home, f"{s3}/shards", f"{s3}/out")
    run.wait("some thumbnails", lambda: len((s3 / "out" / "cache" / "thumbnails").names()) > 3)
    run.kill_driver()
    assert run.end() == 0, run.said()
    found, wanted = contents(s3 / "out"), contents(Place(str(home.work / "whole")))
    assert found.keys() == wanted.keys()
    # The page, and with it what tells it from others, says where the data is.
    for name in ("keep.parquet", "autoencoder.safetensors"):
        assert found[name] == wanted[name], name
    records = [
        json.loads((folder / "dedup.json").read_bytes()) for folder in (s3 / "out", Place(str(home.work / "whole")))
    ]
    pages = [record["found"].pop("page") for record in records]
    assert records[0] == records[1]
    assert pages[0] != pages[1]
