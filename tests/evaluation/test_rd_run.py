"""A comparison of codecs as a whole: bytes, times, conditions, means, and what is absent.

Ours is a codec that needs no networks. Mutations tried: packets' bytes taken for the file's, the
keyframe interval not handed on, a codec opened anew for each quality, clips weighed alike whatever
their source, a quality left out, opening a codec counted: each fails one of these tests or more.
"""

import errno
import sys
import time
from dataclasses import replace
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest
from clips import write_clip
from compressing import moving, packets_of, still_pictures
from stand_in_codec import StandInCodecs

from upreel.codec.packet import PacketType
from upreel.codec.survey import survey
from upreel.errors import (
    BackendUnavailableError,
    DiskFullError,
    InputError,
    ModelError,
    OptionError,
    UpreelError,
)
from upreel.evaluation import rd_pictures, rd_run
from upreel.evaluation.rd import ClipFacts, Point, RateDistortion, RdJob
from upreel.evaluation.rd_coders import Coder, PeerCoder, spread
from upreel.evaluation.rd_measure import frames_in, write_truth
from upreel.evaluation.rd_ours import OurCoder
from upreel.evaluation.rd_run import compare_codecs
from upreel.pipeline.coding import CompressJob
from upreel.pipeline.compression import compress
from upreel.video.probe import probe
from upreel.video.read import read_frames

SMALL = RdJob(peers=("x264:ultrafast",), points=2, keyint=4, with_vmaf=False)


@pytest.fixture
def clip(tmp_path: Path) -> Path:
    return write_clip(tmp_path / "film_1.mkv", codec="ffv1", count=6)


@pytest.fixture
def truth(clip: Path, tmp_path: Path) -> tuple[Path, ClipFacts]:
    path = tmp_path / "truth.y4m"
    return path, write_truth(probe(clip), path, limit=None)


def ours(job: RdJob = SMALL, backend: StandInCodecs | None = None) -> OurCoder:
    return OurCoder("stand-in", job, backend or StandInCodecs())


def sizes_in(path: Path) -> list[int]:
    with av.open(str(path)) as container:
        return [packet.size for packet in container.demux(video=0) if packet.size]


@pytest.mark.parametrize("peer", ["x264:ultrafast", "x265:ultrafast", "svtav1:12"])
def test_a_peers_bytes_are_its_files(
    peer: str, truth: tuple[Path, ClipFacts], tmp_path: Path
) -> None:
    path = tmp_path / "coded.mp4"

    done = PeerCoder(peer, SMALL).encode(*(truth[0], path, truth[1], 30.0))

    assert done.num_bytes == len(path.read_bytes())
    assert done.packet_bytes == sum(sizes_in(path))
    assert done.keyframes == 2
    assert 0 < done.packet_bytes < done.num_bytes
    assert done.seconds > 0


def test_our_bytes_are_those_of_the_file_that_compress_writes(tmp_path: Path) -> None:
    still_pictures(tmp_path / "film.mkv", [moving(number) for number in range(6)])
    truth, path, other = (tmp_path / name for name in ("truth.y4m", "coded.upv", "other.upv"))
    facts = write_truth(probe(tmp_path / "film.mkv"), truth, limit=None)

    done = ours().encode(truth, path, facts, 40.0)

    job = CompressJob(source=str(truth), output=str(other), codec="stand-in", quality=40, keyint=4)
    compress(job, backend=StandInCodecs())
    assert path.read_bytes() == other.read_bytes()
    assert done.num_bytes == len(path.read_bytes())
    assert done.packet_bytes == survey(path).video_bytes
    keys = [packet.type is PacketType.VIDEO_KEY for packet in packets_of(path)]
    assert keys == [True, False, False, False, True, False]
    assert done.keyframes == 2


@pytest.mark.parametrize("name", ["ours", "x264:ultrafast"])
def test_all_frames_come_back(name: str, truth: tuple[Path, ClipFacts], tmp_path: Path) -> None:
    coder: Coder = ours() if name == "ours" else PeerCoder(name, SMALL)
    path = tmp_path / f"coded{coder.suffix}"
    coder.encode(truth[0], path, truth[1], coder.qualities[0])

    assert coder.decode(path, tmp_path / "judged.y4m", truth[1]) > 0

    judged = list(frames_in(tmp_path / "judged.y4m"))
    assert len(judged) == truth[1].num_frames
    assert judged[0].planes[1].shape == (24, 32)


class _SlowToOpen(StandInCodecs):
    def open(self, *arguments: object, **options: object) -> object:  # type: ignore[override]
        time.sleep(0.5)
        return super().open(*arguments, **options)  # type: ignore[arg-type]


