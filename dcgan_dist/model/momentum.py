"""Gradient descent with momentum, for a learning rate and a momentum that change from step to step (original GAN).

PyTorch's own keeps a sum of gradients, to the whole of which a new learning rate applies; here each gradient keeps the
rate of its step.
"""

from collections.abc import Callable, Iterable
from typing import overload

import torch
from torch import Tensor
from torch.optim import Optimizer


class Momentum(Optimizer):
    """v <- momentum * v - lr * gradient; weight <- weight + v (Pylearn2), v being 0 at first.

    `lr` and `momentum` are read from the groups at each step. The L2 penalty is added to the gradient.
    """

    def __init__(self, weights: Iterable[Tensor], lr: float, momentum: float, weight_decay: float = 0.0) -> None:
        super().__init__(weights, {"lr": lr, "momentum": momentum, "weight_decay": weight_decay})

    @overload
    def step(self, closure: None = None) -> None: ...
    @overload
    def step(self, closure: Callable[[], float]) -> float: ...

    @torch.no_grad()
    def step(self, closure: Callable[[], float] | None = None) -> float | None:
        """Change all weights that have a gradient; a closure, which PyTorch's interface has, computes it first.

        Returns:
            what the closure gives, the loss; None without one.
        """
        loss = None
        if closure is not None:
            with torch.enable_grad():
                loss = closure()
        for group in self.param_groups:
            for weight in group["params"]:
                if weight.grad is None:
                    continue
                if not self.state[weight]:
                    self.state[weight]["velocity"] = torch.zeros_like(weight)
                velocity = self.state[weight]["velocity"]
                gradient = weight.grad.add(weight, alpha=group["weight_decay"])
                velocity.mul_(group["momentum"]).sub_(gradient, alpha=group["lr"])
                weight.add_(velocity)
        return loss
