"""Which upscaler a card's network needs."""

from upreel.inference.frame_recurrent import FrameRecurrentUpscaler
from upreel.inference.recurrent import RecurrentUpscaler
from upreel.inference.upscaler import PlaneUpscaler
from upreel.zoo import ModelCard

__all__ = ["CardUpscaler", "StatefulUpscaler", "upscaler_of"]

StatefulUpscaler = RecurrentUpscaler | FrameRecurrentUpscaler
"""Those that have a ``reset`` for the beginnings of scenes."""
CardUpscaler = PlaneUpscaler | StatefulUpscaler


def upscaler_of(card: ModelCard) -> type[CardUpscaler]:
    """The upscaler for a card: by window, by step, or a chunk in both directions."""
    if not card.state:
        return PlaneUpscaler
    return FrameRecurrentUpscaler if card.network.step_channels else RecurrentUpscaler
