"""A task from labeled shards: what is read, and what is refused before anything starts."""

import io
import json
import tarfile
from pathlib import Path

import numpy as np
import pytest
import simplejpeg

from dcgan_dist.data import prepare
from dcgan_dist.data.shards.build_index import index_shard
from dcgan_dist.data.shards.index import concatenate
from dcgan_dist.data.shards.writer import ShardWriter
from dcgan_dist.errors import DataError
from dcgan_dist.evaluation.task import FewLabels, Task
from dcgan_dist.evaluation.tasks.labeled import names_in_samples, open_labeled
from dcgan_dist.run_folder.trained_on import TrainedOn, contents
from dcgan_dist.storage import Place


def jpeg(level: int, size: int = 16) -> bytes:
    return simplejpeg.encode_jpeg(np.full((size, size, 3), level, np.uint8), quality=95)


def write(folder: Path, split: str, labels: list[int | None], size: int = 16, shard: int = 20) -> None:
    with ShardWriter(Place(str(folder)), split, shard) as writer:
        for label in labels:
            writer.add(jpeg(20 * (label or 0) % 256, size), label=label)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    write(tmp_path, "train", [number % 3 for number in range(60)])
    write(tmp_path, "test", [number % 3 for number in range(12)])
    return tmp_path


def opened(folder: Path, size: int = 16, *, resize: bool = False, few: FewLabels | None = None) -> Task:
    return open_labeled("mine", Place(str(folder)), size, resize=resize, seed=0, few=few)


def test_images_come_with_their_labels_in_a_drawn_order(folder: Path) -> None:
    task = opened(folder)
    assert (len(task.train), len(task.test), task.classes, task.held_out) == (60, 12, 3, 6)
    assert sorted(task.train.samples.tolist()) == list(range(60))
    assert task.train.labels.tolist() != sorted(task.train.labels.tolist())
    for labeled in (task.train, task.test):
        images = labeled.read(np.arange(len(labeled)))
        assert np.abs(images.mean((1, 2, 3)) - 20 * labeled.labels).max() < 3


def test_the_data_is_told_from_other_data_of_the_same_name(folder: Path, tmp_path: Path) -> None:
    before = opened(folder)
    assert opened(folder).data == before.data
    write(tmp_path / "other", "train", [(number + 1) % 3 for number in range(60)])
    write(tmp_path / "other", "test", [number % 3 for number in range(12)])
    assert opened(tmp_path / "other").data != before.data


def test_another_size_is_refused_unless_fitting_is_asked_for(folder: Path) -> None:
    with pytest.raises(DataError, match=r"16 x 16 pixels but the networks are made for 32 x 32: .* --resize"):
        opened(folder, size=32)
    task = opened(folder, size=32, resize=True)
    assert task.train.read(np.arange(2)).shape == (2, 32, 32, 3)


@pytest.mark.parametrize(
    ("train", "test", "sentence"),
    [
        ([0, 1, None, 0, 1, 0, 1, 0, 1, 0], [0, 1], r"1 of 10 images of .*train-\*\.tar have no class: .*KEY\.cls"),
        ([0, 1] * 10, [0, None], r"1 of 2 images of .*test-\*\.tar have no class"),
        ([0] * 10, [0, 0], r"all images of .* are of one class"),
        ([0, 1] * 10, [0, 2], r"test-\*\.tar has class 2 but .* only classes 0 to 1"),
        ([0, 0, 0, 0, 2, 2, 2, 2] * 3, [0, 2], r"class 1 of .* has 0 images .* needs at least 2"),
        # Identifiers in the place of class numbers.
        ([0, 1, 2**31 - 1] * 8, [0, 1], r"class 2 of .* has 0 images .* needs at least 2"),
        ([2**31 - 1], [2**31 - 1], r"class 0 of .* has 0 images .* needs at least 2"),
    ],
    ids=["no label", "no label in test", "one class", "unknown class", "empty class", "identifier", "no class at all"],
)
def test_labels_that_make_no_probe_are_told(
    tmp_path: Path, train: list[int | None], test: list[int | None], sentence: str
) -> None:
    write(tmp_path, "train", train)
    write(tmp_path, "test", test)
    with pytest.raises(DataError, match=sentence):
        opened(tmp_path)


