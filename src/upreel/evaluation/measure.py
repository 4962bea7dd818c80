"""Every figure of one contestant on one clip, frame by frame.

Luma       PSNR, SSIM and the rest are of Y, all frames, no crop; ``_cb`` and ``_cr`` stand beside
           where the source has them. Y of RGB sources is BT.709's luma, full range, not rounded.
Pairs      what compares a frame with the one before it has one value less than there are frames.
Absent     what a clip is too small, too short or of the wrong format for is left out, with the
           reason.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy.typing as npt

from upreel.evaluation.clips import Clip, luma_plane
from upreel.evaluation.contestants import Picture
from upreel.evaluation.degrade import to_levels
from upreel.evaluation.vmaf import VMAF_MODELS, refused_format, too_small, vmaf, write_y4m
from upreel.metrics import (
    MOTION_SMALLEST,
    MS_SSIM_SMALLEST,
    SSIM_SMALLEST,
    motion,
    motion_difference,
    ms_ssim,
    mse,
    psnr,
    ssim,
    temporal_difference,
    visible,
    warping_error,
)

__all__ = ["METRICS", "Metric", "Ruler", "VmafFolder"]

Frames = Mapping[str, tuple[float, ...]]


@dataclass(frozen=True, kw_only=True, slots=True)
class Metric:
    """How a figure is shown.

    Attributes:
        label: heading of its column.
        decimals: that are shown.
        better: "higher", "lower", or "" where neither is by itself.
        meaning: one sentence.
    """

    label: str
    decimals: int
    better: str
    meaning: str


METRICS: dict[str, Metric] = {
    "psnr_y": Metric(
        label="Y-PSNR dB", decimals=3, better="higher",
        meaning="Peak signal-to-noise ratio of luma, peak 2^bits - 1, all frames, no crop.",
    ),
    "ssim_y": Metric(
        label="Y-SSIM", decimals=4, better="higher",
        meaning="Structural similarity of luma (Wang et al. 2004), 11x11 Gaussian windows.",
    ),
    "ms_ssim_y": Metric(
        label="Y-MS-SSIM", decimals=4, better="higher",
        meaning="Multi-scale structural similarity of luma (Wang et al. 2003), five scales.",
    ),
    "vmaf": Metric(
        label="VMAF", decimals=2, better="higher",
        meaning="VMAF v0.6.1; mere sharpening raises it.",
    ),
    "vmaf_neg": Metric(
        label="VMAF-NEG", decimals=2, better="higher",
        meaning="VMAF v0.6.1 without enhancement gain: sharpening does not raise it.",
    ),
    "vmaf_v1": Metric(
        label="VMAF v1", decimals=2, better="higher",
        meaning="VMAF v1.0.16 at a viewing distance of three picture heights.",
    ),
    "warping_error": Metric(
        label="Warping error", decimals=2, better="",
        meaning="Mean squared change of luma along the ground truth's motion, where seen in both "
        "frames, in squared levels of 8 bits; read it beside the truth's own. Blur lowers it, too.",
    ),
    "motion_difference": Metric(
        label="Motion px", decimals=3, better="lower",
        meaning="Mean distance between the output's motion and the ground truth's, in pixels "
        "(Lucas-Kanade; in the spirit of tOF, but not comparable with published tOF).",
    ),
    "temporal_difference": Metric(
        label="Temporal diff.", decimals=3, better="lower",
        meaning="Mean absolute difference between the output's and the ground truth's change "
        "from frame to frame, in levels of 8 bits.",
    ),
    "mse_y": Metric(
        label="Y-MSE", decimals=2, better="lower",
        meaning="Mean squared error of luma, in squared levels of 8 bits.",
    ),
    "mse_cb": Metric(label="Cb-MSE", decimals=2, better="lower", meaning="As Y-MSE, of Cb."),
    "mse_cr": Metric(label="Cr-MSE", decimals=2, better="lower", meaning="As Y-MSE, of Cr."),
    "psnr_cb": Metric(
        label="Cb-PSNR dB", decimals=2, better="higher", meaning="As Y-PSNR, of Cb."
    ),
    "psnr_cr": Metric(
        label="Cr-PSNR dB", decimals=2, better="higher", meaning="As Y-PSNR, of Cr."
    ),
    "ssim_cb": Metric(label="Cb-SSIM", decimals=4, better="higher", meaning="As Y-SSIM, of Cb."),
    "ssim_cr": Metric(label="Cr-SSIM", decimals=4, better="higher", meaning="As Y-SSIM, of Cr."),
}  # fmt: skip
"""By key, in the table's order."""


