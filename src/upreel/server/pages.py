"""The pages: HTML made here, style and script from the package's `static` folder.

The browser player, which ``make web`` puts into `built`, takes the place of `static/watch.js`
where it is there; what it needs to know stands in `data-` attributes of the ``<main>`` of the
watch page. Both folders are served under a URL that holds the hash of it all.
"""

import gzip
import hashlib
from collections.abc import Sequence
from html import escape
from importlib.resources import files

from upreel.server.catalog import State
from upreel.server.library import Title

__all__ = [
    "NOT_BUILT",
    "PAGE_TITLES",
    "Static",
    "duration_text",
    "library_page",
    "live_page",
    "watch_page",
]

PAGE_TITLES = 200
"""Titles on one page of the library."""

NOT_BUILT = "the player that upscales is not built: `make web` builds it; pages show plain video"
"""What to say where `built` is missing."""

_TYPES = {
    ".css": "text/css; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".mjs": "text/javascript; charset=utf-8",
    ".svg": "image/svg+xml",
    ".wasm": "application/wasm",
    ".json": "application/json",
    ".png": "image/png",
    ".woff2": "font/woff2",
    ".bin": "application/octet-stream",
}
_PLAYER, _PLAYER_STYLE, _PLAIN = "player.js", "player.css", "watch.js"
_PLAIN_TYPES = {".mp4": "video/mp4", ".m4v": "video/mp4", ".webm": "video/webm",
                ".ogv": "video/ogg", ".mov": "video/mp4", ".mkv": "video/x-matroska"}  # fmt: skip


class Static:
    """The files of the `static` and `built` folders, read once.

    Attributes:
        version: changes when any of them does.
        has_player: whether the browser player is there.
    """

    def __init__(self) -> None:
        self._files: dict[str, tuple[bytes, str]] = {}
        self._packed: dict[str, bytes] = {}
        digest = hashlib.blake2b(digest_size=8)
        for folder in ("static", "built"):
            place = files("upreel.server").joinpath(folder)
            for item in sorted(place.iterdir(), key=str) if place.is_dir() else ():
                ending = f".{item.name.rpartition('.')[2]}"
                if item.is_file() and ending in _TYPES:
                    data = item.read_bytes()
                    self._files[item.name] = data, _TYPES[ending]
                    digest.update(item.name.encode() + b"\0" + data)
        self.version = digest.hexdigest()
        self.has_player = _PLAYER in self._files

    def file(self, name: str) -> tuple[bytes, str] | None:
        """A file's bytes and media type."""
        return self._files.get(name)

    def packed(self, name: str) -> bytes:
        """A file's bytes as gzip has them."""
        if name not in self._packed:
            self._packed[name] = gzip.compress(self._files[name][0], mtime=0)
        return self._packed[name]

    def url(self, name: str) -> str:
        """Where a file is."""
        return f"/static/{self.version}/{name}"


def duration_text(seconds: float) -> str:
    """A duration as people write it.

    Example:
        >>> duration_text(65), duration_text(7384)
        ('1:05', '2:03:04')
    """
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"


def _page(static: Static, name: str, body: str, *, script: str = "", player: bool = False) -> bytes:
    tag = f'<script type="module" src="{static.url(script)}"></script>\n' if script else ""
    if player:
        script = _PLAYER if static.has_player else _PLAIN
        tag = f'<script type="module" src="{static.url(script)}"></script>\n'
        if static.has_player:
            tag = f'<link rel="stylesheet" href="{static.url(_PLAYER_STYLE)}">\n{tag}'
    return (
        "<!doctype html>\n"
        '<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        '<meta name="color-scheme" content="light dark">\n'
        f"<title>{escape(name)}</title>\n"
        f'<link rel="icon" href="{static.url("icon.svg")}" type="image/svg+xml">\n'
        f'<link rel="stylesheet" href="{static.url("style.css")}">\n'
        f"{tag}</head>\n<body>\n{body}\n</body>\n</html>\n"
    ).encode()


