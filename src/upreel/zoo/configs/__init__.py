"""Architectures as plain values: what a card stores, and all that callers may ask of a network.

Grid      positions of a network's tensors. ``packed``: blocks of 2x2 luma samples with their Cb
          and Cr, 6 channels a frame; ``luma``: luma samples, 1 channel a frame (chroma is resized).
Offsets   frames in the order of the input channels, relative to the current one.
Radius    positions around a position that its answer depends on: the margin that callers hand in.
Multiple  positions by which the grid (margins counted) must be divisible.
Period    a multiple of it at which tiles begin: where it is not 1, answers depend on the origin.
"""

from collections.abc import Mapping
from typing import Any, cast

from upreel.zoo.configs.common import Layout as Layout
from upreel.zoo.configs.espcn import EspcnConfig as EspcnConfig
from upreel.zoo.configs.fast import FastConfig as FastConfig
from upreel.zoo.configs.frame_recurrent import FrameRecurrentConfig as FrameRecurrentConfig
from upreel.zoo.configs.fusion import BranchConfig as BranchConfig
from upreel.zoo.configs.fusion import FusionConfig as FusionConfig
from upreel.zoo.configs.quantized import QuantizedConfig as QuantizedConfig
from upreel.zoo.configs.recurrent import RecurrentConfig as RecurrentConfig
from upreel.zoo.configs.srcnn import EncoderDecoderConfig as EncoderDecoderConfig
from upreel.zoo.configs.srcnn import SrcnnConfig as SrcnnConfig
from upreel.zoo.configs.temporal_adaptive import TemporalAdaptiveConfig as TemporalAdaptiveConfig
from upreel.zoo.configs.vespcn import VespcnConfig as VespcnConfig

__all__ = [
    "BranchConfig",
    "EncoderDecoderConfig",
    "EspcnConfig",
    "FastConfig",
    "FrameRecurrentConfig",
    "FusionConfig",
    "Layout",
    "NetworkConfig",
    "QuantizedConfig",
    "RecurrentConfig",
    "SrcnnConfig",
    "TemporalAdaptiveConfig",
    "VespcnConfig",
    "network_config",
]

NetworkConfig = (
    FastConfig
    | EspcnConfig
    | SrcnnConfig
    | EncoderDecoderConfig
    | VespcnConfig
    | FusionConfig
    | TemporalAdaptiveConfig
    | RecurrentConfig
    | FrameRecurrentConfig
    | QuantizedConfig
)
_KINDS: dict[str, type[NetworkConfig]] = {
    "fast": FastConfig,
    "espcn": EspcnConfig,
    "srcnn": SrcnnConfig,
    "encoder_decoder": EncoderDecoderConfig,
    "vespcn": VespcnConfig,
    "fusion": FusionConfig,
    "temporal_adaptive": TemporalAdaptiveConfig,
    "recurrent": RecurrentConfig,
    "frame_recurrent": FrameRecurrentConfig,
    "quantized": QuantizedConfig,
}


def network_config(values: Mapping[str, Any]) -> NetworkConfig:
    """The config that ``dataclasses.asdict`` made these values of, as JSON gives them back.

    Raises:
        ValueError: no such kind, or a value that it does not allow.
        TypeError: a value that is missing or not of this kind.
    """
    if not isinstance(values, Mapping):  # pyright: ignore[reportUnnecessaryIsInstance]
        raise TypeError(f"a network is described by names and values, got {values!r}")
    kind = values.get("kind", "fast")
    if kind not in _KINDS:
        raise ValueError(f"no network of kind {kind!r}; there are: {', '.join(_KINDS)}")
    for name in ("branch", "first", "network"):
        branch = values.get(name)
        if isinstance(branch, Mapping):
            values = {**values, name: network_config(cast("Mapping[str, Any]", branch))}
    return _KINDS[kind](**values)
