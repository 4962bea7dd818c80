"""What holds for every network: `trained_like` weights, and checks against its config."""

import copy
from dataclasses import asdict

import numpy as np
import onnxruntime as ort
import openvino as ov
import torch
from torch import Tensor, nn

from upreel.inference.export import to_onnx
from upreel.networks.build import build_network
from upreel.zoo import NetworkConfig

EACH = {"packed": 6, "luma": 1}


def trained_like(config: NetworkConfig, seed: int = 0) -> nn.Module:
    """Random weights everywhere, most features alive, batch norm in use."""
    network = build_network(asdict(config))
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for parameter in network.parameters():
            spread = 0.5 / max(parameter[0].numel(), 9) ** 0.5
            parameter.copy_(torch.randn(parameter.shape, generator=generator) * spread)
            if parameter.ndim == 1:
                parameter.add_(0.2)
        for module in network.modules():
            if isinstance(module, nn.BatchNorm2d):
                assert module.running_mean is not None
                assert module.running_var is not None
                module.running_mean.copy_(
                    0.1 * torch.randn(module.running_mean.shape, generator=generator)
                )
                module.running_var.uniform_(0.5, 2, generator=generator)
                module.weight.abs_().add_(0.5)
    return network


def frames(config: NetworkConfig, height: int, width: int, seed: int = 1, batch: int = 2) -> Tensor:
    """Noise, (B, n T, H, W)."""
    channels = EACH[config.layout] * config.frames
    generator = torch.Generator().manual_seed(seed)
    return torch.rand(batch, channels, height, width, generator=generator)


def waves(
    height: int, width: int, dx: float = 0, dy: float = 0, zoom: float = 1.0, seed: int = 0
) -> Tensor:
    """A sum of sines that has moved by (dx, dy), exact at any position, (1, 1, H, W) in [0, 1]."""
    random = np.random.default_rng(seed)
    y, x = np.mgrid[:height, :width].astype(float)
    y, x = (y - dy - height / 2) / zoom, (x - dx - width / 2) / zoom
    total = np.zeros((height, width))
    for _ in range(60):
        angle, phase = random.uniform(0, 2 * np.pi, 2)
        length = random.uniform(5, 40)
        total += np.sin(2 * np.pi * (x * np.cos(angle) + y * np.sin(angle)) / length + phase)
    return torch.from_numpy(0.5 + 0.03 * total).float().clamp(0, 1)[None, None]


def answer_shape(config: NetworkConfig, given: Tensor) -> tuple[int, ...]:
    """Of the answer to `given`."""
    return (given.shape[0], EACH[config.layout] * config.scale**2, *given.shape[2:])


def check_gradients(network: nn.Module, given: Tensor, *, auxiliary: bool = False) -> None:
    """Every parameter gets one that is finite and not zero."""
    loss = network.train()(given).square().sum()
    if auxiliary:
        assert callable(network.auxiliary_loss)
        loss = loss + network.auxiliary_loss()
    loss.backward()
    for name, parameter in network.named_parameters():
        assert parameter.grad is not None, name
        assert parameter.grad.isfinite().all(), name
        assert parameter.grad.abs().max() > 0, name


def reach(network: nn.Module, given: Tensor, row: int, column: int) -> int:
    """The largest distance, along rows or columns, from which an answer has a gradient."""
    given = given.clone().requires_grad_()
    network.eval()(given)[0, :, row, column].square().sum().backward()
    assert given.grad is not None
    rows, columns = torch.nonzero(given.grad[0].abs().sum(dim=0), as_tuple=True)
    return int(max((rows - row).abs().max().item(), (columns - column).abs().max().item()))


def count_macs(network: nn.Module, given: Tensor) -> int:
    """Multiply-accumulates of all convolutions on one clip, the fixed interpolation left out."""
    counted = 0

    def count(module: nn.Module, _: tuple[Tensor, ...], answer: Tensor) -> None:
        nonlocal counted
        assert isinstance(module, (nn.Conv2d, nn.ConvTranspose2d))
        taps = module.weight[0].numel()
        if isinstance(module, nn.ConvTranspose2d):  # its stride is its size: no taps overlap
            taps = module.in_channels
        counted += taps * answer.numel()

    for module in network.modules():
        if isinstance(module, (nn.Conv2d, nn.ConvTranspose2d)):
            module.register_forward_hook(count)
    network.eval()(given)
    return counted


def check_engines(
    network: nn.Module, config: NetworkConfig, given: Tensor, *, rounding: float, atol: float
) -> None:
    """What is exported answers as the network does in all engines.

    Args:
        network: in full precision.
        config: its own.
        given: the input.
        rounding: what weights of f16 may change in an answer.
        atol: what an engine may.
    """
    folded, model = exported(network, config)
    expected = folded(given).detach()
    torch.testing.assert_close(expected, network.eval()(given), rtol=0, atol=rounding)
    assert expected.std() > 0.01
    for name, answer in run_onnx(model, given).items():
        torch.testing.assert_close(
            torch.from_numpy(answer),
            expected,
            rtol=0,
            atol=atol,
            msg=lambda m, n=name: f"{n}: {m}",
        )


def exported(network: nn.Module, config: NetworkConfig) -> tuple[nn.Module, bytes]:
    """What is exported, its weights rounded to f16, and the ONNX file."""
    network = copy.deepcopy(network).eval()
    folded = network.folded() if hasattr(network, "folded") else network
    assert isinstance(folded, nn.Module)
    with torch.no_grad():
        for parameter in folded.parameters():
            parameter.copy_(parameter.half())
    channels = EACH[config.layout] * config.frames
    return folded, to_onnx(folded, channels, {}, multiple=config.multiple)


def run_onnx(model: bytes, given: Tensor) -> dict[str, np.ndarray]:
    """Answers of the engines, in f32."""
    core = ov.Core()
    compiled = core.compile_model(
        core.read_model(model), "CPU", {"INFERENCE_PRECISION_HINT": "f32"}
    )
    session = ort.InferenceSession(model, providers=["CPUExecutionProvider"])
    values = given.numpy()
    return {
        "openvino": np.array(compiled(values)[0]),
        "onnxruntime": np.asarray(session.run(None, {session.get_inputs()[0].name: values})[0]),
    }
