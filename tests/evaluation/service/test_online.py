"""Probes beside training: which checkpoints are evaluated and kept, and what happens when one ends or fails."""

import json
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch

from dcgan_dist.evaluation.fidelity.features import open_features
from dcgan_dist.evaluation.fidelity.measure import MEASURES
from dcgan_dist.evaluation.service.checkpoint_evaluator import PoolEvaluator
from dcgan_dist.evaluation.service.job import ProbeJob
from dcgan_dist.evaluation.service.online import LiveProbe, first_after
from dcgan_dist.evaluation.task import Task
from dcgan_dist.evaluation.tasks.fidelity import open_fidelity
from dcgan_dist.model.dcgan import Discriminator, Generator, initialize
from dcgan_dist.monitoring.sinks.curves import Measured, Probed
from dcgan_dist.run_folder.checkpoint import manifests, write_checkpoint
from dcgan_dist.settings import Settings, scenes32
from dcgan_dist.storage import Place

SETTINGS = replace(
    scenes32(), networks=replace(scenes32().networks, image_size=16, generator_maps=4, discriminator_maps=4)
)


@pytest.fixture
def run(tmp_path: Path) -> Place:
    return Place(str(tmp_path / "run"))


def write(run: Place, step: int, *, dead: bool = False) -> str:
    """A checkpoint; the features of a dead discriminator say nothing."""
    discriminator = Discriminator(SETTINGS.networks)
    initialize(discriminator, step)
    state = discriminator.state_dict()
    if dead:
        state = {name: torch.zeros_like(value) for name, value in state.items()}
    return write_checkpoint(run, {"discriminator": state}, SETTINGS, step=step, attempt=1, kept=False)


def name_of(step: int) -> str:
    return f"{step * SETTINGS.optimization.batch_size:012d}"


class Held:
    """Evaluators that stop before features until they may go on."""

    def __init__(self, evaluators: Any) -> None:
        self._evaluators = evaluators
        self.reached, self.go_on = threading.Semaphore(0), threading.Semaphore(0)

    def each(self, name: str, /, *arguments: Any) -> list[Any]:
        if name == "encode":
            self.reached.release()
            assert self.go_on.acquire(timeout=60)
        return list(self._evaluators.each(name, *arguments))

    def svm(self, name: str, /, *arguments: Any) -> tuple[torch.Tensor, ...]:
        result: tuple[torch.Tensor, ...] = self._evaluators.svm(name, *arguments)
        return result


@pytest.fixture
def probe(run: Place, bands: Task, here: Callable[..., Any]) -> Iterator[Callable[..., Any]]:
    """`probe()` starts one with evaluators in this process: (it, its evaluators, lines, results for the curves)."""
    begun: list[tuple[LiveProbe, Held]] = []

    def start(wanted: Callable[[int], bool] | None = None) -> tuple[LiveProbe, Held, list[str], list[Probed]]:
        lines: list[str] = []
        taken: list[Probed] = []
        evaluators = Held(here(1))
        evaluator = PoolEvaluator(evaluators, 1, [bands])
        tasks = [replace(bands, few=None)]
        live = LiveProbe(run, evaluator, tasks, torch.float32, lines.append, taken.append, wanted=wanted)
        live.start()
        begun.append((live, evaluators))
        return live, evaluators, lines, taken

    yield start
    for live, evaluators in begun:
        evaluators.go_on.release(100)
        live.close(finish=False)


def results(run: Place) -> dict[str, dict[str, Any]]:
    files = (run / "evaluation").files()
    return {place.name[:12]: json.loads(place.read_bytes()) for place, _ in files}


@pytest.mark.parametrize(
    ("images", "mark"),
    [(640, None), (1_000, 1_000), (1_024, 1_000), (1_063, 1_000), (1_064, None), (3_050, 3_000), (9_030, 9_000)],
)
def test_a_checkpoint_is_of_a_mark_if_its_step_is_the_first_to_reach_it(images: int, mark: int | None) -> None:
    assert first_after((1_000, 3_000, 9_000), images, 64) == mark
    assert first_after((10, 20, 30), 64, 64) == 30, "a step that passes several is of the last"