def test_opening_a_codec_is_not_counted_and_happens_once(
    truth: tuple[Path, ClipFacts], tmp_path: Path
) -> None:
    backend = _SlowToOpen()
    coder = ours(backend=backend)
    path = tmp_path / "coded.upv"
    for quality in (10.0, 40.0):
        assert coder.encode(truth[0], path, truth[1], quality).seconds < 0.4
        assert coder.decode(path, tmp_path / "judged.y4m", truth[1]) < 0.4

    assert [opened["sends"] for opened in backend.opened] == [True, False]
    assert {opened["threads"] for opened in backend.opened} == {1}


def test_calls_are_counted(truth: tuple[Path, ClipFacts], tmp_path: Path) -> None:
    coder = ours(backend=StandInCodecs(on_send=lambda: time.sleep(0.05)))

    done = coder.encode(truth[0], tmp_path / "coded.upv", truth[1], 40.0)

    assert done.seconds > 5 * 0.05


def test_every_codec_is_measured_on_every_clip(clip: Path, tmp_path: Path) -> None:
    write_clip(tmp_path / "other.mkv", codec="ffv1", count=5, pix_fmt="yuv420p10le")
    job = replace(SMALL, places=(str(tmp_path),), codecs=("a",), qualities=(16, 63), limit=5)

    result, images = compare_codecs(job, backend=StandInCodecs())

    assert images == {}
    assert list(result.clips) == ["film_1", "other"]
    assert [(p.coder, p.clip, p.quality) for p in result.points] == [
        (name, clip_name, quality)
        for clip_name in ("film_1", "other")
        for name, qualities in (("a", (16, 63)), ("x264:ultrafast", (18, 42)))
        for quality in qualities
    ]
    assert [p.figures["psnr_y"] == float("inf") for p in result.of("a")] == [False, True] * 2
    assert set(result.absent) == {"ms_ssim_y", "vmaf", "vmaf_neg"}
    values = result.to_json()
    assert values["structure"]["name"] == "low-delay"
    assert "no B frames" in values["structure"]["description"]
    assert values["coders"][0]["kind"] == "ours"
    assert "rc-lookahead=0" in values["coders"][1]["encoder"]
    point = values["coders"][1]["points"][0]
    assert point["kbps"] == pytest.approx(point["bytes"] * 8 * 25 / 5 / 1000)
    assert values["complete"] is False


def test_pictures_are_made_where_they_are_wanted(clip: Path) -> None:
    job = replace(
        SMALL, places=(str(clip),), peers=("x264:ultrafast", "x264:fast"), with_pictures=True
    )

    result, images = compare_codecs(job)

    (told,) = result.pictures
    assert images[told["file"]].startswith(b"\x89PNG")
    assert [tile["name"] for tile in told["tiles"]] == ["x264:ultrafast", "x264:fast"]
    assert all(abs(t["bytes"] / told["target_bytes"] - 1) < 0.05 for t in told["tiles"])


