"""Films on the network that break off in the middle: they go on where they did, or are given up."""

import io
import re
from fractions import Fraction
from itertools import pairwise

import av
import pytest
from breaking_server import BreakingFilm, BreakingSegments, stretch
from clips import AudioTrack, write_clip
from playing import Shown, repeating, watch

from upreel.errors import DamagedError, InputError
from upreel.player import HeadlessPresenter, PlayConfig, play
from upreel.player.commands import Command
from upreel.video.pieces import Piece
from upreel.video.playback import Playback

COUNT = 100


@pytest.fixture(scope="module", params=["film.mkv", "film.mp4"])
def film(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> bytes:
    """Four seconds with sound, key frames every 0.4 s, B-frames; MP4 with its index in front."""
    path = tmp_path_factory.mktemp("films") / request.param
    options = {"movflags": "+faststart"} if path.suffix == ".mp4" else {}
    write_clip(
        path, count=COUNT, audio=[AudioTrack(seconds=Fraction(COUNT, 25))],
        options={"g": "10", "keyint_min": "10", "bf": "2", "sc_threshold": "0"},
        muxer_options=options,
    )  # fmt: skip
    return path.read_bytes()


def middle(film: bytes) -> int:
    """A place within a B-frame about the middle: pictures after it were sent before it."""
    with av.open(io.BytesIO(film)) as container:
        packets = [packet for packet in container.demux(video=0) if packet.size]
    found = [
        packet.pos + packet.size // 2
        for before, packet in pairwise(packets)
        if packet.pts < before.pts and packet.pos > len(film) // 2
    ]
    return found[0]


def test_the_packet_within_which_it_breaks_off_is_not_given(film: bytes) -> None:
    with (
        BreakingFilm(film, breaks=middle(film), away=0) as server,
        Playback(f"{server.address}/film") as source,
    ):
        pieces: list[Piece] = []
        with pytest.raises(DamagedError, match="broke off"):
            pieces.extend(source.pieces())  # which keeps what came before that
        assert len(pieces) > 50
        assert not any(piece.packet.is_corrupt for piece in pieces)


def test_a_film_goes_on_where_it_broke_off(film: bytes) -> None:
    with BreakingFilm(film, breaks=middle(film), away=2) as server:
        shown = watch(f"{server.address}/film", model="lanczos")

    stats = shown.stats
    assert stats.shown + stats.skipped == COUNT  # each once
    assert shown.numbers == sorted(set(shown.numbers))
    assert [round(at * 25) for at in shown.times] == shown.numbers
    (outage,) = stats.outages
    assert outage.reason.startswith("broke off: ")
    assert outage.seconds is not None
    assert outage.seconds >= 0.25 + 0.5 + 1
    lines = [line for line in shown.told if server.address in line]
    assert re.search(r"film: broke off \(.*\); trying again for 30 s$", lines[0])
    assert lines[1].endswith(f": back after {outage.seconds:.1f} s")
    assert server.num_requests >= 4
    assert abs(stats.offset_ms.summary()["median"]) < 40


def test_a_film_that_stays_away_is_given_up_with_one_line(film: bytes) -> None:
    with BreakingFilm(film, breaks=middle(film), away=None) as server:
        url = f"{server.address}/film"
        with pytest.raises(InputError) as caught:
            watch(url, model="lanczos", reconnect=1.0)

    assert str(caught.value).startswith(
        f"{url} broke off and did not come back within 1 s: cannot be opened: "
    )
    assert "\n" not in str(caught.value)
    assert 3 <= server.num_requests <= 6


def test_without_patience_a_film_ends_where_it_breaks_off(film: bytes) -> None:
    with (
        BreakingFilm(film, breaks=middle(film), away=0) as server,
        pytest.raises(DamagedError, match="film broke off: "),
    ):
        watch(f"{server.address}/film", model="lanczos", reconnect=0.0)


def test_a_viewer_may_go_elsewhere_while_a_film_is_away(film: bytes) -> None:
    """It is connected to again there, not where it broke off."""
    asked: list[Command] = []

    def tell(line: str) -> None:
        if "broke off" in line:
            asked.append(Command("seek", -5.0))

    presenter = HeadlessPresenter((64, 48), seen=(shown := Shown()).see)
    presenter.commands = lambda _: [asked.pop()] if asked else []  # type: ignore[method-assign, assignment]
    with BreakingFilm(film, breaks=middle(film), away=2) as server:
        config = PlayConfig(sources=(f"{server.address}/film",), model="lanczos")
        (stats,) = play(config, presenter, opened=repeating(), told=tell).titles

    jumps = [(a, b) for a, b in pairwise(shown.numbers) if b < a]
    assert len(jumps) == 1
    assert jumps[0][1] < 5
    assert shown.numbers[-1] == COUNT - 1
    assert stats.seeks == 1
    assert len(stats.outages) == 1
    assert stats.outages[0].seconds is not None


def test_segments_of_a_film_that_are_away_for_a_while_are_waited_for() -> None:
    """FFmpeg passes over segments that it does not get, up to the end."""
    segments = [b"".join(stretch(25 * n, 25, at=25 * n)) for n in range(8)]
    with BreakingSegments(segments, first=3, away=3) as server:
        shown = watch(server.url, model="lanczos")

    assert shown.stats.shown + shown.stats.skipped == 8 * 25
    assert shown.numbers == sorted(set(shown.numbers))
    (outage,) = shown.stats.outages
    assert outage.reason == "broke off: 5.0 s before its end"
    assert outage.seconds is not None


def test_segments_that_stay_away_are_given_up() -> None:
    """What comes again of those before is no return."""
    segments = [b"".join(stretch(25 * n, 25, at=25 * n)) for n in range(8)]
    told: list[str] = []
    with BreakingSegments(segments, first=3, away=None) as server:
        config = PlayConfig(sources=(server.url,), model="lanczos", reconnect=1.0)
        with pytest.raises(InputError, match=r"m3u8 broke off and did not come back within 1 s: "):
            play(config, HeadlessPresenter((64, 48)), opened=repeating(), told=told.append)

    assert len([line for line in told if "broke off" in line]) == 1
    assert not [line for line in told if "back after" in line]
