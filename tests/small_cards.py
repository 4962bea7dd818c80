"""Small networks with random weights, exported on the spot: one of every kind and layout."""

import hashlib
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path

import numpy as np
import torch  # noqa: TID253
import torch.nn.functional as F  # noqa: TID253
from safetensors.torch import load_file
from torch import Tensor, nn  # noqa: TID253

from upreel.inference.export import export_card, to_onnx
from upreel.networks.build import build_network
from upreel.networks.planes import luma_of
from upreel.video.frame import Plane
from upreel.zoo import FastConfig, ModelCard, NetworkConfig
from upreel.zoo.card import write_card
from upreel.zoo.configs import (
    EncoderDecoderConfig,
    EspcnConfig,
    FrameRecurrentConfig,
    FusionConfig,
    RecurrentConfig,
    SrcnnConfig,
    TemporalAdaptiveConfig,
    VespcnConfig,
)

BRANCH = FastConfig(scale=2, channels=6, depth=2, layout="luma")
FUSING = TemporalAdaptiveConfig(
    branch=BRANCH, modulation_channels=(6, 4), alignment="flow", fusion=(6, 2)
)

CONFIGS: dict[str, NetworkConfig] = {
    "fast-luma": FastConfig(scale=2, channels=8, depth=2, layout="luma"),
    "fast-two": FastConfig(scale=4, channels=8, depth=2, frames=2, layout="luma"),
    "fast-plain": FastConfig(scale=3, channels=8, depth=4, skips=False),
    "fast-packed": FastConfig(scale=2, channels=8, depth=2, frames=5),
    "espcn-relu": EspcnConfig(scale=3, frames=3, channels=(8, 6), activation="relu"),
    "espcn-tanh": EspcnConfig(scale=2, frames=5, channels=(8, 6), activation="tanh", residual=True),
    "srcnn": SrcnnConfig(scale=2, channels=(6, 4)),
    "encoder-decoder": EncoderDecoderConfig(scale=3, channels=(4, 6)),  # multiples of 4
    "vespcn": VespcnConfig(scale=2, channels=6, depth=3),
    "fusion": FusionConfig(first=BRANCH, frames=3, channels=6, depth=2, alignment="none"),
    "tan-rectified": TemporalAdaptiveConfig(
        branch=BRANCH, branches=2, modulation_channels=(6, 4), alignment="rectified"
    ),
    "tan-spatial": TemporalAdaptiveConfig(
        branch=BRANCH, branches=2, modulation_channels=(6, 4), alignment="spatial"
    ),
    "tan-packed": TemporalAdaptiveConfig(
        branch=FastConfig(scale=2, channels=6, depth=2),
        branches=2,
        modulation="free",
        modulation_channels=(6, 4),
        alignment="spatial",
    ),
    "tan-flow": FUSING,
    "recurrent": RecurrentConfig(first=BRANCH, channels=6, depth=2),
    "recurrent-fused": RecurrentConfig(first=FUSING, channels=6, depth=2),
    "frame-recurrent": FrameRecurrentConfig(scale=4, channels=8, depth=2, carried=4),
}
STRENGTHS = {"fast-luma": 0.05, "espcn-relu": 1.5, "vespcn": 0.5}
"""Standard deviation of a last filter: by how much it differs from interpolation, or from black."""
GAINS = {"frame_recurrent": 1.5}
"""By kind, of all other filters: what they carry shall matter."""
BLURS = {"srcnn"}
"""Averages all along: random filters without a residual would rather be black."""


def random_network(name: str) -> nn.Module:
    """One of `CONFIGS` with weights that f16 holds, in evaluation mode."""
    return with_random_weights(CONFIGS[name], name)


def with_random_weights(config: NetworkConfig, name: str = "") -> nn.Module:
    """A network with weights that f16 holds, in evaluation mode; some names have their own kind."""
    torch.manual_seed(5)
    network = build_network(asdict(config))
    with torch.no_grad():
        for place, parameter in network.named_parameters():
            fan_in = parameter[0].numel() if parameter.dim() > 1 else 100
            others = GAINS.get(config.kind, 1.0)
            gain = STRENGTHS.get(name, 0.3) if "tail" in place else others
            weight = torch.randn_like(parameter) * gain / fan_in**0.5
            parameter.copy_((weight.abs() / fan_in**0.5 if name in BLURS else weight).half())
        for place, running in network.named_buffers():
            if place.endswith("running_mean"):
                running.copy_(torch.randn_like(running) * 0.1)
            elif place.endswith("running_var"):
                running.copy_(torch.rand_like(running) + 0.1)
    return network.eval()


