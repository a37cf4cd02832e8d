"""What a run should be warned of before it starts: lengths and values that are possible, but lead nowhere. Pure."""

from dcgan_dist.settings import Settings
from dcgan_dist.training.length import TOO_FEW_UPDATES, generator_updates, images_for

HIGH_RATE, LOW_RATE = 2e-3, 1e-6
"""Learning rates of Adam beyond which G and D of this kind learn nothing; 0.001 is too high for the paper's (section
4)."""
HIGH_BETA1 = 0.9
"""Of Adam; 0.9 already made training oscillate (paper, section 4)."""
SMALL_BATCH = 8
"""Images of a step whose batch statistics say little."""
FEW_PICTURES = 200
"""Of a data set that D soon knows by heart."""
AVERAGE_SHARE = 0.25
"""Part of the run that the half-life of an average may take: half of it, or more, is then of its beginning."""
MANY_SAMPLES = 1_024
"""Of a grid."""
WINDOW_SHARE = 0.25
"""Part of the object store that the pictures of a chunk may take."""


def warnings(
    settings: Settings, data_images: int, images: int, image_size: int | None = None, store_bytes: float | None = None
) -> list[str]:
    """A sentence for each thing that is possible, but hardly meant, with what to give.

    Args:
        settings: of the run.
        data_images: of its data set, at least 1.
        images: its length.
        image_size: height and width of the pictures in the shards, where it is known.
        store_bytes: object store of the smallest node, where it is known.
    """
    data, networks, optimization = settings.data, settings.networks, settings.optimization
    batch, size = optimization.batch_size, networks.image_size
    updates = generator_updates(optimization, images)
    found = []
    if images < batch:
        found.append(
            f"the run of {images:,} images is shorter than one step of {batch:,}, so it takes a single step; "
            f"give --images {images_for(optimization, TOO_FEW_UPDATES):,} or more"
        )
    elif updates < TOO_FEW_UPDATES:
        found.append(
            f"the run is too short to learn: it has {updates:,} updates of G, and samples are noise or blobs until "
            f"about {TOO_FEW_UPDATES:,}; give --images {images_for(optimization, TOO_FEW_UPDATES)} or more"
        )
    if batch > data_images:
        found.append(
            f"optimization.batch_size is {batch:,} but the data set has {data_images:,} images, which each step shows "
            f"more than once: give --batch-size {max(2, data_images // 4)} or less, or more images"
        )
    elif data_images < FEW_PICTURES:
        found.append(
            f"the data set has only {data_images:,} images: D soon memorizes them, and samples repeat them; "
            "give a few thousand"
        )
    if batch < SMALL_BATCH and networks.batchnorm != "nowhere":
        found.append(
            f"optimization.batch_size is {batch}: batch normalization takes its statistics over the images of a step, "
            "which are too few; give --batch-size 32 or more"
        )
    is_adam = optimization.optimizer == "adam"
    if is_adam and optimization.lr > HIGH_RATE:
        found.append(
            f"optimization.lr is {optimization.lr:g}, and above {HIGH_RATE:g} nothing is learned (paper: 0.001 is too "
            "high already): give --lr 2e-4"
        )
    if is_adam and optimization.lr < LOW_RATE:
        found.append(f"optimization.lr is {optimization.lr:g}, at which the weights hardly change: give --lr 2e-4")
    if optimization.beta1 > HIGH_BETA1:
        found.append(
            f"optimization.beta1 is {optimization.beta1:g}, at which training oscillates (paper: it does at "
            "0.9): give --beta1 0.5"
        )
    for network, setting in (("G", "average_images"), ("D", "average_discriminator_images")):
        half_life = getattr(optimization, setting)
        if updates >= TOO_FEW_UPDATES and half_life > AVERAGE_SHARE * images:
            found.append(
                f"optimization.{setting} is {half_life:,} in a run of {images:,}: the averaged {network} stays "
                f"near its beginning; give --optimization.{setting.replace('_', '-')} {max(batch, images // 20)}, or 0"
            )
    if image_size is not None and image_size < size:
        found.append(
            f"the shards hold pictures of {image_size} pixels, which are enlarged to networks.image_size {size}: give "
            f"--networks.image-size {image_size}, or prepare them again with --size {size}"
        )
    if data.window < batch:
        found.append(
            f"data.window is {data.window:,}, less than a batch of {batch:,}: pictures that lie together in a shard "
            "are shown together; give --data.window 4096"
        )
    chunk_bytes = min(data.window, data_images) * size * size * 3
    if store_bytes is not None and chunk_bytes > WINDOW_SHARE * store_bytes:
        found.append(
            f"data.window is {data.window:,}, and a chunk of it takes {chunk_bytes / 2**30:.1f} GiB of an object store "
            f"of {store_bytes / 2**30:.1f} GiB: give --data.window 4096"
        )
    if settings.monitoring.samples > MANY_SAMPLES:
        found.append(
            f"monitoring.samples is {settings.monitoring.samples:,}, too many to be looked at, and training waits "
            "while they are drawn: give --monitoring.samples 64, and draw more by the sample command"
        )
    workers = settings.workers
    if workers.number == 1 and (workers.gradients != "fp32" or workers.exchange_steps > 1):
        name = "gradients" if workers.gradients != "fp32" else "exchange_steps"
        found.append(
            f"workers.{name} is {getattr(workers, name)} but a single worker sends nothing: give --workers 2 or more, "
            "or leave it out"
        )
    if 0 < settings.checkpoints.images < 10 * batch:
        found.append(
            f"checkpoints.images is {settings.checkpoints.images:,}, less than ten steps: training waits for the "
            "storage; give --checkpoints.images 0"
        )
    return found
