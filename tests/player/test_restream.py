"""What is played goes to other players: files, a folder for HLS, a pipe."""

import subprocess
import sys
from itertools import pairwise
from pathlib import Path

import av
import pytest
from clips import shown_number
from playing import clip, repeating
from processes import ENVIRONMENT

from upreel.errors import OutputError
from upreel.player import PlayConfig, play
from upreel.player.restream import RestreamPresenter
from upreel.player.stats import Statistics


def restreamed(film: Path, target: str) -> tuple[Statistics, RestreamPresenter]:
    presenter = RestreamPresenter(target, (128, 96))
    config = PlayConfig(sources=(str(film),))
    try:
        (stats,) = play(config, presenter, opened=repeating()).titles
    finally:
        presenter.close()
    return stats, presenter


def numbers(path: Path | str, height: int = 96) -> list[int]:
    """What the pictures of a stream show; their times must rise."""
    with av.open(str(path)) as container:
        frames = list(container.decode(video=0))
    assert {frame.height for frame in frames} == {height}
    assert all(b.pts > a.pts for a, b in pairwise(frames))
    return [shown_number(frame.to_ndarray(format="gray")) for frame in frames]


@pytest.mark.parametrize("ending", [".mkv", ".mp4", ".ts"])
def test_a_file_holds_what_was_shown_and_heard(tmp_path: Path, ending: str) -> None:
    film = clip(tmp_path / "film.mkv", count=30)
    out = tmp_path / f"out{ending}"

    stats, presenter = restreamed(film, str(out))

    found = numbers(out)
    assert len(found) == stats.shown - presenter.num_left_out
    assert found == sorted(set(found))
    assert found[0] <= 3
    with av.open(str(out)) as container:
        video, audio = container.streams.video[0], container.streams.audio[0]
        starts = [float(s.start_time * s.time_base) for s in (video, audio)]
        samples = sum(frame.samples for frame in container.decode(audio))
    assert abs(starts[0] - starts[1]) < 0.1
    assert samples / 48000 == pytest.approx(1.2, abs=0.15)


def test_a_folder_is_hls(tmp_path: Path) -> None:
    film = clip(tmp_path / "film.mkv", count=60)

    stats, _ = restreamed(film, f"{tmp_path / 'hls'}/")

    playlist = (tmp_path / "hls" / "index.m3u8").read_text()
    assert "#EXT-X-MAP" in playlist
    assert ".m4s" in playlist
    found = numbers(tmp_path / "hls" / "index.m3u8")
    assert found == sorted(set(found))
    assert len(found) >= stats.shown * 0.8


def test_a_pipe_is_read_by_another_process(tmp_path: Path) -> None:
    film = clip(tmp_path / "film.mkv", count=20)
    done = subprocess.run(
        [sys.executable, "-m", "upreel", "play", str(film), "-o", "pipe:", "--size", "128x96",
         "-m", "lanczos"],
        env=ENVIRONMENT, capture_output=True, check=False, timeout=60,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    out = tmp_path / "piped.mkv"
    out.write_bytes(done.stdout)

    found = numbers(out)
    assert found == sorted(set(found))
    assert len(found) > 5


def test_what_cannot_be_written_is_one_line(tmp_path: Path) -> None:
    with pytest.raises(OutputError, match=r"--output takes a file ending in \.mkv.*'out\.webm'"):
        RestreamPresenter("out.webm", (64, 48))
    with pytest.raises(OutputError, match="no such folder"):
        RestreamPresenter(str(tmp_path / "nope" / "out.mkv"), (64, 48))
