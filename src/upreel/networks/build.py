"""A network from the values of its config."""

from collections.abc import Mapping
from typing import Any

from torch import nn

from upreel.networks.baselines import Espcn, Srcnn
from upreel.networks.encoder_decoder import EncoderDecoder
from upreel.networks.fast import FastNetwork
from upreel.networks.frame_recurrent import FrameRecurrentNetwork
from upreel.networks.fusion import FusionNetwork
from upreel.networks.quantized import QuantizedNetwork
from upreel.networks.quantized_step import QuantizedStepNetwork
from upreel.networks.recurrent import RecurrentNetwork
from upreel.networks.temporal_adaptive import TemporalAdaptiveNetwork
from upreel.networks.vespcn import Vespcn

__all__ = ["build_network"]


def build_network(config: Mapping[str, Any]) -> nn.Module:
    """The module that a config's values (``dataclasses.asdict``) describe, freshly initialised."""
    values = dict(config)
    kinds: dict[str, type[nn.Module]] = {
        "fast": FastNetwork,
        "espcn": Espcn,
        "srcnn": Srcnn,
        "encoder_decoder": EncoderDecoder,
        "vespcn": Vespcn,
        "fusion": FusionNetwork,
        "temporal_adaptive": TemporalAdaptiveNetwork,
        "recurrent": RecurrentNetwork,
        "frame_recurrent": FrameRecurrentNetwork,
        "quantized": QuantizedNetwork,
    }
    kind = values.pop("kind")
    if kind == "quantized" and values["network"]["kind"] == "frame_recurrent":
        return QuantizedStepNetwork(network=values["network"])
    if kind not in kinds:
        raise ValueError(f"no network of kind {kind!r}; there are: {', '.join(kinds)}")
    return kinds[kind](**values)
