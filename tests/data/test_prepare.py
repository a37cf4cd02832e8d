import hashlib
import io
import json
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path

import numpy as np
import pytest
import webdataset
from PIL import Image

from dcgan_dist.data import prepare
from dcgan_dist.data.prepare import main
from dcgan_dist.data.shards import Index, ShardWriter, find_index
from dcgan_dist.storage import Place, expand

COMMAND = [sys.executable, "-m", "dcgan_dist.data.prepare"]


def photos(folder: Path, number: int = 12, classes: tuple[str, ...] = ("cat", "dog", "hen"), size: int = 40) -> Path:
    """`number` pictures, each of one colour, spread over class folders unevenly; without classes in one folder."""
    for i in range(number):
        name = classes[min(i % 4, len(classes) - 1)] if classes else "."
        (folder / name).mkdir(parents=True, exist_ok=True)
        kind = ("jpg", "png", "webp")[i % 3]
        Image.new("RGB", (size + i, size), (i * 20 % 256, 255 - i, i)).save(folder / name / f"{i:03d}.{kind}")
    return folder


def run(*arguments: object) -> int:
    return main([*map(str, arguments), "--processes", "1"])


def digests(folder: Path) -> dict[str, str]:
    return {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in sorted(folder.glob("*.tar"))}


def samples(folder: Path) -> list[dict[str, bytes]]:
    return list(webdataset.WebDataset([str(shard) for shard in expand(str(folder))], shardshuffle=False))


