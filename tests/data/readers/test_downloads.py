"""Downloads from a server of this machine that does what servers, networks and portals do."""

import fcntl
import hashlib
import re
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from types import SimpleNamespace

import pytest

from dcgan_dist.data.readers import downloads
from dcgan_dist.data.readers.downloads import ELSEWHERE, PUBLISHED, Published, download, fetch
from dcgan_dist.errors import DataError, SettingsError
from dcgan_dist.storage import Place

CONTENT = bytes(range(256)) * 900


@dataclass
class Server:
    """What it offers, how it behaves, and what it was asked."""

    address: str = ""
    content: bytes = CONTENT
    ranges: bool = True
    breaks: list[int] = field(default_factory=list)
    """After how many bytes each of the next answers breaks off."""
    codes: list[int] = field(default_factory=list)
    """Status of each of the next answers, without content."""
    length: bool = True
    asked: list[tuple[str, str | None]] = field(default_factory=list)

    @property
    def file(self) -> Published:
        return Published(f"{self.address}/set/a.bin", len(CONTENT), hashlib.md5(CONTENT).hexdigest())


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[Server]:
    state = Server()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            wanted = self.headers.get("Range")
            state.asked.append((self.path, wanted))
            if state.codes:
                self.send_response(state.codes.pop(0))
                self.send_header("Content-Length", "0")
                self.end_headers()
                return
            first = int(re.findall(r"\d+", wanted)[0]) if wanted and state.ranges else 0
            body = state.content[first:]
            self.send_response(206 if wanted and state.ranges else 200)
            if state.length:
                self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body[: state.breaks.pop(0)] if state.breaks else body)

        def log_message(self, *_: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as served:
        thread = threading.Thread(target=served.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        state.address = f"http://127.0.0.1:{served.server_port}"
        for name in ("http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY", "no_proxy", "NO_PROXY"):
            monkeypatch.delenv(name, raising=False)
        monkeypatch.setattr(downloads, "PAUSES_S", (0.0, 0.0))
        yield state
        served.shutdown()
        thread.join()


def silent(name: str, done: int, total: int) -> None:
    pass


def test_a_file_is_downloaded_once_and_progress_is_told(
    server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(downloads, "_BLOCK", 100_000)
    told: list[tuple[str, int, int]] = []
    for _ in range(2):
        where = fetch(server.file, tmp_path, lambda *args: told.append(args))
    assert where.read_bytes() == CONTENT
    assert [path.name for path in tmp_path.iterdir()] == ["a.bin"]
    assert server.asked == [("/set/a.bin", None)]
    assert told == [("a.bin", done, 230_400) for done in (100_000, 200_000, 230_400)]


def test_a_download_goes_on_where_the_connection_broke(server: Server, tmp_path: Path) -> None:
    server.breaks = [1000, 0, 0, 500, 0, 0, 100]
    assert fetch(server.file, tmp_path, silent).read_bytes() == CONTENT
    starts = [None, 1000, 1000, 1000, 1500, 1500, 1500, 1600]
    assert [asked for _, asked in server.asked] == [at and f"bytes={at}-" for at in starts]


def test_a_second_call_goes_on_where_the_first_gave_up(server: Server, tmp_path: Path) -> None:
    server.breaks = [1000, 0, 0, 0]
    with pytest.raises(DataError) as caught:
        fetch(server.file, tmp_path, silent)
    assert str(caught.value) == (
        f"cannot download {server.file.url} (the connection broke; 1,000 of 230,400 bytes are there): the same command "
        "goes on from there, by the proxy that http_proxy or https_proxy names; or fetch it in another way, and put it "
        f"at {tmp_path}/a.bin (MD5 {server.file.md5})"
    )
    assert [path.name for path in tmp_path.iterdir()] == ["a.bin.part"]
    assert fetch(server.file, tmp_path, silent).read_bytes() == CONTENT
    assert server.asked[-1] == ("/set/a.bin", "bytes=1000-")


def test_the_last_bytes_alone_may_be_missing(server: Server, tmp_path: Path) -> None:
    (tmp_path / "a.bin.part").write_bytes(CONTENT[:-5])
    assert fetch(server.file, tmp_path, silent).read_bytes() == CONTENT
    assert server.asked == [("/set/a.bin", "bytes=230395-")]


@pytest.mark.parametrize("there", [CONTENT[:5000], CONTENT, CONTENT + b"more", b"other"])
def test_what_is_there_is_replaced_where_the_server_knows_no_ranges(
    there: bytes, server: Server, tmp_path: Path
) -> None:
    (tmp_path / "a.bin.part").write_bytes(there)
    server.ranges = False
    assert fetch(server.file, tmp_path, silent).read_bytes() == CONTENT


def test_a_busy_server_is_asked_again(server: Server, tmp_path: Path) -> None:
    server.codes = [503, 429]
    assert fetch(server.file, tmp_path, silent).read_bytes() == CONTENT
    assert len(server.asked) == 3


def test_a_part_that_is_refused_is_downloaded_anew(server: Server, tmp_path: Path) -> None:
    (tmp_path / "a.bin.part").write_bytes(b"old")
    server.codes = [416]
    assert fetch(server.file, tmp_path, silent).read_bytes() == CONTENT
    assert [asked for _, asked in server.asked] == ["bytes=3-", None]


def test_the_file_of_another_content_is_refused_and_downloaded_anew(server: Server, tmp_path: Path) -> None:
    (tmp_path / "a.bin.part").write_bytes(b"other")
    with pytest.raises(DataError) as caught:
        fetch(server.file, tmp_path, silent)
    mixed = hashlib.md5(b"other" + CONTENT[5:]).hexdigest()
    assert str(caught.value) == (
        f"{tmp_path}/a.bin.part is not the file that {server.file.url} is known to be: its MD5 is {mixed} but needs to "
        f"be {server.file.md5}; the same command downloads it again"
    )
    assert list(tmp_path.iterdir()) == []
    (tmp_path / "a.bin").write_bytes(b"mine")
    with pytest.raises(DataError, match=r"/a\.bin is not the file .*; delete it, and the same command downloads"):
        fetch(server.file, tmp_path, silent)
    assert (tmp_path / "a.bin").read_bytes() == b"mine"


@pytest.mark.parametrize("have", [0, 700])
def test_a_page_in_place_of_the_file_is_told_and_leaves_what_is_there(
    have: int, server: Server, tmp_path: Path
) -> None:
    (tmp_path / "a.bin.part").write_bytes(CONTENT[:have])
    server.content, server.ranges = b"\r\n<!doctype html><title>Sign in</title>", False
    with pytest.raises(DataError, match=r"set/a\.bin gives a page of HTML in place of the file; fetch it in another w"):
        fetch(server.file, tmp_path, silent)
    assert (tmp_path / "a.bin.part").read_bytes() == CONTENT[:have]
    assert not (tmp_path / "a.bin").exists()


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        ({"content": CONTENT[:-1]}, r"has 230,399 bytes, but is known to have 230,400; fetch it in another way"),
        ({"content": CONTENT + b"x"}, r"has 230,401 bytes, but is known to have 230,400"),
        ({"content": CONTENT + b"x", "length": False}, r"gives more than 230,400 bytes"),
        ({"content": CONTENT[:-1], "length": False}, r"the connection broke; 230,399 of 230,400 bytes are there"),
        ({"content": b"\1" + CONTENT[1:]}, r"its MD5 is .* the same command downloads it again"),
        ({"codes": [404]}, r"answers 404 Not Found; fetch it in another way, and put it at \S+/a\.bin"),
        ({"codes": [500, 502, 503]}, r"\(it answers 503 Service Unavailable; 0 of 230,400 bytes are there\)"),
    ],
)
def test_what_a_server_gives_instead_is_one_sentence(
    change: dict[str, object], sentence: str, server: Server, tmp_path: Path
) -> None:
    for name, value in change.items():
        setattr(server, name, value)
    with pytest.raises(DataError, match=sentence) as caught:
        fetch(server.file, tmp_path, silent)
    assert "\n" not in str(caught.value)
    assert not (tmp_path / "a.bin").exists()


def test_a_server_that_is_not_there_is_named(server: Server, tmp_path: Path) -> None:
    away = replace(server.file, url="http://127.0.0.1:1/a.bin")
    with pytest.raises(DataError, match=r"cannot download http://127\.0\.0\.1:1/a\.bin \(.*refused; 0 of 230,400 byt"):
        fetch(away, tmp_path, silent)


def test_a_proxy_is_taken_from_the_environment(server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("http_proxy", server.address)
    elsewhere = replace(server.file, url="http://publisher.invalid/a.bin")
    assert fetch(elsewhere, tmp_path, silent).read_bytes() == CONTENT
    assert server.asked == [("http://publisher.invalid/a.bin", None)]


def test_two_processes_do_not_write_one_file(server: Server, tmp_path: Path) -> None:
    with open(tmp_path / "a.bin.part", "wb") as other:
        fcntl.flock(other, fcntl.LOCK_EX)
        with pytest.raises(DataError, match=r"another process is downloading \S+/a\.bin\.part: wait for it"):
            fetch(server.file, tmp_path, silent)
    assert fetch(server.file, tmp_path, silent).read_bytes() == CONTENT


def test_space_is_looked_for_before_anything_is_asked(
    server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "a.bin.part").write_bytes(CONTENT[:30_400])
    monkeypatch.setattr("shutil.disk_usage", lambda folder: SimpleNamespace(free=199_999))
    with pytest.raises(DataError, match=r"no space left to download a\.bin: 0\.2 MB are needed, 0\.2 MB are free in"):
        fetch(server.file, tmp_path, silent)
    assert server.asked == []
    monkeypatch.setattr("shutil.disk_usage", lambda folder: SimpleNamespace(free=200_000))
    assert fetch(server.file, tmp_path, silent).read_bytes() == CONTENT


def test_a_disk_that_is_full_or_not_there_is_one_sentence(server: Server, tmp_path: Path) -> None:
    (tmp_path / "a.bin.part").symlink_to("/dev/full")
    with pytest.raises(DataError, match=r"cannot write a\.bin in \S+: No space left on device; make room, or give ano"):
        fetch(server.file, tmp_path, silent)
    with pytest.raises(DataError, match=r"cannot write a\.bin in \S+/nowhere: No such file or directory; make room"):
        fetch(server.file, tmp_path / "nowhere", silent)


@pytest.mark.parametrize(
    ("splits", "names"),
    [((), ["all.bin", "train.bin", "test.bin"]), (("extra", "test"), ["all.bin", "extra.bin", "test.bin"])],
)
def test_files_of_the_splits_are_downloaded(
    splits: tuple[str, ...], names: list[str], server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    offered = {split: f"{server.address}/{split or 'all'}.bin" for split in ("", "train", "extra", "test")}
    files = tuple(replace(server.file, url=url, split=split) for split, url in offered.items())
    monkeypatch.setitem(PUBLISHED, "own", files)
    found = download("own", Place(f"{tmp_path}/new/folder"), splits, silent)
    assert found == [Place(f"{tmp_path}/new/folder/{name}") for name in names]
    assert [asked for asked, _ in server.asked] == [f"/{name}" for name in names]
    with pytest.raises(SettingsError, match="split is 'test,val' but own has no files of val: it has train, extra, te"):
        download("own", Place(str(tmp_path)), ("test", "val"), silent)


@pytest.mark.parametrize(
    ("name", "folder", "sentence"),
    [
        ("celeba", "/tmp", "CelebA lies on Google Drive"),
        ("imagenet", "/tmp", "ImageNet is for those who have agreed"),
        ("lsun", "/tmp", "LSUN is too large"),
        ("cats", "/tmp", "cats cannot be downloaded: what can be is cifar10, svhn, mnist, fashion-mnist"),
        ("mnist", "s3://bucket/x", "downloads go to s3://bucket/x but need a folder on a disk"),
    ],
)
def test_what_cannot_be_downloaded_is_told(name: str, folder: str, sentence: str) -> None:
    with pytest.raises(SettingsError, match=f"^{re.escape(sentence)}"):
        download(name, Place(folder), (), silent)


def test_published_files_have_names_and_checksums_of_their_own() -> None:
    for files in PUBLISHED.values():
        assert len({file.name for file in files}) == len({file.md5 for file in files}) == len(files)
        assert all(re.fullmatch(r"[0-9a-f]{32}", file.md5) and file.size > 0 for file in files)
        assert all(file.url.startswith(("http://", "https://")) for file in files)
    assert not PUBLISHED.keys() & ELSEWHERE.keys()


def test_checksums_are_those_that_torchvision_has() -> None:
    from torchvision.datasets import CIFAR10, MNIST, SVHN, FashionMNIST

    known = {
        "cifar10": [(CIFAR10.url, CIFAR10.tgz_md5)],
        "svhn": [(url, md5) for url, _, md5 in SVHN.split_list.values()],
        "mnist": [(MNIST.mirrors[0] + name, md5) for name, md5 in MNIST.resources],
        "fashion-mnist": [(FashionMNIST.mirrors[0] + name, md5) for name, md5 in FashionMNIST.resources],
    }
    for name, files in PUBLISHED.items():
        assert {(file.url, file.md5) for file in files} == set(known[name])
