"""From a job to all that it implies: source, card, sizes, output, encoder. Nothing is written."""

import os
from dataclasses import dataclass, replace
from fractions import Fraction
from pathlib import Path
from typing import Literal

from upreel.errors import InputError, OptionError, OutputError
from upreel.pipeline.backend import Backend
from upreel.pipeline.calibrate import chosen
from upreel.pipeline.job import UpscaleJob
from upreel.pipeline.machine import cpu_count
from upreel.pipeline.parts import Encoding
from upreel.video.advice import source_notices
from upreel.video.encoders import EncoderSettings, choose_encoder, encoder_named
from upreel.video.formats import pixel_format
from upreel.video.frame import PixelFormat
from upreel.video.info import SourceInfo
from upreel.video.join import container_losses, default_output
from upreel.video.source import sequence_files
from upreel.video.write import part_suffix
from upreel.zoo import ModelCard, name_at_scale

__all__ = ["OutputKind", "Resolved", "default_model", "resolve"]

OutputKind = Literal["file", "pictures", "stdout"]

PICTURES = (".png", ".tif", ".tiff")
STILLS = (*PICTURES, ".jpg", ".jpeg", ".bmp", ".webp")


@dataclass(frozen=True, kw_only=True, slots=True)
class Resolved:
    """A job with every question answered that the source's headers can answer.

    Attributes:
        job: as asked for, but that a family's model is named.
        info: of the source.
        card: of the network.
        model: what `card` was loaded by.
        width: columns of the output.
        height: rows of the output.
        output: the file, or the folder or pattern of pictures; "-" for stdout.
        kind: what the output is.
        encoding: how parts are written.
        losses: what the container cannot hold, one line each.
        notices: what the user should know besides.
    """

    job: UpscaleJob
    info: SourceInfo
    card: ModelCard
    model: str
    width: int
    height: int
    output: Path
    kind: OutputKind
    encoding: Encoding
    losses: tuple[str, ...]
    notices: tuple[str, ...]


def default_model(scale: int) -> str:
    """The model for a scale where none is asked for."""
    return f"fast-x{scale}"


def resolve(job: UpscaleJob, info: SourceInfo, backend: Backend) -> Resolved:
    """Choose model, size, output and encoder.

    A model of the fast family may be chosen by trying: see `upreel.pipeline.calibrate`.

    Raises:
        OptionError: options that contradict each other or the source.
        EncoderError: the codec cannot keep what the source has.
        ModelError: there is no such model.
        OutputError: no such container, or the output is the source.
    """
    scale = _scale_wanted(job, info)
    job, told = chosen(job, info, scale or 2, backend)
    model = name_at_scale(job.model, scale) if job.model else default_model(scale or 2)
    card = backend.load_card(model)
    if scale is not None and job.model is not None and card.scale != scale:
        what = f"scale {job.scale}" if job.scale else "this size"
        if job.scale is not None or card.scale < scale:
            raise OptionError(f"model {card.name} has scale {card.scale}, {what} needs {scale}")
    width, height = job.size or (info.width * card.scale, info.height * card.scale)
    output, kind = _output(job, info, card.scale)
    encoding = _encoding(job, info, output, kind, width, height)
    losses: tuple[str, ...] = ()
    if kind == "file":
        # What has to be held is the output's picture, not the source's, where a size is asked for.
        shown = replace(info, sample_aspect_ratio=encoding.settings.sample_aspect_ratio)
        losses = tuple(container_losses(shown, output.suffix, encoding.settings))
    return Resolved(
        job=job,
        info=info,
        card=card,
        model=model,
        width=width,
        height=height,
        output=output,
        kind=kind,
        encoding=encoding,
        losses=losses,
        notices=(*told, *_notices(job, info, kind)),
    )


def _scale_wanted(job: UpscaleJob, info: SourceInfo) -> int | None:
    """The scale asked for, or the least one that reaches the size asked for."""
    if job.size is None:
        return job.scale
    width, height = job.size
    for scale in (2, 3, 4):
        if info.width * scale >= width and info.height * scale >= height:
            return scale
    raise OptionError(
        f"size {width}x{height} is more than 4 times the source's {info.width}x{info.height}"
    )


def _output(job: UpscaleJob, info: SourceInfo, scale: int) -> tuple[Path, OutputKind]:
    if job.output == "-":
        return Path("-"), "stdout"
    if job.output is None and not info.seekable:
        raise OptionError("reading standard input needs an output: -o FILE, or -o -")
    given = None if job.output is None else Path(job.output)
    is_folder = given is not None and (given.is_dir() or str(job.output).endswith(("/", os.sep)))
    if given is None or (is_folder and not info.is_sequence):
        output = _default_output(job, info, scale)
        output = output if given is None else given / output.name
    else:
        output = given / f"%06d{_picture_ending(info)}" if is_folder else given
    is_pictures = output.suffix.lower() in PICTURES
    if is_pictures and "%" not in output.name and not _is_still(info):
        raise OutputError(f"{output} is one picture; for many give folder/%06d.png")
    if info.seekable and output.exists() and output.samefile(info.path):
        raise OutputError(f"the output {output} is the source itself")
    return output, "pictures" if is_pictures else "file"


