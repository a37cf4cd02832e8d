"""Files and folders on any store: a local disk, S3, Google Cloud Storage, Azure, HDFS; no Ray.

A `Place` is only an address, so it can be sent anywhere; each process makes its own connection to the store.
Every failure that the user can fix is a `DataError`, or a `MissingFile`, with one sentence; on object stores, failures
that may be temporary (a lost connection, a busy server) are retried first.
"""

import ctypes
import errno
import functools
import os
import re
import secrets
import shutil
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO, TypeVar

from pyarrow import ArrowInvalid
from pyarrow import fs as arrow

from dcgan_dist.errors import DataError

T = TypeVar("T")

# Requests to an object store are retried after these pauses; pyarrow itself makes three quick attempts at each.
PAUSES_S = (0.5, 2.0, 5.0)

# Stores without real folders: a key implies its folders, so there is nothing to create.
_FLAT = ("s3://", "gs://", "gcs://")

# What an S3 connection depends on, besides the credentials, which pyarrow finds by itself.
_S3_VARIABLES = ("AWS_ENDPOINT_URL_S3", "AWS_ENDPOINT_URL", "AWS_REGION", "AWS_DEFAULT_REGION")

# A file that is not to stay in the page cache is flushed each time this many bytes have been written.
UNCACHED_BYTES = 64 << 20

JOB_FOLDER = "/runtime_resources/working_dir_files/"
"""Part of the path of the copies that Ray makes of a job's working folder, and deletes when it needs the space."""

_SCHEME = re.compile(r"([A-Za-z][A-Za-z0-9+.-]*)://")
_VARIABLE = re.compile(r"\$(?:(\w+)|\{(\w+)\})")


class MissingFile(DataError):
    """The file does not exist."""


@dataclass(frozen=True)
class FileInfo:
    """Size of a file in bytes, and a version that changes when the file is written again."""

    size: int
    version: str


