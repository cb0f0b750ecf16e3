"""Independent programs of our metrics, the sizes they and ours can be asked for, and timed calls of them or of ours."""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np

SHORT = 0.25  # seconds: what takes less is called again, as it is in a batch
FEW = 2.0  # megapixels: what takes minutes for them
SLOW = "more pixels would take more than five minutes of one core"
LARGE = 12.0  # megapixels: what takes ten seconds and more for them is not asked for larger pictures


@dataclass(frozen=True)
class Peer:
    """Somebody else's program.

    Attributes:
        title: what it is.
        value: of an H x W x 3 RGB uint8 output and the picture it is compared with.
        up_to: megapixels it is asked for at most.
    """

    title: str
    value: Callable[[np.ndarray, np.ndarray], float]
    up_to: float = math.inf


@dataclass(frozen=True)
class Case:
    """What is measured of a metric.

    Attributes:
        peer: somebody else's program of it.
        up_to: megapixels it is asked for at most.
        why: what it would take for more, where that is why.
        also: sizes of its own beside the given ones.
        files: model files it needs.
    """

    peer: Peer | None = None
    up_to: float = math.inf
    why: str = ""
    also: tuple[float, ...] = ()
    files: tuple[str, ...] = ()


@dataclass(frozen=True)
class Run:
    """Calls on one pair of pictures.

    Attributes:
        seconds: by the clock, mean of the calls.
        cpu_seconds: of the processor, mean of the calls.
        value: what they returned; None of made weights, whose values mean nothing.
        calls: how many.
        extra_bytes: what the process took at most beyond what it held; None where the system does not tell (Linux does).
    """

    seconds: float
    cpu_seconds: float
    value: float | None
    calls: int
    extra_bytes: int | None


def measure(metric: str, peer: bool, pictures: Path, made: bool = False) -> Run:
    """Call a metric, or its peer, on the two pictures of an .npy file. Called in a process that does nothing else.

    Args:
        made: its weights are made ones: what it returns is not passed on.
    """
    import cv2

    from benchtool import metrics

    cv2.setNumThreads(1)
    output, reference = np.load(pictures)
    ours = metrics.find(metric)
    held = _reset_peak()
    calls, begun, cpu_begun = 0, time.perf_counter(), time.process_time()
    while not calls or time.perf_counter() - begun < SHORT:
        value = CASES[metric].peer.value(output, reference) if peer else ours.score(output, reference, reference).value
        calls += 1
    seconds, cpu_seconds = ((now - then) / calls for now, then in ((time.perf_counter(), begun), (time.process_time(), cpu_begun)))
    extra = None if held is None else _memory("VmHWM") - held
    return Run(seconds, cpu_seconds, None if made else float(value), calls, extra)


def _reset_peak() -> int | None:
    """Let the peak of this process's memory be counted from now; the bytes it holds, None where the system counts none."""
    try:
        Path("/proc/self/clear_refs").write_text("5")
        return _memory("VmRSS")
    except OSError:
        return None


def _memory(field: str) -> int:
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith(field)) * 1024


def _psnr(output: np.ndarray, reference: np.ndarray) -> float:
    from skimage.metrics import peak_signal_noise_ratio

    return peak_signal_noise_ratio(reference, output)


def _ssim_gauss(output: np.ndarray, reference: np.ndarray) -> float:
    from skimage.metrics import structural_similarity

    return structural_similarity(output, reference, channel_axis=2, gaussian_weights=True, sigma=1.5, use_sample_covariance=False)


def _ssim_grey(output: np.ndarray, reference: np.ndarray) -> float:
    import cv2
    from skimage.metrics import structural_similarity

    return structural_similarity(*(cv2.cvtColor(image, cv2.COLOR_RGB2GRAY) for image in (output, reference)))


def _every_pair(output: np.ndarray, reference: np.ndarray) -> float:
    before, after = (image.max(axis=2).ravel() for image in (reference, output))
    return 10_000 * _wrong_pairs(before, after) / before.size**2


def _grid_loop(output: np.ndarray, reference: np.ndarray) -> float:
    """BIMEF's loop over 100 x 100 pixels."""
    rows, columns = ([int(1 + k * (n - 1) / 99 + 0.5) - 1 for k in range(100)] for n in output.shape[:2])
    before, after = (image[rows][:, columns].max(axis=2).ravel() for image in (reference, output))
    return _wrong_pairs(before, after) / before.size


def _wrong_pairs(before: np.ndarray, after: np.ndarray) -> int:
    return sum(int(np.count_nonzero((before >= a) ^ (after >= b))) for a, b in zip(before, after))


def _pyiqa_niqe(output: np.ndarray, reference: np.ndarray) -> float:
    from benchtool.core import models
    from benchtool.metrics import through_pyiqa

    return through_pyiqa.run("niqe_arch", "NIQE", output, options={"pretrained_model_path": str(models.require("niqe"))})


CASES = {
    "psnr:rgb-u8": Case(Peer("scikit-image", _psnr)),
    "ssim:rgb-gauss": Case(Peer("scikit-image, Gaussian window, population covariance", _ssim_gauss, LARGE)),
    "ssim:gray-uniform7": Case(Peer("scikit-image, its defaults, on grey", _ssim_grey, LARGE)),
    "ssim:matlab": Case(),
    "loe:full": Case(Peer("every pair compared", _every_pair, 0.01), also=(0.01,)),
    "loe:bimef100": Case(Peer("loop over the 10,000 pixels", _grid_loop)),
    "niqe:live": Case(Peer("pyiqa `niqe`", _pyiqa_niqe, LARGE), files=("niqe",)),
    "vif:target-reference": Case(up_to=LARGE),  # from here on it is pyiqa that computes
    "lpips:alex": Case(up_to=LARGE, files=("alexnet", "lpips")),
    "musiq:koniq": Case(up_to=LARGE, files=("musiq",)),
    "ma:nrqm": Case(up_to=FEW, why=SLOW, also=(FEW,), files=("nrqm",)),
    "pi:pirm": Case(up_to=FEW, why=SLOW, also=(FEW,), files=("nrqm", "niqe")),
}
