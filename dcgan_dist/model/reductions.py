"""How DDP averages the gradients of several workers: as they are, or smaller on their way. Plain PyTorch.

- `fp32`: as they are, in the precision of the weights.
- `bf16`: rounded to bfloat16 for the way, half of the bytes.
- `powersgd`: matrices as products of two of rank `RANK` (Vogels, Karimireddy and Jaggi, 2019), about one percent of
  the bytes for the networks of `lsun64`. What a product leaves out each worker keeps, and adds to its next gradient
  (error feedback); it is in no checkpoint.
"""

from typing import Literal

import torch
import torch.distributed as dist
from torch import nn
from torch.distributed import GradBucket  # type: ignore[attr-defined]
from torch.distributed.algorithms.ddp_comm_hooks.default_hooks import bf16_compress_hook
from torch.distributed.algorithms.ddp_comm_hooks.powerSGD_hook import PowerSGDState, powerSGD_hook
from torch.nn.parallel import DistributedDataParallel

Gradients = Literal["fp32", "bf16", "powersgd"]
RANK = 4
FIRST_STEPS = 10
"""Reduced as they are before PowerSGD begins: DDP orders its buckets anew after the first of them."""
BUCKET_MB = 5
"""Gradients that are sent together once there are so many, from the last layer to the first.

With PyTorch's 25 MB, those of the last layers of the G of `lsun64` (16 MB) wait for its largest one (52 MB), to be sent
with it. Buckets below 5 MB would begin no sooner there, for a layer is never divided.
"""


def distribute(
    network: nn.Module, gradients: Gradients, group: dist.ProcessGroup | None = None
) -> DistributedDataParallel:
    """A network whose gradients the workers of a group, or all, average in each backward pass."""
    distributed = DistributedDataParallel(network, process_group=group, bucket_cap_mb=BUCKET_MB)
    if gradients == "bf16":
        distributed.register_comm_hook(distributed.process_group, bf16_compress_hook)
    elif gradients == "powersgd":
        state = PowerSGDState(distributed.process_group, RANK, start_powerSGD_iter=FIRST_STEPS)
        distributed.register_comm_hook(state, _one_bucket_after_the_other)
    return distributed


def _one_bucket_after_the_other(state: PowerSGDState, bucket: GradBucket) -> torch.futures.Future[torch.Tensor]:
    """The hook reduces in callbacks, which Gloo calls in any order: two buckets at once would meet each other's sums on
    other workers."""
    reduced = powerSGD_hook(state, bucket)
    reduced.wait()
    return reduced
