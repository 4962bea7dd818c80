"""The Python interface: what `import upreel` offers."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from fractions import Fraction
from itertools import chain
from pathlib import Path

from upreel.pipeline.backend import Backend, DefaultBackend
from upreel.pipeline.coding import CompressJob, CompressResult, DecompressJob, DecompressResult
from upreel.pipeline.compression import compress as run_compress
from upreel.pipeline.decompression import decompress as run_decompress
from upreel.pipeline.enhance import enhance
from upreel.pipeline.job import UpscaleJob, UpscaleResult
from upreel.pipeline.run import upscale as run
from upreel.pipeline.summary import OnProgress
from upreel.video.frame import Frame
from upreel.video.info import Deinterlace
from upreel.zoo import ModelCard

__all__ = ["Model", "compress", "decompress", "load_model", "upscale"]


def upscale(
    source: str | Path,
    output: str | Path | None = None,
    *,
    model: str | None = None,
    min_fps: float | None = None,
    scale: int | None = None,
    size: tuple[int, int] | None = None,
    device: str = "auto",
    precision: str = "auto",
    tile: int | None = None,
    self_ensemble: bool = False,
    threads: int = 0,
    codec: str | None = None,
    crf: float | None = None,
    preset: str | None = None,
    encoder_options: Mapping[str, str] | None = None,
    pix_fmt: str | None = None,
    start: Fraction | float | None = None,
    end: Fraction | float | None = None,
    deinterlace: Deinterlace = "auto",
    audio: bool = True,
    subtitles: bool = True,
    upv_codec: str | Path | None = None,
    overwrite: bool = False,
    on_progress: OnProgress | None = None,
) -> UpscaleResult:
    """Upscale a video as `upreel upscale` does; an interrupted call can simply be made again.

    Args:
        source: a video file, .upv files among them, or a folder or ``%06d`` pattern of pictures.
        output: a file, or a folder or pattern of pictures; None: beside the source.
        model: a name in the zoo, a family, or the path of a card; None: the default one of the
            scale.
        min_fps: with the family "fast", how many frames a second its largest network that does
            them here is chosen for; None: as many as the source has.
        scale: 2, 3 or 4; None: the model's, or what `size` needs.
        size: (width, height) of the output instead of `scale`.
        device: see `upreel devices`.
        precision: "auto", or one of the card's.
        tile: rows and columns of a tile in source pixels; None: chosen from the memory limit.
        self_ensemble: whether a picture is answered turned over in eight ways, and averaged:
            eight times slower, and for networks of luma alone.
        threads: of the network, 0 for the engine's choice.
        codec: word for the encoder; None: the first that keeps depth, chroma and size.
        crf: quality of the encoder, lower is better; None: its default.
        preset: speed of the encoder; None: its default.
        encoder_options: further FFmpeg options of the encoder.
        pix_fmt: pixel format of the output; None: the source's.
        start: seconds after the first frame at which the output begins.
        end: seconds after the first frame at which it ends.
        deinterlace: whether two fields are made one picture: "auto" where the source is flagged as
            interlaced and looks it, "on", or "off".
        audio: whether sound is copied.
        subtitles: whether subtitles are copied.
        upv_codec: of a source that is an .upv file, the path of the codec's card.
        overwrite: whether an existing output, or parts of another job, may be replaced.
        on_progress: called with how far the job is.

    Raises:
        UpreelError: one line that says what is wrong.
    """
    job = UpscaleJob(
        source=str(source),
        output=None if output is None else str(output),
        model=model,
        min_fps=min_fps,
        scale=scale,
        size=size,
        device=device,
        precision=precision,
        tile=tile,
        self_ensemble=self_ensemble,
        threads=threads,
        codec=codec,
        crf=crf,
        preset=preset,
        encoder_options=dict(encoder_options or {}),
        pix_fmt=pix_fmt,
        start=None if start is None else Fraction(start),
        end=None if end is None else Fraction(end),
        deinterlace=deinterlace,
        audio=audio,
        subtitles=subtitles,
        upv_codec=None if upv_codec is None else str(upv_codec),
        overwrite=overwrite,
    )
    return run(job, on_progress)


def compress(
    source: str | Path,
    output: str | Path,
    *,
    codec: str | Path,
    quality: int | None = None,
    bitrate: int | None = None,
    keyint: int | None = None,
    device: str = "auto",
    precision: str = "f32",
    threads: int = 0,
    start: Fraction | float | None = None,
    end: Fraction | float | None = None,
    audio: bool = True,
    subtitles: bool = True,
    upv_codec: str | Path | None = None,
    overwrite: bool = False,
    on_progress: OnProgress | None = None,
) -> CompressResult:
    """Compress a video as `upreel compress` does; an interrupted call can simply be made again.

    Args:
        source: a video file, .upv files among them, 4:2:0 of 8 or 10 bits.
        output: ends in ``.upv``.
        codec: the path of a codec's card.
        quality: of every frame, 0 to 63; None: 32, or what the bitrate allows.
        bitrate: bits a second of the video on average, instead of a quality.
        keyint: frames from one keyframe to the next at most; None: 250, and ten seconds at most.
        device: "auto" for the processor, or one of `upreel devices`.
        precision: "f32", which keeps pictures alike on all machines, or "bf16".
        threads: of the networks, 0 for all cores.
        start: seconds after the first frame at which the output begins.
        end: seconds after the first frame at which it ends.
        audio: whether sound is carried.
        subtitles: whether subtitles are carried.
        upv_codec: of a source that is an .upv file, the path of the card of the codec that it was
            made by; None: `codec` if that made it.
        overwrite: whether an existing output, or parts of another job, may be replaced.
        on_progress: called with how far the job is.

    Raises:
        UpreelError: one line that says what is wrong.
    """
    job = CompressJob(
        source=str(source),
        output=str(output),
        codec=str(codec),
        quality=quality,
        bitrate=bitrate,
        keyint=keyint,
        device=device,
        precision=precision,
        threads=threads,
        start=None if start is None else Fraction(start),
        end=None if end is None else Fraction(end),
        audio=audio,
        subtitles=subtitles,
        upv_codec=None if upv_codec is None else str(upv_codec),
        overwrite=overwrite,
    )
    return run_compress(job, on_progress)


def decompress(
    source: str | Path,
    output: str | Path,
    *,
    codec: str | Path,
    device: str = "auto",
    precision: str = "auto",
    threads: int = 0,
    encoder: str | None = None,
    crf: float | None = None,
    preset: str | None = None,
    encoder_options: Mapping[str, str] | None = None,
    overwrite: bool = False,
    on_progress: OnProgress | None = None,
) -> DecompressResult:
    """Make a video that players know of an .upv file, as `upreel decompress` does.

    An interrupted call can simply be made again.

    Args:
        source: an .upv file.
        output: a file whose ending names the container, ``.y4m`` for raw planes.
        codec: the path of the card of the codec that the file was made by.
        device: "auto" for the processor, or one of `upreel devices`.
        precision: "auto" for that which the file was made in, "f32" or "bf16".
        threads: of the networks, 0 for all cores.
        encoder: word for the encoder; None: the first that keeps depth and size.
        crf: quality of the encoder, lower is better; None: its default.
        preset: speed of the encoder; None: its default.
        encoder_options: further FFmpeg options of the encoder.
        overwrite: whether an existing output, or parts of another job, may be replaced.
        on_progress: called with how far the job is.

    Raises:
        UpreelError: one line that says what is wrong.
    """
    job = DecompressJob(
        source=str(source),
        output=str(output),
        codec=str(codec),
        device=device,
        precision=precision,
        threads=threads,
        encoder=encoder,
        crf=crf,
        preset=preset,
        encoder_options=dict(encoder_options or {}),
        overwrite=overwrite,
    )
    return run_decompress(job, on_progress)


@dataclass(frozen=True, kw_only=True)
class Model:
    """A network that enlarges frames from anywhere; opened anew for each call of `enhance`.

    Attributes:
        card: what it is, needs, costs and scores.
        device: see `upreel devices`.
        precision: "auto", or one of the card's.
        tile: rows and columns of a tile in source pixels; None: chosen from the memory limit.
        self_ensemble: see `upscale`.
        threads: 0 for the engine's choice.
    """

    card: ModelCard
    device: str = "auto"
    precision: str = "auto"
    tile: int | None = None
    self_ensemble: bool = False
    threads: int = 0
    backend: Backend = field(default_factory=DefaultBackend, repr=False)

    def enhance(self, frames: Iterable[Frame]) -> Iterator[Frame]:
        """Enlarge frames as they come; they must all have the first one's size and format.

        Frames are drawn in a thread of their own, a few ahead. Indices, times and tags stay.
        """
        source = iter(frames)
        first = next(source, None)
        if first is None:
            return
        upscaler = self.backend.open(
            self.card,
            pixel_format=first.format,
            colour=first.colour,
            width=first.width,
            height=first.height,
            output_size=(first.width * self.card.scale, first.height * self.card.scale),
            device=self.device,
            precision=self.precision,
            threads=self.threads,
            tile=self.tile,
            self_ensemble=self.self_ensemble,
        )
        yield from enhance(chain([first], source), upscaler, self.card)


def load_model(
    name: str,
    *,
    device: str = "auto",
    precision: str = "auto",
    tile: int | None = None,
    self_ensemble: bool = False,
    threads: int = 0,
) -> Model:
    """A model by its name in the zoo, or by the path of its card.

    Raises:
        UnknownModelError: there is none; the message lists the names.
    """
    return Model(
        card=DefaultBackend().load_card(name),
        device=device,
        precision=precision,
        tile=tile,
        self_ensemble=self_ensemble,
        threads=threads,
    )
