"""How fast a worker is: some steps on images of noise, measured before a run. Plain PyTorch."""

import time
from dataclasses import dataclass

import torch

from dcgan_dist.cluster.environment import local_cores
from dcgan_dist.extensions import NO_CODE, Code
from dcgan_dist.model.adversarial_step import AdversarialStep
from dcgan_dist.model.dcgan import build_networks
from dcgan_dist.model.original_gan import dropout_masks
from dcgan_dist.model.precision import of_networks, resolve_precision
from dcgan_dist.model.randomness import latents, stream
from dcgan_dist.settings import Settings

MEASURE_S = 3.0
CPU_IMAGES = 16
"""Most images of a measured step on processors, where wide networks take seconds for a whole batch."""
WARM_UP = 2


@dataclass(frozen=True)
class Speed:
    """Speed of one worker on its own.

    Attributes:
        images_per_second: of its steps alone: without data, the wait for other workers, samples and checkpoints.
        step_images: images of the steps that were measured.
        device: where, for people.
        cores: of the machine that this process may use.
    """

    images_per_second: float
    step_images: int
    device: str
    cores: int


def measure_speed(settings: Settings, workers: int, beside: int, code: Code = NO_CODE) -> Speed:
    """Measure the steps of one worker for some seconds, in the process that calls, and on its GPU where it has one.

    Args:
        settings: of the run.
        workers: that share a batch: as many as found room, which may be fewer than the settings wish.
        beside: workers on a machine, itself included: it takes its part of the cores.
        code: networks and loss of the user's own.
    """
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    cores = local_cores()
    torch.set_num_threads(settings.workers.threads or max(1, cores // beside))
    images = max(2, settings.optimization.batch_size // workers)
    if device.type == "cpu":
        images = min(images, CPU_IMAGES)
    size, channels = settings.networks.image_size, settings.networks.channels
    layout, classes = settings.optimization.channels_last, settings.networks.classes
    optimization = of_networks(settings)
    weights = resolve_precision(optimization.precision, device).weights
    networks = build_networks(settings.networks, settings.seed, device, weights, layout, code)
    step = AdversarialStep(*networks, optimization, 1 << 30, code)
    pixels = stream(0, "speed").integers(0, 256, (images, channels, size, size), "uint8")
    real, z = torch.from_numpy(pixels).to(device), latents(settings.networks, images, 0, "speed").to(device)
    labels = torch.arange(images, device=device) % classes if classes else None
    kept = dropout_masks(settings.networks, images, 0, 0)
    done, began = 0, 0.0
    # In pairs: the published schedule updates G and D in turn.
    while done < WARM_UP + 2 or time.perf_counter() - began < MEASURE_S:
        if done == WARM_UP:
            _wait(device)
            began = time.perf_counter()
        for number in (done, done + 1):
            step(real, z, number, labels, kept)
        done += 2
        _wait(device)
    elapsed = time.perf_counter() - began
    name = torch.cuda.get_device_name(device) if device.type == "cuda" else "CPU"
    return Speed((done - WARM_UP) * images / elapsed, images, name, cores)


def _wait(device: torch.device) -> None:
    if device.type == "cuda":
        torch.cuda.synchronize(device)
