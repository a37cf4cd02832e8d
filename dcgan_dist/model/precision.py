"""The types of number: in which the convolutions are computed, and in which the weights are kept."""

from dataclasses import dataclass, replace
from typing import Literal

import torch

from dcgan_dist.settings import OptimizationSettings, Settings


@dataclass(frozen=True)
class Precision:
    """What one of the values of `optimization.precision` means."""

    name: str
    weights: torch.dtype
    """Of weights, optimizers, batch statistics, logits and losses."""
    compute: torch.dtype
    """Of images, maps and convolutions."""


FP32 = Precision("fp32", weights=torch.float32, compute=torch.float32)
BF16 = Precision("bf16", weights=torch.float32, compute=torch.bfloat16)
FP64 = Precision("fp64", weights=torch.float64, compute=torch.float64)


def resolve_precision(setting: Literal["auto", "fp32", "bf16", "fp64"], device: torch.device) -> Precision:
    """What `setting` means on `device`: `auto` is bf16 where the processor multiplies matrices of it, else fp32."""
    if setting == "auto":
        return BF16 if _multiplies_bf16(device) else FP32
    return {"fp32": FP32, "bf16": BF16, "fp64": FP64}[setting]


def of_networks(settings: Settings) -> OptimizationSettings:
    """How the networks learn, `auto` being fp32 for those of a user's own: layers of PyTorch's take no bf16 beside
    weights in fp32, as ours do."""
    optimization = settings.optimization
    if settings.networks.factory and optimization.precision == "auto":
        return replace(optimization, precision="fp32")
    return optimization


def _multiplies_bf16(device: torch.device) -> bool:
    if device.type == "cuda":
        # torch.cuda.is_bf16_supported() also says yes where it is only emulated; matrix units have it since Ampere.
        return torch.version.hip is not None or torch.cuda.get_device_capability(device) >= (8, 0)
    # Without AMX, bf16 is slower than fp32 on a CPU.
    return device.type == "cpu" and bool(torch.cpu.get_capabilities().get("amx_bf16", False))
