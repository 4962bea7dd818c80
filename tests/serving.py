"""A server of this project in a thread, and a client that sends just what it is told."""

import asyncio
import http.client
import json
import threading
from collections.abc import Generator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from upreel.server.app import Server
from upreel.server.config import ServeConfig
from upreel.server.run import listen, process

WAIT = 30  # seconds, after which something hangs


@dataclass(frozen=True)
class Answer:
    """What came back."""

    status: int
    headers: Mapping[str, str]
    body: bytes

    def json(self) -> Any:  # noqa: ANN401 - whatever was sent
        return json.loads(self.body)


class Running:
    """A server that runs."""

    def __init__(self, server: Server, address: str, loop: asyncio.AbstractEventLoop) -> None:
        self.server = server
        self.loop = loop
        self.address = address.rstrip("/")
        self.host, _, port = address.removeprefix("http://").rstrip("/").rpartition(":")
        self.port = int(port)

    def get(self, path: str, method: str = "GET", **headers: str) -> Answer:
        """Ask for a path as it is; underscores in names of headers mean hyphens."""
        connection = http.client.HTTPConnection(self.host, self.port, timeout=WAIT)
        try:
            connection.putrequest(method, path, skip_host="host" in headers)
            for name, value in headers.items():
                connection.putheader(name.replace("_", "-"), value)
            connection.endheaders()
            response = connection.getresponse()
            named = {name.lower(): value for name, value in response.getheaders()}
            return Answer(response.status, named, response.read())
        finally:
            connection.close()

    def titles(self) -> dict[str, dict[str, Any]]:
        """Titles by name."""
        return {title["name"]: title for title in self.get("/api/titles").json()["titles"]}

    def title(self, name: str) -> dict[str, Any]:
        """A title, looked at."""
        return self.get(f"/api/titles/{self.titles()[name]['id']}").json()

    def rungs(self, name: str) -> dict[str, Any]:
        """A title's renditions and what is said of them all."""
        return self.get(f"/api/titles/{self.titles()[name]['id']}/rungs").json()

    def tracks(self, name: str) -> dict[str, dict[str, Any]]:
        """A title's renditions by name."""
        return {track["name"]: track for track in self.rungs(name)["tracks"]}


@contextmanager
def running(*sources: Path, **options: Any) -> Generator[Running]:  # noqa: ANN401 - of ServeConfig
    """A server on some folders or files."""
    config = ServeConfig(sources=tuple(sources), port=0, **options)
    ready: list[tuple[str, asyncio.AbstractEventLoop]] = []
    began = threading.Event()

    def on_ready(address: str) -> None:
        ready.append((address, asyncio.get_running_loop()))
        began.set()

    with listen(config.host, 0) as listener:
        server = Server(config)
        runner = process(config, server, listener, on_ready)
        thread = threading.Thread(target=lambda: runner.run(sockets=[listener]))
        thread.start()
        try:
            assert began.wait(WAIT), "the server did not begin"
            yield Running(server, *ready[0])
        finally:
            runner.should_exit = True
            thread.join(WAIT)
            assert not thread.is_alive(), "the server did not end"
