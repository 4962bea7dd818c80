"""`upreel serve`: options in, one `ServeConfig` out. Needs the `serve` extra."""

import importlib.util
from pathlib import Path
from typing import Annotated

import typer

from upreel.cli.errors import exit_with_message, signals_raise
from upreel.errors import BackendUnavailableError, OptionError

__all__ = ["serve"]

Sources = Annotated[
    list[Path] | None, typer.Argument(metavar="DIR|FILE...", help="Folders of videos, videos.")
]
Host = Annotated[str, typer.Option(help="Address to listen on; 0.0.0.0 for all of them.")]
Port = Annotated[int, typer.Option(min=0, max=65535, help="0: one that is free.")]
Rungs = Annotated[str, typer.Option(help="Heights of the small versions; '' for none.")]
Token = Annotated[
    str | None, typer.Option(envvar="UPREEL_TOKEN", help="What viewers must show: ?token=...")
]
User = Annotated[
    str | None,
    typer.Option(metavar="NAME:PASSWORD", envvar="UPREEL_USER", help="What viewers may log in as."),
]
AllowHost = Annotated[
    list[str] | None, typer.Option(metavar="NAME", help="Further name of this server in URLs.")
]
CacheFolder = Annotated[
    Path | None, typer.Option("--cache", help="Folder for what is made. [default: the user's]")
]
CacheSize = Annotated[str, typer.Option(help="Of the cache at most, such as 500M.")]
LiveSource = Annotated[
    str | None,
    typer.Option("--live", metavar="URL|/dev/videoN|-", help="Source to publish again, live."),
]
Encoders = Annotated[
    int, typer.Option(min=0, help="Videos encoded at once; 0: half of the processors.")
]
Codec = Annotated[
    list[str] | None,
    typer.Option(
        metavar="CARD",
        help="Of .upv files: path of a codec's card (.json). May be given several times.",
    ),
]
Connections = Annotated[int, typer.Option(min=8, help="Open at once, at most.")]


def serve(
    sources: Sources = None,
    host: Host = "127.0.0.1",
    port: Port = 8080,
    rungs: Rungs = "180,270,360,540",
    token: Token = None,
    user: User = None,
    allow_host: AllowHost = None,
    cache: CacheFolder = None,
    cache_size: CacheSize = "10G",
    live: LiveSource = None,
    encoders: Encoders = 0,
    connections: Connections = 512,
    codec: Codec = None,
) -> None:
    """Serve folders of videos to browsers and players: small, as they are, and live."""
    with exit_with_message(), signals_raise():
        if any(importlib.util.find_spec(name) is None for name in ("starlette", "uvicorn")):
            raise BackendUnavailableError("serving needs its extra: pip install 'upreel[serve]'")
        from upreel.server.config import ServeConfig, default_cache, parse_bytes, parse_rungs
        from upreel.server.pages import NOT_BUILT, Static
        from upreel.server.run import serve as run
        from upreel.server.work import default_encoders
        from upreel.video.live import check_live_source

        if live is not None:
            check_live_source(live)
        name, colon, password = (user or "").partition(":")
        if user is not None and not colon:
            raise OptionError("--user takes NAME:PASSWORD")
        config = ServeConfig(
            sources=tuple(sources or ()),
            host=host,
            port=port,
            rungs=parse_rungs(rungs),
            token=token,
            user=None if user is None else (name, password),
            hosts=tuple(allow_host or ()),
            cache=cache or default_cache(),
            cache_bytes=parse_bytes(cache_size),
            live=live,
            encoders=encoders or default_encoders(),
            connections=connections,
            codecs=tuple(codec or ()),
        )

        def told(address: str) -> None:
            typer.echo(f"serving at {address} (Ctrl-C ends it)", err=True)
            if not Static().has_player:
                typer.echo(NOT_BUILT, err=True)

        run(config, told)
