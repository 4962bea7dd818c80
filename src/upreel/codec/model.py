"""A codec opened for one size: frames to codes, and codes to frames.

Sender and receiver make each next frame from what they both have: the planes that were decoded,
features, latents, motion. The sender decodes what it sends, by the same networks.

Which number a code stands for depends on whole numbers alone (`upreel.codec.whole`); what picture
they make is computed in floating point, the same to the bit in one engine on one kind of machine,
and to less than a level elsewhere.
"""

import io
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol, cast

import numpy as np
import numpy.typing as npt

from upreel.codec.packet import MAX_QUALITY
from upreel.codec.payload import FrameNumbers, pack_frame, unpack_frame
from upreel.codec.whole import FRACTION, Numbers, WholePrior
from upreel.errors import BitstreamError, WeightsError
from upreel.inference.engine import Batch, Values
from upreel.inference.graphs import open_graphs
from upreel.inference.packing import pack_frame as pack_planes
from upreel.inference.packing import unpack_answer
from upreel.networks.sizes import LATENT_CELL
from upreel.video.frame import Plane
from upreel.zoo.codec_card import CODEC_CELLS, CodecCard

__all__ = ["CodecModel", "FrameState", "OpenCodec"]

_HYPER = 4  # cells of latents of a side of a cell of hyper-latents
_ROUND = 1 << 19  # latents are cut off there, far beyond what networks give
Planes = tuple[Plane, ...]


@dataclass(frozen=True, kw_only=True, eq=False)
class FrameState:
    """What a frame leaves to the next.

    Attributes:
        planes: packed, f32 in [0, 1], (1, 6, H, W).
        features: (1, C, H/2, W/2).
        latents: in units of 1/8, (N, h, w).
        motion: in quarters of a sample, (2, h, w); None behind a frame alone.
    """

    planes: Values
    features: Values
    latents: Numbers
    motion: Numbers | None


@dataclass(frozen=True, kw_only=True, eq=False)
class _Kind:
    """Frames alone, or frames from the one before."""

    name: str
    prior: WholePrior
    gain: npt.NDArray[np.float32]
    gain_back: npt.NDArray[np.float32]


