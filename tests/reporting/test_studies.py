import json
from typing import Any

import numpy as np
import pytest

from dcgan_dist.model.pixels import png
from dcgan_dist.reporting.run_files import read_run
from dcgan_dist.reporting.studies import MOST_NUMBERS, choose, is_memorised, is_whole, read_studies
from dcgan_dist.storage import Place

MEMORISED: dict[str, Any] = {
    "recipe_sha256": "ab", "seed": 9, "checkpoint": "000000005120", "images": 5_120, "samples": 1_000,
    "held_out_images": 900, "training_images": 20_000, "notes": ["doubtful"],
    "by": {
        "pixels": {
            "sample_median": 0.9, "held_out_median": 0.8, "p_value": 0.01, "z": 1.5, "rare": 0.02, "copies": False
        }
    },
}  # fmt: skip


def test_a_study_has_figure_numbers_command_and_seed(made_run: Place) -> None:
    (made,) = read_studies(read_run(made_run)).shown
    record = json.loads((made_run / made.file).read_bytes())
    assert (made.name, made.command, made.lines) == ("walk", record["command"], record["lines"])
    assert made.seed is not None
    assert (made.seed.value, made.seed.source) == (4, f"{made.file}: seed")
    assert made.figure is not None
    assert made.figure.file == f"studies/{record['figure']}"
    assert (made.figure.pixels.shape[1], made.figure.pixels.shape[2]) != (0, 0)
    (fact,) = [fact for fact in made.numbers if fact.key == "numbers.path_length"]
    assert fact.value == record["numbers"]["path_length"]
    assert made.others == record["files"] != []
    assert made.of == "checkpoint 000000005120, raw generator"


def test_whether_samples_repeat_training_images_is_a_study_too(copied: Any) -> None:
    run = copied("rooms")
    (run / "evaluation" / "000000005120-memorised-raw-ab.json").write_bytes(json.dumps(MEMORISED).encode())
    picture = np.random.default_rng(0).integers(0, 256, (20, 30, 3), np.uint8)
    (run / "evaluation" / "000000005120-memorised-raw-ab.png").write_bytes(png(picture))
    memorised, walk = read_studies(read_run(run)).shown
    assert (memorised.name, walk.name) == ("memorised", "walk")
    assert memorised.figure is not None
    assert np.array_equal(memorised.figure.pixels, picture)
    assert memorised.lines[0].startswith("memorised: 1,000 samples against 900 images held out")
    assert "no sign of copies" in memorised.lines[1]
    assert memorised.lines[-1] == "note: doubtful"
    assert ("by.pixels.sample_median", 0.9) in [(fact.key, fact.value) for fact in memorised.numbers]


def test_a_study_of_another_run_is_said_to_be_one(copied: Any) -> None:
    run = copied("rooms")
    (file,) = [name for name in (run / "studies").names() if name.endswith(".json")]
    record = json.loads((run / "studies" / file).read_bytes())
    (run / "studies" / file).write_bytes(json.dumps(record | {"run": "faces"}).encode())
    part = read_studies(read_run(run))
    assert part.notes == [f"studies/{file} is of faces: it says nothing of this run, unless that was its name"]
    assert part.shown[0].of == "faces, checkpoint 000000005120, raw generator"


def test_a_figure_that_is_missing_is_a_note_and_the_numbers_stay(copied: Any) -> None:
    run = copied("rooms")
    (file,) = [name for name in (run / "studies").names() if name.endswith(".json")]
    figure = json.loads((run / "studies" / file).read_bytes())["figure"]
    (run / "studies" / figure).delete()
    part = read_studies(read_run(run))
    assert part.notes == [f"studies/{figure} is missing: it is left out"]
    assert part.shown[0].figure is None
    assert part.shown[0].numbers


def test_a_figure_is_looked_for_beside_its_numbers_whatever_its_name_says(copied: Any) -> None:
    run = copied("rooms")
    (file,) = [name for name in (run / "studies").names() if name.endswith(".json")]
    record = json.loads((run / "studies" / file).read_bytes())
    (run.parent / "secret.png").write_bytes(png(np.zeros((4, 4, 3), np.uint8)))
    (run / "studies" / file).write_bytes(json.dumps(record | {"figure": "../../secret.png"}).encode())
    part = read_studies(read_run(run))
    assert part.notes == ["studies/secret.png is missing: it is left out"]


def test_many_numbers_are_counted_and_lists_are_left_to_the_file(copied: Any) -> None:
    run = copied("rooms")
    (file,) = [name for name in (run / "studies").names() if name.endswith(".json")]
    record = json.loads((run / "studies" / file).read_bytes())
    numbers = {"list": [1, 2, 3], "words": "no number", "deep": {"a": {"b": {"c": {"d": 1}}}}}
    numbers |= {f"n{number:02}": number for number in range(MOST_NUMBERS + 4)}
    (run / "studies" / file).write_bytes(json.dumps(record | {"numbers": numbers}).encode())
    (made,) = read_studies(read_run(run)).shown
    assert [fact.value for fact in made.numbers] == list(range(MOST_NUMBERS))
    assert made.more == 3 + 1 + 4


def record(study: str, images: int, written: str = "") -> dict[str, Any]:
    return {"study": study, "images": images, "written": written}


def test_the_newest_of_each_study_comes_before_a_second_of_any() -> None:
    every = {
        "a": record("walk", 640), "b": record("walk", 1_280),
        "c": record("turn", 64), "d": record("walk", 1_280, "2026"),
    }  # fmt: skip
    assert choose(every, 2) == ["c", "d"]
    assert choose(every, 3) == ["c", "d", "b"]
    assert choose(every) == ["c", "d", "b", "a"]
    assert choose({}) == []


@pytest.mark.parametrize("name", ["study", "numbers", "lines", "files", "command", "shows", "images"])
def test_a_record_that_lacks_what_is_read_is_not_whole(name: str, made_run: Place) -> None:
    (content,) = read_run(made_run).studies.values()
    assert is_whole(content)
    assert not is_whole(dict(content) | {name: ["wrong"] if name not in ("lines", "files") else 3})


@pytest.mark.parametrize("broken", [{"by": []}, {"by": {"pixels": {}}}, {"samples": "1"}])
def test_what_is_not_of_memorised_is_not_taken_for_it(broken: dict[str, Any]) -> None:
    assert is_memorised(MEMORISED)
    assert not is_memorised(MEMORISED | broken)
