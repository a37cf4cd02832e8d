"""Packages of the extra `sweep` that figures need. Without Ray, whose environment is set before it is imported."""

from dcgan_dist.errors import SettingsError


def require_matplotlib() -> None:
    """Raise `SettingsError` if Matplotlib is not installed."""
    try:
        import matplotlib  # noqa: F401
    except ImportError as error:
        raise SettingsError(
            "the figures of a sweep need a package that is not installed: pip install 'dcgan-dist[sweep]'"
        ) from error
