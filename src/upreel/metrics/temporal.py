"""Consistency over time: what flickers or swims although each frame alone looks right.

All take two consecutive luma planes, code values; none sees more than those.

* `temporal_difference`  change of the output less change of the truth, no motion involved.
* `warping_error`        change of the output along the *truth's* motion: flicker on moving things.
* `motion_difference`    how far the output's own motion is from the truth's: things that swim.
"""

from typing import Any

import numpy as np
import numpy.typing as npt

from upreel.metrics.fidelity import mse
from upreel.metrics.lucas_kanade import Motion, warp

__all__ = ["motion_difference", "temporal_difference", "warping_error"]


def temporal_difference(
    reference: npt.NDArray[Any],
    reference_before: npt.NDArray[Any],
    judged: npt.NDArray[Any],
    judged_before: npt.NDArray[Any],
) -> float:
    """Mean of ``|(judged - judged_before) - (reference - reference_before)|``, in code values.

    0 for an output whose error stays the same from frame to frame. Our own figure, the absolute
    form of the error of frame differences.

    Args:
        reference: (H, W), ground truth.
        reference_before: (H, W), the frame before it.
        judged: (H, W).
        judged_before: (H, W).

    Raises:
        ValueError: the shapes differ, or there is no sample.

    Example:
        >>> zero, one = np.zeros((1, 2)), np.array([[0.0, 1.0]])
        >>> temporal_difference(zero, zero, one, zero)
        0.5
    """
    shapes = {p.shape for p in (reference, reference_before, judged, judged_before)}
    if len(shapes) > 1 or reference.size == 0:
        raise ValueError(f"planes must have one shape and a sample, got {sorted(shapes)}")
    change = judged.astype(np.float64) - judged_before.astype(np.float64)
    true_change = reference.astype(np.float64) - reference_before.astype(np.float64)
    return float(np.mean(np.abs(change - true_change)))


def warping_error(
    frame: npt.NDArray[Any],
    before: npt.NDArray[Any],
    field: Motion,
    seen: npt.NDArray[np.bool_],
) -> float:
    """Mean squared difference between a frame and the one before it, moved along a motion.

    After the warping error of Lai et al. (ECCV 2018, equation 8), with the motion of the ground
    truth and only samples that are seen in both frames; in squared code values. Ground truth
    itself does not reach 0 (noise, light, motion found wrongly): read it beside the truth's own
    value. A blurred output may be below the truth: nothing in it can flicker.

    Args:
        frame: (H, W).
        before: (H, W), the frame before it.
        field: (H, W, 2), `upreel.metrics.motion` of the truth from frame to before.
        seen: (H, W), `upreel.metrics.visible`.

    Returns:
        0 or more; NaN where nothing is seen in both.

    Raises:
        ValueError: the shapes differ.
    """
    if frame.shape != before.shape or frame.shape != seen.shape:
        raise ValueError(
            f"planes must have one shape, got {frame.shape}, {before.shape}, {seen.shape}"
        )
    if not seen.any():
        return float("nan")
    return mse(frame[seen], warp(before, field)[seen])


def motion_difference(reference: Motion, judged: Motion) -> float:
    """Mean length of the difference of two motions, in samples (average endpoint error).

    In the spirit of the tOF of Chu et al. (TecoGAN, ACM TOG 39(4), 2020), which sums absolute
    differences of Farnebäck's optical flow: ours has another flow and the Euclidean length, so
    the figures do not compare with published tOF.

    Args:
        reference: (H, W, 2), motion of the ground truth.
        judged: (H, W, 2), motion of the output, found in the same way.

    Raises:
        ValueError: the shapes differ, or there is no sample.

    Example:
        >>> motion_difference(np.zeros((1, 1, 2), np.float32), np.array([[[3, 4]]], np.float32))
        5.0
    """
    if reference.shape != judged.shape or reference.size == 0:
        raise ValueError(
            f"motions must have one shape and a sample, got {reference.shape}, {judged.shape}"
        )
    difference = reference.astype(np.float64) - judged.astype(np.float64)
    return float(np.mean(np.hypot(difference[..., 0], difference[..., 1])))