def _default_output(job: UpscaleJob, info: SourceInfo, scale: int) -> Path:
    """Beside the source: NAME_x2, or NAME_1920x1080 where a size is asked for."""
    output = default_output(info, scale, fmt=_output_format(job, info))
    if job.size is not None:
        name = output.stem.removesuffix(f"_x{scale}") + f"_{job.size[0]}x{job.size[1]}"
        output = output.with_name(name + output.suffix)
    if info.is_sequence:
        return output / f"%06d{_picture_ending(info)}"
    if _is_still(info):
        return output.with_suffix(".png")
    if job.codec is not None:
        containers = encoder_named(job.codec).containers
        if output.suffix not in containers:
            return output.with_suffix(containers[0])
    return output


def _picture_ending(info: SourceInfo) -> str:
    """The source's own, where it is one that is written without loss."""
    ending = sequence_files(info.path)[0].suffix.lower()
    return ending if ending in PICTURES else ".png"


def _is_still(info: SourceInfo) -> bool:
    return not info.is_sequence and Path(info.path).suffix.lower() in STILLS


def _encoding(
    job: UpscaleJob,
    info: SourceInfo,
    output: Path,
    kind: OutputKind,
    width: int,
    height: int,
) -> Encoding:
    fmt = _output_format(job, info)
    encoder_options = {
        "--codec": job.codec,
        "--crf": job.crf,
        "--preset": job.preset,
        "-e": job.encoder_options or None,
    }
    given = [name for name, value in encoder_options.items() if value is not None]
    if kind == "pictures" and given:
        raise OptionError(f"pictures are stored as they are: {', '.join(given)} has no meaning")
    is_raw = kind == "pictures" or (kind == "stdout" and not given)
    encoder = choose_encoder(
        fmt,
        width=width,
        height=height,
        container={"file": output.suffix, "stdout": ".mkv", "pictures": ""}[kind],
        codec="ffv1" if is_raw else job.codec,  # only the settings' shape is used then
        hdr=info.hdr,
    )
    settings = EncoderSettings(
        encoder=encoder.name,
        format=fmt,
        width=width,
        height=height,
        time_base=info.time_base,
        rate=info.rate,
        crf=job.crf,
        preset=job.preset,
        threads=max(1, cpu_count() // 2),
        options=dict(job.encoder_options),
        colour=info.colour,
        sample_aspect_ratio=_sample_aspect_ratio(info, width, height),
        hdr=info.hdr,
    )
    if kind == "pictures":
        return Encoding(settings=settings, suffix="", pictures=output.suffix)
    if is_raw:
        return Encoding(settings=settings, suffix=".y4m")
    suffix = ".mkv" if kind == "stdout" else part_suffix(settings)
    return Encoding(settings=settings, suffix=suffix)


def _output_format(job: UpscaleJob, info: SourceInfo) -> PixelFormat:
    if job.pix_fmt is None:
        return info.format
    try:
        fmt = pixel_format(job.pix_fmt)
    except InputError as error:
        raise OptionError(f"unknown pixel format {job.pix_fmt!r}") from error
    if (fmt.model == "rgb") != (info.format.model == "rgb"):
        raise OptionError(
            f"--pix-fmt {job.pix_fmt} would change the colours of {info.format.name}: "
            "depth and chroma layout can change, Y'CbCr and RGB cannot"
        )
    return fmt


def _sample_aspect_ratio(info: SourceInfo, width: int, height: int) -> Fraction:
    """The ratio that keeps the picture's shape, whatever the size asked for."""
    ratio = info.sample_aspect_ratio
    stretch = Fraction(info.width * height, info.height * width)
    if stretch == 1:
        return ratio
    return (ratio or Fraction(1)) * stretch


_CARRIED = {
    "audio": "sound",
    "subtitle": "subtitles",
    "video": "further video",
    "attachment": "attachments",
    "data": "data",
}


def _notices(job: UpscaleJob, info: SourceInfo, kind: OutputKind) -> tuple[str, ...]:
    if kind == "file" and info.seekable:
        return tuple(source_notices(info, deinterlace=job.deinterlace))
    picture = tuple(stream for stream in info.streams if stream.index == info.video_index)
    notices = source_notices(replace(info, streams=picture), deinterlace=job.deinterlace)
    kinds = {stream.kind for stream in info.streams if stream.index != info.video_index}
    lost = [word for kind_of, word in _CARRIED.items() if kind_of in kinds]
    if kind == "file":
        if lost:
            notices.append("from standard input only the picture is read")
        return tuple(notices)
    lost += ["chapters"] * bool(info.chapters) + ["rotation"] * bool(info.rotation)
    if lost:
        where = "pictures" if kind == "pictures" else "standard output"
        notices.append(f"{where} cannot carry {', '.join(lost)}")
    return tuple(notices)
