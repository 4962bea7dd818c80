"""A small codec with random weights, with which something is sent; and exporting it."""

from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

from upreel.zoo.codec_card import CodecCard
from upreel.zoo.configs.codec import CodecConfig

if TYPE_CHECKING:
    from upreel.networks.codec import Codec

CONFIG = CodecConfig(channels=(8, 12, 16), latents=10, hyper=4, prior=6, anchors=3)


def lively(seed: int = 5) -> "Codec":
    """Random weights with which something is sent."""
    import torch

    from upreel.networks.codec import Codec

    torch.manual_seed(seed)
    codec = Codec(**asdict(CONFIG)).eval()
    with torch.no_grad():
        for name, parameter in codec.named_parameters():
            if "prior.tail.weight" in name:
                parameter.mul_(3)
            if "hyper_analysis.tail" in name:
                parameter.mul_(8)
            if "synthesis.tail" in name:
                parameter.mul_(0.3)
            parameter.copy_(parameter.half().float())
    return codec


def export_small_codec(folder: Path) -> CodecCard:
    """Its card and files in a folder."""
    from upreel.inference.export_codec import export_codec

    return export_codec(
        name="drawn",
        summary="random",
        config=CONFIG,
        weights=lively().state_dict(),
        training_data=("drawn",),
        steps=0,
        commit="",
        folder=folder,
    )
