"""Nearest neighbours against distances that are computed one by one."""

import numpy as np
import torch

from dcgan_dist.evaluation.classifiers import nearest as module
from dcgan_dist.evaluation.classifiers.nearest import merge, nearest


def test_they_are_those_of_all_distances(monkeypatch: object) -> None:
    random = torch.Generator().manual_seed(0)
    queries, references = torch.randn(30, 20, generator=random), torch.randn(9_000, 20, generator=random)
    places = torch.randperm(9_000, generator=random)
    distances, found = nearest(queries, references, places, 2)
    every = np.sqrt(((queries[:, None].double() - references[None].double()) ** 2).sum(2).numpy() + 2e-8)
    order = np.argsort(every, 1)[:, :2]
    assert np.abs(np.take_along_axis(every, order, 1) - distances.numpy()).max() < 1e-4
    assert (places.numpy()[order] == found.numpy()).all()
    assert len(references) > 2 * module.BLOCK, "more than two blocks"


def test_parts_together_find_the_same() -> None:
    random = torch.Generator().manual_seed(1)
    queries, references, places = (
        torch.randn(9, 5, generator=random),
        torch.randn(60, 5, generator=random),
        torch.arange(60),
    )
    whole = nearest(queries, references, places, 2)
    bounds = [(0, 1), (1, 1), (1, 60)]
    parts = merge([nearest(queries, references[a:b], places[a:b], 2) for a, b in bounds], 2)
    torch.testing.assert_close(parts[0], whole[0])
    assert (parts[1] == whole[1]).all()


def test_where_there_are_too_few_nothing_is_made_up() -> None:
    distances, found = nearest(torch.zeros(2, 3), torch.ones(1, 3), torch.tensor([7]), 2)
    assert found.tolist() == [[7, -1]] * 2
    assert distances[:, 1].isinf().all()
