"""Which features sets are compared by, and what they are called."""

from dataclasses import replace
from pathlib import Path

import pytest

from dcgan_dist.errors import CheckpointError, SettingsError
from dcgan_dist.evaluation.fidelity.features import absolute, name_of, named, open_features
from dcgan_dist.evaluation.service.comparison import EvaluateOptions
from dcgan_dist.model.dcgan import Discriminator, initialize
from dcgan_dist.run_folder.checkpoint import load_checkpoint, write_checkpoint
from dcgan_dist.settings import ProbeSettings, Settings, scenes32
from dcgan_dist.storage import Place


def settings(maps: int = 5) -> Settings:
    base = scenes32()
    return replace(base, networks=replace(base.networks, image_size=16, discriminator_maps=maps))


def write(run: Place, seed: int, step: int = 10, maps: int = 5) -> str:
    discriminator = Discriminator(settings(maps).networks)
    initialize(discriminator, seed)
    state = {"discriminator": discriminator.state_dict()}
    return write_checkpoint(run, state, settings(maps), step=step, attempt=1, kept=True)


def test_both_commands_compare_by_the_same_if_nothing_is_said() -> None:
    options, probe = EvaluateOptions(features="pixels"), ProbeSettings()
    assert (options.fidelity_features, options.fidelity_samples) == (probe.fidelity_features, probe.fidelity_samples)
    assert named(probe.fidelity_features) == ("efficientnet_lite0", "")


@pytest.mark.parametrize(
    "text", ["fid", "inception", "discriminator=", "efficientnet_lite0=x", "own_discriminator=y", "", "=x"]
)
def test_others_are_refused_with_those_that_there_are(text: str) -> None:
    with pytest.raises(SettingsError, match=r"needs to be one of efficientnet_lite0, own_discriminator, discrim"):
        open_features(text, 16, "runs")


def test_a_discriminator_of_another_run_is_named_after_it_and_its_checkpoint(tmp_path: Path) -> None:
    write(Place(f"{tmp_path}/judge"), 1)
    name = write(Place(f"{tmp_path}/judge"), 2, step=30)
    found = open_features("discriminator=judge", 16, str(tmp_path))
    assert found.name == name_of("discriminator=judge", str(tmp_path)) == f"discriminator-judge-{name}"
    assert found.notes == ()
    assert found.encoder is not None
    assert found.recipe(found.encoder)["weights_sha256"] == found.weights_sha256 != "", "another run may have its name"
    fixed = absolute("discriminator=judge", str(tmp_path))
    assert fixed == f"discriminator={tmp_path}/judge/checkpoints/{name}"
    write(Place(f"{tmp_path}/judge"), 3, step=40)
    assert open_features(fixed, 16, "elsewhere").weights_sha256 == found.weights_sha256, (
        "it goes on, the judge does not"
    )
    assert open_features("discriminator=judge", 16, str(tmp_path)).weights_sha256 != found.weights_sha256


def test_it_has_to_be_there_and_of_the_same_size(tmp_path: Path) -> None:
    write(Place(f"{tmp_path}/judge"), 1)
    with pytest.raises(SettingsError, match=r"a run of 16 x 16 pixels, but the images have 32 x 32: give a run"):
        open_features("discriminator=judge", 32, str(tmp_path))
    with pytest.raises(CheckpointError, match="jugde"):
        open_features("discriminator=jugde", 16, str(tmp_path))


def test_the_runs_own_is_that_of_each_checkpoint_and_a_note_says_so(tmp_path: Path) -> None:
    run = Place(f"{tmp_path}/run")
    names = [write(run, seed, step) for seed, step in ((1, 10), (2, 20))]
    by = open_features("own_discriminator", 16, "runs")
    assert "cannot be compared with any others" in by.notes[0]
    first, second = (by.of(load_checkpoint(run, name)) for name in names)
    assert first is not second
    assert by.recipe(first)["name"] == "own_discriminator"


def test_features_of_too_many_numbers_are_refused(tmp_path: Path) -> None:
    write(Place(f"{tmp_path}/wide"), 1, maps=700)
    with pytest.raises(SettingsError, match=r"has 2,100 maps, more than the 2,048 .*: give --fidelity-features effi"):
        open_features("discriminator=wide", 16, str(tmp_path))


def test_files_are_found_from_any_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert absolute("inception=here.pth", "runs") == f"inception={tmp_path}/here.pth"
    assert absolute("own_discriminator", "runs") == "own_discriminator"
