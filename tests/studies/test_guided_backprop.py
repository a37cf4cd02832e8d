"""Rules by which rectifiers pass gradients: by hand, against autograd, and in networks of every kind."""

from collections.abc import Callable, Sequence

import pytest
import torch
import torch.nn.functional as F
from captum.attr import Deconvolution, GuidedBackprop, Saliency
from torch import Tensor, nn

from dcgan_dist.errors import SettingsError
from dcgan_dist.evaluation.encoders.maps import batch_statistics
from dcgan_dist.model.batchnorm import with_statistics
from dcgan_dist.model.dcgan import Discriminator, initialize
from dcgan_dist.settings import NetworkSettings
from dcgan_dist.studies.guided_backprop import Method, Rule, back_to_pixels, passed

METHODS: list[Method] = ["guided", "saliency", "deconvnet"]
LEAKY_RELUS: dict[str, Callable[[Tensor], Tensor]] = {
    "function": lambda x: F.leaky_relu(x, 0.25),
    "in place": lambda x: F.leaky_relu(x, 0.25, inplace=True),
    "by name": lambda x: F.leaky_relu(input=x, negative_slope=0.25),
    "underscore": lambda x: F.leaky_relu_(x, 0.25),
    "module": nn.LeakyReLU(0.25),
    "module in place": nn.LeakyReLU(0.25, inplace=True),
}
RELUS: dict[str, Callable[[Tensor], Tensor]] = {
    "function": F.relu,
    "in place": lambda x: F.relu(x, inplace=True),
    "torch": torch.relu,
    "torch in place": torch.relu_,
    "method": lambda x: x.relu(),
    "method in place": lambda x: x.relu_(),
    "module": nn.ReLU(),
}


@pytest.mark.parametrize(
    ("method", "rule", "wanted"),
    [
        # For gradients 3 and -5, each where the input was above 0, then where it was not.
        ("saliency", "as-relu", [3, -5, 0.75, -1.25]),
        ("saliency", "clamped", [3, -5, 0.75, -1.25]),
        ("deconvnet", "as-relu", [3, 0, 3, 0]),
        ("deconvnet", "clamped", [3, 0, 3, 0]),
        ("guided", "as-relu", [3, 0, 0, 0]),
        ("guided", "clamped", [3, 0, 0.75, 0]),
    ],
)
def test_what_a_rectifier_passes(method: Method, rule: Rule, wanted: list[float]) -> None:
    gradient, above = torch.tensor([3.0, -5, 3, -5]), torch.tensor([True, True, False, False])
    assert passed(gradient, above, 0.25, method, rule).tolist() == wanted


def by_hand(activation: Callable[[Tensor], Tensor]) -> Callable[[Tensor], Sequence[Tensor]]:
    """Two layers on one pixel of three colors. At colors (1, 2, -1) the first one's units have inputs 1, 2, -1, 2."""
    first = torch.tensor([[1.0, 0, 0], [0, 1, 0], [0, 0, 1], [0, 0, -2]])[:, :, None, None]
    second = torch.tensor([[5.0, -2, 3, 4]])[:, :, None, None]

    def maps(x: Tensor) -> list[Tensor]:
        below = activation(F.conv2d(x, first))
        return [below, activation(F.conv2d(below, second))]

    return maps


@pytest.mark.parametrize("name", LEAKY_RELUS)
@pytest.mark.parametrize(
    ("method", "rule", "wanted"),
    [
        ("saliency", "as-relu", [5, -2, 3 / 4 - 8]),
        ("deconvnet", "as-relu", [5, 0, 3 - 8]),
        ("guided", "as-relu", [5, 0, -8]),
        ("guided", "clamped", [5, 0, 3 / 4 - 8]),
    ],
)
def test_a_network_by_hand(name: str, method: Method, rule: Rule, wanted: list[float]) -> None:
    image = torch.tensor([1.0, 2, -1])[None, :, None, None]
    assert back_to_pixels(by_hand(LEAKY_RELUS[name]), image, 0, method, rule).flatten().tolist() == wanted


