r"""The learned codec's runs: frames alone, then frames from the one before, over longer sequences.

    upreel train recipes/codec.py:codec_alone --data DIR
    upreel train recipes/codec.py:codec_next_2 --start runs/codec-alone.ckpt --data DIR
    upreel train recipes/codec.py:codec_next_3 --start runs/codec-next-2.ckpt --data DIR
    upreel train recipes/codec.py:codec_next_5 --start runs/codec-next-3.ckpt --data DIR

A step of `codec_alone` is 8 patches of 128x128 at random qualities. How rounding is passed by is
compared by `codec_alone_noise` and `codec_alone_straight`, at equal steps.
"""

from dataclasses import replace

from upreel.training.codec import CodecRun
from upreel.zoo.configs.codec import CodecConfig


def codec_alone() -> CodecRun:
    """Frames alone."""
    return CodecRun(
        name="codec-alone",
        network=CodecConfig(),
        stage="alone",
        steps=12_000,
        batch=8,
        patch=128,
        validate_every=3000,
    )


def codec_alone_noise() -> CodecRun:
    """Noise in place of rounding, for rate and picture."""
    return replace(_short(), name="codec-alone-noise", rounding="noise")


def codec_alone_straight() -> CodecRun:
    """Rounding for both."""
    return replace(_short(), name="codec-alone-straight", rounding="straight")


def codec_alone_mixed() -> CodecRun:
    """Noise for the rate, rounding for the picture."""
    return _short()


def codec_next_2() -> CodecRun:
    """Frames from the one before, which was sent alone."""
    return CodecRun(
        name="codec-next-2",
        network=CodecConfig(),
        stage="next",
        frames=2,
        steps=8000,
        batch=8,
        patch=128,
        start="codec-alone",
        validate_every=2000,
    )


def codec_next_3() -> CodecRun:
    """Errors go on once."""
    return replace(
        codec_next_2(),
        name="codec-next-3",
        frames=3,
        steps=4000,
        learning_rate=7e-4,
        start="codec-next-2",
        seed=2,
    )


def codec_next_5() -> CodecRun:
    """Errors go on over five frames."""
    return replace(
        codec_next_3(), name="codec-next-5", frames=5, batch=4, start="codec-next-3", seed=3
    )


def codec_next_7() -> CodecRun:
    """Errors go on over seven frames."""
    return replace(
        codec_next_5(), name="codec-next-7", frames=7, steps=2000, start="codec-next-5", seed=4
    )


def _short() -> CodecRun:
    return replace(codec_alone(), name="codec-alone-mixed", steps=3000)
