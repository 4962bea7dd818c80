"""From a job to all that it implies: source, card, sizes, output, encoder. Nothing is written."""

import os
from dataclasses import dataclass, replace
from fractions import Fraction
from pathlib import Path
from typing import Literal

from upreel.errors import EncoderError, InputError, OptionError, OutputError
from upreel.pipeline.backend import Backend
from upreel.pipeline.job import UpscaleJob
from upreel.pipeline.parts import Encoding
from upreel.video.encoders import EncoderSettings, choose_encoder
from upreel.video.formats import pixel_format
from upreel.video.frame import PixelFormat
from upreel.video.info import SourceInfo
from upreel.video.join import container_losses, default_output
from upreel.video.write import part_suffix
from upreel.zoo import ModelCard

__all__ = ["OutputKind", "Resolved", "cpu_count", "default_model", "resolve"]

OutputKind = Literal["file", "pictures", "stdout"]

PICTURES = (".png", ".tif", ".tiff")


@dataclass(frozen=True, kw_only=True, slots=True)
class Resolved:
    """A job with every question answered that the source's headers can answer.

    Attributes:
        job: as asked for.
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


def cpu_count() -> int:
    """Cores that this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def default_model(scale: int) -> str:
    """The model for a scale where none is asked for."""
    return f"fast-x{scale}"


def resolve(job: UpscaleJob, info: SourceInfo, backend: Backend) -> Resolved:
    """Choose model, size, output and encoder.

    Raises:
        OptionError: options that contradict each other or the source.
        EncoderError: the codec cannot keep what the source has.
        ModelError: there is no such model.
        OutputError: no such container, or the output is the source.
    """
    scale = _scale_wanted(job, info)
    model = job.model or default_model(scale or 2)
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
        losses = tuple(container_losses(info, output.suffix, encoding.settings))
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
        notices=_notices(info, kind),
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
    folder = Path(job.output) if job.output is not None else None
    if folder is not None and (info.is_sequence or not folder.is_dir()):
        folder = None
    if job.output is None or folder is not None:
        if not info.seekable:
            raise OptionError("reading standard input needs an output: -o FILE, or -o -")
        output = default_output(info, scale)
        if job.size is not None:
            old, new = f"_x{scale}", f"_{job.size[0]}x{job.size[1]}"
            if output.parent.name.endswith(old):  # a pattern in a folder of its own
                folder = output.parent
                output = folder.with_name(folder.name.removesuffix(old) + new) / output.name
            else:
                output = output.with_name(output.stem.removesuffix(old) + new + output.suffix)
        if folder is not None:
            output = folder / output.name
    else:
        output = Path(job.output)
        if job.output.endswith(("/", os.sep)) or (output.is_dir() and info.is_sequence):
            output = output / "%06d.png"
    is_pictures = output.suffix.lower() in PICTURES
    if is_pictures and "%" not in output.name and not _is_still(info):
        raise OutputError(f"{output} is one picture; for many give a folder/ or folder/%06d.png")
    if info.seekable and output.exists() and output.samefile(info.path):
        raise OutputError(f"the output {output} is the source itself")
    return output, "pictures" if is_pictures else "file"


def _is_still(info: SourceInfo) -> bool:
    return Path(info.path).suffix.lower() in PICTURES and "%" not in info.path


def _encoding(
    job: UpscaleJob,
    info: SourceInfo,
    output: Path,
    kind: OutputKind,
    width: int,
    height: int,
) -> Encoding:
    fmt = _output_format(job, info)
    settings = EncoderSettings(
        encoder="",
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
    encoder_options = {
        "--codec": job.codec,
        "--crf": job.crf,
        "--preset": job.preset,
        "-e": job.encoder_options or None,
    }
    given = [name for name, value in encoder_options.items() if value is not None]
    if kind == "pictures" and given:
        raise OptionError(f"pictures are stored as they are: {', '.join(given)} has no meaning")
    if kind == "pictures":
        return Encoding(settings=settings, suffix="", pictures=output.suffix)
    if kind == "stdout" and not given:
        return Encoding(settings=settings, suffix=".y4m")
    encoder = choose_encoder(
        fmt,
        width=width,
        height=height,
        container=".mkv" if kind == "stdout" else output.suffix,
        codec=job.codec,
        hdr=info.hdr,
    )
    settings = replace(settings, encoder=encoder.name)
    if job.crf is not None and encoder.crf is None:
        raise EncoderError(f"{encoder.name} has no quality number: leave --crf out")
    if job.crf is not None and encoder.crf and not encoder.crf[0] <= job.crf <= encoder.crf[1]:
        least, most = encoder.crf
        raise EncoderError(f"{encoder.name} takes --crf {least:g} to {most:g}, got {job.crf:g}")
    if job.preset is not None and job.preset not in encoder.presets:
        allowed = ", ".join(encoder.presets) or "none"
        raise EncoderError(f"{encoder.name} has no preset {job.preset!r}; it has: {allowed}")
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


def _notices(info: SourceInfo, kind: OutputKind) -> tuple[str, ...]:
    notices: list[str] = []
    if info.interlaced:
        notices.append("the source is interlaced: it is deinterlaced (bwdif), one frame a frame")
    if info.telecine:
        notices.append("the source is telecined: this is not undone")
    if info.colour.transfer in (16, 18):
        name = "PQ" if info.colour.transfer == 16 else "HLG"
        notices.append(f"HDR ({name}): code values are upscaled as they are")
    if kind != "file" and any(stream.kind == "audio" for stream in info.streams):
        where = "pictures" if kind == "pictures" else "standard output"
        notices.append(f"{where} cannot carry sound")
    if not info.seekable and any(stream.index != info.video_index for stream in info.streams):
        notices.append("from standard input only the picture is read")
    return tuple(notices)
