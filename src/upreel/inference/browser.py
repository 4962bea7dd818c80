"""Networks as the browser runs them: one small file in whole numbers, and what it computes.

The file (ending ``.web``, version 1, little endian):

    bytes 0-3    "UPRW"
    4-7          version, u32
    8-11         bytes of the header, u32, a multiple of 16
    16-          header: JSON in UTF-8, spaces behind it
    then         sections, each beginning at a multiple of 16 from the header's end

The header says what a card says and the browser needs, and where sections begin. Each layer has
its weights (O, 3, 3, I) as i8, biases (O) as i32 and factors (O) as f32; `interpolation`
(6 s^2, 3, 3, 6) is i16 in 256ths; the self-test is planes of u8, one after the other: each frame's
Y, Cb, Cr, the current frame first; those of the answer; and those that the network answers in
floating point, for backends that do not round.

What is computed, to the last bit, wherever it runs (`run` is the reference):

    input      x = (254 v + 255) // 510 of 8-bit code values v: 0 to 127; channels and borders as
               in `upreel.networks.planes`, planes repeated outwards by `radius` positions
    sums       a 3x3 convolution of whole numbers, without padding, plus biases: below 2^24
    layer      q = clip(rint(sums * factor + stream * carry), least, most) in f32, each operation
               rounded, ties to even; every second layer from the third on has a stream: what
               the layer before the one before it answered
    answer     clip(rint(interpolation / 256 + sums * factor), 0, 255), likewise

Numbers that a convolution sees lie within 128 of each other: 0 to 127 behind a ReLU (`least` 0),
-64 to 63 in the stream. WebAssembly's relaxed dot product takes them as 0 to 127.
"""

import json
import struct
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, cast

import numpy as np
import numpy.typing as npt

from upreel.errors import WeightsError

__all__ = [
    "FORMAT_VERSION",
    "BrowserLayer",
    "BrowserModel",
    "Planes",
    "answer_planes",
    "read_model",
    "run",
]

FORMAT_VERSION = 1
_MAGIC = b"UPRW"
_ALIGN = 16

Bytes = npt.NDArray[np.uint8]
Planes = tuple[Bytes, Bytes, Bytes]
"""Y (R, C), Cb and Cr (ceil(R / 2), ceil(C / 2)), 8 bits."""


@dataclass(frozen=True, kw_only=True, eq=False)
class BrowserLayer:
    """A convolution.

    Attributes:
        weight: (O, 3, 3, I), i8.
        bias: (O,), i32.
        factor: (O,), f32: what a sum of 1 is in the answer's numbers.
        least: smallest answer.
        most: largest.
        carry: what 1 of the stream is in the answer's numbers, 0 for no stream.
    """

    weight: npt.NDArray[np.int8]
    bias: npt.NDArray[np.int32]
    factor: npt.NDArray[np.float32]
    least: int
    most: int
    carry: float = 0.0


