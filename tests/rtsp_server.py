"""A small RTSP server that sends H.264 by RTP within its TCP connection (RFC 2326, 6184).

One viewer, one stream, nothing but what FFmpeg's client asks for. It sends the pictures that the
test gives it, when the test gives them.
"""

import base64
import queue
import re
import socket
import struct
import threading
from collections.abc import Sequence
from contextlib import suppress
from fractions import Fraction
from types import TracebackType
from typing import Self

import av
from clips import draw_frame

_PAYLOAD = 96
_MOST = 1400  # bytes of a packet


def nal_units(data: bytes) -> list[bytes]:
    """The units of a stream with start codes."""
    return [unit for unit in re.split(b"\x00\x00\x00\x01|\x00\x00\x01", data) if unit]


def encoded(count: int) -> tuple[list[bytes], list[bytes]]:
    """H.264 of drawn pictures: parameter sets, and each picture's bytes with start codes."""
    encoder = av.CodecContext.create("libx264", "w")
    encoder.width, encoder.height, encoder.pix_fmt = 64, 48, "yuv420p"
    encoder.time_base, encoder.framerate = Fraction(1, 25), Fraction(25)
    encoder.options = {"preset": "ultrafast", "tune": "zerolatency", "g": "25"}
    pictures: list[bytes] = []
    for number in range(count):
        frame = draw_frame(number)
        frame.pts = number
        pictures += [bytes(packet) for packet in encoder.encode(frame)]
    sets = [unit for unit in nal_units(pictures[0]) if unit[0] & 0x1F in (7, 8)]
    return sets, pictures


class RtspServer:
    """Serves one stream.

    Args:
        parameters: SPS and PPS.
        port: 0 for one that is free.
    """

    def __init__(self, parameters: Sequence[bytes], *, port: int = 0) -> None:
        self._parameters = parameters
        self._listener = socket.create_server(("127.0.0.1", port))
        self.port = self._listener.getsockname()[1]
        self.url = f"rtsp://127.0.0.1:{self.port}/live"
        self.playing = threading.Event()
        self._pictures: queue.Queue[tuple[int, list[bytes]] | None] = queue.Queue()
        self._sequence = 0
        self._lock = threading.Lock()
        self._thread = threading.Thread(target=self._serve)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._pictures.put(None)
        self._listener.close()
        self._thread.join(10)

    def send(self, ticks: int, data: bytes) -> None:
        """Give it a picture, with start codes, of a time in ticks of 1/90000 s."""
        self._pictures.put((ticks, nal_units(data)))

    def end(self) -> None:
        """No more pictures: the connection is closed."""
        self._pictures.put(None)

    def _serve(self) -> None:
        try:
            connection, _ = self._listener.accept()
        except OSError:
            return
        with connection:
            sender = threading.Thread(target=self._send_all, args=(connection,))
            try:
                while request := self._request(connection):
                    self._answer(connection, request)
                    if request.startswith("PLAY"):
                        self.playing.set()
                        sender.start()
            except OSError:
                pass
            finally:
                self._pictures.put(None)
                if sender.ident is not None:
                    sender.join(10)

    @staticmethod
    def _request(connection: socket.socket) -> str:
        """The next request; packets that the client sends in between are passed over."""
        data = b""
        while not data.endswith(b"\r\n\r\n"):
            byte = connection.recv(1)
            if not byte:
                return ""
            data += byte
            if data[:1] == b"$" and len(data) == 4:
                connection.recv(struct.unpack(">H", data[2:])[0], socket.MSG_WAITALL)
                data = b""
        return data.decode()

    def _answer(self, connection: socket.socket, request: str) -> None:
        number = re.search(r"CSeq: *(\d+)", request, re.IGNORECASE)
        lines = ["RTSP/1.0 200 OK", f"CSeq: {number[1] if number else 0}", "Session: 1"]
        body = ""
        if request.startswith("OPTIONS"):
            lines.append("Public: OPTIONS, DESCRIBE, SETUP, PLAY, TEARDOWN")
        elif request.startswith("DESCRIBE"):
            sets = ",".join(base64.b64encode(unit).decode() for unit in self._parameters)
            body = (
                "v=0\r\no=- 0 0 IN IP4 127.0.0.1\r\ns=test\r\nt=0 0\r\na=control:*\r\n"
                f"m=video 0 RTP/AVP {_PAYLOAD}\r\na=rtpmap:{_PAYLOAD} H264/90000\r\n"
                f"a=fmtp:{_PAYLOAD} packetization-mode=1;sprop-parameter-sets={sets}\r\n"
                "a=framerate:25\r\na=control:track1\r\n"
            )
            lines += ["Content-Type: application/sdp", f"Content-Length: {len(body)}"]
        elif request.startswith("SETUP"):
            lines.append("Transport: RTP/AVP/TCP;unicast;interleaved=0-1")
        with self._lock:
            connection.sendall(("\r\n".join(lines) + "\r\n\r\n" + body).encode())

    def _send_all(self, connection: socket.socket) -> None:
        while (item := self._pictures.get()) is not None:
            ticks, units = item
            packets = [part for unit in units for part in self._parts(unit)]
            for number, packet in enumerate(packets):
                last = number == len(packets) - 1
                header = struct.pack(
                    ">BBHII", 0x80, _PAYLOAD | (0x80 if last else 0), self._sequence & 0xFFFF,
                    ticks & 0xFFFFFFFF, 1,
                )  # fmt: skip
                self._sequence += 1
                data = header + packet
                try:
                    with self._lock:
                        connection.sendall(b"$\x00" + struct.pack(">H", len(data)) + data)
                except OSError:
                    return
        with suppress(OSError):
            connection.shutdown(socket.SHUT_RDWR)

    @staticmethod
    def _parts(unit: bytes) -> list[bytes]:
        """A unit as it is, or in fragments (FU-A)."""
        if len(unit) <= _MOST:
            return [unit]
        indicator, kind, rest = (unit[0] & 0xE0) | 28, unit[0] & 0x1F, unit[1:]
        pieces = [rest[n : n + _MOST] for n in range(0, len(rest), _MOST)]
        return [
            bytes((indicator, kind | (n == 0) << 7 | (n == len(pieces) - 1) << 6)) + piece
            for n, piece in enumerate(pieces)
        ]