def test_a_class_with_too_few_images_for_the_draws_is_told(folder: Path) -> None:
    with pytest.raises(DataError, match=r"beside those held out to choose C, but a probe needs at least 25 of each"):
        opened(folder, few=FewLabels(per_class=25, choosing=1, draws=1))


def test_a_split_that_is_missing_is_told(tmp_path: Path) -> None:
    write(tmp_path, "train", [0, 1] * 10)
    with pytest.raises(DataError, match=r"test-\*\.tar"):
        opened(tmp_path)


# Do class numbers mean the same in both splits?


def write_named(folder: Path, split: str, names: list[str], labels: list[int]) -> None:
    """Shards of one call of ours, which names its classes."""
    with ShardWriter(Place(str(folder)), split, 20) as writer:
        for label in labels:
            writer.add(jpeg(20 * label), label=label)
    concatenate(writer.written, classes=names).save(Place(str(folder)))


ANIMALS = ["ant", "bee", "cat"]


def test_splits_of_two_calls_can_be_used_where_their_classes_are_the_same(tmp_path: Path) -> None:
    write_named(tmp_path / "train", "train", ANIMALS, [0, 1, 2] * 10)
    write_named(tmp_path / "test", "photos", ANIMALS, [0, 2, 2, 1])
    task = opened(tmp_path)
    assert (len(task.train), len(task.test), task.classes, task.notes) == (30, 4, 3, ())
    assert list(task.test_shards) == [f"{tmp_path}/test/photos-000000.tar"]


def test_splits_of_two_calls_with_other_classes_are_refused(tmp_path: Path) -> None:
    write_named(tmp_path / "train", "train", ANIMALS, [0, 1, 2] * 10)
    write_named(tmp_path / "test", "test", ["ant", "cat"], [0, 1, 0, 1])
    with pytest.raises(DataError, match=r"class 1 is 'bee' in .*/train/\*\.tar but 'cat' in .*/test/\*\.tar: "):
        opened(tmp_path)


def test_a_shard_that_was_put_beside_others_of_ours_is_refused(tmp_path: Path) -> None:
    write_named(tmp_path / "other", "test", ["ant", "cat"], [0, 1, 0, 1])
    write_named(tmp_path, "train", ANIMALS, [0, 1, 2] * 10)
    (tmp_path / "other" / "test-000000.tar").rename(tmp_path / "test-000000.tar")
    with pytest.raises(DataError, match=r"beside .*/test-000000\.tar names classes but does not list that shard"):
        opened(tmp_path)
    for name in ("dataset.json", "index.npz"):
        (tmp_path / name).unlink()
    assert "no test images of class 2" in opened(tmp_path).notes[0]


def test_shards_of_two_calls_tell_their_classes_also_without_a_description(tmp_path: Path) -> None:
    for split, names in (("train", ANIMALS), ("test", ["ant", "cat", "dog"])):
        for name in names:
            (tmp_path / split / name).mkdir(parents=True)
            for picture in range(8):
                (tmp_path / split / name / f"{picture}.jpg").write_bytes(jpeg(20 * picture))
        options = ["--size", "16", "--processes", "1", "--split", split]
        assert prepare.main([f"{tmp_path}/{split}", f"{tmp_path}/of-{split}", *options]) == 0
        (tmp_path / "both").mkdir(exist_ok=True)
        (tmp_path / f"of-{split}" / f"{split}-000000.tar").rename(tmp_path / "both" / f"{split}-000000.tar")
    with pytest.raises(DataError, match=r"class 1 is 'bee' in .*/both/train-\*\.tar but 'cat' in .*/both/test-\*\.tar"):
        opened(tmp_path / "both")


