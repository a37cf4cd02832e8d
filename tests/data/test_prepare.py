import hashlib
import io
import json
import os
import signal
import subprocess
import sys
import tarfile
import time
from collections.abc import Callable
from contextlib import nullcontext
from dataclasses import replace
from functools import partial
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest
import webdataset
from PIL import Image

from dcgan_dist.cli.invocation import command_line
from dcgan_dist.data import keep_list, prepare
from dcgan_dist.data.preparation import convert, machines, make
from dcgan_dist.data.preparation.options import PrepareOptions, WorkersOptions
from dcgan_dist.data.preparation.pieces import FOLDER
from dcgan_dist.data.preparation.record import Record
from dcgan_dist.data.prepare import alone, main, prepare_work
from dcgan_dist.data.shards.addresses import expand
from dcgan_dist.data.shards.build_index import index_shard
from dcgan_dist.data.shards.index import Index, find_index
from dcgan_dist.errors import DataError
from dcgan_dist.run_folder.driver_lock import sole_driver
from dcgan_dist.storage import Place

COMMAND = [sys.executable, "-m", "dcgan_dist.data.prepare"]


def photos(folder: Path, number: int = 12, classes: tuple[str, ...] = ("cat", "dog", "hen"), size: int = 40) -> Path:
    """`number` pictures, each of one color, spread over class folders unevenly; without classes in one folder."""
    for i in range(number):
        name = classes[min(i % 4, len(classes) - 1)] if classes else "."
        (folder / name).mkdir(parents=True, exist_ok=True)
        kind = ("jpg", "png", "webp")[i % 3]
        Image.new("RGB", (size + i, size), (i * 20 % 256, 255 - i, i)).save(folder / name / f"{i:03d}.{kind}")
    return folder


def run(*arguments: object) -> int:
    return main([*map(str, arguments), "--processes", "1"])


def digests(folder: Path) -> dict[str, str]:
    return {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in sorted(folder.glob("*.tar"))}


def samples(folder: Path) -> list[dict[str, bytes]]:
    return list(webdataset.WebDataset([str(shard) for shard in expand(str(folder))], shardshuffle=False))


def test_neither_torch_nor_ray_is_loaded_without_a_cluster(tmp_path: Path) -> None:
    look = (
        "import sys; from dcgan_dist.data.prepare import main; main(sys.argv[1:]); "
        "print({'torch', 'ray', 'scipy'} & set(sys.modules))"
    )
    source, out = photos(tmp_path / "photos"), tmp_path / "out"
    command = [sys.executable, "-c", look, source, out, "--size=16", "--processes=1"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=True)
    assert (out / convert.SHEET_FILE).is_file()
    assert done.stdout.splitlines()[-1] == "set()"


