"""The command on real shards: planted copies are found, the result is a file that training takes, and calls go on."""

import hashlib
import io
import json
import re
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest
from PIL import Image

from dcgan_dist.data.dedup import main
from dcgan_dist.data.deduplication.marks import FORMAT
from dcgan_dist.data.keep_list import load
from dcgan_dist.data.scenes.builtin import embedded_image
from dcgan_dist.data.shards.index import Index, concatenate
from dcgan_dist.data.shards.writer import ShardWriter
from dcgan_dist.storage import Place

ROOMS, SIZE = 90, 64


def room(number: int) -> Image.Image:
    with Image.open(io.BytesIO(embedded_image("rooms", SIZE, number)[0])) as image:
        return image.convert("RGB")


def jpeg(image: Image.Image, quality: int = 95) -> bytes:
    file = io.BytesIO()
    image.save(file, "JPEG", quality=quality)
    return file.getvalue()


def copies() -> dict[int, bytes]:
    """Copies of some rooms by their number: smaller files, another brightness, moved by one pixel."""
    brighter = Image.fromarray(np.clip(np.asarray(room(11)) * 1.05, 0, 255).astype(np.uint8))
    moved = Image.fromarray(np.roll(np.asarray(room(12)), 1, axis=1))
    return {10: jpeg(room(10), 50), 11: jpeg(brighter), 12: jpeg(moved)}


def shards(folder: Path, images: list[bytes], split: str = "train", per_shard: int = 40) -> Index:
    with ShardWriter(Place(str(folder)), split, per_shard) as writer:
        for image in images:
            writer.add(image, label=3)
    index = concatenate(writer.written)
    index.save(Place(str(folder)))
    return index


@pytest.fixture
def planted(tmp_path: Path) -> Path:
    """90 rooms, a bad image, then the copies and one image twice: rows 91 to 94."""
    shards(tmp_path / "shards", [*(jpeg(room(i)) for i in range(ROOMS)), b"none", *copies().values(), jpeg(room(13))])
    return tmp_path / "shards"


def call(*arguments: str | Path) -> int:
    fitted = [] if "--model" in arguments else ["--sample", "60"]
    return main([*map(str, arguments), "--processes", "1", *fitted])


def contents(folder: Path) -> dict[str, str]:
    return {file.name: hashlib.sha256(file.read_bytes()).hexdigest() for file in folder.iterdir() if file.is_file()}


