"""The ASGI application: which answer belongs to which path. All that blocks is done elsewhere."""

import asyncio
import logging
import os
import re
from collections.abc import AsyncGenerator, Awaitable, Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from fractions import Fraction
from functools import wraps
from pathlib import Path
from typing import BinaryIO

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route
from starlette.types import ASGIApp

from upreel import __version__
from upreel.errors import UpreelError
from upreel.server.cache import Lease
from upreel.server.catalog import Catalog, State, UnplayableError
from upreel.server.config import ServeConfig
from upreel.server.guard import Guard
from upreel.server.library import Title
from upreel.server.live import Live
from upreel.server.media import Media, Track
from upreel.server.metrics import Metrics, prometheus
from upreel.server.models import Models
from upreel.server.openapi import FILE_TYPES, document
from upreel.server.pages import PAGE_TITLES, Static, library_page, live_page, watch_page
from upreel.server.playlists import master_playlist, media_playlist, text_playlist
from upreel.server.responses import (
    FOREVER,
    MOMENT,
    FileAnswer,
    data_answer,
    error_answer,
    json_answer,
)
from upreel.server.work import BusyError, StoppedError

__all__ = ["Server"]

_log = logging.getLogger("upreel")
_HLS = "application/vnd.apple.mpegurl"
_FILE_THREADS = 16  # that read files for those who watch
_LIVE_SECONDS = 2  # least length of a live segment: half of the delay is that
_NUMBER = re.compile(r"(\d{1,7})\.m4s", re.ASCII)
_LIVE_INIT = re.compile(r"init-(\d{1,7})\.mp4", re.ASCII)
_NONE = "there is no such thing"

Handler = Callable[[Request], Awaitable[Response | FileAnswer]]


class _OpenFile:
    """A plain file that is being sent."""

    def __init__(self, file: BinaryIO) -> None:
        self._file = file

    def read(self, start: int, count: int) -> bytes:
        """Up to `count` bytes from `start` on."""
        self._file.seek(start)
        return self._file.read(count)

    def close(self) -> None:
        """Give it back."""
        self._file.close()


def _answering(handler: Handler) -> ASGIApp:
    """A handler whose errors are answers of one line."""

    @wraps(handler)
    async def answer(request: Request) -> Response | FileAnswer:
        try:
            return await handler(request)
        except UnplayableError as error:
            return error_answer(502, str(error))
        except (BusyError, StoppedError) as error:
            return error_answer(503, str(error), {"retry-after": "2"})
        except UpreelError as error:
            _log.error("%s", error)  # it names places, which are no viewer's business
            return error_answer(503, "the server cannot keep what it makes", {"retry-after": "60"})

    return answer  # pyright: ignore[reportReturnType] - Starlette wraps it by itself


