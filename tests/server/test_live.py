"""A live source, here HLS that the test itself serves over loopback, is published again."""

import asyncio
import io
import threading
from collections.abc import Callable, Generator
from contextlib import contextmanager
from fractions import Fraction
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from itertools import pairwise
from pathlib import Path

import av
import pytest
from clips import AudioTrack, shown_number, write_clip
from serving import WAIT, Running

from upreel.errors import InputError, OptionError
from upreel.server.live import Live
from upreel.video.fragments import Fragment
from upreel.video.live import LivePiece, LiveTrack, check_live_source, live_pieces

Start = Callable[..., Running]
GOP = {"g": "25", "keyint_min": "25", "bf": "2", "sc_threshold": "0"}


class Source:
    """An HLS source whose playlist grows by a segment whenever the test says so."""

    def __init__(self, segments: list[bytes]) -> None:
        self.segments = segments
        self.listed = 0
        self.ended = self.down = False
        self.asked = threading.Semaphore(0)
        source = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                source.answer(self)

            def log_message(self, format: str, *args: object) -> None:  # noqa: A002
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_address[1]}/live.m3u8"

    def answer(self, request: BaseHTTPRequestHandler) -> None:
        if request.path.endswith(".ts"):
            data = self.segments[int(request.path.strip("/.ts"))]
        else:
            data = self.playlist()
            self.asked.release()
        request.send_response(404 if self.down else 200)
        request.send_header("Content-Length", str(len(data)))
        request.end_headers()
        request.wfile.write(data)

    def playlist(self) -> bytes:
        lines = ["#EXTM3U", "#EXT-X-VERSION:3", "#EXT-X-TARGETDURATION:1",
                 "#EXT-X-MEDIA-SEQUENCE:0"]  # fmt: skip
        for n in range(self.listed):
            lines += ["#EXTINF:1.0,", f"{n}.ts"]
        return "\n".join([*lines, *["#EXT-X-ENDLIST"] * self.ended, ""]).encode()