@pytest.mark.parametrize("name", RELUS)
@pytest.mark.parametrize(
    ("method", "wanted"), [("saliency", [5, -2, -8]), ("deconvnet", [5, 0, 3 - 8]), ("guided", [5, 0, -8])]
)
def test_relu_however_it_is_written(name: str, method: Method, wanted: list[float]) -> None:
    image = torch.tensor([1.0, 2, -1])[None, :, None, None]
    for rule in ("as-relu", "clamped"):
        assert back_to_pixels(by_hand(RELUS[name]), image, 0, method, rule).flatten().tolist() == wanted


def test_only_the_largest_position_is_led_back_and_one_of_equals() -> None:
    images = torch.zeros(2, 3, 2, 3)
    images[0, 1, 1, 2], images[0, 1, 0, 0] = 4, 3
    images[1] = 1
    led = back_to_pixels(lambda x: [F.relu(x * 7)], images, 1, "guided", "as-relu")
    assert led[0].nonzero().tolist() == [[1, 1, 2]]
    assert led[0].sum() == 7
    assert len(led[1].nonzero()) == 1


def network() -> tuple[Discriminator, nn.Module, Tensor]:
    """A discriminator, the same with fixed statistics, and images."""
    discriminator = Discriminator(NetworkSettings(image_size=16, discriminator_maps=6))
    initialize(discriminator, 2)
    images = torch.rand(9, 3, 16, 16, generator=torch.Generator().manual_seed(4)) * 2 - 1
    return discriminator, with_statistics(discriminator, batch_statistics(discriminator, images)), images


def test_saliency_is_the_gradient_and_an_image_does_not_change_others() -> None:
    _, fixed, images = network()
    x = images.clone().requires_grad_()
    (wanted,) = torch.autograd.grad(fixed.maps(x)[-1][:, 7].amax((1, 2)).sum(), x)  # type: ignore[operator]
    led = back_to_pixels(fixed.maps, images, 7, "saliency", "as-relu")  # type: ignore[arg-type]
    assert torch.allclose(led, wanted, atol=1e-7)
    assert wanted.abs().max() > 1e-3
    for method in METHODS:
        whole = back_to_pixels(fixed.maps, images, 7, method, "clamped")  # type: ignore[arg-type]
        alone = back_to_pixels(fixed.maps, images[3:4], 7, method, "clamped")  # type: ignore[arg-type]
        assert torch.allclose(whole[3:4], alone, atol=1e-6), method


class LastMap(nn.Module):
    """The largest response of each map of the last layer, [n, C], with modules as rectifiers, as captum needs them."""

    def __init__(self, fixed: nn.Module, rectifier: Callable[[], nn.Module]) -> None:
        super().__init__()
        parts = [(one.linear, getattr(one, "norm", None), rectifier()) for one in fixed.layers]  # type: ignore[union-attr]
        self.layers = nn.Sequential(*(part for parts in parts for part in parts if part is not None))

    def maps(self, images: Tensor) -> list[Tensor]:
        return [self.layers(images)]

    def forward(self, images: Tensor) -> Tensor:
        return self.layers(images).flatten(2).max(2).values  # type: ignore[no-any-return]


def by_captum(network: nn.Module, images: Tensor, feature: int, method: Method) -> Tensor:
    kinds = {"guided": GuidedBackprop, "deconvnet": Deconvolution, "saliency": Saliency}
    how = {"abs": False} if method == "saliency" else {}
    found: Tensor = kinds[method](network).attribute(images.clone().requires_grad_(), target=feature, **how)
    return found.detach()


@pytest.mark.filterwarnings("ignore:Setting backward hooks on ReLU activations")
@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("feature", [0, 7, 11])
def test_captum_gives_the_same_with_relu(method: Method, feature: int) -> None:
    _, fixed, images = network()
    relu = LastMap(fixed, nn.ReLU).eval()
    theirs = by_captum(relu, images, feature, method)
    ours = back_to_pixels(relu.maps, images, feature, method, "as-relu")
    assert theirs.abs().max() > 1e-3
    assert torch.allclose(ours, theirs, rtol=1e-4, atol=1e-7)
    others = [by_captum(relu, images, feature, other) for other in METHODS if other != method]
    assert all((theirs - other).abs().max() > 1e-3 for other in others)


