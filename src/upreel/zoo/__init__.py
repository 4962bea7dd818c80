"""The networks that this project ships: one card each, their weights beside it."""

from upreel.zoo.card import ModelCard as ModelCard
from upreel.zoo.card import Precision as Precision
from upreel.zoo.configs import BranchConfig as BranchConfig
from upreel.zoo.configs import EncoderDecoderConfig as EncoderDecoderConfig
from upreel.zoo.configs import EspcnConfig as EspcnConfig
from upreel.zoo.configs import FastConfig as FastConfig
from upreel.zoo.configs import FrameRecurrentConfig as FrameRecurrentConfig
from upreel.zoo.configs import FusionConfig as FusionConfig
from upreel.zoo.configs import Layout as Layout
from upreel.zoo.configs import NetworkConfig as NetworkConfig
from upreel.zoo.configs import QuantizedConfig as QuantizedConfig
from upreel.zoo.configs import RecurrentConfig as RecurrentConfig
from upreel.zoo.configs import SrcnnConfig as SrcnnConfig
from upreel.zoo.configs import TemporalAdaptiveConfig as TemporalAdaptiveConfig
from upreel.zoo.configs import VespcnConfig as VespcnConfig
from upreel.zoo.configs import network_config as network_config
from upreel.zoo.stored import read_stored as read_stored
from upreel.zoo.table import card_names as card_names
from upreel.zoo.table import ladder as ladder
from upreel.zoo.table import load_card as load_card
from upreel.zoo.table import name_at_scale as name_at_scale

__all__ = [
    "BranchConfig",
    "EncoderDecoderConfig",
    "EspcnConfig",
    "FastConfig",
    "FrameRecurrentConfig",
    "FusionConfig",
    "Layout",
    "ModelCard",
    "NetworkConfig",
    "Precision",
    "QuantizedConfig",
    "RecurrentConfig",
    "SrcnnConfig",
    "TemporalAdaptiveConfig",
    "VespcnConfig",
    "card_names",
    "ladder",
    "load_card",
    "name_at_scale",
    "network_config",
    "read_stored",
]