class CodecModel:
    """A codec's files, read and checked; opened for a size by `open`.

    Args:
        card: the codec.

    Raises:
        WeightsError: a file is missing or not the card's.
    """

    def __init__(self, card: CodecCard) -> None:
        self.card = card
        files = card.verified()
        self._cells = {name: files[name] for name in CODEC_CELLS}
        try:
            with np.load(io.BytesIO(files["numbers"]), allow_pickle=False) as stored:
                numbers = {name: stored[name] for name in stored.files}
        except (ValueError, OSError) as error:
            raise WeightsError(f"the whole numbers of {card.name} cannot be read") from error
        self._kinds = {name: _kind(name, numbers) for name in ("alone", "next")}

    def open(
        self,
        *,
        height: int,
        width: int,
        bits: int = 8,
        device: str = "cpu",
        precision: str = "f32",
        threads: int = 0,
        sends: bool = True,
    ) -> "OpenCodec":
        """Compile it for frames of one size.

        Args:
            height: rows of luma.
            width: columns of luma.
            bits: of a sample, 8 to 16.
            device: see `upreel.inference.graphs.open_graphs`.
            precision: likewise; "f32" keeps pictures alike on all machines.
            threads: likewise.
            sends: whether frames will be sent, and not only received.
        """
        rows, columns = (-(-side // LATENT_CELL) for side in (height, width))
        wanted = CODEC_CELLS
        if not sends:
            wanted = tuple(c for c in CODEC_CELLS if c.endswith("synthesis") or c == "expected")

        def size_of(cell: str, name: str) -> tuple[int, int]:
            if cell.endswith("hyper"):
                return _HYPER * -(-rows // _HYPER), _HYPER * -(-columns // _HYPER)
            step = _POSITIONS[name]
            return step * rows, step * columns

        graphs = open_graphs(
            {name: self._cells[name] for name in wanted},
            size_of,
            device=device,
            precision=precision,
            threads=threads,
        )
        return OpenCodec(graphs.run, self._kinds, height=height, width=width, bits=bits)


_POSITIONS = {
    "frame": 8,
    "before": 8,
    "features": 4,
    "motion": 1,
    "expected": 4,
    "fine": 4,
    "middle": 2,
    "coarse": 1,
    "received": 1,
}


def _kind(name: str, numbers: Mapping[str, npt.NDArray[np.generic]]) -> _Kind:
    own = {
        key.removeprefix(f"{name}."): values
        for key, values in numbers.items()
        if key.startswith(f"{name}.")
    }
    prior = WholePrior(own)
    try:
        gains = [own[each].astype(np.float32) for each in ("gain", "gain_back")]
    except KeyError as error:
        raise WeightsError(f"a codec without {name}.{error.args[0]}") from error
    if any(gain.shape != (MAX_QUALITY + 1, prior.num_latents) for gain in gains):
        raise WeightsError(f"gains of shape {gains[0].shape} and {gains[1].shape}")
    return _Kind(name=name, prior=prior, gain=gains[0], gain_back=gains[1])


class _Run(Protocol):
    def __call__(self, name: str, *inputs: Values) -> tuple[Values, ...]: ...


class OpenCodec:
    """Frames of one size to codes and back.

    Args:
        run: runs a cell.
        kinds: by name.
        height: rows of luma.
        width: columns of luma.
        bits: of a sample.
    """

    def __init__(
        self, run: _Run, kinds: Mapping[str, _Kind], *, height: int, width: int, bits: int
    ) -> None:
        self._run, self._kinds = run, kinds
        self._height, self._width = height, width
        self._limit = (1 << bits) - 1
        self._dtype = np.dtype(np.uint8 if bits == 8 else np.uint16)
        self.size = (-(-height // LATENT_CELL), -(-width // LATENT_CELL))
        self.hyper_size = (-(-self.size[0] // _HYPER), -(-self.size[1] // _HYPER))

    def send(
        self, planes: Planes, quality: int, before: FrameState | None
    ) -> tuple[bytes, FrameState]:
        """A frame's code, and what its receiver will have.

        Args:
            planes: Y, Cb and Cr, 4:2:0.
            quality: 0 to 63.
            before: state of the frame before; None sends the frame alone.
        """
        frame = self._values(planes)
        kind = self._kinds["alone" if before is None else "next"]
        gain = kind.gain[quality][None, :, None, None]
        motion: Numbers | None = None
        known: tuple[Values, ...] = ()
        if before is not None:
            (found,) = self._run("motion", frame, before.planes)
            moved = np.rint(found[0]).astype(np.int32)
            motion, known = moved, self._expected(before, moved)
        (latents,) = self._run(f"{kind.name}_analysis", frame, gain, *known)
        latents = np.clip(latents[0], -_ROUND, _ROUND)
        (hyper_values,) = self._run(f"{kind.name}_hyper", self._padded(latents))
        hyper = np.rint(np.clip(hyper_values[0], -_ROUND // 32, _ROUND // 32)).astype(np.int32)
        past = None if before is None else before.latents
        mean, index = kind.prior(hyper, quality, self.size, past)
        symbols = np.rint(latents - mean.astype(np.float32) / FRACTION).astype(np.int32)
        symbols = np.clip(symbols, -_ROUND // 8, _ROUND // 8)
        symbols[index == 0] = 0
        numbers = FrameNumbers(motion=motion, hyper=hyper, symbols=symbols)
        before_motion = None if before is None else before.motion
        code = pack_frame(numbers, index, kind.prior, before=before_motion)
        state = self._made(kind, quality, FRACTION * symbols + mean, motion, known)
        return code, state

    def receive(self, code: bytes, quality: int, before: FrameState | None) -> FrameState:
        """What `send` gave for that code.

        Args:
            code: of a frame.
            quality: that it was sent with.
            before: state of the frame before; None for a frame that was sent alone.

        Raises:
            BitstreamError: it is no code of such a frame.
        """
        if not 0 <= quality <= MAX_QUALITY:
            raise BitstreamError(f"quality must be 0 to {MAX_QUALITY}, got {quality}")
        kind = self._kinds["alone" if before is None else "next"]
        numbers, latents = unpack_frame(
            code,
            kind.prior,
            quality=quality,
            size=self.size,
            hyper_size=self.hyper_size,
            alone=before is None,
            before=None if before is None else before.motion,
            past=None if before is None else before.latents,
        )
        known: tuple[Values, ...] = ()
        if before is not None:
            assert numbers.motion is not None
            known = self._expected(before, numbers.motion)
        return self._made(kind, quality, latents, numbers.motion, known)

    def planes(self, state: FrameState) -> Planes:
        """The frame's Y, Cb and Cr."""
        values = state.planes[0].transpose(1, 2, 0) * np.float32(self._limit)
        levels = cast("Batch", np.ascontiguousarray(np.rint(values).astype(self._dtype)))
        rows, columns = levels.shape[:2]
        luma = cast("Plane", np.empty((2 * rows, 2 * columns), self._dtype))
        cb, cr = (cast("Plane", np.empty((rows, columns), self._dtype)) for _ in range(2))
        unpack_answer(levels, 1, luma, (cb, cr))
        half = (-(-self._height // 2), -(-self._width // 2))
        cut = ((luma, (self._height, self._width)), (cb, half), (cr, half))
        return tuple(
            cast("Plane", np.ascontiguousarray(plane[:height, :width]))
            for plane, (height, width) in cut
        )

    def _values(self, planes: Planes) -> Values:
        """Packed planes in [0, 1], borders repeated to whole cells."""
        rows, columns = (8 * side for side in self.size)
        batch = cast("Batch", np.empty((rows, columns, 6), self._dtype))
        pack_planes(batch, planes[0], (planes[1], planes[2]), 0, 0)
        values = batch.transpose(2, 0, 1)[None].astype(np.float32)
        return np.ascontiguousarray(values / np.float32(self._limit))

    def _padded(self, latents: Values) -> Values:
        sides = [
            (0, _HYPER * whole - own) for whole, own in zip(self.hyper_size, self.size, strict=True)
        ]
        return np.pad(latents, ((0, 0), *sides), mode="edge")[None]

    def _expected(self, before: FrameState, motion: Numbers) -> tuple[Values, ...]:
        moved = motion[None].astype(np.float32)
        return self._run("expected", before.planes, before.features, moved)

    def _made(
        self,
        kind: _Kind,
        quality: int,
        latents: Numbers,
        motion: Numbers | None,
        known: tuple[Values, ...],
    ) -> FrameState:
        """The frame that latents in units of 1/8 make."""
        received = latents[None].astype(np.float32) / np.float32(FRACTION)
        gain = kind.gain_back[quality][None, :, None, None]
        planes, features = self._run(f"{kind.name}_synthesis", received, gain, *known)
        return FrameState(planes=planes, features=features, latents=latents, motion=motion)