def test_class_folders_become_labels_with_names(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    source, out = photos(tmp_path / "photos"), tmp_path / "out"
    assert run(source, out, "--size", 16, "--images-per-shard", 5) == 0
    index = Index.load(Place(str(out)))
    assert index.classes == ("cat", "dog", "hen")
    assert index.image_size == 16
    assert np.bincount(index.label).tolist() == [3, 3, 6]
    assert [int(n) for n in np.bincount(index.shard)] == [5, 5, 2]
    for sample in samples(out):
        name = json.loads(sample["json"])["source"]
        assert index.classes[int(sample["cls"])] == name.partition("/")[0]
        number = int(Path(name).stem)
        pixels = np.asarray(Image.open(io.BytesIO(sample["jpg"])))
        assert pixels.shape == (16, 16, 3)
        assert np.abs(pixels.astype(int) - (number * 20 % 256, 255 - number, number)).max() <= 6
    assert Image.open(out / "contact-sheet.png").size == (4 * 18 - 2, 3 * 18 - 2)
    assert "12 images of 3 classes in 3 shards" in capsys.readouterr().out


@pytest.mark.parametrize("names", [("a.jpg", "b.jpg"), ("one/a.jpg", "one/b.jpg"), ("one/a.jpg", "b.jpg")])
def test_without_class_folders_there_are_no_labels(tmp_path: Path, names: tuple[str, ...]) -> None:
    for name in names:
        (tmp_path / "in" / name).parent.mkdir(parents=True, exist_ok=True)
        Image.new("RGB", (16, 16)).save(tmp_path / "in" / name)
    assert run(tmp_path / "in", tmp_path / "out", "--size", 16) == 0
    index = Index.load(Place(str(tmp_path / "out")))
    assert index.classes is None
    assert index.label.tolist() == [-1, -1]


def test_classes_are_the_first_folders_however_deep_the_pictures_are(tmp_path: Path) -> None:
    for name in ("n02/images/a.JPEG", "n01/images/more/b.JPEG", "n01/._b.JPEG", "n01/.cache/c.jpg", "n01/list.txt"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        Image.new("RGB", (8, 8)).save(tmp_path / name, "jpeg")
    pictures, classes = prepare.find_pictures(Place(str(tmp_path)), seed=0)
    assert classes == ("n01", "n02")
    assert {picture.name: picture.label for picture in pictures} == {
        "n02/images/a.JPEG": 1,
        "n01/images/more/b.JPEG": 0,
    }


def test_order_is_shuffled_by_the_seed_and_nothing_else(tmp_path: Path) -> None:
    source = Place(str(photos(tmp_path, 40)))

    def order(seed: int) -> list[str]:
        return [picture.name for picture in prepare.find_pictures(source, seed)[0]]

    assert order(0) == order(0)
    assert order(0) != order(1)
    assert order(0) != sorted(order(0))
    assert sorted(order(0)) == sorted(order(1))


def test_number_of_processes_does_not_change_a_byte(tmp_path: Path) -> None:
    source = photos(tmp_path / "photos", 80)
    for processes in (1, 2):
        arguments = [
            source,
            tmp_path / str(processes),
            "--size",
            16,
            "--images-per-shard",
            30,
            "--processes",
            processes,
        ]
        assert main([str(argument) for argument in arguments]) == 0
    assert digests(tmp_path / "1") == digests(tmp_path / "2")
    assert len(digests(tmp_path / "1")) == 3


def test_jpeg_that_has_the_size_is_kept_as_it_is(tmp_path: Path) -> None:
    source = photos(tmp_path / "photos", 1, (), size=16)
    assert run(source, tmp_path / "out", "--size", 16, "--quality", 5) == 0
    assert samples(tmp_path / "out")[0]["jpg"] == (source / "000.jpg").read_bytes()


def test_bad_pictures_are_left_out_and_named(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    source = photos(tmp_path / "photos", 6)
    (source / "cat" / "broken.jpg").write_bytes((source / "cat" / "000.jpg").read_bytes()[:200])
    (source / "dog" / "text.png").write_bytes(b"hello")
    assert run(source, tmp_path / "out", "--size", 16, "--images-per-shard", 2) == 0
    told = capsys.readouterr()
    assert "6 images of 3 classes in 3 shards" in told.out
    assert "2 bad pictures left out" in told.out
    bad = dict(prepare.Record.load(Place(str(tmp_path / "out"))).bad)
    assert bad.keys() == {"cat/broken.jpg", "dog/text.png"}
    for name, reason in bad.items():
        assert f"left out: {name}: {reason}" in told.err


def test_pictures_that_are_all_bad_fail_in_one_sentence(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "in").mkdir()
    (tmp_path / "in" / "a.jpg").write_bytes(b"nothing")
    for _ in range(2):
        assert run(tmp_path / "in", tmp_path / "out") == 1
        assert "none of the 1 pictures in" in capsys.readouterr().err


# Stopped and called again


@pytest.mark.parametrize("stop_at", [1, 2, 3])
def test_interrupted_call_goes_on_and_ends_with_the_same_bytes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], stop_at: int
) -> None:
    source = photos(tmp_path / "photos", 20)
    (source / "cat" / "broken.jpg").write_bytes(b"nothing")
    arguments = (source, tmp_path / "out", "--size", 16, "--images-per-shard", 6)
    assert run(source, tmp_path / "whole", *arguments[2:]) == 0
    flush = ShardWriter.flush
    calls = []

    def interrupted(writer: ShardWriter) -> None:
        calls.append(writer)
        if len(calls) == stop_at:
            raise KeyboardInterrupt
        flush(writer)

    with monkeypatch.context() as patch:
        patch.setattr(ShardWriter, "flush", interrupted)
        assert run(*arguments) == 1
    assert "the same command goes on" in capsys.readouterr().err
    assert len(digests(tmp_path / "out")) == stop_at - 1
    assert find_index([Place(str(tmp_path / "out" / "train-000000.tar"))]) is None
    # A shard of which the record did not hear any more, as after a loss of power, is written again.
    (tmp_path / "out" / f"train-{stop_at - 1:06d}.tar").write_bytes(b"left behind")
    assert run(*arguments) == 0
    assert digests(tmp_path / "out") == digests(tmp_path / "whole")
    for name in ("dataset.json", "index.npz", "prepare.json", "contact-sheet.png"):
        assert (tmp_path / "out" / name).read_bytes() == (tmp_path / "whole" / name).read_bytes()


def test_call_that_is_done_already_changes_nothing(tmp_path: Path) -> None:
    source = photos(tmp_path / "photos", 5)
    assert run(source, tmp_path / "out", "--size", 16) == 0
    before = {path.name: path.read_bytes() for path in (tmp_path / "out").iterdir()}
    assert run(source, tmp_path / "out", "--size", 16) == 0
    assert {path.name: path.read_bytes() for path in (tmp_path / "out").iterdir()} == before


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGKILL])
def test_signal_ends_the_command_and_its_processes(tmp_path: Path, number: signal.Signals) -> None:
    source = photos(tmp_path / "photos", 400, size=300)
    command = subprocess.Popen(
        [*COMMAND, source, tmp_path / "out", "--size", "256", "--images-per-shard", "40", "--processes", "2"],
        stderr=subprocess.PIPE,
        start_new_session=True,
        # Where tests run in the background, SIGINT is ignored by them, and by all that they start.
        preexec_fn=partial(signal.signal, signal.SIGINT, signal.SIG_DFL),
    )
    while not digests(tmp_path / "out") and command.poll() is None:
        time.sleep(0.02)
    assert command.poll() is None, "it was done before it could be stopped"
    command.send_signal(number)
    _, told = command.communicate()
    assert command.returncode == (-9 if number == signal.SIGKILL else 1)
    assert b"Traceback" not in told
    deadline = time.monotonic() + 60
    while _group_lives(command.pid) and time.monotonic() < deadline:
        time.sleep(0.02)
    assert not _group_lives(command.pid)
    shards = [Place(str(path)) for path in sorted((tmp_path / "out").glob("*.tar"))]
    assert all(len(prepare.index_shard(shard)) == 40 for shard in shards)


