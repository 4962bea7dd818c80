"""The optimiser: Muon for the filters between hidden features, Adam for everything else.

Muon (Jordan et al., 2024, "Muon: an optimizer for hidden layers in neural networks") replaces a
weight matrix's momentum by the nearest semi-orthogonal matrix, found by a few Newton-Schulz steps,
so that all directions of a layer learn at one pace. Steps are scaled as by Liu et al. (2025, "Muon
is scalable for LLM training", section 2.2) to Adam's usual size: one learning rate serves both.
At equal steps of the packed x4 network it was worth 0.13 dB (docs/experiments.md).
"""

# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false
# pyright: reportUnknownArgumentType=false

from collections.abc import Callable, Iterable
from typing import Any

import torch
from torch import Tensor, nn

__all__ = ["MuonAdam"]

_MOMENTUM = 0.95
_BETAS = (0.9, 0.99)
_EPSILON = 1e-8
_NEWTON_SCHULZ = (3.4445, -4.7750, 2.0315)  # Jordan's quintic, steep at zero
_ITERATIONS = 5
_ADAM_SIZE = 0.2  # root mean square of an Adam step in units of its learning rate


class MuonAdam(torch.optim.Optimizer):
    """Both rules in one optimiser with the state names of `torch.optim.Adam`.

    ``exp_avg`` is either rule's momentum; ``exp_avg_sq`` stays zero where Muon rules.

    Args:
        parameters: names and tensors, as `nn.Module.named_parameters` gives.
        hidden: whether the parameter of that name is a filter between hidden features.
        lr: learning rate.
    """

    def __init__(
        self,
        parameters: Iterable[tuple[str, nn.Parameter]],
        *,
        hidden: Callable[[str, Tensor], bool],
        lr: float,
    ) -> None:
        groups: dict[bool, list[nn.Parameter]] = {True: [], False: []}
        for name, parameter in parameters:
            groups[hidden(name, parameter)].append(parameter)
        super().__init__(
            [{"params": found, "muon": muon} for muon, found in groups.items() if found],
            {"lr": lr},
        )

    @torch.no_grad()
    def step(self, closure: None = None) -> None:  # pyright: ignore[reportIncompatibleMethodOverride]
        """One step along the gradients that are there."""
        assert closure is None
        for group in self.param_groups:
            for parameter in group["params"]:
                if parameter.grad is None:
                    continue
                state: dict[str, Any] = self.state[parameter]
                if not state:
                    state["step"] = torch.zeros(())
                    state["exp_avg"] = torch.zeros_like(parameter)
                    state["exp_avg_sq"] = torch.zeros_like(parameter)
                state["step"] += 1
                rule = _muon if group["muon"] else _adam
                rule(parameter, parameter.grad, state, group["lr"])


def _adam(parameter: Tensor, gradient: Tensor, state: dict[str, Any], lr: float) -> None:
    step = state["step"].item()
    first, second = state["exp_avg"], state["exp_avg_sq"]
    first.lerp_(gradient, 1 - _BETAS[0])
    second.mul_(_BETAS[1]).addcmul_(gradient, gradient, value=1 - _BETAS[1])
    spread = (second / (1 - _BETAS[1] ** step)).sqrt_().add_(_EPSILON)
    parameter.addcdiv_(first, spread, value=-lr / (1 - _BETAS[0] ** step))


def _muon(parameter: Tensor, gradient: Tensor, state: dict[str, Any], lr: float) -> None:
    momentum = state["exp_avg"]
    momentum.mul_(_MOMENTUM).add_(gradient)
    ahead = gradient.add(momentum, alpha=_MOMENTUM)  # Nesterov's
    direction = orthogonalised(ahead.flatten(1))
    size = _ADAM_SIZE * max(direction.shape) ** 0.5
    parameter.add_(direction.view_as(ahead), alpha=-lr * size)


def orthogonalised(matrix: Tensor) -> Tensor:
    """About the nearest semi-orthogonal matrix: singular values between 0.7 and 1.2."""
    a, b, c = _NEWTON_SCHULZ
    tall = matrix.shape[0] > matrix.shape[1]
    x = matrix.T if tall else matrix
    x = x / (x.norm() + 1e-12)
    for _ in range(_ITERATIONS):
        gram = x @ x.T
        x = a * x + (b * gram + c * gram @ gram) @ x
    return x.T if tall else x
