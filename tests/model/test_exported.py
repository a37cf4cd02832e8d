"""Files that plain PyTorch reads."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import safetensors.torch
import torch

from dcgan_dist.errors import CheckpointError
from dcgan_dist.model.dcgan import Generator, build_networks, initialize
from dcgan_dist.model.exported import load_safetensors, to_pt2, to_safetensors
from dcgan_dist.model.generate import About, FrozenGenerator, freeze
from dcgan_dist.settings import PRESETS, NetworkSettings
from dcgan_dist.storage import place


def original(preset: str, maps: int) -> FrozenGenerator:
    networks = replace(PRESETS[preset]().networks, generator_maps=maps, latent_size=7)
    generator, _ = build_networks(networks, 3, torch.device("cpu"), torch.float32, channels_last=True)
    bias = generator.output.get_parameter("bias")  # type: ignore[union-attr]
    with torch.no_grad():
        generator.output.get_parameter("weight").mul_(9)  # type: ignore[union-attr]
        bias.copy_(torch.linspace(-1, 3, bias.numel()).reshape(bias.shape))
    about = About("mine", "000000000480", 480, "raw", networks, 12, "as told")
    return FrozenGenerator(freeze(generator, networks, 12), about)


@pytest.mark.parametrize(
    ("preset", "maps", "drawing"),
    [
        ("original32", 60, ["Linear"]),
        ("original32conv", 3, ["Unflatten", "ConvTranspose2d", "Flatten", "BatchNorm1d"]),
    ],
)
def test_the_original_gan_is_read_as_what_was_written(
    preset: str, maps: int, drawing: list[str], tmp_path: Path
) -> None:
    """Its layers have biases, a sigmoid among them, and are linear at the end, but for what pixels can be."""
    frozen = original(preset, maps)
    (tmp_path / "g.safetensors").write_bytes(to_safetensors(frozen))
    (tmp_path / "g.pt2").write_bytes(to_pt2(frozen))
    read = load_safetensors(place(str(tmp_path / "g.safetensors")))
    assert [type(layer).__name__ for layer in read.network.children()] == [
        *["Linear", "ReLU", "Linear", "Sigmoid", *drawing, "Hardtanh", "Unflatten"]
    ]
    z = 40 * frozen.latents(4, seed=8)
    assert torch.equal(read(z), frozen(z))
    assert read.about == frozen.about
    assert read(z).abs().max() == 1
    torch.testing.assert_close(torch.export.load(tmp_path / "g.pt2").module()(z), frozen(z))


@pytest.fixture(
    scope="module",
    params=[
        {"structure": "5x5"},
        {"structure": "3x3", "generator_activations": "leaky_relu", "resampling": "pooling"},
        {"generator_activations": "maxout", "dense_units": 5, "output": "linear"},
    ],
    ids=["5x5", "3x3", "maxout"],
)
def frozen(request: pytest.FixtureRequest) -> FrozenGenerator:
    networks = NetworkSettings(image_size=16, generator_maps=3, latent_size=7, latent="normal", **request.param)
    generator = Generator(networks)
    initialize(generator, seed=3)
    about = About("mine", "000000000480", 480, "averaged", networks, 12, "as told")
    return FrozenGenerator(freeze(generator, networks, 12), about)


def test_a_file_is_read_as_what_was_written(frozen: FrozenGenerator, tmp_path: Path) -> None:
    (tmp_path / "g.safetensors").write_bytes(to_safetensors(frozen))
    read = load_safetensors(place(str(tmp_path / "g.safetensors")))
    assert read.about == frozen.about
    z = frozen.latents(5, seed=8)
    assert torch.equal(read.latents(5, seed=8), z)
    assert torch.equal(read(z), frozen(z))
    assert not read.training


def test_the_weights_have_the_names_of_stock_layers(frozen: FrozenGenerator) -> None:
    tensors = safetensors.torch.load(to_safetensors(frozen))
    first = {name for name in tensors if name.startswith("1.")}
    assert first == {"1.weight", "1.bias", "1.running_mean", "1.running_var", "1.num_batches_tracked"}
    assert tensors["0.weight"].shape == (*tensors["1.running_var"].shape, 7)


def test_a_program_draws_any_number_of_images(frozen: FrozenGenerator, tmp_path: Path) -> None:
    (tmp_path / "g.pt2").write_bytes(to_pt2(frozen))
    files = {"format": ""}
    program = torch.export.load(tmp_path / "g.pt2", extra_files=files).module()
    assert files["format"] == "dcgan-dist generator 1"
    for number in (1, 3):
        z = frozen.latents(number)
        torch.testing.assert_close(program(z), frozen(z), rtol=0, atol=1e-6)


def knowing() -> FrozenGenerator:
    networks = replace(PRESETS["mnist28"]().networks, classes=3, generator_maps=2, dense_units=4, latent_size=7)
    generator = Generator(networks)
    initialize(generator, seed=3)
    about = About("mine", "000000000480", 480, "averaged", networks, 12, "as told")
    return FrozenGenerator(freeze(generator, networks, 12), about)


def test_a_program_takes_classes_where_the_networks_know_some(tmp_path: Path) -> None:
    frozen = knowing()
    (tmp_path / "g.pt2").write_bytes(to_pt2(frozen))
    files = {"classes": ""}
    program = torch.export.load(tmp_path / "g.pt2", extra_files=files).module()
    assert files["classes"] == "3"
    for labels in ([2], [0, 1, 2, 2]):
        z = frozen.latents(len(labels))
        torch.testing.assert_close(program(z, torch.tensor(labels)), frozen(z, torch.tensor(labels)), rtol=0, atol=1e-6)


def test_plain_layers_know_no_classes() -> None:
    with pytest.raises(CheckpointError, match=r"the generator of mine knows classes, .*: export it as \.pt2"):
        to_safetensors(knowing())


def test_layers_without_gain_are_read_as_what_was_written(tmp_path: Path) -> None:
    networks = replace(PRESETS["mnist28"]().networks, classes=0, generator_maps=2, dense_units=4, latent_size=7)
    generator = Generator(networks)
    initialize(generator, seed=3)
    about = About("mine", "000000000480", 480, "raw", networks, 12, "as told")
    frozen = FrozenGenerator(freeze(generator, networks, 12), about)
    (tmp_path / "g.safetensors").write_bytes(to_safetensors(frozen))
    read = load_safetensors(place(str(tmp_path / "g.safetensors")))
    assert read.about == frozen.about
    z = frozen.latents(5, seed=8)
    assert torch.equal(read(z), frozen(z))


def damaged(change: Any) -> Any:
    def made(data: bytes) -> bytes:
        size = int.from_bytes(data[:8], "little")
        metadata = json.loads(data[8 : 8 + size])["__metadata__"]
        tensors = safetensors.torch.load(data)
        change(metadata, tensors)
        return safetensors.torch.save(tensors, metadata)

    return made


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        (lambda data: data[:100], "cannot be read as an exported generator"),
        (lambda data: b"", "cannot be read as an exported generator"),
        (damaged(lambda metadata, tensors: metadata.update(format="another 2")), "its format is 'another 2' but needs"),
        (damaged(lambda metadata, tensors: metadata.clear()), "its format is None but needs"),
        (damaged(lambda metadata, tensors: metadata.pop("layers")), "cannot be read as an exported generator"),
        (damaged(lambda metadata, tensors: metadata.update(layers='[["Module", {}]]')), "cannot be read"),
        (damaged(lambda metadata, tensors: metadata.update(layers="[[]]")), "cannot be read"),
        (damaged(lambda metadata, tensors: tensors.pop("0.weight")), "cannot be read as an exported generator"),
        (damaged(lambda metadata, tensors: metadata.update(networks='{"latent_size": 0}')), "latent_size is 0"),
        (damaged(lambda metadata, tensors: metadata.update(run="../../mine")), "run is '../../mine', which is no name"),
        (damaged(lambda metadata, tensors: metadata.update(checkpoint="")), "checkpoint is '', which is no name of a"),
        # Much is promised, and nothing is reserved for it.
        (
            damaged(
                lambda metadata, tensors: metadata.update(
                    layers='[["Linear", {"in_features": 10000000, "out_features": 10000000, "bias": false}]]'
                )
            ),
            "cannot be read as an exported generator",
        ),
    ],
)
def test_a_file_that_is_damaged_or_foreign_gets_a_sentence(
    frozen: FrozenGenerator, change: Any, sentence: str, tmp_path: Path
) -> None:
    (tmp_path / "g.safetensors").write_bytes(change(to_safetensors(frozen)))
    with pytest.raises(CheckpointError, match=sentence) as failure:
        load_safetensors(place(str(tmp_path / "g.safetensors")))
    assert str(failure.value).startswith(f"{tmp_path}/g.safetensors ")


def test_a_network_of_a_users_own_is_exported_as_a_program_alone(frozen: FrozenGenerator, tmp_path: Path) -> None:
    class Own(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.inner = frozen.network

        def forward(self, z: torch.Tensor) -> torch.Tensor:
            images: torch.Tensor = self.inner(z).flip(3)
            return images

    own = FrozenGenerator(Own(), frozen.about)
    with pytest.raises(CheckpointError, match=r"the generator of mine is none of dcgan-dist's.*: export it as \.pt2"):
        to_safetensors(own)
    (tmp_path / "own.pt2").write_bytes(to_pt2(own))
    z = frozen.latents(3)
    program = torch.export.load(tmp_path / "own.pt2").module()
    torch.testing.assert_close(program(z), frozen(z).flip(3), rtol=0, atol=1e-6)
