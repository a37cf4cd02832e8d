"""The published weights against values that a float64 implementation from the definitions, without PyTorch, gave."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from dcgan_dist.errors import CheckpointError
from dcgan_dist.model.dcgan import Discriminator
from dcgan_dist.model.published_weights import load_published

# The reference is float64, stored as float32 but for logits and statistics. In float32 the largest deviations seen are
# 8e-7 (images), 8e-6 and 3.1e-6 (features up to 8 and 10), 2.2e-5 (logits up to 14; processors sum in another order).
DTYPES = [torch.float64, torch.float32]
ROUNDING = 2**-23  # relative, of a stored value
IMAGES = {torch.float64: ROUNDING, torch.float32: 1e-6}
SVHN_FEATURES = {torch.float64: 8 * ROUNDING, torch.float32: 1e-5}
IMAGENET_FEATURES = {torch.float64: 8 * ROUNDING, torch.float32: 5e-6}
LOGITS = {torch.float64: 1e-12, torch.float32: 3e-5}
STATISTICS = {torch.float64: 1e-12, torch.float32: 1e-5}


@pytest.fixture
def expected(published: Path) -> dict[str, np.ndarray]:
    with np.load(published / "expected.npz", allow_pickle=False) as archive:
        return dict(archive)


def pooled(network: Discriminator, x: Tensor) -> Tensor:
    """Maps of all layers, max-pooled to 4 x 4, flattened and joined."""
    maps = network.maps(x)
    return torch.cat([F.max_pool2d(m, m.shape[2] // 4).flatten(1) for m in maps], dim=1).detach()


def deviation(found: Tensor, expected: np.ndarray) -> float:
    assert found.shape == expected.shape
    return float(np.abs(found.detach().double().numpy() - expected).max())


def statistics_deviation(
    network: Discriminator, x: Tensor, expected: dict[str, np.ndarray], name: str, layers: list[int]
) -> float:
    """Of mean and biased variance of the maps before batch normalization."""
    maps, found = network.maps(x), []
    for layer in layers:
        variance, mean = torch.var_mean(network.layers[layer - 1].linear(maps[layer - 2]), (0, 2, 3), correction=0)
        found += [deviation(mean, expected[f"{name}_bn{layer}_mean"])]
        found += [deviation(variance, expected[f"{name}_bn{layer}_var"])]
    return max(found)


@pytest.mark.parametrize("dtype", DTYPES)
def test_svhn_generator_draws_the_expected_images(
    published: Path, expected: dict[str, np.ndarray], dtype: torch.dtype
) -> None:
    network = load_published(published).svhn_generator.to(dtype)
    z = torch.from_numpy(np.random.RandomState(42).normal(size=(64, 100)).astype(np.float32))
    assert deviation(z, expected["z"]) == 0
    assert deviation(network(z.to(dtype)), expected["svhn_g_out"]) <= IMAGES[dtype]


@pytest.mark.parametrize("dtype", DTYPES)
def test_svhn_discriminator_gives_the_expected_features_and_logits(
    published: Path, expected: dict[str, np.ndarray], dtype: torch.dtype
) -> None:
    network, x = load_published(published).svhn_discriminator.to(dtype), torch.from_numpy(expected["x"]).to(dtype)
    assert deviation(pooled(network, x), expected["svhn_d_feat"]) <= SVHN_FEATURES[dtype]
    assert deviation(network(x), expected["svhn_d_logit"]) <= LOGITS[dtype]
    assert statistics_deviation(network, x, expected, "svhn", layers=[2, 3]) <= STATISTICS[dtype]


@pytest.mark.parametrize("dtype", DTYPES)
def test_imagenet_discriminator_gives_the_expected_features_of_four_layers(
    published: Path, expected: dict[str, np.ndarray], dtype: torch.dtype
) -> None:
    network = load_published(published).imagenet_discriminator.to(dtype)
    x = torch.from_numpy(expected["x"][expected["imagenet_x_index"]]).to(dtype)
    assert deviation(pooled(network, x), expected["imagenet_d_feat4"]) <= IMAGENET_FEATURES[dtype]
    assert statistics_deviation(network, x, expected, "imagenet", layers=[2, 3, 4]) <= STATISTICS[dtype]


def test_partial_discriminator_refuses_logits(published: Path) -> None:
    network = load_published(published).imagenet_discriminator
    with pytest.raises(CheckpointError, match="first 4 layers only"):
        network(torch.zeros(2, 3, 32, 32))


# Broken copies, written here: they need no published data.

SHAPES = {
    "svhn/G.npz": {
        "g00": (100, 4096),
        "g01": (4096,),
        "g02": (4096,),
        "g03": (256, 128, 5, 5),
        "g04": (128,),
        "g05": (128,),
        "g06": (128, 64, 5, 5),
        "g07": (64,),
        "g08": (64,),
        "g09": (64, 3, 5, 5),
    },
    "svhn/D.npz": {
        "d00": (64, 3, 5, 5),
        "d01": (128, 64, 5, 5),
        "d02": (128,),
        "d03": (128,),
        "d04": (256, 128, 5, 5),
        "d05": (256,),
        "d06": (256,),
        "d07": (4096, 1),
    },
    "imagenet/D_partial.npz": {
        "d00": (128, 3, 3, 3),
        "d01": (128, 128, 3, 3),
        "d02": (128,),
        "d03": (128,),
        "d04": (256, 128, 3, 3),
        "d05": (256,),
        "d06": (256,),
        "d07": (256, 256, 3, 3),
        "d08": (256,),
        "d09": (256,),
    },
}


def write(folder: Path, change: Callable[[str, dict[str, np.ndarray]], None] = lambda file, arrays: None) -> Path:
    for file, shapes in SHAPES.items():
        arrays = {name: np.full(shape, 0.5, np.float32) for name, shape in shapes.items()}
        change(file, arrays)
        (folder / file).parent.mkdir(exist_ok=True)
        np.savez(folder / file, **arrays)
    return folder


def test_kernels_are_flipped_and_matrices_transposed(tmp_path: Path) -> None:
    kernel, matrix = np.arange(25, dtype=np.float32).reshape(5, 5), np.arange(100, dtype=np.float32)

    def number(file: str, arrays: dict[str, np.ndarray]) -> None:
        if file == "svhn/G.npz":
            arrays["g09"][7, 2], arrays["g00"][:, 9] = kernel, matrix

    network = load_published(write(tmp_path, number)).svhn_generator
    assert np.array_equal(network.layers[2].linear.weight[7, 2].detach(), kernel[::-1, ::-1])
    assert np.array_equal(network.first.linear.weight[9].detach(), matrix)


def test_missing_file_is_told(tmp_path: Path) -> None:
    (write(tmp_path) / "svhn" / "D.npz").unlink()
    with pytest.raises(CheckpointError, match=r"svhn/D\.npz is missing"):
        load_published(tmp_path)


def test_missing_array_is_told(tmp_path: Path) -> None:
    def without_d09(file: str, arrays: dict[str, np.ndarray]) -> None:
        arrays.pop("d09", None)

    with pytest.raises(CheckpointError, match=r"D_partial\.npz has no array d09"):
        load_published(write(tmp_path, without_d09))


def test_wrong_shape_and_dtype_are_told(tmp_path: Path) -> None:
    def transpose(file: str, arrays: dict[str, np.ndarray]) -> None:
        if "d07" in arrays:
            arrays["d07"] = arrays["d07"].T

    with pytest.raises(CheckpointError, match=r"d07 of .*svhn/D\.npz is float32 \(1, 4096\).*\(4096, 1\)"):
        load_published(write(tmp_path, transpose))

    def widen(file: str, arrays: dict[str, np.ndarray]) -> None:
        arrays |= {name: array.astype(np.float64) for name, array in arrays.items()}

    with pytest.raises(CheckpointError, match=r"g00 of .* is float64"):
        load_published(write(tmp_path, widen))


@pytest.mark.parametrize("content", [b"", b"not an archive", b"PK\x03\x04 torn"])
def test_torn_file_is_told(tmp_path: Path, content: bytes) -> None:
    (write(tmp_path) / "svhn" / "G.npz").write_bytes(content)
    with pytest.raises(CheckpointError, match=r"svhn/G\.npz is not a readable NumPy archive"):
        load_published(tmp_path)


def test_pickled_array_is_refused(tmp_path: Path) -> None:
    def pickle(file: str, arrays: dict[str, np.ndarray]) -> None:
        if "g00" in arrays:
            arrays["g00"] = np.array([{"code": 1}], dtype=object)

    with pytest.raises(CheckpointError, match="not a readable NumPy archive"):
        load_published(write(tmp_path, pickle))
