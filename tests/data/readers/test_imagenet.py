"""ImageNet from each of the packings that it comes in."""

import pickle
from collections.abc import Callable
from pathlib import Path

import pytest

from dcgan_dist.data.readers.imagenet import IMAGENET
from dcgan_dist.data.readers.source import Request, Source
from dcgan_dist.errors import DataError, SettingsError
from dcgan_dist.storage import Place
from tests.data.readers import imagenet_sets as sets
from tests.data.readers.imagenet_sets import WNIDS, class_tars, expected, hugging_face, published
from tests.data.readers.tar_files import link, packed, tar_of
from tests.data.readers.whole import original

Table = dict[str, tuple[str, int, bytes]]
TRAIN_TAR, VAL_TAR, KIT = "ILSVRC2012_img_train.tar", "ILSVRC2012_img_val.tar", "ILSVRC2012_devkit_t12.tar.gz"
NOT_AS_PUBLISHED = (
    "train has 18 pictures, ImageNet as published 1,281,167",
    "val has 7 pictures, ImageNet as published 50,000",
    "test has 3 pictures, ImageNet as published 100,000",
    "there are 4 classes, in ImageNet as published 1,000",
)


def read(source: Source, every: int = 1) -> Table:
    """Split, class and picture of each sample, or of every n-th, by key, as tasks read them."""
    samples = source.samples
    order = sorted(range(len(samples)), key=lambda row: (samples.file[row], samples.offset[row]))[::every]
    fetch, some = pickle.loads(pickle.dumps((source.fetch, samples.take(sets.np.array(order)))))
    rows = zip(some.key.to_pylist(), some.split.tolist(), some.label.tolist(), fetch(source.files, some), strict=True)
    return {key: (source.splits[split], label, picture) for key, split, label, picture in rows}


def of_splits(*splits: str) -> Table:
    return {key: value for key, value in expected().items() if value[0] in splits}


@pytest.mark.parametrize(
    ("pack", "streamed", "splits"),
    [
        (published, False, ("train", "val", "test")),
        (hugging_face, True, ("train", "val", "test")),
        (class_tars, False, ("train",)),
    ],
)
def test_all_packings_give_the_same(
    tmp_path: Path, pack: Callable[[Path], Place], streamed: bool, splits: tuple[str, ...]
) -> None:
    source = IMAGENET.open([pack(tmp_path / "set")], Request())
    assert source.splits == splits
    assert source.classes == tuple(WNIDS)
    assert source.streamed == streamed
    assert read(source) == of_splits(*splits)
    assert read(source, every=3).items() < read(source).items()
    assert source.notes == tuple(line for line in NOT_AS_PUBLISHED if line.split()[0] in (*splits, "there"))
    assert len(source.samples) == len(of_splits(*splits))
    assert source.samples.size.tolist() == [len(expected()[key][2]) for key in source.samples.key.to_pylist()]
    assert source.witness.is_file()


