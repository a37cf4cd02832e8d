"""A small ImageNet in each of the packings that the real one comes in; bodies stand for pictures, none is equal to
another."""

import io
from pathlib import Path

import numpy as np
from scipy.io import savemat

from dcgan_dist.storage import Place
from tests.data.readers.tar_files import packed, tar_of

WNIDS = ["n01440764", "n01443537", "n02084071", "n04613696"]
"""Sorted."""

ROOTS = ["n00001740", "n00001930"]
"""Classes that have others below them: no pictures are of these."""

IDS = {"n02084071": 1, "n04613696": 2, "n01440764": 3, "n01443537": 4}
"""ILSVRC2012_ID: another order."""

VAL = ["n04613696", "n01440764", "n02084071", "n01440764", "n01443537", "n04613696", "n02084071"]
"""Class of each validation picture, in the order of their numbers."""

TEST_PICTURES = 3


def train() -> dict[str, dict[str, bytes]]:
    """Pictures by name, by class: 3, 4, 5 and 6 of them."""
    return {
        wnid: {f"{wnid}_{number * 17}.JPEG": f"{wnid} {number} ".encode() * 30 * number for number in range(1, 4 + i)}
        for i, wnid in enumerate(WNIDS)
    }


def val() -> dict[str, bytes]:
    """Validation pictures by name, in the order of their numbers."""
    return {f"ILSVRC2012_val_{i:08d}.JPEG": f"val {i} ".encode() * 50 * i for i in range(1, len(VAL) + 1)}


def held_out() -> dict[str, bytes]:
    """Test pictures by name."""
    return {f"ILSVRC2012_test_{i:08d}.JPEG": f"test {i} ".encode() * 70 for i in range(1, TEST_PICTURES + 1)}


def expected() -> dict[str, tuple[str, int, bytes]]:
    """Split, class and picture by key."""
    found = {
        f"{wnid}/{name}": ("train", WNIDS.index(wnid), body)
        for wnid, pictures in train().items()
        for name, body in pictures.items()
    }
    found |= {name: ("val", WNIDS.index(wnid), body) for (name, body), wnid in zip(val().items(), VAL, strict=True)}
    return found | {name: ("test", -1, body) for name, body in held_out().items()}


def train_tar(pictures: dict[str, dict[str, bytes]] | None = None) -> bytes:
    """The tar of tars, classes in an order that is not sorted."""
    pictures = train() if pictures is None else pictures
    return tar_of({f"{wnid}.tar": tar_of(pictures[wnid]) for wnid in reversed(pictures)})


def val_tar() -> bytes:
    """In another order than that of their numbers."""
    pictures = val()
    return tar_of({name: pictures[name] for name in sorted(pictures, key=lambda name: name[::-1])[::-1]})


def devkit(
    ids: dict[str, int] = IDS,
    truth: list[str] | None = None,
    meta: bytes | None = None,
    folder: str = "ILSVRC2012_devkit_t12",
) -> bytes:
    """As published, but for the many other files in it."""
    synsets = [
        {"ILSVRC2012_ID": number, "WNID": wnid, "words": wnid[1:], "gloss": "", "num_children": 0, "children": [],
         "wordnet_height": 0, "num_train_images": 1300}
        for wnid, number in ids.items()
    ]  # fmt: skip
    synsets += [
        {"ILSVRC2012_ID": len(ids) + 1 + i, "WNID": wnid, "words": wnid, "gloss": "all", "num_children": 2,
         "children": [1.0, 2.0], "wordnet_height": 3, "num_train_images": 0}
        for i, wnid in enumerate(ROOTS)
    ]  # fmt: skip
    if meta is None:
        meta = mat_of({"synsets": records(synsets)})
    lines = [str(IDS[wnid]) for wnid in VAL] if truth is None else truth
    files = {
        f"{folder}/readme.txt": b"Development kit",
        f"{folder}/data/meta.mat": meta,
        f"{folder}/data/ILSVRC2012_validation_ground_truth.txt": "".join(f"{line}\n" for line in lines).encode(),
    }
    return packed(tar_of(files))


def records(rows: list[dict[str, object]]) -> np.ndarray:
    """A MATLAB struct array (n, 1)."""
    array = np.empty((len(rows), 1), [(name, object) for name in rows[0]])
    for i, row in enumerate(rows):
        array[i, 0] = tuple(row.values())
    return array


def mat_of(variables: dict[str, object]) -> bytes:
    """A MATLAB file of version 5, compressed."""
    file = io.BytesIO()
    savemat(file, variables, do_compression=True)
    return file.getvalue()


def published(folder: Path) -> Place:
    """As the publisher gives it."""
    folder.mkdir(exist_ok=True)
    for name, data in {
        "ILSVRC2012_img_train.tar": train_tar(),
        "ILSVRC2012_img_val.tar": val_tar(),
        "ILSVRC2012_img_test_v10102019.tar": tar_of({f"test/{name}": body for name, body in held_out().items()}),
        "ILSVRC2012_devkit_t12.tar.gz": devkit(),
    }.items():
        (folder / name).write_bytes(data)
    return Place(str(folder))


def hugging_face(folder: Path) -> Place:
    """In the archives that Hugging Face had before Parquet: each class is in several of them."""
    inside = folder / "data"
    inside.mkdir(parents=True)
    names = [(f"{name[:-5]}_{wnid}.JPEG", body) for wnid, files in train().items() for name, body in files.items()]
    for part in range(5):
        (inside / f"train_images_{part}.tar.gz").write_bytes(packed(tar_of(dict(names[part::5]))))
    labeled = {f"{name[:-5]}_{wnid}.JPEG": body for (name, body), wnid in zip(val().items(), VAL, strict=True)}
    (inside / "val_images.tar.gz").write_bytes(packed(tar_of(labeled)))
    (inside / "test_images.tar.gz").write_bytes(packed(tar_of(held_out())))
    return Place(str(folder))


def class_tars(folder: Path) -> Place:
    """The outer tar unpacked, in the folder `train`."""
    (folder / "train").mkdir(parents=True)
    for wnid, pictures in train().items():
        (folder / "train" / f"{wnid}.tar").write_bytes(tar_of({f"./{name}": body for name, body in pictures.items()}))
    return Place(str(folder))