@dataclass(frozen=True, kw_only=True, eq=False)
class BrowserModel:
    """A network, and a self-test of it.

    Attributes:
        name: of its card.
        card: the card's SHA-256: of the float network that this one was made of.
        summary: the card's.
        scale: output size over input size.
        frames: 1, or 2 for the current and the previous one.
        layers: convolutions.
        interpolation: (6 s^2, 3, 3, 6), i16, 256ths.
        seen: frames of the self-test, the current one first.
        answer: what the network makes of them.
        ideal: what it makes of them in floating point.
    """

    name: str
    card: str
    summary: str
    scale: int
    frames: int
    layers: tuple[BrowserLayer, ...]
    interpolation: npt.NDArray[np.int16]
    seen: tuple[Planes, ...] = field(default=())
    answer: Planes | None = None
    ideal: Planes | None = None

    @property
    def radius(self) -> int:
        """Positions around a position that its answer depends on."""
        return len(self.layers)

    @property
    def macs(self) -> int:
        """Multiply-accumulates of one position, the interpolation not counted."""
        return sum(layer.weight.size for layer in self.layers)

    def to_bytes(self) -> bytes:
        """The file."""
        sections = _Sections()
        layers = [
            {
                "inputs": layer.weight.shape[3],
                "outputs": layer.weight.shape[0],
                "least": layer.least,
                "most": layer.most,
                "carry": layer.carry,
                "weight": sections.add(layer.weight, "<i1"),
                "bias": sections.add(layer.bias, "<i4"),
                "factor": sections.add(layer.factor, "<f4"),
            }
            for layer in self.layers
        ]
        header: dict[str, Any] = {
            "name": self.name,
            "card": self.card,
            "summary": self.summary,
            "scale": self.scale,
            "frames": self.frames,
            "radius": self.radius,
            "macs": self.macs,
            "layers": layers,
            "interpolation": sections.add(self.interpolation, "<i2"),
        }
        if self.answer is not None and self.ideal is not None:
            rows, columns = self.seen[0][0].shape
            planes = [plane for frame in self.seen for plane in frame]
            header["test"] = {
                "width": columns,
                "height": rows,
                "seen": sections.add(np.concatenate([p.ravel() for p in planes]), "u1"),
                "answer": sections.add(np.concatenate([p.ravel() for p in self.answer]), "u1"),
                "ideal": sections.add(np.concatenate([p.ravel() for p in self.ideal]), "u1"),
            }
        text = json.dumps(header, ensure_ascii=False, separators=(",", ":")).encode()
        text += b" " * (-len(text) % _ALIGN)
        return struct.pack("<4sIII", _MAGIC, FORMAT_VERSION, len(text), 0) + text + sections.data


class _Sections:
    """Arrays one behind the other."""

    def __init__(self) -> None:
        self.data = b""

    def add(self, values: npt.NDArray[np.generic], kind: str) -> int:
        """Append an array; returns where it begins."""
        start = len(self.data)
        data = values.astype(kind, casting="equiv").tobytes()
        self.data += data + bytes(-len(data) % _ALIGN)
        return start


def read_model(data: bytes) -> BrowserModel:
    """A network from its file's bytes.

    Raises:
        WeightsError: they are none, cut short, or of another version.
    """
    try:
        magic, version, size, _ = struct.unpack_from("<4sIII", data)
        if magic != _MAGIC or version != FORMAT_VERSION:
            raise WeightsError(
                f"no browser network of version {FORMAT_VERSION}: it begins with {data[:8]!r}"
            )
        header = cast("dict[str, Any]", json.loads(data[_ALIGN : _ALIGN + size]))
        return _parsed(header, data[_ALIGN + size :])
    except (struct.error, ValueError, KeyError, TypeError) as error:
        raise WeightsError(f"a browser network that is damaged: {error}") from error


def _parsed(header: dict[str, Any], payload: bytes) -> BrowserModel:
    def array(kind: str, start: int, *shape: int) -> npt.NDArray[Any]:
        count = int(np.prod(shape))
        return np.frombuffer(payload, kind, count, start).reshape(shape)

    layers = tuple(
        BrowserLayer(
            weight=array("<i1", given["weight"], given["outputs"], 3, 3, given["inputs"]),
            bias=array("<i4", given["bias"], given["outputs"]),
            factor=array("<f4", given["factor"], given["outputs"]),
            least=given["least"],
            most=given["most"],
            carry=given["carry"],
        )
        for given in header["layers"]
    )
    scale, frames = header["scale"], header["frames"]
    seen: tuple[Planes, ...] = ()
    answer: Planes | None = None
    ideal: Planes | None = None
    if "test" in header:
        test = header["test"]
        rows, columns = test["height"], test["width"]
        size = _frame_bytes(rows, columns)
        flat = array("u1", test["seen"], frames, size)
        seen = tuple(_planes_of(one, rows, columns) for one in flat)
        rows, columns = rows * scale, columns * scale
        size = _frame_bytes(rows, columns)
        answer = _planes_of(array("u1", test["answer"], size), rows, columns)
        ideal = _planes_of(array("u1", test["ideal"], size), rows, columns)
    return BrowserModel(
        name=header["name"],
        card=header["card"],
        summary=header["summary"],
        scale=scale,
        frames=frames,
        layers=layers,
        interpolation=array("<i2", header["interpolation"], 6 * scale * scale, 3, 3, 6),
        seen=seen,
        answer=answer,
        ideal=ideal,
    )