def test_codecs_without_a_common_size_have_no_picture(
    clip: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(rd_pictures, "common_size", lambda _: None)

    result, images = compare_codecs(replace(SMALL, places=(str(clip),), with_pictures=True))

    assert (result.pictures, images) == ((), {})
    reason = "there is no size of film_1 that all codecs reach"
    assert result.absent["picture of film_1"] == reason


def test_clips_are_drawn_where_none_is_given() -> None:
    result, _ = compare_codecs(replace(SMALL, limit=2))

    assert {n: (c.width, c.height, c.num_frames) for n, c in result.clips.items()} == {
        "still": (352, 288, 2),
        "moving": (352, 288, 2),
    }
    assert result.metrics == ("psnr_y", "psnr_uv", "ms_ssim_y")
    still, moving = (result.of("x264:ultrafast", name)[0].num_bytes for name in result.clips)
    assert still < moving


def test_peers_that_are_not_there_or_do_not_fit_are_absent(
    clip: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(av, "codecs_available", {"libx264", "libx265"})
    odd = write_clip(tmp_path / "odd.mkv", codec="ffv1", count=2, width=65, height=49)
    job = replace(SMALL, peers=("svtav1:8", "x264:fast"), codecs=("a",))

    result, _ = compare_codecs(replace(job, places=(str(odd),)), backend=StandInCodecs())

    assert [*result.facts] == ["a"]
    assert result.absent["svtav1:8"] == "this build of PyAV has no libsvtav1"
    assert result.absent["x264:fast"] == "it cannot encode an odd 65x49 in yuv420p: odd"
    with pytest.raises(OptionError, match=r"no codec is left to run: .*svtav1:8: this build"):
        compare_codecs(replace(job, places=(str(clip),), codecs=(), peers=("svtav1:8",)))


def test_missing_packages_are_told_of_and_asked_for_ones_refused(
    clip: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "imageio_ffmpeg", None)
    monkeypatch.setitem(sys.modules, "bjontegaard", None)
    job = replace(SMALL, places=(str(clip),), with_vmaf=None)

    result, _ = compare_codecs(job)

    assert "pip install 'upreel[eval]'" in result.absent["vmaf"]
    assert "pip install 'upreel[eval]'" in result.absent["BD-rate"]
    assert result.to_json()["bd_rate"] == {}
    with pytest.raises(BackendUnavailableError, match="VMAF needs the package"):
        compare_codecs(replace(job, with_vmaf=True))


def test_a_full_disk_is_one_line_and_other_errors_are_bugs(
    clip: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def failing(number: int) -> None:
        def fail(*_: object, **__: object) -> None:
            raise OSError(number, "told by the system")

        monkeypatch.setattr(rd_run, "write_truth", fail)

    failing(errno.ENOSPC)
    with pytest.raises(DiskFullError, match=r"no room in .* --limit takes fewer frames, the var"):
        compare_codecs(replace(SMALL, places=(str(clip),)))
    failing(errno.EBADF)
    with pytest.raises(OSError, match="told by the system"):
        compare_codecs(replace(SMALL, places=(str(clip),)))


def test_vmaf_is_measured(clip: Path) -> None:
    result, _ = compare_codecs(replace(SMALL, places=(str(clip),), with_vmaf=True, limit=2))

    good, bad = (point.figures for point in result.points)
    assert 100 >= good["vmaf"] > bad["vmaf"] >= 0
    assert 100 >= good["vmaf_neg"] > bad["vmaf_neg"] >= 0


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"peers": ()}, "nothing to compare; --codec takes a codec's card"),
        ({"structure": "b"}, "structure 'b' is not known; allowed: low-delay, random-access"),
        ({"keyint": 0}, "keyint must be 1 to 100000 frames, got 0"),
        ({"points": 1}, "points must be 2 to 16, got 1"),
        ({"qualities": (3, 64)}, "qualities must be 0 to 63, got 64"),
        ({"qualities": (3, 3)}, "a curve needs at least 2 qualities that differ"),
        ({"precision": "int8"}, "precision 'int8' is not known; allowed: f32, bf16"),
        ({"limit": 0}, "limit must be at least 1 frame, got 0"),
        ({"threads": 0}, "threads must be at least 1, got 0"),
        ({"peers": ("x264:fast",) * 2}, "x264:fast is named twice"),
        ({"places": ("vid4", "a")}, "vid4 is a set of its own"),
    ],
)
def test_mistakes_name_the_value_and_what_is_allowed(
    options: dict[str, object], message: str
) -> None:
    with pytest.raises(OptionError, match=message):
        RdJob(**options)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"places": ("vid4",)}, "--set vid4 needs --data DIR"),
        ({"places": ("vid4",), "data": Path("x"), "only": ("walk",)}, "--only picks clips of a"),
        ({"only": ("walk",)}, "--only and --data go with --set"),
        ({"places": ("nowhere",)}, "nowhere is neither a folder nor a file"),
        ({"codecs": ("unknown",)}, "no codec 'unknown'"),
        ({"peers": ("x264:quick",)}, "x264 has no preset 'quick'"),
    ],
)
def test_what_is_not_there_is_refused(options: dict[str, object], message: str) -> None:
    with pytest.raises(UpreelError, match=message) as caught:
        compare_codecs(replace(SMALL, **options), backend=StandInCodecs())  # type: ignore[arg-type]
    assert "\n" not in str(caught.value)


def test_other_formats_are_refused_before_the_work(tmp_path: Path) -> None:
    path = write_clip(tmp_path / "a.mkv", codec="ffv1", pix_fmt="yuv422p", count=1)

    with pytest.raises(InputError, match="is yuv422p; allowed: yuv420p, yuv420p10le"):
        compare_codecs(replace(SMALL, places=(str(path),)))


