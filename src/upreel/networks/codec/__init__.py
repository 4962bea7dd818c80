"""The learned codec's networks."""

from upreel.networks.codec.model import Codec as Codec
from upreel.networks.codec.model import Coded as Coded
from upreel.networks.codec.model import FrameCodec as FrameCodec
from upreel.networks.codec.model import Rounding as Rounding
from upreel.networks.codec.model import State as State
from upreel.networks.codec.rates import trade_off as trade_off

__all__ = ["Codec", "Coded", "FrameCodec", "Rounding", "State", "trade_off"]
