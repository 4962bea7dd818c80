"""`upreel probe`: what files are, what upscaling them would lose, what is advised."""

import json
from fractions import Fraction
from typing import TYPE_CHECKING, Annotated, cast

import typer

from upreel.cli.errors import exit_with_message
from upreel.errors import InputError, UpreelError

if TYPE_CHECKING:
    from upreel.video.info import SourceInfo, StreamInfo, Timeline

__all__ = ["probe"]

Files = Annotated[
    list[str],
    typer.Argument(metavar="FILE...", help="Videos, .upv files, or folders of numbered pictures."),
]
Json = Annotated[
    bool, typer.Option("--json", help="Print one JSON array, an object for each file.")
]


def probe(files: Files, as_json: Json = False) -> None:
    """Tell what FILES are, what upscaling would lose of them, and what is advised."""
    found: list[dict[str, object]] = []
    failed: list[str] = []
    for file in files:
        try:
            report = _report(file)
        except UpreelError as error:  # one bad file does not stop the rest
            failed.append(str(error))
            if not as_json:
                typer.echo(f"upreel: {error}", err=True)
            found.append({"file": file, "error": str(error)})
            continue
        found.append(report)
        if not as_json:
            typer.echo(_text(report))
    if as_json:
        typer.echo(json.dumps(found, indent=2))
    if failed:
        with exit_with_message():
            if as_json or len(files) > 1:
                raise InputError(f"{len(failed)} of {len(files)} cannot be read: {failed[0]}")
        raise typer.Exit(1)


def _report(file: str) -> dict[str, object]:
    """All that is told of one file, in plain values; times are exact, as "1001/30000"."""
    from upreel.codec.survey import is_upv

    if is_upv(file):
        return _stream_report(file)
    from upreel.video.advice import advice, frame_rate, is_variable, source_notices
    from upreel.video.join import container_losses, default_output
    from upreel.video.probe import probe as look
    from upreel.video.scan import scan

    info = look(file)
    timeline = scan(info) if info.seekable else None
    output = default_output(info, 2)
    losses = [] if info.is_sequence else container_losses(info, output.suffix or ".mkv")
    hints = advice(info, timeline)
    notices = [text for text in source_notices(info, timeline) if text not in hints]
    return {
        "file": file,
        "container": info.container,
        "video": _video(info, timeline),
        "frames": len(timeline.pts) if timeline else None,
        "frame_rate": str(frame_rate(timeline) or info.rate) if timeline else str(info.rate),
        "variable_frame_rate": is_variable(timeline) if timeline else None,
        "start": str(int(timeline.pts[0]) * timeline.time_base) if timeline else None,
        "duration": str(info.duration) if info.duration is not None else None,
        "streams": [_stream(stream) for stream in info.streams],
        "chapters": [
            {"start": str(start), "end": str(end), "title": title}
            for start, end, title in info.chapters
        ],
        "metadata": dict(info.metadata),
        "output": str(output),
        "losses": [*notices, *losses],
        "advice": hints,
    }


def _stream_report(file: str) -> dict[str, object]:
    """All that is told of an .upv file."""
    from upreel.codec.survey import survey
    from upreel.video.restore import carried_infos

    found = survey(file)
    header = found.header
    colour, hdr, tick = header.colour, header.hdr, header.time_base
    packets = {
        stream.template_index: (count, size)
        for stream, count, size in zip(
            header.others.streams, found.other_packets, found.other_bytes, strict=True
        )
    }
    rate = (found.num_frames / found.seconds) if found.seconds > 0 else header.rate
    return {
        "file": file,
        "container": "upv",
        "video": {
            "codec": header.model.name,
            "codec_sha256": header.model.sha256.hex(),
            "precision": header.arithmetic.precision or None,
            "engine": header.arithmetic.engine or None,
            "machine": header.arithmetic.machine or None,
            "width": header.width,
            "height": header.height,
            "coded_width": header.coded_width,
            "coded_height": header.coded_height,
            "scale": header.scale,
            "bits": header.bits,
            "full_range": colour.full_range,
            "primaries": colour.primaries,
            "transfer": colour.transfer,
            "matrix": colour.matrix,
            "chroma_location": colour.chroma_location,
            "sample_aspect_ratio": (
                str(header.sample_aspect_ratio) if header.sample_aspect_ratio else None
            ),
            "rotation": header.rotation,
            "time_base": str(tick),
            "mastering_display": hdr.mastering if hdr else None,
            "max_cll": hdr.max_cll if hdr else None,
            "max_fall": hdr.max_fall if hdr else None,
        },
        "frames": found.num_frames,
        "repeated_frames": found.num_repeated,
        "keyframes": len(found.keyframes),
        "keyframe_times": [str(pts * tick) for pts in found.keyframes],
        "keyframe_interval": header.keyframe_interval,
        "frame_rate": str(rate),
        "variable_frame_rate": not found.constant_rate,
        "start": None if found.start is None else str(found.start * tick),
        "duration": str(found.seconds),
        "quality": None
        if found.qualities is None
        else dict(zip(("least", "mean", "greatest"), found.qualities, strict=True)),
        "bytes": found.num_bytes,
        "video_bytes": found.video_bytes,
        "keyframe_bytes": found.key_bytes,
        "bits_per_second": found.bits_per_second,
        "streams": [
            {
                **_stream(stream),
                "packets": packets.get(stream.index, (0, 0))[0],
                "bytes": packets.get(stream.index, (0, 0))[1],
            }
            for stream in carried_infos(header.others)
        ],
        "chapters": [
            {"start": str(start), "end": str(end), "title": title}
            for start, end, title in header.chapters
        ],
        "metadata": dict(header.metadata),
        "indexed": found.indexed,
        "damages": found.num_damages,
        "damage": [{"offset": offset, "reason": reason} for offset, reason in found.damages],
    }


