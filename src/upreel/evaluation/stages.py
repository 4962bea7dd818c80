"""The parts of a run, each as a task that can be timed alone, and the peers on the same frames."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from fractions import Fraction
from pathlib import Path
from typing import cast

import numpy as np

from upreel.errors import BackendUnavailableError, OptionError, WeightsError
from upreel.evaluation.clips import YUV420P, Clip, frames_of
from upreel.evaluation.opencv import OPENCV_NETWORKS, OpenCvNetwork
from upreel.evaluation.timing import Task
from upreel.inference.engine import Batch, EngineReport, Session
from upreel.inference.packing import pack_frame, pad_margins, unpack_answer
from upreel.inference.picture import enlarged_plane
from upreel.inference.selection import open_session
from upreel.inference.tiles import grid_size
from upreel.networks.sizes import CHANNELS
from upreel.pipeline.enhance import StatefulUpscaler
from upreel.pipeline.machine import cpu_count
from upreel.video.encoders import EncoderSettings
from upreel.video.frame import Colour, Frame, Plane
from upreel.video.probe import probe
from upreel.video.read import read_frames
from upreel.video.rescale import rescale
from upreel.video.write import PartWriter, part_suffix
from upreel.zoo import ModelCard

__all__ = [
    "NetworkStage",
    "decode_task",
    "encode_task",
    "encoder_settings",
    "opencv_tasks",
    "packs",
    "rescale_task",
    "scene_task",
]

_OPENCV_FRAMES = 2  # a slow one takes seconds for each


def decode_task(path: Path, num_frames: int) -> Task:
    """Read the first frames of a file and let them go."""

    def run() -> int:
        return sum(1 for _ in read_frames(probe(path), stop=num_frames))

    return run


class NetworkStage:
    """Packing, network and unpacking of frames held in memory, as the pipeline does them.

    Chroma that the network does not answer, as in the luma layout, is enlarged in unpacking.

    Args:
        card: the model.
        width: columns of luma.
        height: rows of luma.
        bits: of the code values.
        device: as ``--device``.
        precision: as ``--precision``.
        threads: of the engine, 0 for its choice.
        sessions: opens them; tests hand over one without a network.

    Raises:
        BackendUnavailableError: no such device or precision here.
        OptionError: an odd size, which is not what is timed here.
    """

    def __init__(
        self,
        card: ModelCard,
        *,
        width: int,
        height: int,
        bits: int = 8,
        device: str = "auto",
        precision: str = "auto",
        threads: int = 0,
        sessions: Callable[..., Session] = open_session,
    ) -> None:
        if width % 2 or height % 2 or min(width, height) < 2:
            raise OptionError(f"a benchmark takes even sizes, got {width}x{height}")
        self._card = card
        self._height, self._width, self._margin = grid_size(card, height, width)
        self._session = sessions(
            card,
            self._height + 2 * self._margin,
            self._width + 2 * self._margin,
            bits=bits,
            device=device,
            precision=precision,
            threads=threads,
        )
        dtype = np.uint8 if bits == 8 else np.uint16
        self._shape = (self._height + 2 * self._margin, self._width + 2 * self._margin)
        self._num_frames = len(card.network.offsets)
        random = np.random.default_rng(1)
        shape = (1, *self._shape, CHANNELS[card.layout] * self._num_frames)
        self._batch = cast("Batch", random.integers(0, 1 << bits, shape, dtype))
        self._is_new = True
        large_height, large_width = card.scale * height, card.scale * width
        half = (large_height // 2, large_width // 2)
        self._luma, cb, cr = (
            cast("Plane", np.empty(size, dtype))
            for size in ((large_height, large_width), half, half)
        )
        self._chroma = (cb, cr)
        self._low_chroma = (cb[: height // 2, : width // 2], cr[: height // 2, : width // 2])
        self._size = {"height": height, "width": width}
        self._format = replace(YUV420P, bits=bits)
        self.network()  # the first run is slow

    @property
    def report(self) -> EngineReport:
        """What runs it."""
        return self._session.describe()

    def pack(self, planes: Sequence[Plane]) -> None:
        """Pack one frame into every slot of the window."""
        self._low_chroma = (planes[1], planes[2])
        chroma = self._low_chroma if self._card.layout == "packed" else None
        for slot in range(self._num_frames):
            pack_frame(self._batch[0], planes[0], chroma, slot, self._margin)
        pad_margins(self._batch[0], self._margin, self._card.layout)
        self._is_new = True

    def network(self) -> None:
        """Run what was packed last; when it ran already, as if a new frame had come in.

        Else a session that keeps answers to frames would have nothing to do.
        """
        if not self._is_new and self._card.network.each_frame:
            slots = np.argsort(self._card.network.offsets)  # oldest first
            self._batch[..., slots[:-1]] = self._batch[..., slots[1:]]
            self._batch[..., slots[-1]] = np.roll(self._batch[..., slots[-1]], 1, axis=-1)
        self._is_new = False
        self._answer = self._session.run(self._batch)[0]

    def unpack(self) -> tuple[Plane, ...]:
        """Planes of the last answer, valid until the next."""
        m = self._margin
        interior = self._answer[0, m : m + self._height, m : m + self._width]
        layout, scale = self._card.layout, self._card.scale
        if layout == "packed":
            unpack_answer(interior, scale, self._luma, self._chroma)
            return self._luma, *self._chroma
        unpack_answer(interior, scale, self._luma, None, layout)
        cb, cr = (
            enlarged_plane(
                plane, scale, n, pixel_format=self._format, colour=Colour(), **self._size
            )
            for n, plane in enumerate(self._low_chroma, start=1)
        )
        return self._luma, cb, cr

    def tasks(self, clip: Clip) -> dict[str, Task]:
        """The three of them over the frames of a clip, each alone."""

        def pack() -> int:
            for planes in clip.planes:
                self.pack(planes)
            return clip.num_frames

        def network() -> int:
            for _ in clip.planes:
                self.network()
            return clip.num_frames

        def unpack() -> int:
            for _ in clip.planes:
                self.unpack()
            return clip.num_frames

        return {"pack": pack, "network": network, "unpack": unpack}

    def enlarge(self, clip: Clip) -> Clip:
        """The clip through all three, for what comes after them."""
        large: list[tuple[Plane, ...]] = []
        for planes in clip.planes:
            self.pack(planes)
            self.network()
            large.append(tuple(plane.copy() for plane in self.unpack()))
        return replace(clip, planes=tuple(large))


def scene_task(upscaler: StatefulUpscaler, lumas: Sequence[Plane]) -> Task:
    """Luma of one scene through a network that carries a state, as many in flight as may be.

    Args:
        upscaler: of grey frames.
        lumas: of the scene's frames.
    """

    def run() -> int:
        upscaler.reset()
        waiting = 0
        for luma in lumas:
            if waiting == upscaler.depth:
                upscaler.collect()
                waiting -= 1
            upscaler.submit([(luma,)])
            waiting += 1
        for _ in range(waiting):
            upscaler.collect()
        return len(lumas)

    return run


def encoder_settings(
    clip: Clip, width: int, height: int, *, encoder: str, preset: str | None, crf: float | None
) -> EncoderSettings:
    """Settings for an output of that size, with one encoder thread for every two cores."""
    return EncoderSettings(
        encoder=encoder,
        format=clip.format,
        width=width,
        height=height,
        time_base=1 / clip.rate,
        rate=clip.rate,
        crf=crf,
        preset=preset,
        threads=max(1, cpu_count() // 2),
        colour=clip.colour,
    )


def encode_task(large: Clip, settings: EncoderSettings, folder: Path) -> Task:
    """Encode frames held in memory into a part file."""
    frames: list[Frame] = list(frames_of(large))
    path = folder / f"encode{part_suffix(settings)}"

    def run() -> int:
        with PartWriter(path, settings) as writer:
            for frame in frames:
                writer.write(frame)
        return len(frames)

    return run


def rescale_task(
    source: Path, settings: EncoderSettings, folder: Path, interpolation: str, end: Fraction
) -> Task:
    """PyAV's decoder, swscale and the same encoder with all threads, end to end."""
    kernel = "lanczos" if interpolation == "lanczos" else "bicubic"
    output = folder / f"{kernel}{part_suffix(settings)}"
    settings = replace(settings, threads=cpu_count())
    return lambda: rescale(source, output, settings, interpolation=kernel, end=end)


