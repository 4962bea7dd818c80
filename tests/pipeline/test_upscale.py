"""Whole jobs with a network that repeats samples: parts, joining, resuming, inputs of all kinds."""

import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from fractions import Fraction
from pathlib import Path
from threading import Event

import numpy as np
import pytest
from clips import (
    AudioTrack,
    draw_planes,
    frame_times,
    shown_number,
    write_clip,
    write_sequence,
)
from stand_in import StandIn

from upreel.errors import (
    EncoderError,
    ExistsError,
    InputError,
    LockedError,
    OptionError,
    OutOfMemoryError,
    OutputError,
    ProbeError,
    StaleWorkError,
)
from upreel.pipeline import Progress, UpscaleJob, upscale
from upreel.pipeline.work import Work
from upreel.video.encoders import EncoderSettings
from upreel.video.formats import pixel_format
from upreel.video.frame import Frame, Plane
from upreel.video.probe import probe
from upreel.video.read import read_frames
from upreel.video.scan import scan
from upreel.video.write import PartWriter, part_suffix

SHORT = Fraction(1, 5)  # parts of 5 frames at 25 fps


def job(source: Path, output: str, **options: object) -> UpscaleJob:
    plain = UpscaleJob(source=str(source), output=str(source.with_name(output)), part_seconds=SHORT)
    return replace(plain, **options)


def frames_of(path: str | Path) -> list[Frame]:
    info = probe(path)
    return list(read_frames(info, timeline=scan(info)))


def times_of(path: str | Path) -> list[Fraction]:
    return [frame.pts * frame.time_base for frame in frames_of(path)]


def numbers_of(path: str | Path) -> list[int]:
    return [shown_number(frame.planes[0]) for frame in frames_of(path)]


class StoppedError(Exception):
    """A kill in the middle of a job, as a test sees it."""


def stop_at(number: int) -> Callable[[int], None]:
    def on_submit(count: int) -> None:
        if count == number:
            raise StoppedError

    return on_submit


def test_every_frame_is_there_enlarged_with_its_time(tmp_path: Path) -> None:
    clip = write_clip(tmp_path / "a.mkv", count=23, codec="ffv1")

    result = upscale(job(clip, "b.mkv", codec="ffv1"), backend=StandIn())

    before, after = frames_of(clip), frames_of(result.output)
    assert result.frames == len(after) == 23
    assert times_of(result.output) == times_of(clip)
    for old, new in zip(before, after, strict=True):
        for small, large in zip(old.planes, new.planes, strict=True):
            np.testing.assert_array_equal(large, small.repeat(2, axis=0).repeat(2, axis=1))
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a.mkv", "b.mkv"]


@pytest.mark.parametrize("seen", [(0, 0), (1, 0), (2, 2)])
def test_part_borders_cannot_be_seen(tmp_path: Path, seen: tuple[int, int]) -> None:
    clip = write_clip(tmp_path / "a.mkv", count=23, codec="ffv1")
    whole = upscale(
        job(clip, "whole.mkv", codec="ffv1", part_seconds=Fraction(60)), backend=StandIn(seen=seen)
    )
    for number, length in enumerate((Fraction(1, 25), SHORT, Fraction(1, 3))):
        parts = upscale(
            job(clip, f"parts{number}.mkv", codec="ffv1", part_seconds=length),
            backend=StandIn(seen=seen),
        )
        for one, other in zip(frames_of(whole.output), frames_of(parts.output), strict=True):
            for plane, same in zip(one.planes, other.planes, strict=True):
                np.testing.assert_array_equal(plane, same)


