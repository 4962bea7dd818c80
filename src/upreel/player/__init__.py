"""The desktop player: pictures and sound on time, enlarged as well as the machine can."""

from upreel.player.config import PlayConfig as PlayConfig
from upreel.player.config import Played as Played
from upreel.player.presenter import HeadlessPresenter as HeadlessPresenter
from upreel.player.session import play as play
from upreel.player.stats import Statistics as Statistics
from upreel.player.stats import write_statistics as write_statistics

__all__ = [
    "HeadlessPresenter",
    "PlayConfig",
    "Played",
    "Statistics",
    "play",
    "write_statistics",
]
