"""The rule of health on curves that were recorded: runs that go wrong say so, healthy ones say nothing."""

import json
from pathlib import Path

import pytest

from benchmarks.health import NAMES, SEEDS, Recipe, judge, recipes

FILE = Path(__file__).parents[2] / "benchmarks" / "results" / "health.json"
RECIPES = recipes("")


@pytest.mark.parametrize("recipe", RECIPES, ids=[recipe.name for recipe in RECIPES])
def test_recorded_curves_give_the_reason_of_their_recipe(recipe: Recipe) -> None:
    curves = json.loads(FILE.read_text())["samples"]["curves"]
    assert curves["columns"] == ["images", *NAMES]
    assert sorted(map(int, curves[recipe.name])) == list(recipe.seeds)
    for points in curves[recipe.name].values():
        found = judge(points)
        assert (found[0].reason if found else "") == recipe.reason


def test_three_recipes_fail_and_each_is_there_with_three_seeds() -> None:
    assert sum(bool(recipe.reason) and recipe.seeds == SEEDS for recipe in RECIPES) == 3