def test_class_folders_become_labels_with_names(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    source, out = photos(tmp_path / "photos"), tmp_path / "out"
    assert run(source, out, "--size", 16, "--images-per-shard", 5) == 0
    index = Index.load(Place(str(out)))
    assert index.classes == ("cat", "dog", "hen")
    assert index.image_size == 16
    assert np.bincount(index.label).tolist() == [3, 3, 6]
    assert [int(n) for n in np.bincount(index.shard)] == [5, 5, 2]
    for sample in samples(out):
        name = json.loads(sample["json"])["source"]
        assert index.classes[int(sample["cls"])] == name.partition("/")[0]
        number = int(Path(name).stem)
        pixels = np.asarray(Image.open(io.BytesIO(sample["jpg"])))
        assert pixels.shape == (16, 16, 3)
        assert np.abs(pixels.astype(int) - (number * 20 % 256, 255 - number, number)).max() <= 6
    assert Image.open(out / "contact-sheet.png").size == (13 * (4 * 18 - 2), 13 * (3 * 18 - 2))
    assert "12 images of 3 classes in 3 shards" in capsys.readouterr().out


@pytest.mark.parametrize("names", [("a.jpg", "b.jpg"), ("one/a.jpg", "one/b.jpg"), ("one/a.jpg", "b.jpg")])
def test_without_class_folders_there_are_no_labels(tmp_path: Path, names: tuple[str, ...]) -> None:
    for name in names:
        (tmp_path / "in" / name).parent.mkdir(parents=True, exist_ok=True)
        Image.new("RGB", (16, 16)).save(tmp_path / "in" / name)
    assert run(tmp_path / "in", tmp_path / "out", "--size", 16) == 0
    index = Index.load(Place(str(tmp_path / "out")))
    assert index.classes is None
    assert index.label.tolist() == [-1, -1]


def test_number_of_processes_does_not_change_a_byte(tmp_path: Path) -> None:
    source = photos(tmp_path / "photos", 80)
    for processes in (1, 2):
        arguments = [
            source,
            tmp_path / str(processes),
            "--size",
            16,
            "--images-per-shard",
            30,
            "--processes",
            processes,
        ]
        assert main([str(argument) for argument in arguments]) == 0
    assert digests(tmp_path / "1") == digests(tmp_path / "2")
    assert len(digests(tmp_path / "1")) == 3


def test_images_that_a_keep_list_leaves_out_are_in_no_shard(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    old, out, file = tmp_path / "old", tmp_path / "out", tmp_path / "keep.parquet"
    assert run(photos(tmp_path / "photos"), old, "--size", 16, "--images-per-shard", 5) == 0
    instead = np.arange(12)
    instead[[2, 7, 11]] = 3
    keep_list.write(Place(str(file)), Index.load(Place(str(old))), instead)
    arguments = ["webdataset", old, out, "--size", 16, "--seed", 9, "--keep", file]
    assert run(*arguments) == 0
    wanted = sorted(f"{one['__key__']}" for number, one in enumerate(samples(old)) if number not in (2, 7, 11))
    assert sorted(json.loads(one["json"])["source"].rpartition("/")[2] for one in samples(out)) == wanted
    told = capsys.readouterr()
    assert f"keep-list: {file} leaves out 3 of 12 images" in told.err
    assert "9 images of 3 classes" in told.out
    assert run(*arguments) == 0, "it is complete"
    capsys.readouterr()
    assert run(*arguments[:-2]) == 2
    assert "out was started with another keep-list: give --keep as then" in capsys.readouterr().err
    assert run("webdataset", old, tmp_path / "all", "--size", 16) == 0
    capsys.readouterr()
    assert run("webdataset", old, tmp_path / "all", "--size", 16, "--keep", file) == 2
    assert "all was started without a keep-list: give --keep as then" in capsys.readouterr().err
    assert run(*arguments[:-1], tmp_path / "none.parquet") == 2
    assert "there is no keep-list" in capsys.readouterr().err


def test_jpeg_that_has_the_size_is_kept_as_it_is(tmp_path: Path) -> None:
    source = photos(tmp_path / "photos", 1, (), size=16)
    assert run(source, tmp_path / "out", "--size", 16, "--quality", 5) == 0
    assert samples(tmp_path / "out")[0]["jpg"] == (source / "000.jpg").read_bytes()


def test_bad_pictures_are_left_out_and_named(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    source = photos(tmp_path / "photos", 6)
    (source / "cat" / "broken.jpg").write_bytes((source / "cat" / "000.jpg").read_bytes()[:200])
    (source / "dog" / "text.png").write_bytes(b"hello")
    assert run(source, tmp_path / "out", "--size", 16, "--images-per-shard", 2) == 0
    told = capsys.readouterr()
    assert "6 images of 3 classes in 3 shards" in told.out
    assert "2 pictures left out as bad" in told.out
    bad = {key: reason for key, _, reason in Record.load(Place(str(tmp_path / "out"))).bad}
    assert bad.keys() == {"cat/broken.jpg", "dog/text.png"}
    for name, reason in bad.items():
        assert f"left out: {name}: {reason}" in told.err


def test_words_may_follow_options(tmp_path: Path) -> None:
    assert run("scenes", "--count", 3, "--size", 16, tmp_path / "out") == 0
    assert len(Index.load(Place(str(tmp_path / "out")))) == 3


@pytest.mark.parametrize("broken", [False, True], ids=["done", "failed"])
def test_names_of_files_and_classes_cannot_act_on_a_terminal(
    broken: bool, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    act = "\x1b[2J\x1b]0;title\x07\x9b1m\rerror\n\u202e"
    folder = tmp_path / f"in{act}"
    for name in ("train/one", "train/two", "test/one"):
        (folder / f"{name}{act}").mkdir(parents=True)
        (folder / f"{name}{act}" / f"bad{act}.jpg").write_bytes(b"nothing")
        (folder / f"{name}{act}" / f"film{act}.mov").write_bytes(b"nothing")
        if not broken:
            Image.new("RGB", (16, 16)).save(folder / f"{name}{act}" / f"same{act}.png")
    assert run(folder, tmp_path / "out", "--size", 16) == int(broken)
    told = capsys.readouterr()
    lines = (told.out + told.err).removesuffix("\n").split("\n")
    assert [line for line in lines if not line.isprintable()] == []
    expected = ("none of 2 pictures",) if broken else ("passed over:", "the same in two", "left out:", "train: 2 im")
    for kind in expected:
        of_kind = [line for line in lines if kind in line]
        assert of_kind
        assert all("\\x1b[2J" in line for line in of_kind)


def test_pictures_that_are_all_bad_fail_in_one_sentence(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "in").mkdir()
    (tmp_path / "in" / "a.jpg").write_bytes(b"nothing")
    for _ in range(2):
        assert run(tmp_path / "in", tmp_path / "out") == 1
        assert "none of 1 picture in" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("folders", "options", "expected"),
    [
        (
            ["ant", "bee"],
            ("--holdout", 0.3, "--seed", 3),
            {
                "prepare.json": "8b862929230a3288",
                "test-000000.tar": "1f1693a9a5200259",
                "train-000000.tar": "bd39b75991dc84aa",
                "train-000001.tar": "4edb5945a1a48830",
                "train-000002.tar": "6640ec9facb64622",
            },
        ),
        (
            [f"{split}/{name}" for split in ("train", "test") for name in ("ant", "bee")],
            ("--fit", "crop"),
            {
                "prepare.json": "c50c4722432fe088",
                "test-000000.tar": "45076a623e3a46be",
                "test-000001.tar": "9b1f1e2f898f8617",
                "train-000000.tar": "c13ac02973edd829",
                "train-000001.tar": "284669d0821702f2",
            },
        ),
    ],
    ids=["held-out", "split"],
)
def test_bytes_are_those_of_every_earlier_version(
    tmp_path: Path, folders: list[str], options: tuple[object, ...], expected: dict[str, str]
) -> None:
    """So that what an earlier version began is continued, and a data set can be made again."""
    for number in range(24):
        across, down = np.meshgrid(np.arange(24 + number % 3), np.arange(24), indexing="xy")
        pixels = np.stack([across * 9, down * 9, (across + down) * 4 + number], axis=-1).astype(np.uint8)
        path = tmp_path / "in" / folders[number % len(folders)] / f"{number:02d}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        # Not compressed, since libraries for that differ in what they make of the same bytes.
        Image.fromarray(pixels).save(path, compress_level=0)
    (path.parent / "none.jpg").write_bytes(b"")
    assert run(tmp_path / "in", tmp_path / "out", "--size", 16, "--images-per-shard", 9, *options) == 0
    files = [*sorted((tmp_path / "out").glob("*.tar")), tmp_path / "out" / "prepare.json"]
    assert {file.name: hashlib.sha256(file.read_bytes()).hexdigest()[:16] for file in files} == expected


@pytest.mark.parametrize(("own", "expected"), [(None, 6), ("2", 2)], ids=["ours", "the user's"])
def test_ray_is_told_to_bound_what_it_kills_for_memory_before_it_is_imported(
    own: str | None, expected: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    class AnyMachines(ModuleType):
        notes = ()

        @property
        def RayWorkers(self) -> object:
            retries.append(int(os.environ["RAY_task_oom_retries"]))  # noqa: SIM112
            return lambda *given: self

    retries: list[int] = []
    monkeypatch.setattr(os, "environ", os.environ | ({} if own is None else {"RAY_task_oom_retries": own}))
    monkeypatch.setattr(machines, "connected", lambda *given: nullcontext())
    module = "dcgan_dist.data.preparation.ray_workers"
    monkeypatch.setitem(sys.modules, module, AnyMachines(module))
    work = prepare_work(PrepareOptions((str(photos(tmp_path / "photos")), str(tmp_path / "out"))))
    with prepare.workers_for(replace(work, options=replace(work.options, workers=WorkersOptions("host:1")))):
        assert retries == [expected]


# Splits


def prepared(out: Path, split: str) -> dict[str, str]:
    """Class of each picture of a split by where it came from, as its shards alone say, "" where it has none."""
    shards = expand(f"{out}/{split}-*.tar")
    index = find_index(shards)
    assert index is not None
    read = list(webdataset.WebDataset([str(shard) for shard in shards], shardshuffle=False))
    assert [int(sample.get("cls", b"-1")) for sample in read] == index.label.tolist()
    names = [*(index.classes or ()), ""]
    return {json.loads(one["json"])["source"]: names[label] for one, label in zip(read, index.label, strict=True)}


def test_folders_of_splits_share_one_list_of_classes(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    source, out = tmp_path / "photos", tmp_path / "out"
    photos(source / "test", 8, ("ant", "cat"))
    photos(source / "train", 12, ("ant", "bee", "cat"))
    (source / "test" / "cat" / "broken.jpg").write_bytes(b"nothing")
    assert run(source, out, "--size", 16, "--images-per-shard", 5) == 0
    told = capsys.readouterr()
    assert "taken as splits by the name: train/, test/ in" in told.err
    for split, number in (("train", 12), ("test", 8)):
        found = prepared(out, split)
        assert len(found) == number
        assert all(name.split("/")[:2] == [split, label] for name, label in found.items())
    assert [json.loads((out / "dataset.json").read_text())[name] for name in ("classes", "images_per_class")] == [
        ["ant", "bee", "cat"], [5, 3, 12]
    ]  # fmt: skip
    assert sorted(digests(out)) == [f"test-00000{i}.tar" for i in (0, 1)] + [f"train-00000{i}.tar" for i in (0, 1, 2)]
    lines = told.out.splitlines()
    assert lines[1] == "train: 12 images in 3 shards: ant 3, bee 3, cat 6"
    assert lines[2] == "test: 8 images in 2 shards, 1 picture left out: ant 2, bee 0, cat 6 (1 left out)"
    assert lines[3] == "test: no pictures of bee"
    assert lines[-2] == "to train: " + command_line(
        "train", "--preset", "own64", "--networks.image-size", "16", "--data", f"{out}/train-*.tar", "--name", "mine"
    )
    assert lines[-1] == "to evaluate: " + command_line("evaluate", "mine", "--tasks", f"pictures={out}")


def test_what_is_held_out_stays_so_when_pictures_come_and_go_or_are_renamed(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    source = photos(tmp_path / "photos", 60)
    assert run(source, tmp_path / "first", "--size", 16, "--holdout", 0.3) == 0
    told = capsys.readouterr()
    first = {split: prepared(tmp_path / "first", split) for split in ("train", "test")}
    assert f"held out: {len(first['test'])} of 60 pictures, as test" in told.err
    assert len(first["train"]) + len(first["test"]) == 60
    assert 5 <= len(first["test"]) <= 31, "4 standard deviations around 18"
    for split, found in first.items():
        assert f"{split}: {len(found)} images in 1 shard: cat " in told.out

    photos(source / "more", 25)
    held = next(name for name in first["test"] if name.startswith("hen/"))
    (source / "hen" / "copy-of-it.jpg").write_bytes((source / held).read_bytes())
    (source / held).rename(source / "hen" / "renamed.jpg")
    (source / next(name for name in first["test"] if name != held)).unlink()
    assert run(source, tmp_path / "second", "--size", 16, "--holdout", 0.3, "--seed", 5) == 0
    second = {split: prepared(tmp_path / "second", split) for split in ("train", "test")}
    assert {"hen/copy-of-it.jpg", "hen/renamed.jpg"} <= second["test"].keys()
    for split, found in second.items():
        assert {name for name in found if name in first["train"] | first["test"]} <= first[split].keys()


def test_copies_of_a_picture_in_two_splits_are_told(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    source = tmp_path / "photos"
    photos(source / "train", 9)
    photos(source / "test", 6, ("cat", "dog"), size=90)
    for name in ("same", "again"):
        (source / "test" / "dog" / f"{name}.jpg").write_bytes((source / "train" / "hen" / "003.jpg").read_bytes())
    # Of the same length, but another picture.
    data = bytearray((source / "train" / "cat" / "000.jpg").read_bytes())
    data[-9] ^= 1
    (source / "test" / "cat" / "other.jpg").write_bytes(data)
    assert run(source, tmp_path / "out", "--size", 16, "--split", "train,test") == 0
    told = capsys.readouterr().err
    assert (
        "the same in two splits: 2 pictures of test also in train, byte for byte, for example test/dog/again.jpg "
        "and train/hen/003.jpg" in told
    )


def test_a_split_without_a_picture_that_can_be_used_fails(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    photos(tmp_path / "in" / "train", 3)
    (tmp_path / "in" / "test").mkdir()
    (tmp_path / "in" / "test" / "a.jpg").write_bytes(b"nothing")
    assert run(tmp_path / "in", tmp_path / "out", "--size", 16) == 1
    assert "none of 1 picture of test in" in capsys.readouterr().err
    assert not (tmp_path / "out" / "index.npz").exists()


def test_what_is_passed_over_or_bad_is_told_with_its_reason(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    source = photos(tmp_path / "photos", 9)
    for name, data in {"cat/anim.gif": b"x", "cat/scan.tiff": b"x", "cat/b.GIF": b"x", "dog/empty.jpg": b""}.items():
        (source / name).write_bytes(data)
    (source / "owl").mkdir()
    (source / "owl" / "dead.jpg").symlink_to(tmp_path / "nowhere.jpg")
    (source / "dog" / "itself.png").symlink_to("itself.png")
    Image.new("RGB", (40, 40), (9, 99, 199)).save(source / "hen" / "web.jfif", "jpeg")
    assert run(source, tmp_path / "out", "--size", 16) == 0
    told = capsys.readouterr()
    assert "passed over: 2 .gif, 1 .tiff; for example cat/anim.gif (used are" in told.err
    for line in (
        "left out: owl/dead.jpg: is not there: a broken link, or removed meanwhile",
        "left out: dog/empty.jpg: is empty",
        "left out: dog/itself.png: cannot be read: Too many levels of symbolic links",
    ):
        assert line in told.err
    assert "10 images of 4 classes in 1 shard" in told.out
    assert "3 pictures left out: cat 3, dog 2 (2 left out), hen 5, owl 0 (1 left out)" in told.out
    assert "train: all pictures of owl are bad" in told.out


# Stopped and called again


@pytest.mark.parametrize("splits", [(), ("--holdout", 0.3)])
@pytest.mark.parametrize("stop_at", [1, 2, 3, 4, 5, 6])
def test_interrupted_call_goes_on_and_ends_with_the_same_bytes(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    stop_at: int,
    splits: tuple[object, ...],
) -> None:
    """It makes three pieces, then three shards, or four with a split more."""
    source = photos(tmp_path / "photos", 80)
    (source / "cat" / "broken.jpg").write_bytes(b"nothing")
    arguments = (source, tmp_path / "out", "--size", 16, "--images-per-shard", 30, *splits)
    assert run(source, tmp_path / "whole", *arguments[2:]) == 0
    calls = []

    def interrupted(write: Callable[..., object], *given: object) -> object:
        calls.append(write)
        if len(calls) == stop_at:
            raise KeyboardInterrupt
        return write(*given)

    with monkeypatch.context() as patch:
        patch.setattr(make, "write_piece", partial(interrupted, make.write_piece))
        patch.setattr(convert, "write_shard", partial(interrupted, convert.write_shard))
        assert run(*arguments) == 130
    assert "the same command continues" in capsys.readouterr().err
    assert len(list((tmp_path / "out" / FOLDER).glob("*/*.table"))) == min(stop_at - 1, 3)
    assert len(digests(tmp_path / "out")) == max(stop_at - 4, 0)
    assert find_index([Place(str(tmp_path / "out" / "train-000000.tar"))]) is None
    # What is no shard of these images is written again, and pictures of a piece that has no table are made again.
    (tmp_path / "out" / "train-000001.tar").write_bytes(b"left behind")
    (pieces,) = (tmp_path / "out" / FOLDER).glob("*/") if stop_at > 1 else [tmp_path]
    if stop_at > 1:
        (pieces / "000002.images").write_bytes(b"left behind")
    if stop_at > 3:
        (pieces / "000002.table").unlink()
    assert run(*arguments) == 0
    assert ("continuing after " in capsys.readouterr().err) == (stop_at > 1)
    assert digests(tmp_path / "out") == digests(tmp_path / "whole")
    assert not (tmp_path / "out" / FOLDER).exists()
    for name in ("dataset.json", "index.npz", "prepare.json", "contact-sheet.png"):
        assert (tmp_path / "out" / name).read_bytes() == (tmp_path / "whole" / name).read_bytes()


def test_two_calls_for_one_target_do_not_work_at_once(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    source = photos(tmp_path / "photos", 5)
    with sole_driver(Place(str(tmp_path / "out" / FOLDER))):
        (tmp_path / "out" / "prepare.json").write_bytes(_record(source, tmp_path / "other"))
        assert run(source, tmp_path / "out", "--size", 16) == 1
    assert f"out/.prepare is in use by process {os.getpid()} on " in capsys.readouterr().err
    assert run(source, tmp_path / "out", "--size", 16) == 0
    assert not (tmp_path / "out" / FOLDER).exists()


def _record(source: Path, target: Path, size: int = 16) -> bytes:
    """What a call writes that has just begun."""
    work = prepare_work(PrepareOptions((str(source), str(target)), size=size))
    assert not work.record.complete
    return (target / "prepare.json").read_bytes()


def test_call_that_is_done_already_changes_nothing(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    source = photos(tmp_path / "photos", 5)
    assert run(source, tmp_path / "out", "--size", 16) == 0
    before = {path.name: path.read_bytes() for path in (tmp_path / "out").iterdir()}
    assert "nothing is left" not in capsys.readouterr().err
    assert run(source, tmp_path / "out", "--size", 16) == 0
    assert "all 5 pictures have been converted before; nothing is left" in capsys.readouterr().err
    assert {path.name: path.read_bytes() for path in (tmp_path / "out").iterdir()} == before


@pytest.mark.parametrize(
    ("lost", "harm"),
    [
        ("train-000001.tar", lambda path: path.unlink()),
        ("train-000000.tar", lambda path: path.write_bytes(path.read_bytes()[:-512])),
        ("dataset.json", lambda path: path.unlink()),
        ("index.npz", lambda path: path.unlink()),
    ],
)
def test_what_is_missing_of_a_complete_target_is_made_again(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], lost: str, harm: Callable[[Path], None]
) -> None:
    arguments = (photos(tmp_path / "photos", 7), tmp_path / "out", "--size", 16, "--images-per-shard", 4)
    assert run(*arguments) == 0
    before = {path.name: path.read_bytes() for path in (tmp_path / "out").iterdir()}
    harm(tmp_path / "out" / lost)
    capsys.readouterr()
    assert run(*arguments) == 0
    assert (
        f"made again, since missing or of another length than they were written with: {lost}\n"
        in capsys.readouterr().err
    )
    assert {path.name: path.read_bytes() for path in (tmp_path / "out").iterdir()} == before


def test_shard_that_has_changed_is_not_taken_for_what_was_written(tmp_path: Path) -> None:
    arguments = (photos(tmp_path / "photos", 7), tmp_path / "out", "--size", 16, "--images-per-shard", 4)
    assert run(*arguments) == 0
    before = {path.name: path.read_bytes() for path in (tmp_path / "out").iterdir()}
    data = bytearray(before["train-000000.tar"])
    data[600] ^= 1
    (tmp_path / "out" / "train-000000.tar").write_bytes(data)
    (tmp_path / "out" / "train-000001.tar").unlink()
    assert run(*arguments) == 0
    assert {path.name: path.read_bytes() for path in (tmp_path / "out").iterdir()} == before


@pytest.mark.parametrize("complete", [False, True])
def test_archive_that_was_written_again_under_its_name_and_size_is_noticed(
    complete: bool, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    def shard(folder: str, color: int) -> Path:
        file = tmp_path / folder / "train-000000.tar"
        file.parent.mkdir(exist_ok=True)
        with tarfile.open(file, "w") as archive:
            for number in range(3):
                picture = io.BytesIO()
                Image.new("L", (16, 16), color + number).save(picture, "png", compress_level=0)
                member = tarfile.TarInfo(f"{number}.png")
                member.size = len(picture.getvalue())
                archive.addfile(member, io.BytesIO(picture.getvalue()))
        return file

    first, copy = shard("in", 10), shard("copy", 10)
    out = tmp_path / "out"
    if complete:
        assert run(first.parent, out, "--size", 16) == 0
    else:
        prepare_work(PrepareOptions((str(first.parent), str(out)), size=16))
    os.utime(copy, ns=(5, 5))
    assert run(copy.parent, out, "--size", 16) == 0  # a copy is continued with, whenever it was made
    record = json.loads((out / "prepare.json").read_bytes())
    assert record["files"] == {str(first): str(first.stat().st_mtime_ns)}
    size = first.stat().st_size
    assert shard("in", 90).stat().st_size == size
    os.utime(first, ns=(7, 7))
    capsys.readouterr()
    assert run(first.parent, out, "--size", 16) == 2
    assert f"error: {first} has been written again since {out} was started" in capsys.readouterr().err
    del record["files"]  # as versions before this one wrote it
    (out / "prepare.json").write_text(json.dumps(record))
    assert run(first.parent, out, "--size", 16) == 0
    (out / "prepare.json").write_text(json.dumps(record | {"files": []}))
    assert run(first.parent, out, "--size", 16) == 2
    assert "cannot continue from" in capsys.readouterr().err


def test_target_that_was_begun_by_another_command_meanwhile_is_refused(
    tmp_path: Path,
) -> None:
    source = photos(tmp_path / "photos", 5)
    begun = prepare_work(PrepareOptions((str(source), str(tmp_path / "out")), size=16))
    begun.record.save(begun.target)
    (tmp_path / "out" / "prepare.json").write_bytes(_record(source, tmp_path / "other", size=32))
    with (
        pytest.raises(DataError, match="out was begun by another command meanwhile: choose another target"),
        alone(begun),
    ):
        pass


@pytest.mark.parametrize(
    ("form", "number", "status"),
    [
        (COMMAND, signal.SIGINT, 130),
        (COMMAND, signal.SIGKILL, -9),
        # As the console command.
        ([sys.executable, "-m", "dcgan_dist", "prepare"], signal.SIGTERM, 143),
    ],
)
def test_signal_ends_the_command_and_its_processes(
    tmp_path: Path, form: list[str], number: signal.Signals, status: int
) -> None:
    source = photos(tmp_path / "photos", 400, size=300)
    command = subprocess.Popen(
        [*form, source, tmp_path / "out", "--size", "256", "--images-per-shard", "40", "--processes", "2"],
        stderr=subprocess.PIPE,
        start_new_session=True,
        # Where tests run in the background, SIGINT is ignored by them, and by all that they start.
        preexec_fn=partial(signal.signal, signal.SIGINT, signal.SIG_DFL),
    )
    while not list((tmp_path / "out").glob(f"{FOLDER}/*/*.table")) and command.poll() is None:
        time.sleep(0.02)
    assert command.poll() is None, "it was done before it could be stopped"
    command.send_signal(number)
    _, told = command.communicate()
    assert command.returncode == status
    assert b"Traceback" not in told
    assert (b"the same command continues where it was stopped" in told) == (status > 0)
    deadline = time.monotonic() + 60
    while _group_lives(command.pid) and time.monotonic() < deadline:
        time.sleep(0.02)
    assert not _group_lives(command.pid)
    assert run(source, tmp_path / "out", "--size", 256, "--images-per-shard", 40) == 0
    assert sum(len(index_shard(Place(str(path)))) for path in (tmp_path / "out").glob("*.tar")) == 400


def _group_lives(group: int) -> bool:
    """Whether a process of the group still runs; one that nobody has waited for yet (in a container) does not."""
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            state, _, its_group = stat.read_text().rpartition(") ")[2].split()[:3]
        except (FileNotFoundError, ProcessLookupError):
            continue
        if int(its_group) == group and state not in "ZX":
            return True
    return False


# Wrong input


def _no_folder(path: Path) -> list[object]:
    return [path / "nowhere", path / "out"]


def _archive(path: Path) -> list[object]:
    (path / "photos.zip").write_bytes(b"PK")
    return [path / "photos.zip", path / "out"]


def _no_pictures(path: Path) -> list[object]:
    (path / "in").mkdir()
    (path / "in" / "notes.txt").write_text("x")
    return [path / "in", path / "out"]


def _other_content(path: Path) -> list[object]:
    (path / "out").mkdir()
    (path / "out" / "thesis.tex").write_text("x")
    return [photos(path / "in", 1), path / "out"]


def _inside(path: Path) -> list[object]:
    return [photos(path / "in", 1), path / "in" / "out"]


def _other_size(path: Path) -> list[object]:
    assert run(photos(path / "in", 2), path / "out", "--size", 32) == 0
    return [path / "in", path / "out", "--size", 16]


def _other_pictures(path: Path) -> list[object]:
    assert run(photos(path / "in", 2), path / "out") == 0
    return [photos(path / "in", 3), path / "out"]


def _other_holdout(path: Path) -> list[object]:
    assert run(photos(path / "in", 8), path / "out", "--size", 16) == 0
    return [path / "in", path / "out", "--size", 16, "--holdout", 0.5]


def _damaged_record(path: Path) -> list[object]:
    (path / "out").mkdir()
    (path / "out" / "prepare.json").write_text('{"format": "other"}')
    return [photos(path / "in", 1), path / "out"]


@pytest.mark.parametrize(
    ("arrange", "sentence"),
    [
        (_no_folder, "there is no "),
        (_archive, "photos.zip is an archive, which nothing here reads: unpack it to a folder"),
        (_no_pictures, "passed over: 1 .txt; for example notes.txt (used are .jpg, .jpeg, .jpe, .jfif, .png"),
        (_other_content, "is not empty, it holds thesis.tex"),
        (_inside, "/in, which is to be read: choose one outside of it"),
        (_other_size, "size is 16 but"),
        (_other_pictures, "the pictures have changed since"),
        (
            _damaged_record,
            "prepare.json (another version of this program wrote it, or none did): choose another target",
        ),
        (lambda path: [path, path / "out", "--size", 20], "size is 20 but needs to be one of 8, 14, 16, 28"),
        (lambda path: [path, path / "out", "--quality", 0], "quality is 0 but needs to be from 1 to 100"),
        (lambda path: [path, path / "out", "--images-per-shard", -1], "images_per_shard is -1 but needs"),
        (lambda path: [path, path / "out", "--split", "a.b"], "split is 'a.b' but needs"),
        (lambda path: [path, path / "out", "--holdout", 1], "holdout is 1.0 but needs to be at least 0 and below 1"),
        (
            lambda path: [photos(path / "in", 4), path / "out", "--holdout", 0.0001],
            "holdout is 0.0001 but that leaves none of the 4 pictures in",
        ),
        (_other_holdout, "holdout is 0.5 but"),
    ],
)
def test_wrong_input_is_one_sentence_and_exit_code_two(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], arrange: Callable[[Path], list[object]], sentence: str
) -> None:
    arguments = arrange(tmp_path)
    capsys.readouterr()
    assert run(*arguments) == 2
    told = capsys.readouterr().err
    assert sentence in told
    assert told.startswith("error: ")
    assert told.count("\n") == 1


def test_unknown_option_is_exit_code_two(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(tmp_path, tmp_path / "out", "--sizes", 3) == 2
    assert capsys.readouterr().err == "error: --sizes is not an option; did you mean --size?\n"


def test_help_shows_an_example(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as caught:
        main(["--help"])
    assert caught.value.code == 0
    assert "python -m dcgan_dist.data.prepare photos/ shards/ --size 64 --holdout 0.1" in capsys.readouterr().out


def test_pictures_and_shards_can_be_on_s3(tmp_path: Path, s3: Place) -> None:
    source = photos(tmp_path / "photos", 8)
    for path in source.rglob("*.*"):
        (s3 / "photos" / str(path.relative_to(source))).write_bytes(path.read_bytes())
    options = ("--size", 16, "--images-per-shard", 2, "--holdout", 0.4)
    assert run(f"{s3}/photos", f"{s3}/out", *options) == 0
    assert run(source, tmp_path / "out", *options) == 0
    assert {name.partition("-")[0] for name in digests(tmp_path / "out")} == {"train", "test"}
    found = find_index(expand(f"{s3}/out/*.tar"))
    assert found is not None
    assert found.sha256 == tuple(digests(tmp_path / "out").values())


def test_target_that_a_link_leads_into_the_source_is_refused(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    source = photos(tmp_path / "photos")
    (tmp_path / "link").symlink_to("photos")
    assert run(source, tmp_path / "link" / "out", "--size", 16) == 2
    assert "link/out is in " in capsys.readouterr().err
    assert run(tmp_path / "link", source / "out", "--size", 16) == 2
    assert not (source / "out").exists()


@pytest.mark.parametrize("complete", [False, True])
def test_files_that_a_killed_call_was_writing_do_not_stay(tmp_path: Path, complete: bool) -> None:
    arguments = (photos(tmp_path / "photos"), tmp_path / "out", "--size", 16)
    if complete:
        assert run(*arguments) == 0
    (tmp_path / "out").mkdir(exist_ok=True)
    (tmp_path / "out" / ".train-000000.tar.0a1b2c3d.unfinished").write_bytes(b"half")
    assert run(*arguments) == 0
    assert sorted(os.listdir(tmp_path / "out")) == [
        "contact-sheet.png", "dataset.json", "index.npz", "prepare.json", "train-000000.tar"
    ]  # fmt: skip


def test_a_bucket_that_vanishes_meanwhile_is_told_and_the_call_goes_on_once_it_is_back(
    s3: Place, s3_endpoint: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    import boto3

    bucket = boto3.resource("s3", endpoint_url=s3_endpoint, region_name="us-east-1").Bucket(s3.name)
    source = photos(tmp_path / "photos", 80)

    def put() -> None:
        for file in source.rglob("*.*"):
            bucket.put_object(Key=f"photos/{file.relative_to(source)}", Body=file.read_bytes())

    def vanish(write: Callable[..., object], *given: object) -> object:
        if bucket.creation_date is not None:
            bucket.objects.delete()
            bucket.delete()
        return write(*given)

    put()
    arguments = ("--size", 16, "--images-per-shard", 30)
    assert run(source, tmp_path / "whole", *arguments) == 0
    with monkeypatch.context() as patch:
        patch.setattr(make, "write_piece", partial(vanish, make.write_piece))
        capsys.readouterr()
        assert run(s3 / "photos", tmp_path / "out", *arguments) == 1
    *_, error = capsys.readouterr().err.splitlines()
    assert error.startswith("error: ")
    assert s3.name in error
    assert not digests(tmp_path / "out")
    bucket.create()
    put()
    assert run(s3 / "photos", tmp_path / "out", *arguments) == 0
    assert digests(tmp_path / "out") == digests(tmp_path / "whole")


def test_a_file_system_that_is_full_is_told_and_the_call_goes_on_once_there_is_room(tmp_path: Path) -> None:
    source = photos(tmp_path / "photos", 80, size=200)
    arguments = [str(source), str(tmp_path / "out"), "--size", "64", "--encode", "png", "--processes", "2"]
    # No file may be longer than 8 kB: to whoever writes, as a disk without room.
    full = subprocess.run(
        ["bash", "-c", 'ulimit -f 8; exec "$@"', "bash", *COMMAND, *arguments],
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert full.returncode == 1, full.stderr
    *_, error = full.stderr.splitlines()
    assert error.startswith("error: cannot write")
    assert str(tmp_path / "out") in error
    assert "Traceback" not in full.stderr
    assert not digests(tmp_path / "out")
    assert main(arguments) == 0
    assert main([str(source), str(tmp_path / "whole"), *arguments[2:]]) == 0
    assert digests(tmp_path / "out") == digests(tmp_path / "whole")