def test_all_that_are_wanted_are_evaluated_in_order_and_no_others(run: Place, probe: Callable[..., Any]) -> None:
    images = SETTINGS.optimization.batch_size
    write(run, 10)
    live, evaluators, _, taken = probe({10 * images, 30 * images, 40 * images, 70 * images}.__contains__)
    assert evaluators.reached.acquire(timeout=60)
    for step in (20, 30, 40, 50):
        write(run, step)
    evaluators.go_on.release(1)
    # As soon as they are seen they stay, whatever is written after them.
    deadline = time.monotonic() + 60
    held: set[str] = set()
    while not {name_of(30), name_of(40)} <= held:
        assert time.monotonic() < deadline
        time.sleep(0.05)
        held = {name for name, manifest in manifests(run).items() if manifest.get("probe") == "reads"}
    assert held - {name_of(10)} == {name_of(30), name_of(40)}
    write(run, 70)
    evaluators.go_on.release(100)
    live.close(finish=True)
    assert [one["step"] for one in taken] == [10, 30, 40, 70]


def test_the_first_task_alone_says_which_is_the_best(run: Place, bands: Task) -> None:
    """The other one would have the checkpoint of step 20."""
    accuracies = {("bands", 10): 0.9, ("other", 10): 0.2, ("bands", 20): 0.5, ("other", 20): 0.8}

    class Scripted:
        def compute(self, job: ProbeJob, go_on: Callable[[], None]) -> dict[str, Any]:
            value = accuracies[job.task.name, job.step]
            score = {"accuracy": value, "low": value - 0.1, "high": value + 0.1}
            about = {"task": job.task.name, "checkpoint": job.checkpoint, "step": job.step, "images": job.images}
            return about | {"seconds": {"features": 1.0}, "all_labels": score}

    for step in (10, 20):
        write(run, step)
    tasks, taken = [replace(bands, few=None), replace(bands, few=None, name="other")], list[Probed]()
    wanted = {step * SETTINGS.optimization.batch_size for step in (10, 20)}.__contains__
    live = LiveProbe(run, Scripted(), tasks, torch.float32, print, taken.append, wanted=wanted)
    live.start()
    live.close(finish=True)
    assert [(one["task"], one["step"]) for one in taken] == [("bands", 10), ("other", 10), ("bands", 20), ("other", 20)]
    assert live.record()["best"] == {"checkpoint": name_of(10), "accuracy": 0.9}
    assert [manifest.get("probe") for manifest in manifests(run).values()] == ["best", None]


def test_the_newest_is_evaluated_first_and_then_what_is_left(run: Place, probe: Callable[..., Any]) -> None:
    write(run, 10)
    # Of another command, whose results are of another kind.
    (run / "evaluation" / "000000000640-memorised-raw-12345678.json").write_bytes(b'{"recipe_sha256": "12345678"}')
    live, evaluators, lines, taken = probe()
    assert evaluators.reached.acquire(timeout=60)
    for step in (20, 30, 40):
        write(run, step)
    (run / "checkpoints" / name_of(20)).delete()
    evaluators.go_on.release(100)
    live.close(finish=True)
    assert [one["checkpoint"] for one in taken][:2] == [name_of(10), name_of(40)]
    assert [one["step"] for one in taken][:2] == [10, 40]
    assert taken[0]["images"] == 10 * SETTINGS.optimization.batch_size
    assert 0.3 < taken[0]["low"] < taken[0]["accuracy"] < taken[0]["high"] <= 1
    record = live.record()
    assert record["judged"] == len(taken)
    assert set(record["skipped"]) == {name_of(30)} - {one["checkpoint"] for one in taken}
    assert lines[0].startswith(f"probe bands of checkpoint {name_of(10)}: ")
    assert set(results(run)) == {one["checkpoint"] for one in taken}


