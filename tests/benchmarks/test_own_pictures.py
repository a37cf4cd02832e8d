import io
import json
import tarfile
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import simplejpeg

from benchmarks import cut_faces
from benchmarks.own_pictures import Made, examine, main, unpack
from benchmarks.report import publish
from dcgan_dist.data.shards.writer import ShardWriter
from dcgan_dist.errors import DataError
from dcgan_dist.model.dcgan import Generator, initialize
from dcgan_dist.run_folder.checkpoint import write_checkpoint
from dcgan_dist.settings import own64
from dcgan_dist.storage import place

RESULTS = Path(__file__).parents[2] / "benchmarks" / "results"
SIZE = 16


def pictures(number: int, seed: int) -> list[bytes]:
    """JPEGs with a patch of some color at some place on a ground of another."""
    random = np.random.default_rng(seed)
    images = np.repeat(random.integers(0, 256, (number, 1, 1, 3), np.uint8), SIZE, axis=1).repeat(SIZE, axis=2)
    for image, (row, column) in zip(images, random.integers(0, SIZE - 6, (number, 2)), strict=True):
        image[row : row + 6, column : column + 6] = random.integers(0, 256, 3)
    return [simplejpeg.encode_jpeg(image, quality=95, colorsubsampling="444") for image in images]


def made(folder: Path, train: int, test: int) -> Made:
    """What the commands would leave, but for a G that has learned nothing, at two checkpoints."""
    for split, number, seed in (("train", train, 0), ("test", test, 1)):
        with ShardWriter(place(str(folder / "shards")), split, 1_000) as writer:
            for image in pictures(number, seed):
                writer.add(image)
    preset = own64()
    networks = replace(preset.networks, image_size=SIZE, generator_maps=4, discriminator_maps=4)
    settings = replace(preset, networks=networks)
    generator = Generator(networks)
    initialize(generator, 3)
    state = {"generator": generator.state_dict(), "averaged": generator.state_dict()}
    for step in (10, 2_000):
        write_checkpoint(place(str(folder / "runs" / "own")), state, settings, step=step, attempt=1, kept=True)
    # 31 minutes, as a run says that was stopped once.
    seconds = {"seconds_training": 1_700.0, "seconds_starting": 40.0, "seconds_redone": 120.0}
    (folder / "runs" / "own" / "run.json").write_text(json.dumps(seconds))
    return Made(folder)


