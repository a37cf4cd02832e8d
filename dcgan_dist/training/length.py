"""How long a run has to be: from its preset and the number of images that it is given. Pure."""

import math
from dataclasses import replace

from dcgan_dist.data.scenes.builtin import EMBEDDED
from dcgan_dist.errors import SettingsError
from dcgan_dist.settings import PRESET_IMAGES, PRESETS, OptimizationSettings, Settings

LEAST_UPDATES = 6_250
"""Updates of G that a run on a set of any size gets, unless its preset has fewer; `own64` has as many."""
TOO_FEW_UPDATES = 1_000
"""Updates of G before which samples show little: with `own64` on 600 photographs of faces there were blobs after 300,
blurs with eyes and mouths after 600, and faces after 1,250."""


def generator_updates(optimization: OptimizationSettings, images: int) -> int:
    """Updates of G in a run of so many images: one a step, or, with the published schedule, one in two steps."""
    steps = -(-images // optimization.batch_size)
    return -(-steps // 2) if optimization.schedule == "alternate" else steps


def images_for(optimization: OptimizationSettings, updates: int) -> int:
    """Images of a run with so many updates of G."""
    return updates * optimization.batch_size * (2 if optimization.schedule == "alternate" else 1)


def run_length(preset: str, optimization: OptimizationSettings, data_images: int) -> int:
    """Images of a run of a preset over a data set of any size.

    As many passes as the preset makes over the set that it is meant for, so that a copy of that set gets the preset's
    own length wherever it lies. A smaller set gets more passes: `LEAST_UPDATES` of G, or as many as the preset has.

    Args:
        preset: whose length it is.
        optimization: of the run, which may differ from the preset's.
        data_images: at least 1.
    """
    meant = PRESETS[preset]()
    own = meant.images or 0
    updates = min(LEAST_UPDATES, generator_updates(meant.optimization, own))
    return max(-(-own * data_images // PRESET_IMAGES[preset]), images_for(optimization, updates))


def fit_length(settings: Settings, preset: str, data_images: int) -> tuple[Settings, int]:
    """The settings with the length that follows from the data where nobody gave one, and that length in images.

    Args:
        settings: of a run.
        preset: whose length fits itself to the data; empty: the length is given. The rooms that are drawn on the spot
            are what their preset is meant for.
        data_images: at least 1.
    """
    if preset and settings.data.path != EMBEDDED:
        fitting = run_length(preset, settings.optimization, data_images)
        settings = replace(settings, images=fitting, epochs=None)
    return settings, settings.images or math.ceil((settings.epochs or 0) * data_images)


def require_own_length(length_of: str) -> None:
    """Refuse to train on labels for the length of a preset, which is that of a DCGAN; raises `SettingsError`."""
    if length_of:
        raise SettingsError(
            f"the length of preset {length_of} is that of a DCGAN: give --epochs, passes over the labels, or --images"
        )


def passes(images: int, data_images: int) -> str:
    """How many passes over the data so many images are: `1 pass`, `2.5 passes`."""
    number = f"{images / data_images:,.3g}"
    return f"{number} {'pass' if number == '1' else 'passes'}"


def describe_length(optimization: OptimizationSettings, images: int, data_images: int) -> str:
    """One line about how long a run is."""
    return (
        f"length: {images:,} images, {passes(images, data_images)} over {data_images:,}, "
        f"{generator_updates(optimization, images):,} updates of G"
    )
