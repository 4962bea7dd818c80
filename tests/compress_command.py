"""The real commands with the stand-in codec: ``python -m compress_command compress ...``.

The environment may name a moment at which the process sends itself a signal:
``MOMENT=frame:12 SIGNAL=SIGKILL``.
"""

import os
import signal
import sys
from fractions import Fraction

from stand_in_codec import StandInCodecs
from stand_in_command import around, send_at

import upreel.pipeline.coding
import upreel.pipeline.compression
import upreel.pipeline.decompression
from upreel.cli import main
from upreel.pipeline.work import Work
from upreel.video.aside import AsideFile

if __name__ == "__main__":
    name, _, count = os.environ.get("MOMENT", "never:0").partition(":")
    tell = send_at(name, int(count), signal.Signals[os.environ.get("SIGNAL", "SIGKILL")])

    def backend() -> StandInCodecs:
        return StandInCodecs(on_send=lambda: tell("frame"))

    for module in (upreel.pipeline.compression, upreel.pipeline.decompression):
        module.DefaultCodecs = backend  # type: ignore[attr-defined]
    DecompressJob = upreel.pipeline.coding.DecompressJob
    upreel.pipeline.DecompressJob = lambda **options: DecompressJob(  # type: ignore[assignment]
        part_seconds=Fraction(1, 5), **options
    )
    # Short parts, so that tiny clips have several.
    CompressJob = upreel.pipeline.coding.CompressJob
    upreel.pipeline.CompressJob = lambda **options: CompressJob(  # type: ignore[assignment]
        part_seconds=Fraction(1, 5), **options
    )
    for place, attribute, first, last in (
        (Work, "save", "saving", "saved"),
        (AsideFile, "commit", "written", "committed"),
        (Work, "remove", "renamed", ""),
    ):
        setattr(place, attribute, around(getattr(place, attribute), first, tell, last))
    sys.argv[0] = "upreel"
    main()