@pytest.mark.parametrize(("seen", "recurrent"), [((0, 0), False), ((1, 1), False), ((0, 0), True)])
@pytest.mark.parametrize("stopped_at", [0, 7, 22])
def test_a_stopped_job_goes_on_to_the_same_bytes(
    tmp_path: Path, seen: tuple[int, int], recurrent: bool, stopped_at: int
) -> None:
    clip = write_clip(tmp_path / "a.mp4", count=23, options={"g": "6"}, audio=[AudioTrack()])
    straight = upscale(job(clip, "x.mp4"), backend=StandIn(seen=seen, recurrent=recurrent))
    asked = job(clip, "y.mp4")
    with pytest.raises(StoppedError):
        upscale(
            asked,
            backend=StandIn(seen=seen, recurrent=recurrent, on_submit=stop_at(stopped_at)),
        )
    assert not Path(str(asked.output)).exists()

    backend = StandIn(seen=seen, recurrent=recurrent)
    resumed = upscale(asked, backend=backend)

    assert Path(resumed.output).read_bytes() == Path(straight.output).read_bytes()
    assert resumed.frames == 23
    if stopped_at == 22:
        assert resumed.resumed_frames > 0
    if not recurrent:  # a recurrent network warms up for each part
        assert len(backend.opened[0].submitted) == 23 - resumed.resumed_frames
    assert not (tmp_path / ".y.mp4.upreel").exists()


