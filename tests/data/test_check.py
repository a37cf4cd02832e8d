"""The whole check, on shards of ours and of others."""

import hashlib
import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from dcgan_dist.cli.invocation import command_line
from dcgan_dist.data.check import main
from dcgan_dist.data.shards.index import Index
from dcgan_dist.storage import Place
from tests.data.checking.shards import foreign, ours, picture

Check = Callable[..., tuple[int, list[str]]]


@pytest.fixture
def check(call: Any) -> Check:
    """`check(ADDRESS, *OPTIONS)`: exit status and lines of the command, in this process."""

    def check(address: object, *options: str) -> tuple[int, list[str]]:
        status, output, errors = call(main, str(address), "--processes", "1", *options)
        assert errors == ""
        return status, output.splitlines()

    return check


def images(first: int, number: int) -> list[tuple[bytes, int | None]]:
    return [(picture(one, 16), one % 2) for one in range(first, first + number)]


def train(*options: str) -> str:
    return command_line("train", "--preset", "own64", *options, "--name", "mine")


def test_shards_as_they_were_written_are_usable(check: Check, tmp_path: Path) -> None:
    folder = ours(tmp_path / "shards", {"train": images(0, 9), "test": images(20, 3)})
    size = sum(path.stat().st_size for path in folder.glob("*.tar")) / 1e6
    assert check(folder) == (
        0,
        [
            f"12 images in 4 shards, {size:.1f} MB",
            "checksums: right for 4 of 4 shards",
            "test: 3: cat 2, dog 1",
            "train: 9: cat 5, dog 4",
            "sizes: 16 x 16 (12)",
            "unreadable: none",
            "exact duplicates: none",
            "usable: a run can train on these shards",
            "to train: " + train("--networks.image-size", "16", "--data", f"{folder}/train-*.tar"),
        ],
    )


def test_all_processes_find_the_same(check: Check, call: Any, tmp_path: Path) -> None:
    folder = ours(tmp_path / "shards", {"train": [*images(0, 9), *images(4, 3)]}, per_shard=2)
    _, lines = check(folder)
    status, output, _ = call(main, str(folder), "--processes", "2")
    assert (status, output.splitlines()) == (0, lines)


def test_a_changed_byte_is_found_by_its_checksum_even_where_no_image_is(check: Check, tmp_path: Path) -> None:
    folder = ours(tmp_path / "shards", {"train": images(0, 9)})
    shard = folder / "train-000001.tar"
    data = bytearray(shard.read_bytes())
    data[-1] = 1
    shard.write_bytes(data)
    status, lines = check(folder)
    assert status == 1
    assert "checksums: right for 2 of 3 shards" in lines
    assert f"- {shard} has another SHA-256 than dataset.json says: it was damaged or changed; copy it again" in lines


@pytest.mark.parametrize("damaged", [True, False])
def test_checksums_are_compared_also_where_the_index_is_lost(damaged: bool, check: Check, tmp_path: Path) -> None:
    folder = ours(tmp_path / "shards", {"train": images(0, 9)})
    (folder / "index.npz").unlink()
    shard = folder / "train-000001.tar"
    if damaged:
        data = bytearray(shard.read_bytes())
        data[-1] = 1
        shard.write_bytes(data)
    status, lines = check(folder)
    assert status == 1
    assert f"checksums: right for {2 if damaged else 3} of 3 shards" in lines
    told = [line for line in lines if line.startswith("- ")]
    assert told[0] == f"- cannot read {folder}/index.npz: it does not exist"
    assert [line.partition(" than ")[0] for line in told[1:]] == [f"- {shard} has another SHA-256"] * damaged


def test_the_preset_is_that_of_the_data_set_that_was_prepared(check: Check, tmp_path: Path) -> None:
    folder = ours(tmp_path / "shards", {"train": [(picture(one, 32, 32), 0) for one in range(3)]})
    file = folder / "dataset.json"
    file.write_text(json.dumps(json.loads(file.read_text()) | {"prepared": {"options": {"reader": "svhn"}}}))
    status, lines = check(folder)
    assert status == 0
    assert "train --preset svhn32 --data " in lines[-1]


