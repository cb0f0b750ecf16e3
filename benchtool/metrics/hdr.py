"""What the metrics of high dynamic range images share: their inputs, their curves, and PSNR of floats. No metric itself.

Inputs are H x W x 3 linear RGB, or the H x W x 4 planes (RGGB) of raw images, float32. Values of these metrics depend on what 1.0
means: compare only images of one scaling.
None of them is HDR-VDP, whatever a table's column says.
"""

from __future__ import annotations

import math

import cv2
import numpy as np

from benchtool.core.errors import UserError
from benchtool.core.spec import Score
from benchtool.metrics import same_size

MU = 5000
GAMMA, PERCENTILE = 2.24, 99  # NTIRE's
PU21 = (0.353487901, 0.3734658629, 8.277049286e-05, 0.9062562627, 0.09150303166, 0.9099517204, 596.3148142)  # banding_glare
PU21_RANGE = (0.005, 10_000.0)  # cd/m2
PU21_PEAK = 256  # of encoded values in metrics made for 8 bits: 100 cd/m2 is encoded as 256
DISPLAY = 1000.0  # cd/m2 of 1.0 on the display of `peak1000`
LUMINANCE = np.array([0.212656, 0.715158, 0.072186], np.float32)  # of BT.709


def pair(output: np.ndarray, target: np.ndarray | None, highest: float = math.inf) -> tuple[np.ndarray, np.ndarray, dict[str, float]]:
    """Output and target within [0, highest], and the fact `clamped_share`: the share of the output's values that were not.

    Raises:
        UserError: not 32-bit float; NaN or infinite pixels; a target beyond the range, whose scale is then not the metric's.
        ValueError: no target, or the images differ in size.
    """
    same_size(output, target, "target", channels=(3, 4))
    for role, image in (("output", output), ("target", target)):
        if image.dtype != np.float32:
            raise UserError(f"HDR metrics compare linear images of 32-bit floats; the {role} is {image.dtype}")
        if count := image.size - np.count_nonzero(np.isfinite(image)):
            raise UserError(f"{count} values of the {role} are NaN or infinite")
    low, high = float(target.min()), float(target.max())
    if low < 0 or high > highest:
        limits = f"0..{highest:g}" if math.isfinite(highest) else "0 and more"
        raise UserError(f"the target's values are {low:g}..{high:g}, the metric is for {limits}; scale output and target alike")
    outside = np.count_nonzero(output < 0) + np.count_nonzero(output > highest)
    return np.clip(output, 0, highest), target, {"clamped_share": outside / output.size}


def mu_law(linear: np.ndarray) -> np.ndarray:
    """log(1 + mu H) / log(1 + mu) with mu = 5000, of H in [0, 1] (Kalantari and Ramamoorthi, SIGGRAPH 2017, Eq. 5)."""
    return np.log1p(linear * np.float32(MU)) / np.float32(math.log1p(MU))


def ntire(output: np.ndarray, target: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The challenge's curve: gamma undone, the target's 99th percentile for 1, tanh, mu-law. The images are gamma-encoded.

    Raises:
        UserError: the percentile is 0: a target that is black but for 1 %.
    """
    output, target = (image ** np.float32(GAMMA) for image in (output, target))
    white = np.percentile(target, PERCENTILE)
    if not white:
        raise UserError(f"undefined: {PERCENTILE} % of the target's values are 0")
    return mu_law(np.tanh(output / np.float32(white))), mu_law(np.tanh(target / np.float32(white)))


def absolute(output: np.ndarray, target: np.ndarray, variant: str) -> tuple[np.ndarray, np.ndarray, dict[str, float]]:
    """`pair` in cd/m2, as the variants of PU21 take it: `absolute` as it is, `peak1000` from [0, 1] on a display of 1000 cd/m2.

    Raises:
        UserError, ValueError: as `pair`; planes of a raw image, which no display shows; for `absolute`, a target that does not exceed
            1 cd/m2, which is no picture but a relative one.
    """
    if output.shape[2:] == (4,):
        raise UserError("this metric is defined for RGB on a display, not for the planes of a raw image")
    if variant == "peak1000":
        output, target, facts = pair(output, target, 1.0)
        output, target = output * np.float32(DISPLAY), target * np.float32(DISPLAY)
    else:
        output, target, facts = pair(output, target)
        if (high := float(target.max())) <= 1:
            raise UserError(f"the target's values end at {high:g} cd/m2: they look relative; scale both images to cd/m2, or use peak1000")
    return output, target, facts | {"target_peak": float(target.max())}


def pu21(luminance: np.ndarray) -> np.ndarray:
    """Perceptually uniform values of luminance in cd/m2, cut to 0.005..10,000 (Mantiuk and Azimi, PCS 2021), double precision."""
    p = PU21
    power = np.clip(luminance.astype(np.float64), *PU21_RANGE) ** p[3]
    return p[6] * (((p[0] + p[1] * power) / (1 + p[2] * power)) ** p[4] - p[5])


def psnr(one: np.ndarray, other: np.ndarray, peak: float, facts: dict[str, float], images: tuple[np.ndarray, np.ndarray]) -> Score:
    """PSNR of two float arrays made of `images`; `facts` gain `mse`, and where it is infinite `identical`: whether the images are equal."""
    mse = cv2.norm(one, other, cv2.NORM_L2SQR) / one.size
    if not mse:
        return Score(math.inf, facts | {"mse": 0.0, "identical": bool(np.array_equal(*images))})
    return Score(10 * math.log10(peak**2 / mse), facts | {"mse": mse})
