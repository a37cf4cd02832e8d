"""Data sets that their publishers let programs download: which files these are, and how they are fetched.

A download that broke off goes on where it ended, in `NAME.part`; a file has its name only once its checksum is right.
Proxies are those that the environment names (`https_proxy`, `no_proxy`).
"""

import fcntl
import hashlib
import http.client
import os
import shutil
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from dcgan_dist.errors import DataError, SettingsError
from dcgan_dist.storage import PAUSES_S, Place

_BLOCK = 1 << 20
_TIMEOUT_S = 60
# Answers after which trying again may help.
_BUSY = frozenset({408, 429, 500, 502, 503, 504})
_RANGE_REFUSED = 416

Progress = Callable[[str, int, int], None]
"""Is told the name of a file, how many of its bytes are there, and how many it has."""


@dataclass(frozen=True)
class Published:
    """A file as its publisher offers it.

    Attributes:
        url: where.
        size: bytes.
        md5: of its content, in hexadecimal digits.
        split: that it is all of; "" where every split needs it.
    """

    url: str
    size: int
    md5: str
    split: str = ""

    @property
    def name(self) -> str:
        """The last part of its address."""
        return self.url.rpartition("/")[2]


_CIFAR = "https://www.cs.toronto.edu/~kriz"
_SVHN = "http://ufldl.stanford.edu/housenumbers"
_MNIST = "https://ossci-datasets.s3.amazonaws.com/mnist"  # the author's own server refuses programs
_FASHION = "http://fashion-mnist.s3-website.eu-central-1.amazonaws.com"

# MD5 sums are those that torchvision 0.29 has in its modules datasets/cifar.py, svhn.py and mnist.py.
PUBLISHED: dict[str, tuple[Published, ...]] = {
    "cifar10": (Published(f"{_CIFAR}/cifar-10-python.tar.gz", 170_498_071, "c58f30108f718f92721af3b95e74349a"),),
    "svhn": (
        Published(f"{_SVHN}/train_32x32.mat", 182_040_794, "e26dedcc434d2e4c54c9b2d4a06d8373", "train"),
        Published(f"{_SVHN}/extra_32x32.mat", 1_329_278_602, "a93ce644f1a588dc4d68dda5feec44a7", "extra"),
        Published(f"{_SVHN}/test_32x32.mat", 64_275_384, "eb5a983be6a315427106f1b164d9cef3", "test"),
    ),
    "mnist": (
        Published(f"{_MNIST}/train-images-idx3-ubyte.gz", 9_912_422, "f68b3c2dcbeaaa9fbdd348bbdeb94873", "train"),
        Published(f"{_MNIST}/train-labels-idx1-ubyte.gz", 28_881, "d53e105ee54ea40749a09fcbcd1e9432", "train"),
        Published(f"{_MNIST}/t10k-images-idx3-ubyte.gz", 1_648_877, "9fb629c4189551a2d022fa330f9573f3", "test"),
        Published(f"{_MNIST}/t10k-labels-idx1-ubyte.gz", 4_542, "ec29112dd5afa0611ce80d1b7f02629c", "test"),
    ),
    "fashion-mnist": (
        Published(f"{_FASHION}/train-images-idx3-ubyte.gz", 26_421_880, "8d4fb7e6c68d591d4c3dfef9ec88bf0d", "train"),
        Published(f"{_FASHION}/train-labels-idx1-ubyte.gz", 29_515, "25c81989df183df01b3e8a0aad5dffbe", "train"),
        Published(f"{_FASHION}/t10k-images-idx3-ubyte.gz", 4_422_102, "bef4ecab320f06d8554ea6380940ec79", "test"),
        Published(f"{_FASHION}/t10k-labels-idx1-ubyte.gz", 5_148, "bb300cfdad3c16e7a12a480ee83cd310", "test"),
    ),
}
"""Files of each data set that can be downloaded."""

ELSEWHERE: dict[str, str] = {
    "celeba": "CelebA lies on Google Drive, which gives programs a page of HTML in place of a file: open "
    "http://mmlab.ie.cuhk.edu.hk/projects/CelebA.html, and put img_align_celeba.zip, list_attr_celeba.txt and "
    "list_eval_partition.txt into one folder",
    "imagenet": "ImageNet is for those who have agreed to its terms: log in at https://image-net.org/download-images, "
    "and put ILSVRC2012_img_train.tar, ILSVRC2012_img_val.tar and ILSVRC2012_devkit_t12.tar.gz into one folder; or "
    "take the Parquet files of ILSVRC/imagenet-1k at https://huggingface.co",
    "lsun": "LSUN is too large to be fetched in passing: take CATEGORY_train_lmdb.zip, as for bedroom (43 GB), by the "
    "script at https://github.com/fyu/lsun, and unpack it",
}
"""Where those are that cannot."""

_LEFT_OUT = ("extra",)
"""Splits that are downloaded only if they are asked for by name: of SVHN it is seven times the others."""


def download(name: str, folder: Place, splits: Sequence[str], progress: Progress) -> list[Place]:
    """Download the files of a data set, except for those that are there.

    Args:
        name: of the data set.
        folder: on a disk; made where there is none.
        splits: whose files are needed; none: those of all but `extra`.
        progress: is told how far each file is.

    Returns:
        The files, also those that were there.

    Raises:
        SettingsError: the data set cannot be downloaded, it has no such split, or the folder is on an object store.
        DataError: see `fetch`.
    """
    if name in ELSEWHERE:
        raise SettingsError(ELSEWHERE[name])
    if name not in PUBLISHED:
        raise SettingsError(f"{name} cannot be downloaded: what can be is {', '.join(PUBLISHED)}")
    if not folder.is_local:
        raise SettingsError(f"downloads go to {folder} but need a folder on a disk, where they go on if they break off")
    files = _files(name, splits)
    folder.make_folder()
    return [Place(str(fetch(file, folder.local_path, progress))) for file in files]


