"""What a sweep searches: names, values, and the sentences that wrong ones get."""

import math
from dataclasses import replace

import numpy as np
import pytest

from dcgan_dist.errors import SettingsError
from dcgan_dist.settings import cifar32, flatten
from tuning.space import Choice, Numbers, as_text, check_values, defaults, describe, grid, parse_space

BASE = cifar32()


def test_settings_are_found_by_short_and_by_dotted_names() -> None:
    space = parse_space(
        [
            "lr=loguniform(5e-5,2e-3)",
            "beta1=uniform(0,0.9)",
            "batch-size=choice(32,64,128)",
            "workers=integer(1,2)",
            "networks.generator_maps=choice(32, 64)",
        ],
        BASE,
    )
    assert space == {
        "optimization.lr": Numbers(5e-5, 2e-3, log=True),
        "optimization.beta1": Numbers(0.0, 0.9),
        "optimization.batch_size": Choice((32, 64, 128)),
        "workers.number": Numbers(1, 2, whole=True),
        "networks.generator_maps": Choice((32, 64)),
    }


def test_chosen_values_have_the_types_of_their_settings() -> None:
    space = parse_space(
        [
            "lr=choice(1e-4,2e-4)",
            "channels_last=choice(true,false)",
            "structure=choice(3x3,5x5)",
            "at_least=choice(null,1)",
        ],
        BASE,
    )
    values = [values.values for values in space.values() if isinstance(values, Choice)]
    assert values == [(1e-4, 2e-4), (True, False), ("3x3", "5x5"), (None, 1)]


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("lr", "--search lr has no values: write NAME=uniform"),
        ("lr=2e-4", "--search optimization.lr=2e-4 is none of uniform"),
        ("lr=normal(0,1)", "is none of uniform"),
        ("lr=uniform(1e-3,1e-4)", "is an empty range: the first number needs to be the smaller one"),
        ("lr=uniform(1e-3,1e-3)", "is an empty range"),
        ("lr=uniform(1e-3)", "needs two numbers: write optimization.lr=uniform(LOW,HIGH)"),
        ("lr=uniform(a,b)", "needs two numbers"),
        ("lr=uniform(1e-3,inf)", "needs two numbers"),
        ("beta1=loguniform(0,0.9)", "needs a low end above 0"),
        ("beta1=uniform(0,1.5)", "optimization.beta1 is 1.5 but needs to be at least 0 and below 1"),
        ("batch_size=uniform(32,64)", "optimization.batch_size is 32.0 but needs to be a whole number"),
        ("batch_size=integer(32.5,64)", "needs whole numbers"),
        ("batch_size=choice(32,many)", "optimization.batch_size is 'many' but needs to be a whole number"),
        ("batch_size=choice()", "has an empty value"),
        ("batch_size=choice(32,32)", "names a value twice"),
        ("structure=uniform(0,1)", "is a range, but networks.structure is not a number"),
        ("batchsize=choice(2)", "--search batchsize is not a setting; did you mean batch_size?"),
        ("zzz=uniform(0,1)", "--search zzz is not a setting: see python -m dcgan_dist.train --help"),
        ("threads=integer(1,2)", "stands for workers.threads and probe.threads: give one of these names"),
        ("epochs=uniform(1,2)", "cannot vary epochs: it has to be the same in all trials"),
        ("probe.actors=integer(1,2)", "cannot vary probe.actors"),
        ("name=choice(a,b)", "cannot vary name"),
    ],
)
def test_wrong_searches_get_one_sentence(text: str, told: str) -> None:
    with pytest.raises(SettingsError) as error:
        parse_space([text], BASE)
    assert told in str(error.value)
    assert "\n" not in str(error.value)


def test_a_grid_has_every_combination_once_and_the_presets_values_first() -> None:
    space = parse_space(["lr=choice(1e-4,2e-4,1e-3)", "beta1=choice(0.5,0.9)"], cifar32())
    combinations = grid(space, defaults(space, cifar32()))
    assert combinations[0] == {"optimization.lr": 2e-4, "optimization.beta1": 0.5}
    assert len(combinations) == 6
    assert {(one["optimization.lr"], one["optimization.beta1"]) for one in combinations} == {
        (lr, beta1) for lr in (1e-4, 2e-4, 1e-3) for beta1 in (0.5, 0.9)
    }
    outside = grid(space, {"optimization.lr": 5e-4, "optimization.beta1": 0.5})
    assert len(outside) == 7, "the preset's values are tried also where they are no choice"
    with pytest.raises(SettingsError, match=r"beta1 is a range: write optimization.beta1=choice\(A,B,...\)"):
        grid(parse_space(["beta1=uniform(0,0.9)"], cifar32()), {"optimization.beta1": 0.5})


def test_a_setting_is_searched_once() -> None:
    with pytest.raises(SettingsError, match=r"names optimization\.lr twice"):
        parse_space(["lr=uniform(0.1,1)", "optimization.lr=uniform(0.1,1)"], BASE)


def test_drawn_values_are_spread_as_their_form_says() -> None:
    random = np.random.default_rng(0)
    log = [Numbers(1e-4, 1e-2, log=True).draw(random) for _ in range(2_000)]
    assert min(log) >= 1e-4
    assert max(log) <= 1e-2
    assert np.median(log) == pytest.approx(1e-3, rel=0.15)
    flat = [Numbers(0.0, 0.9).draw(random) for _ in range(2_000)]
    assert np.mean(flat) == pytest.approx(0.45, abs=0.02)
    whole = [Numbers(1, 3, whole=True).draw(random) for _ in range(300)]
    assert set(whole) == {1, 2, 3}
    assert {Choice(("a", "b")).draw(random) for _ in range(50)} == {"a", "b"}


def test_values_out_of_range_are_brought_back() -> None:
    assert Numbers(0.1, 0.9).nearest(1.2) == 0.9
    assert Numbers(1, 8, whole=True).nearest(3.4) == 3
    assert Choice((32, 64)).nearest(48) == 32
    assert Numbers(0.1, 0.9).holds(0.5)
    assert not Numbers(0.1, 0.9).holds(0.95)
    assert not Choice((32, 64)).holds(48)


def test_a_trial_is_the_base_but_for_its_values() -> None:
    settings = check_values({"optimization.lr": 1e-3, "workers.number": 2}, BASE)
    assert settings == replace(
        BASE,
        optimization=replace(BASE.optimization, lr=1e-3),
        workers=replace(BASE.workers, number=2),
    )
    space = parse_space(["lr=uniform(1e-4,1e-3)"], BASE)
    assert check_values(defaults(space, BASE), BASE) == BASE
    with pytest.raises(SettingsError, match="needs at least 1 image for each of 256 workers"):
        check_values({"workers.number": 256}, BASE)


def test_a_space_can_be_read_back_from_its_record() -> None:
    texts = [
        "lr=loguniform(5e-05,0.002)",
        "batch_size=choice(32,64)",
        "latent_size=integer(50,200)",
        "at_least=choice(null,1)",
    ]
    space = parse_space(texts, BASE)
    assert parse_space([f"{name}={form}" for name, form in as_text(space).items()], BASE) == space


def test_values_are_told_with_few_digits() -> None:
    told = describe({"optimization.lr": 0.00123456, "optimization.beta1": math.pi / 10, "workers.number": 2})
    assert told == "lr 0.00123, beta1 0.314, number 2"
    assert set(flatten(BASE)) >= {"optimization.lr", "optimization.beta1", "workers.number"}
