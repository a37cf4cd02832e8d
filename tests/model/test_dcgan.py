"""The networks against the published operators, written out with NumPy in float64."""

import numpy as np
import pytest
import torch
from torch import Tensor

from dcgan_dist.model.batchnorm import BatchNorm
from dcgan_dist.model.dcgan import Discriminator, Generator, build_networks, count_parameters, initialize
from dcgan_dist.settings import NetworkSettings

LSUN = NetworkSettings()
IMAGENET = NetworkSettings(structure="3x3", image_size=32, latent_size=256)
SVHN = NetworkSettings(image_size=32, generator_maps=64, discriminator_maps=64, latent="normal")
SMALL = {
    "5x5": NetworkSettings(image_size=16, generator_maps=3, discriminator_maps=2, latent_size=5),
    "3x3": NetworkSettings(structure="3x3", image_size=16, generator_maps=3, discriminator_maps=2, latent_size=5),
}


def convolution(x: np.ndarray, w: np.ndarray, stride: int) -> np.ndarray:
    """Theano's: the kernel is flipped. x (n, c, H, W), w (o, c, K, K), padded by (K - 1) / 2."""
    size, half = w.shape[2], w.shape[2] // 2
    padded = np.pad(x, ((0, 0), (0, 0), (half, half), (half, half)))
    height = x.shape[2] // stride
    out = np.zeros((len(x), len(w), height, height))
    for i in range(height):
        for j in range(height):
            for a in range(size):
                for b in range(size):
                    pixel = padded[:, :, i * stride + size - 1 - a, j * stride + size - 1 - b]
                    out[:, :, i, j] += pixel @ w[:, :, a, b].T
    return out


def deconvolution(x: np.ndarray, w: np.ndarray, stride: int) -> np.ndarray:
    """The gradient, by its image, of `convolution` with w (c_x, c_image, K, K) at output gradient x."""
    size, half, height = w.shape[2], w.shape[2] // 2, x.shape[2] * stride
    image = np.zeros((len(x), w.shape[1], height + 2 * half, height + 2 * half))
    for i in range(x.shape[2]):
        for j in range(x.shape[2]):
            for a in range(size):
                for b in range(size):
                    row, column = i * stride + size - 1 - a, j * stride + size - 1 - b
                    image[:, :, row, column] += x[:, :, i, j] @ w[:, :, a, b]
    return image[:, :, half : half + height, half : half + height]


def normalized(x: np.ndarray, gain: np.ndarray, shift: np.ndarray) -> np.ndarray:
    axes, shape = ((0,), (1, -1)) if x.ndim == 2 else ((0, 2, 3), (1, -1, 1, 1))
    mean = x.mean(axis=axes, keepdims=True)
    variance = ((x - mean) ** 2).mean(axis=axes, keepdims=True)
    return (x - mean) / np.sqrt(variance + 1e-8) * gain.reshape(shape) + shift.reshape(shape)


def leaky(x: np.ndarray) -> np.ndarray:
    return np.where(x > 0, x, 0.2 * x)


def published_arrays(network: torch.nn.Module) -> list[np.ndarray]:
    """The weights as the published code would hold them: kernels flipped, matrices (inputs, outputs)."""
    weights = [p.detach().double() for p in network.parameters()]
    return [(w.flip(2, 3) if w.dim() == 4 else w.T if w.dim() == 2 else w).numpy() for w in weights]


def expected_images(network: Generator, z: np.ndarray, strides: list[int]) -> np.ndarray:
    weights = iter(published_arrays(network))
    x = np.maximum(normalized(z @ next(weights), next(weights), next(weights)), 0).reshape(len(z), -1, 4, 4)
    for stride in strides[:-1]:
        x = np.maximum(normalized(deconvolution(x, next(weights), stride), next(weights), next(weights)), 0)
    return np.tanh(deconvolution(x, next(weights), strides[-1]))


def expected_logits(
    network: Discriminator, x: np.ndarray, strides: list[int], average: bool = False
) -> tuple[list[np.ndarray], np.ndarray]:
    weights = iter(published_arrays(network))
    maps = [leaky(convolution(x, next(weights), strides[0]))]
    for stride in strides[1:]:
        maps.append(leaky(normalized(convolution(maps[-1], next(weights), stride), next(weights), next(weights))))
    features = maps[-1].mean(axis=(2, 3)) if average else maps[-1].reshape(len(x), -1)
    return maps, (features @ next(weights))[:, 0]


