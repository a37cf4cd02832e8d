import pytest

from dcgan_dist.data.checking.oddities import APART, HIDDEN, UNSORTED, oddities
from dcgan_dist.data.shards.passed_over import Passed


@pytest.mark.parametrize(
    ("names", "found"),
    [
        ([], ()),
        (["a.jpg", "a.cls", "b.jpg", "b.cls"], ()),
        (["a.jpg", "a.seg.png", "b.jpg"], ()),
        (["b.jpg", "b.cls", "a.jpg", "a.cls", "c.jpg"], ((UNSORTED, 1, "a.jpg"),)),
        (["c.jpg", "b.jpg", "a.jpg"], ((UNSORTED, 2, "b.jpg"),)),
        (["a.jpg", "b.jpg", "a.cls", "b.cls"], ((APART, 2, "a.cls"),)),
        (["a.jpg", "b.jpg", "a.cls", "b.cls", "a.json", "b.json"], ((APART, 2, "a.cls"),)),
        (["x/a.jpg", "y/a.jpg"], ()),
        (["10.jpg", "9.jpg", "11.jpg"], ((UNSORTED, 1, "11.jpg"),)),
        (["a.jpg", "._a.jpg", "a.cls", "x/.DS_Store"], ((HIDDEN, 2, "._a.jpg"),)),
        (["__MACOSX/a.jpg", "__meta__/a.json"], ((HIDDEN, 2, "__MACOSX/a.jpg"),)),
        (["a.jpg", "README", "a.cls"], ()),
        (["b.jpg", ".x", "a.jpg", "b.cls"], ((HIDDEN, 1, ".x"), (UNSORTED, 1, "a.jpg"), (APART, 1, "b.cls"))),
    ],
)
def test_what_is_odd_about_names_is_counted(names: list[str], found: Passed) -> None:
    assert oddities(names) == found