def test_a_checkpoint_stays_while_it_is_read_and_the_best_one_for_good(run: Place, probe: Callable[..., Any]) -> None:
    write(run, 10)
    live, evaluators, _, _ = probe()
    assert evaluators.reached.acquire(timeout=60)
    assert manifests(run)[name_of(10)]["probe"] == "reads"
    evaluators.go_on.release()
    deadline = time.monotonic() + 60
    while manifests(run)[name_of(10)]["probe"] != "best":
        assert time.monotonic() < deadline
        time.sleep(0.05)
    write(run, 20, dead=True)
    evaluators.go_on.release(100)
    live.close(finish=True)
    marks = {name: manifest.get("probe") for name, manifest in manifests(run).items()}
    assert marks == {name_of(10): "best", name_of(20): None}
    assert live.record()["best"]["checkpoint"] == name_of(10)


def test_what_has_a_result_is_not_evaluated_again(run: Place, probe: Callable[..., Any]) -> None:
    write(run, 10)
    write(run, 20)
    for there in (0, 2):
        live, evaluators, lines, _ = probe()
        evaluators.go_on.release(100)
        deadline = time.monotonic() + 60
        while live.record()["judged"] < 2:
            assert time.monotonic() < deadline
            time.sleep(0.05)
        live.close(finish=True)
        assert len(lines) == 2 - there
    assert set(results(run)) == {name_of(10), name_of(20)}
    assert live.record()["best"]["accuracy"] == max(one["all_labels"]["accuracy"] for one in results(run).values())


def others(run: Place, name: str) -> None:
    """Results of `dcgan_dist.evaluate` that are none of a probe's: of another seed, and of random features."""
    found = [json.loads(place.read_bytes()) for place, _ in (run / "evaluation").files()]
    for features, digest in (("discriminator", "0"), *(("random", one["recipe_sha256"]) for one in found)):
        about = {"task": "bands", "checkpoint": name, "features_of": features, "recipe_sha256": digest}
        (run / "evaluation" / f"{name}-bands-{features}-{digest[:8]}.json").write_bytes(json.dumps(about).encode())


def test_a_result_that_the_curves_lack_is_added(run: Place, probe: Callable[..., Any]) -> None:
    found = []
    for step, written_down in ((10, False), (20, True), (30, False)):
        write(run, step)
        others(run, name_of(step))
        live, evaluators, lines, taken = probe()
        evaluators.go_on.release(100)
        live.close(finish=True)
        assert len(lines) == 1, lines
        found.append([one["step"] for one in taken])
        if written_down:
            (run / "metrics.jsonl").write_bytes(b"".join(json.dumps(one).encode() + b"\n" for one in taken))
    assert found == [[10], [20, 10], [30]]


def test_a_result_of_a_lineage_that_has_ended_is_not_added(run: Place, probe: Callable[..., Any]) -> None:
    """A run that lost its newest checkpoint comes by there again, later and perhaps otherwise."""
    taken: list[Probed] = []
    for step in (10, 30, 20):
        write(run, step)
        live, evaluators, _, taken = probe()
        evaluators.go_on.release(100)
        live.close(finish=True)
        if step == 30:
            (run / "checkpoints" / name_of(30)).delete()
    assert set(results(run)) == {name_of(10), name_of(20), name_of(30)}
    assert [one["step"] for one in taken] == [20, 10]


def test_what_is_under_way_can_be_left(run: Place, probe: Callable[..., Any]) -> None:
    write(run, 10)
    live, evaluators, lines, _ = probe()
    assert evaluators.reached.acquire(timeout=60)
    closing = threading.Thread(target=live.close, kwargs={"finish": False})
    closing.start()
    evaluators.go_on.release(1)
    closing.join(timeout=60)
    assert not closing.is_alive()
    assert (lines, results(run), live.record()["skipped"]) == ([], {}, [name_of(10)])


