"""From a feature back to the pixels that it responds to: gradients that rectifiers pass by three rules; no Ray.

For the gradient g that reaches a rectifier from above, whose input was x and whose slope below 0 is a:

- `saliency`, the gradient itself (Simonyan et al., 2013): g where x > 0, a * g elsewhere;
- `deconvnet` (Zeiler and Fergus, 2013): max(g, 0), whatever x was;
- `guided` (Springenberg et al., 2014): max(g, 0) where x > 0, and nothing elsewhere. That is their rule, for ReLU; what
  becomes of a LeakyReLU is not said there, nor in section 6.2 of the paper: by `as-relu` nothing passes where x <= 0,
  by `clamped` a * max(g, 0) does.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final, Literal

import torch
import torch.nn.functional as F
from torch import Tensor
from torch.autograd.function import FunctionCtx, once_differentiable
from torch.overrides import TorchFunctionMode

from dcgan_dist.errors import SettingsError

Method = Literal["guided", "saliency", "deconvnet"]
Rule = Literal["as-relu", "clamped"]
Maps = Callable[[Tensor], Sequence[Tensor]]
"""Images `[n, 3, S, S]` -> the maps `[n, C, H, W]` of each layer, as `Discriminator.maps`."""

LEAKY: Final = (F.leaky_relu, F.leaky_relu_, torch._C._nn.leaky_relu)
RELU: Final = (F.relu, torch.relu, torch.relu_, torch.Tensor.relu, torch.Tensor.relu_)
OTHERS: Final = (
    F.celu, F.elu, F.gelu, F.hardswish, F.hardtanh, F.mish, F.prelu, F.relu6, F.rrelu, F.selu, F.silu, F.softplus,
)  # fmt: skip
"""Activations in the place of rectifiers, for which there is no rule: without a word, the result would be wrong."""


def passed(gradient: Tensor, above: Tensor, slope: float, method: Method, rule: Rule) -> Tensor:
    """What a rectifier passes of the gradient that reaches it.

    Args:
        gradient: of what it gave.
        above: bool, where its input was above 0.
        slope: of the rectifier below 0; 0 for ReLU.
    """
    if method == "saliency":
        return torch.where(above, gradient, slope * gradient)
    positive = gradient.clamp(min=0)
    if method == "deconvnet":
        return positive
    return torch.where(above, positive, (slope if rule == "clamped" else 0) * positive)


def back_to_pixels(maps: Maps, images: Tensor, feature: int, method: Method, rule: Rule) -> Tensor:
    """From the largest response of a feature of the last layer, over all positions, to the pixels of each image.

    Nothing is left on the network: neither hooks nor gradients of its weights.

    Args:
        maps: of a network in which images do not change each other.
        images: float [n, 3, S, S] in [-1, 1].
        feature: number of a map of the last layer.
        method: by which rectifiers pass gradients.
        rule: of `guided`, for LeakyReLU.

    Returns:
        float [n, 3, S, S], of both signs: only rectifiers clamp, and below the first is a convolution.

    Raises:
        SettingsError: the network has no rectifiers, or activations in their place that are none.
    """
    with torch.enable_grad():
        pixels = images.detach().clone().requires_grad_()
        with _Rectifiers(method, rule) as rectifiers:
            last = maps(pixels)[-1]
        if not rectifiers.number:
            raise SettingsError(
                f"{method} back-propagation changes what ReLU and LeakyReLU pass, but the discriminator uses neither"
            )
        # Of several positions with the same response, `max` takes one; `amax` would share the gradient out.
        largest = last[:, feature].flatten(1).max(1).values
        (found,) = torch.autograd.grad(largest.sum(), pixels)
    return found


class _Rectifiers(TorchFunctionMode):
    """While it is active, every ReLU and LeakyReLU passes gradients by a rule, in whatever network."""

    def __init__(self, method: Method, rule: Rule) -> None:
        super().__init__()
        self.method, self.rule = method, rule
        self.number = 0

    def __torch_function__(
        self,
        func: Callable[..., Any],
        types: Sequence[type],
        args: Sequence[Any] = (),
        kwargs: Mapping[str, Any] | None = None,
    ) -> Any:
        named = dict(kwargs or {})
        if func in OTHERS:
            raise SettingsError(
                f"{self.method} back-propagation has a rule for ReLU and LeakyReLU alone, but the discriminator uses "
                f"{func.__name__} too"
            )
        if func not in LEAKY and func not in RELU:
            return func(*args, **named)
        self.number += 1
        x = args[0] if args else named["input"]
        slope = 0.0
        if func in LEAKY:
            slope = args[1] if len(args) > 1 else named.get("negative_slope", 0.01)
        return _Rectifier.apply(x, slope, self.method, self.rule)


class _Rectifier(torch.autograd.Function):
    @staticmethod
    def forward(ctx: FunctionCtx, x: Tensor, slope: float, method: Method, rule: Rule) -> Tensor:
        above = x > 0
        ctx.save_for_backward(above)
        ctx.how = (slope, method, rule)  # type: ignore[attr-defined]
        return torch.where(above, x, slope * x)

    @staticmethod
    @once_differentiable
    def backward(ctx: FunctionCtx, gradient: Tensor) -> tuple[Tensor, None, None, None]:
        (above,) = ctx.saved_tensors  # type: ignore[attr-defined]
        return passed(gradient, above, *ctx.how), None, None, None  # type: ignore[attr-defined]
