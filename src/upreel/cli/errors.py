"""Errors and signals as the user sees them."""

import signal
from collections.abc import Generator
from contextlib import contextmanager
from types import FrameType
from typing import NoReturn

import typer

from upreel.errors import UpreelError

__all__ = ["Interrupted", "exit_with_message", "signals_raise"]


class Interrupted(KeyboardInterrupt):
    """A signal asked the process to end; `code` is the exit status that says which one."""

    def __init__(self, signum: int) -> None:
        super().__init__(signal.Signals(signum).name)
        self.code = 128 + signum


@contextmanager
def exit_with_message(*, interrupted: str = "stopped") -> Generator[None, None, None]:
    """Turn a `UpreelError` into one line on stderr and exit code 1; let bugs keep a traceback.

    Args:
        interrupted: what to say after Ctrl-C (exit code 130) or SIGTERM (143).
    """
    try:
        yield
    except UpreelError as error:
        typer.echo(f"upreel: {error}", err=True)
        raise typer.Exit(1) from error
    except KeyboardInterrupt as stop:
        typer.echo(f"upreel: {interrupted}", err=True)
        raise typer.Exit(stop.code if isinstance(stop, Interrupted) else 130) from stop


@contextmanager
def signals_raise() -> Generator[None, None, None]:
    """Let Ctrl-C and SIGTERM raise `Interrupted` in the main thread, so that threads end tidily.

    In any other thread signals cannot be caught, and nothing changes.
    """

    def handle(signum: int, _frame: FrameType | None) -> NoReturn:
        raise Interrupted(signum)

    wanted = (signal.SIGINT, signal.SIGTERM)
    try:
        before = [(number, signal.signal(number, handle)) for number in wanted]
    except ValueError:  # not the main thread
        yield
        return
    try:
        yield
    finally:
        for number, handler in before:
            signal.signal(number, handler)