def generator(settings: NetworkSettings) -> Generator:
    network = Generator(settings).double()
    initialize(network, 1)
    return network


def discriminator(settings: NetworkSettings) -> Discriminator:
    network = Discriminator(settings).double()
    initialize(network, 1)
    return network


def images(n: int, size: int) -> Tensor:
    return torch.from_numpy(np.random.default_rng(3).uniform(-1, 1, (n, 3, size, size)))


@pytest.mark.parametrize(
    ("settings", "of_generator", "of_discriminator"),
    [(LSUN, 18_885_760, 17_232_768), (IMAGENET, 6_690_688, 4_586_112), (SVHN, 1_446_976, 1_033_664)],
    ids=["64 px", "imagenet", "svhn"],
)
def test_parameters_are_as_many_as_the_published_ones(
    settings: NetworkSettings, of_generator: int, of_discriminator: int
) -> None:
    assert count_parameters(Generator(settings)) == of_generator
    assert count_parameters(Discriminator(settings)) == of_discriminator


def test_parameters_have_the_published_order_and_shapes() -> None:
    shapes = [array.shape for array in published_arrays(Generator(LSUN))]
    assert shapes == [
        *[(100, 16384), (16384,), (16384,), (1024, 512, 5, 5), (512,), (512,), (512, 256, 5, 5), (256,), (256,)],
        *[(256, 128, 5, 5), (128,), (128,), (128, 3, 5, 5)],
    ]
    shapes = [array.shape for array in published_arrays(Discriminator(IMAGENET)) if array.ndim > 1]
    assert shapes == [
        *[(128, 3, 3, 3), (128, 128, 3, 3), (256, 128, 3, 3), (256, 256, 3, 3), (512, 256, 3, 3), (512, 512, 3, 3)],
        (8192, 1),
    ]


@pytest.mark.parametrize(("structure", "strides"), [("5x5", [2, 2]), ("3x3", [2, 1, 2, 1])])
def test_generator_is_the_published_computation(structure: str, strides: list[int]) -> None:
    network = generator(SMALL[structure])
    z = np.random.default_rng(0).uniform(-1, 1, (6, 5))
    expected = expected_images(network, z, strides)
    np.testing.assert_allclose(network(torch.from_numpy(z)).detach(), expected, rtol=0, atol=1e-13)


@pytest.mark.parametrize(("structure", "strides"), [("5x5", [2, 2]), ("3x3", [1, 2, 1, 2])])
def test_discriminator_is_the_published_computation(structure: str, strides: list[int]) -> None:
    network, x = discriminator(SMALL[structure]), images(6, 16)
    maps, logits = expected_logits(network, x.numpy(), strides)
    np.testing.assert_allclose(network(x).detach(), logits, rtol=0, atol=1e-13)
    for found, expected in zip(network.maps(x), maps, strict=True):
        np.testing.assert_allclose(found.detach(), expected, rtol=0, atol=1e-12)


def test_average_head_weighs_the_mean_of_each_map() -> None:
    settings = NetworkSettings(image_size=16, discriminator_maps=2, head="average")
    network, x = discriminator(settings), images(6, 16)
    assert network.head.weight.shape == (1, 4)
    _, logits = expected_logits(network, x.numpy(), [2, 2], average=True)
    np.testing.assert_allclose(network(x).detach(), logits, rtol=0, atol=1e-13)


def test_two_groups_are_two_batches() -> None:
    network = discriminator(SMALL["5x5"])
    real, generated = images(12, 16).chunk(2)
    both = network(torch.cat([real, generated]), groups=2)
    torch.testing.assert_close(both, torch.cat([network(real), network(generated)]), rtol=0, atol=1e-14)
    assert not torch.allclose(both, network(torch.cat([real, generated])))


@pytest.mark.parametrize(
    ("where", "of_generator", "of_discriminator"),
    [
        ("prescribed", [True, True, False], [False, True]),
        ("everywhere", [True] * 3, [True] * 2),
        ("nowhere", [False] * 3, [False] * 2),
    ],
)
def test_batchnorm_is_where_the_setting_says(
    where: str, of_generator: list[bool], of_discriminator: list[bool]
) -> None:
    settings = NetworkSettings(image_size=16, generator_maps=2, discriminator_maps=2, batchnorm=where)  # type: ignore[arg-type]
    g, d = generator(settings), discriminator(settings)
    assert [layer.norm is not None for layer in [g.first, *g.layers]] == of_generator
    assert [layer.norm is not None for layer in d.layers] == of_discriminator
    assert d(g(torch.rand(4, 100, dtype=torch.float64))).isfinite().all()