@dataclass(frozen=True, order=True)
class Place:
    """A file or folder by its address, an absolute local path or `SCHEME://STORE/KEY`; `place()` makes one from text.

    Every method raises `DataError` if the store cannot be reached or refuses.
    """

    address: str

    def __truediv__(self, name: str) -> "Place":
        return Place(f"{self.address.rstrip('/')}/{name}")

    def __str__(self) -> str:
        return self.address

    @property
    def name(self) -> str:
        """The last part of the address."""
        return self.address.rstrip("/").rpartition("/")[2]

    @property
    def parent(self) -> "Place":
        """The folder that contains this place; a root and a bucket are their own parent."""
        head = self.address.rstrip("/").rpartition("/")[0]
        return Place(head) if len(head) > len(self.root.rstrip("/")) else Place(self.root.rstrip("/") or "/")

    @property
    def root(self) -> str:
        """The start of the address: `/`, or `SCHEME://STORE`."""
        scheme = _SCHEME.match(self.address)
        return "/" if scheme is None else scheme[0] + self.address[scheme.end() :].partition("/")[0]

    @property
    def is_local(self) -> bool:
        """Whether this is a path on this machine, or on a file system that is mounted here."""
        return _SCHEME.match(self.address) is None

    @property
    def local_path(self) -> Path:
        """The path of a local place; raises `ValueError` for a place on another store."""
        if not self.is_local:
            raise ValueError(f"{self.address} is not a local path")
        return Path(self.address)

    @property
    def store(self) -> tuple[Any, str]:
        """The connected `pyarrow.fs.FileSystem` and the path on it, for libraries that read and write by themselves."""
        return _split(self.address)

    def exists(self) -> bool:
        """Whether this is a file or a folder; on object stores a folder exists as long as something is in it."""
        return bool(self._type() != arrow.FileType.NotFound)

    def is_folder(self) -> bool:
        """Whether this is a folder."""
        return bool(self._type() == arrow.FileType.Directory)

    def is_file(self) -> bool:
        """Whether this is a file."""
        return bool(self._type() == arrow.FileType.File)

    def info(self) -> FileInfo:
        """Size and version of this file; raises `MissingFile`."""
        info = _file_info(self._ask("look at", lambda store, path: store.get_file_info(path)))
        if info is None:
            raise MissingFile(f"{self.address} is {'a folder, not a file' if self.exists() else 'not there'}")
        return info

    def read_bytes(self) -> bytes:
        """Read the whole file; raises `MissingFile`."""

        def read(store: Any, path: str) -> bytes:
            with store.open_input_file(path) as file:
                return bytes(file.readall())

        return self._ask("read", read)

    def read_range(self, offset: int, size: int) -> bytes:
        """Read `size` bytes from `offset` on, fewer only at the end of the file; raises `MissingFile`."""

        def read(store: Any, path: str) -> bytes:
            with store.open_input_file(path) as file:
                # S3 refuses a range that starts beyond the end, a disk returns nothing.
                return bytes(file.read_at(max(0, min(size, file.size() - offset)), min(offset, file.size())))

        return self._ask("read", read)

    def write_bytes(self, data: bytes | bytearray | memoryview) -> None:
        """Write the whole file or nothing: no reader ever sees a part of it, and a later crash does not lose it.

        Missing local folders are created.
        """
        self.write_with(lambda file: file.write(data), size=len(data))

    def write_with(self, fill: Callable[[Any], object], *, size: int, cached: bool = True) -> None:
        """As `write_bytes`, but `fill` writes the file in pieces, so that it is never in memory as a whole.

        If the request to a store is retried, `fill` is called again. If `fill` fails or is interrupted, what was there
        before stays.

        Args:
            fill: called with a file object that is open for writing.
            size: about how many bytes `fill` writes, for the message if there is no space left.
            cached: whether the page cache may keep a local file. False for files that are not read soon: they would
                push out what is read, and new memory costs more than the copy into it.
        """
        if self.is_local:
            self._ask("write", lambda _, path: _write_local(Path(path), fill, cached=cached), size=size)
            return

        def put(store: Any, path: str) -> None:
            # It would compress what has a name such as NAME.gz.
            file = store.open_output_stream(path, compression=None)
            try:
                fill(file)
            except BaseException:
                # To close it, or to let it be freed, would complete the upload with the part that was written
                # (apache/arrow#40502). So it lives on, and the store never makes a file of it.
                ctypes.pythonapi.Py_IncRef(ctypes.py_object(file))
                raise
            file.close()

        self._ask("write", put, size=size)

    def names(self) -> list[str]:
        """Names of the files and folders in this folder, sorted; none if there is no such folder."""
        return sorted(self.children())

    def children(self) -> dict[str, FileInfo | None]:
        """What this folder contains, by name: information on files, None for folders; nothing if there is no folder."""
        return {Place(entry.path).name: _file_info(entry) for entry in self._list(recursive=False)}

    def files(self, *, recursive: bool = False) -> list[tuple["Place", FileInfo]]:
        """The files in this folder and, if `recursive`, in those below it, sorted by address."""
        here = _split(self.address)[1].rstrip("/")
        files = []
        for entry in self._list(recursive=recursive):
            info = _file_info(entry)
            if info is not None:
                files.append((self / entry.path[len(here) :].lstrip("/"), info))
        return sorted(files, key=lambda pair: pair[0])

    def make_folder(self) -> None:
        """Create this folder and those above it; does nothing on object stores, where a key implies its folders."""
        if not self.address.startswith(_FLAT):
            self._ask("make", lambda store, path: store.create_dir(path, recursive=True))

    def delete(self) -> None:
        """Delete this file, or this folder with all that is in it; it is no error if neither exists."""

        def remove(store: Any, path: str) -> None:
            kind = store.get_file_info(path).type
            try:
                if kind == arrow.FileType.File:
                    store.delete_file(path)
                elif kind == arrow.FileType.Directory:
                    store.delete_dir(path)
            except FileNotFoundError:
                pass  # another process was faster

        self._ask("delete", remove)

    def delete_unfinished(self) -> None:
        """Delete what writers that were killed left in this folder, which no listing shows; nobody may write meanwhile.

        Object stores have none: they never show a part of a file.
        """
        if not self.is_local:
            return
        try:
            for name in filter(_is_unfinished, os.listdir(self.local_path)):
                (self.local_path / name).unlink(missing_ok=True)
        except OSError as error:
            raise DataError(f"cannot delete what is unfinished in {self.address}: {error.strerror}") from error

    def _type(self) -> Any:
        return self._ask("look at", lambda store, path: store.get_file_info(path)).type

    def _list(self, *, recursive: bool) -> list[Any]:
        def entries(store: Any, path: str) -> list[Any]:
            listed = store.get_file_info(arrow.FileSelector(path, allow_not_found=True, recursive=recursive))
            try:
                # A dangling link has no type; an unfinished file of `_write_local` is nobody's business.
                return [
                    entry
                    for entry in listed
                    if entry.type != arrow.FileType.NotFound and not _is_unfinished(Place(entry.path).name)
                ]
            except UnicodeDecodeError as error:  # a name is decoded where it is asked for
                raise DataError(
                    f"{self.address} holds a name that is not UTF-8: {error.object!r}; rename it"
                ) from error

        return self._ask("list", entries)

    def _ask(self, verb: str, call: Callable[[Any, str], T], size: int = 0) -> T:
        """Call the store; retry temporary failures; turn what the user can fix into a `DataError`."""
        pauses = iter(() if self.is_local else PAUSES_S)
        while True:
            try:
                store, path = _split(self.address)
                return call(store, path)
            except OSError as error:
                known = _known(self, verb, size, error)
                if known is not None:
                    raise known from error
                pause_s = next(pauses, None)
                if pause_s is None:
                    tried = f"; tried {len(PAUSES_S) + 1} times: is the store up and its address right?"
                    sentence = f"cannot {verb} {self.address}: {_first_line(error)}{'' if self.is_local else tried}"
                    raise DataError(sentence) from error
                time.sleep(pause_s)


