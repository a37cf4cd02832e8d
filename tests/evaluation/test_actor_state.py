"""Which calls a replaced actor is told again: tables."""

import pytest

from dcgan_dist.evaluation.actor_state import Call, Effect, Stage, effect_of, in_force, makes, reads
from dcgan_dist.evaluation.classifiers.svm import Part
from dcgan_dist.evaluation.service.evaluator import Evaluator

LOAD, ENCODE, STANDARDISE, POSE = Stage.IMAGES, Stage.FEATURES, Stage.SCALED, Stage.SELECTION


def call(name: str, stage: Stage | None, *, adds: bool = False) -> Call:
    return Call(name, (), Effect(stage, adds))


@pytest.mark.parametrize(
    ("calls", "told"),
    [
        ([("load", LOAD), ("encode", ENCODE)], ["load", "encode"]),
        # What is made anew takes the place of what it was, and of all that was made from that.
        ([("load", LOAD), ("encode", ENCODE), ("standardize", STANDARDISE), ("encode", ENCODE)], ["load", "encode"]),
        ([("load", LOAD), ("encode", ENCODE), ("load", LOAD)], ["load"]),
        ([("pose", POSE), ("standardize", STANDARDISE)], ["standardize"]),
        ([("load", LOAD), ("moments", None)], ["load"]),
        # Of the last stage each goes on from the one before, until the stage below is made anew.
        ([("begin", Stage.WEIGHTS), ("slope", "+"), ("aim", "+"), ("move", "+")], ["begin", "slope", "aim", "move"]),
        ([("begin", Stage.WEIGHTS), ("slope", "+"), ("begin", Stage.WEIGHTS)], ["begin"]),
    ],
)
def test_calls_in_force(calls: list[tuple[str, Stage | str | None]], told: list[str]) -> None:
    now: list[Call] = []
    for name, stage in calls:
        adds = stage == "+"
        now = in_force(now, call(name, Stage.ITERATION if adds else stage, adds=adds))  # type: ignore[arg-type]
    assert [one.name for one in now] == told


def test_a_method_that_declares_nothing_is_refused() -> None:
    class More(Evaluator):
        def forgotten(self) -> None: ...

        @reads
        def harmless(self) -> None: ...

        @makes(Stage.SCALED)
        def changing(self) -> None: ...

    with pytest.raises(TypeError, match=r"More\.forgotten declares no effect, so it would not be repeated"):
        effect_of(More.forgotten)
    assert (effect_of(More.harmless), effect_of(More.changing)) == (Effect(None), Effect(Stage.SCALED))


@pytest.mark.parametrize("kind", [Evaluator, Part])
def test_all_that_evaluators_offer_declares_what_it_makes(kind: type) -> None:
    public = {name: method for name, method in vars(kind).items() if not name.startswith("_") and callable(method)}
    assert len(public) > 5
    for name, method in public.items():
        if (kind, name) != (Evaluator, "svm"):  # passes calls of `Part` on
            effect_of(method)
