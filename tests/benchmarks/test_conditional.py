"""Whether samples show their class is told by what judges say of them."""

from pathlib import Path

import numpy as np
import pytest

from benchmarks import conditional
from benchmarks.conditional import DigitJudge, Found, report
from benchmarks.digits import SIZE, digit, digits, write_digits
from dcgan_dist.data.image_decoding import decode
from dcgan_dist.data.shards.index import Index
from dcgan_dist.errors import DataError
from dcgan_dist.settings import DataSettings, NetworkSettings, Settings, to_yaml
from dcgan_dist.storage import Place


def test_digits_are_drawn_from_their_numbers_alone() -> None:
    images, labels = digits([3, 14, 25], seed=2)
    assert (images.shape, images.dtype, labels.tolist()) == ((3, SIZE, SIZE), np.uint8, [3, 4, 5])
    assert (images[1] == digit(4, 2, 14)).all()
    assert (images[0] != digit(3, 2, 13)).any()
    heights = [np.ptp(np.flatnonzero(image.any(1))) + 1 for image in digits(range(40), 3)[0]]
    assert max(heights) <= 20
    assert np.median(heights) >= 18


def test_shards_hold_the_digits_and_their_classes(tmp_path: Path) -> None:
    write_digits(str(tmp_path), 23, 7, seed=4)
    index = Index.load(Place(str(tmp_path)))
    assert sorted(index.label[:23].tolist()) == sorted(number % 10 for number in range(23))
    assert index.classes == tuple("0123456789")
    out = np.empty((SIZE, SIZE, 3), np.uint8)
    shard = Path(index.shards[1]).read_bytes()
    offset, size = int(index.offset[25]), int(index.size[25])
    decode(shard[offset : offset + size], out, fit="resize", max_pixels=1_000)
    matches = [number for number in range(23, 30) if (out[..., 0] == digit(number % 10, 4, number)).all()]
    assert [number % 10 for number in matches] == [index.label[25]]


def test_the_judge_of_digits_tells_real_ones_and_no_other(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(conditional, "LEARNED", 1_500)
    monkeypatch.setattr(conditional, "TESTED", 400)
    judge = DigitJudge()
    assert judge.right() > 0.95
    images, labels = digits(range(100), 0)
    turned = np.rot90(images, 1, (1, 2))[..., None].copy()
    assert (judge.classes(turned) == labels).mean() < 0.6


def test_the_table_has_the_mean_its_interval_and_the_worst_class() -> None:
    found = [
        Found("one", 1_200, 0.998, [1.0, 0.9, 0.986], 0.95),
        Found("two", 7, 0.9, [0.5, 0.4], 0.6),
        Found("three", 7, 0.9, [0.5]),
    ]
    made = report(found, "command")
    rows = made.tables["conditional"].rows
    assert rows[0] == ["one", "1,200", 3, "99.8", "96.2 (95.1 to 97.1)", "90.0 (class 1)"]
    assert rows[1][-1] == "40.0 (class 1)"
    assert [bar.met for bar in made.bars] == [True, False]


def test_a_run_of_other_classes_is_refused(tmp_path: Path) -> None:
    settings = Settings(
        images=64, data=DataSettings(path="mine", label="smile"), networks=NetworkSettings(image_size=28, classes=2)
    )
    (tmp_path / "settings.yaml").write_text(to_yaml(settings))
    with pytest.raises(DataError, match=r"trained on mine with data\.label 'smile': give a run on digits"):
        conditional._judge_of(str(tmp_path), settings.data.path, settings.data.label, 28)
