"""What names of ImageNet's files say."""

import pytest

from dcgan_dist.data.readers.imagenet_names import NO_CLASS, Name, class_of_tar, parse_name, wnid_text


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("n01440764_10026.JPEG", Name("train", "n01440764/n01440764_10026.JPEG", 1440764, 0)),
        ("n01440764_10026_n01440764.JPEG", Name("train", "n01440764/n01440764_10026.JPEG", 1440764, 0)),
        ("n01440764_10026_n02084071.JPEG", Name("train", "n02084071/n01440764_10026.JPEG", 2084071, 0)),
        ("./n01440764/n01440764_7.JPEG", Name("train", "n01440764/n01440764_7.JPEG", 1440764, 0)),
        ("../../etc/n01440764_7.JPEG", Name("train", "n01440764/n01440764_7.JPEG", 1440764, 0)),
        ("/n01440764_7.jpg", Name("train", "n01440764/n01440764_7.jpg", 1440764, 0)),
        ("n12345678_7.png", Name("train", "n12345678/n12345678_7.png", 12345678, 0)),
        ("ILSVRC2012_val_00000293.JPEG", Name("val", "ILSVRC2012_val_00000293.JPEG", NO_CLASS, 293)),
        ("val/ILSVRC2012_val_00050000.JPEG", Name("val", "ILSVRC2012_val_00050000.JPEG", NO_CLASS, 50_000)),
        ("ILSVRC2012_val_00000293_n01440764.JPEG", Name("val", "ILSVRC2012_val_00000293.JPEG", 1440764, 293)),
        ("test/ILSVRC2012_test_00000001.JPEG", Name("test", "ILSVRC2012_test_00000001.JPEG", NO_CLASS, 1)),
        ("", None),
        ("README", None),
        ("n01440764.tar", None),
        ("n01440764_10026.cls", None),
        ("n01440764_10026.JPEG/", None),
        ("n01440764_10026.JPEG.txt", None),
        ("n01440764_10026.JPEG\n", None),
        (".n01440764_10026.JPEG", None),
        ("._n01440764_10026.JPEG", None),
        ("n0144076_1.JPEG", None),
        ("n014407640_1.JPEG", None),
        ("n01440764_.JPEG", None),
        ("n01440764_1_n0144076.JPEG", None),
        ("n٠١٤٤٠٧٦٤_1.JPEG", None),
        ("n01440764_1_n01440764_n01440764.JPEG", None),
        ("ILSVRC2012_val_293.JPEG", None),
        ("ILSVRC2012_train_00000293.JPEG", None),
        ("n01440764_1\udcff.JPEG", None),
    ],
)
def test_names_of_pictures(name: str, expected: Name | None) -> None:
    assert parse_name(name) == expected


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("n01440764.tar", 1440764),
        ("./n01440764.tar", 1440764),
        ("a/b/n12345678.tar", 12345678),
        ("n01440764.tar.gz", NO_CLASS),
        ("n01440764", NO_CLASS),
        ("n1440764.tar", NO_CLASS),
        ("xn01440764.tar", NO_CLASS),
        ("n01440764.JPEG", NO_CLASS),
        ("", NO_CLASS),
    ],
)
def test_names_of_tars_of_classes(name: str, expected: int) -> None:
    assert class_of_tar(name) == expected


def test_classes_are_sorted_alike_as_numbers_and_as_text() -> None:
    numbers = [0, 7, 1440764, 9999999, 10000000, 99999999]
    texts = [wnid_text(number) for number in numbers]
    assert texts == sorted(texts) == ["n00000000", "n00000007", "n01440764", "n09999999", "n10000000", "n99999999"]
