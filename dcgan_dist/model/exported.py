"""Exported generators: a file that plain PyTorch reads (docs/api.md), with fixed statistics of batch normalization.

`.safetensors` holds the weights of stock layers, under the names that `torch.nn.Sequential` gives them, and in its
metadata how these are made: `layers`, a JSON list of [name in torch.nn, arguments]. `.pt2` is a program of
`torch.export`, for any number of z at a time.
"""

import io
import json
import re
from dataclasses import asdict
from typing import Any

import safetensors.torch
import torch
from safetensors import SafetensorError
from torch import nn

from dcgan_dist.errors import CheckpointError, SettingsError
from dcgan_dist.model.generate import About, FrozenGenerator
from dcgan_dist.settings import NetworkSettings
from dcgan_dist.storage import Place

FORMAT = "dcgan-dist generator 1"
SUFFIXES = (".safetensors", ".pt2")
_ARGUMENTS: dict[type[nn.Module], tuple[str, ...]] = {
    nn.Linear: ("in_features", "out_features"),
    nn.Conv2d: ("in_channels", "out_channels", "kernel_size", "padding"),
    nn.Upsample: ("scale_factor", "mode"),
    nn.ConvTranspose2d: ("in_channels", "out_channels", "kernel_size", "stride", "padding", "output_padding"),
    nn.BatchNorm1d: ("num_features", "eps", "affine"),
    nn.BatchNorm2d: ("num_features", "eps", "affine"),
    nn.Flatten: ("start_dim", "end_dim"),
    nn.Unflatten: ("dim", "unflattened_size"),
    nn.MaxPool1d: ("kernel_size",),
    nn.MaxPool3d: ("kernel_size",),
    nn.ReLU: (),
    nn.LeakyReLU: ("negative_slope",),
    nn.Sigmoid: (),
    nn.Tanh: (),
    nn.Hardtanh: (),
}
"""Layers of an exported file, and what each is made from."""
_LAYERS = {kind.__name__: kind for kind in _ARGUMENTS}
_NAME = re.compile(r"[^/\\\0]{1,200}")
"""Of a run and of a checkpoint: results are files of these names, and are not to lead out of their folder."""


def to_safetensors(generator: FrozenGenerator) -> bytes:
    """The file; raises `CheckpointError` for networks of a user's own, which PyTorch alone cannot make anew."""
    network = generator.network
    if generator.about.networks.classes:
        raise CheckpointError(
            f"the generator of {generator.about.run} knows classes, which a .safetensors file of plain layers has no "
            "place for: export it as .pt2, whose program takes z and class numbers"
        )
    if not isinstance(network, nn.Sequential):
        raise CheckpointError(
            f"the generator of {generator.about.run} is none of dcgan-dist's, so a .safetensors file could not say "
            "how it is made: export it as .pt2"
        )
    layers = [[type(layer).__name__, _arguments(layer)] for layer in network]
    tensors = {name: tensor.cpu().contiguous() for name, tensor in network.state_dict().items()}
    return safetensors.torch.save(tensors, {**_metadata(generator.about), "layers": json.dumps(layers)})


def to_pt2(generator: FrozenGenerator) -> bytes:
    """The file; its program takes z, and class numbers int64 `[n]` where the networks know classes."""
    file = io.BytesIO()
    given = [generator.latents(2).cpu()]
    if generator.about.networks.classes:
        given.append(torch.tensor([0, 1]) % generator.about.networks.classes)
    number = torch.export.Dim("n", min=1)
    program = torch.export.export(generator.network.cpu(), tuple(given), dynamic_shapes=({0: number},) * len(given))
    torch.export.save(program, file, extra_files=_metadata(generator.about))
    return file.getvalue()


def load_safetensors(file: Place) -> FrozenGenerator:
    """What `to_safetensors` wrote, on the CPU; raises `CheckpointError` where it is none, or damaged."""
    data = file.read_bytes()
    try:
        tensors = safetensors.torch.load(data)
        metadata = json.loads(data[8 : 8 + int.from_bytes(data[:8], "little")]).get("__metadata__", {})
        if metadata.get("format") != FORMAT:
            raise CheckpointError(
                f"{file} is not a generator that `sample --export` of this version wrote: its format is "
                f"{metadata.get('format')!r} but needs to be {FORMAT!r}"
            )
        # Made without memory first: what the metadata says is believed once the tensors fit it.
        with torch.device("meta"):
            network = nn.Sequential(*(_layer(*layer) for layer in json.loads(metadata["layers"])))
        network.load_state_dict(tensors, assign=True)
        about = {name: json.loads(metadata[name]) for name in ("images", "networks", "batch_size")}
        networks = NetworkSettings(**about.pop("networks"))
        names = {name: metadata[name] for name in ("run", "checkpoint", "kind", "statistics")}
        if wrong := [name for name in ("run", "checkpoint") if not _NAME.fullmatch(names[name])]:
            raise ValueError(f"{wrong[0]} is {names[wrong[0]][:40]!r}, which is no name of a file")
        return FrozenGenerator(network, About(**names, **about, networks=networks))
    except (SafetensorError, ValueError, KeyError, TypeError, AttributeError, RuntimeError, SettingsError) as error:
        reason = " ".join(str(error).split())
        raise CheckpointError(f"{file} cannot be read as an exported generator ({reason}): export it again") from error


def _metadata(about: About) -> dict[str, str]:
    """All text, as safetensors wants it."""
    return {
        "format": FORMAT,
        "run": about.run,
        "checkpoint": about.checkpoint,
        "images": str(about.images),
        "kind": about.kind,
        "latent": about.networks.latent,
        "latent_size": str(about.networks.latent_size),
        "classes": str(about.networks.classes),
        "image_size": str(about.networks.image_size),
        "statistics": about.statistics,
        "batch_size": str(about.batch_size),
        "networks": json.dumps(asdict(about.networks)),
    }


def _arguments(layer: nn.Module) -> dict[str, Any]:
    arguments = {name: getattr(layer, name) for name in _ARGUMENTS[type(layer)]}
    has_bias = isinstance(layer, nn.Linear | nn.Conv2d | nn.ConvTranspose2d)
    return arguments | ({"bias": layer.bias is not None} if has_bias else {})


def _layer(kind: str, arguments: dict[str, Any]) -> nn.Module:
    layer: nn.Module = _LAYERS[kind](**arguments)
    return layer
