"""Exemplars that a person has chosen, and the studies that take them."""

from collections.abc import Callable
from copy import deepcopy
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from dcgan_dist.errors import SettingsError
from dcgan_dist.model.dcgan import Generator, initialize
from dcgan_dist.model.generate import About, FrozenGenerator, freeze
from dcgan_dist.settings import NetworkSettings
from dcgan_dist.storage import Place
from dcgan_dist.studies.arithmetic import ArithmeticOptions, arithmetic
from dcgan_dist.studies.exemplars import load, strip, template
from dcgan_dist.studies.pick import LABEL, PickOptions, numbered, pick
from dcgan_dist.studies.subject import Subject
from dcgan_dist.studies.sums import NOISE, around, draw, of_pixels
from dcgan_dist.studies.turn import TurnOptions, turn

NETWORKS = NetworkSettings(image_size=16, generator_maps=8, discriminator_maps=8, latent_size=12)
FILE = """
seed: 5
run: mine
checkpoint: "000000000640"
generator: raw
exemplars:
  smiling woman: [3, 17, 2, 8]
  neutral woman: [4, 1, 70]
  neutral man: [9, 11, 12]
"""


@pytest.fixture(scope="module")
def subject() -> Subject:
    generator = Generator(NETWORKS)
    initialize(generator, 3)
    about = About("mine", "000000000640", 640, "raw", NETWORKS, 32, "fixed statistics")
    return Subject(FrozenGenerator(freeze(generator, NETWORKS, 32), about), None, Place("/nowhere"))


@pytest.fixture
def write(tmp_path: Path) -> Callable[[str], Place]:
    def of(text: str) -> Place:
        (tmp_path / "mine.yaml").write_text(text)
        return Place(str(tmp_path / "mine.yaml"))

    return of


def test_exemplars_are_the_samples_of_the_sheet(subject: Subject, write: Callable[[str], Place]) -> None:
    z, mean = load(write(FILE), subject).mean(subject, "smiling woman", 3)
    samples = np.concatenate(list(subject.generator.draw(40, 5)))
    # Kernels round differently in a smaller batch.
    assert np.abs(draw(subject, z).astype(int) - samples[[3, 17, 2]]).max() <= 1
    assert torch.equal(mean, z.mean(0))


@pytest.mark.parametrize(
    ("old", "new", "sentence"),
    [
        ("000000000640", "000000001280", "is of samples of checkpoint 000000001280, but these are of 000000000640"),
        ("run: mine", "run: yours", "is of samples of run yours, but these are of mine"),
        ("raw", "averaged", "is of samples of generator averaged, but these are of raw"),
        ("seed: 5", "seed: five", "seed of .* is 'five' but needs to be a whole number"),
        ("seed: 5\n", "", "needs to say seed, run, checkpoint, generator and exemplars"),
        ("[9, 11, 12]", "[9, -11]", "'neutral man' is .* needs to be a list of numbers of samples"),
        ("[9, 11, 12]", "[9, 9, 12]", "'neutral man' names a sample twice"),
        ("[9, 11, 12]", "[]", "'neutral man' is .* needs to be a list"),
        ("[9, 11, 12]", "[true]", "'neutral man' is .* needs to be a list"),
        ("[9, 11, 12]", "nobody", "'neutral man' is 'nobody'"),
        ("neutral man: [9, 11, 12]", "neutral man: [9, 11", "which is no YAML"),
        ("neutral man", "nobody", "has no exemplars of 'neutral man'; it has smiling woman, neutral woman, nobody"),
        ("[9, 11, 12]", "[9, 11]", "has 2 exemplars of 'neutral man', but 3 are asked for: add some, or give --ex"),
    ],
)
def test_what_does_not_fit_is_one_sentence(
    old: str, new: str, sentence: str, subject: Subject, write: Callable[[str], Place]
) -> None:
    file = write(FILE.replace(old, new))
    options = ArithmeticOptions(
        run="mine", exemplars=str(file), a="smiling woman", b="neutral woman", c="neutral man", seed=2
    )
    with pytest.raises(SettingsError, match=sentence):
        arithmetic(subject, options, print)


