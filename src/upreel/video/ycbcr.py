"""R'G'B' as the Y'CbCr of standard definition, with which published figures are computed."""

import numpy as np
import numpy.typing as npt

from upreel.video.frame import Plane

__all__ = ["ycbcr_levels"]

# Rows: Y, Cb, Cr of R'G'B' in [0, 1], limited range (Rec. ITU-R BT.601-7, 2.5.1 to 2.5.3).
_BT601 = np.array([[65.481, 128.553, 24.966], [-37.797, -74.203, 112.0], [112.0, -93.786, -18.214]])
_OFFSET = np.array([16.0, 128.0, 128.0])


def ycbcr_levels(
    red: Plane, green: Plane, blue: Plane, largest: int = 255
) -> npt.NDArray[np.float64]:
    """BT.601 limited-range Y, Cb and Cr of 8 bits, not rounded, each at full size: (3, H, W).

    Args:
        red: (H, W).
        green: the same.
        blue: the same.
        largest: value of white in each.

    Example:
        >>> white = np.full((1, 1), 1023, np.uint16)
        >>> ycbcr_levels(white, white, white, 1023).ravel().tolist()
        [235.0, 128.0, 128.0]
    """
    rgb = np.stack((red, green, blue)).astype(np.float64) / largest
    return np.tensordot(_BT601, rgb, axes=1) + _OFFSET[:, None, None]
