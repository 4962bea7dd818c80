"""Fidelity metrics: one pure NumPy function each, on one plane, in float64."""

from upreel.metrics.fidelity import mse as mse
from upreel.metrics.fidelity import psnr as psnr
from upreel.metrics.structure import ssim as ssim

__all__ = ["mse", "psnr", "ssim"]
