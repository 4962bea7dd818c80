"""The writing side run end to end without a network: every pixel repeated, in parts, joined."""

from collections.abc import Iterator
from dataclasses import replace
from fractions import Fraction
from itertools import pairwise
from pathlib import Path

import numpy as np

from upreel.video.encoders import EncoderSettings, choose_encoder
from upreel.video.frame import Frame
from upreel.video.info import SourceInfo, Timeline
from upreel.video.join import JoinReport, join
from upreel.video.probe import probe
from upreel.video.read import read_frames
from upreel.video.scan import scan
from upreel.video.write import PartWriter, part_suffix


def doubled(frames: Iterator[Frame], scale: int = 2) -> Iterator[Frame]:
    """Frames with every pixel repeated."""
    for frame in frames:
        planes = tuple(p.repeat(scale, axis=0).repeat(scale, axis=1) for p in frame.planes)
        height, width = planes[0].shape
        yield replace(frame, planes=tuple(crop(frame, planes, width, height)))


def crop(
    frame: Frame, planes: tuple[np.ndarray, ...], width: int, height: int
) -> Iterator[np.ndarray]:
    """Chroma of an odd picture is a sample too large after repetition."""
    log2_x, log2_y = frame.format.log2_chroma
    for n, plane in enumerate(planes):
        if frame.format.model == "yuv" and n in (1, 2):
            plane = plane[: -(-height >> log2_y), : -(-width >> log2_x)]
        yield plane


def settings_for(
    info: SourceInfo, container: str, *, codec: str | None = None, scale: int = 2, **more: object
) -> EncoderSettings:
    """Fast settings that keep all of `info`."""
    width, height = info.width * scale, info.height * scale
    encoder = choose_encoder(
        info.format, width=width, height=height, container=container, codec=codec, hdr=info.hdr
    )
    fast = {"x264": "ultrafast", "x265": "ultrafast", "svtav1": "13", "vp9": "8"}
    values: dict[str, object] = {
        "preset": fast.get(encoder.name),
        "time_base": info.time_base,
        "rate": info.rate,
        "colour": info.colour,
        "sample_aspect_ratio": info.sample_aspect_ratio,
        "hdr": info.hdr,
        **more,
    }
    return EncoderSettings(
        encoder=encoder.name, format=info.format, width=width, height=height, **values
    )


def write_parts(
    info: SourceInfo,
    timeline: Timeline,
    settings: EncoderSettings,
    folder: Path,
    *,
    borders: tuple[int, ...],
    scale: int = 2,
) -> list[Path]:
    """One part from each border to the next."""
    folder.mkdir(exist_ok=True)
    parts: list[Path] = []
    for first, stop in pairwise(borders):
        path = folder / f"{first:04}{part_suffix(settings)}"
        with PartWriter(path, settings) as writer:
            frames = read_frames(info, timeline=timeline, first=first, stop=stop)
            for frame in doubled(frames, scale):
                writer.write(frame)
        parts.append(path)
    return parts


def double(
    source: Path,
    output: Path,
    *,
    codec: str | None = None,
    cuts: tuple[int, ...] = (1, 4),
    scale: int = 2,
    trim: tuple[int, int] | None = None,
    audio: bool = True,
    subtitles: bool = True,
    **more: object,
) -> JoinReport:
    """`source` with every pixel repeated, encoded in parts that begin at `cuts`."""
    info = probe(source)
    timeline = scan(info)
    settings = settings_for(info, output.suffix, codec=codec, scale=scale, **more)
    first, stop = trim or (0, len(timeline.pts))
    borders = (first, *(first + c for c in cuts if first + c < stop), stop)
    parts = write_parts(
        info, timeline, settings, output.parent / "parts", borders=borders, scale=scale
    )
    return join(
        output, parts=parts, info=info, timeline=timeline, settings=settings, audio=audio,
        subtitles=subtitles, trim=trim,
    )  # fmt: skip


def film_times(path: Path) -> list[Fraction]:
    """Exact display times of all frames, decoded."""
    info = probe(path)
    return [frame.pts * frame.time_base for frame in read_frames(info)]
