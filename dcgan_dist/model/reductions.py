"""How DDP averages the gradients of several workers: as they are, or smaller on their way. Plain PyTorch.

- `fp32`: as they are, in the precision of the weights.
- `bf16`: rounded to bfloat16 for the way, half of the bytes.
- `powersgd`: matrices as products of two of rank `RANK` (Vogels, Karimireddy and Jaggi, 2019), about one percent of
  the bytes for the networks of `lsun64`. What a product leaves out each worker keeps, and adds to its next gradient
  (error feedback); it is in no checkpoint.
"""

from typing import Literal

import torch
from torch.distributed import GradBucket  # type: ignore[attr-defined]
from torch.distributed.algorithms.ddp_comm_hooks.default_hooks import bf16_compress_hook
from torch.distributed.algorithms.ddp_comm_hooks.powerSGD_hook import PowerSGDState, powerSGD_hook
from torch.nn.parallel import DistributedDataParallel

Gradients = Literal["fp32", "bf16", "powersgd"]
RANK = 4
FIRST_STEPS = 10
"""Reduced as they are before PowerSGD begins: DDP orders its buckets anew after the first of them."""


def reduce_by(network: DistributedDataParallel, gradients: Gradients) -> None:
    """Set how a network reduces its gradients, before its first step."""
    if gradients == "bf16":
        network.register_comm_hook(network.process_group, bf16_compress_hook)
    elif gradients == "powersgd":
        state = PowerSGDState(network.process_group, RANK, start_powerSGD_iter=FIRST_STEPS)
        network.register_comm_hook(state, _one_bucket_after_the_other)


def _one_bucket_after_the_other(state: PowerSGDState, bucket: GradBucket) -> torch.futures.Future[torch.Tensor]:
    """The hook reduces in callbacks, which Gloo calls in any order: two buckets at once would meet each other's sums on
    other workers."""
    reduced = powerSGD_hook(state, bucket)
    reduced.wait()
    return reduced
