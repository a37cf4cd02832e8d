import torch

from dcgan_dist.model.momentum import Momentum


def test_each_gradient_keeps_the_rate_of_its_step() -> None:
    weight = torch.tensor([2.0, -1.0], dtype=torch.float64, requires_grad=True)
    optimizer = Momentum([weight], lr=0.5, momentum=0.25, weight_decay=0.125)
    weight.grad = torch.tensor([1.0, 3.0], dtype=torch.float64)
    optimizer.step()
    # v = -0.5 * ([1, 3] + 0.125 * [2, -1])
    assert weight.tolist() == [2 - 0.625, -1 - 1.4375]
    optimizer.param_groups[0].update(lr=0.25, momentum=0.75, weight_decay=0.0)
    weight.grad = torch.tensor([4.0, 0.0], dtype=torch.float64)
    optimizer.step()
    # v = 0.75 * [-0.625, -1.4375] - 0.25 * [4, 0]
    assert weight.tolist() == [1.375 - 0.46875 - 1, -2.4375 - 1.078125]


def test_weights_without_a_gradient_stay() -> None:
    weight = torch.ones(3, requires_grad=True)
    optimizer = Momentum([weight], lr=0.5, momentum=0.25, weight_decay=0.125)
    optimizer.step()
    assert weight.tolist() == [1, 1, 1]


def test_a_closure_computes_the_gradient_first() -> None:
    weight = torch.tensor([3.0], requires_grad=True)
    optimizer = Momentum([weight], lr=0.5, momentum=0.25)

    def closure() -> float:
        loss = (2 * weight).sum()
        loss.backward()
        return float(loss)

    assert optimizer.step(closure) == 6
    assert weight.tolist() == [2]