class Blend(nn.Module):
    """Frames weighed by a softmax, multiplied, moved by a sample: what no convolution does."""

    radius = 3

    def __init__(self, scale: int, frames: int) -> None:
        super().__init__()
        torch.manual_seed(6)
        self.weigh = nn.Conv2d(frames, frames, 3, padding=1)
        self.answer = nn.Conv2d(frames, scale * scale, 3, padding=1)

    def forward(self, luma: Tensor) -> Tensor:
        """(B, frames, H, W) to (B, s^2, H, W)."""
        weights = torch.softmax(4 * self.weigh(luma), dim=1)
        blended = weights * luma
        moved = torch.cat((blended[..., :1], blended[..., :-1]), dim=-1)
        return luma[:, :1] + 0.3 * torch.sigmoid(self.answer(blended * moved)) - 0.1


def export_small(name: str, folder: Path) -> ModelCard:
    """The card of one of `CONFIGS`, or of `Blend`: its config only says what goes in and out."""
    if name == "blend":
        config = FastConfig(scale=2, channels=4, depth=2, frames=3, layout="luma")
        data = to_onnx(Blend(2, 3), 3, {}, layout="luma")
        (folder / "blend.onnx").write_bytes(data)
        card = ModelCard(
            name="blend", summary="", network=config, training_data=(), degradation="", licence="",
            steps=0, commit="", sha256=hashlib.sha256(data).hexdigest(),
            tolerance={"f32": 1.0, "bf16": 3.0}, folder=folder,
        )  # fmt: skip
        write_card(card)
        return card
    return export_card(
        name=name,
        summary="random",
        config=CONFIGS[name],
        weights=random_network(name).state_dict(),
        training_data=(),
        degradation="none",
        steps=0,
        commit="",
        folder=folder,
    )


SMALL = (*(name for name, config in CONFIGS.items() if not config.recurrent), "blend")
"""Those that are run as one network."""


def torch_network(card: ModelCard) -> nn.Module:
    """The PyTorch network of a card, from its safetensors."""
    if card.name == "blend":
        return Blend(2, 3).eval()
    network = build_network(asdict(card.network)).eval()
    stored = load_file(card.folder / f"{card.name}.safetensors")
    network.load_state_dict(
        {k: v.float() if v.is_floating_point() else v for k, v in stored.items()}
    )
    folded = getattr(network, "folded", None)
    return network if folded is None else folded().eval()


def luma_by_torch(card: ModelCard, frames: Sequence[Plane], bits: int = 8) -> np.ndarray:
    """What the network of a luma card answers to a window in time's order: `luma_of_network`."""
    past = card.window[0]
    seen = [frames[past + offset] for offset in card.network.offsets]
    return luma_of_network(torch_network(card), card.network, seen, bits)


def luma_of_network(
    network: nn.Module, config: NetworkConfig, seen: Sequence[Plane], bits: int = 8
) -> np.ndarray:
    """What a luma network answers to frames in its own order: float levels, not rounded.

    The slow twin of `PlaneUpscaler`: the whole picture, bordered by its own samples.
    """
    period = config.period
    margin = -(-config.margin // period) * period
    height, width = seen[0].shape
    borders = [(margin, margin + -side % period) for side in (height, width)]
    limit = np.float32((1 << bits) - 1)
    stack = np.stack(
        [np.pad(frame.astype(np.float32), borders, mode="edge") / limit for frame in seen]
    )
    with torch.no_grad():
        answer = network(torch.from_numpy(stack)[None])
    answer = F.pad(answer, (-margin, -borders[1][1], -margin, -borders[0][1]))
    return luma_of(answer, config.scale, "luma")[0, 0].numpy() * limit
