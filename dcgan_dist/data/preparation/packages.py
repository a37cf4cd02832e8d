"""The packages that decide on the bytes of images: with other versions, equal pictures may become other bytes."""

from collections.abc import Mapping
from importlib.metadata import PackageNotFoundError

from dcgan_dist.data.faces.detectors import opencv_version
from dcgan_dist.errors import ClusterError
from dcgan_dist.versions import versions


def installed(*, faces: bool) -> dict[str, str]:
    """Versions on this machine by package.

    Args:
        faces: whether the one that finds faces is among them.

    Raises:
        ClusterError: one is missing.
        SettingsError: the one that finds faces is.
    """
    try:
        found = versions("numpy", "pillow", "simplejpeg")
    except PackageNotFoundError as error:
        raise ClusterError(f"it lacks {error.name}") from error
    return found | ({"opencv": opencv_version()} if faces else {})


def what_differs(wanted: Mapping[str, str]) -> str:
    """What this machine has in other versions than those that are wanted; "" where it has the same."""
    found = installed(faces="opencv" in wanted)
    told = [f"{name} {found[name]} instead of {version}" for name, version in wanted.items() if found[name] != version]
    return f"has {', '.join(told)}" if told else ""