@pytest.mark.parametrize("what", ["short", "gone", "page", "added"])
def test_shards_that_are_not_those_on_record_are_named_and_the_others_are_checked(
    what: str, check: Check, tmp_path: Path
) -> None:
    folder = ours(tmp_path / "shards", {"train": images(0, 9)})
    shard = folder / "train-000001.tar"
    if what == "short":
        shard.write_bytes(shard.read_bytes()[:2_000])
    elif what == "gone":
        shard.unlink()
    elif what == "page":
        shard.write_bytes(b"<html>" * 1_000)
    else:
        shard = foreign(folder / "train-000003.tar", [("a.png", picture(30))])
    status, lines = check(folder)
    assert status == 1
    assert lines[-2] == "not usable: 1 problem"
    assert lines[-1].startswith(f"- {shard} ")
    right, shards = {"short": (2, 3), "gone": (2, 2), "page": (2, 3), "added": (3, 4)}[what]
    assert f"checksums: right for {right} of {shards} shards" in lines


@pytest.mark.parametrize("column", ["offset", "size", "label"])
def test_an_index_that_does_not_fit_the_shards_is_a_problem(column: str, check: Check, tmp_path: Path) -> None:
    folder = ours(tmp_path / "shards", {"train": images(0, 9)})
    index = Index.load(Place(str(folder)))
    getattr(index, column)[5] += -1
    index.save(Place(str(folder)))
    status, lines = check(folder)
    assert status == 1
    assert "checksums: right for 3 of 3 shards" in lines
    assert lines[-1].startswith(f"- index.npz has other images or class numbers than {folder / 'train-000001.tar'}: ")


def test_shards_of_others_are_usable_and_what_is_odd_is_named(check: Check, tmp_path: Path) -> None:
    shard = foreign(
        tmp_path / "a" / "00000.tar",
        [
            ("2.png", picture(1)),
            ("2.cls", b"3"),
            ("1.png", picture(2, 40)),
            ("1.jpg", picture(3)),
            (".hidden", b""),
            ("3.png", picture(-4)),
            ("2.json", b"{}"),
        ],
    )
    assert check(shard.parent) == (
        0,
        [
            "3 images in 1 shard, 0.0 MB",
            "checksums: none, as there is no dataset.json of ours: what is here may differ from what was written",
            "images: 3: class 3 1; 2 without a class",
            "sizes: 20 x 16 (2), 40 x 16 (1)",
            "gray: 1 of 3 images have no colors",
            "unreadable: none",
            "exact duplicates: none",
            (
                "passed over: 1 further image of a key, 00000.tar: 1.jpg; 1 key without an image, 00000.tar: 2.json "
                "(an image is KEY.jpg, KEY.jpeg, KEY.jpe, KEY.jfif, KEY.png or KEY.webp: a key ends at the first dot "
                "of the name, and has one image)"
            ),
            "odd: 1 key that sorts before the one in front of it, 00000.tar: 1.png",
            "odd: 1 hidden file, 00000.tar: .hidden",
            "odd: 1 key whose files lie apart, so that its class may be lost, 00000.tar: 2.json",
            "usable: a run can train on these shards",
            "to train: " + train("--data", str(shard.parent)),
        ],
    )


def test_hidden_files_beside_shards_are_told(check: Check, tmp_path: Path) -> None:
    for name in ("a", "._a"):
        foreign(tmp_path / f"{name}.tar", [("a.png", picture(1))])
    status, lines = check(tmp_path)
    assert status == 0
    assert f"odd: 1 hidden file beside the shards, such as {tmp_path}/._a.tar" in lines
    assert lines[-1] == "to train: " + train("--data", f"{tmp_path}/a.tar")