@pytest.mark.parametrize("size", [8, 16, 128])
@pytest.mark.parametrize("structure", ["5x5", "3x3"])
def test_every_image_size_has_both_networks(structure: str, size: int) -> None:
    settings = NetworkSettings(structure=structure, image_size=size, generator_maps=1, discriminator_maps=1)  # type: ignore[arg-type]
    x = generator(settings)(torch.rand(3, 100, dtype=torch.float64))
    assert x.shape == (3, 3, size, size)
    assert x.abs().max() <= 1
    network = discriminator(settings)
    assert network(x).shape == (3,)
    assert network.maps(x)[-1].shape[2:] == (4, 4)


def test_no_layer_has_a_bias_but_the_shift_of_batchnorm() -> None:
    for network in (Generator(IMAGENET), Discriminator(IMAGENET)):
        biases = [name for name, _ in network.named_parameters() if "bias" in name]
        assert all(".norm." in name for name in biases)
        assert not list(network.buffers())


def test_network_is_unusable_before_its_weights_are_set() -> None:
    assert Generator(SMALL["5x5"])(torch.rand(4, 5)).isnan().all()


@pytest.mark.parametrize("chosen", [{}, {"initial_sd": 0.3}])
def test_initial_weights_have_the_published_distribution_or_the_one_that_is_set(chosen: dict[str, float]) -> None:
    network = Discriminator(NetworkSettings(image_size=32, discriminator_maps=64, **chosen))  # type: ignore[arg-type]
    initialize(network, 5)
    sd = chosen.get("initial_sd", 0.02)
    kernel = network.layers[2].linear.weight.detach().double()
    assert kernel.mean().item() == pytest.approx(0, abs=5e-3 * sd)
    assert kernel.std().item() == pytest.approx(sd, rel=5e-3)
    gains = torch.cat([m.weight.detach() for m in network.modules() if isinstance(m, BatchNorm)])
    assert gains.mean().item() == pytest.approx(1, abs=5e-3)
    assert gains.std().item() == pytest.approx(0.02, rel=0.2)
    assert all((m.bias == 0).all() for m in network.modules() if isinstance(m, BatchNorm))


def test_initial_weights_do_not_depend_on_dtype_or_layout_or_the_global_state() -> None:
    settings, cpu = SMALL["3x3"], torch.device("cpu")
    torch.manual_seed(1)
    plain = build_networks(settings, 7, cpu, torch.float32, channels_last=False)
    before = torch.get_rng_state()
    other = build_networks(settings, 7, cpu, torch.float64, channels_last=True)
    assert torch.equal(before, torch.get_rng_state())
    for one, two in zip(plain, other, strict=True):
        for a, b in zip(one.parameters(), two.parameters(), strict=True):
            assert torch.equal(a.double(), b)
    assert other[1].layers[1].linear.weight.is_contiguous(memory_format=torch.channels_last)


def test_initial_weights_depend_on_the_seed_and_differ_between_layers() -> None:
    a, b = Discriminator(IMAGENET), Discriminator(IMAGENET)
    initialize(a, 1)
    initialize(b, 2)
    assert not torch.equal(a.layers[0].linear.weight, b.layers[0].linear.weight)
    assert not torch.equal(a.layers[1].norm.weight[:128], a.layers[2].norm.weight[:128])


def test_channels_last_changes_the_layout_alone() -> None:
    settings, cpu = SMALL["5x5"], torch.device("cpu")
    z, x = torch.rand(6, 5, dtype=torch.float64), images(6, 16)
    plain, last = (build_networks(settings, 7, cpu, torch.float64, channels_last) for channels_last in (False, True))
    torch.testing.assert_close(plain[0](z), last[0](z), rtol=0, atol=1e-13)
    torch.testing.assert_close(plain[1](x), last[1](x), rtol=0, atol=1e-13)


def test_bfloat16_in_computes_in_bfloat16_and_gives_logits_in_the_dtype_of_the_weights() -> None:
    g, d = build_networks(SMALL["5x5"], 7, torch.device("cpu"), torch.float32, channels_last=True)
    x = g(torch.rand(16, 5).bfloat16())
    assert x.dtype == torch.bfloat16
    assert d.maps(x)[0].dtype == torch.bfloat16
    assert d(x).dtype == torch.float32