def _frame_bytes(rows: int, columns: int) -> int:
    return rows * columns + 2 * (-(-rows // 2) * -(-columns // 2))


def _planes_of(flat: Bytes, rows: int, columns: int) -> Planes:
    half = (-(-rows // 2), -(-columns // 2))
    luma, rest = flat[: rows * columns], flat[rows * columns :]
    first, second = np.split(rest, 2)
    return luma.reshape(rows, columns), first.reshape(half), second.reshape(half)


def run(model: BrowserModel, frames: Sequence[Planes]) -> Planes:
    """What a browser shows: the reference for every kernel, to the last bit.

    Args:
        model: a network.
        frames: of one size, as many as it takes, the current one first.

    Returns:
        Planes `model.scale` times as large.
    """
    rows, columns = frames[0][0].shape
    margin = model.radius
    packed = np.concatenate([_packed(frame, margin) for frame in frames], axis=2)
    seen = (254 * packed + 255) // 510
    streams: list[npt.NDArray[np.int64]] = []
    for layer in model.layers[:-1]:
        values = _sums(seen, layer.weight, layer.bias) * layer.factor
        if layer.carry:
            stream = streams[-2][2:-2, 2:-2].astype(np.float32)
            values = values + stream * np.float32(layer.carry)
        seen = np.clip(np.rint(values), layer.least, layer.most).astype(np.int64)
        streams.append(seen)
    tail = model.layers[-1]
    detail = _sums(seen, tail.weight, tail.bias) * tail.factor
    cut = slice(margin - 1, -(margin - 1) or None)
    none = np.zeros(len(model.interpolation), np.int32)
    picture = _sums(packed[cut, cut, :6], model.interpolation, none) * np.float32(1 / 256)
    answer = np.clip(np.rint(picture + detail), 0, 255).astype(np.uint8)
    return answer_planes(answer, model.scale, rows, columns)


def _packed(frame: Planes, margin: int) -> npt.NDArray[np.int64]:
    """Code values (H + 2 margin, W + 2 margin, 6): planes repeated outwards."""
    luma, *chroma = frame
    rows, columns = luma.shape
    around = ((2 * margin, 2 * margin + rows % 2), (2 * margin, 2 * margin + columns % 2))
    blocks = np.pad(luma, around, mode="edge")
    height, width = (side // 2 for side in blocks.shape)
    blocks = blocks.reshape(height, 2, width, 2).transpose(0, 2, 1, 3).reshape(height, width, 4)
    parts = [blocks, *(np.pad(plane, margin, mode="edge")[..., None] for plane in chroma)]
    return np.concatenate(parts, axis=2).astype(np.int64)


def _sums(
    seen: npt.NDArray[np.int64],
    weight: npt.NDArray[np.int8] | npt.NDArray[np.int16],
    bias: npt.NDArray[np.int32],
) -> npt.NDArray[np.float32]:
    """A 3x3 convolution without padding: whole numbers as f32."""
    windows = np.lib.stride_tricks.sliding_window_view(seen, (3, 3), axis=(0, 1))
    # Through f64, which holds every product and sum here exactly and has a fast product.
    flat = windows.transpose(0, 1, 3, 4, 2).reshape(*windows.shape[:2], -1).astype(np.float64)
    sums = flat @ weight.reshape(len(weight), -1).astype(np.float64).T + bias
    return sums.astype(np.float32)


def answer_planes(answer: Bytes, scale: int, rows: int, columns: int) -> Planes:
    """Planes of an answer.

    Args:
        answer: (H, W, 6 s^2).
        scale: s.
        rows: of luma in low resolution: what lies beyond is cut.
        columns: likewise.
    """

    def shuffled(first: int, block: int, size: tuple[int, int]) -> Bytes:
        height, width = answer.shape[:2]
        part = answer[..., first : first + block * block].reshape(height, width, block, block)
        plane = part.transpose(0, 2, 1, 3).reshape(height * block, width * block)
        return np.ascontiguousarray(plane[: size[0], : size[1]])

    size = rows * scale, columns * scale
    half = -(-size[0] // 2), -(-size[1] // 2)
    squared = scale * scale
    return (
        shuffled(0, 2 * scale, size),
        shuffled(4 * squared, scale, half),
        shuffled(5 * squared, scale, half),
    )