@pytest.mark.parametrize(
    ("sizes", "size"),
    [
        ([(16, 16), (16, 16)], 16),
        ([(16, 16), (32, 32)], None),
        ([(32, 16), (32, 16)], None),
        ([(24, 24), (24, 24)], None),
        ([(4, 4), (4, 4)], None),
        ([(256, 256)], 256),
        ([(512, 512)], None),
    ],
)
def test_the_line_to_train_has_the_size_where_all_images_have_one(
    sizes: list[tuple[int, int]], size: int | None, check: Check, tmp_path: Path
) -> None:
    files = [(f"{i}.png", picture(i, width, height)) for i, (width, height) in enumerate(sizes)]
    _, lines = check(foreign(tmp_path / "a.tar", files))
    options = [] if size is None else ["--networks.image-size", str(size)]
    assert lines[-1] == "to train: " + train(*options, "--data", f"{tmp_path}/a.tar")


def test_torn_shards_of_others_are_not_as_they_were_written(check: Check, tmp_path: Path) -> None:
    files = [(f"{number}.png", picture(number)) for number in range(4)]
    shard = foreign(tmp_path / "a.tar", files)
    foreign(tmp_path / "b.tar", [("b.png", picture(9))])
    shard.write_bytes(shard.read_bytes()[:4_000])
    status, lines = check(tmp_path)
    assert status == 1
    assert lines[-2] == "not usable: 1 problem"
    assert lines[-1].startswith(f"- {shard} is torn: it ends before byte ")
    assert "is torn" not in "\n".join(lines[:-1]), "once"


def test_duplicates_are_found_over_shards_splits_and_classes(check: Check, tmp_path: Path) -> None:
    train = [(picture(1), 0), (picture(2), 0), (picture(1), 0), (picture(3), 1), (picture(4), 1), (picture(2), 1)]
    folder = ours(tmp_path / "shards", {"test": [(picture(4), 1), (picture(9), 0)], "train": train})
    status, lines = check(folder)
    assert status == 0
    assert [line for line in lines if line.startswith(("exact", "duplicates"))] == [
        "exact duplicates: 3 images that repeat an earlier one; for example train-000000.tar: train-00000002.png is "
        "train-000000.tar: train-00000000.png",
        "duplicates in two splits: 1 of them repeat an image of another split, for example train-000001.tar: "
        "train-00000004.png is test-000000.tar: test-00000000.png: what is measured on one of the splits has been "
        "trained on in the other",
        "duplicates of two classes: 1 of them have another class, for example train-000001.tar: train-00000005.png and "
        "train-000000.tar: train-00000001.png",
    ]


def test_copies_in_another_split_are_found_where_folders_alone_say_the_splits(check: Check, tmp_path: Path) -> None:
    for split, first in (("train", 0), ("val", 3)):
        files = [(f"{number}.png", picture(first + number, 16)) for number in range(5)]
        foreign(tmp_path / split / "00000.tar", files)
    status, lines = check(tmp_path)
    assert status == 0
    assert {"train: 5, without classes", "val: 5, without classes"} <= set(lines)
    [line] = [line for line in lines if line.startswith("duplicates in two splits")]
    assert "2 of them repeat" in line
    assert "for example val/00000.tar: 0.png is train/00000.tar: 3.png: " in line


@pytest.mark.parametrize(("bad", "usable"), [(1, True), (2, False)])
def test_more_bad_images_than_a_run_allows_are_a_problem(bad: int, usable: bool, check: Check, tmp_path: Path) -> None:
    files = [(f"{number:03}.png", picture(number)) for number in range(100 - bad)]
    shard = foreign(tmp_path / "a.tar", [*files, *((f"bad{number}.png", b"no") for number in range(bad))])
    status, lines = check(shard)
    assert status == (0 if usable else 1)
    [line] = [line for line in lines if line.startswith("unreadable: ")]
    assert line.startswith(f"unreadable: {bad} image{'s' * (bad > 1)}; a.tar: bad0.png: cannot be decoded")
    if not usable:
        assert lines[-1].startswith("- 2 of 100 images cannot be decoded, more than data.max_bad_fraction 0.01 allows")