@contextmanager
def serving(source: Source) -> Generator[Source]:
    thread = threading.Thread(target=source.server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield source
    finally:
        source.server.shutdown()
        source.server.server_close()
        thread.join()


@pytest.fixture(scope="module")
def segments(tmp_path_factory: pytest.TempPathFactory) -> list[bytes]:
    """Sixteen segments of a second, 128x72, with sound; each begins with a key frame."""
    folder = tmp_path_factory.mktemp("live")
    clip = write_clip(folder / "whole.ts", count=400, width=128, height=72, options=GOP,
                      audio=[AudioTrack(seconds=Fraction(16))])  # fmt: skip
    parts: list[bytes] = []
    with av.open(str(clip)) as container:
        streams = [container.streams.video[0], container.streams.audio[0]]
        held: list[list[av.Packet]] = []
        for packet in container.demux(streams):
            if not packet.size:
                continue
            if packet.stream.type == "video" and packet.is_keyframe:
                held.append([])
            held[-1].append(packet)
        for packets in held:
            file = io.BytesIO()
            with av.open(file, "w", format="mpegts", container_options={
                "mpegts_copyts": "1", "muxdelay": "0", "avoid_negative_ts": "disabled",
            }) as out:  # fmt: skip
                made = {s.index: out.add_stream_from_template(s) for s in streams}
                for packet in packets:
                    packet.stream = made[packet.stream.index]
                    out.mux(packet)
            parts.append(file.getvalue())
    assert len(parts) == 16
    return parts


def go_on() -> None:
    """Nothing stands in the way."""


def test_pieces_of_all_renditions_fit_together(segments: list[bytes]) -> None:
    source = Source(segments)
    source.listed, source.ended = 6, True
    with serving(source):
        pieces = list(live_pieces(source.url, rungs=(36,), seconds=2, check=go_on))

    by_track: dict[str, list[LivePiece]] = {}
    for piece in pieces:
        by_track.setdefault(piece.track.name, []).append(piece)
    assert set(by_track) == {"source", "36p", "audio"}
    for name, found in by_track.items():
        assert [piece.number for piece in found] == list(range(len(found)))
        assert sum(piece.seconds for piece in found[:2]) == pytest.approx(4, abs=0.05)
        data = found[0].fragment.init + b"".join(piece.fragment.media for piece in found)
        with av.open(io.BytesIO(data)) as container:
            frames = list(container.decode(container.streams[0]))
        times = [frame.pts * frame.time_base for frame in frames]
        assert times[0] == pytest.approx(10, abs=0.1)
        if name != "audio":
            assert [shown_number(frame.to_ndarray(format="gray")) for frame in frames] == list(
                range(shown_number(frames[0].to_ndarray(format="gray")), 150)
            )
            steps = {b - a for a, b in pairwise(times)}
            assert steps == {Fraction(1, 25)}


def test_a_live_stream_plays_while_it_comes_and_keeps_a_window(
    segments: list[bytes], start: Start
) -> None:
    source = Source(segments)
    source.listed = 4
    with serving(source):
        server = start(live=source.url, rungs=(36,))
        until(server, lambda live: live["state"] == "live" and len(live["tracks"]) == 3)
        first = server.get("/live/source/0.m4s")
        assert first.status == 200
        assert server.get("/live/source/init-0.mp4").status == 200
        master = server.get("/live/master.m3u8").body.decode()
        assert "RESOLUTION=128x72" in master
        assert "RESOLUTION=64x36" in master

        source.listed, source.ended = 16, True
        until(server, lambda live: live["reconnections"] >= 1)
        source.down = True
        text = server.get("/live/source/index.m3u8").body.decode()
        assert text.count("#EXTINF") <= 6
        assert "#EXT-X-TARGETDURATION:2\n" in text
        assert server.get("/live/source/9999.m4s").status == 404
        assert server.server.live is not None
        assert server.server.live.num_bytes < 8 * sum(map(len, segments))


def until(server: Running, holds: Callable[[dict[str, object]], bool]) -> None:
    """Wait for something of the live stream, woken whenever it changes."""
    live = server.server.live
    assert live is not None

    async def wait() -> None:
        while True:
            changed = asyncio.ensure_future(live.wait())
            await asyncio.sleep(0)
            found = {"state": live.word, "reconnections": live.reconnections,
                     "tracks": live.tracks()}  # fmt: skip
            if holds(found):
                changed.cancel()
                return
            await changed

    asyncio.run_coroutine_threadsafe(wait(), server.loop).result(WAIT)


def test_a_source_that_comes_back_is_taken_up_again(segments: list[bytes], start: Start) -> None:
    source = Source(segments)
    source.listed, source.ended, source.down = 4, True, True
    with serving(source):
        server = start(live=source.url, rungs=())
        until(server, lambda live: live["state"] == "waiting")
        assert server.get("/live/master.m3u8").status == 503
        assert server.get("/api/live").json()["reason"].startswith("the live source cannot")
        source.down = False
        until(server, lambda live: live["reconnections"] >= 2)

        text = server.get("/live/source/index.m3u8").body.decode()

    assert text.count("#EXT-X-MAP") == 1
    assert "init-1.mp4" in text


def test_a_second_connection_is_a_discontinuity() -> None:
    live = Live("-", rungs=(), seconds=2)
    track = LiveTrack(name="source", kind="video", codec="", width=2, height=2)

    def add(number: int) -> None:
        fragment = Fragment(init=b"i", media=b"m")
        live._add(LivePiece(track=track, number=number, seconds=2.0, fragment=fragment))

    add(0)
    add(1)
    live._pause("waiting", "gone")
    add(0)
    text = live.playlist("source")
    assert text is not None
    assert text.split("#EXT-X-DISCONTINUITY\n")[1].startswith('#EXT-X-MAP:URI="init-1.mp4"')
    assert "2.m4s" in text
    for number in range(1, 9):
        add(number)
    text = live.playlist("source")
    assert text is not None
    assert "#EXT-X-DISCONTINUITY-SEQUENCE:1\n" in text
    assert "#EXT-X-MEDIA-SEQUENCE:5\n" in text
    assert live.segment("source", 0) is None
    assert live.init("source", 0) is None
    assert live.num_bytes == 8


@pytest.mark.parametrize(
    "source",
    ["film.mp4", "file:///etc/passwd", "/dev/sda", "concat:a|b", "pipe:0", "ftp://x/y", ""],
)
def test_what_is_no_live_source_is_refused(source: str) -> None:
    with pytest.raises(OptionError, match="--live takes"):
        check_live_source(source)


def test_a_remote_playlist_names_no_file_of_this_machine(tmp_path: Path) -> None:
    secret = write_clip(tmp_path / "secret.ts", count=25)
    source = Source([])
    source.playlist = lambda: (  # type: ignore[method-assign]
        f"#EXTM3U\n#EXT-X-TARGETDURATION:1\n#EXTINF:1,\nfile://{secret}\n#EXT-X-ENDLIST\n".encode()
    )

    with serving(source), pytest.raises(InputError, match="cannot be opened"):
        list(live_pieces(source.url, rungs=(), seconds=2, check=go_on))
