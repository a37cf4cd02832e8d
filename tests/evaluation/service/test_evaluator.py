"""What one evaluator holds: its part of the images, their features, a classifier's part."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest
import torch

from dcgan_dist.errors import DataError
from dcgan_dist.evaluation.encoders.pixels import PixelFeatures
from dcgan_dist.evaluation.service.evaluator import CHECKSUMS, Evaluator, ThisProcess
from dcgan_dist.evaluation.task import ArrayPictures, Labeled, Task


def test_parts_hold_each_image_once_and_batches_of_statistics_stay_whole(bands: Task) -> None:
    parts = [bands.train.part(number, 3) for number in range(3)]
    assert sorted(np.concatenate(parts)) == list(range(900))
    assert [len(part) for part in parts] == [128 * 2 + 128, 128 * 2 + 4, 128 * 2]
    batches = [set((part // 128).tolist()) for part in parts]
    assert not batches[0] & batches[1] | batches[1] & batches[2] | batches[0] & batches[2]


def test_the_checksum_depends_on_pixels_and_labels_and_not_on_parts(bands: Task, here: Callable[..., Any]) -> None:
    def checksum(task: Task, parts: int) -> int:
        return sum(one for (one,) in here(parts).each("load", [task])) % CHECKSUMS

    assert checksum(bands, 1) == checksum(bands, 3)
    pictures = bands.train.pictures
    assert isinstance(pictures, ArrayPictures)
    for changed in ("pixel", "label"):
        images, labels = pictures.images.copy(), bands.train.labels.copy()
        if changed == "pixel":
            images[0, 0, 0, 0] ^= 1
        else:
            labels[0] = (labels[0] + 1) % 3
        train = Labeled(ArrayPictures(images, "bands"), bands.train.samples, labels)
        other = Task("bands", "drawn", train, bands.test, 3, 200, 0)
        assert checksum(other, 1) != checksum(bands, 1), changed


@dataclass(frozen=True, eq=False)
class OneBad(ArrayPictures):
    def read(self, samples: Any, out: Any, rows: Any) -> Any:
        return super().read(samples, out, rows) | (samples == 7)


def test_an_image_that_cannot_be_decoded_is_named_and_not_left_out(bands: Task) -> None:
    pictures = bands.train.pictures
    assert isinstance(pictures, ArrayPictures)
    bad = Labeled(OneBad(pictures.images, "bands"), np.arange(10), bands.train.labels[:10])
    with pytest.raises(DataError, match=r"1 of 10 images of a probe cannot be decoded, for example image 7 of bands"):
        bad.read(np.arange(10))


def test_a_confusion_matrix_has_a_row_for_each_true_class(bands: Task, here: Callable[..., Any]) -> None:
    evaluators = here(2)
    evaluators.each("load", [bands])
    assert evaluators.each("encode", "bands", PixelFeatures(), torch.float32)[0][0] == 768
    always_one = torch.zeros(3, 769)
    always_one[1, -1] = 1
    for places, labels in ((None, bands.test.labels), (np.array([3, 200, 899]), bands.train.labels[[3, 200, 899]])):
        counts = sum(evaluators.each("confusion", always_one, places))
        assert counts.sum(1).tolist() == np.bincount(labels, minlength=3).tolist()
        assert counts[:, 1].sum() == counts.sum()


def test_features_kept_in_half_precision_take_half_the_memory(bands: Task, here: Callable[..., Any]) -> None:
    evaluators = here(1)
    evaluators.each("load", [bands])
    ((_, full),) = evaluators.each("encode", "bands", PixelFeatures(), torch.float32)
    ((_, half),) = evaluators.each("encode", "bands", PixelFeatures(), torch.float16)
    assert full == 2 * half == 1_300 * 768 * 4


def test_one_evaluator_in_this_process_is_a_pool_of_one(bands: Task, here: Callable[..., Any]) -> None:
    threads = torch.get_num_threads()
    one, wanted = ThisProcess(Evaluator), here(1)
    assert torch.get_num_threads() == threads
    for evaluators in (one, wanted):
        evaluators.each("load", [bands])
        evaluators.each("encode", "bands", PixelFeatures(), torch.float32)
        evaluators.each("pose", np.arange(30, 500, 7))
    (found,), (other,) = one.each("moments"), wanted.each("moments")
    assert found[0] == other[0] == len(bands.train)
    assert torch.equal(found[1], other[1])
    assert torch.equal(found[2], other[2])