@dataclass(frozen=True, kw_only=True, slots=True)
class VmafFolder:
    """Where VMAF's files lie while one clip is measured, and what of it is measured."""

    path: Path
    threads: int
    names: tuple[str, ...] = tuple(VMAF_MODELS)


@dataclass(frozen=True, kw_only=True)
class Ruler:
    """One ground-truth clip, ready to be compared with.

    Attributes:
        truth: the clip.
        with_motion: measure what needs motion.
        vmaf: where VMAF's files go, None to do without.
    """

    truth: Clip
    with_motion: bool = True
    vmaf: VmafFolder | None = None

    @cached_property
    def absent(self) -> dict[str, str]:
        """What cannot be measured on this clip, with the reason."""
        truth, reasons = self.truth, dict[str, str]()
        size = f"{truth.name} is {truth.width}x{truth.height}"
        smallest = min(truth.width, truth.height)
        if smallest < MS_SSIM_SMALLEST:
            reasons["ms_ssim_y"] = f"{size}; at least {MS_SSIM_SMALLEST}x{MS_SSIM_SMALLEST}"
        if smallest < SSIM_SMALLEST:
            reasons["ssim_y"] = f"{size}; at least {SSIM_SMALLEST}x{SSIM_SMALLEST}"
        if truth.format.model == "yuv":
            for n, name in ((1, "ssim_cb"), (2, "ssim_cr")):
                rows, columns = truth.planes[0][n].shape
                if min(rows, columns) < SSIM_SMALLEST:
                    limit = f"at least {SSIM_SMALLEST}x{SSIM_SMALLEST}"
                    reasons[name] = f"{truth.name} has chroma of {columns}x{rows}; {limit}"
        if truth.num_frames < 2:
            alone = f"{truth.name} has one frame; at least 2"
            reasons |= dict.fromkeys(
                ("temporal_difference", "warping_error", "motion_difference"), alone
            )
        elif smallest < MOTION_SMALLEST:
            limit = f"at least {MOTION_SMALLEST}x{MOTION_SMALLEST}"
            reasons |= dict.fromkeys(("warping_error", "motion_difference"), f"{size}; {limit}")
        if self.vmaf is not None:
            limits = too_small(truth.width, truth.height)
            reasons |= {name: f"{size}; {limit}" for name, limit in limits.items()}
            if reason := refused_format(truth.format):
                reasons |= dict.fromkeys(VMAF_MODELS, f"{truth.name} is {reason}")
        return reasons

    @property
    def _peak(self) -> int:
        return self.truth.format.max_value

    @property
    def _unit(self) -> float:
        """Levels of 8 bits in a code value: means over clips of different depth need one unit."""
        return 255 / self._peak

    @property
    def _has_motion(self) -> bool:
        return self.with_motion and "motion_difference" not in self.absent

    @cached_property
    def _luma(self) -> list[npt.NDArray[Any]]:
        return [luma_plane(planes, self.truth.format) for planes in self.truth.planes]

    @cached_property
    def _motions(self) -> list[npt.NDArray[Any]]:
        """From each frame but the first to the one before it."""
        luma = self._luma
        return [motion(luma[t], luma[t - 1], max_value=self._peak) for t in range(1, len(luma))]

    @cached_property
    def _seen(self) -> list[npt.NDArray[Any]]:
        luma = self._luma
        return [
            visible(forth, motion(luma[t], luma[t + 1], max_value=self._peak))
            for t, forth in enumerate(self._motions)
        ]

    def facts(self) -> dict[str, float]:
        """What the ground truth itself reads: its warping error, and the share that is compared.

        Empty where motion is not measured; no error where nothing is seen in two frames.
        """
        if not self._has_motion:
            return {}
        luma = self._luma
        errors = [
            self._unit**2 * warping_error(luma[t + 1], luma[t], field, seen)
            for t, (field, seen) in enumerate(zip(self._motions, self._seen, strict=True))
            if seen.any()
        ]
        share = sum(float(seen.mean()) for seen in self._seen) / len(self._seen)
        facts = {"seen": share}
        return facts | ({"warping_error": sum(errors) / len(errors)} if errors else {})

    def frames(self, results: Sequence[Picture]) -> dict[str, tuple[float, ...]]:
        """Every metric of an output, frame by frame (pair by pair).

        Args:
            results: planes of as many frames as the truth has, in its format.
        """
        truth, peak, absent = self.truth, self._peak, self.absent
        luma = [luma_plane(planes, truth.format) for planes in results]
        planes: dict[str, tuple[Sequence[npt.NDArray[Any]], Sequence[npt.NDArray[Any]]]] = {
            "y": (self._luma, luma)
        }
        if truth.format.model == "yuv":
            for name, n in (("cb", 1), ("cr", 2)):
                planes[name] = [p[n] for p in truth.planes], [p[n] for p in results]
        found: dict[str, tuple[float, ...]] = {}
        for name, (ours, theirs) in planes.items():
            both = list(zip(ours, theirs, strict=True))
            found[f"mse_{name}"] = tuple(self._unit**2 * mse(a, b) for a, b in both)
            found[f"psnr_{name}"] = tuple(psnr(a, b, max_value=peak) for a, b in both)
            if f"ssim_{name}" not in absent:
                found[f"ssim_{name}"] = tuple(ssim(a, b, max_value=peak) for a, b in both)
            if name == "y" and "ms_ssim_y" not in absent:
                found["ms_ssim_y"] = tuple(ms_ssim(a, b, max_value=peak) for a, b in both)
        found |= self._over_time(luma)
        if self.vmaf is not None:
            found |= self._vmaf(results, self.vmaf)
        return {name: found[name] for name in METRICS if name in found}

    def _over_time(self, luma: Sequence[npt.NDArray[Any]]) -> dict[str, tuple[float, ...]]:
        truth = self._luma
        found: dict[str, tuple[float, ...]] = {}
        pairs = range(1, len(truth))
        if "temporal_difference" not in self.absent:
            found["temporal_difference"] = tuple(
                self._unit * temporal_difference(truth[t], truth[t - 1], luma[t], luma[t - 1])
                for t in pairs
            )
        if self._has_motion:
            found["warping_error"] = tuple(
                self._unit**2
                * warping_error(luma[t], luma[t - 1], self._motions[t - 1], self._seen[t - 1])
                for t in pairs
            )
            found["motion_difference"] = tuple(
                motion_difference(
                    self._motions[t - 1], motion(luma[t], luma[t - 1], max_value=self._peak)
                )
                for t in pairs
            )
        return found

    def _vmaf(self, results: Sequence[Picture], folder: VmafFolder) -> Frames:
        truth = self.truth
        names = [name for name in folder.names if name not in self.absent]
        if not names:
            return {}
        reference, judged = folder.path / "truth.y4m", folder.path / "judged.y4m"
        if not reference.exists():
            write_y4m(reference, truth.planes, truth.format, truth.rate)
        rounded = (to_levels(planes, truth.format) for planes in results)
        write_y4m(judged, rounded, truth.format, truth.rate)
        return vmaf(reference, judged, names=names, threads=folder.threads)
