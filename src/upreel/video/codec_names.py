"""What a track of fragmented MP4 calls its codec in playlists and in `canPlayType` (RFC 6381).

Read from the sample description of its init segment: what is told is what is sent.
"""

from collections.abc import Iterator

from upreel.video.fragments import boxes

__all__ = ["codec_name"]

_PATH = (b"moov", b"trak", b"mdia", b"minf", b"stbl", b"stsd")
_VISUAL, _AUDIO = 86, 36  # bytes of a sample entry before its boxes


def codec_name(init: bytes) -> str:
    """The codec of the only track of an init segment, such as ``avc1.64001e``; "" if not known."""
    for kind, entry in _entries(init):
        if kind in (b"avc1", b"avc3"):
            config = _child(entry, _VISUAL, b"avcC")
            return f"{kind.decode()}.{config[1:4].hex()}" if len(config) > 3 else ""
        if kind in (b"hvc1", b"hev1"):
            config = _child(entry, _VISUAL, b"hvcC")
            return f"{kind.decode()}.{_hevc(config)}" if len(config) > 12 else ""
        if kind == b"av01":
            return _av1(_child(entry, _VISUAL, b"av1C"))
        if kind == b"vp09":
            config = _child(entry, _VISUAL, b"vpcC")[4:]
            if len(config) < 3:
                return ""
            return f"vp09.{config[0]:02}.{config[1]:02}.{config[2] >> 4:02}"
        if kind == b"mp4a":
            return _mpeg4_audio(_child(entry, _AUDIO, b"esds"))
        return {b"Opus": "opus"}.get(kind, "")
    return ""


def _entries(init: bytes) -> Iterator[tuple[bytes, bytes]]:
    data = init
    for name in _PATH:
        found = next((box[8:] for kind, box in boxes(data) if kind == name), None)
        if found is None:
            return
        data = found
    yield from boxes(data[8:])  # version, flags, number of entries


def _child(entry: bytes, skip: int, name: bytes) -> bytes:
    return next((box[8:] for kind, box in boxes(entry[skip:]) if kind == name), b"")


def _hevc(config: bytes) -> str:
    """Profile, compatibility, tier and level (ISO/IEC 14496-15, annex E.3)."""
    space = ("", "A", "B", "C")[config[1] >> 6]
    compatible = int(f"{int.from_bytes(config[2:6], 'big'):032b}"[::-1], 2)
    tier = "H" if config[1] & 32 else "L"
    constraints = config[6:12].rstrip(b"\0")
    parts = [f"{space}{config[1] & 31}", f"{compatible:X}", f"{tier}{config[12]}"]
    return ".".join([*parts, *(f"{byte:X}" for byte in constraints)])


def _av1(config: bytes) -> str:
    """Profile, level, tier and bits (AV1 in ISOBMFF, section 5)."""
    if len(config) < 3:
        return ""
    tier = "H" if config[2] & 128 else "M"
    bits = 8 if not config[2] & 64 else 12 if config[2] & 32 else 10
    return f"av01.{config[1] >> 5}.{config[1] & 31:02}{tier}.{bits:02}"


def _mpeg4_audio(descriptor: bytes) -> str:
    """Object type of an elementary stream descriptor (ISO/IEC 14496-1, 7.2.6)."""
    data, place = descriptor[4:], 0
    kind = 0
    while place < len(data):
        tag = data[place]
        place += 1
        while place < len(data) and data[place] & 128:
            place += 1
        place += 1
        if tag == 3:
            place += 3
        elif tag == 4 and place < len(data):
            kind = data[place]
            place += 13
        elif tag == 5 and place + 1 < len(data):
            first = data[place] >> 3
            if first == 31:
                first = 32 + ((data[place] & 7) << 3 | data[place + 1] >> 5)
            return f"mp4a.{kind:02x}.{first}"
        else:
            break
    return f"mp4a.{kind:02x}" if kind else ""