def test_copies_are_found_and_nothing_else(planted: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert call(planted, tmp_path / "out") == 0
    keep = load(Place(str(tmp_path / "out" / "keep.parquet")))
    pairs = {tuple(sorted((row, int(kept)))) for row, kept in enumerate(keep.instead) if row != kept}
    assert pairs == {(10, 91), (11, 92), (12, 93), (13, 94)}
    # Of as many pixels the larger file is kept, of the same bytes the first.
    assert not {91, 94} & set(np.flatnonzero(keep.kept).tolist())
    said = capsys.readouterr().out
    assert "4 of 95 images are near duplicates of others, in 4 groups; 91 are kept" in said
    assert "1 image cannot be decoded" in said
    line = f"--preset own64 --data {planted} --data.keep {tmp_path / 'out' / 'keep.parquet'}"
    assert said.splitlines()[-1].endswith(line + " --name mine")
    found = json.loads((tmp_path / "out" / "dedup.json").read_text())["found"]
    assert (found["images"], found["left_out"], found["unreadable"], found["groups"]) == (95, 4, 1, 4)
    assert found["groups_by_size"] == {"2": 4}


def test_the_paper_finds_only_equal_codes(planted: Path, tmp_path: Path) -> None:
    assert call(planted, tmp_path / "out", "--method", "paper") == 0
    keep = load(Place(str(tmp_path / "out" / "keep.parquet")))
    assert keep.instead[94] == 13
    asked = json.loads((tmp_path / "out" / "dedup.json").read_text())["asked"]
    assert (asked["radius"], asked["threshold"], asked["recipe"]["noise"]) == (0, None, 0.1)
    # There is no second look, so the page has no threshold to show pairs beside.
    page = (tmp_path / "out" / "dedup.html").read_text()
    assert "random pairs" in page.lower()
    assert "threshold" not in page.partition("<script")[0].partition("<body")[2].lower()
    assert 'class="difference"' not in page


def test_images_of_another_set_with_copies_are_told(
    planted: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    shards(tmp_path / "test", [jpeg(room(20), 60), jpeg(room(200)), jpeg(room(201)), jpeg(room(21))], "test")
    assert call(planted, tmp_path / "out", "--against", tmp_path / "test") == 0
    assert f"2 of 4 images of {tmp_path / 'test'} have near copies" in capsys.readouterr().out
    leaks = pq.read_table(tmp_path / "out" / "leaks.parquet").to_pylist()
    assert [(leak["row"], leak["of_row"], leak["of_shard"]) for leak in leaks] == [
        (0, 20, "train-000000.tar"),
        (3, 21, "train-000000.tar"),
    ]


def test_a_call_goes_on_with_what_is_there(planted: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert call(planted, tmp_path / "whole") == 0

    def stop(*arguments: object) -> None:
        raise KeyboardInterrupt

    for number, what in enumerate(("fit", "make_codes", "find_pairs", "choose", "keep_list.write")):
        with monkeypatch.context() as patch:
            patch.setattr(f"dcgan_dist.data.deduplication.find.{what}", stop)
            assert call(planted, tmp_path / "out") == 130, number
    # What is there is not made again.
    with monkeypatch.context() as patch:
        patch.setattr("dcgan_dist.data.deduplication.find.make_thumbnails", stop)
        patch.setattr("dcgan_dist.data.deduplication.find.fit", stop)
        assert call(planted, tmp_path / "out") == 0
    assert contents(tmp_path / "out") == contents(tmp_path / "whole")


def test_a_complete_call_is_told_again_and_changes_nothing(
    planted: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert call(planted, tmp_path / "out") == 0
    before, said = contents(tmp_path / "out"), capsys.readouterr().out
    assert call(planted, tmp_path / "out") == 0
    assert capsys.readouterr().out == said
    assert contents(tmp_path / "out") == before


def test_a_result_that_is_lost_is_made_again(planted: Path, tmp_path: Path) -> None:
    assert call(planted, tmp_path / "out") == 0
    before = contents(tmp_path / "out")
    (tmp_path / "out" / "keep.parquet").unlink()
    assert call(planted, tmp_path / "out") == 0
    assert contents(tmp_path / "out") == before


def test_shards_that_are_not_whole_are_told(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    shards(tmp_path, [jpeg(room(i)) for i in range(5)])
    shard = (tmp_path / "train-000000.tar").read_bytes()
    for name, part in (("cut", shard[: len(shard) // 2]), ("empty", b""), ("whole", shard)):
        (tmp_path / "theirs").mkdir(exist_ok=True)
        (tmp_path / "theirs" / f"train-{name}.tar").write_bytes(part)
    assert call(tmp_path / "theirs" / "*.tar", tmp_path / "out") == 0
    said = capsys.readouterr().out
    assert f"{tmp_path / 'theirs' / 'train-cut.tar'} " in said
    assert "1 shard without any file, train-empty.tar" in said
    assert "2 of 7 images are near duplicates of others, in 2 groups; 5 are kept" in said


def test_what_a_person_judged_on_the_page_is_recorded(
    planted: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert call(planted, tmp_path / "out") == 0
    record, page = (tmp_path / "out" / name for name in ("dedup.json", "dedup.html"))
    before = page.read_bytes()
    (identity,) = re.findall(r'data-identity="(\w+)"', page.read_text())
    judged = [{"pair": 1, "same": True}, {"pair": 2, "same": False}, {"pair": 3, "same": True}]
    saved = {"format": FORMAT, "page": identity, "pairs": 4, "marks": judged}
    (tmp_path / "marks.json").write_text(json.dumps(saved))
    capsys.readouterr()
    assert call(planted, tmp_path / "out", "--marks", tmp_path / "marks.json") == 0
    assert (
        "1 of 3 judged pairs are false: 33.3 %, and 6.1 to 79.2 % of all pairs at 95 % confidence"
        in capsys.readouterr().out
    )
    marks = json.loads(record.read_text())["found"]["marks"]
    assert (marks["judged"], marks["false"], marks["rate"]) == (3, 1, pytest.approx(1 / 3))
    assert page.read_bytes() == before
    # They stay, and those of another page are refused.
    assert call(planted, tmp_path / "out") == 0
    assert "1 of 3 judged pairs are false" in capsys.readouterr().out
    (tmp_path / "marks.json").write_text(json.dumps({**saved, "page": "0" * 16}))
    assert call(planted, tmp_path / "out", "--marks", tmp_path / "marks.json") == 2
    assert "has marks of another page" in capsys.readouterr().err
    (tmp_path / "marks.json").write_text(json.dumps({**saved, "marks": []}))
    assert call(planted, tmp_path / "out", "--marks", tmp_path / "marks.json") == 2
    assert "in which no pair is judged" in capsys.readouterr().err
    assert json.loads(record.read_text())["found"]["marks"] == marks


def test_results_are_the_same_for_any_number_of_processes(planted: Path, tmp_path: Path) -> None:
    for number in ("1", "3"):
        assert main([str(planted), str(tmp_path / number), "--processes", number, "--sample", "60"]) == 0
    assert contents(tmp_path / "1") == contents(tmp_path / "3")


def test_an_autoencoder_and_a_cache_serve_again(planted: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert call(planted, tmp_path / "first") == 0

    def never(*arguments: object) -> None:
        raise AssertionError

    monkeypatch.setattr("dcgan_dist.data.deduplication.find.fit", never)
    monkeypatch.setattr("dcgan_dist.data.deduplication.find.make_thumbnails", never)
    model, cache = tmp_path / "first" / "autoencoder.safetensors", tmp_path / "first" / "cache"
    assert call(planted, tmp_path / "second", "--model", model, "--cache", cache) == 0
    first, second = (
        load(Place(str(tmp_path / name / "keep.parquet"))).instead.tolist() for name in ("first", "second")
    )
    assert first == second


@pytest.mark.parametrize("damaged", ["cache/thumbnails/*", "cache/codes/*/*", "autoencoder.safetensors"])
def test_a_bit_that_changed_in_what_an_earlier_call_left_is_noticed(
    damaged: str, planted: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def stop(*arguments: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr("dcgan_dist.data.deduplication.find.connect", stop)
        assert call(planted, tmp_path / "out") == 130
    file = min((tmp_path / "out").glob(damaged))
    content = bytearray(file.read_bytes())
    content[len(content) // 3] ^= 8
    file.write_bytes(content)
    capsys.readouterr()
    assert call(planted, tmp_path / "out") == 1
    *_, error = capsys.readouterr().err.splitlines()
    assert error.startswith(f"error: {file} is damaged")
    assert not (tmp_path / "out" / "keep.parquet").exists()


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["{shards}", "{out}", "--radius", "5"], "radius is 5, not"),
        (["{shards}", "{out}", "--method", "paper"], "method is 'paper', not 'default' as when"),
        (["{shards}", "{out}", "--seed", "8"], "seed is 8, not 0 as when"),
        (["{other}", "{out}"], "data is not the same as when"),
        (["{shards}", "{shards}"], "is not empty, it holds dataset.json: choose a new folder"),
        (["{shards}", "{new}", "--against", "{shards}"], "is in DATA and in --against"),
        (["{nothing}", "{new}"], "nothing"),
        (["{shards}", "{new}", "--model", "{nothing}"], "nothing"),
        (["{shards}", "{new}", "--model", "{shards}/dataset.json"], "dataset.json"),
        (["{shards}", "{new}", "--radius", "40"], "radius is 40"),
        (["{shards}", "{new}", "--threshold", "6.5"], "threshold is 6.5"),
        (["{shards}", "{new}", "--model", "{out}/autoencoder.safetensors", "--sample", "70"], "sample is 70, but the"),
        (["{shards}", "{new}", "--write-shards", "{shards}"], "shards, which is not empty, it holds dataset.json"),
        (["{shards}", "{new}", "--write-shards", "{new}"], "new, where the results are written: choose another folder"),
        (["{shards}", "{new}", "--write-shards", "{new}/cache"], "new/cache, where the thumbnails and codes are"),
        (["{shards}", "{out}", "--marks", "{nothing}"], "nothing, which is not there: save it on the page in"),
        (["{other}", "{empty}", "--marks", "{nothing}"], "has no page yet whose pairs were judged: leave --marks out"),
    ],
)
def test_wrong_input_is_one_sentence_and_changes_nothing(
    arguments: list[str], sentence: str, planted: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    shards(tmp_path / "other", [jpeg(room(i)) for i in range(5)])
    assert call(planted, tmp_path / "out") == 0
    capsys.readouterr()
    before = contents(tmp_path / "out")
    places = {name: str(tmp_path / name) for name in ("shards", "out", "other", "new", "nothing", "empty")}
    assert call(*(argument.format(**places) for argument in arguments)) == 2
    error = capsys.readouterr().err
    assert error.startswith("error: ")
    assert error.count("\n") == 1
    assert sentence in error
    assert not (tmp_path / "new").exists()
    assert contents(tmp_path / "out") == before


def test_no_image_that_can_be_decoded_is_told(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    shards(tmp_path / "bad", [b"none", b"neither"])
    assert call(tmp_path / "bad", tmp_path / "out") == 1
    assert "none of 2 images" in capsys.readouterr().err
