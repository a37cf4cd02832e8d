"""ImageNet's development kit."""

from pathlib import Path

import numpy as np
import pytest

from dcgan_dist.data.readers import imagenet_devkit
from dcgan_dist.data.readers.imagenet_devkit import DEVKIT, read_devkit
from dcgan_dist.errors import DataError, SettingsError
from dcgan_dist.storage import MissingFile, Place
from tests.data.readers.imagenet_sets import IDS, VAL, WNIDS, devkit, mat_of, records
from tests.data.readers.tar_files import packed, tar_of
from tests.data.readers.whole import original


def written(folder: Path, data: bytes) -> Place:
    (folder / DEVKIT).write_bytes(data)
    return Place(str(folder / DEVKIT))


@pytest.fixture(params=["built", "original"])
def kit(request: pytest.FixtureRequest, tmp_path: Path) -> Place:
    if request.param == "built":
        return written(tmp_path, devkit())
    return Place(str(original("imagenet") / DEVKIT))


def test_torchvision_reads_the_same(kit: Place, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from torchvision.datasets import imagenet  # takes seconds to import

    monkeypatch.setattr(imagenet, "_verify_archive", lambda *_: None)
    root = tmp_path / "peer"
    root.mkdir()
    (root / DEVKIT).symlink_to(kit.local_path)
    imagenet.parse_devkit_archive(root)
    classes, of_pictures = imagenet.load_meta_file(root)
    found = read_devkit(kit)
    assert [f"n{wnid:08d}" for wnid in found.val] == of_pictures
    assert [f"n{wnid:08d}" for wnid in found.wnids] == sorted(classes)
    assert found.val.dtype == found.wnids.dtype == np.int32


def test_classes_are_in_the_order_of_their_names(tmp_path: Path) -> None:
    found = read_devkit(written(tmp_path, devkit(folder="renamed")))
    assert [f"n{wnid:08d}" for wnid in found.wnids] == WNIDS
    assert [f"n{wnid:08d}" for wnid in found.val] == VAL


def synset(wnid: object = "n01440764", number: object = 1, children: object = 0) -> dict[str, object]:
    return {"ILSVRC2012_ID": number, "WNID": wnid, "num_children": children}


def with_meta(*rows: dict[str, object]) -> bytes:
    return devkit(truth=["1"], meta=mat_of({"synsets": records(list(rows))}))


def test_a_single_class_is_enough(tmp_path: Path) -> None:
    found = read_devkit(written(tmp_path, with_meta(synset())))
    assert found.wnids.tolist() == found.val.tolist() == [1440764]


HTML = b"<html>Sign in</html>"


@pytest.mark.parametrize(
    ("data", "told"),
    [
        (b"", "is not compressed by gzip: it is empty"),
        (HTML, "is not compressed by gzip: it is a page of HTML"),
        (tar_of({"a": b"1"}), "is not compressed by gzip: it begins with b'a"),
        (packed(HTML), "is not a tar: it is a page of HTML"),
        (devkit()[:-40], "ends in the middle of what is compressed in it"),
        (
            packed(tar_of({"x/data/meta.mat": b"1"})),
            "has no data/ILSVRC2012_validation_ground_truth.txt, as ImageNet's",
        ),
        (
            packed(tar_of({"data/ILSVRC2012_validation_ground_truth.txt": b"1", "x/metadata/meta.mat": b"2"})),
            "has no data/meta.mat, as",
        ),
        (devkit(meta=b""), r"data/meta.mat in .* cannot be read \(MatReadError\)"),
        (devkit(meta=HTML * 30), r"data/meta.mat in .* cannot be read \(ValueError\)"),
        (devkit(meta=mat_of({"other": [1.0]})), r"data/meta.mat in .* cannot be read \(KeyError\)"),
        (devkit(meta=mat_of({"synsets": [1.0, 2.0]})), r"data/meta.mat in .* cannot be read \(IndexError\)"),
        (devkit(meta=mat_of({"synsets": [1.0] * 900})[:-30]), r"data/meta.mat in .* cannot be read"),
        (with_meta(synset(children=1), synset(children=2)), "does not name each class once"),
        (with_meta(synset(), synset(number=2)), "does not name each class once"),
        (with_meta(synset(), synset("n01443537")), "does not name each class once"),
        (with_meta(synset(), synset("../x", number=2)), "does not name each class once"),
        (with_meta(synset(number=np.inf), synset("n01443537")), r"cannot be read \(OverflowError\)"),
        (devkit(truth=["1", "5"]), "has b'5' where one of the 4 classes is expected"),
        (devkit(truth=["1", "0"]), "has b'0' where"),
        (devkit(truth=["-1"]), "has b'-1' where"),
        (devkit(truth=["9" * 5000]), f"has b'{'9' * 20}' where"),
        (devkit(truth=["one"]), "has b'one' where"),
    ],
)
def test_what_is_no_kit_is_told_in_a_sentence(tmp_path: Path, data: bytes, told: str) -> None:
    with pytest.raises(DataError, match=told) as caught:
        read_devkit(written(tmp_path, data))
    assert DEVKIT in str(caught.value)


def test_kit_that_is_too_large_is_not_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = written(tmp_path, devkit())
    monkeypatch.setattr(imagenet_devkit, "_MOST_BYTES", len(devkit()) - 1)
    with pytest.raises(DataError, match="bytes, which ImageNet's development kit does not have"):
        read_devkit(file)


def test_file_in_a_kit_that_is_too_large_is_not_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    data = devkit(truth=["1"] * 100_000)
    file = written(tmp_path, data)
    monkeypatch.setattr(imagenet_devkit, "_MOST_BYTES", 150_000)
    assert len(data) < 150_000
    with pytest.raises(DataError, match="has no data/ILSVRC2012_validation_ground_truth"):
        read_devkit(file)


def test_kit_that_is_not_there_is_told(tmp_path: Path) -> None:
    with pytest.raises(MissingFile, match="devkit"):
        read_devkit(Place(str(tmp_path / DEVKIT)))


def test_without_scipy_it_is_said_how_to_get_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(__import__("sys").modules, "scipy.io", None)
    with pytest.raises(SettingsError, match=r"tar\.gz needs scipy to be read: pip install 'dcgan-dist\[prepare\]'"):
        read_devkit(written(tmp_path, devkit()))


def test_ids_are_of_another_order_here() -> None:
    assert sorted(IDS, key=IDS.__getitem__) != WNIDS