def place(address: str) -> Place:
    """The place at an address as users write it: `~` and `$NAME` are expanded, a relative path becomes absolute.

    Raises `DataError` for an empty address and for a variable that is not set.
    """
    text = address.strip()
    if not text:
        raise DataError("an empty address was given where a file or folder is needed")

    def value(match: re.Match[str]) -> str:
        name = match[1] or match[2]
        if name not in os.environ:
            raise DataError(f"the environment variable {name} is not set but {address} needs it: export {name}=FOLDER")
        return os.environ[name]

    text = _VARIABLE.sub(value, text).removeprefix("file://")
    scheme = _SCHEME.match(text)
    if scheme is None:
        return Place(os.path.abspath(os.path.expanduser(text)))
    return Place(f"{scheme[1].lower()}://{text[scheme.end() :].rstrip('/')}")


def require_lasting(where: Place, option: str) -> None:
    """Check that what is written to a folder will be kept: Ray deletes its copies of a job's working folder.

    Args:
        where: the folder.
        option: the option that names it, for the message.

    Raises:
        DataError: the folder is in such a copy.
    """
    if where.is_local and JOB_FOLDER in f"{where}/":
        raise DataError(
            f"{option} is {where}, in Ray's copy of a job's working folder, which Ray deletes with all that is in it: "
            f"give the absolute path of a folder that all machines share, or an address such as s3://BUCKET/runs"
        )


def require_writable(where: Place, option: str) -> None:
    """Check that files can be written to a folder, which need not exist; nothing is left there.

    Args:
        where: the folder.
        option: the option that names it, for the message.

    Raises:
        DataError: they cannot.
    """
    advice = "give another folder or address"
    if not where.is_local:
        mark = where / f".writable-{secrets.token_hex(8)}"
        try:
            mark.write_bytes(b"")
            mark.delete()
        except DataError as error:
            raise type(error)(f"{option} is {where} but nothing can be written there: {error}; {advice}") from error
        return
    there = where.local_path
    while not os.path.lexists(there):
        there = there.parent
    try:
        os.rmdir(tempfile.mkdtemp(prefix=".writable-", dir=there))
    except OSError as error:
        why = f"{there} is a file" if there.is_file() else f"nothing can be written in {there} ({error.strerror})"
        raise DataError(f"{option} is {where} but {why}: {advice}") from error


def _split(address: str) -> tuple[Any, str]:
    """The connected file system of an address, and the path on it."""
    root = Place(address).root
    # For files on disks such look-ups would take as long as to read a small one.
    variables = () if root == "/" else tuple(os.environ.get(name) for name in _S3_VARIABLES)
    store, prefix = _connect(root, variables)
    return store, address if root == "/" else prefix + address[len(root) :]


@functools.lru_cache(maxsize=64)
def _connect(root: str, s3_variables: tuple[str | None, ...]) -> tuple[Any, str]:
    if root == "/":
        return arrow.LocalFileSystem(), ""
    scheme, _, store = root.partition("://")
    if not store:
        raise DataError(f"{root} names no bucket or host: write {scheme}://NAME/...")
    if scheme == "s3":
        return _connect_s3(store, *s3_variables), store
    try:
        filesystem, prefix = arrow.FileSystem.from_uri(root + "/")
    except (ArrowInvalid, ImportError) as error:
        raise DataError(
            f"{scheme}:// is not a store that can be used here: give a folder, s3://, gs://, abfss:// or hdfs://"
        ) from error
    except OSError as error:
        raise DataError(f"cannot connect to {root}: {_first_line(error)}") from error
    return filesystem, prefix.rstrip("/")


# A connection has threads and locks, which a forked child must not inherit.
os.register_at_fork(after_in_child=_connect.cache_clear)