@pytest.mark.parametrize(("held_out", "real_is_judged"), [(100, False), (200, True)])
def test_a_run_that_has_learned_nothing_misses_its_bars_for_all_to_see(
    held_out: int, real_is_judged: bool, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    report = examine({"faces": made(tmp_path, 300, held_out)}, number=128)
    bars = {bar.name: bar.met for bar in report.bars}
    last = "faces: own64 after 128,000 images, averaged G accepted, margin"
    assert (bars[last], bars["faces: minutes of training"]) == (False, False)
    assert (bars.get("faces: held-out pictures accepted, margin")) is (True if real_is_judged else None)
    for subject in ("uniform noise", "mean picture", "untrained G", "64 copies of one picture"):
        assert bars[f"faces: {subject} rejected, margin"], subject
    assert bars["faces: pictures learned by heart rejected, margin"]
    rows = report.tables["own-pictures"].rows
    assert [row[1] for row in rows[:2]] == [
        "own64 after 640 images, raw G",
        "own64 after 128,000 images, averaged G",
    ]
    assert report.tables["own-pictures-runs"].rows[0][2:] == [300, held_out, 128_000, 2_000, 31.0]
    publish(report, None)
    assert "**no**" in capsys.readouterr().out


def test_faces_that_were_cut_out_are_judged_under_their_own_names(tmp_path: Path) -> None:
    run = made(tmp_path, 300, 100)
    (tmp_path / "shards" / "dataset.json").write_text(json.dumps({"images": 400, "prepared": {"without_face": 7}}))
    report = cut_faces.judge(run, 380)
    assert report.tables["cut-faces-found"].rows == [[380, 400, 7]]
    assert report.tables["cut-faces"].rows[0][:2] == ["cut faces", "faces64 after 640 images, raw G"]
    assert [bar.met for bar in report.bars if "faces64" in bar.name or "minutes" in bar.name] == [False, False]


def test_pictures_are_unpacked_as_a_user_has_them(tmp_path: Path) -> None:
    images = pictures(5, 0)
    with tarfile.open(tmp_path / "x.tar", "w") as archive:
        for number, image in enumerate(images):
            for suffix, data in ((".jpg", image), (".cls", b"3")):
                info = tarfile.TarInfo(f"folder/{number}{suffix}")
                info.size = len(data)
                archive.addfile(info, io.BytesIO(data))
    unpack([tmp_path / "x.tar"], tmp_path / "pictures", 3)
    assert {file.name: file.read_bytes() for file in (tmp_path / "pictures").iterdir()} == {
        f"{number}.jpg": images[number] for number in range(3)
    }


def test_no_picture_takes_the_place_of_another_of_its_name(tmp_path: Path) -> None:
    for name, image in zip("ab", pictures(2, 0), strict=True):
        with tarfile.open(tmp_path / f"{name}.tar", "w") as archive:
            info = tarfile.TarInfo(f"{name}/1.jpg")
            info.size = len(image)
            archive.addfile(info, io.BytesIO(image))
    with pytest.raises(DataError, match=r"b\.tar holds b/1\.jpg, and .*pictures a picture of that name already"):
        unpack([tmp_path / "a.tar", tmp_path / "b.tar"], tmp_path / "pictures", 7)


def test_what_is_made_already_is_judged_without_the_pictures_it_is_from(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.delenv("DCGAN_DIST_DATA", raising=False)
    made(tmp_path / "things", 300, 100)
    assert main(["--sets=things", f"--made={tmp_path}", f"--json={tmp_path}/report.json"]) == 0
    (row,) = json.loads((tmp_path / "report.json").read_text())["tables"]["own-pictures-runs"]["rows"]
    assert row == ["things", "200 kinds of things, 64 pixels", 300, 100, 128_000, 2_000, 31.0]
    assert main(["--sets=faces", f"--made={tmp_path}"]) == 2
    errors = capsys.readouterr().err
    assert (f"{tmp_path}/faces" in errors, "DCGAN_DIST_DATA" in errors) == (True, False)


def test_what_was_kept_is_not_written_over(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("DCGAN_DIST_DATA", str(tmp_path))
    made(tmp_path / "kept" / "faces", 30, 10)
    (tmp_path / "faces").mkdir()
    (tmp_path / "faces" / "a.tar").write_bytes(bytes(1024))
    there = sorted(tmp_path.rglob("*"))
    assert main(["--sets=faces", f"--keep={tmp_path}/kept"]) == 2
    assert "kept/faces exists: give another folder, or judge it by --made" in capsys.readouterr().err
    assert sorted(tmp_path.rglob("*")) == there


@pytest.mark.parametrize(
    ("arguments", "told"), [([], "faces/*.tar"), (["--sets=cats"], "sets is cats but needs to be of faces, things")]
)
def test_wrong_input_is_told_before_anything_is_trained(
    arguments: list[str], told: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("DCGAN_DIST_DATA", str(tmp_path))
    assert main(arguments) == 2
    assert told in capsys.readouterr().err


def test_the_committed_report_accepts_what_both_sets_lead_to() -> None:
    content = json.loads((RESULTS / "own_pictures.json").read_text())
    assert [bar["name"] for bar in content["bars"] if not bar["met"]] == []
    assert {"faces: minutes of training", "things: minutes of training"} <= {bar["name"] for bar in content["bars"]}
    accepted = [row[0] for row in content["tables"]["own-pictures"]["rows"] if row[-1] == "accepted"]
    assert {"faces", "things"} <= set(accepted)
    assert {row[0]: row[4] for row in content["tables"]["own-pictures-runs"]["rows"]} == {
        name: own64().images for name in ("faces", "things")
    }