@pytest.mark.filterwarnings("ignore:Setting backward hooks on ReLU activations")
@pytest.mark.parametrize("method", ["guided", "deconvnet"])
def test_captum_knows_no_rule_for_leaky_relu_and_gives_the_plain_gradient(method: Method) -> None:
    _, fixed, images = network()
    leaky = LastMap(fixed, lambda: nn.LeakyReLU(0.2)).eval()
    x = images.clone().requires_grad_()
    (gradient,) = torch.autograd.grad(leaky(x)[:, 7].sum(), x)
    assert torch.allclose(by_captum(leaky, images, 7, method), gradient, rtol=1e-4, atol=1e-7)
    for rule in ("as-relu", "clamped"):
        ours = back_to_pixels(leaky.maps, images, 7, method, rule)
        assert (ours - gradient).abs().max() > 0.1 * gradient.abs().max()
    # The network is the discriminator's own.
    same = back_to_pixels(fixed.maps, images, 7, method, "as-relu")  # type: ignore[arg-type]
    assert torch.allclose(same, back_to_pixels(leaky.maps, images, 7, method, "as-relu"), rtol=1e-4, atol=1e-7)


def test_where_all_is_positive_all_methods_are_the_gradient() -> None:
    _, fixed, images = network()
    weights = [one.linear.weight.abs().detach() for one in fixed.layers]  # type: ignore[union-attr, operator]

    def maps(x: Tensor) -> list[Tensor]:
        for weight in weights:
            x = F.leaky_relu(F.conv2d(x, weight, stride=2, padding=2), 0.2)
        return [x]

    led = [back_to_pixels(maps, images + 1.5, 3, method, "as-relu") for method in METHODS]
    assert led[0].max() > 0
    assert torch.equal(led[0], led[1])
    assert torch.equal(led[0], led[2])


def test_nothing_is_left_on_the_network() -> None:
    discriminator, fixed, images = network()
    before = [one.clone() for one in fixed.maps(images)]  # type: ignore[operator]
    with torch.no_grad():
        back_to_pixels(fixed.maps, images, 0, "guided", "as-relu")  # type: ignore[arg-type]
    assert all(torch.equal(one, two) for one, two in zip(before, fixed.maps(images), strict=True))  # type: ignore[operator]
    for one in (discriminator, fixed):
        assert all(parameter.grad is None for parameter in one.parameters())
        for module in one.modules():
            assert not module._forward_hooks
            assert not module._forward_pre_hooks
            assert not module._backward_hooks
    assert not images.requires_grad
    # An error leaves no rule behind either.
    with pytest.raises(RuntimeError):
        back_to_pixels(lambda x: [F.relu(x) @ x[:, :, :3]], images, 0, "guided", "as-relu")
    x = torch.tensor([2.0, -2], requires_grad=True)
    (gradient,) = torch.autograd.grad(F.leaky_relu(x, 0.25).sum() * -1, x)
    assert gradient.tolist() == [-1, -0.25]


@pytest.mark.parametrize("activation", [F.gelu, F.elu, F.silu, nn.PReLU(), nn.ReLU6(), nn.Softplus()])
def test_other_activations_are_refused(activation: Callable[[Tensor], Tensor]) -> None:
    with pytest.raises(SettingsError, match="has a rule for ReLU and LeakyReLU alone, but the discriminator uses"):
        back_to_pixels(lambda x: [activation(F.relu(x))], torch.ones(1, 3, 2, 2), 0, "guided", "as-relu")


def test_a_network_without_rectifiers_is_refused() -> None:
    with pytest.raises(SettingsError, match="uses neither"):
        back_to_pixels(lambda x: [x.tanh()], torch.ones(1, 3, 2, 2), 0, "deconvnet", "as-relu")