def _video(info: "SourceInfo", timeline: "Timeline | None") -> dict[str, object]:
    colour = info.colour
    hdr = info.hdr
    return {
        "stream": info.video_index,
        "codec": info.codec,
        "width": info.width,
        "height": info.height,
        "pixel_format": info.stored_format,
        "bits": info.format.bits,
        "full_range": colour.full_range,
        "primaries": colour.primaries,
        "transfer": colour.transfer,
        "matrix": colour.matrix,
        "chroma_location": colour.chroma_location,
        "sample_aspect_ratio": str(info.sample_aspect_ratio) if info.sample_aspect_ratio else None,
        "rotation": info.rotation,
        "interlaced": info.interlaced,
        "flagged_interlaced": info.flagged_interlaced,
        "looks_interlaced": info.looks_interlaced,
        "top_field_first": (
            info.top_field_first if info.interlaced or info.looks_interlaced else None
        ),
        "telecine": info.telecine,
        "time_base": str(info.time_base),
        "exact_times": timeline.exact if timeline else None,
        "mastering_display": hdr.mastering if hdr else None,
        "max_cll": hdr.max_cll if hdr else None,
        "max_fall": hdr.max_fall if hdr else None,
        "hdr10_plus": hdr.hdr10_plus if hdr else False,
        "dolby_vision": hdr.dolby_vision if hdr else False,
    }


def _stream(stream: "StreamInfo") -> dict[str, object]:
    return {
        "index": stream.index,
        "kind": "cover" if stream.cover_art else stream.kind,
        "codec": stream.codec,
        "language": stream.language,
        "title": stream.metadata.get("title", ""),
    }


def _stream_text(report: dict[str, object]) -> str:
    """The report of an .upv file for people."""
    video = cast("dict[str, object]", report["video"])
    quality = cast("dict[str, float] | None", report["quality"])
    streams = cast("list[dict[str, object]]", report["streams"])
    rate = "variable frame rate, on average " if report["variable_frame_rate"] else ""
    fps = float(Fraction(str(report["frame_rate"])))
    bits = cast("float | None", report["bits_per_second"])
    kilobits = "" if bits is None else f", {bits / 1000:.1f} kbit/s"
    lines = [
        f"{report['file']}: upv, {report['bytes']} bytes",
        f"  video    {video['width']}x{video['height']}, {video['bits']} bits, "
        f"{report['frames']} frames, {rate}{fps:.3f} frames/s",
        f"  codec    {video['codec']} (SHA-256 {str(video['codec_sha256'])[:12]}){_made(video)}",
        f"  coded    {report['video_bytes']} bytes{kilobits}, {report['keyframes']} keyframes "
        f"({report['keyframe_bytes']} bytes), {report['repeated_frames']} repeated",
    ]
    if quality is not None:
        lines.append(
            f"  quality  {quality['least']} to {quality['greatest']}, mean {quality['mean']:.1f}"
        )
    for s in streams:
        name = f"{s['kind']} {s['codec']} {s['language']} {s['title']}".rstrip()
        lines.append(f"  stream   {name}: {s['packets']} packets, {s['bytes']} bytes")
    if report["chapters"]:
        lines.append(f"  chapters {len(cast('list[object]', report['chapters']))}")
    if not report["indexed"]:
        lines.append("  index    none that is sound: seeking reads the file through")
    damage = cast("list[dict[str, object]]", report["damage"])
    lines += [f"  damage   at byte {each['offset']}: {each['reason']}" for each in damage]
    more = cast("int", report["damages"]) - len(damage)
    lines += [f"  damage   and {more} more"] if more else []
    return "\n".join(lines)


def _made(video: dict[str, object]) -> str:
    """How the sender computed, as far as it says."""
    words = [str(video[key]) for key in ("precision", "engine", "machine") if video[key]]
    return f", made in {', '.join(words)}" if words else ""


def _text(report: dict[str, object]) -> str:
    """A report for people: one line a thing."""
    if report["container"] == "upv":
        return _stream_text(report)
    video = cast("dict[str, object]", report["video"])
    streams = cast("list[dict[str, object]]", report["streams"])
    size = f"{video['width']}x{video['height']}"
    kind = f"{video['codec']} {size} {video['pixel_format']}"
    rate = "variable frame rate, on average " if report["variable_frame_rate"] else ""
    count = "an unknown number of" if report["frames"] is None else report["frames"]
    lines = [
        f"{report['file']}: {report['container']}",
        f"  video    {kind}, {count} frames, {rate}{report['frame_rate']} frames/s",
    ]
    lines += [
        f"  stream   {s['index']}: {s['kind']} {s['codec']} {s['language']} {s['title']}".rstrip()
        for s in streams
        if s["index"] != video["stream"]
    ]
    if report["chapters"]:
        lines.append(f"  chapters {len(cast('list[object]', report['chapters']))}")
    lines.append(f"  output   {report['output']}")
    lines += [f"  lost     {text}" for text in cast("list[str]", report["losses"])]
    lines += [f"  advice   {text}" for text in cast("list[str]", report["advice"])]
    return "\n".join(lines)
