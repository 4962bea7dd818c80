"""MuonAdam: each rule against its definition, and which parameter gets which.

Mutations tried: the momentum's sign, no Nesterov step, the size by the smaller side, Adam's bias
correction left out, hidden filters given to Adam.
"""

import pytest
import torch
from torch import Tensor, nn

from upreel.training.optimizer import MuonAdam, orthogonalised


def parameters(*shapes: tuple[int, ...]) -> list[tuple[str, nn.Parameter]]:
    generator = torch.Generator().manual_seed(0)
    return [
        (f"p{n}", nn.Parameter(torch.randn(shape, generator=generator)))
        for n, shape in enumerate(shapes)
    ]


def gradients(step: int, like: Tensor) -> Tensor:
    return torch.randn(like.shape, generator=torch.Generator().manual_seed(step + 1))


@pytest.mark.parametrize("shape", [(8, 8), (6, 54), (40, 9), (1, 5)])
def test_all_directions_get_about_one_length(shape: tuple[int, int]) -> None:
    matrix = torch.randn(shape, generator=torch.Generator().manual_seed(3))

    answer = orthogonalised(matrix)

    lengths = torch.linalg.svdvals(answer)
    assert lengths.min() > 0.5
    assert lengths.max() < 1.3
    u, _, v = torch.linalg.svd(matrix, full_matrices=False)
    nearest = u @ v  # the exact semi-orthogonal matrix
    cosine = (answer * nearest).sum() / (answer.norm() * nearest.norm())
    assert cosine > 0.97


def test_a_zero_gradient_moves_nothing() -> None:
    ((name, parameter),) = parameters((4, 4, 3, 3))
    before = parameter.detach().clone()
    parameter.grad = torch.zeros_like(parameter)

    MuonAdam([(name, parameter)], hidden=lambda *_: True, lr=0.1).step()

    assert torch.equal(parameter, before)


def test_filters_follow_muon() -> None:
    ((name, parameter),) = parameters((6, 4, 3, 3))
    expected, momentum = parameter.detach().clone(), torch.zeros_like(parameter)
    optimizer = MuonAdam([(name, parameter)], hidden=lambda *_: True, lr=0.01)

    for step in range(4):
        parameter.grad = gradients(step, parameter)
        optimizer.step()
        momentum = 0.95 * momentum + parameter.grad
        direction = orthogonalised((parameter.grad + 0.95 * momentum).reshape(6, 36))
        expected -= 0.01 * 0.2 * 36**0.5 * direction.reshape(expected.shape)

    torch.testing.assert_close(parameter.detach(), expected, rtol=0, atol=1e-6)
    assert (optimizer.state[parameter]["exp_avg_sq"] == 0).all()
    # The size of an Adam step: about a fifth of the learning rate a weight.
    size = (0.01 * 0.2 * 6 * direction).square().mean().sqrt()
    assert size == pytest.approx(0.01 * 0.2, rel=0.2)


def test_everything_else_follows_adam() -> None:
    mine, theirs = parameters((5, 3), (7,)), parameters((5, 3), (7,))
    optimizer = MuonAdam(mine, hidden=lambda *_: False, lr=0.02)
    reference = torch.optim.Adam([p for _, p in theirs], lr=0.02, betas=(0.9, 0.99))

    for step in range(5):
        for (_, one), (_, other) in zip(mine, theirs, strict=True):
            one.grad, other.grad = gradients(step, one), gradients(step, other)
        optimizer.step()
        reference.step()

    for (_, one), (_, other) in zip(mine, theirs, strict=True):
        torch.testing.assert_close(one, other, rtol=1e-6, atol=1e-7)


def test_parameters_without_a_gradient_are_left_alone() -> None:
    pairs = parameters((2, 2), (3,))
    before = [p.detach().clone() for _, p in pairs]

    MuonAdam(pairs, hidden=lambda _, p: p.ndim == 2, lr=0.1).step()

    for (_, parameter), old in zip(pairs, before, strict=True):
        assert torch.equal(parameter, old)