def _group_lives(group: int) -> bool:
    """Whether a process of the group still runs; one that nobody has waited for yet (in a container) does not."""
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            state, _, its_group = stat.read_text().rpartition(") ")[2].split()[:3]
        except (FileNotFoundError, ProcessLookupError):
            continue
        if int(its_group) == group and state not in "ZX":
            return True
    return False


# Wrong input


def _no_folder(path: Path) -> list[object]:
    return [path / "nowhere", path / "out"]


def _no_pictures(path: Path) -> list[object]:
    (path / "in").mkdir()
    (path / "in" / "notes.txt").write_text("x")
    return [path / "in", path / "out"]


def _other_content(path: Path) -> list[object]:
    (path / "out").mkdir()
    (path / "out" / "thesis.tex").write_text("x")
    return [photos(path / "in", 1), path / "out"]


def _inside(path: Path) -> list[object]:
    return [photos(path / "in", 1), path / "in" / "out"]


def _other_size(path: Path) -> list[object]:
    assert run(photos(path / "in", 2), path / "out", "--size", 32) == 0
    return [path / "in", path / "out", "--size", 16]


def _other_pictures(path: Path) -> list[object]:
    assert run(photos(path / "in", 2), path / "out") == 0
    return [photos(path / "in", 3), path / "out"]


def _damaged_record(path: Path) -> list[object]:
    (path / "out").mkdir()
    (path / "out" / "prepare.json").write_text('{"format": "other"}')
    return [photos(path / "in", 1), path / "out"]


@pytest.mark.parametrize(
    ("arrange", "sentence"),
    [
        (_no_folder, "there is no folder"),
        (_no_pictures, "there are no pictures (jpg, jpeg, png, webp)"),
        (_other_content, "is not empty, it holds thesis.tex"),
        (_inside, "is in the folder of the pictures"),
        (_other_size, "size is 16 but"),
        (_other_pictures, "the pictures changed since"),
        (_damaged_record, "prepare.json is damaged"),
        (lambda path: [path, path / "out", "--size", 20], "size is 20 but needs to be a power of two"),
        (lambda path: [path, path / "out", "--quality", 0], "quality is 0 but needs to be from 1 to 100"),
        (lambda path: [path, path / "out", "--images-per-shard", 0], "images_per_shard is 0 but needs"),
        (lambda path: [path, path / "out", "--split", "a.b"], "split is 'a.b' but needs"),
    ],
)
def test_wrong_input_is_one_sentence_and_exit_code_two(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], arrange: Callable[[Path], list[object]], sentence: str
) -> None:
    arguments = arrange(tmp_path)
    capsys.readouterr()
    assert run(*arguments) == 2
    told = capsys.readouterr().err
    assert sentence in told
    assert told.count("\n") == 1


def test_unknown_option_is_exit_code_two(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as caught:
        run(tmp_path, tmp_path / "out", "--sizes", 3)
    assert caught.value.code == 2
    assert "--size" in capsys.readouterr().err


def test_help_shows_an_example(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as caught:
        main(["--help"])
    assert caught.value.code == 0
    assert "python -m dcgan_dist.data.prepare photos/ shards/ --size 64" in capsys.readouterr().out


def test_pictures_and_shards_can_be_on_s3(tmp_path: Path, s3: Place) -> None:
    source = photos(tmp_path / "photos", 8)
    for path in source.rglob("*.*"):
        (s3 / "photos" / str(path.relative_to(source))).write_bytes(path.read_bytes())
    options = ("--size", 16, "--images-per-shard", 5)
    assert run(f"{s3}/photos", f"{s3}/out", *options) == 0
    assert run(source, tmp_path / "out", *options) == 0
    found = find_index(expand(f"{s3}/out"))
    assert found is not None
    assert found.sha256 == tuple(digests(tmp_path / "out").values())