def test_torchvision_reads_the_same(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from torchvision.datasets import imagenet  # takes seconds to import

    monkeypatch.setattr(imagenet, "_verify_archive", lambda *_: None)
    folder = published(tmp_path / "set")
    found = read(IMAGENET.open([folder], Request(splits=("train", "val"))))
    for split in ("train", "val"):
        peer = imagenet.ImageNet(tmp_path / "set", split)
        assert tuple(peer.wnids) == tuple(WNIDS)
        theirs = {Path(path).name: (split, label, Path(path).read_bytes()) for path, label in peer.samples}
        assert {key.rpartition("/")[2]: value for key, value in found.items() if value[0] == split} == theirs


def test_validation_labels_of_the_published_files_are_those_of_torchvision(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from torchvision.datasets import imagenet  # takes seconds to import

    folder = original("imagenet")
    monkeypatch.setattr(imagenet, "_verify_archive", lambda *_: None)
    (tmp_path / KIT).symlink_to(folder / KIT)
    imagenet.parse_devkit_archive(tmp_path)
    classes, of_pictures = imagenet.load_meta_file(tmp_path)
    source = IMAGENET.open([Place(str(folder))], Request(splits=("val",)))
    assert source.classes == tuple(sorted(classes))
    keys = source.samples.key.to_pylist()
    found = [source.classes[label] for _, label in sorted(zip(keys, source.samples.label.tolist(), strict=True))]
    assert found == of_pictures


def test_files_can_be_given_in_any_order(tmp_path: Path) -> None:
    folder = published(tmp_path)
    seen: list[tuple[int, int | None]] = []
    request = Request(seen=lambda done, total: seen.append((done, total)))
    source = IMAGENET.open([folder / KIT, folder / VAL_TAR, folder / TRAIN_TAR], request)
    assert source.splits == ("train", "val")
    assert source.files == (folder / TRAIN_TAR, folder / VAL_TAR)
    assert read(source) == of_splits("train", "val")
    assert source.where == f"{folder / KIT}, {folder / VAL_TAR}, {folder / TRAIN_TAR}"
    assert seen[0] == (7, None)
    assert seen[-1] == (25, None)
    assert seen == sorted(seen)


@pytest.mark.parametrize("pack", [published, hugging_face])
@pytest.mark.parametrize("splits", [("val",), ("test", "train")])
def test_only_splits_that_were_asked_for_are_read(
    tmp_path: Path, pack: Callable[[Path], Place], splits: tuple[str, ...]
) -> None:
    folder = pack(tmp_path / "set")
    for place, _ in folder.files(recursive=True):
        if place.name != KIT and not any(split in place.name for split in splits):
            place.write_bytes(b"<html>")
    source = IMAGENET.open([folder], Request(splits=splits))
    assert source.splits == tuple(sorted(splits, reverse=True))
    assert read(source) == of_splits(*splits)


def test_pictures_on_an_object_store_are_read_in_place(s3: Place, tmp_path: Path) -> None:
    folder = published(tmp_path)
    for name in (TRAIN_TAR, VAL_TAR, KIT):
        (s3 / name).write_bytes((folder / name).read_bytes())
    assert IMAGENET.recognize(s3) == "ImageNet's archives of train, val"
    source = IMAGENET.open([s3], Request())
    assert read(source) == of_splits("train", "val")


def test_classes_are_those_of_the_kit_where_only_some_are_there(tmp_path: Path) -> None:
    folder = published(tmp_path)
    some = {wnid: pictures for wnid, pictures in sets.train().items() if wnid in WNIDS[1:3]}
    (folder / TRAIN_TAR).write_bytes(sets.train_tar(some))
    source = IMAGENET.open([folder], Request(splits=("train",)))
    assert source.classes == tuple(WNIDS)
    assert read(source) == {key: value for key, value in of_splits("train").items() if value[1] in (1, 2)}


def test_splits_have_the_same_classes_also_without_a_kit(tmp_path: Path) -> None:
    folder = hugging_face(tmp_path)
    files = [folder / "data" / "val_images.tar.gz", folder / "data" / "x.tar.gz"]
    files[1].write_bytes(packed(tar_of({"n02084071_5_n02084071.JPEG": b"5"})))
    source = IMAGENET.open(files, Request())
    found = read(source)
    assert source.classes == tuple(WNIDS)
    assert found.pop("n02084071/n02084071_5.JPEG") == ("train", 2, b"5")
    assert found == of_splits("val")


def test_missing_picture_moves_no_label(tmp_path: Path) -> None:
    folder = published(tmp_path)
    some = {name: body for name, body in sets.val().items() if not name.endswith(("2.JPEG", "4.JPEG"))}
    (folder / VAL_TAR).write_bytes(tar_of(some))
    found = read(IMAGENET.open([folder], Request(splits=("val",))))
    assert found == {key: value for key, value in of_splits("val").items() if key in some}


def test_what_is_no_picture_is_counted(tmp_path: Path) -> None:
    pictures = {"README": b"1", "../up.sh": b"2", **sets.train()["n01440764"], "n01440764_99.cls": b"0"}
    inner = tar_of(pictures, link("n01440764_1.JPEG"))
    file = Place(str(tmp_path / "mine.tar"))
    file.write_bytes(
        tar_of({"n01440764.tar": inner, "LICENSE": b"x", "n02084071.tar.md5": b"y"}, link("n01443537.tar"))
    )
    source = IMAGENET.open([file], Request())
    assert read(source) == {key: value for key, value in of_splits("train").items() if value[1] == 0}
    assert source.notes[:2] == (
        f"passed over: 3 files in {file} that are no tars of classes by name, for example n01443537.tar",
        "passed over: 4 files that are no pictures of ImageNet by name, for example "
        f"n01440764_1.JPEG in n01440764.tar in {file}",
    )


def test_empty_picture_is_left_to_whoever_decodes_it(tmp_path: Path) -> None:
    file = Place(str(tmp_path / "n01440764.tar"))
    file.write_bytes(tar_of({"n01440764_1.JPEG": b"", "n01440764_2.JPEG": b"2"}))
    assert [picture for _, _, picture in read(IMAGENET.open([file], Request())).values()] == [b"", b"2"]


HTML = b"<!DOCTYPE html><html>" + b"Sign in " * 200


def change(name: str, data: bytes | None) -> Callable[[Place], None]:
    def do(folder: Place) -> None:
        (folder / name).delete() if data is None else (folder / name).write_bytes(data)

    return do


@pytest.mark.parametrize(
    ("break_it", "told"),
    [
        (change(TRAIN_TAR, HTML), f"{TRAIN_TAR} is not a tar: it is a page of HTML"),
        (change(TRAIN_TAR, b""), f"{TRAIN_TAR} is not a tar: it is empty"),
        (change(TRAIN_TAR, sets.train_tar()[:9_000]), f"{TRAIN_TAR} is damaged or not whole: it ends at byte 9,000 in"),
        (change(TRAIN_TAR, sets.val_tar()), f"{TRAIN_TAR} is taken for an archive of train, but holds ILSVRC2012_val_"),
        (change(TRAIN_TAR, tar_of({})), f"{TRAIN_TAR} holds no pictures of ImageNet's: it is empty"),
        (change(TRAIN_TAR, tar_of({"a.jpg": b"1"})), "holds no pictures of ImageNet's: it holds a.jpg in"),
        (
            change(TRAIN_TAR, tar_of({"n01440764.tar": tar_of({"n01443537_1.JPEG": b"1"})})),
            "n01440764.tar in .* holds n01443537/n01443537_1.JPEG, which is not of the class n01440764",
        ),
        (
            change(TRAIN_TAR, tar_of({"n01440764.tar": tar_of({"n01440764_1.JPEG": b"1"})[:512] + bytes(512)})),
            "n01440764.tar in .* is damaged or not whole",
        ),
        (
            change(TRAIN_TAR, tar_of({"n01440764.tar": tar_of({"n01440764_1.JPEG": b"1"}), "n02084071.tar": HTML})),
            "n02084071.tar in .* is not a tar: it is a page of HTML",
        ),
        (
            change(TRAIN_TAR, tar_of({f"{i}/n01440764.tar": tar_of({"n01440764_1.JPEG": b"1"}) for i in range(2)})),
            "has n01440764/n01440764_1.JPEG more than once: of archives that hold the same pictures, give one",
        ),
        (
            change(TRAIN_TAR, packed(sets.train_tar())),
            f"{TRAIN_TAR} is compressed and .*{VAL_TAR} is not: prepare them",
        ),
        (
            change(TRAIN_TAR, sets.train_tar({"n00000007": {"n00000007_1.JPEG": b"1"}})),
            f"has pictures of n00000007, which is no class of {KIT}",
        ),
        (change(VAL_TAR, sets.train_tar()), f"n04613696.tar in .*{VAL_TAR} is taken for an archive of val, but holds"),
        (
            change(KIT, None),
            f"{VAL_TAR} does not say which classes its pictures of val have: give {KIT} as well, which is at",
        ),
        (change(KIT, HTML), f"{KIT} is not compressed by gzip: it is a page of HTML"),
        (change(KIT, sets.devkit(truth=["1", "2"])), "has validation picture [3-7], but .* has classes of 2"),
    ],
)
def test_what_is_wrong_is_told_in_a_sentence(tmp_path: Path, break_it: Callable[[Place], None], told: str) -> None:
    folder = published(tmp_path)
    break_it(folder)
    with pytest.raises(DataError, match=told):
        IMAGENET.open([folder], Request())


def test_kit_and_names_have_to_agree(tmp_path: Path) -> None:
    folder = hugging_face(tmp_path)
    (folder / KIT).write_bytes(sets.devkit())
    assert read(IMAGENET.open([folder], Request())) == expected()
    truth = [str(sets.IDS[wnid]) for wnid in sets.VAL]
    truth[4] = "2"
    (folder / KIT).write_bytes(sets.devkit(truth=truth))
    with pytest.raises(
        DataError, match=r"picture 5 of class n01443537 by its name, but of n04613696 by ILSVRC2012_dev"
    ):
        IMAGENET.open([folder], Request())


@pytest.mark.parametrize(
    ("data", "told"),
    [
        (HTML, r"train_images_3\.tar\.gz is not a tar: it is a page of HTML"),
        (b"", r"train_images_3\.tar\.gz is not a tar: it is empty"),
        (
            packed(tar_of(sets.train()["n01440764"]))[:-30],
            r"train_images_3\.tar\.gz ends in the middle of what is compr",
        ),
        (packed(tar_of({"0.jpg": b"1"})), r"train_images_3\.tar\.gz holds no pictures of ImageNet's: it holds 0\.jpg"),
        (
            packed(tar_of(sets.val())),
            r"train_images_3\.tar\.gz is taken for an archive of train, but holds ILSVRC2012_v",
        ),
    ],
)
def test_compressed_archive_that_is_wrong_is_told(tmp_path: Path, data: bytes, told: str) -> None:
    folder = hugging_face(tmp_path)
    (folder / "data" / "train_images_3.tar.gz").write_bytes(data)
    with pytest.raises(DataError, match=told):
        IMAGENET.open([folder], Request())


def test_labels_are_checked_before_training_pictures_are_listed(tmp_path: Path) -> None:
    folder = published(tmp_path)
    (folder / KIT).delete()
    (folder / TRAIN_TAR).write_bytes(b"no tar")
    with pytest.raises(DataError, match="does not say which classes its pictures of val have"):
        IMAGENET.open([folder], Request())


def test_compressed_tar_of_tars_is_to_be_decompressed(tmp_path: Path) -> None:
    file = Place(str(tmp_path / f"{TRAIN_TAR}.gz"))
    file.write_bytes(packed(sets.train_tar()))
    with pytest.raises(DataError, match=r"train\.tar\.gz is a tar of tars, and compressed: decompress it"):
        IMAGENET.open([file], Request())


def test_split_that_imagenet_does_not_have_is_told(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="split is 'dev' but ImageNet has train, val, test"):
        IMAGENET.open([published(tmp_path)], Request(splits=("dev",)))


@pytest.mark.parametrize(
    ("pack", "name", "seen"),
    [
        (published, "", "ImageNet's archives of train, val, test"),
        (published, TRAIN_TAR, "ImageNet's archives"),
        (published, KIT, "ImageNet's archives"),
        (hugging_face, "", "ImageNet's archives of train, val, test"),
        (hugging_face, "data/train_images_0.tar.gz", "ImageNet's archives"),
        (class_tars, "", "ImageNet's archives of train"),
        (class_tars, "train/n01440764.tar", "ImageNet's archives"),
    ],
)
def test_archives_are_recognized(tmp_path: Path, pack: Callable[[Path], Place], name: str, seen: str) -> None:
    folder = pack(tmp_path / "set")
    assert IMAGENET.recognize(folder / name if name else folder) == seen


def test_tar_of_tars_is_recognized_under_any_name(tmp_path: Path) -> None:
    file = Place(str(tmp_path / "mine.tar"))
    file.write_bytes(sets.train_tar())
    assert IMAGENET.recognize(file) == "a tar of tars of ImageNet's classes"


@pytest.mark.parametrize(
    "files",
    [
        {},
        {"n01440764/n01440764_1.JPEG": b"1"},
        {"00000.tar": tar_of({"n01440764_1.JPEG": b"1", "n01440764_1.cls": b"0"})},
        {"00000.tar": tar_of({"x.tar": b"1"})},
        {"00000.tar": b"no tar"},
        {"test_images.tar.gz": packed(tar_of({"0.jpg": b"1"}))},
        {"train_images_0.tar.gz": b"no gzip"},
        {"n01440764.tar": HTML},
    ],
)
def test_what_is_of_others_is_left_to_them(tmp_path: Path, files: dict[str, bytes]) -> None:
    folder = Place(str(tmp_path / "set"))
    folder.make_folder()
    for name, data in files.items():
        (folder / name).write_bytes(data)
        assert IMAGENET.recognize(folder / name) == ""
    assert IMAGENET.recognize(folder) == ""
    assert IMAGENET.recognize(folder / "gone") == ""
