"""Compressing and decompressing with a codec that needs no networks, and clips to do it with."""

from collections.abc import Sequence
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
from stand_in_codec import StandInCodecs

from upreel.codec.file import UpvFile
from upreel.codec.packet import Packet
from upreel.codec.parser import Placed
from upreel.pipeline.coding import CompressJob, CompressResult, DecompressJob, DecompressResult
from upreel.pipeline.compression import compress
from upreel.pipeline.decompression import decompress
from upreel.video.formats import av_from_planes, pixel_format
from upreel.video.frame import Frame, Plane
from upreel.video.probe import probe
from upreel.video.read import read_frames
from upreel.video.scan import scan


def packed(source: Path, target: Path, **options: object) -> CompressResult:
    job = CompressJob(source=str(source), output=str(target), codec="stand-in", **options)  # type: ignore[arg-type]
    return compress(job, backend=StandInCodecs())


def unpacked(source: Path, target: Path, **options: object) -> DecompressResult:
    job = DecompressJob(source=str(source), output=str(target), codec="stand-in", **options)  # type: ignore[arg-type]
    return decompress(job, backend=StandInCodecs())


def frames_of(path: Path) -> list[Frame]:
    info = probe(path)
    return list(read_frames(info, timeline=scan(info), deinterlace="off"))


def packets_of(path: Path, *, video: bool = True) -> list[Packet]:
    with UpvFile(path) as file:
        events = list(file.read())
        assert all(isinstance(event, Placed) for event in events)
        found = [event.packet for event in events if isinstance(event, Placed)]
    return [packet for packet in found if packet.type.is_video == video]


def still_pictures(
    path: Path, pictures: Sequence[tuple[Plane, ...]], *, step: Fraction = Fraction(1, 25)
) -> Path:
    """A lossless clip of these pictures, `step` seconds each."""
    height, width = pictures[0][0].shape
    with av.open(str(path), "w") as container:
        stream = container.add_stream("ffv1", rate=1 / step)
        stream.width, stream.height, stream.pix_fmt = width, height, "yuv420p"
        for number, planes in enumerate(pictures):
            frame = av_from_planes(planes, pixel_format("yuv420p"))
            frame.pts, frame.time_base = number, step
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    return path


def moving(number: int, scene: int = 0) -> tuple[Plane, ...]:
    """A slowly moving picture of a scene."""
    seed = np.random.default_rng(scene).integers(20, 220, (14, 18)).repeat(6, 0).repeat(6, 1)
    luma = seed[8 : 8 + 48, 8 + number : 8 + number + 64]
    chroma = np.full((24, 32), 100 + 10 * scene)
    return tuple(plane.astype(np.uint8) for plane in (luma, chroma, chroma))
