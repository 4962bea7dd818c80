"""The real command with the stand-in network: ``python -m stand_in_command upscale ...``.

With ``NETWORK=bundled`` it is the bundled one. The environment may name a moment at which the
process sends itself a signal: ``MOMENT=frame:12 SIGNAL=SIGKILL``.
"""

import os
import signal
import sys
from collections.abc import Callable
from fractions import Fraction
from typing import Any

import stand_in

import upreel.pipeline.dry_run
import upreel.pipeline.finish
import upreel.pipeline.job
import upreel.pipeline.run
import upreel.pipeline.work
from upreel.cli import main
from upreel.pipeline.backend import DefaultBackend, ReportingUpscaler
from upreel.pipeline.work import Work
from upreel.zoo import ModelCard

PART_SECONDS = Fraction(1, 5)


def send_at(moment: str, number: int, signum: int) -> Callable[[str], None]:
    """A function that is told of each moment and sends the signal at the `number`-th such one."""
    left = {moment: number}

    def tell(now: str) -> None:
        if now in left:
            left[now] -= 1
            if left[now] < 0:
                os.kill(os.getpid(), signum)

    return tell


Function = Callable[..., object]


def around(function: Function, first: str, tell: Callable[[str], None], last: str = "") -> Function:
    """`function`, with the moments before and after it told."""

    def wrapped(*arguments: object, **options: object) -> object:
        tell(first)
        result = function(*arguments, **options)
        tell(last)
        return result

    return wrapped


if __name__ == "__main__":
    name, _, count = os.environ.get("MOMENT", "never:0").partition(":")
    tell = send_at(name, int(count), signal.Signals[os.environ.get("SIGNAL", "SIGKILL")])

    class Bundled(DefaultBackend):
        def open(self, card: ModelCard, **options: Any) -> ReportingUpscaler:  # noqa: ANN401
            upscaler = super().open(card, **options)
            upscaler.submit = around(upscaler.submit, "frame", tell)  # type: ignore[method-assign]
            return upscaler

    def backend() -> stand_in.StandIn | Bundled:
        if os.environ.get("NETWORK") == "bundled":
            return Bundled()
        seen = (1, 1) if os.environ.get("TEMPORAL") else (0, 0)
        return stand_in.StandIn(seen=seen, on_submit=lambda _number: tell("frame"))

    for module in (upreel.pipeline.run, upreel.pipeline.dry_run):
        module.DefaultBackend = backend  # type: ignore[attr-defined]
    # Short parts, so that tiny clips have several.
    UpscaleJob = upreel.pipeline.job.UpscaleJob
    upreel.pipeline.UpscaleJob = lambda **options: UpscaleJob(  # type: ignore[assignment]
        part_seconds=PART_SECONDS, **options
    )
    finish, work = upreel.pipeline.finish, upreel.pipeline.work
    for place, attribute, first, last in (
        (Work, "save_plan", "planning", "planned"),
        (Work, "finish", "part-written", "part-finished"),
        (finish, "join", "joining", "joined"),
        (Work, "remove", "renamed", ""),
        (work, "_remove", "tidying", ""),
    ):
        setattr(place, attribute, around(getattr(place, attribute), first, tell, last))
    sys.argv[0] = "upreel"
    main()
