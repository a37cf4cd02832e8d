"""What may be asked of the face detector."""

import pytest

from dcgan_dist.data.faces.options import FaceOptions
from dcgan_dist.errors import SettingsError


@pytest.mark.parametrize(
    ("options", "size", "least"),
    [
        (FaceOptions(), 64, 43),
        (FaceOptions(), 32, 22),
        (FaceOptions(margin=0.0), 64, 64),
        (FaceOptions(margin=0.5), 64, 32),
        (FaceOptions(least=90), 64, 90),
        (FaceOptions(least=5), 64, 5),
    ],
)
def test_the_least_side_is_such_that_no_crop_is_scaled_up(options: FaceOptions, size: int, least: int) -> None:
    assert options.least_side(size) == least


@pytest.mark.parametrize("margin", [0.0, 0.1, 0.25, 0.37, 1.0, 2.0])
@pytest.mark.parametrize("size", [8, 64, 256])
def test_the_crop_of_the_least_box_has_the_size(size: int, margin: float) -> None:
    least = FaceOptions(margin=margin).least_side(size)
    assert round(least * (1 + 2 * margin)) >= size > (least - 1) * (1 + 2 * margin)


@pytest.mark.parametrize(
    ("name", "value", "told"),
    [
        ("scale", 1.0, "faces.scale is 1.0 but needs to be from 1.01 to 2"),
        ("neighbors", 0, "faces.neighbors is 0 but needs at least 1"),
        ("margin", -0.1, "faces.margin is -0.1 but needs to be from 0 to 2"),
        ("confidence", float("nan"), "faces.confidence is nan but needs to be a finite number"),
        ("least", -1, "faces.least is -1 but needs at least 0"),
    ],
)
def test_what_is_out_of_bounds_is_refused(name: str, value: float, told: str) -> None:
    with pytest.raises(SettingsError) as caught:
        FaceOptions(**{name: value})  # type: ignore[arg-type]
    assert str(caught.value) == told
