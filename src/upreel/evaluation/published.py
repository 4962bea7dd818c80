"""What others published on Vid4 x4: figures to stand beside ours, marked as published.

All are Y-PSNR in dB and Y-SSIM, mean over the four clips, as their papers or the surveys that
compare them give them. Protocols differ in details that a table cannot show (frames and borders
left out, colour conversion): differences below 0.05 dB say nothing. BI and BD are never in one
column: the same network reads 0.7 to 1.7 dB higher on BD.
"""

from dataclasses import dataclass

__all__ = ["LADDER", "Published", "ladder"]


@dataclass(frozen=True, slots=True)
class Published:
    """One published row.

    Attributes:
        name: of the network.
        psnr_y: dB.
        ssim_y: None where it is not known.
        parameters: None where not known.
        note: what a reader should know.
    """

    name: str
    psnr_y: float
    ssim_y: float | None = None
    parameters: int | None = None
    note: str = ""


LADDER: dict[str, tuple[Published, ...]] = {
    "BI": (
        Published("bicubic", 23.78, 0.6347, note="the protocol's own check"),
        Published("SRCNN", 24.68, note="one frame"),
        Published("ESPCN", 25.06, note="one frame"),
        Published("NanoVSR-226k", 25.26, None, 226_000, note="recurrent, both directions"),
        Published("VESPCN", 25.35, 0.756, note="three frames, motion compensated"),
        Published("RCAN", 25.46, None, 15_600_000, note="one frame"),
        Published("SwinIR", 25.68, None, 11_900_000, note="one frame"),
        Published("TOFlow", 25.89),
        Published("SOF-VSR", 26.0, None, 1_000_000),
        Published("NanoVSR-644k", 26.05, None, 644_000, note="recurrent, both directions"),
        Published("FRVSR", 26.31, None, 2_500_000),
        Published("NanoVSR-1.7M", 26.44, None, 1_700_000, note="recurrent, both directions"),
        Published("TDAN", 26.49, None, 2_200_000),
        Published("BasicVSR", 27.24, None, 6_300_000),
        Published("BasicVSR++", 27.79),
        Published("IART", 28.26),
    ),
    "BD": (
        Published("learned temporal dynamics, re-implemented", 25.49, 0.7485),
        Published("FRVSR", 27.06, None, 2_500_000),
        Published("PFNL", 27.41, None, 3_000_000),
        Published("PP-MSVSR", 28.13, None, 1_450_000),
        Published("IART", 29.68),
    ),
}
"""By degradation, from the lowest to the highest."""


def ladder(name: str, scale: int, degradation: str) -> tuple[Published, ...]:
    """Published rows that compare with an evaluation; none where nothing does.

    Args:
        name: of the set.
        scale: of the evaluation.
        degradation: as the command line writes it.

    Example:
        >>> [row.name for row in ladder("vid4", 4, "BI")][:2], ladder("vid4", 2, "BI")
        (['bicubic', 'SRCNN'], ())
    """
    return LADDER.get(degradation.upper(), ()) if (name, scale) == ("vid4", 4) else ()
