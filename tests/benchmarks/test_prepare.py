"""The ways from photographs to shards, on a few that the test draws, and what the tables say of what was found."""

import io
import json
import subprocess
import tarfile
from pathlib import Path

import numpy as np
import pytest
import simplejpeg
from PIL import Image

from benchmarks import prepare_files
from benchmarks.prepare import (
    NEEDED,
    NESTED,
    WAYS,
    Peak,
    bytes_a_sample,
    go,
    images_in,
    limit,
    main,
    peak_of,
    prepare,
    rate,
    read,
    report,
)
from benchmarks.prepare_files import link, nest, unpack, write_photographs, write_tiny
from dcgan_dist.data.shards.build_index import index_shard
from dcgan_dist.data.shards.writer import ShardWriter
from dcgan_dist.errors import DataError
from dcgan_dist.storage import Place

RESULTS = Path(__file__).parents[2] / "benchmarks" / "results"
NUMBER = 5


@pytest.fixture
def photographs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Five files of two pictures in turn, two files in a class: brighter to the right, the second picture with blue."""
    with ShardWriter(Place(str(tmp_path)), "rooms", 2) as writer:
        for number in range(2):
            file = io.BytesIO()
            ramp = np.linspace(0, 255, 700).astype(np.uint8)[None, :, None].repeat(500, 0).repeat(3, 2)
            ramp[:, :, 2] = 60 * number
            Image.fromarray(ramp).save(file, "JPEG")
            writer.add(file.getvalue())
    monkeypatch.setattr(prepare_files, "PER_CLASS", 2)
    write_photographs([tmp_path / "rooms-000000.tar"], tmp_path / "photographs", NUMBER)
    return tmp_path / "photographs"


def images(folder: Path) -> list[tuple[int, bytes]]:
    """Class number and file of each image in the shards of a folder, sorted."""
    found = []
    for shard in folder.glob("*.tar"):
        index, data = index_shard(Place(str(shard))), shard.read_bytes()
        for label, offset, size in zip(index.label, index.offset, index.size, strict=True):
            found.append((int(label), data[offset : offset + size]))
    return sorted(found)


def test_photographs_have_their_size_and_are_all_different(photographs: Path) -> None:
    files = sorted(photographs.rglob("*.JPEG"))
    assert [file.parent.name for file in files] == ["n00000001"] * 2 + ["n00000002"] * 2 + ["n00000003"]
    assert len({file.read_bytes() for file in files}) == NUMBER
    for file in files:
        with Image.open(file) as image:
            assert (image.size, image.info["comment"]) == ((384, 256), b"%08d" % (files.index(file)))


@pytest.mark.parametrize("way", ["ours", "torchvision", "img2dataset"])
def test_every_way_makes_the_same_images_of_the_same_classes(photographs: Path, tmp_path: Path, way: str) -> None:
    out = tmp_path / "out"
    if way == "ours":
        prepare(photographs, out)
    else:
        out.mkdir()
        go(way, photographs, out)
    assert images_in(out) == NUMBER
    made = images(out)
    blues = []
    # 256 of 384 columns, scaled to 64.
    ramp = np.linspace(255 / 6, 255 * 5 / 6, 64)
    for _, data in made:
        header = simplejpeg.decode_jpeg_header(data)
        assert header == (64, 64, "YCbCr", "444")
        image = simplejpeg.decode_jpeg(data).astype(float)
        assert np.abs(image[:, :, 0] - ramp).max() < 6
        blues.append(image[:, :, 2].mean() > 30)
    found = sorted(zip((label for label, _ in made), blues, strict=True))
    assert found == [(0, False), (0, True), (1, False), (1, True), (2, False)]


def test_the_work_alone_has_a_rate(photographs: Path) -> None:
    assert 0 < limit(photographs) < 1e6


def test_a_tar_of_tars_gives_in_place_what_it_gives_unpacked(photographs: Path, tmp_path: Path) -> None:
    nested = tmp_path / "nested.tar"
    nest(photographs, nested)
    with tarfile.open(nested) as archive:
        assert archive.getnames() == ["n00000001.tar", "n00000002.tar", "n00000003.tar"]
    unpacked = unpack(nested, tmp_path / "unpacked")
    files = {file.relative_to(photographs): file.read_bytes() for file in photographs.rglob("*.JPEG")}
    assert {file.relative_to(unpacked): file.read_bytes() for file in unpacked.rglob("*.JPEG")} == files
    assert read(nested) == read(unpacked) == NUMBER
    prepare(nested, tmp_path / "in-place")
    prepare(unpacked, tmp_path / "from-files")
    assert images(tmp_path / "in-place") == images(tmp_path / "from-files")


def test_a_way_that_loses_an_image_has_no_rate(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="3 of 4 images have been made"):
        rate(lambda out: 3, tmp_path / "turn", 4)


def test_tiny_images_are_different_and_their_shards_the_same(tmp_path: Path) -> None:
    shard = write_tiny(tmp_path / "tiny", 30)
    link(shard, tmp_path / "linked", 3)
    assert images_in(tmp_path / "linked") == 90
    assert len(set(images(tmp_path / "tiny"))) == 30
    assert simplejpeg.decode_jpeg_header(images(tmp_path / "tiny")[0][1])[:2] == (8, 8)


@pytest.mark.parametrize(
    ("looks", "peak"),
    [
        ([], Peak()),
        ([(5.0, [])], Peak(5.0, 5.0, 0.0)),
        ([(5.0, [2.0, 3.0]), (6.0, [1.0, 1.0]), (1.0, [4.0])], Peak(10.0, 6.0, 4.0)),
    ],
)
def test_a_peak_is_of_all_processes_at_one_time(looks: list[tuple[float, list[float]]], peak: Peak) -> None:
    found = Peak()
    for command, others in looks:
        found = found.with_look(command, others)
    assert found == peak


def test_memory_of_processes_that_a_command_starts_counts() -> None:
    inner = "import time; data = b'x' * 150_000_000; time.sleep(1.5)"
    outer = f"import subprocess, sys; data = b'x' * 60_000_000; subprocess.run([sys.executable, '-c', {inner!r}])"
    peak = peak_of(["-c", outer])
    assert 60 < peak.command < 120 < 150 < peak.worker < 200 < 210 < peak.all < 280


def test_a_command_that_fails_ends_the_measurement() -> None:
    with pytest.raises(subprocess.CalledProcessError, match="status 3"):
        peak_of(["-c", "import sys; sys.exit(3)"])


def test_the_tables_give_each_way_beside_ours_and_what_a_sample_takes() -> None:
    rates = {"ours": 2_100.0, "torchvision": 1_000.0, "img2dataset": 2_000.0, "limit": 2_800.0}
    rates |= dict(zip(NESTED, (4_000.0, 2_500.0, 1_800.0, 1_500.0), strict=True))
    peaks = {16_000: Peak(212.0, 162.0, 50.0), 1_000: Peak(201.0, 151.0, 50.0), 4_000: Peak(203.0, 153.0, 50.0)}
    made = report({name: [rate, rate * 1.5, rate / 2] for name, rate in rates.items()}, peaks, 300)
    assert [row[1:] for row in made.tables["prepare"].rows] == [
        [2_100.0, 1.0], [1_000.0, 2.1], [2_000.0, 1.05], [2_800.0, 0.75],
    ]  # fmt: skip
    assert [(bar.at_least, bar.met) for bar in made.bars] == [(2.0, True), (1.1, False), (0.7, True), (1.5, True)]
    assert made.ratios["read in place over unpacked"] == 1.6
    assert made.ratios["prepared in place over unpacked"] == 1.2
    assert made.tables["prepare-memory"].rows[0] == [1_000, 201, 151, 50]
    assert bytes_a_sample(peaks) == made.rates["state_bytes_a_sample"] == 750.0
    assert set(WAYS) == {"ours", *NEEDED}


def test_photographs_that_are_missing_are_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("DCGAN_DIST_DATA", str(tmp_path))
    assert main([]) == 2
    assert "rooms256" in capsys.readouterr().err


def test_the_committed_report_meets_the_bars_that_do_not_hang_on_the_start_of_the_command() -> None:
    content = json.loads((RESULTS / "prepare.json").read_text())
    missed = {bar["name"] for bar in content["bars"] if not bar["met"]}
    assert missed <= {f"whole command over {WAYS[name]}" for name in ("torchvision", "limit")}
    assert len(content["bars"]) == 4
    # The state of a sample is small beside its image.
    assert 0 < content["rates"]["state_bytes_a_sample"] < 1_000
