"""Do networks and a loss of a user's own do what they are asked (docs/extending.md)? Tried on a few images, on the CPU.

Some of what is asked would show after minutes, on a cluster: a parameter that gets no gradient ends a run of several
workers only. Some would not show at all: weights that are drawn anew for every worker.
"""

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import TypeVar

import torch
from torch import Tensor, nn

from dcgan_dist.errors import DcganDistError, SettingsError
from dcgan_dist.evaluation.encoders.discriminator import require_maps
from dcgan_dist.evaluation.fidelity.features import OWN
from dcgan_dist.evaluation.tasks.fidelity import NAME as FIDELITY
from dcgan_dist.extensions import Code, place_of
from dcgan_dist.model.adversarial_step import AdversarialStep
from dcgan_dist.model.dcgan import build_networks
from dcgan_dist.model.original_gan import dropout_masks
from dcgan_dist.model.precision import of_networks, resolve_precision
from dcgan_dist.model.randomness import latents, stream
from dcgan_dist.settings import LOSSES, NetworkSettings, Settings

IMAGES = 4
MAPS = 4
"""Base maps of our own networks where only a loss is tried."""
CPU = torch.device("cpu")
T = TypeVar("T")


def require_contract(settings: Settings, code: Code) -> None:
    """Try what the settings name.

    Raises:
        SettingsError: naming the setting, and what is wrong.
    """
    if not code:
        return
    networks, optimization = settings.networks, of_networks(settings)
    if not networks.factory:
        networks = replace(networks, generator_maps=MAPS, discriminator_maps=MAPS)
    optimization = replace(optimization, batch_size=IMAGES, schedule="both")
    loss = f"optimization.loss is {optimization.loss}"
    factory = f"networks.factory is {networks.factory}" if networks.factory else loss
    weights = resolve_precision(optimization.precision, CPU).weights

    def build() -> tuple[nn.Module, nn.Module]:
        return build_networks(networks, settings.seed, CPU, weights, optimization.channels_last, code)

    generator, discriminator = _call(factory, build)
    _require_weights(factory, (generator, discriminator), _call(factory, build))
    z = latents(networks, IMAGES, settings.seed, "contract").to(weights)
    known = {"labels": torch.arange(IMAGES) % networks.classes} if networks.classes else {}
    _require_shapes(factory, networks, generator, discriminator, z, known)
    if networks.factory and _uses_maps(settings):
        _require_maps(factory, networks, discriminator)
    step = _call(loss, lambda: AdversarialStep(generator, discriminator, optimization, 1, code))
    size, channels = networks.image_size, networks.channels
    real = torch.from_numpy(stream(settings.seed, "contract images").integers(0, 256, (IMAGES, channels, size, size)))
    kept = dropout_masks(networks, IMAGES, settings.seed, 0)
    metrics = _call(
        factory if optimization.loss in LOSSES else loss,
        lambda: step(real.to(torch.uint8), z, 0, known.get("labels"), kept),
    )
    for name, value in metrics.items():
        _require(
            bool(value.isfinite()), loss if "loss" in name else factory, f"{name} is {value.item()} in a first step"
        )
    for what, network in (("generator", generator), ("discriminator", discriminator)):
        for name, parameter in network.named_parameters():
            _require(
                not parameter.requires_grad or parameter.grad is not None,
                factory,
                f"{name} of its {what} gets no gradient: use it in forward, or set its requires_grad to False",
            )


def _uses_maps(settings: Settings) -> bool:
    """Whether the probe makes features of the run's own discriminator."""
    tasks = [task.partition("=")[0].strip() for task in settings.probe.tasks.split(",") if task]
    return any(task != FIDELITY for task in tasks) or (bool(tasks) and settings.probe.fidelity_features == OWN)


def _require_weights(source: str, networks: tuple[nn.Module, nn.Module], again: tuple[nn.Module, nn.Module]) -> None:
    for what, network, other in zip(("generator", "discriminator"), networks, again, strict=True):
        others = other.state_dict()
        for name, value in network.state_dict().items():
            _require(
                isinstance(value, Tensor),
                source,
                f"{name} in the state_dict of its {what} is no tensor, so no checkpoint can hold it",
            )
            _require(
                not value.is_floating_point() or bool(value.isfinite().all()),
                source,
                f"{name} of its {what} is not finite: give it initial weights",
            )
            _require(
                name in others and torch.equal(value, others[name]),
                source,
                f"{name} of its {what} is another one at each call: draw weights by PyTorch's random numbers",
            )


def _require_shapes(
    source: str,
    networks: NetworkSettings,
    generator: nn.Module,
    discriminator: nn.Module,
    z: Tensor,
    known: Mapping[str, Tensor],
) -> None:
    shape = [IMAGES, networks.channels, networks.image_size, networks.image_size]
    with torch.no_grad():
        images = _call(source, lambda: generator(z, **known))
        _require_tensor(source, f"its generator makes of z {list(z.shape)}", images, shape, z.dtype)
        largest = images.abs().max().item()
        _require(
            largest <= 1 + 1e-3 or (networks.output == "linear" and not networks.factory),
            source,
            f"its generator draws values up to {largest:.3g}, needed are -1 to 1, as of tanh",
        )
        both = torch.cat([images, images])
        twice = {name: one.repeat(2) for name, one in known.items()}
        logits = _call(source, lambda: discriminator(both, groups=2, **twice))
        _require_tensor(source, f"its discriminator makes of images {list(both.shape)}", logits, [len(both)], z.dtype)


def _require_maps(source: str, networks: NetworkSettings, discriminator: nn.Module) -> None:
    require_maps(discriminator, networks.factory)
    shape = (IMAGES, networks.channels, networks.image_size, networks.image_size)
    images = next(discriminator.parameters()).new_zeros(shape)
    with torch.no_grad():
        maps = _call(source, lambda: discriminator.maps(images))  # type: ignore[operator]
    _require(
        isinstance(maps, list) and len(maps) > 0 and all(isinstance(one, Tensor) and one.dim() == 4 for one in maps),
        source,
        "maps of its discriminator returns something else than a list of maps [n, C, H, W]",
    )


def _require_tensor(source: str, what: str, value: object, shape: list[int], dtype: torch.dtype) -> None:
    if not isinstance(value, Tensor):
        raise SettingsError(f"{source}, but {what} a {type(value).__name__} where a tensor {shape} is needed")
    _require(
        list(value.shape) == shape and value.dtype == dtype,
        source,
        f"{what} {str(value.dtype).removeprefix('torch.')} {list(value.shape)}, needed is "
        f"{str(dtype).removeprefix('torch.')} {shape}",
    )
    _require(bool(value.isfinite().all()), source, f"{what} numbers that are not finite")


def _require(condition: bool, source: str, sentence: str) -> None:
    if not condition:
        raise SettingsError(f"{source}, but {sentence}")


def _call(source: str, act: Callable[[], T]) -> T:
    """Do it; what a user's code raises is told in a sentence."""
    try:
        return act()
    except DcganDistError:
        raise
    except Exception as error:
        text = " ".join(str(error).split())
        raise SettingsError(f"{source}, which fails{place_of(error)}: {type(error).__name__}: {text}") from error