@pytest.mark.parametrize(("split", "usable"), [("train", False), ("test", True)])
def test_bad_images_count_in_the_split_that_a_run_is_trained_on(
    split: str, usable: bool, check: Check, tmp_path: Path
) -> None:
    files = {"train": [(f"{i:03}.png", picture(i)) for i in range(60)]}
    files["test"] = [(f"{i:03}.png", picture(100 + i)) for i in range(60, 200)]
    files[split].append(("bad.png", b"no"))
    for name, its in files.items():
        foreign(tmp_path / f"{name}-0.tar", its)
    status, lines = check(tmp_path)
    assert status == (0 if usable else 1), "1 of 201 is less than is allowed, 1 of 61 is more"
    assert usable or lines[-1].startswith("- 1 of 61 images cannot be decoded")


def test_what_a_run_refuses_is_not_usable(check: Check, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("dcgan_dist.data.check.refusal", lambda trained_on: f"not with {trained_on.data}")
    shard = foreign(tmp_path / "train-0.tar", [("a.png", picture(1))])
    status, lines = check(shard)
    assert status == 1
    assert lines[-2:] == ["not usable: 1 problem", f"- not with {shard}"]


def test_shards_to_be_held_out_are_told_where_a_run_would_be_trained_on_them(check: Check, tmp_path: Path) -> None:
    folder = ours(tmp_path / "shards", {"train": images(0, 3), "test": images(5, 3)})
    status, lines = check(f"{folder}/*.tar")
    assert status == 0
    assert lines[-3].startswith("odd: the data includes shards of test besides those of train")
    assert lines[-1].endswith(train("--networks.image-size", "16", "--data", f"{folder}/*.tar"))


@pytest.mark.parametrize(
    ("members", "told"),
    [
        ([("a.png", b"no"), ("b.png", b"no")], "no image can be decoded"),
        ([("a.txt", b"no")], "there is no image in"),
        ([], "there is no image in"),
    ],
)
def test_shards_without_an_image_are_not_usable(
    members: list[tuple[str, bytes]], told: str, check: Check, tmp_path: Path
) -> None:
    status, lines = check(foreign(tmp_path / "a.tar", members))
    assert status == 1
    assert lines[-2] == "not usable: 1 problem"
    assert told in lines[-1]


def test_sheets_show_all_and_each_class(check: Check, tmp_path: Path) -> None:
    train: list[tuple[bytes, int | None]] = [*images(0, 5), (b"no picture", 0), (picture(8), None)]
    folder = ours(tmp_path / "shards", {"train": train}, classes=("a cat/../x", "dog"))
    status, lines = check(folder, "--sheets", str(tmp_path / "sheets"))
    assert status == 1  # one of seven cannot be decoded
    assert lines[-1] == f"look at 3 contact sheets in {tmp_path / 'sheets'}"
    sheets = {path.name: np.asarray(Image.open(path)) for path in (tmp_path / "sheets").iterdir()}
    assert sheets.keys() == {"contact-sheet.png", "class-0000-a_cat_x.png", "class-0001-dog.png"}
    shown = sorted((picture(one, 16) for one in (1, 3)), key=lambda data: hashlib.sha256(data).digest())
    cat = sheets["class-0000-a_cat_x.png"]
    assert cat.shape[0] == cat.shape[1], "three images in 2 x 2 cells"
    dog = sheets["class-0001-dog.png"]
    factor = dog.shape[0] // 64
    for place, data in enumerate(shown):
        (tmp_path / "one.png").write_bytes(data)
        expected = np.asarray(Image.open(tmp_path / "one.png").resize((64, 64), Image.Resampling.BILINEAR))
        left = place * 66 * factor
        cell = dog[: 64 * factor : factor, left : left + 64 * factor : factor]
        assert np.abs(cell.astype(int) - expected).max() <= 1


@pytest.mark.parametrize("target", ["shards", "shards/train-000000.tar", "sheets", "/proc/sheets"])
def test_sheets_that_cannot_be_written_or_would_overwrite_are_refused(target: str, call: Any, tmp_path: Path) -> None:
    folder = ours(tmp_path / "shards", {"train": images(0, 3)})
    (folder / "contact-sheet.png").write_bytes(b"by prepare")
    (tmp_path / "sheets").mkdir()
    (tmp_path / "sheets" / "mine.txt").write_text("mine")
    before = {path: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()}
    status, output, errors = call(main, str(folder), "--sheets", target)
    assert (status, output) == (2, "")
    assert f"{tmp_path / target}" in errors
    assert errors.count("\n") == 1, "before any shard is read"
    assert {path: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()} == before


def test_without_an_image_that_can_be_decoded_there_are_no_sheets(check: Check, tmp_path: Path) -> None:
    shard = foreign(tmp_path / "a.tar", [("a.png", b"no"), ("b.png", b"no")])
    status, lines = check(shard, "--sheets", str(tmp_path / "sheets"))
    assert (status, lines[-1]) == (1, "- no image can be decoded")
    assert not (tmp_path / "sheets").exists()


def test_many_classes_and_sizes_are_told_by_their_range(check: Check, tmp_path: Path) -> None:
    files = []
    for number in range(28):
        files += [(f"{number:02}.png", picture(number, 20 + number)), (f"{number:02}.cls", str(number // 2).encode())]
    _, lines = check(foreign(tmp_path / "train-0.tar", files[:-2]))
    assert "train: 27, 1 to 2 of each of 14 classes" in lines
    assert any(re.fullmatch(r"sizes: .* and 22 others; shorter sides from 16 to 16 pixels", line) for line in lines)
    _, lines = check(foreign(tmp_path / "train-0.tar", files))
    assert "train: 28, 2 of each of 14 classes" in lines


def test_the_largest_class_number_takes_no_memory(check: Check, tmp_path: Path) -> None:
    files = [("a.png", picture(1)), ("a.cls", b"2147483646"), ("b.png", picture(2)), ("b.cls", b"7")]
    status, lines = check(foreign(tmp_path / "val-0.tar", files))
    assert status == 0
    assert "val: 2: class 7 1, class 2147483646 1" in lines


def test_of_many_classes_those_that_a_split_lacks_are_named(check: Check, tmp_path: Path) -> None:
    names = [f"name{number}" for number in range(20)]
    train = [(picture(number, 16), number) for number in range(20)]
    test: list[tuple[bytes, int | None]] = [(picture(50 + number, 16), number % 13) for number in range(18)]
    folder = ours(tmp_path / "shards", {"train": train, "test": test}, per_shard=30, classes=names)
    _, lines = check(folder)
    assert "train: 20, 1 of each of 20 classes" in lines
    assert (
        "test: 18, 1 to 2 of each of 13 classes; none of 7 classes: name13, name14, name15, name16, name17, ..."
        in lines
    )


def test_class_numbers_beyond_the_names_are_told(check: Check, tmp_path: Path) -> None:
    folder = ours(tmp_path / "shards", {"train": [*images(0, 3), (picture(9), 2)]})
    _, lines = check(folder)
    assert "train: 4: cat 2, dog 1, class 2 1; class numbers up to 2, but 2 names of classes" in lines


def test_names_that_cannot_be_printed_are_shown_as_what_they_are(check: Check, tmp_path: Path) -> None:
    shard = foreign(tmp_path / "a.tar", [("b\n\x1b[31m.png", b"no"), ("a.png", picture(1)), (".\x1b[2J", b"")])
    _, lines = check(shard)
    assert not any("\x1b" in line for line in lines)
    assert any("b\\n\\x1b[31m.png" in line for line in lines)


def test_a_missing_address_is_wrong_input(call: Any, tmp_path: Path) -> None:
    status, output, errors = call(main, str(tmp_path / "nosuch"))
    assert (status, output) == (2, "")
    assert errors.startswith("error: ")


def test_nothing_is_written_beside_the_shards(check: Check, tmp_path: Path) -> None:
    folder = ours(tmp_path / "shards", {"train": images(0, 3)})
    before = {path: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()}
    check(folder)
    assert {path: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()} == before
    assert json.loads((folder / "dataset.json").read_text())["images"] == 3


def test_shards_of_photographs_are_usable(check: Check, shared_data: Callable[[str], Path], tmp_path: Path) -> None:
    status, lines = check(shared_data("faces") / "faces-000001.tar")
    assert status == 0
    assert lines[0] == "350 images in 1 shard, 3.3 MB"
    assert "faces: 350, without classes" in lines
    assert "sizes: 250 x 250 (350)" in lines
