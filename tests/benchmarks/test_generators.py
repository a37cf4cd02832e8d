import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from benchmarks.generators import draw, examine, main
from benchmarks.render import ROOT
from benchmarks.scene_attributes import AttributeClassifier
from dcgan_dist.errors import SettingsError
from dcgan_dist.model.dcgan import Generator, initialize
from dcgan_dist.run_folder.checkpoint import load_checkpoint, write_checkpoint
from dcgan_dist.settings import scenes32
from dcgan_dist.storage import Place

STEPS = (4, 40)


@pytest.fixture
def run(tmp_path: Path) -> Place:
    """A run that has learned nothing, with a checkpoint before its average has settled and one after."""
    preset = scenes32()
    settings = replace(
        preset,
        data=replace(preset.data, scenes_images=200),
        networks=replace(preset.networks, generator_maps=4, discriminator_maps=4),
        optimization=replace(preset.optimization, average_images=600),
    )
    state: dict[str, Any] = {}
    for seed, name in enumerate(("generator", "averaged")):
        generator = Generator(settings.networks)
        initialize(generator, seed)
        state[name] = generator.state_dict()
    place = Place(str(tmp_path / "run"))
    for step in STEPS:
        write_checkpoint(place, state, settings, step=step, attempt=1, kept=True)
    return place


def test_every_generator_is_judged_by_both_statistics_and_the_default_is_marked(
    run: Place, classifier: AttributeClassifier
) -> None:
    report = examine(run, classifier, wanted=(200, 2_000), number=70, given=True)
    rows = report.tables["generators"].rows
    assert [row[:3] + row[-1:] for row in map(list, rows)] == [
        [images, kind, statistics, "default" if (kind, statistics) == default else ""]
        for images, default in ((256, ("raw", "fixed")), (2_560, ("averaged", "fixed")))
        for kind in ("raw", "averaged")
        for statistics in ("batch", "fixed")
    ]
    # Nothing of it is any good, and its bars say so.
    assert not any(bar.met for bar in report.bars)


def test_the_four_kinds_of_samples_are_of_the_same_z_and_differ(run: Place) -> None:
    checkpoint = load_checkpoint(run)
    drawn = {(kind, by): draw(checkpoint, kind, by, 70) for kind in ("raw", "averaged") for by in ("batch", "fixed")}
    assert {samples.shape for samples in drawn.values()} == {(70, 32, 32, 3)}
    apart = np.abs(drawn["raw", "batch"].astype(int) - drawn["raw", "fixed"]).mean()
    assert 0 < apart < 0.5 * np.abs(drawn["raw", "batch"].astype(int) - drawn["averaged", "batch"]).mean()


def test_a_run_that_is_not_done_is_refused(run: Place, classifier: AttributeClassifier) -> None:
    with pytest.raises(SettingsError, match="has no checkpoint at 3,000 images: give a run that is done"):
        examine(run, classifier, wanted=(200, 3_000))


def test_a_run_that_is_not_there_is_said_in_a_sentence(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--run", str(tmp_path)]) == 2
    errors = capsys.readouterr().err
    assert errors.startswith("error: ")
    assert "has no checkpoint at" in errors


def test_the_committed_report_meets_all_its_bars() -> None:
    report = json.loads((ROOT / "benchmarks" / "results" / "generators.json").read_text())
    assert [bar["name"] for bar in report["bars"] if not bar["met"]] == []
    assert len(report["bars"]) == 8