def test_a_cut_inside_a_part_resets_the_state(tmp_path: Path) -> None:
    clip = tmp_path / "cut.mkv"
    coarse = np.random.default_rng(2).integers(20, 200, (2, 6, 8)).astype(np.uint8)
    scenes = coarse.repeat(8, axis=1).repeat(8, axis=2)
    chroma = np.full((24, 32), 128, np.uint8)
    write_planes(clip, [(scenes[n // 5], chroma, chroma) for n in range(10)])

    result = upscale(
        job(clip, "out.mkv", codec="ffv1", part_seconds=Fraction(60)),
        backend=StandIn(recurrent=True),
    )

    pairs = zip(frames_of(clip), frames_of(result.output), strict=True)
    added = [int(new.planes[0][40, 40]) - int(old.planes[0][20, 20]) for old, new in pairs]
    assert added == [0, 1, 2, 3, 4, 0, 1, 2, 3, 4]


def write_planes(path: Path, frames: Sequence[tuple[Plane, ...]]) -> None:
    """A film of these planes, 4:2:0, 25 frames a second."""
    fmt = pixel_format("yuv420p")
    height, width = frames[0][0].shape
    tick = Fraction(1, 25)
    settings = EncoderSettings(
        encoder="ffv1", format=fmt, width=width, height=height, time_base=tick, rate=Fraction(25)
    )
    part = path.with_name(f"drawn{part_suffix(settings)}")
    with PartWriter(part, settings) as writer:
        for n, planes in enumerate(frames):
            writer.write(
                Frame(planes=planes, format=fmt, index=n, pts=n, time_base=tick, duration=1)
            )
    part.replace(path)


def test_times_that_are_uneven_and_late_survive(tmp_path: Path) -> None:
    times = [Fraction(n, 30) for n in (9, 10, 12, 13, 19, 20, 21, 40, 41, 43, 44)]
    clip = write_clip(tmp_path / "vfr.mp4", times=times)

    result = upscale(job(clip, "out.mp4"), backend=StandIn())

    assert times_of(result.output) == times_of(clip)
    assert numbers_of(result.output) == list(range(len(times)))


@pytest.mark.parametrize("count", [1, 2])
def test_one_and_two_frames(tmp_path: Path, count: int) -> None:
    clip = write_clip(tmp_path / "a.mp4", count=count)

    result = upscale(job(clip, "b.mp4"), backend=StandIn(seen=(1, 1)))

    assert result.frames == count
    assert numbers_of(result.output) == list(range(count))


@pytest.mark.parametrize(("width", "height"), [(1, 1), (2, 2), (65, 49), (33, 2)])
def test_tiny_and_odd_sizes(tmp_path: Path, width: int, height: int) -> None:
    clip = write_clip(tmp_path / "a.mkv", codec="ffv1", width=width, height=height)

    result = upscale(job(clip, "b.mkv", scale=3), backend=StandIn())

    info = probe(result.output)
    assert (info.width, info.height) == (3 * width, 3 * height)
    assert info.format.name == "yuv420p"
    assert result.frames == 8


def test_start_and_end_take_these_frames_alone_with_context_around(tmp_path: Path) -> None:
    clip = write_clip(tmp_path / "a.mkv", count=23, codec="ffv1", audio=[AudioTrack()])
    backend = StandIn(seen=(1, 0))

    result = upscale(
        job(clip, "b.mkv", codec="ffv1", start=Fraction(9, 25), end=Fraction(12, 25)),
        backend=backend,
    )

    seen = [
        [shown_number(planes[0]) for planes in window] for window in backend.opened[0].submitted
    ]
    # From 9 to 10 so much of the small drawing changes that it is another scene.
    assert seen == [[8, 9], [10, 10], [10, 11]]
    assert result.frames == 3
    assert times_of(result.output) == frame_times(3)


def test_a_range_without_frames_is_refused(tmp_path: Path) -> None:
    clip = write_clip(tmp_path / "a.mp4")
    with pytest.raises(OptionError, match=r"the source has 0\.320 s"):
        upscale(job(clip, "b.mp4", start=Fraction(9)), backend=StandIn())
    assert [path.name for path in tmp_path.iterdir()] == ["a.mp4"]


@pytest.mark.parametrize(
    ("size", "scale"), [((128, 96), 2), ((100, 90), 2), ((129, 96), 3), ((256, 30), 4), ((9, 7), 2)]
)
def test_a_size_takes_the_least_scale_that_reaches_it(
    tmp_path: Path, size: tuple[int, int], scale: int
) -> None:
    clip = write_clip(tmp_path / "a.mp4")
    backend = StandIn()

    result = upscale(UpscaleJob(source=str(clip), size=size), backend=backend)

    assert Path(result.output).stem == f"a_{size[0]}x{size[1]}"
    info = probe(result.output)
    assert (info.width, info.height) == size
    assert backend.opened[0].card.scale == scale
    shape = Fraction(size[0], size[1]) * (info.sample_aspect_ratio or 1)
    assert shape == Fraction(64, 48) or "sample aspect ratio" in str(result.notices)


def test_a_size_beyond_four_times_is_refused(tmp_path: Path) -> None:
    clip = write_clip(tmp_path / "a.mp4")
    with pytest.raises(OptionError, match="more than 4 times the source's 64x48"):
        upscale(job(clip, "b.mp4", size=(300, 100)), backend=StandIn())


@pytest.mark.parametrize(("scale", "width"), [(None, 128), (3, 192)])
def test_a_family_is_asked_for_the_model_of_the_scale(
    scale: int | None, width: int, tmp_path: Path
) -> None:
    clip = write_clip(tmp_path / "a.mp4")

    done = upscale(job(clip, "b.mp4", model="fast", scale=scale), backend=StandIn())

    assert done.width == width


def test_a_model_of_another_scale_is_refused(tmp_path: Path) -> None:
    clip = write_clip(tmp_path / "a.mp4")
    with pytest.raises(OptionError, match="model repeat-x2 has scale 2, scale 4 needs 4"):
        upscale(job(clip, "b.mp4", model="some-x2", scale=4), backend=StandIn())


def test_an_existing_output_is_kept_unless_told_otherwise(tmp_path: Path) -> None:
    clip = write_clip(tmp_path / "a.mp4")
    output = tmp_path / "b.mp4"
    output.write_bytes(b"precious")
    with pytest.raises(ExistsError, match=r"b\.mp4 exists; --overwrite replaces it"):
        upscale(job(clip, "b.mp4"), backend=StandIn())
    assert output.read_bytes() == b"precious"

    upscale(job(clip, "b.mp4", overwrite=True), backend=StandIn())

    assert probe(output).width == 128


def test_the_source_is_never_the_output(tmp_path: Path) -> None:
    clip = write_clip(tmp_path / "a.mp4")
    with pytest.raises(OutputError, match="is the source itself"):
        upscale(job(clip, "a.mp4", overwrite=True), backend=StandIn())


@pytest.mark.parametrize(
    ("other", "named"),
    [
        ({"crf": 30}, "encoder"),
        ({"preset": "fast"}, "encoder"),
        ({"encoder_options": {"tune": "grain"}}, "encoder"),
        ({"size": (100, 75)}, "size, encoder"),
        ({"audio": False}, "audio"),
        ({"subtitles": False}, "subtitles"),
        ({"end": Fraction(1, 2)}, "end"),
        ({"tile": 64}, "tile"),
        ({"self_ensemble": True}, "self-ensemble"),
        ({"part_seconds": Fraction(1)}, "part length"),
        ({"deinterlace": "off"}, "deinterlacing"),
    ],
)
def test_parts_of_another_job_are_refused_by_name_of_what_differs(
    other: dict[str, object], named: str, tmp_path: Path
) -> None:
    clip = write_clip(tmp_path / "a.mp4", count=23)
    with pytest.raises(StoppedError):
        upscale(job(clip, "b.mp4"), backend=StandIn(on_submit=stop_at(12)))
    with pytest.raises(StaleWorkError, match=rf"\(other {named}\); .*--overwrite"):
        upscale(job(clip, "b.mp4", **other), backend=StandIn())
    assert (tmp_path / ".b.mp4.upreel" / "plan.json").exists()

    result = upscale(job(clip, "b.mp4", overwrite=True, **other), backend=StandIn())

    assert result.resumed_frames == 0


def test_parts_of_another_source_are_refused(tmp_path: Path) -> None:
    clip = write_clip(tmp_path / "a.mp4", count=23)
    with pytest.raises(StoppedError):
        upscale(job(clip, "b.mp4"), backend=StandIn(on_submit=stop_at(12)))
    write_clip(clip, count=23, options={"crf": "11"})
    with pytest.raises(StaleWorkError, match=r"\(other source\)"):
        upscale(job(clip, "b.mp4"), backend=StandIn())


def test_overwrite_goes_on_with_parts_of_the_same_job(tmp_path: Path) -> None:
    clip = write_clip(tmp_path / "a.mp4", count=23)
    (tmp_path / "b.mp4").write_bytes(b"old")
    asked = job(clip, "b.mp4", overwrite=True)
    with pytest.raises(StoppedError):
        upscale(asked, backend=StandIn(on_submit=stop_at(22)))

    result = upscale(asked, backend=StandIn())

    assert 0 < result.resumed_frames < 23


def test_a_run_killed_between_renaming_and_tidying_up_ends_well(tmp_path: Path) -> None:
    clip = write_clip(tmp_path / "a.mp4", count=23)
    done = upscale(job(clip, "b.mp4"), backend=StandIn())
    before = Path(done.output).read_bytes()
    Path(done.output).rename(tmp_path / "aside")
    with pytest.raises(StoppedError):
        upscale(job(clip, "b.mp4"), backend=StandIn(on_submit=stop_at(22)))
    (tmp_path / "aside").rename(done.output)  # as if it had been that run's own

    upscale(job(clip, "b.mp4"), backend=StandIn())

    assert Path(done.output).read_bytes() == before
    assert not (tmp_path / ".b.mp4.upreel").exists()


def test_a_file_that_appears_meanwhile_is_not_replaced(tmp_path: Path) -> None:
    clip = write_clip(tmp_path / "a.mp4", count=23)

    def intrude(number: int) -> None:
        if number == 5:
            (tmp_path / "b.mp4").write_bytes(b"precious")

    with pytest.raises(ExistsError):
        upscale(job(clip, "b.mp4"), backend=StandIn(on_submit=intrude))
    assert (tmp_path / "b.mp4").read_bytes() == b"precious"


def test_a_second_job_on_the_same_output_is_refused(tmp_path: Path) -> None:
    clip = write_clip(tmp_path / "a.mp4")
    with Work(tmp_path / "b.mp4"), pytest.raises(LockedError):
        upscale(job(clip, "b.mp4"), backend=StandIn())


def test_a_smaller_tile_goes_into_the_plan_and_a_resumed_job_begins_with_it(
    tmp_path: Path,
) -> None:
    clip = write_clip(tmp_path / "a.mp4", count=23)
    backend = StandIn()

    def shrink(number: int) -> None:
        if number == 7:
            backend.opened[0].tile = (32, 32)
        if number == 20:
            raise StoppedError

    backend.on_submit = shrink
    with pytest.raises(StoppedError):
        upscale(job(clip, "b.mp4"), backend=backend)
    plan = json.loads((tmp_path / ".b.mp4.upreel" / "plan.json").read_text())
    assert plan["tile"] == [32, 32]

    again = StandIn()
    upscale(job(clip, "b.mp4"), backend=again)

    assert again.tiles == [(32, 32)]
    assert again.ensembles == [False]


def test_out_of_memory_keeps_finished_parts(tmp_path: Path) -> None:
    clip = write_clip(tmp_path / "a.mp4", count=23)

    def fail(number: int) -> None:
        if number == 17:
            raise OutOfMemoryError("out of memory with the smallest tile")

    with pytest.raises(OutOfMemoryError, match="smallest tile"):
        upscale(job(clip, "b.mp4"), backend=StandIn(on_submit=fail))
    assert upscale(job(clip, "b.mp4"), backend=StandIn()).resumed_frames > 0


@pytest.mark.parametrize(
    ("content", "error"),
    [(b"", ProbeError), (b"just some text, no video\n" * 50, ProbeError)],
)
def test_what_is_no_video_is_refused_in_one_line(
    tmp_path: Path, content: bytes, error: type[InputError]
) -> None:
    clip = tmp_path / "text.mp4"
    clip.write_bytes(content)
    with pytest.raises(error) as caught:
        upscale(job(clip, "b.mp4"), backend=StandIn())
    assert "\n" not in str(caught.value)
    assert [path.name for path in tmp_path.iterdir()] == ["text.mp4"]


def test_a_file_with_sound_alone_is_refused(tmp_path: Path) -> None:
    import av

    clip = tmp_path / "sound.m4a"
    with av.open(str(clip), "w") as container:
        stream = container.add_stream("aac", rate=48_000, layout="stereo")
        frame = av.AudioFrame.from_ndarray(
            np.zeros((2, 1024), np.float32), format="fltp", layout="stereo"
        )
        frame.sample_rate, frame.pts = 48_000, 0
        container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    with pytest.raises(ProbeError, match="no video that can be decoded, only: audio"):
        upscale(job(clip, "b.mp4"), backend=StandIn())


def test_a_truncated_file_gives_what_is_there_and_says_so(tmp_path: Path) -> None:
    whole = write_clip(tmp_path / "whole.mkv", count=40, options={"g": "10"}, audio=[AudioTrack()])
    clip = tmp_path / "cut.mkv"
    data = whole.read_bytes()
    clip.write_bytes(data[: len(data) * 6 // 10])

    result = upscale(job(clip, "b.mkv"), backend=StandIn())

    shown = numbers_of(result.output)
    assert 10 < len(shown) == result.frames < 40
    assert shown[:10] == list(range(10))
    assert result.notices


def test_a_truncated_mp4_without_its_index_is_refused(tmp_path: Path) -> None:
    whole = write_clip(tmp_path / "whole.mp4", count=40)
    clip = tmp_path / "cut.mp4"
    clip.write_bytes(whole.read_bytes()[:3000])
    with pytest.raises(InputError):
        upscale(job(clip, "b.mp4"), backend=StandIn())


def test_a_codec_that_cannot_keep_the_source_is_refused_before_anything_is_written(
    tmp_path: Path,
) -> None:
    clip = write_clip(tmp_path / "a.mkv", codec="ffv1", pix_fmt="yuv420p12le")
    with pytest.raises(EncoderError, match="x264 does not keep yuv420p12le"):
        upscale(job(clip, "b.mkv", codec="x264"), backend=StandIn())
    assert [path.name for path in tmp_path.iterdir()] == ["a.mkv"]


def test_pix_fmt_changes_depth_and_chroma(tmp_path: Path) -> None:
    clip = write_clip(tmp_path / "a.mkv", codec="ffv1", pix_fmt="yuv444p")
    result = upscale(job(clip, "b.mkv", pix_fmt="yuv420p10le"), backend=StandIn())
    assert probe(result.output).format.name == "yuv420p10le"
    with pytest.raises(OptionError, match="would change the colours"):
        upscale(job(clip, "c.mkv", pix_fmt="rgb24"), backend=StandIn())


def test_progress_counts_all_frames_and_tells_sizes(tmp_path: Path) -> None:
    clip = write_clip(tmp_path / "a.mp4", count=23)
    told: list[Progress] = []

    result = upscale(job(clip, "b.mp4"), told.append, backend=StandIn())

    upscaling = [progress for progress in told if progress.stage == "upscale"]
    assert [progress.done for progress in upscaling] == list(range(1, 24))
    assert {progress.total for progress in upscaling} == {23}
    assert told[0].stage == "scan"
    assert told[-1].stage == "join"
    assert result.peak_memory_bytes > 0
    assert 0 < result.cpu_use <= 1


def test_pictures_in_and_out_and_resumed(tmp_path: Path) -> None:
    clip = write_clip(tmp_path / "a.mkv", codec="ffv1", pix_fmt="bgr0", count=12)
    first = upscale(
        UpscaleJob(source=str(clip), output=f"{tmp_path}/shots/%06d.png"), backend=StandIn()
    )
    names = [f"{n:06}.png" for n in range(1, 13)]
    assert sorted(path.name for path in (tmp_path / "shots").iterdir()) == names
    assert first.frames == 12

    asked = UpscaleJob(source=str(tmp_path / "shots"), part_seconds=SHORT)
    with pytest.raises(StoppedError):
        upscale(asked, backend=StandIn(on_submit=stop_at(11)))
    result = upscale(asked, backend=StandIn())

    assert result.resumed_frames > 0
    folder = tmp_path / "shots_x2"
    assert sorted(path.name for path in folder.iterdir()) == names
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a.mkv", "shots", "shots_x2"]
    last = frames_of(folder)[-1]
    expected = draw_planes(11, "gbrp")[0].repeat(4, axis=0).repeat(4, axis=1)
    np.testing.assert_array_equal(last.planes[0], expected)


def test_decoding_network_and_encoding_overlap(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each stage waits, in the middle of a frame, until the others have come further."""
    clip = write_clip(tmp_path / "a.mkv", count=12, codec="ffv1")
    decoded = [Event() for _ in range(13)]
    encoded = [Event() for _ in range(12)]
    waited: list[bool] = []

    def told(*arguments: object, **options: object) -> Iterator[Frame]:
        for frame in read_frames(*arguments, **options):  # type: ignore[arg-type]
            decoded[frame.index].set()
            yield frame

    class Told(PartWriter):
        def write(self, frame: Frame) -> None:
            super().write(frame)
            encoded[frame.index].set()

    def on_submit(number: int) -> None:
        if number + 2 < 12:  # the decoder goes on while the network works on this frame
            waited.append(decoded[number + 2].wait(10))
        if number >= 6:  # and so does the encoder, with frames that have left the network
            waited.append(encoded[number - 6].wait(10))

    monkeypatch.setattr("upreel.pipeline.parts.read_frames", told)
    monkeypatch.setattr("upreel.pipeline.parts.PartWriter", Told)

    upscale(job(clip, "b.mkv", codec="ffv1"), backend=StandIn(on_submit=on_submit))

    assert len(waited) == 16
    assert all(waited)


def test_pictures_beside_their_source_are_gone_on_with(tmp_path: Path) -> None:
    write_sequence(tmp_path / "shots", count=12)
    asked = UpscaleJob(
        source=f"{tmp_path}/shots/%06d.png",
        output=f"{tmp_path}/shots/large_%06d.png",
        part_seconds=SHORT,
        overwrite=True,
    )
    with pytest.raises(StoppedError):
        upscale(asked, backend=StandIn(on_submit=stop_at(11)))
    (tmp_path / "shots" / "large_000001.png").write_bytes(b"of an earlier run")

    result = upscale(asked, backend=StandIn())

    assert result.resumed_frames > 0
    assert len(frames_of(f"{tmp_path}/shots/large_%06d.png")) == 12
