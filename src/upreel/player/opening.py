"""Opening a source while the viewer may go elsewhere: a server may take long, or never answer."""

import threading
from collections.abc import Sequence
from typing import Literal

from upreel.player.commands import Command
from upreel.player.config import PlayConfig
from upreel.player.presenter import Presenter
from upreel.player.sources import open_to_play
from upreel.video.pieces import PlaySource

__all__ = ["Opening"]

_TICK = 0.01  # seconds between two looks at what the viewer does


class Opening:
    """A source that is being opened, on a thread of its own.

    Args:
        address: of the source.
        config: how it is opened.

    Attributes:
        asked: what the viewer asked for meanwhile that can wait until it is open.
    """

    def __init__(self, address: str, config: PlayConfig) -> None:
        self.asked: list[Command] = []
        self._address, self._config = address, config
        self._lock = threading.Lock()
        self._done = threading.Event()
        self._left = False
        self._source: PlaySource | None = None
        self._fault: BaseException | None = None
        # A daemon: an address that does not answer shall not keep the process alive.
        threading.Thread(target=self._open, name="upreel-open", daemon=True).start()

    def _open(self) -> None:
        try:
            source = open_to_play(self._address, self._config)
        except BaseException as fault:  # noqa: BLE001 - raised again by the main thread
            self._fault = fault
        else:
            with self._lock:
                left = self._left
                self._source = None if left else source
            if left:
                source.__exit__(None, None, None)
        self._done.set()

    def attend(self, presenter: Presenter) -> PlaySource | Literal["next", "previous", "quit"]:
        """Wait for it: the source, or where the viewer wants to go instead.

        Args:
            presenter: says what the viewer does.

        Raises:
            UpreelError: it cannot be opened.
        """
        try:
            while not self._done.is_set():
                ending = self._asked(presenter.commands(0.0))
                if ending is not None:
                    return ending
                presenter.wait(_TICK)
            if self._fault is not None:
                raise self._fault
            with self._lock:
                source, self._source = self._source, None
            assert source is not None
            return source
        finally:
            self._leave()

    def _asked(self, commands: Sequence[Command]) -> Literal["next", "previous", "quit"] | None:
        for command in commands:
            if command.word in ("next", "previous", "quit"):
                return command.word
            self.asked.append(command)
        return None

    def _leave(self) -> None:
        """Close what nobody took, now or once it is open."""
        with self._lock:
            self._left = True
            source, self._source = self._source, None
        if source is not None:
            source.__exit__(None, None, None)
