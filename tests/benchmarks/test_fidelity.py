from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from benchmarks.fidelity import Compared, _report, blurred, main, scenes, sets
from dcgan_dist.evaluation.fidelity.frechet import Frechet
from dcgan_dist.evaluation.fidelity.pairs import KernelDistance, Shares
from dcgan_dist.model.dcgan import Generator
from dcgan_dist.run_folder.checkpoint import write_checkpoint
from dcgan_dist.settings import scenes32
from dcgan_dist.storage import Place


def test_sets_are_of_other_images_than_the_reference_and_worse_in_the_way_they_say() -> None:
    found = dict(sets(30))
    assert list(found) == ["uniform noise", "blurred over 8 pixels", "10 images, repeated", "blurred over 2 pixels"]
    assert {images.shape for images in found.values()} == {(30, 32, 32, 3)}
    repeated = found["10 images, repeated"]
    assert np.array_equal(repeated[:10], repeated[20:])
    assert not np.array_equal(repeated[0], scenes(1 << 40, 1)[0])

    def detail(images: np.ndarray) -> float:
        return float(np.abs(np.diff(images.astype(float), axis=1)).mean())

    details = [detail(found[name]) for name in ("blurred over 8 pixels", "blurred over 2 pixels", "uniform noise")]
    assert details == sorted(details)
    plain = np.full((2, 32, 32, 3), 77, np.uint8)
    assert np.array_equal(blurred(plain, 8), plain)


def test_orders_and_intervals_are_judged_and_what_misses_is_told() -> None:
    def found(distance: float, error: float = 1.0) -> Compared:
        return Compared(Frechet(distance, error), KernelDistance(distance, error), Shares(0.5, 0.25, 1.0, 0.75))

    by_name = {"worst": found(9.0), "blurred over 2 pixels": found(99.0), "middle": found(2.0), "held-out": found(3.0)}
    report = _report(by_name, {250: found(4.0)}, [found(1.0), found(2.0), found(50.0)], 200)
    values = {bar.name: (bar.value, bar.met) for bar in report.bars}
    assert values == {
        "Fréchet distance of worst, over that of middle": (4.5, True),
        "Fréchet distance of middle, over that of held-out": (pytest.approx(2 / 3), False),
        "second draws in the interval of the frechet distance": (pytest.approx(1 / 3), False),
        "second draws in the interval of the kernel distance": (pytest.approx(1 / 3), False),
    }
    assert report.tables["fidelity"].rows[0] == ["worst", "9 (±3)", "9.00 (±2.77)", "0.500", "0.250", "1.000", "0.750"]
    assert report.tables["fidelity_counts"].rows[0][0] == "250"


def test_a_run_of_another_kind_is_refused_before_anything_is_compared(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    base = scenes32()
    settings = replace(base, data=replace(base.data, scenes="faces"))
    state = {"generator": Generator(settings.networks).state_dict(), "some": {"x": torch.zeros(1)}}
    write_checkpoint(Place(f"{tmp_path}/run"), state, settings, step=3, attempt=1, kept=True)
    assert main([f"{tmp_path}/run"]) == 2
    assert "is not trained on rooms of 32 pixels: give runs of scenes32" in capsys.readouterr().err
