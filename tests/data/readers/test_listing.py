"""What lies below a folder, with all that file systems have in them besides pictures."""

import os
import shutil
import stat
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from dcgan_dist.data.readers import listing
from dcgan_dist.data.readers.listing import list_folder, passed_over, suffix_of
from dcgan_dist.storage import Place


def write(folder: Path, *names: str) -> None:
    for name in names:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(b"12345")


def listed(folder: Path) -> tuple[list[str], dict[str, str]]:
    found = list_folder(Place(str(folder)))
    return [name for name, _ in found.pictures], dict(found.passed)


def test_pictures_are_told_from_the_rest_by_their_suffix(tmp_path: Path) -> None:
    write(tmp_path, "a.jpg", "b/B.JPEG", "b/c.jfif", "b/d.Jpe", "e.f.png", "g/h/i.webp")
    write(tmp_path, "x.gif", "b/y.TIFF", "list", "z.heic", ".hidden.jpg", "b/._B.JPEG", ".git/a.jpg", ".git/b/c.jpg")
    pictures, passed = listed(tmp_path)
    assert pictures == ["a.jpg", "b/B.JPEG", "b/c.jfif", "b/d.Jpe", "e.f.png", "g/h/i.webp"]
    assert passed == {
        ".git": "hidden",
        ".hidden.jpg": "hidden",
        "b/._B.JPEG": "hidden",
        "b/y.TIFF": ".tiff",
        "list": "without a suffix",
        "x.gif": ".gif",
        "z.heic": ".heic",
    }


def test_folders_without_pictures_are_told_the_topmost_alone(tmp_path: Path) -> None:
    write(tmp_path, "cat/1.jpg", "dog/1.gif", "dog/more/2.gif")
    (tmp_path / "empty" / "inner").mkdir(parents=True)
    (tmp_path / "cat" / "none").mkdir()
    _, passed = listed(tmp_path)
    assert {name: kind for name, kind in passed.items() if kind != ".gif"} == {
        "cat/none": "folder without pictures",
        "dog": "folder without pictures",
        "empty": "folder without pictures",
    }


def test_links_are_followed_and_those_that_lead_nowhere_are_found_out_by_who_reads_them(tmp_path: Path) -> None:
    write(tmp_path / "store", "a.jpg")
    (tmp_path / "in" / "cat").mkdir(parents=True)
    for name, target in {
        "cat/linked.jpg": tmp_path / "store" / "a.jpg",
        "dog": tmp_path / "store",
        "cat/dead.jpg": tmp_path / "nowhere.jpg",
        "cat/itself.jpg": "itself.jpg",
        "cat/dead.txt": tmp_path / "nowhere.txt",
        "cat/back": tmp_path / "in",
    }.items():
        (tmp_path / "in" / name).symlink_to(target)
    pictures, passed = listed(tmp_path / "in")
    assert pictures == ["cat/dead.jpg", "cat/itself.jpg", "cat/linked.jpg", "dog/a.jpg"]
    assert passed == {"cat/back": "link that leads back to a folder above it", "cat/dead.txt": ".txt"}


def test_a_pipe_and_a_name_that_is_not_utf8_are_passed_over(tmp_path: Path) -> None:
    write(tmp_path, "a.jpg")
    os.mkfifo(tmp_path / "pipe.jpg")
    Path(os.fsdecode(os.fsencode(tmp_path) + b"/caf\xe9.jpg")).write_bytes(b"x")
    pictures, passed = listed(tmp_path)
    assert pictures == ["a.jpg"]
    assert passed == {"pipe.jpg": "neither file nor folder", "caf\\udce9.jpg": "with a name that is not UTF-8"}


@pytest.fixture
def somebody() -> Iterator[Path]:
    """A folder in which this process is a user who may not do everything, also where tests are run by root."""
    folder = Path(tempfile.mkdtemp(dir="/tmp"))  # those of pytest are not for other users, nor is every TMPDIR
    folder.chmod(0o755)
    before = os.geteuid()
    try:
        yield folder
    finally:
        if before == 0:
            os.seteuid(0)
        for path in folder.rglob("*"):
            if path.is_dir():
                path.chmod(0o700)
        shutil.rmtree(folder)


def test_a_folder_that_may_not_be_read_is_told(somebody: Path) -> None:
    write(somebody, "a.jpg", "locked/b.jpg")
    (somebody / "locked").chmod(0)
    if os.geteuid() == 0:
        os.seteuid(65534)
    pictures, passed = listed(somebody)
    assert pictures == ["a.jpg"]
    assert passed == {"locked": "folder that cannot be read"}


def test_an_object_store_is_sorted_out_alike(tmp_path: Path, s3: Place) -> None:
    names = ["cat/a.jpg", "cat/._a.jpg", "dog/b.gif", "notes.txt"]
    write(tmp_path, *names)
    for name in names:
        (s3 / "in" / name).write_bytes(b"12345")
    here, there = list_folder(Place(str(tmp_path))), list_folder(s3 / "in")
    assert there.passed == here.passed
    assert there.pictures == here.pictures == (("cat/a.jpg", 5),)


@pytest.mark.parametrize(
    ("name", "suffix"),
    [("a.GIF", ".gif"), ("a.b.Txt", ".txt"), ("README", "without a suffix"), ("3.14159265358979", "without a suffix")],
)
def test_a_suffix_is_what_comes_after_the_last_dot(name: str, suffix: str) -> None:
    assert suffix_of(name) == suffix


def test_one_line_counts_kinds_and_names_one_of_the_most_frequent() -> None:
    assert passed_over([]) == ""
    found = [("a.bmp", ".bmp"), ("b.gif", ".gif"), ("c.gif", ".gif"), (".x", listing.HIDDEN)]
    told = passed_over(found)
    assert told.startswith("passed over: 2 .gif, 1 .bmp, 1 hidden; for example b.gif (used are .jpg, .jpeg, .jpe, ")
    assert told.endswith(".webp; convert the other pictures to JPEG or PNG to use them)")
    assert passed_over([("list.txt", ".txt")]).endswith(".webp)")
    many = [(f"a.{number:02d}", f".{number:02d}") for number in range(12)]
    assert "1 .07, 4 of 4 other kinds; for example a.00" in passed_over(many)


def test_a_hidden_file_is_the_example_only_where_nothing_else_is() -> None:
    hidden = [(".a", "hidden"), (".b", "hidden")]
    assert "2 hidden, 1 .heic; for example c.heic" in passed_over([*hidden, ("c.heic", ".heic")])
    assert "2 hidden; for example .a" in passed_over(hidden)


def test_sizes_are_those_of_the_files(tmp_path: Path) -> None:
    write(tmp_path, "a.jpg")
    (tmp_path / "b.jpg").symlink_to(tmp_path / "a.jpg")
    (tmp_path / "c.jpg").symlink_to(tmp_path / "gone")
    assert list_folder(Place(str(tmp_path))).pictures == (("a.jpg", 5), ("b.jpg", 5), ("c.jpg", 0))
    assert stat.S_ISLNK(os.lstat(tmp_path / "b.jpg").st_mode)
