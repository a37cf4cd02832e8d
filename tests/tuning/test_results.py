"""What a sweep has come to, read from its folder alone."""

import csv
import io
import json
from dataclasses import replace
from pathlib import Path

import pytest
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
from tensorboard.plugins.hparams.plugin_data_pb2 import HParamsPluginData

from dcgan_dist.intervals import wilson
from dcgan_dist.run_folder.checkpoint import write_checkpoint
from dcgan_dist.settings import Settings, SupervisedSettings, from_yaml, scenes32, to_yaml
from dcgan_dist.storage import Place
from tuning.figures import categories, draw
from tuning.folder import SweepFolder
from tuning.objective import OF_LABELS, Objective, marks
from tuning.results import HPARAMS, as_csv, best_of, read_results, write_results
from tuning.space import Choice, Numbers

JUDGED = Objective("probe/rooms/accuracy", "max")
LOGGED = Objective("loss/generator", "min")
TOTAL = 9_000
AT = marks(TOTAL)
BASE = replace(scenes32(), images=TOTAL, storage="runs", on_collapse="warn")


def write_run(run: Path, settings: Settings, points: list[tuple[int, float]], probed: list[tuple[int, float]]) -> None:
    """A run with points of the curves, (images, loss), and results of the task rooms, (images, accuracy).

    Those of another task come after each, and would rank the trials the other way.
    """
    run.mkdir(parents=True)
    (run / "settings.yaml").write_text(to_yaml(settings))
    lines: list[dict[str, object]] = [
        {
            "time": 1.0 + number,
            "attempt": 1,
            "step": images // settings.optimization.batch_size,
            "images": images,
            "values": {"loss/generator": loss, "speed/images_per_second": 100.0},
        }
        for number, (images, loss) in enumerate(points)
    ]
    lines += [
        {
            "time": 9.0,
            "checkpoint": f"{images:012d}",
            "step": images // settings.optimization.batch_size,
            "images": images,
            "task": task,
            "accuracy": right,
            "low": right - 0.01,
            "high": right + 0.01,
        }
        for images, accuracy in probed
        for task, right in (("rooms", accuracy), ("other", 1 - accuracy))
    ]
    (run / "metrics.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))


@pytest.fixture
def folder(tmp_path: Path) -> SweepFolder:
    """Three trials: one in full, one that was cut, one that never began."""
    sweep = SweepFolder(Place(str(tmp_path / "runs" / "sweep")))
    for number, (lr, batch_size) in enumerate([(4e-4, 64), (1e-3, 32), (2e-3, 64)]):
        optimization = replace(BASE.optimization, lr=lr, batch_size=batch_size)
        settings = replace(
            BASE,
            name=f"{number:03d}",
            storage=str(sweep.trials),
            on_collapse="stop",
            optimization=optimization,
            data=replace(BASE.data, cpus=1.0),
        )
        sweep.begin(number, {"optimization.lr": lr, "optimization.batch_size": batch_size})
        trial = tmp_path / "runs" / "sweep" / "trials" / f"{number:03d}"
        if number == 0:
            write_run(trial, settings, [(1_024, 3.0), (9_024, 2.0)], [(1_024, 0.5), (1_600, 0.9), (8_000, 0.8)])
            sweep.end(number, "finished", "", 90.0)
        elif number == 1:
            write_run(trial, settings, [(1_024, 1.0), (3_200, 9.0)], [(1_024, 0.9)])
            sweep.end(number, "cut", "", 30.0)
    return sweep


def test_a_trial_is_a_line_with_the_age_of_what_was_evaluated(folder: SweepFolder) -> None:
    rows = list(csv.DictReader(io.StringIO(as_csv(read_results(folder, JUDGED, AT)))))
    assert [row["state"] for row in rows] == ["finished", "cut", "unfinished"]
    first, second, third = rows
    assert (first["objective"], first["checkpoint"], first["age_images"]) == ("0.8", "000000008000", "1024")
    assert (first["low"], first["high"]) == (str(0.8 - 0.01), str(0.8 + 0.01))
    assert [(row["objective"], row["compared_images"], row["objective_images"], row["rank"]) for row in rows] == [
        ("0.8", "8000", "8000", "1"),
        ("0.9", "1000", "1024", "2"),
        ("", "", "0", ""),
    ]
    assert (first["generator_updates"], second["generator_updates"]) == ("141", "100")
    assert (second["optimization.lr"], second["optimization.batch_size"]) == ("0.001", "32")
    assert (second["images"], second["age_images"], second["seconds"]) == ("3200", "2176", "30.0")
    assert (third["objective"], third["images"], third["age_images"]) == ("", "0", "")


def test_a_trial_went_as_far_as_its_last_checkpoint(folder: SweepFolder) -> None:
    """One that is cut writes a checkpoint, which is later than the last point of its curves."""
    settings = replace(BASE, optimization=replace(BASE.optimization, batch_size=32))
    write_checkpoint(folder.trials / "001", {}, settings, step=110, attempt=1, kept=False)
    _, cut, _ = csv.DictReader(io.StringIO(as_csv(read_results(folder, JUDGED, AT))))
    assert (cut["images"], cut["generator_updates"]) == ("3520", "110")
    assert (cut["objective_images"], cut["age_images"]) == ("1024", "2496")


def test_accuracies_on_held_out_images_have_bounds_and_no_generator_was_updated(folder: SweepFolder) -> None:
    run = folder.trials / "001"
    supervised = SupervisedSettings(task="cifar10", dropout=0.2)
    (run / "settings.yaml").write_bytes(to_yaml(replace(BASE, supervised=supervised)).encode())
    lines = [
        {"time": 1.0, "attempt": 1, "step": step, "images": 64 * step, "values": {OF_LABELS: right}}
        for step, right in ((16, 0.4), (47, 0.6))
    ]
    (run / "metrics.jsonl").write_bytes("".join(json.dumps(line) + "\n" for line in lines).encode())
    objective = Objective(OF_LABELS, "max")
    assert read_results(folder, objective, AT)[1].bounds == {}
    (run / "run.json").write_bytes(json.dumps({"held_out_images": 250}).encode())
    _, found, _ = read_results(folder, objective, AT)
    assert found.entry.objective_values == {1_000: 0.4, 3_000: 0.6}
    assert found.bounds == {1_000: wilson(0.4, 250), 3_000: wilson(0.6, 250)}
    assert found.updates == (0, 47)


def test_the_better_end_of_the_objective_says_which_is_best(folder: SweepFolder) -> None:
    best = best_of(read_results(folder, JUDGED, AT))
    least = best_of(read_results(folder, LOGGED, AT))
    assert best is not None
    assert least is not None
    assert (best.entry.number, best.entry.value) == (0, 0.8)
    # The mean since the last ninth of the run: of the first trial 2, of the second 9.
    assert (least.entry.number, least.entry.value, least.bounds) == (0, 2.0, {})


def test_the_best_settings_are_those_of_a_run_of_its_own(folder: SweepFolder) -> None:
    write_results(folder, read_results(folder, JUDGED, AT), BASE, JUDGED)
    best = from_yaml((folder.place / "best.yaml").read_bytes().decode(), "best.yaml")
    assert best == replace(BASE, name="", storage=str(folder.place.parent))


def test_the_best_settings_find_their_data_from_any_folder(
    folder: SweepFolder, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "shards").mkdir()
    for name in ("train-000000.tar", "train-000001.tar"):
        (tmp_path / "shards" / name).write_bytes(b"")
    monkeypatch.setenv("SHARDS", str(tmp_path / "shards"))
    for path, wanted in {
        "shards/train-*.tar": f"{tmp_path}/shards/train-*.tar",
        "shards/train-{000000,000001}.tar": f"{tmp_path}/shards/train-{{000000,000001}}.tar",
        "$SHARDS/train-*.tar": "$SHARDS/train-*.tar",
        "elsewhere/train-*.tar": "elsewhere/train-*.tar",
        "scenes": "scenes",
    }.items():
        base = replace(
            BASE, data=replace(BASE.data, path=path), probe=replace(BASE.probe, tasks="cifar10,mine=shards,theirs=gone")
        )
        write_results(folder, read_results(folder, JUDGED, AT), base, JUDGED)
        best = from_yaml((folder.place / "best.yaml").read_bytes().decode(), "best.yaml")
        assert best.data.path == wanted
        assert best.probe.tasks == f"cifar10,mine={tmp_path}/shards,theirs=gone"


def test_tensorboard_shows_the_table_of_settings(folder: SweepFolder) -> None:
    write_results(folder, read_results(folder, JUDGED, AT), BASE, JUDGED)
    file = (folder.trials / "001" / "tensorboard" / HPARAMS).local_path
    events = EventAccumulator(str(file))
    events.Reload()
    content = events.summary_metadata
    told = HParamsPluginData.FromString(content["_hparams_/session_start_info"].plugin_data.content)
    values = told.session_start_info.hparams
    assert values["optimization.lr"].number_value == 1e-3
    assert values["optimization.batch_size"].number_value == 32
    assert values["compared at images"].number_value == 1_000
    experiment = HParamsPluginData.FromString(content["_hparams_/experiment"].plugin_data.content).experiment
    assert [info.name.tag for info in experiment.metric_infos] == ["probe/rooms/accuracy"]


def test_each_setting_and_each_pair_has_a_figure(folder: SweepFolder) -> None:
    space = {"optimization.lr": Numbers(1e-4, 1e-2, log=True), "optimization.batch_size": Choice((32, 64))}
    for objective in (JUDGED, LOGGED):
        files = draw(read_results(folder, objective, AT), space, objective)
        assert set(files) == {"lr.png", "batch_size.png", "lr-batch_size.png"}
        assert all(file.startswith(b"\x89PNG") for file in files.values())


def test_choices_stand_in_their_order_with_the_presets_value_among_them() -> None:
    assert categories((1e-3, 2e-4), [4e-4, 2e-4]) == [2e-4, 4e-4, 1e-3]
    assert categories(("both", "alternate"), ["alternate"]) == ["both", "alternate"]
    assert categories((True, False), [False]) == [True, False]