class Server:
    """All that one server holds, and `app`, its ASGI application.

    Args:
        config: how it runs.

    Raises:
        LockedError: another server uses the cache.
        OutputError: the cache cannot be written to.
    """

    def __init__(self, config: ServeConfig) -> None:
        self.metrics = Metrics()
        self.catalog = Catalog(config, self.metrics)
        self.live: Live | None = None
        if config.live is not None:
            self.live = Live(config.live, rungs=config.rungs, seconds=_LIVE_SECONDS)
        self._static = Static()
        self._models: Models | None = None
        self._models_lock = asyncio.Lock()
        routes = [
            ("/", self.library_page),
            ("/watch/live", self.live_page),
            ("/watch/{id}", self.watch_page),
            ("/static/{version}/{name}", self.static_file),
            ("/openapi.json", self.openapi),
            ("/api/health", self.health),
            ("/api/titles", self.api_titles),
            ("/api/titles/{id}", self.api_title),
            ("/api/titles/{id}/rungs", self.api_rungs),
            ("/api/models", self.api_models),
            ("/api/models/{name}", self.api_model),
            ("/api/live", self.api_live),
            ("/api/metrics", self.api_metrics),
            ("/metrics", self.prometheus),
            ("/titles/{id}/file", self.plain_file),
            ("/titles/{id}/file.upv", self.upv_file),
            ("/titles/{id}/master.m3u8", self.master),
            ("/titles/{id}/{version}/poster.jpg", self.poster),
            ("/titles/{id}/{version}/{track}/index.m3u8", self.playlist),
            ("/titles/{id}/{version}/{track}/{piece}", self.piece),
            ("/models/{file}", self.model_file),
            ("/live/master.m3u8", self.live_master),
            ("/live/{track}/index.m3u8", self.live_playlist),
            ("/live/{track}/{piece}", self.live_piece),
        ]
        self.paths = [path for path, _ in routes]
        app = Starlette(
            routes=[Route(path, _answering(handler)) for path, handler in routes],
            exception_handlers={
                404: lambda _request, _error: error_answer(404, _NONE),
            },
            lifespan=self._lifespan,
        )
        app.router.redirect_slashes = False
        self.app: ASGIApp = Guard(app, config, self.metrics.count_answer)

    @asynccontextmanager
    async def _lifespan(self, _: Starlette) -> AsyncGenerator[None, None]:
        pool = ThreadPoolExecutor(_FILE_THREADS, thread_name_prefix="upreel-files")
        asyncio.get_running_loop().set_default_executor(pool)
        if self.live is not None:
            self.live.start()
        try:
            yield
        finally:
            if self.live is not None:
                self.live.stop()
            self.catalog.close()

    # Pages

    async def library_page(self, request: Request) -> Response:
        """All titles, some a page."""
        asked = request.query_params.get("page", "1")
        titles = await self.catalog.titles()
        page = _whole(asked, 1, max(-(-len(titles) // PAGE_TITLES), 1))
        if page is None:
            return error_answer(404, f"there is no page {asked[:20]!r}")
        shown = titles[(page - 1) * PAGE_TITLES : page * PAGE_TITLES]
        states = [(title, self.catalog.state(title)) for title in shown]
        html = library_page(
            self._static, states, page=page, num_titles=len(titles), live=self.live is not None
        )
        return data_answer(html, "text/html; charset=utf-8")

    async def watch_page(self, request: Request) -> Response:
        """One title."""
        title = await self._title(request)
        if title is None:
            return error_answer(404, _NONE)
        state = await self.catalog.looked_at(title)
        return data_answer(watch_page(self._static, title, state), "text/html; charset=utf-8")

    async def live_page(self, _: Request) -> Response:
        """The live stream."""
        if self.live is None:
            return error_answer(404, _NONE)
        return data_answer(live_page(self._static), "text/html; charset=utf-8")

    async def static_file(self, request: Request) -> Response:
        """Style, script and icon."""
        found = self._static.file(request.path_params["name"])
        if found is None or request.path_params["version"] != self._static.version:
            return error_answer(404, _NONE)
        if "gzip" in request.headers.get("accept-encoding", "") and _is_text(found[1]):
            data = self._static.packed(request.path_params["name"])
            answer = data_answer(data, found[1], cache_control=FOREVER)
            answer.headers["content-encoding"] = "gzip"
        else:
            answer = data_answer(*found, cache_control=FOREVER)
        answer.headers["vary"] = "accept-encoding"
        return answer

    # The interface for programs

    async def openapi(self, _: Request) -> Response:
        """This interface, described."""
        return json_answer(document(__version__))

    async def health(self, _: Request) -> Response:
        """Whether it runs."""
        return json_answer({"status": "ok", "version": __version__})

    async def api_titles(self, request: Request) -> Response:
        """Titles of the library."""
        limit = _whole(request.query_params.get("limit", "1000"), 1, 1000)
        offset = _whole(request.query_params.get("offset", "0"), 0, 1_000_000)
        if limit is None or offset is None:
            return error_answer(400, "limit is 1 to 1000, offset 0 to 1000000")
        titles = await self.catalog.titles()
        shown = [self._described(t, self.catalog.state(t)) for t in titles[offset:][:limit]]
        return json_answer({"total": len(titles), "titles": shown})

    async def api_title(self, request: Request) -> Response:
        """One title."""
        title = await self._title(request)
        if title is None:
            return error_answer(404, _NONE)
        return json_answer(self._described(title, await self.catalog.looked_at(title)))

    def _described(self, title: Title, state: State) -> dict[str, object]:
        info = state.info
        foreign = None if info is None else info.foreign
        seconds = None if info is None or info.duration is None else float(info.duration)
        return {
            "id": title.id,
            "version": title.version,
            "name": title.name,
            "folder": title.folder,
            "bytes": title.num_bytes,
            "modified": datetime.fromtimestamp(title.modified / 1e9, UTC).isoformat(),
            "state": state.word,
            "reason": state.reason or None,
            "seconds": seconds,
            "width": None if info is None else info.width,
            "height": None if info is None else info.height,
            "codec": None if info is None else info.codec,
            "damaged_frames": None if foreign is None else foreign.num_damaged,
            "page": f"/watch/{title.id}",
            "master": f"/titles/{title.id}/master.m3u8",
            "file": title.file_address,
            "poster": f"/titles/{title.id}/{title.version}/poster.jpg",
        }

    async def api_rungs(self, request: Request) -> Response:
        """A title's versions, sounds and subtitles."""
        media = await self._media(request)
        if media is None:
            return error_answer(404, _NONE)
        place = f"/titles/{media.title.id}/{media.title.version}"
        tracks = [
            {
                "name": track.name,
                "kind": track.kind,
                "copied": track.copied,
                "codec": track.codec,
                "bits_per_second": track.peak_rate,
                "width": track.width,
                "height": track.height,
                "language": track.language,
                "label": track.label,
                "default": track.default,
                "playlist": f"{place}/{track.name}/index.m3u8",
                "plain": f"{place}/{track.name}/file.vtt" if track.kind == "text" else None,
            }
            for track in media.tracks
        ]
        return json_answer(
            {
                "segments": len(media.cutting.stretches),
                "shift_seconds": media.cutting.shift,
                "reason": media.cutting.misfit,
                "tracks": tracks,
            }
        )

    async def api_models(self, _: Request) -> Response:
        """Networks for players."""
        models = await self._known_models()
        return json_answer({"models": [models.card(name) for name in models.names()]})

    async def api_model(self, request: Request) -> Response:
        """A network's card."""
        card = (await self._known_models()).card(request.path_params["name"])
        return error_answer(404, _NONE) if card is None else json_answer(card)

    async def api_live(self, _: Request) -> Response:
        """The live stream."""
        live = self.live
        if live is None:
            nothing = {"state": "off", "reason": None, "reconnections": 0, "master": None}
            return json_answer({**nothing, "tracks": []})
        tracks = [
            {
                "name": track.name,
                "kind": track.kind,
                "codec": track.codec,
                "width": track.width,
                "height": track.height,
                "playlist": f"/live/{track.name}/index.m3u8",
            }
            for track in live.tracks()
        ]
        return json_answer(
            {
                "state": live.word,
                "reason": live.reason or None,
                "reconnections": live.reconnections,
                "master": "/live/master.m3u8",
                "tracks": tracks,
            }
        )

    def _values(self) -> dict[str, float]:
        catalog, cache = self.catalog, self.catalog.cache
        return {
            "bytes_sent_total": self.metrics.bytes_sent,
            "failures_total": self.metrics.failures,
            "cache_bytes": cache.num_bytes,
            "cache_files": cache.num_files,
            "cache_hits_total": cache.hits,
            "cache_misses_total": cache.misses,
            "cache_evictions_total": cache.evictions,
            "encodings_total": catalog.encoders.num_done,
            "encoding_seconds_total": catalog.encoders.seconds,
            "encodings_open": catalog.encoders.num_open,
            "copies_total": catalog.light.num_done,
            "copies_open": catalog.light.num_open,
            "live_bytes": 0 if self.live is None else self.live.num_bytes,
            "live_reconnections_total": 0 if self.live is None else self.live.reconnections,
        }

    def _answers(self) -> dict[str, int]:
        return {str(status): count for status, count in self.metrics.answers.items()}

    async def api_metrics(self, _: Request) -> Response:
        """What is counted."""
        return json_answer({"answers": self._answers(), "values": self._values()})

    async def prometheus(self, _: Request) -> Response:
        """What is counted, for Prometheus."""
        text = prometheus(self._values(), self._answers())
        return data_answer(text.encode(), "text/plain; version=0.0.4; charset=utf-8")

    # Titles

    async def _title(self, request: Request) -> Title | None:
        return await self.catalog.title(request.path_params["id"])

    async def _media(self, request: Request) -> Media | None:
        title = await self._title(request)
        wanted = request.path_params.get("version")
        if title is None or wanted not in (None, title.version):
            return None
        return await self.catalog.media(title)

    async def plain_file(self, request: Request) -> Response | FileAnswer:
        """A title's file as it is."""
        title = await self._title(request)
        file = None if title is None else await asyncio.to_thread(_open_current, title)
        if title is None or file is None:
            return error_answer(404, _NONE)
        return FileAnswer(
            file=_OpenFile(file),
            num_bytes=title.num_bytes,
            media_type=FILE_TYPES.get(title.path.suffix.lower(), "application/octet-stream"),
            etag=f"{title.id}-{title.version}",
            modified=title.modified / 1e9,
            on_sent=self.metrics.count_bytes,
        )

    async def upv_file(self, request: Request) -> Response | FileAnswer:
        """Likewise, of an .upv file."""
        title = await self._title(request)
        if title is None or title.path.suffix.lower() != ".upv":
            return error_answer(404, _NONE)
        return await self.plain_file(request)

    async def master(self, request: Request) -> Response:
        """A title as HLS."""
        media = await self._media(request)
        if media is None:
            return error_answer(404, _NONE)
        return data_answer(master_playlist(media).encode(), _HLS)

    async def poster(self, request: Request) -> Response | FileAnswer:
        """A title's poster."""
        title = await self._title(request)
        if title is None or title.version != request.path_params["version"]:
            return error_answer(404, _NONE)
        return self._kept(await self.catalog.poster(title), "image/jpeg", f"{title.version}-poster")

    async def playlist(self, request: Request) -> Response:
        """A rendition's segments."""
        media = await self._media(request)
        track = None if media is None else media.track(request.path_params["track"])
        if media is None or track is None:
            return error_answer(404, _NONE)
        seconds = [media.cutting.seconds(n) for n in range(len(media.cutting.stretches))]
        if track.kind == "text":
            text = text_playlist(sum(seconds, Fraction(0)))
        else:
            text = media_playlist(seconds)
        return data_answer(text.encode(), _HLS, cache_control=FOREVER)

    async def piece(self, request: Request) -> Response | FileAnswer:
        """A piece of a rendition."""
        media = await self._media(request)
        track = None if media is None else media.track(request.path_params["track"])
        if media is None or track is None:
            return error_answer(404, _NONE)
        name = request.path_params["piece"]
        lease = await self._lease(media, track, name)
        if lease is None:
            return error_answer(404, _NONE)
        kind = "text/vtt; charset=utf-8" if track.kind == "text" else f"{track.kind}/mp4"
        return self._kept(lease, kind, f"{media.title.version}-{track.name}-{name}")

    async def _lease(self, media: Media, track: Track, name: str) -> Lease | None:
        catalog = self.catalog
        if track.kind == "text":
            if name not in ("words.vtt", "file.vtt"):
                return None
            return await catalog.text(media, track, hls=name == "words.vtt")
        if name == "init.mp4":
            return await catalog.init(media, track)
        match = _NUMBER.fullmatch(name)
        number = int(match[1]) if match else -1
        if not 0 <= number < len(media.cutting.stretches) or name != f"{number}.m4s":
            return None
        return await catalog.segment(media, track, number)

    def _kept(self, lease: Lease, media_type: str, etag: str) -> FileAnswer:
        return FileAnswer(
            file=lease,
            num_bytes=lease.num_bytes,
            media_type=media_type,
            etag=etag,
            cache_control=FOREVER,
            on_sent=self.metrics.count_bytes,
        )

    # Models

    async def _known_models(self) -> Models:
        async with self._models_lock:
            if self._models is None:
                self._models = await self.catalog.light.run(Models)
            return self._models

    async def model_file(self, request: Request) -> Response | FileAnswer:
        """A network's weights or card."""
        models = await self._known_models()
        name = request.path_params["file"]
        if name.endswith(".json"):
            card = models.card(name.removesuffix(".json"))
            return error_answer(404, _NONE) if card is None else json_answer(card)
        known = models.files.get(name)
        if known is None:
            return error_answer(404, _NONE)
        file = await asyncio.to_thread(Path.open, known.path, "rb")
        return FileAnswer(
            file=_OpenFile(file),  # pyright: ignore[reportArgumentType]
            num_bytes=known.num_bytes,
            media_type="application/octet-stream",
            etag=known.sha256,
            cache_control=MOMENT,
            on_sent=self.metrics.count_bytes,
        )

    # Live

    async def live_master(self, _: Request) -> Response:
        """The live stream as HLS."""
        if self.live is None:
            return error_answer(404, _NONE)
        text = self.live.master()
        if text is None:
            reason = self.live.reason or "the live stream has not begun"
            return error_answer(503, reason, {"retry-after": "2"})
        return data_answer(text.encode(), _HLS)

    async def live_playlist(self, request: Request) -> Response:
        """The last segments of a live rendition."""
        track = request.path_params["track"]
        text = None if self.live is None else self.live.playlist(track)
        return error_answer(404, _NONE) if text is None else data_answer(text.encode(), _HLS)

    async def live_piece(self, request: Request) -> Response:
        """A piece of a live rendition."""
        track, name = request.path_params["track"], request.path_params["piece"]
        data: bytes | None = None
        if self.live is not None:
            init, number = _LIVE_INIT.fullmatch(name), _NUMBER.fullmatch(name)
            if init is not None:
                data = self.live.init(track, int(init[1]))
            elif number is not None:
                data = self.live.segment(track, int(number[1]))
        if data is None:
            return error_answer(404, _NONE)
        self.metrics.count_bytes(len(data))
        return data_answer(data, "audio/mp4" if track == "audio" else "video/mp4")


def _whole(text: str, least: int, most: int) -> int | None:
    """A whole number within limits, None for anything else."""
    if not (text.isascii() and text.isdigit() and len(text) < 10):
        return None
    return int(text) if least <= int(text) <= most else None


def _is_text(media_type: str) -> bool:
    """Whether it becomes much smaller by gzip."""
    return media_type.startswith("text/") or media_type in ("image/svg+xml", "application/json")


def _open_current(title: Title) -> BinaryIO | None:
    """A title's file, if it is still the one that was found and lies in its place."""
    if not title.is_current():
        return None
    try:
        file = title.path.open("rb")
    except OSError:
        return None
    told = os.fstat(file.fileno())
    if (told.st_size, told.st_mtime_ns) != (title.num_bytes, title.modified):
        file.close()
        return None
    return file
