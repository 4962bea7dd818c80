"""How a network does on clips that are kept out of training."""

# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false
# pyright: reportUnknownArgumentType=false

import math
from collections.abc import Callable, Generator, Sequence

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from upreel.datasets.clips import Clip
from upreel.datasets.patches import Pair
from upreel.networks.planes import interpolation_kernel, luma_of, pack
from upreel.zoo import NetworkConfig

__all__ = ["answers_to_frames", "clip_tensor", "frame_tensor", "score"]

_VALIDATION_FRAMES = 3  # a clip, spread over its length


@torch.no_grad()
def score(
    network: nn.Module, config: NetworkConfig, pairs: Sequence[Pair], device: torch.device
) -> tuple[dict[str, float], dict[str, float]]:
    """Mean Y-PSNR in dB by source: of a network, and of bicubic interpolation.

    Args:
        network: in evaluation mode, on the device.
        config: its architecture.
        pairs: clips, of which some frames are compared.
        device: where it runs.
    """
    kernel = interpolation_kernel(config.scale, config.layout, config.answer_phase).to(device)
    scores: dict[str, list[float]] = {}
    baseline: dict[str, list[float]] = {}
    for pair in pairs:
        num_frames = pair.low.luma.shape[0]
        whole = (
            _answers(network, clip_tensor(pair.low, device), config.multiple)
            if config.recurrent
            else None
        )
        for t in sorted({num_frames * k // _VALIDATION_FRAMES for k in range(3)}):
            inputs = frame_tensor(pair.low, t, config, device)
            high = torch.from_numpy(pair.high.luma[t][None, None]).to(device).float()
            current = inputs[:, : kernel.shape[1]]
            own = _answers(network, inputs, config.multiple) if whole is None else whole[:, t]
            for store, answer in (
                (scores, own),
                (baseline, F.conv2d(current, kernel, padding=kernel.shape[-1] // 2)),
            ):
                luma = luma_of(answer, config.scale, config.layout)
                # The outer samples see zero padding here; deployment gives real margins.
                error = (luma.mul(255).round().clamp(0, 255) - high)[..., 16:-16, 16:-16]
                psnr = 10 * math.log10(255**2 / max(error.square().mean().item(), 1e-10))
                store.setdefault(pair.high.source, []).append(psnr)
    return _means(scores), _means(baseline)


def answers_to_frames(
    network: Callable[[Tensor], Tensor], config: NetworkConfig, clip: Clip, device: torch.device
) -> Generator[Tensor, None, None]:
    """What a network answers to the frames of a clip, border samples repeated beyond them.

    Args:
        network: takes and gives what one of `config` does.
        config: an architecture.
        clip: low resolution.
        device: where the network runs.

    Yields:
        Answers (N, C, h, w) to the next frames: all at once of a recurrent network, else one.
    """
    period = config.period
    m = -(-config.margin // period) * period
    windows = (frame_tensor(clip, t, config, device) for t in range(len(clip.luma)))
    for frames in [clip_tensor(clip, device)] if config.recurrent else windows:
        rows, columns = frames.shape[2:]
        far = [m + -side % period for side in (rows, columns)]
        padded = F.pad(frames, (m, far[1], m, far[0]), mode="replicate")
        answer = network(padded)[..., m : m + rows, m : m + columns]
        yield answer[0] if config.recurrent else answer


def frame_tensor(clip: Clip, t: int, config: NetworkConfig, device: torch.device) -> Tensor:
    """What a network sees for a frame, (1, n T, h, w) in [0, 1]."""
    last = clip.luma.shape[0] - 1
    seen: list[Tensor] = []
    for k in (min(max(t + offset, 0), last) for offset in config.offsets):
        frame = torch.from_numpy(clip.luma[k][None, None]).to(device).float() / 255
        if config.layout == "packed":
            chroma = torch.from_numpy(clip.chroma[k][None]).to(device).float() / 255
            frame = pack(frame, chroma)
        seen.append(frame)
    return torch.cat(seen, dim=1)


def clip_tensor(clip: Clip, device: torch.device) -> Tensor:
    """Luma of all frames, (1, T, h, w) in [0, 1]."""
    return torch.from_numpy(clip.luma[None]).to(device).float() / 255


def _answers(network: nn.Module, inputs: Tensor, multiple: int) -> Tensor:
    """What the network answers, its input made larger to a size that it takes."""
    rows, columns = inputs.shape[2:]
    padded = F.pad(inputs, (0, -columns % multiple, 0, -rows % multiple), mode="replicate")
    return network(padded)[..., :rows, :columns]


def _means(values: dict[str, list[float]]) -> dict[str, float]:
    return {source: sum(v) / len(v) for source, v in sorted(values.items())}
