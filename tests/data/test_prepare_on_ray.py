"""Machines of a Ray cluster prepare a data set: the same bytes for any number of them, whatever is killed meanwhile."""

import hashlib
import os
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from pathlib import Path

import numpy as np
import pytest
import simplejpeg

from dcgan_dist.data.prepare import main
from dcgan_dist.storage import Place
from tests.harness.processes import Home, Run

pytestmark = [pytest.mark.ray, pytest.mark.system]

PICTURES = 600
OPTIONS = ("--size", "256", "--images-per-shard", "130", "--seed", "3")
TASK = "_make_unit"


@pytest.fixture(scope="module")
def home() -> Iterator[Home]:
    """A cluster, and beside it pictures and the shards that one process makes of them."""
    before = dict(os.environ)
    with Home() as found:
        source = found.work / "photos"
        rng = np.random.default_rng(5)
        for number in range(PICTURES):
            (source / f"{number % 3}").mkdir(parents=True, exist_ok=True)
            pixels = np.repeat(np.repeat(rng.integers(0, 255, (30, 40, 3), np.uint8), 10, 0), 10, 1)
            (source / f"{number % 3}" / f"{number}.jpg").write_bytes(simplejpeg.encode_jpeg(pixels))
        (source / "1" / "broken.jpg").write_bytes(b"nothing")
        assert main([str(source), str(found.work / "whole"), *OPTIONS, "--processes", "1"]) == 0
        # Machines bring credentials of their own.
        os.environ |= {"AWS_ACCESS_KEY_ID": "test", "AWS_SECRET_ACCESS_KEY": "test"}
        found.start_nodes()
        yield found
    os.environ.clear()
    os.environ.update(before)


def contents(folder: Place) -> dict[str, str]:
    return {place.name: hashlib.sha256(place.read_bytes()).hexdigest() for place, _ in folder.files()}


def begin(home: Home, target: str) -> Run:
    assert home.nodes is not None
    command = ["dcgan_dist.data.prepare", str(home.work / "photos"), target, *OPTIONS]
    return Run(home, home.work / Path(target).name, command, command, home.nodes.address)


def tables(folder: Path) -> int:
    return len(list(folder.glob(".prepare/*/*.table")))


@pytest.mark.parametrize("nodes", [1, 2])  # three of them are in the tests that kill
def test_any_number_of_machines_makes_the_same_bytes(home: Home, nodes: int) -> None:
    assert home.nodes is not None
    home.nodes.fill(nodes - 1)
    assert home.nodes.number == nodes - 1
    run = begin(home, str(home.work / f"by-{nodes}"))
    assert run.end() == 0, run.said()
    assert contents(Place(str(run.folder))) == contents(Place(str(home.work / "whole")))


@pytest.mark.parametrize(
    "deaths",
    [
        [
            (Run.kill_driver, lambda folder: tables(folder) >= 2),
            (Run.kill_driver, lambda folder: tables(folder) >= 13),
            (Run.kill_driver, lambda folder: (folder / "train-000001.tar").exists()),
        ],
        [
            (lambda run: run.kill_worker(TASK), lambda folder: tables(folder) >= 5),
            (lambda run: run.kill_machine(TASK), lambda folder: tables(folder) >= 7),
        ],
    ],
    ids=["drivers", "worker-and-machine"],
)
def test_whatever_is_killed_the_bytes_are_those_of_a_call_that_was_not(
    home: Home,
    deaths: Sequence[tuple[Callable[[Run], None], Callable[[Path], bool]]],
    request: pytest.FixtureRequest,
) -> None:
    assert home.nodes is not None
    home.nodes.fill(2)
    run = begin(home, str(home.work / f"killed-{request.node.callspec.id}"))
    for death, there in deaths:
        run.wait("the moment", partial(there, run.folder))
        death(run)
    assert run.end() == 0, run.said()
    assert contents(Place(str(run.folder))) == contents(Place(str(home.work / "whole")))
    assert "Traceback" not in run.said()


def test_a_driver_on_an_object_store_is_killed_and_called_again(home: Home, s3: Place, tmp_path: Path) -> None:
    photos = Place(str(home.work / "photos" / "0"))
    assert main([str(photos), str(tmp_path / "whole"), *OPTIONS, "--processes", "1"]) == 0
    for place, _ in photos.files():
        (s3 / "photos" / place.name).write_bytes(place.read_bytes())
    assert home.nodes is not None
    home.nodes.fill(1)
    command = ["dcgan_dist.data.prepare", f"{s3}/photos", f"{s3}/out", *OPTIONS]
    run = Run(home, home.work / "s3", command, command, home.nodes.address)
    run.wait("some pieces", lambda: len((s3 / "out" / ".prepare").files(recursive=True)) > 3)
    run.kill_driver()
    assert run.end() == 0, run.said()
    assert "continuing after" in run.said()
    found, wanted = contents(s3 / "out"), contents(Place(str(tmp_path / "whole")))
    assert found.keys() == wanted.keys()
    # What is not a shard says where the pictures were.
    assert {name: found[name] for name in found if name.endswith((".tar", ".npz", ".png"))} == {
        name: wanted[name] for name in wanted if name.endswith((".tar", ".npz", ".png"))
    }
