"""Fidelity metrics: one pure NumPy function each, on one plane or a pair of frames."""

from upreel.metrics.fidelity import mse as mse
from upreel.metrics.fidelity import psnr as psnr
from upreel.metrics.lucas_kanade import MOTION_SMALLEST as MOTION_SMALLEST
from upreel.metrics.lucas_kanade import motion as motion
from upreel.metrics.lucas_kanade import visible as visible
from upreel.metrics.lucas_kanade import warp as warp
from upreel.metrics.structure import MS_SSIM_SMALLEST as MS_SSIM_SMALLEST
from upreel.metrics.structure import SSIM_SMALLEST as SSIM_SMALLEST
from upreel.metrics.structure import ms_ssim as ms_ssim
from upreel.metrics.structure import ssim as ssim
from upreel.metrics.temporal import motion_difference as motion_difference
from upreel.metrics.temporal import temporal_difference as temporal_difference
from upreel.metrics.temporal import warping_error as warping_error

__all__ = [
    "MOTION_SMALLEST",
    "MS_SSIM_SMALLEST",
    "SSIM_SMALLEST",
    "motion",
    "motion_difference",
    "ms_ssim",
    "mse",
    "psnr",
    "ssim",
    "temporal_difference",
    "visible",
    "warp",
    "warping_error",
]
