"""Playing .upv files by their HTTP address: as bytes arrive, elsewhere by ranges.

Mutations tried: a server's whole answer taken for a range; the answer that broke off not asked for
again, or from the start; another file's bytes taken for the rest; all read before the first
picture; the look at the start not kept; name and password sent on, or shown.
"""

import base64
import io
import threading
from collections.abc import Callable, Generator
from contextlib import contextmanager
from dataclasses import dataclass, field
from fractions import Fraction
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import numpy as np
import pytest
from clips import AudioTrack, SubtitleTrack, shown_number, write_clip
from compressing import packed
from playing import watch
from serving import running
from stand_in_codec import StandInCodecs

from upreel.codec.file import UpvFile
from upreel.codec.parser import Placed
from upreel.errors import DamagedError, InputError, OptionError
from upreel.player.remote import RemoteFile, is_remote_upv
from upreel.player.upv import UpvPlayback
from upreel.video.frame import Frame

COUNT, KEYS, WAIT = 50, 10, 30
UNSEEKABLE = "it cannot be sought: the server gives no ranges, or the file has no index"


@pytest.fixture(autouse=True)
def _codecs(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("upreel.pipeline.upv_source.DefaultCodecs", StandInCodecs)
    monkeypatch.setattr("upreel.server.catalog.DefaultCodecs", StandInCodecs)
    for name in ("http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"):
        monkeypatch.delenv(name, raising=False)


@pytest.fixture(scope="module")
def upv(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("far")
    clip = write_clip(
        folder / "film.mkv", count=COUNT, codec="ffv1",
        audio=[AudioTrack(codec="flac", seconds=Fraction(2))], subtitles=[SubtitleTrack()],
    )  # fmt: skip
    packed(clip, folder / "film.upv", quality=63, keyint=KEYS)
    return folder / "film.upv"


@pytest.fixture(scope="module")
def keys(upv: Path) -> list[int]:
    with UpvFile(upv) as file:
        return [round(pts * file.header.time_base * 25) for pts in file.index.pts]


@dataclass
class Site:
    """What a small server gives, and what it was asked for.

    Attributes:
        data: of the file.
        ranges: whether it gives these.
        breaks: bytes after which each answer is cut off, None for none.
        before: called before the byte at `pause` is sent.
        asked: Range headers, in their order; names and passwords.
    """

    data: bytes
    ranges: bool = True
    breaks: int | None = None
    pause: int = 0
    before: Callable[[], object] = lambda: None
    etag: str = '"1"'
    moved_to: str = ""
    asked: list[str] = field(default_factory=list[str])
    secrets: list[str | None] = field(default_factory=list[str | None])


@contextmanager
def served(site: Site) -> Generator[str]:
    """Its address."""

    class Handler(BaseHTTPRequestHandler):
        def log_message(self, *_: object) -> None:
            """Nothing."""

        def do_GET(self) -> None:
            site.secrets.append(self.headers["Authorization"])
            if site.moved_to and self.path != "/moved.upv":
                self.send_response(302)
                self.send_header("Location", site.moved_to)
                self.end_headers()
                return
            wanted = self.headers["Range"]
            site.asked.append(wanted)
            first, size = 0, len(site.data)
            if site.ranges:
                first = int(wanted.removeprefix("bytes=").removesuffix("-"))
                self.send_response(206)
                self.send_header("Content-Range", f"bytes {first}-{size - 1}/{size}")
            else:
                self.send_response(200)
            self.send_header("ETag", site.etag)
            self.send_header("Content-Length", str(size - first))
            self.end_headers()
            body = site.data[first:]
            body = body if site.breaks is None else body[: site.breaks]
            early = max(site.pause - first, 0)
            try:
                self.wfile.write(body[:early])
                self.wfile.flush()
                site.before()
                self.wfile.write(body[early:])
            except OSError:  # nobody listens any more
                pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        thread.join(WAIT)
        server.server_close()


def shown(source: UpvPlayback) -> list[Frame]:
    """All pictures from where it is."""
    source.flush_video()
    frames: list[Frame] = []
    for piece in source.pieces():
        if piece.kind == "video":
            frames += source.video(piece)
    return [*frames, *source.video(None)]


def played(address: str) -> list[Frame]:
    with UpvPlayback(address) as source:
        return shown(source)


def numbers(frames: list[Frame]) -> list[int]:
    assert not any(frame.damaged for frame in frames)
    return [shown_number(frame.planes[0]) for frame in frames]


def test_our_server_gives_what_the_disk_gives(upv: Path, keys: list[int], tmp_path: Path) -> None:
    other = write_clip(tmp_path / "other.mp4", count=2)
    with running(upv, other, codecs=("stand-in",), cache=tmp_path / "cache") as server:
        address = server.address + server.titles()["film"]["file"]
        assert is_remote_upv(address)
        assert server.get(server.titles()["other"]["file"] + ".upv").status == 404
        with UpvPlayback(address) as far, UpvPlayback(str(upv)) as near:
            assert (far.info.duration, far.info.seekable, far.info.notices) == (2, True, ())
            assert far.info.sound_tracks == near.info.sound_tracks
            assert far.info.caption_tracks == near.info.caption_tracks
            frames, wanted = shown(far), shown(near)
            assert numbers(frames) == list(range(COUNT))
            for one, two in zip(frames, wanted, strict=True):
                assert one.pts == two.pts
                assert all(map(np.array_equal, one.planes, two.planes))
            far.seek(Fraction(keys[2], 25))
            assert numbers(shown(far)) == list(range(keys[2], COUNT))
        watched = watch(address, codec="stand-in", start=Fraction(1))
    assert watched.stats.shown + watched.stats.skipped == 25
    assert watched.numbers[0] >= 25


def test_a_seek_asks_for_the_keyframe_and_what_follows(upv: Path, keys: list[int]) -> None:
    site = Site(upv.read_bytes())
    with UpvFile(upv) as file:
        place = file.index.offsets[3]
    # So that the file is larger than what is rather read through.
    with pytest.MonkeyPatch.context() as patch, served(site) as address:
        patch.setattr("upreel.player.remote._AHEAD", 0)
        patch.setattr("upreel.player.remote._CHUNK", 1000)
        with UpvPlayback(address + "/film.upv") as source:
            site.asked.clear()
            source.seek(Fraction(keys[3], 25))
            assert numbers(shown(source)) == list(range(keys[3], COUNT))
    assert site.asked == [f"bytes={place}-"]


def test_without_ranges_it_plays_from_its_start_and_says_so(
    upv: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("_BEHIND", "_CHUNK"):
        monkeypatch.setattr(f"upreel.player.remote.{name}", 500)
    site = Site(upv.read_bytes(), ranges=False)
    with served(site) as address:
        with UpvPlayback(address + "/film.upv") as source:
            assert source.info.notices == (UNSEEKABLE,)
            assert (source.info.seekable, source.info.duration) == (False, None)
            assert numbers(shown(source)) == list(range(COUNT))
            assert source.news() == []
            with pytest.raises(OptionError, match="can only be played from its start"):
                source.seek(Fraction(1))
        assert len(site.asked) == 1
        told = watch(address + "/film.upv", codec="stand-in").told
        with pytest.raises(OptionError, match=r"film\.upv can only be played from its start"):
            watch(address + "/film.upv", codec="stand-in", start=Fraction(1))
    assert f"{address}/film.upv: {UNSEEKABLE}" in told


def test_without_an_index_it_is_not_read_through(upv: Path) -> None:
    with UpvFile(upv) as file:
        end = file.index.header_offset
    site = Site(upv.read_bytes()[:end])
    with served(site) as address, UpvPlayback(address + "/film.upv") as source:
        assert source.info.notices == (UNSEEKABLE,)
        assert numbers(shown(source)) == list(range(COUNT))
        assert source.news() == ["the file is cut off at 0:00:02.000: what was there is kept"]


@pytest.mark.parametrize("ranges", [True, False])
def test_pictures_come_before_the_rest_does(ranges: bool, upv: Path) -> None:
    with UpvFile(upv) as file:
        key = file.index.offsets[2]
    came = threading.Event()
    waited: list[bool] = []
    site = Site(upv.read_bytes(), ranges=ranges, pause=key)
    with served(site) as address:
        if not ranges:
            site.before = lambda: waited.append(came.wait(WAIT))
        with (
            pytest.MonkeyPatch.context() as patch,
            UpvPlayback(address + "/film.upv") as source,
        ):
            if ranges:  # what follows comes by another answer
                site.before = lambda: waited.append(came.wait(WAIT))
                patch.setattr("upreel.player.remote._AHEAD", 0)
                source.seek(Fraction(0))
            frames: list[Frame] = []
            for piece in source.pieces():
                if piece.kind == "video":
                    frames += source.video(piece)
                if frames:
                    came.set()
    assert len(frames) == COUNT
    assert all(waited)


def test_what_breaks_off_is_asked_for_again(upv: Path) -> None:
    site = Site(upv.read_bytes(), breaks=5000)
    with served(site) as address, UpvPlayback(address + "/film.upv") as source:
        assert numbers(shown(source)) == list(range(COUNT))
        assert source.news() == []
    assert len(site.asked) > len(site.data) / 5000
    site.ranges = False
    with served(site) as address, pytest.raises(DamagedError, match="broke off: 5000 of "):
        played(address + "/film.upv")


def test_a_file_that_changes_is_not_played_on(upv: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("upreel.player.remote._CHUNK", 1000)
    monkeypatch.setattr("upreel.player.remote._AHEAD", 0)
    site = Site(upv.read_bytes(), breaks=5000)
    with served(site) as address, UpvPlayback(address + "/film.upv") as source:
        site.etag = '"2"'
        with pytest.raises(DamagedError, match="broke off: it has changed meanwhile"):
            shown(source)


def test_bytes_are_those_of_the_file(upv: Path) -> None:
    site = Site(bytes(np.random.default_rng(1).integers(0, 256, 400_000, np.uint8)))
    near = io.BytesIO(site.data)
    with served(site) as address, pytest.MonkeyPatch.context() as patch:
        for name, value in (("_BEHIND", 3000), ("_AHEAD", 5000), ("_CHUNK", 4096)):
            patch.setattr(f"upreel.player.remote.{name}", value)
        far = RemoteFile(address + "/film.upv")
        for place, size in ((0, 90_000), (399_990, 50), (1000, 7000), (9000, 1), (5000, 60_000)):
            assert far.seek(place) == near.seek(place)
            assert far.read(size) == near.read(size)
        assert far.seek(-5, 2) == near.seek(-5, 2)
        assert far.read(9) == near.read(9)
        far.close()


def test_names_and_passwords_are_for_the_host_alone(upv: Path) -> None:
    site, other = Site(upv.read_bytes()), Site(upv.read_bytes())
    with served(site) as address, served(other) as elsewhere:
        site.moved_to = f"{elsewhere}/moved.upv"
        whole = address.replace("//", "//me:s%21cret@") + "/film.upv"
        with UpvPlayback(whole) as source:
            assert source.info.name == f"{address}/film.upv"
    assert site.secrets[0] == "Basic " + base64.b64encode(b"me:s!cret").decode()
    assert set(other.secrets) == {None}


def test_an_address_without_a_film_is_one_line(tmp_path: Path) -> None:
    with running(tmp_path, cache=tmp_path / "cache") as server:
        with pytest.raises(InputError) as caught:
            UpvPlayback(server.address + "/film.upv")
        place = f"{server.address}/film.upv"
    assert str(caught.value) == f"{place} cannot be opened: HTTP 404 Not Found"
    with pytest.raises(InputError, match="cannot be opened: Connection refused"):
        UpvPlayback(place)


def test_no_other_protocol_is_led_to() -> None:
    site = Site(b"", moved_to="ftp://127.0.0.1/film.upv")
    with (
        served(site) as address,
        pytest.raises(InputError, match=r"film\.upv cannot be opened: .*ftp"),
    ):
        UpvPlayback(address + "/film.upv")


def test_a_stream_without_a_frame_is_told(upv: Path) -> None:
    with UpvFile(upv) as file:
        first = next(event for event in file.read() if isinstance(event, Placed))
    site = Site(upv.read_bytes()[: first.offset], ranges=False)
    with (
        served(site) as address,
        pytest.raises(DamagedError, match=r"no frame of http://.*/film\.upv can be decoded"),
    ):
        played(address + "/film.upv")