def test_a_probe_that_fails_is_told_and_nothing_more(run: Place, probe: Callable[..., Any]) -> None:
    name = write(run, 10)
    (run / "checkpoints" / name / "state.pt").local_path.write_bytes(
        b"0" * manifests(run)[name]["files"]["state.pt"]["bytes"]
    )
    live, evaluators, lines, _ = probe()
    evaluators.go_on.release(100)
    live.close(finish=True)
    assert len(lines) == 1
    assert "is torn" in lines[0]
    assert manifests(run)[name]["probe"] is None, "what cannot be read stays for good"

    write(run, 20)
    live, evaluators, lines, _ = probe()
    evaluators.each = None  # whoever calls it, fails
    evaluators.go_on.release(100)
    live.close(finish=True)
    assert any("probes have failed: " in line for line in lines)
    assert live.failure


def write_both(run: Place, step: int, settings: Settings = SETTINGS) -> str:
    """A checkpoint with a generator, that draws other samples at each step."""
    state: dict[str, Any] = {}
    for name, network in (("discriminator", Discriminator), ("generator", Generator), ("averaged", Generator)):
        made = network(settings.networks)
        initialize(made, step)
        state[name] = made.state_dict()
    return write_checkpoint(run, state, settings, step=step, attempt=1, kept=False)


def test_fidelity_is_measured_beside_training_and_says_which_checkpoint_is_the_best(
    run: Place, bands: Task, here: Callable[..., Any]
) -> None:
    for step in (10, 20, 30):
        write_both(run, step)
    judge = Place(f"{run.parent}/judge")
    wide = replace(SETTINGS, networks=replace(SETTINGS.networks, discriminator_maps=60))
    write_both(judge, 77, wide)
    by = open_features("discriminator=judge", 16, str(run.parent))
    fidelity = open_fidelity(None, SETTINGS, None, by, 150, resize=False)
    tasks = [fidelity, replace(bands, few=None)]
    lines: list[str] = []
    taken: list[Probed | Measured] = []
    everything = {step * SETTINGS.optimization.batch_size for step in (10, 20, 30)}.__contains__
    evaluator = PoolEvaluator(here(2), 2, tasks)
    live = LiveProbe(run, evaluator, tasks, torch.float32, lines.append, taken.append, wanted=everything)
    live.start()
    live.close(finish=True)
    assert live.failure == ""
    kernel = f"fidelity/{by.name}/kernel"
    found = {one["checkpoint"]: one["value"] for one in taken if "metric" in one and one["metric"] == kernel}
    assert list(found) == [name_of(step) for step in (10, 20, 30)]
    best = min(found, key=lambda name: found[name])
    assert live.record()["best"] == {"checkpoint": best, kernel: found[best]}
    assert [name for name, manifest in manifests(run).items() if manifest.get("probe") == "best"] == [best]
    metrics = [one["metric"] for one in taken if "metric" in one][:6]
    assert metrics == [f"fidelity/{by.name}/{name}" for name in MEASURES]
    assert sum("accuracy" in one for one in taken) == 3, "the other task is evaluated too"
    assert lines[0].startswith(f"probe fidelity of checkpoint {name_of(10)}: {by.name}/frechet ")
    doubt = "150 samples are fewer than the 180 features: the intervals of the distances are too narrow, "
    assert sum(line.startswith(f"probe fidelity: {doubt}") for line in lines) == 1
    results = [json.loads(file.read_bytes()) for file, _ in (run / "evaluation").files()]
    notes = [result["notes"] for result in results if result["task"] == "fidelity"]
    assert len(notes) == 3
    assert all(len(one) == 1 and one[0].startswith(doubt) for one in notes)
    # A driver that is lost before it has written some lines leaves them to the next one.
    (run / "metrics.jsonl").write_bytes(
        b"".join(json.dumps(one).encode() + b"\n" for one in taken if one["checkpoint"] != name_of(20))
    )
    again: list[Probed | Measured] = []
    live = LiveProbe(run, evaluator, tasks, torch.float32, lines.append, again.append, wanted=everything)
    live.start()
    live.close(finish=True)
    missing = {one.get("metric", "accuracy") for one in again}
    assert {one["checkpoint"] for one in again} == {name_of(20)}
    assert missing == {"accuracy", *metrics}
    for one in again:
        one["time"] = 0.0
    assert [one for one in again if "metric" in one] == [
        one | {"time": 0.0} for one in taken if "metric" in one and one["checkpoint"] == name_of(20)
    ]
