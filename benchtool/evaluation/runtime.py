"""How long a method takes for one picture: `enhance` alone, as NIID's Table 1 gives it for 1280 x 720 pixels.

Reading, decoding, quantising and writing are not in it, nor is the way to the device and back.
"""

from __future__ import annotations

import platform
import statistics
import time
from pathlib import Path
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional as F

from benchtool.core.errors import UserError
from benchtool.core.seeds import generator
from benchtool.core.spec import MethodSpec
from benchtool.methods import Loaded

VERSION = "1"  # raised whenever a figure may change its meaning
SIZE = (1280, 720)  # (width, height) of NIID's Table 1
OCTAVES = 8
CPUINFO = Path("/proc/cpuinfo")


def measure(loaded: Loaded, device: str | torch.device, size: tuple[int, int] = SIZE, repeats: int = 5, warmup: int = 2) -> dict[str, Any]:
    """Time `enhance` on one sample of photograph-like pictures.

    Args:
        loaded: its method is moved to `device`; its training mode is left as it is. Weights do not matter for the time.
        size: (width, height) in pixels of each input picture; of the mosaic for a method of `raw-rggb`, whose planes have half of it.
        repeats: timed calls, of which the median counts; `warmup` calls before them are not timed.

    Returns:
        JSON-able: `seconds` (the median), `spread` ([shortest, longest]), `size`, `device` (the processor's name), `threads` (of the CPU),
        `repeats`, `version` (of this measurement), `torch`.

    Raises:
        UserError: a size or a number of repeats that cannot be.
    """
    if min(size) < 2 or repeats < 1 or warmup < 0:
        raise UserError(f"run time at {size[0]} x {size[1]}, {repeats} repeats after {warmup}: sides of 2 pixels and one repeat at least")
    device = torch.device(device)
    method = loaded.method.to(device)
    inputs, exposures = (part.to(device) for part in example_inputs(loaded.spec, size))
    seconds = []
    with torch.no_grad():
        for _ in range(warmup + repeats):
            _wait_for(device)
            begun = time.perf_counter()
            method.enhance(inputs, exposures)
            _wait_for(device)
            seconds.append(time.perf_counter() - begun)
    timed = seconds[warmup:]
    return {
        "seconds": statistics.median(timed),
        "spread": [min(timed), max(timed)],
        "size": list(size),
        "device": device_name(device),
        "threads": torch.get_num_threads(),
        "repeats": repeats,
        "version": VERSION,
        "torch": torch.__version__,
    }


def _wait_for(device: torch.device) -> None:
    """Until the device has done all that it was told: a GPU's calls return before their work is done."""
    if device.type == "cuda":
        torch.cuda.synchronize(device)


def example_inputs(spec: MethodSpec, size: tuple[int, int]) -> tuple[Tensor, Tensor]:
    """Pictures such as the method takes, the same at every call: inputs [1, N, C, H, W] of 256 levels in [0, 1] and exposures [1, N].

    The picture is noise-free and has detail at all scales, its amplitude falling with frequency as in photographs; several inputs
    are exposures of it, an EV apart around 0.
    """
    width, height = size
    channels = 3
    if spec.input == "raw-rggb":
        channels, width, height = 4, width // 2, height // 2
    random = generator("run time", width, height)
    picture = torch.zeros(1, channels, height, width)
    for octave in range(OCTAVES):
        cells = 2**octave
        grid = torch.from_numpy(random.uniform(-1, 1, (1, channels, cells + 1, 2 * cells + 1)).astype("float32"))
        picture += F.interpolate(grid, (height, width), mode="bilinear", align_corners=True) / cells
    picture = (picture - picture.min()) / (picture.max() - picture.min())
    exposures = torch.arange(spec.inputs, dtype=torch.float32) - spec.inputs // 2
    exposed = torch.stack([picture * 2 ** float(ev) for ev in exposures], dim=1).clamp(0, 1)
    return (exposed * 255).round() / 255, exposures[None]


def device_name(device: torch.device) -> str:
    """What the makers call a GPU or this machine's processor; the architecture where the processor's name is not told."""
    if device.type == "cuda":
        return torch.cuda.get_device_name(device)
    if device.type != "cpu":
        return device.type
    lines = CPUINFO.read_text().splitlines() if CPUINFO.is_file() else []
    told = (line.partition(":")[2].strip() for line in lines if line.startswith("model name"))
    return next(told, platform.processor() or platform.machine())
