"""A codec for tests: planes without their lowest bits, packed by zlib. It needs no networks.

A frame from the one before is sent as what is to be added to that one's samples, so that a
receiver with another frame before it gets another picture. Quality 63 loses nothing, and every 16
less a bit.
"""

import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Unpack

import numpy as np

from upreel.codec.header import Arithmetic
from upreel.errors import BitstreamError, UnknownModelError
from upreel.pipeline.coding import CodecOptions, FrameCodec
from upreel.video.frame import Plane
from upreel.zoo.codec_card import CodecCard
from upreel.zoo.configs.codec import CodecConfig

__all__ = ["StandInCodec", "StandInCodecs", "stand_in_codec_card"]

Planes = tuple[Plane, ...]


def stand_in_codec_card(name: str = "stand-in") -> CodecCard:
    """A card without files."""
    return CodecCard(
        name=name,
        summary="zlib",
        network=CodecConfig(),
        training_data=(),
        licence="Apache-2.0",
        steps=0,
        commit="",
        sha256=name.encode().hex().ljust(64, "0")[:64],
        folder=Path(),
    )


class StandInCodec:
    """Frames of one size to codes and back."""

    def __init__(self, height: int, width: int, bits: int, told: Callable[[], None]) -> None:
        self._dtype = np.uint8 if bits == 8 else np.uint16
        half = (-(-height // 2), -(-width // 2))
        self._shapes = ((height, width), half, half)
        self._told = told

    def send(self, planes: Planes, quality: int, before: Planes | None, /) -> tuple[bytes, Planes]:
        self._told()
        lost = (63 - quality) // 16
        kept = tuple(((plane >> lost) << lost).astype(self._dtype) for plane in planes)
        base = before or tuple(np.zeros_like(plane) for plane in kept)
        data = b"".join((a - b).tobytes() for a, b in zip(kept, base, strict=True))
        return bytes((before is None, quality)) + zlib.compress(data), kept

    def receive(self, code: bytes, quality: int, before: Planes | None, /) -> Planes:
        self._told()
        if code[:2] != bytes((before is None, quality)):
            raise BitstreamError("not a code of such a frame")
        try:
            data = np.frombuffer(zlib.decompress(code[2:]), self._dtype)
        except zlib.error as error:
            raise BitstreamError("a damaged code") from error
        made: list[Plane] = []
        place = 0
        for number, (rows, columns) in enumerate(self._shapes):
            plane = data[place : place + rows * columns].reshape(rows, columns)
            made.append(plane if before is None else plane + before[number])
            place += rows * columns
        return tuple(made)

    def planes(self, state: Planes, /) -> Planes:
        return state


class StandInCodecs:
    """Cards of any name, all opened as `StandInCodec`.

    Args:
        on_send: told of every frame that is sent or received.
        codec: opens another codec instead.
    """

    def __init__(
        self,
        on_send: Callable[[], None] = lambda: None,
        codec: Callable[[int, int], FrameCodec] | None = None,
    ) -> None:
        self._on_send = on_send
        self._codec = codec
        self.opened: list[dict[str, object]] = []

    def load_card(self, name: str) -> CodecCard:
        if name == "unknown":
            raise UnknownModelError("no codec 'unknown'")
        return stand_in_codec_card(name)

    def precisions(self, device: str) -> tuple[str, ...]:
        return ("f32", "bf16") if device == "cpu" else ("f32",)

    def arithmetic(self, device: str, precision: str) -> Arithmetic:
        return Arithmetic(precision=precision, engine="zlib 1", machine=f"any {device}")

    def open(self, card: CodecCard, **options: Unpack[CodecOptions]) -> FrameCodec:
        self.opened.append({"card": card.name, **options})
        if self._codec is not None:
            return self._codec(options["height"], options["width"])
        return StandInCodec(options["height"], options["width"], options["bits"], self._on_send)