def opencv_tasks(
    clip: Clip, scale: int, weights: Path | None
) -> tuple[dict[str, Task], dict[str, str]]:
    """OpenCV's networks on the luma of the first frames; those that are absent, with the reason.

    Luma alone is what they are given, which flatters them: our figure counts chroma too.
    """
    tasks: dict[str, Task] = {}
    absent: dict[str, str] = {}
    for name in OPENCV_NETWORKS:
        label = f"OpenCV {name}"
        if weights is None:
            absent[label] = "no --weights DIR given"
            continue
        if clip.format.bits != 8:
            absent[label] = f"takes 8 bits, the clip is {clip.format.name}"
            continue
        try:
            network = OpenCvNetwork(name, scale, weights)
        except (BackendUnavailableError, WeightsError) as error:
            absent[label] = str(error)
            continue
        tasks[label] = _opencv_task(network, clip)
    return tasks, absent


def _opencv_task(network: OpenCvNetwork, clip: Clip) -> Task:
    planes = [np.ascontiguousarray(p[0], np.uint8) for p in clip.planes[:_OPENCV_FRAMES]]
    network(planes[0])  # the first run is slow

    def run() -> int:
        for plane in planes:
            network(plane)
        return len(planes)

    return run


def packs(clip: Clip) -> bool:
    """Whether frames go into the network as they are: 4:2:0 of even size."""
    return clip.format.is_420 and not clip.format.alpha and not (clip.width % 2 or clip.height % 2)