def test_a_sheet_comes_with_a_file_to_fill_in(subject: Subject, write: Callable[[str], Place]) -> None:
    found = pick(subject, PickOptions(run="mine", number=23, seed=5), print)
    # Four times as large, ten in a row.
    assert found.figure.shape == (3 * (64 + LABEL) + 2 * 2, 10 * 64 + 9 * 2, 3)
    with pytest.raises(SettingsError, match="has no exemplars: add a line"):
        load(write(found.to_edit[".yaml"].decode()), subject)
    filled = template(subject, 5).decode() + "  beds: [3, 4]\n"
    assert load(write(filled), subject).numbers == {"beds": [3, 4]}
    again = replace(subject, generator=deepcopy(subject.generator))
    with torch.no_grad():
        next(again.generator.buffers()).add_(1e-6)  # another machine rounds otherwise
    assert load(write(filled), again).numbers == {"beds": [3, 4]}
    with torch.no_grad():
        list(again.generator.parameters())[-1].mul_(1.01)
    with pytest.raises(SettingsError, match=r"is of samples of mine with other weights .*trained anew"):
        load(write(filled), again)


def test_each_sample_is_below_its_number() -> None:
    images = np.full((12, 64, 64, 3), 7, np.uint8)
    sheet = numbered(images)
    assert (sheet[LABEL : LABEL + 64, :64] == 7).all()
    first, eleventh = sheet[:LABEL, :64], sheet[64 + LABEL + 2 :][:LABEL, :64]
    assert first.min() < 100 < first.max()
    assert (first != eleventh).any()


def test_the_result_is_a_minus_b_plus_c_amid_its_neighbors(subject: Subject, write: Callable[[str], Place]) -> None:
    file = write(FILE)
    options = ArithmeticOptions(
        run="mine", exemplars=str(file), a="smiling woman", b="neutral woman", c="neutral man", seed=2, exemplars_each=2
    )
    found = arithmetic(subject, options, print)
    z = subject.generator.latents(100, 5)
    wanted = z[[3, 17]].mean(0) - z[[4, 1]].mean(0) + z[[9, 11]].mean(0)
    assert found.numbers["length_of_z"] == pytest.approx(float(wanted.norm()), rel=1e-6)
    nine = around(wanted, 2)
    assert torch.equal(nine[4], wanted)
    apart = (nine - wanted).abs()[[0, 1, 2, 3, 5, 6, 7, 8]]
    assert NOISE / 2 < float(apart.max()) <= NOISE
    assert found.depends_on["samples"] == {"smiling woman": [3, 17], "neutral woman": [4, 1], "neutral man": [9, 11]}
    levels = [np.full((2, 4, 4, 3), level, np.uint8) for level in (90, 50, 30)]
    assert (of_pixels(levels) == 70).all()
    with pytest.raises(SettingsError, match="a, b and c are 'neutral man', 'neutral woman', '' but need to be three"):
        arithmetic(
            subject, ArithmeticOptions(run="mine", exemplars=str(file), a="neutral man", b="neutral woman"), print
        )
    with pytest.raises(SettingsError, match="need to be three concepts"):
        arithmetic(
            subject,
            ArithmeticOptions(run="mine", exemplars=str(file), a="neutral man", b="neutral man", c="neutral woman"),
            print,
        )


def test_samples_are_turned_from_half_the_vector_before_to_half_of_it_behind(
    subject: Subject, write: Callable[[str], Place]
) -> None:
    options = TurnOptions(
        run="mine", exemplars=str(write(FILE)), from_="neutral man", to="neutral woman", rows=2, steps=5,
        exemplars_each=3, seed=7,
    )  # fmt: skip
    found = turn(subject, options, print)
    z = subject.generator.latents(100, 5)
    vector = z[[4, 1, 70]].mean(0) - z[[9, 11, 12]].mean(0)
    assert found.numbers["length_of_vector"] == pytest.approx(float(vector.norm()), rel=1e-6)
    sample = subject.generator.latents(2, 7)[1]
    wanted = draw(subject, torch.stack([sample - vector / 2, sample, sample + vector / 2]))
    factor = found.figure.shape[1] // (5 * 18 - 2)
    shown = found.figure[::factor, ::factor][18:34]
    for place, image in zip((0, 36, 72), wanted, strict=True):
        assert np.abs(shown[:, place : place + 16].astype(int) - image).max() <= 1
    with pytest.raises(SettingsError, match="from and to are both '': give two concepts"):
        turn(subject, TurnOptions(run="mine", exemplars=str(write(FILE))), print)
    with pytest.raises(SettingsError, match="steps is 4 but needs to be odd"):
        TurnOptions(run="mine", exemplars="x", from_="a", to="b", steps=4)
    assert strip(3, torch.zeros(2), torch.ones(2)).tolist() == [[0, 0], [0.5, 0.5], [1, 1]]
