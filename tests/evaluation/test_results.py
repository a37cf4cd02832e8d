"""Results as JSON."""

import json

import numpy as np
import pytest

from dcgan_dist.errors import DataError
from dcgan_dist.evaluation.results import accuracy_by_class, encode
from dcgan_dist.model.generate import About
from dcgan_dist.settings import NetworkSettings
from dcgan_dist.studies.memorisation import MemorisationResult, record


def test_a_class_without_images_has_no_accuracy() -> None:
    counts = np.array([[3, 1, 0], [0, 0, 0], [0, 3, 2]])
    assert accuracy_by_class(counts) == [0.75, None, 0.4]
    assert json.loads(encode({"by_class": accuracy_by_class(counts)}, "it")) == {"by_class": [0.75, None, 0.4]}


@pytest.mark.parametrize("value", [float("nan"), float("inf"), [{"low": -float("inf")}]])
def test_what_json_lacks_is_refused_in_a_sentence(value: object) -> None:
    with pytest.raises(DataError, match="the result of pixels on task mine holds a number that is not finite"):
        encode({"accuracy": value}, "pixels on task mine")
    found = MemorisationResult({"by": {"pixels": {"median_distance": value}}}, np.zeros((8, 8, 3), np.uint8))
    with pytest.raises(DataError, match="memorised on run first"):
        record(found, About("first", "000000064", 64, "raw", NetworkSettings(), 8, "fixed"), {"seed": 3})
