"""Clips drawn on the spot, one for every property a file can have: nothing binary is stored.

    write_clip(path)                                         8 frames, 25 fps, H.264, 64x48
    write_clip(path, times=[Fraction(0), Fraction(1, 25), Fraction(3, 25)])  uneven times
    write_clip(path, codec="libx265", pix_fmt="yuv420p10le", hdr=True)
    write_clip(path, audio=[AudioTrack()], subtitles=[SubtitleTrack()], chapters=["A", "B"])

The ending of the path names the container. Each frame shows its number as bars of black and
white along its top, which survive coding and resizing: `shown_number` reads it back.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import numpy.typing as npt
from av.audio.stream import AudioStream
from av.codec.context import Flags
from av.container import OutputContainer
from av.filter import Graph
from av.stream import Disposition, Stream
from av.video.stream import VideoStream

from upreel.video.formats import av_from_planes, pixel_format
from upreel.video.frame import Colour, Plane, plane_size

MASTERING = "G(13250,34500)B(7500,3000)R(34000,16000)WP(15635,16450)L(10000000,50)"
MAX_CLL, MAX_FALL = 1000, 400
HDR10 = Colour(full_range=False, primaries=9, transfer=16, matrix=9, chroma_location=3)

_NUMBER_BITS = 8


@dataclass(frozen=True, kw_only=True)
class AudioTrack:
    """A sine of its own pitch, stereo, 48 kHz."""

    codec: str = "aac"
    seconds: Fraction = Fraction(1, 2)
    start: Fraction = Fraction(0)
    hertz: int = 440
    language: str = "eng"
    title: str = ""
    disposition: int = 0


@dataclass(frozen=True, kw_only=True)
class SubtitleTrack:
    """Lines of text: (start, end, text) in seconds. mov_text for MP4, subrip or ass for MKV."""

    codec: str = "subrip"
    lines: Sequence[tuple[Fraction, Fraction, str]] = (
        (Fraction(0), Fraction(1, 10), "one"),
        (Fraction(1, 10), Fraction(2, 10), "two"),
    )
    language: str = "fra"
    title: str = ""


@dataclass(frozen=True, kw_only=True)
class Attachment:
    """A file within the file."""

    name: str = "font.ttf"
    mimetype: str = "application/x-truetype-font"
    data: bytes = b"not really a font" * 8


def frame_times(count: int, rate: Fraction = Fraction(25)) -> list[Fraction]:
    """Times of `count` frames at a constant rate, in seconds."""
    return [n / rate for n in range(count)]


def draw_planes(
    number: int, pix_fmt: str = "yuv420p", *, width: int = 64, height: int = 48
) -> tuple[Plane, ...]:
    """Planes of frame `number`: bars that tell the number, a moving ramp, a moving box.

    Args:
        number: from 0 to 255; greater ones show their last eight bits.
        pix_fmt: any FFmpeg format that `pixel_format` takes; its planar form is drawn.
        width: columns of luma.
        height: rows of luma.
    """
    fmt = pixel_format(pix_fmt)
    low, high = _span(fmt.bits)
    planes: list[Plane] = []
    for n in range(fmt.num_planes):
        rows, columns = plane_size(fmt, n, width=width, height=height)
        y, x = np.mgrid[:rows, :columns]
        if fmt.model == "yuv" and n in (1, 2):
            wave = (x * (3 + n) + y * (5 - n) + number * 2) % 64
            values = low + (high - low) // 2 - ((32 - wave) << (fmt.bits - 8))
        else:
            wave = (2 * x + y + 3 * number + 20 * n) % 128
            values = low + (high - low) * (32 + wave) // 192
            box = (x - 5 * number) % max(columns, 1) < columns // 6
            values = np.where(box & (y > 3 * rows // 4), high - n * 8, values)
            bar = np.minimum(x * _NUMBER_BITS // columns, _NUMBER_BITS - 1)
            lit = (number >> bar) & 1
            values = np.where(y < rows // 4, np.where(lit, high, low), values)
        planes.append(values.astype(fmt.dtype))
    return tuple(planes)


def _span(bits: int) -> tuple[int, int]:
    return 16 << (bits - 8), 235 << (bits - 8)


def shown_number(luma: Plane) -> int:
    """The number that a frame shows, of any size and depth; the last eight bits of it."""
    rows, columns = luma.shape
    top = luma[rows // 16 : rows // 4 - rows // 16].astype(np.float64)
    middle = (float(luma.max()) + float(luma.min())) / 2
    if columns < 2 * _NUMBER_BITS or rows < 8:
        raise ValueError(f"too small to show a number: {columns}x{rows}")
    number = 0
    for bit in range(_NUMBER_BITS):
        left, right = bit * columns // _NUMBER_BITS, (bit + 1) * columns // _NUMBER_BITS
        edge = (right - left) // 4
        number |= int(top[:, left + edge : right - edge].mean() > middle) << bit
    return number


def draw_frame(
    number: int,
    pix_fmt: str = "yuv420p",
    *,
    width: int = 64,
    height: int = 48,
    interlaced: bool = False,
    top_first: bool = True,
) -> av.VideoFrame:
    """A drawn frame for an encoder; interlaced: one field of frame 2n, the other of 2n + 1."""
    planes = draw_planes(2 * number if interlaced else number, pix_fmt, width=width, height=height)
    if interlaced:
        later = draw_planes(2 * number + 1, pix_fmt, width=width, height=height)
        start = 1 if top_first else 0
        for plane, other in zip(planes, later, strict=True):
            plane[start::2] = other[start::2]
    frame = av_from_planes(planes, pixel_format(pix_fmt))
    return frame if frame.format.name == pix_fmt else frame.reformat(format=pix_fmt, threads=1)


@dataclass(frozen=True, kw_only=True)
class _Video:
    count: int
    times: Sequence[Fraction] | None
    rate: Fraction
    width: int
    height: int
    codec: str
    pix_fmt: str
    time_base: Fraction | None
    sar: Fraction | None
    colour: Colour | None
    hdr: bool
    interlaced: bool
    top_first: bool
    flagged: bool
    woven: bool
    rotation: int
    options: Mapping[str, str] = field(default_factory=dict[str, str])


def write_clip(
    path: Path,
    *,
    count: int = 8,
    times: Sequence[Fraction] | None = None,
    rate: Fraction = Fraction(25),
    width: int = 64,
    height: int = 48,
    codec: str = "libx264",
    pix_fmt: str = "yuv420p",
    time_base: Fraction | None = None,
    sar: Fraction | None = None,
    colour: Colour | None = None,
    hdr: bool = False,
    interlaced: bool = False,
    top_first: bool = True,
    flagged: bool = True,
    woven: bool = True,
    rotation: int = 0,
    options: Mapping[str, str] | None = None,
    audio: Sequence[AudioTrack] = (),
    subtitles: Sequence[SubtitleTrack] = (),
    attachments: Sequence[Attachment] = (),
    chapters: Sequence[str] = (),
    cover: bool = False,
    metadata: Mapping[str, str] | None = None,
    muxer: str | None = None,
    muxer_options: Mapping[str, str] | None = None,
    extra_video: int = 0,
) -> Path:
    """Write a clip with just these properties; the defaults are the plainest video there is.

    Args:
        path: where to; its ending names the container unless `muxer` does.
        count: frames, where `times` is not given.
        times: of each frame in seconds, rising; uneven ones make variable frame rate.
        rate: frames a second, where `times` is not given.
        width: columns.
        height: rows.
        codec: FFmpeg's encoder.
        pix_fmt: what the encoder is given.
        time_base: of the encoder; by default it holds all times exactly.
        sar: sample aspect ratio.
        colour: tags (the chroma location only through x264 and x265).
        hdr: HDR10: PQ tags, mastering display and light levels (libx265, ffv1 has no side data).
        interlaced: two fields of different times a frame (libx264, mpeg2video).
        top_first: which field is the earlier one.
        flagged: whether interlaced frames say that they are.
        woven: whether they are: their fields show two times, not one.
        rotation: degrees counter-clockwise (MP4, MOV, MKV).
        options: of the encoder.
        audio: sound streams, after the video.
        subtitles: text streams, after the sound.
        attachments: files in the file (MKV).
        chapters: titles, dividing the time evenly.
        cover: an attached picture.
        metadata: tags of the file.
        muxer: FFmpeg's name of the container.
        muxer_options: of the container.
        extra_video: further video streams of the same kind.

    Returns:
        `path`.
    """
    video = _Video(
        count=count, times=times, rate=rate, width=width, height=height, codec=codec,
        pix_fmt=pix_fmt, time_base=time_base, sar=sar, colour=HDR10 if hdr else colour, hdr=hdr,
        interlaced=interlaced, top_first=top_first, flagged=flagged, woven=woven, rotation=rotation,
        options=options or {},
    )  # fmt: skip
    with av.open(str(path), "w", format=muxer, options=dict(muxer_options or {})) as container:
        container.metadata.update(metadata or {})
        made: list[tuple[Stream, list[av.Packet]]] = []
        streams = [_add_video(container, video) for _ in range(1 + extra_video)]
        tracks = [(_add_audio(container, track), track) for track in audio]
        texts = [(_add_subtitle(container, text), text) for text in subtitles]
        picture = _add_cover(container) if cover else None
        for item in attachments:
            container.add_attachment(item.name, item.mimetype, item.data)
        if chapters:
            _set_chapters(container, chapters, _times(video))
        made += [(stream, _encode_video(stream, video)) for stream in streams]
        made += [(stream, _encode_audio(stream, track)) for stream, track in tracks]
        container.start_encoding()
        if picture is not None:
            container.mux(_cover_packets(picture))
        made += [(stream, _subtitle_packets(stream, text)) for stream, text in texts]
        packets = [packet for _, stream_packets in made for packet in stream_packets]
        packets.sort(key=lambda p: p.dts * p.time_base)
        for packet in packets:
            container.mux(packet)
    return path


def _times(video: _Video) -> list[Fraction]:
    return list(video.times) if video.times is not None else frame_times(video.count, video.rate)


def _time_base(video: _Video) -> Fraction:
    if video.time_base is not None:
        return video.time_base
    denominators = [time.denominator for time in _times(video)]
    return Fraction(1, int(np.lcm.reduce([*denominators, video.rate.numerator])))


def _x26x_params(video: _Video) -> dict[str, str]:
    """Encoder options for what PyAV cannot set on a stream."""
    params: list[str] = []
    colour = video.colour
    if video.codec.startswith("libx26") and colour and colour.chroma_location:
        params.append(f"chromaloc={colour.chroma_location - 1}")
    if video.hdr and video.codec == "libx265":
        params += ["hdr10=1", f"master-display={MASTERING}", f"max-cll={MAX_CLL},{MAX_FALL}"]
    if video.codec == "libx265":
        params.append("log-level=none")
        if len(_times(video)) < 8:  # it takes decoding times from unset memory otherwise
            params.append("bframes=0")
    if video.interlaced and video.flagged and video.codec == "libx264":
        params.append("tff=1" if video.top_first else "bff=1")
    options = dict(video.options)
    name = {"libx264": "x264-params", "libx265": "x265-params"}.get(video.codec)
    if name and params:
        own = options.pop(name, "")
        options[name] = ":".join([*params, own] if own else params)
    return options


def _add_video(container: OutputContainer, video: _Video) -> VideoStream:
    options = {"preset": "ultrafast"} if video.codec.startswith("libx26") else {}
    stream = container.add_stream(
        video.codec, rate=video.rate, options={**options, **_x26x_params(video)}
    )
    stream.width, stream.height, stream.pix_fmt = video.width, video.height, video.pix_fmt
    context = stream.codec_context
    context.time_base = _time_base(video)
    context.thread_count = 1
    if video.sar:
        context.sample_aspect_ratio = video.sar
    if video.interlaced and video.flagged:
        context.flags |= int(Flags.interlaced_dct)
        context.flags |= int(Flags.interlaced_me)
    if video.colour:
        colour = video.colour
        context.color_primaries, context.color_trc = colour.primaries, colour.transfer
        context.colorspace = colour.matrix
        context.color_range = {None: 0, False: 1, True: 2}[colour.full_range]
    if video.rotation:
        stream.set_display_rotation(video.rotation)
    return stream


def _encode_video(stream: VideoStream, video: _Video) -> list[av.Packet]:
    packets: list[av.Packet] = []
    time_base = _time_base(video)
    for number, time in enumerate(_times(video)):
        ticks = time / time_base
        assert ticks.denominator == 1, f"{time_base} cannot hold {time}"
        frame = draw_frame(
            number, video.pix_fmt, width=video.width, height=video.height,
            interlaced=video.interlaced and video.woven, top_first=video.top_first,
        )  # fmt: skip
        frame.pts, frame.time_base = int(ticks), time_base
        if video.colour:
            frame.color_range = {None: 0, False: 1, True: 2}[video.colour.full_range]
            frame.color_primaries, frame.color_trc = video.colour.primaries, video.colour.transfer
            frame.colorspace = video.colour.matrix
        packets += stream.encode(
            as_interlaced(frame, video.top_first) if video.interlaced and video.flagged else frame
        )
    return packets + stream.encode(None)


def as_interlaced(frame: av.VideoFrame, top_first: bool) -> av.VideoFrame:
    """Mark a frame as two fields: encoders read the flag, PyAV has no setter for it."""
    graph = Graph()
    source = graph.add_buffer(
        width=frame.width, height=frame.height, format=frame.format, time_base=frame.time_base
    )
    field_mode = graph.add("setfield", "tff" if top_first else "bff")
    graph.link_nodes(source, field_mode, graph.add("buffersink")).configure()
    graph.vpush(frame)
    return graph.vpull()


def _add_audio(container: OutputContainer, track: AudioTrack) -> AudioStream:
    stream = container.add_stream(track.codec, rate=48_000, layout="stereo")
    stream.metadata["language"] = track.language
    if track.title:
        stream.metadata["title"] = track.title
    if track.disposition:
        stream.disposition = track.disposition
    return stream


def _encode_audio(stream: AudioStream, track: AudioTrack) -> list[av.Packet]:
    total = int(track.seconds * 48_000)
    wave = np.sin(np.arange(total) * (2 * np.pi * track.hertz / 48_000)) * 8000
    packets: list[av.Packet] = []
    resampler = av.AudioResampler(
        format=stream.codec_context.format, layout="stereo", rate=48_000,
        frame_size=stream.codec_context.frame_size or 1024,
    )  # fmt: skip
    samples: npt.NDArray[np.int16] = np.repeat(wave.astype(np.int16), 2)[None]
    frame = av.AudioFrame.from_ndarray(samples, format="s16", layout="stereo")
    frame.sample_rate, frame.pts = 48_000, int(track.start * 48_000)
    frame.time_base = Fraction(1, 48_000)
    for part in [*resampler.resample(frame), *resampler.resample(None)]:
        packets += stream.encode(part)
    return packets + stream.encode(None)


def _add_subtitle(container: OutputContainer, track: SubtitleTrack) -> Stream:
    stream = container.add_mux_stream(track.codec)
    stream.time_base = Fraction(1, 1000)
    stream.metadata["language"] = track.language
    if track.title:
        stream.metadata["title"] = track.title
    return stream


def _subtitle_packets(stream: Stream, track: SubtitleTrack) -> list[av.Packet]:
    packets: list[av.Packet] = []
    for start, end, text in track.lines:
        data = text.encode()
        if track.codec == "mov_text":
            data = len(data).to_bytes(2, "big") + data
        packet = av.Packet(data)
        packet.stream = stream
        packet.time_base = Fraction(1, 1000)
        packet.pts = packet.dts = int(start * 1000)
        packet.duration = int((end - start) * 1000)
        packets.append(packet)
    return packets


def _cover_png() -> bytes:
    encoder = av.CodecContext.create("png", "w")
    encoder.width, encoder.height, encoder.pix_fmt = 16, 16, "rgb24"
    encoder.time_base = Fraction(1, 25)
    return bytes(encoder.encode(draw_frame(1, "rgb24", width=16, height=16))[0])


def _add_cover(container: OutputContainer) -> VideoStream | None:
    """Matroska holds a cover as an attachment, MP4 as a picture stream."""
    if container.format.name == "matroska":
        container.add_attachment("cover.png", "image/png", _cover_png())
        return None
    stream = container.add_stream("png")
    stream.width, stream.height, stream.pix_fmt = 16, 16, "rgb24"
    stream.disposition = Disposition.attached_pic
    return stream


def _cover_packets(stream: VideoStream) -> list[av.Packet]:
    packets = stream.encode(draw_frame(1, "rgb24", width=16, height=16))
    for packet in packets:
        packet.pts = packet.dts = 0
    return packets


def _set_chapters(
    container: OutputContainer, titles: Sequence[str], times: Sequence[Fraction]
) -> None:
    span = int((times[-1] + times[-1] / max(len(times) - 1, 1)) * 1000)
    container.set_chapters(
        [
            {
                "id": n + 1,
                "start": span * n // len(titles),
                "end": span * (n + 1) // len(titles),
                "time_base": Fraction(1, 1000),
                "metadata": {"title": title},
            }
            for n, title in enumerate(titles)
        ]
    )


def write_sequence(
    folder: Path, *, count: int = 4, ending: str = "png", pix_fmt: str = "rgb24", start: int = 0,
    width: int = 64, height: int = 48,
) -> Path:  # fmt: skip
    """Numbered still pictures, `000000.png` and on; returns the folder."""
    folder.mkdir(parents=True, exist_ok=True)
    codec = {"png": "png", "tif": "tiff", "tiff": "tiff"}[ending]
    for number in range(count):
        encoder = av.CodecContext.create(codec, "w")
        encoder.width, encoder.height, encoder.pix_fmt = width, height, pix_fmt
        encoder.time_base = Fraction(1, 25)
        frame = draw_frame(number, pix_fmt, width=width, height=height)
        (packet,) = encoder.encode(frame)
        (folder / f"{start + number:06}.{ending}").write_bytes(bytes(packet))
    return folder


def truncate(path: Path, *, keep: Fraction) -> Path:
    """Cut a file off after this share of its bytes."""
    data = path.read_bytes()
    path.write_bytes(data[: int(len(data) * keep)])
    return path


def damage_packets(path: Path, numbers: Sequence[int], *, share: Fraction = Fraction(1)) -> Path:
    """Overwrite the last `share` of these video packets (in file order) with 0xA5 bytes.

    All of it makes a packet that no decoder takes; a part of it may go unnoticed. In transport
    streams, whose packets are scattered, the container's own marks are hit as well.
    """
    with av.open(str(path)) as container:
        packets = [(p.pos, bytes(p)) for p in container.demux(video=0) if p.size]
    data = bytearray(path.read_bytes())
    for number in numbers:
        position, payload = packets[number]
        found = data.find(payload, position)
        start = position if found < 0 else found
        spoilt = max(int(len(payload) * share), 1)
        end = start + len(payload)
        data[end - spoilt : end] = b"\xa5" * spoilt
    path.write_bytes(data)
    return path


def drop_packets(source: Path, target: Path, numbers: Sequence[int]) -> Path:
    """Copy a one-stream clip without these video packets (in file order)."""
    with av.open(str(source)) as reading, av.open(str(target), "w") as writing:
        stream = writing.add_stream_from_template(reading.streams.video[0])
        for number, packet in enumerate(p for p in reading.demux(video=0) if p.size):
            if number not in numbers:
                packet.stream = stream
                writing.mux(packet)
    return target