def _connect_s3(
    bucket: str, s3_endpoint: str | None, any_endpoint: str | None, region: str | None, default_region: str | None
) -> Any:
    endpoint = s3_endpoint or any_endpoint
    region = region or default_region or ("us-east-1" if endpoint else _region(bucket))
    scheme, _, host = endpoint.rpartition("://") if endpoint else ("https", "", None)
    return arrow.S3FileSystem(
        region=region,
        endpoint_override=host and host.rstrip("/"),
        scheme=scheme or "http",
        retry_strategy=arrow.AwsStandardS3RetryStrategy(max_attempts=3),
        connect_timeout=10,
        request_timeout=60,
    )


def _region(bucket: str) -> str:
    try:
        return str(arrow.resolve_s3_region(bucket))
    except OSError as error:
        if "NETWORK_CONNECTION" in str(error):
            raise
        raise DataError(f"there is no bucket {bucket} on S3: {_first_line(error)}") from error


def _known(where: Place, verb: str, size: int, error: OSError) -> DataError | None:
    """The error for a failure that retrying cannot fix; None for all others."""
    text = str(error)
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        folder = where.parent
        while where.is_local and not folder.local_path.is_dir():
            folder = folder.parent
        free = f", {_megabytes(shutil.disk_usage(folder.local_path).free)} are free" if where.is_local else ""
        return DataError(
            f"no space left to write {where.address}: {_megabytes(size)} are needed{free}: make room or write elsewhere"
        )
    if isinstance(error, FileNotFoundError):
        return MissingFile(f"cannot {verb} {where.address}: it does not exist")
    if isinstance(error, IsADirectoryError | NotADirectoryError | FileExistsError) or "is a directory" in text:
        return DataError(f"cannot {verb} {where.address}: it is a file where a folder is needed, or the reverse")
    if "NO_SUCH_BUCKET" in text:
        return MissingFile(f"cannot {verb} {where.address}: the bucket does not exist")
    if where.is_local and (isinstance(error, PermissionError) or error.errno == errno.EROFS):
        return DataError(f"cannot {verb} {where.address}: this user is not allowed to ({error.strerror})")
    if isinstance(error, PermissionError) or re.search("ACCESS_DENIED|INVALID_ACCESS_KEY|SIGNATURE|TOKEN", text):
        return DataError(f"cannot {verb} {where.address}: access was refused; {_credentials(where)}")
    return None


def _credentials(where: Place) -> str:
    if not where.address.startswith("s3://"):
        return "check the credentials of this machine for that store"
    file = Path(os.environ.get("AWS_SHARED_CREDENTIALS_FILE", "~/.aws/credentials")).expanduser()
    key = "set" if os.environ.get("AWS_ACCESS_KEY_ID") else "not set"
    return (
        f"credentials were looked for in AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY ({key}), in {file} "
        f"({'there' if file.exists() else 'not there'}) and in this machine's role"
    )


def _write_local(path: Path, fill: Callable[[Any], object], *, cached: bool) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    unfinished = path.with_name(f".{path.name}.{secrets.token_hex(4)}.unfinished")
    try:
        with open(unfinished, "wb") as file:
            fill(file if cached else _Uncached(file))
            file.flush()
            os.fsync(file.fileno())
            if not cached:
                _forget(file)
        os.replace(unfinished, path)
    except BaseException:
        unfinished.unlink(missing_ok=True)
        raise
    # The new name is part of the folder, which has to be synced by itself.
    folder = os.open(path.parent, os.O_RDONLY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)


class _Uncached:
    """A file to write to, which is removed from the page cache piece by piece."""

    def __init__(self, file: BinaryIO) -> None:
        self._file, self._since = file, 0

    def write(self, data: bytes | bytearray | memoryview) -> int:
        """As `write` of the file."""
        self._since += self._file.write(data)
        if self._since >= UNCACHED_BYTES:
            self._since = 0
            self._file.flush()
            os.fsync(self._file.fileno())
            _forget(self._file)
        return len(data)


def _forget(file: BinaryIO) -> None:
    """Remove from the page cache what is on disk already, if the system has a call for that."""
    if hasattr(os, "posix_fadvise"):
        os.posix_fadvise(file.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)


def _is_unfinished(name: str) -> bool:
    return name.startswith(".") and name.endswith(".unfinished")


def _file_info(entry: Any) -> FileInfo | None:
    if entry.type != arrow.FileType.File:
        return None
    return FileInfo(size=int(entry.size or 0), version=str(entry.mtime_ns))


def _first_line(error: Exception) -> str:
    return re.sub(r" \(Request ID: [^)]*\)", "", str(error)).strip().partition("\n")[0] or type(error).__name__


def _megabytes(size: int) -> str:
    return f"{size / 1e6:,.1f} MB"
