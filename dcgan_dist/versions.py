"""Which code a result was made with."""

from importlib.metadata import version

from dcgan_dist import __version__


def versions(*packages: str) -> dict[str, str]:
    """Ours, and those of installed packages; ours is not installed where it came with a job."""
    return {"dcgan-dist": __version__} | {package: version(package) for package in packages}