def _files(name: str, splits: Sequence[str]) -> list[Published]:
    """Those of a data set that some splits need."""
    offered = list(dict.fromkeys(file.split for file in PUBLISHED[name]))
    lacking = [split for split in splits if split not in offered]
    if lacking and offered != [""]:
        has = ", ".join(filter(None, offered))
        raise SettingsError(f"split is {','.join(splits)!r} but {name} has no files of {lacking[0]}: it has {has}")
    wanted = splits or [split for split in offered if split not in _LEFT_OUT]
    return [file for file in PUBLISHED[name] if file.split in ("", *wanted)]


def fetch(file: Published, folder: Path, progress: Progress) -> Path:
    """Download a file into a folder, unless it is there; returns where it is.

    Raises:
        DataError: the server cannot be reached or gives something else, there is no space, or another process downloads
            the file.
    """
    target, part = folder / file.name, folder / f"{file.name}.part"
    try:
        if target.exists():
            _require_published(target, file, "delete it, and the same command downloads it again")
            return target
        with open(os.open(part, os.O_RDWR | os.O_CREAT, 0o666), "r+b") as out:
            _lock(out, part)
            _require_space(file, folder, out.seek(0, os.SEEK_END))
            _complete(file, folder, out, progress)
            out.flush()
            os.fsync(out.fileno())
            try:
                _require_published(part, file, "the same command downloads it again")
            except DataError:
                part.unlink()
                raise
            os.replace(part, target)
    except OSError as error:
        raise _unwritten(file, folder, error) from error
    return target


def _lock(out: BinaryIO, part: Path) -> None:
    """Two processes that write the same file would both go on with it."""
    try:
        fcntl.flock(out, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError as error:
        raise DataError(f"another process is downloading {part}: wait for it, or end it") from error


def _require_space(file: Published, folder: Path, have: int) -> None:
    free, needed = shutil.disk_usage(folder).free, file.size - have
    if free < needed:
        raise DataError(
            f"no space left to download {file.name}: {needed / 1e6:,.1f} MB are needed, {free / 1e6:,.1f} MB are free "
            f"in {folder}: make room, or give another folder"
        )


def _require_published(path: Path, file: Published, advice: str) -> None:
    with open(path, "rb") as content:
        found = hashlib.file_digest(content, lambda: hashlib.md5(usedforsecurity=False)).hexdigest()
    if found != file.md5:
        raise DataError(
            f"{path} is not the file that {file.url} is known to be: its MD5 is {found} but needs to be {file.md5}; "
            f"{advice}"
        )


def _complete(file: Published, folder: Path, out: BinaryIO, progress: Progress) -> None:
    """Append what is missing, and try again while that may help."""
    if out.tell() > file.size:
        _empty(out)
    in_vain = 0
    while (before := out.tell()) < file.size:
        try:
            _append(file, folder, out, progress)
            why = "the connection broke"
        except urllib.error.HTTPError as error:
            error.close()
            if error.code == _RANGE_REFUSED:
                _empty(out)  # what is there is of another file
            elif error.code not in _BUSY:
                raise DataError(f"{file.url} answers {error.code} {error.reason}; {_by_hand(file, folder)}") from error
            why = f"it answers {error.code} {error.reason}"
        except (OSError, http.client.HTTPException) as error:
            why = str(getattr(error, "reason", error)) or type(error).__name__
        if out.tell() == file.size:
            return
        in_vain = 0 if out.tell() > before else in_vain + 1
        if in_vain > len(PAUSES_S):
            raise DataError(
                f"cannot download {file.url} ({why}; {out.tell():,} of {file.size:,} bytes are there): the same "
                "command goes on from there, by the proxy that http_proxy or https_proxy names; or "
                f"{_by_hand(file, folder)}"
            )
        time.sleep(PAUSES_S[max(in_vain, 1) - 1])


def _append(file: Published, folder: Path, out: BinaryIO, progress: Progress) -> None:
    """Ask for what is missing once, and write as much of it as comes."""
    have = out.tell()
    headers = {"User-Agent": "dcgan-dist"} | ({"Range": f"bytes={have}-"} if have else {})
    request = urllib.request.Request(file.url, headers=headers)
    with urllib.request.build_opener().open(request, timeout=_TIMEOUT_S) as answer:
        block = answer.read(_BLOCK)
        if answer.status != http.HTTPStatus.PARTIAL_CONTENT:
            if block.lstrip()[:1] == b"<":
                raise DataError(f"{file.url} gives a page of HTML in place of the file; {_by_hand(file, folder)}")
            if answer.length is not None and answer.length + len(block) != file.size:
                raise DataError(
                    f"{file.url} has {answer.length + len(block):,} bytes, but is known to have {file.size:,}; "
                    f"{_by_hand(file, folder)}"
                )
            if have:
                _empty(out)  # the server knows no ranges
        while block:
            if out.tell() + len(block) > file.size:
                raise DataError(f"{file.url} gives more than {file.size:,} bytes; {_by_hand(file, folder)}")
            try:
                out.write(block)
            except OSError as error:
                raise _unwritten(file, folder, error) from error
            progress(file.name, out.tell(), file.size)
            block = answer.read(_BLOCK)


def _empty(out: BinaryIO) -> None:
    out.seek(0)
    out.truncate()


def _by_hand(file: Published, folder: Path) -> str:
    return f"fetch it in another way, and put it at {folder / file.name} (MD5 {file.md5})"


def _unwritten(file: Published, folder: Path, error: OSError) -> DataError:
    why = error.strerror or error
    return DataError(f"cannot write {file.name} in {folder}: {why}; make room, or give another folder")
