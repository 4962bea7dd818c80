"""HDR side data of decoded frames, in the numbers that encoders take.

The binary layouts are libavutil's: ``AVMasteringDisplayMetadata`` (SMPTE ST 2086) is ten
rationals, R, G, B and white chromaticities, least and greatest luminance, then two flags;
``AVContentLightMetadata`` (CTA-861.3) two unsigned words.
"""

import struct
from collections.abc import Iterable, Mapping, Sequence
from fractions import Fraction

from upreel.video.info import HdrInfo

__all__ = ["hdr_info", "mastering_string"]

_CHROMATICITY = 50_000  # units of 1/50000, SMPTE ST 2086
_LUMINANCE = 10_000  # units of 1/10000 cd/m2


def mastering_string(data: bytes) -> str | None:
    """x265's ``G(x,y)B(x,y)R(x,y)WP(x,y)L(max,min)`` of an ``AVMasteringDisplayMetadata``.

    None where primaries or luminance are not said.
    """
    if len(data) < 88:
        return None
    numbers = struct.unpack_from("<20i", data)
    has_primaries, has_luminance = struct.unpack_from("<2i", data, 80)
    if not (has_primaries and has_luminance) or 0 in numbers[1::2]:
        return None
    values = [
        Fraction(top, bottom) for top, bottom in zip(numbers[::2], numbers[1::2], strict=True)
    ]
    red, green, blue, white = (
        f"({round(values[n] * _CHROMATICITY)},{round(values[n + 1] * _CHROMATICITY)})"
        for n in (0, 2, 4, 6)
    )
    least, greatest = round(values[8] * _LUMINANCE), round(values[9] * _LUMINANCE)
    return f"G{green}B{blue}R{red}WP{white}L({greatest},{least})"


def hdr_info(
    frames: Sequence[Mapping[str, bytes]], *, transfer: int, codec_tags: Iterable[str] = ()
) -> HdrInfo | None:
    """HDR side data of a stream's first frames; None for SDR.

    Args:
        frames: side data of each, bytes by FFmpeg's name.
        transfer: H.273 TransferCharacteristics; PQ (16) and HLG (18) are HDR by themselves.
        codec_tags: the stream's, where Dolby Vision's ``dvh1``, ``dvhe``, ``dva1``, ``dav1``
            would tell it.
    """
    found: dict[str, bytes] = {}
    for side_data in frames:
        for name, data in side_data.items():
            found.setdefault(name, data)
    dolby_vision = bool(found.keys() & {"DOVI_RPU_BUFFER", "DOVI_METADATA"}) or any(
        tag[:3] in ("dvh", "dva", "dav") for tag in codec_tags
    )
    hdr10_plus = "DYNAMIC_HDR_PLUS" in found
    mastering = mastering_string(found.get("MASTERING_DISPLAY_METADATA", b""))
    light = found.get("CONTENT_LIGHT_LEVEL", b"")
    max_cll, max_fall = struct.unpack_from("<2I", light) if len(light) >= 8 else (None, None)
    if not (mastering or light or hdr10_plus or dolby_vision or transfer in (16, 18)):
        return None
    return HdrInfo(
        mastering=mastering,
        max_cll=max_cll,
        max_fall=max_fall,
        hdr10_plus=hdr10_plus,
        dolby_vision=dolby_vision,
    )