def test_samples_of_others_say_nothing_of_their_classes(tmp_path: Path) -> None:
    for number, meta in enumerate(({"class": 3}, {"label": "ant"}, None)):
        with ShardWriter(Place(str(tmp_path)), f"s{number}", 9) as writer:
            for label in (0, 1):
                writer.add(jpeg(9), label=label, meta=meta)
        assert names_in_samples(concatenate(writer.written)) == {}


@pytest.mark.parametrize("folder", ["", "./", "set.v2/"])
def test_classes_are_named_in_shards_that_others_packed_too(folder: str, tmp_path: Path) -> None:
    shard = tmp_path / "train-0.tar"
    with tarfile.open(shard, "w", format=tarfile.USTAR_FORMAT) as packed:
        for label, name in enumerate(("cat", "dog")):
            meta = json.dumps({"class": name}).encode()
            for suffix, data in (("jpg", jpeg(9)), ("cls", str(label).encode()), ("json", meta)):
                member = tarfile.TarInfo(f"{folder}k{label}.{suffix}")
                member.size = len(data)
                packed.addfile(member, io.BytesIO(data))
    assert names_in_samples(concatenate([index_shard(Place(str(shard)))])) == {0: "cat", 1: "dog"}


def test_splits_of_one_call_share_their_classes_and_what_lacks_is_told(tmp_path: Path) -> None:
    for name in (
        "train/ant/a",
        "train/ant/b",
        "train/bee/a",
        "train/bee/b",
        "train/cat/a",
        "train/cat/b",
        "test/cat/a",
    ):
        for number in range(4):
            (tmp_path / "in" / name).parent.mkdir(parents=True, exist_ok=True)
            Path(f"{tmp_path}/in/{name}{number}.jpg").write_bytes(jpeg(20 * number))
    assert prepare.main([f"{tmp_path}/in", f"{tmp_path}/out", "--size", "16", "--processes", "1"]) == 0
    task = opened(tmp_path / "out")
    assert task.test.labels.tolist() == [2] * 4
    assert task.notes == ("there are no test images of ant, bee: the accuracy says nothing about them",)


def test_validation_images_are_used_where_there_are_no_test_images(tmp_path: Path) -> None:
    write(tmp_path, "train", [0, 1] * 10)
    write(tmp_path, "val", [0, 1, 1])
    task = opened(tmp_path)
    assert len(task.test) == 3
    assert task.notes == ("there is no test-*.tar: tested on val-*.tar",)
    write(tmp_path, "test", [0, 1])
    assert (len(opened(tmp_path).test), opened(tmp_path).notes) == (2, ())


def test_test_images_that_a_run_was_trained_on_are_told(folder: Path) -> None:
    task = opened(folder)
    train, test = (contents([f"{folder}/{split}-000000.tar"]) for split in ("train", "test"))
    assert task.seen_by(TrainedOn(train)) is task
    (note,) = task.seen_by(TrainedOn(train | test)).notes
    assert note.startswith(f"the run was trained on 1 of the 1 shards of test images, for example {folder}/test-000000")
    # A copy of them elsewhere, or what the networks were trained on before this run, is no less seen.
    (copy,) = test.values()
    (note,) = task.seen_by(TrainedOn(train, before={"s3://there/all-3.tar": copy})).notes
    assert f"{folder}/test-000000.tar, a copy of s3://there/all-3.tar: its accuracy on them is not that on" in note


def test_where_it_is_not_known_what_a_run_was_trained_on_that_is_told(folder: Path) -> None:
    (note,) = opened(folder).seen_by(TrainedOn(unknown="its record is lost")).notes
    assert note == "it is not known whether the run was trained on these test images: its record is lost"


def test_what_is_passed_over_in_either_split_is_told(folder: Path) -> None:
    (folder / "train-000007.tar").write_bytes(bytes(10240))
    (folder / "test-000003.tar").write_bytes(b"")
    told = opened(folder).notes
    assert [note.partition(" (")[0] for note in told] == [
        "passed over: 1 shard without any file, train-000007.tar",
        "passed over: 1 shard without any file, test-000003.tar",
    ]