def library_page(
    static: Static,
    titles: Sequence[tuple[Title, State]],
    *,
    page: int,
    num_titles: int,
    live: bool,
) -> bytes:
    """A page of the library.

    Args:
        static: where style is.
        titles: on this page.
        page: its number, from 1.
        num_titles: in the whole library.
        live: whether there is a live stream.
    """
    cards: list[str] = []
    if live and page == 1:
        cards.append(
            '<li><a class="card" href="/watch/live"><span class="picture live" '
            'aria-hidden="true">●</span><span class="name">Live</span></a></li>'
        )
    folder = ""
    for title, state in titles:
        if title.folder != folder:
            folder = title.folder
            cards.append(f'<li class="folder"><h2>{escape(folder) or "Library"}</h2></li>')
        cards.append(_card(title, state))
    what = f"{num_titles} title{'s' * (num_titles != 1)}"
    empty = "" if cards else "<p>There are no videos here yet. Put some into the folder.</p>"
    pages = -(-num_titles // PAGE_TITLES)
    body = (
        f'<header><h1>Upreel</h1><p class="quiet">{what}</p></header>\n'
        f'<main>{empty}<ul class="library" aria-label="Titles">\n'
        + "\n".join(cards)
        + f"\n</ul>\n{_pager(page, pages)}</main>"
    )
    return _page(static, "Upreel", body, script="library.js")


def _card(title: Title, state: State) -> str:
    name = escape(title.name)
    if state.word == "broken":
        return (
            f'<li><div class="card broken"><span class="picture" aria-hidden="true">!</span>'
            f'<span class="name">{name}</span>'
            f'<span class="quiet">not playable: {escape(state.reason)}</span></div></li>'
        )
    facts = ""
    if state.info is not None:
        parts = [f"{state.info.height}p"]
        if state.info.duration is not None:
            parts.insert(0, duration_text(float(state.info.duration)))
        facts = f'<span class="quiet">{" · ".join(parts)}</span>'
    return (
        f'<li><a class="card" href="/watch/{title.id}" data-api="/api/titles/{title.id}">'
        f'<img class="picture" src="/titles/{title.id}/{title.version}/poster.jpg" alt="" '
        f'loading="lazy" width="320" height="180"><span class="name">{name}</span>{facts}</a></li>'
    )


def _pager(page: int, pages: int) -> str:
    if pages < 2:
        return ""
    links: list[str] = []
    if page > 1:
        links.append(f'<a href="/?page={page - 1}" rel="prev">Previous</a>')
    links.append(f"<span>Page {page} of {pages}</span>")
    if page < pages:
        links.append(f'<a href="/?page={page + 1}" rel="next">Next</a>')
    return f'<nav class="pager" aria-label="Pages">{" ".join(links)}</nav>\n'


def watch_page(static: Static, title: Title, state: State) -> bytes:
    """The page of one title."""
    name = escape(title.name)
    back = '<header><a class="back" href="/">← Library</a></header>\n'
    if state.info is None:
        reason = escape(state.reason or "it cannot be read")
        body = f"{back}<main><h1>{name}</h1><p>This title is not playable: {reason}</p></main>"
        return _page(static, title.name, body)
    place, file = f"/titles/{title.id}", title.file_address
    kind = _PLAIN_TYPES.get(title.path.suffix.lower(), "video/mp4")
    poster = f"{place}/{title.version}/poster.jpg"
    body = (
        f'{back}<main data-api="/api{place}" data-rungs="/api{place}/rungs" '
        f'data-hls="{place}/master.m3u8" data-file="{place}/file" data-poster="{poster}">\n'
        f"<h1>{name}</h1>\n"
        f'<video controls playsinline preload="metadata" poster="{poster}" aria-label="{name}">\n'
        f'<source src="{place}/master.m3u8" type="application/vnd.apple.mpegurl">\n'
        f'<source src="{place}/file" type="{kind}">\n</video>\n'
        f'<p id="message" role="status"></p>\n{_plain_note(static)}'
        f'<p class="quiet">{_facts(state)} · <a href="{file}" download>Download</a> · '
        f'<a href="{place}/master.m3u8">Stream for other players</a></p></main>'
    )
    return _page(static, title.name, body, player=True)


def live_page(static: Static) -> bytes:
    """The page of the live stream."""
    body = (
        '<header><a class="back" href="/">← Library</a></header>\n'
        '<main data-api="/api/live" data-hls="/live/master.m3u8">\n<h1>Live</h1>\n'
        '<video controls playsinline autoplay muted aria-label="Live">\n'
        '<source src="/live/master.m3u8" type="application/vnd.apple.mpegurl">\n</video>\n'
        f'<p id="message" role="status"></p>\n{_plain_note(static)}'
        '<p class="quiet"><a href="/live/master.m3u8">Stream for other players</a></p></main>'
    )
    return _page(static, "Live", body, player=True)


def _plain_note(static: Static) -> str:
    if static.has_player:
        return ""
    return f'<p class="quiet">{escape(NOT_BUILT.capitalize())}.</p>\n'


def _facts(state: State) -> str:
    info = state.info
    if info is None:
        return ""
    parts = [f"{info.width}×{info.height}", escape(info.codec)]  # noqa: RUF001 - the sign of sizes
    if info.duration is not None:
        parts.insert(0, duration_text(float(info.duration)))
    return " · ".join(parts)
