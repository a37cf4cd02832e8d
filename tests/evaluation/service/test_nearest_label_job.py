"""Errors of the nearest labeled sample: as counted over all distances at once, and however often the work is ended."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

from dcgan_dist.evaluation import nearest_label
from dcgan_dist.evaluation.coverage import Sampler
from dcgan_dist.evaluation.nearest_label import LabeledSamples
from dcgan_dist.evaluation.service import nearest_label_job
from dcgan_dist.evaluation.service.nearest_label_job import NearestLabelJob
from dcgan_dist.evaluation.task import ArrayPictures, Labeled
from dcgan_dist.evaluation.tasks.mnist_nn import MnistNNTask
from dcgan_dist.intervals import wilson
from dcgan_dist.model.drawing import to_uint8
from dcgan_dist.settings import NetworkSettings
from dcgan_dist.storage import Place

CLASSES, BATCH, NUMBERS = 3, 8, (20, 150, 310)
SETTINGS = NetworkSettings(image_size=16, latent_size=5, channels=1, classes=CLASSES)


Build = Callable[[NetworkSettings, int], nn.Module]


def sampler(build: Build, weights: int = 0, seed: int = 3) -> Sampler:
    return Sampler(build(SETTINGS, weights), "raw", SETTINGS, BATCH, seed)


def drawn(build: Build, seed: int, batches: int) -> tuple[torch.Tensor, torch.Tensor]:
    images, labels = zip(*(sampler(build, seed=seed).labeled(i) for i in range(batches)), strict=True)
    return torch.cat(images), torch.cat(labels)


def labeled(build: Build, seed: int, batches: int) -> Labeled:
    images, labels = drawn(build, seed, batches)
    pictures = to_uint8(images.unflatten(1, (1, 16, 16)).expand(-1, 3, -1, -1))
    return Labeled(ArrayPictures(pictures, "samples"), np.arange(len(pictures)), labels.numpy())


def raw(labeled: Labeled) -> torch.Tensor:
    """Its pixels by their definition, float64 [n, 256] in [-1, 1]."""
    return torch.from_numpy(labeled.read(np.arange(len(labeled)))[..., 0]).flatten(1).double() / 127.5 - 1


@pytest.fixture
def make(blots: Build, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., NearestLabelJob]:
    """Test images and "real" ones are samples of other seeds; blocks are of 16 samples or 10 images, rounds of 2."""
    monkeypatch.setattr(nearest_label, "TOGETHER", 2)
    monkeypatch.setattr(nearest_label, "BLOCK", 10)
    monkeypatch.setattr(nearest_label_job, "ROUND", 2)
    task = MnistNNTask(
        labeled(blots, 8, 9), labeled(blots, 9, 6), CLASSES, "the test images", "the real images", ("a note",)
    )

    def job(folder: str = "one", number: int = 310, **changes: Any) -> NearestLabelJob:
        of = changes.pop("sampler", sampler(blots))
        place = Place(str(tmp_path / folder / "run" / "evaluation"))
        base = NearestLabelJob(
            place, "run", "000000000640", 10, 640, task, LabeledSamples(of, "run"), number, numbers=NUMBERS
        )
        return replace(base, **changes)

    return job


def found(job: NearestLabelJob, evaluators: Any) -> dict[str, Any]:
    return {name: value for name, value in job.find(evaluators, {}, lambda text: None).items() if name != "seconds"}


class Ended:
    """Evaluators that end with the call of this number."""

    def __init__(self, evaluators: Any, after: int) -> None:
        self.evaluators, self.left = evaluators, after

    def each(self, name: str, /, *arguments: Any) -> list[Any]:
        self.left -= 1
        if self.left < 0:
            raise KeyboardInterrupt
        result: list[Any] = self.evaluators.each(name, *arguments)
        return result


def test_errors_are_those_of_all_distances(
    make: Callable[..., NearestLabelJob], blots: Build, here: Callable[..., Any]
) -> None:
    result = found(make(), here(1))
    samples, labels = drawn(blots, 3, 39)
    test, real = labeled(blots, 8, 9), labeled(blots, 9, 6)
    images, truth = raw(test), torch.from_numpy(test.labels)
    assert [one["samples"] for one in result["errors"]] == list(NUMBERS)
    assert (result["test_images"], result["real"]["images"], result["classes"]) == (72, 48, CLASSES)
    every = [(one, samples[: one["samples"]], labels) for one in result["errors"]]
    errors: list[float] = []
    for one, references, classes in (*every, (result["real"], raw(real), torch.from_numpy(real.labels))):
        wrong = classes[torch.cdist(images, references.double()).argmin(1)] != truth
        assert one["error"] == pytest.approx(wrong.double().mean().item())
        errors.append(one["error"])
        assert (one["low"], one["high"]) == wilson(one["error"], 72)
        right = [1 - wrong[truth == label].double().mean().item() for label in range(CLASSES)]
        assert one["accuracy_by_class"] == pytest.approx(right)
    assert len({*errors}) == 4, "rows that are mixed up would not show"


@pytest.mark.parametrize("parts", [1, 2, 3])
def test_they_are_the_same_bits_however_often_the_work_is_ended(
    parts: int, make: Callable[..., NearestLabelJob], here: Callable[..., Any]
) -> None:
    whole = make("whole")
    expected = found(whole, here(1))
    job = make("ended")
    for _ in range(3):
        with pytest.raises(KeyboardInterrupt):  # after all real images, and a round of samples
            found(job, Ended(here(parts), {1: 4, 2: 3, 3: 2}[parts]))
    assert found(job, here(parts)) == expected
    (one,), (other,) = (list(Path(str(each.folder)).iterdir()) for each in (whole, job))
    assert one.name == other.name
    with np.load(one) as first, np.load(other) as second:
        for name in ("distances", "places", "labels", "blocks"):
            assert np.array_equal(first[name], second[name]), name


def test_more_samples_go_on_from_those_that_were_compared(
    make: Callable[..., NearestLabelJob], here: Callable[..., Any]
) -> None:
    expected = found(make("whole"), here(1))
    few = make(number=20)
    result = found(few, here(1))
    assert result["errors"] == expected["errors"][:1]
    job = make(number=310)
    assert job.recipe_sha256 != few.recipe_sha256
    file = job.progress_file(result["data_checksum"])
    assert file == few.progress_file(result["data_checksum"])
    evaluators = here(1)
    calls: list[int] = []

    class Counted:
        def each(self, name: str, /, *arguments: Any) -> list[Any]:
            calls.append(arguments[3])
            done: list[Any] = evaluators.each(name, *arguments)
            return done

    assert found(job, Counted()) == expected
    assert calls == [0, 2, 4, *range(2, 20, 2)], "the real images, then samples from the third block on"
    calls.clear()
    assert found(make(number=150), Counted()) == {**expected, "errors": expected["errors"][:2]}
    assert calls == [0, 2, 4], "all samples were compared"
    calls.clear()
    assert found(make(again=True), Counted()) == expected
    assert calls == [0, 2, 4, *range(0, 20, 2)]


def test_what_was_compared_of_other_weights_is_not_gone_on_from(
    make: Callable[..., NearestLabelJob], blots: Build, here: Callable[..., Any]
) -> None:
    job = make()
    result = found(job, here(1))
    others = [make(sampler=sampler(blots, weights=4)), make(sampler=sampler(blots, seed=4)), make(numbers=(30, 310))]
    files = [one.progress_file(result["data_checksum"]) for one in (job, *others)]
    assert len({*files, job.progress_file("of other images")}) == 5
    assert found(others[0], here(1))["errors"] != result["errors"]


def test_seconds_are_those_of_all_calls(make: Callable[..., NearestLabelJob], here: Callable[..., Any]) -> None:
    job = make()
    job.find(here(1), {}, lambda text: None)
    with np.load(next(iter(Path(str(job.folder)).iterdir()))) as content:
        seconds = content["seconds"]
    assert np.all(np.diff(seconds) > 0)
    again = job.find(here(1), {}, lambda text: None)
    assert again["seconds"]["samples"] == seconds[-1]
    assert make(number=20).find(here(1), {}, lambda text: None)["seconds"]["samples"] == seconds[0]


def test_a_result_names_all_that_it_depends_on(make: Callable[..., NearestLabelJob]) -> None:
    recipe = make(number=150).recipe
    assert recipe["samples"] == [20, 150]
    assert (recipe["generator"], recipe["batch_size"], recipe["seed"]) == ("raw", 8, 3)
    assert recipe["statistics"] == "no layers of batch normalization"
    assert recipe["real"] == {"images": 48, "data": "the real images", "seed": 3}
    assert make().file.name.startswith("000000000640-mnist-nn-generator-")
    assert make().notes == ("a note",)