def made(factors: dict[str, dict[str, float]]) -> RateDistortion:
    """Codecs that differ by a factor of rate, by name and clip."""
    facts = {
        name: ClipFacts(
            source=name.split("_")[0], num_frames=10, width=8, height=8, rate=Fraction(25), bits=8
        )
        for name in next(iter(factors.values()))
    }
    points = [
        Point(
            coder=coder,
            clip=clip,
            quality=quality,
            num_bytes=round(factor * 10_000 * 2 ** (quality / 10)),
            packet_bytes=1,
            keyframes=1,
            encode_seconds=2.0,
            decode_seconds=0.5,
            figures={"psnr_y": 30 + quality / 3},
        )
        for coder, clips in factors.items()
        for clip, factor in clips.items()
        for quality in (0.0, 10.0, 20.0)
    ]
    return RateDistortion(
        job=SMALL, machine={}, date="", clips=facts, points=tuple(points),
        facts={coder: {"kind": "peer"} for coder in factors},
    )  # fmt: skip


def test_means_are_over_clips_then_sources() -> None:
    result = made(
        {
            "anchor": {"a_1": 1.0, "a_2": 1.0, "b_1": 1.0},
            "test": {"a_1": 0.5, "a_2": 0.7, "b_1": 1.2},
        }
    )

    found = result.bd_rates("psnr_y", "test", "anchor")

    assert found is not None
    assert found["percent"] == pytest.approx((-40 + 20) / 2, abs=0.05)
    assert found["num_clips"] == 3
    assert found["clips"]["b_1"] == pytest.approx(20, abs=0.05)
    assert found["overlap"] == 1
    mean = result.means("test")[0]
    assert mean["kbps"] == pytest.approx(10_000 * 8 * 25 / 10 / 1000 * (0.6 + 1.2) / 2)
    assert (mean["encode_fps"], mean["decode_fps"]) == (5, 20)
    same = result.bd_rates("psnr_y", "test", "test")
    assert same is not None
    assert same["percent"] == 0


def test_qualities_are_spread_over_the_scale() -> None:
    assert spread(18, 42, 5) == (18, 24, 30, 36, 42)
    assert ours(replace(SMALL, points=4)).qualities == (0, 21, 42, 63)
    assert PeerCoder("svtav1:8", replace(SMALL, points=5)).qualities == (20, 30, 40, 50, 60)


def test_a_scale_is_as_fine_as_the_codec_takes() -> None:
    assert PeerCoder("x264:fast", SMALL).nearest(30.26) == 30.3
    assert PeerCoder("x265:fast", SMALL).nearest(60) == 51
    assert PeerCoder("svtav1:8", SMALL).nearest(30.6) == 31
    assert (ours().nearest(70.2), ours().nearest(40.4), ours().nearest(-1)) == (63, 40, 0)


def test_a_stretch_of_each_clip_is_taken(tmp_path: Path) -> None:
    clip = write_clip(tmp_path / "long.mkv", codec="ffv1", count=40)
    wanted = list(read_frames(probe(clip), deinterlace="off"))[10:13]
    target = tmp_path / "truth.y4m"
    facts = write_truth(probe(clip), target, limit=3, start=Fraction(2, 5), end=Fraction(1))
    assert facts.num_frames == 3
    for one, two in zip(frames_in(target), wanted, strict=True):
        assert all(map(np.array_equal, one.planes, two.planes))
    assert write_truth(probe(clip), target, limit=99, end=Fraction(1, 5)).num_frames == 5
    with pytest.raises(OptionError, match=r"long\.mkv from start to end: it has 1\.600 s"):
        write_truth(probe(clip), target, limit=None, start=Fraction(9))
    job = replace(SMALL, places=(str(clip),), codecs=("a",), peers=(), start=Fraction(7, 5))
    result, _ = compare_codecs(job, backend=StandInCodecs())
    assert result.clips["long"].num_frames == 5
    values = result.to_json()
    assert (values["start"], values["end"], values["complete"]) == (1.4, None, False)
    assert "--start 1.4 " in values["command"]


def test_an_upv_file_is_a_clip_like_others(clip: Path, tmp_path: Path) -> None:
    upv = tmp_path / "made.upv"
    made = CompressJob(source=str(clip), output=str(upv), codec="b", quality=63)
    compress(made, backend=StandInCodecs())
    job = replace(SMALL, places=(str(upv),), codecs=("a", "b"), peers=())
    result, _ = compare_codecs(job, backend=StandInCodecs())
    plain, _ = compare_codecs(replace(job, places=(str(clip),)), backend=StandInCodecs())
    assert result.clips["made"] == replace(plain.clips["film_1"], source="made")
    assert [p.figures for p in result.points] == [p.figures for p in plain.points]
    with pytest.raises(ModelError, match=r"made by codec 'b' .*, not by 'c'"):
        compare_codecs(replace(job, upv_codec="c"), backend=StandInCodecs())
