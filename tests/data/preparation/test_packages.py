"""Whether another machine would make the same bytes."""

from importlib.metadata import PackageNotFoundError, version

import pytest

from dcgan_dist import __version__
from dcgan_dist.data.preparation import packages
from dcgan_dist.data.preparation.packages import installed, what_differs
from dcgan_dist.errors import ClusterError, SettingsError

HERE = {"dcgan-dist": __version__, "numpy": "2.1", "pillow": "12.0", "simplejpeg": "1.8"}


def test_what_is_installed_is_what_decides_on_the_bytes() -> None:
    plain = installed(faces=False)
    assert plain == {"dcgan-dist": __version__} | {name: version(name) for name in ("numpy", "pillow", "simplejpeg")}
    assert installed(faces=True).keys() == {*plain, "opencv"}


@pytest.mark.parametrize(
    ("there", "told"),
    [
        ({}, ""),
        ({"pillow": "11.3"}, "has pillow 11.3 instead of 12.0"),
        ({"numpy": "2.0", "simplejpeg": "1.7"}, "has numpy 2.0 instead of 2.1, simplejpeg 1.7 instead of 1.8"),
        ({"dcgan-dist": "0.1"}, f"has dcgan-dist 0.1 instead of {__version__}"),
        ({"opencv": "4.10"}, "has opencv 4.10 instead of 4.14"),
    ],
)
def test_other_versions_are_told(there: dict[str, str], told: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(packages, "versions", lambda *names: HERE | there)
    monkeypatch.setattr(packages, "opencv_version", lambda: there.get("opencv", "4.14"))
    assert what_differs(HERE | ({"opencv": "4.14"} if "opencv" in there else {})) == told


def test_a_machine_without_opencv_lacks_it_only_where_faces_are_found(monkeypatch: pytest.MonkeyPatch) -> None:
    def missing() -> str:
        raise SettingsError("needs OpenCV")

    monkeypatch.setattr(packages, "versions", lambda *names: HERE)
    monkeypatch.setattr(packages, "opencv_version", missing)
    assert what_differs(HERE) == ""
    with pytest.raises(SettingsError, match="needs OpenCV"):
        what_differs(HERE | {"opencv": "4.14"})


def test_a_package_that_is_missing_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    def missing(*names: str) -> dict[str, str]:
        raise PackageNotFoundError("simplejpeg")

    monkeypatch.setattr(packages, "versions", missing)
    with pytest.raises(ClusterError, match="it lacks simplejpeg"):
        what_differs(HERE)
