"""Opening what is to be played: .upv files, near and far, by their codec, all else by FFmpeg."""

from upreel.codec.survey import is_upv
from upreel.player.config import PlayConfig
from upreel.player.remote import is_remote_upv
from upreel.player.upv import UpvPlayback
from upreel.video.pieces import PlaySource
from upreel.video.playback import Playback

__all__ = ["open_to_play"]


def open_to_play(address: str, config: PlayConfig) -> PlaySource:
    """Open a source as `config` wants it; the caller closes it by leaving its block.

    Raises:
        UpreelError: it cannot be opened.
    """
    if is_remote_upv(address) or (address != "-" and "://" not in address and is_upv(address)):
        return UpvPlayback(
            address,
            codec=config.codec,
            threads=config.threads,
            sound=config.sound,
            sound_track=config.sound_track,
            caption_track=config.caption_track,
        )
    return Playback(
        address,
        live=config.live,
        sound=config.sound,
        rows=config.rows,
        sound_track=config.sound_track,
        caption_track=config.caption_track,
    )
