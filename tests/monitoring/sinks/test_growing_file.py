import os
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

from dcgan_dist.monitoring.sinks.growing_file import GrowingFile
from dcgan_dist.storage import Place, place


def test_records_are_appended_in_place(tmp_path: Path) -> None:
    path = tmp_path / "folder" / "file"
    file = GrowingFile(place(str(path)), tmp_path / "scratch", lines=True)
    file.add(b"one\n")
    file.flush()
    assert path.read_bytes() == b"one\n"
    file.add(b"two\n")
    file.add(b"three\n")
    file.flush()
    assert path.read_bytes() == b"one\ntwo\nthree\n"


def test_a_torn_last_line_is_cut_off(tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_bytes(b"whole\nto")
    file = GrowingFile(place(str(path)), tmp_path, lines=True)
    assert file.before == b"whole\n"
    file.add(b"next\n")
    file.flush()
    assert path.read_bytes() == b"whole\nnext\n"


def test_a_file_that_was_emptied_by_hand_gets_no_hole(tmp_path: Path) -> None:
    path = tmp_path / "file"
    file = GrowingFile(place(str(path)), tmp_path, lines=True)
    file.add(b"one\n")
    file.flush()
    path.write_bytes(b"")
    file.add(b"two\n")
    file.flush()
    assert path.read_bytes() == b"two\n"


def test_a_failed_write_is_repeated_without_loss_or_doubles(tmp_path: Path) -> None:
    # A limit on the size of files makes a write fail half way, as a full disk does; it binds a whole process.
    script = """
        import resource, signal, sys
        from pathlib import Path
        from dcgan_dist.monitoring.sinks.growing_file import GrowingFile
        from dcgan_dist.storage import Place, place

        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        file = GrowingFile(place(sys.argv[1]), Path(sys.argv[1]).parent, lines=True)
        file.add(b"x" * 999 + b"\\n")
        file.flush()
        resource.setrlimit(resource.RLIMIT_FSIZE, (1500, resource.RLIM_INFINITY))
        file.add(b"y" * 999 + b"\\n")
        try:
            file.flush()
        except OSError:
            print(Path(sys.argv[1]).stat().st_size)
        resource.setrlimit(resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
        file.add(b"z\\n")
        file.flush()
    """
    path = tmp_path / "file"
    done = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(script), str(path)], capture_output=True, text=True, env=dict(os.environ)
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout == "1500\n"
    assert path.read_bytes() == b"x" * 999 + b"\n" + b"y" * 999 + b"\n" + b"z\n"


def test_an_object_store_gets_the_whole_file_when_it_has_grown(s3: Place, tmp_path: Path) -> None:
    where = s3 / "run" / "file"
    file = GrowingFile(where, tmp_path, lines=True)
    file.add(b"one\n")
    file.flush()
    assert not where.exists()
    file.copy_up()
    assert where.read_bytes() == b"one\n"
    where.delete()
    file.copy_up()
    assert not where.exists()
    file.add(b"two\n")
    file.flush()
    file.copy_up()
    assert where.read_bytes() == b"one\ntwo\n"


def test_a_file_in_an_object_store_is_fetched_and_goes_on(s3: Place, tmp_path: Path) -> None:
    where = s3 / "run" / "file"
    where.write_bytes(b"one\ntw")
    file = GrowingFile(where, tmp_path, lines=True)
    assert file.before == b"one\n"
    file.add(b"two\n")
    file.flush()
    file.copy_up()
    assert where.read_bytes() == b"one\ntwo\n"


def test_a_folder_that_cannot_be_written_keeps_the_records(tmp_path: Path) -> None:
    path = tmp_path / "folder" / "file"
    file = GrowingFile(place(str(path)), tmp_path, lines=True)
    path.parent.rmdir()
    file.add(b"one\n")
    with pytest.raises(FileNotFoundError):
        file.flush()
    path.parent.mkdir()
    file.flush()
    assert path.read_bytes() == b"one\n"
