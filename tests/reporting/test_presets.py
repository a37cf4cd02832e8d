from dataclasses import replace

import pytest

from dcgan_dist.reporting.presets import between, differences
from dcgan_dist.settings import Settings, own64, scenes32, svhn32


def changed(settings: Settings) -> Settings:
    return replace(
        settings, name="mine", storage="s3://x/runs", images=None, epochs=2.5,
        optimization=replace(settings.optimization, lr=0.00033, channels_last=False),
        data=replace(settings.data, fit="crop"),
    )  # fmt: skip


@pytest.mark.parametrize("recorded", ["svhn32", "", "gone32"])
def test_settings_that_differ_from_the_preset(recorded: str) -> None:
    found = differences(changed(svhn32()), recorded)
    assert (found.preset, found.recorded) == ("svhn32", recorded == "svhn32")
    rows = {one.fact.name: (one.fact.shown, one.preset_shown) for one in found.differing}
    assert rows == {
        "images": ("none", "14,651,400"),
        "epochs": ("2.5", "none"),
        "data.fit": ("crop", "resize"),
        "optimization.lr": ("0.00033", "0.0005"),
        "optimization.channels_last": ("no", "yes"),
    }
    assert found.differing[3].fact.source == "settings.yaml: optimization.lr"


def test_a_preset_itself_differs_in_nothing() -> None:
    assert differences(replace(own64(), name="a", storage="b"), "own64").differing == []


def test_a_recorded_preset_counts_though_another_is_nearer() -> None:
    found = differences(scenes32(), "own64")
    assert (found.preset, found.recorded) == ("own64", True)
    assert len(found.differing) > 3


def test_settings_of_runs_are_shown_where_they_differ() -> None:
    first = scenes32()
    second = replace(first, seed=7, name="b", optimization=replace(first.optimization, lr=0.001))
    assert between({"a": first, "b": second}) == [("seed", ["42", "7"]), ("optimization.lr", ["0.0004", "0.001"])]
    assert between({"a": first, "b": replace(first, name="b")}) == []
    assert between({}) == []
