from dataclasses import replace

import numpy as np
import pytest
import torch

from dcgan_dist.data.deduplication import paper_autoencoder
from dcgan_dist.data.deduplication.paper_autoencoder import fit_paper
from dcgan_dist.data.deduplication.recipes import PaperRecipe
from tests.data.deduplication.drawn import drawn

RECIPE = PaperRecipe(steps=20, batch=50)


def test_a_bit_is_whether_the_unit_is_on(monkeypatch: pytest.MonkeyPatch) -> None:
    images = drawn(300, seed=11)
    layers = []

    def remember(*arguments: object) -> torch.nn.Linear:
        layers.append(train(*arguments))
        return layers[-1]

    train = paper_autoencoder._train
    monkeypatch.setattr(paper_autoencoder, "_train", remember)
    encoder = fit_paper(images, RECIPE, lambda share: None)
    units = layers[0](torch.from_numpy(images.reshape(300, -1)).float() / 127.5 - 1).detach().numpy()
    bits = np.unpackbits(encoder.codes(images), axis=1)
    clear = np.abs(units) > 1e-3  # nearer to 0 whole numbers decide
    assert clear.mean() > 0.95
    assert (bits == (units > 0))[clear].all()


def test_it_learns_to_draw_what_it_has_seen() -> None:
    images = drawn(400, seed=12)
    told: list[float] = []
    codes = fit_paper(images, replace(RECIPE, steps=160), told.append).codes(images)
    assert told == pytest.approx([50 / 160, 100 / 160, 150 / 160, 1])
    assert len(np.unique(codes, axis=0)) > 390


def test_it_is_a_function_of_images_and_seed_for_any_number_of_threads() -> None:
    images = drawn(120, seed=13)
    before = torch.get_num_threads()
    try:
        found = []
        for threads in (1, 2):
            torch.set_num_threads(threads)
            found.append(fit_paper(images, RECIPE, lambda share: None))
            assert torch.get_num_threads() == threads
    finally:
        torch.set_num_threads(before)
    assert (found[0].weights == found[1].weights).all()
    assert (found[0].offsets == found[1].offsets).all()
    assert (found[0].weights != fit_paper(images, replace(RECIPE, seed=1), lambda share: None).weights).mean() > 0.9
