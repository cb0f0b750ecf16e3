"""Develop one raw at several exposures from one decode and (but for `reference`) one demosaic: the inputs of ME (MSEC, Sec. 3).

Modes, qualities and how closely they follow LibRaw and Adobe's DNG SDK: docs/rendering.md.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import rawpy

from benchtool.core.errors import UserError, unknown
from benchtool.core.images import orient
from benchtool.core.provenance import version
from benchtool.core.resample import Resampler
from benchtool.rendering.demosaic import bayer_pattern, fast_camera_rgb
from benchtool.rendering.sensor import Sensor, open_raw
from benchtool.rendering.tone import Tones, adobe_tones, linear_tones

EXPOSURES = (-1.5, -1.0, 0.0, 1.0, 1.5)
MODES = ("adobe", "linear")
QUALITIES = ("exact", "fast", "reference")
TONES = ("none", "profile")
_STRIP = 64  # rows rendered together: few enough to stay in the cache
_MAX_EXPOSURE = 3.0  # of LibRaw's exp_shift; beyond it is silently cut off


@dataclass(frozen=True)
class Settings:
    """How to develop.

    Attributes:
        mode: `adobe` (the DNG SDK's exposure, in ProPhoto RGB) or `linear` (LibRaw's exp_shift).
        quality: `exact` (AHD), `fast` (a simpler demosaic, halved in linear light) or `reference` (clips before the demosaic).
        tone: `none`, or `profile`: the DNG's own ProfileToneCurve (`adobe` only).
        evs: exposures, in EV.
        scale: each side of the output is ceil(scale x side); up to 1.
        long_edge: instead of `scale`, pixels of the longer side; a smaller picture is not enlarged.
    """

    mode: str = "adobe"
    quality: str = "exact"
    tone: str = "none"
    evs: tuple[float, ...] = EXPOSURES
    scale: float = 0.3
    long_edge: int | None = None

    def __post_init__(self) -> None:
        for kind, known in (("mode", MODES), ("quality", QUALITIES), ("tone", TONES)):
            if getattr(self, kind) not in known:
                raise unknown(kind, getattr(self, kind), known)
        if self.tone == "profile" and self.mode != "adobe":
            raise UserError("tone 'profile' is part of mode 'adobe'; leave it away or render with --mode adobe")
        if not self.evs or len(set(self.evs)) < len(self.evs) or not all(math.isfinite(ev) and ev <= _MAX_EXPOSURE for ev in self.evs):
            raise UserError(f"exposures {self.evs}: give different ones of at most +{_MAX_EXPOSURE:g} EV")
        if not 0 < self.scale <= 1:
            raise UserError(f"scale {self.scale}: give one above 0 and up to 1")
        if self.long_edge is not None and self.long_edge < 1:
            raise UserError(f"long edge {self.long_edge}: give at least 1 pixel")


@dataclass(frozen=True)
class Rendering:
    """A developed raw.

    Attributes:
        images: EV -> uint8 H x W x 3, sRGB, as displayed, at output size.
        full_size: (width, height) after crop and orientation, before scaling.
        facts: for the manifest; plain JSON values.
    """

    images: dict[float, np.ndarray]
    full_size: tuple[int, int]
    facts: dict[str, Any]


def output_size(width: int, height: int, settings: Settings) -> tuple[int, int]:
    """(width, height) of the output: each side rounded up, as the published images are.

    >>> output_size(3008, 2000, Settings())
    (903, 600)
    """
    scale = Fraction(str(settings.scale))  # the decimal as it was typed: 0.3 of 10 pixels are 3, not 3.0000000000000004
    if settings.long_edge is not None:
        scale = min(Fraction(1), Fraction(settings.long_edge, max(width, height)))
    return math.ceil(scale * width), math.ceil(scale * height)


def render(path: Path, settings: Settings) -> Rendering:
    """Develop the raw file `path` at each of `settings.evs`; the result depends on the file and the settings alone.

    Raises:
        UserError: missing, no raw, cut off, damaged, too large, or without the tone curve asked for; the message names the file.
    """
    with open_raw(path) as sensor:
        facts = sensor.facts()
        baseline, curve = _profile(sensor, settings)
        quality, demosaic = _quality(sensor, settings)
        images: dict[float, np.ndarray] = {}
        for camera, full, exposures in _exposed(sensor, settings, quality, baseline):
            target = output_size(*full, settings)
            adobe = settings.mode == "adobe"
            tones = adobe_tones(sensor.matrix, exposures, curve) if adobe else linear_tones(sensor.matrix, exposures)
            images |= _toned(camera, tones, exposures, target)
        images = {ev: orient(images[ev], sensor.orientation) for ev in settings.evs}
    turned = sensor.orientation >= 5
    full_size = full[::-1] if turned else full
    height, width = images[settings.evs[0]].shape[:2]
    facts |= {
        "mode": settings.mode,
        "quality": settings.quality,
        "quality_used": quality,
        "demosaic": demosaic,
        "tone": settings.tone,
        "baseline_exposure": baseline,
        "full_size": list(full_size),
        "size": [width, height],
        "libraw": ".".join(map(str, rawpy.libraw_version)),
        "rawpy": version("rawpy"),
    }
    return Rendering(images, full_size, facts)


def _profile(sensor: Sensor, settings: Settings) -> tuple[float, tuple[tuple[float, float], ...] | None]:
    """BaselineExposure (with the profile's offset where its curve is used), and the curve."""
    tags = sensor.tags
    if settings.tone == "none":
        return (tags.baseline_exposure if tags else 0.0), None
    if tags is None or tags.tone_curve is None:
        raise UserError("has no ProfileToneCurve; render it with --tone none")
    return tags.baseline_exposure + tags.baseline_exposure_offset, tags.tone_curve


def _quality(sensor: Sensor, settings: Settings) -> tuple[str, str]:
    """The quality that is used, and the demosaic."""
    if sensor.raw.raw_type != rawpy.RawType.Flat:
        return ("exact" if settings.quality == "fast" else settings.quality), "none"
    if settings.quality == "fast" and bayer_pattern(sensor):
        return "fast", "OpenCV edge-aware"
    return ("exact" if settings.quality == "fast" else settings.quality), "LibRaw AHD"


def _exposed(
    sensor: Sensor, settings: Settings, quality: str, baseline: float
) -> Iterator[tuple[np.ndarray, tuple[int, int], dict[float, float]]]:
    """Camera RGB, its (width, height) at full size, and EV asked for -> EV still to apply to it, for each demosaic needed."""
    if quality == "fast":
        full = sensor.crop[2:]
        halve = all(2 * small <= side for small, side in zip(output_size(*full, settings), full))
        shift = baseline if settings.mode == "adobe" else 0.0
        yield fast_camera_rgb(sensor, halve), full, {ev: ev + shift for ev in settings.evs}
        return
    if settings.mode == "adobe":  # exposure comes after the matrix: there is nothing to clip before the demosaic
        exposures = {ev: ev + baseline for ev in settings.evs}
    else:
        exposures = {ev: ev for ev in settings.evs if ev <= 0 or quality == "exact"}
    if exposures:
        camera = sensor.camera_rgb()
        yield camera, camera.shape[1::-1], exposures
    for ev in settings.evs:
        if ev not in exposures:
            camera = sensor.camera_rgb(ev)
            yield camera, camera.shape[1::-1], {ev: 0.0}


def _toned(camera: np.ndarray, tones: Tones, exposures: Mapping[float, float], target: tuple[int, int]) -> dict[float, np.ndarray]:
    """Every exposure of `camera` at the size `target`, resized as displayed (sRGB); not yet turned."""
    outputs = {ev: Resampler(camera.shape[1::-1], target) for ev in exposures}
    for top in range(0, len(camera), _STRIP):
        for ev, strip in tones(camera[top : top + _STRIP]):
            outputs[ev].push(strip)
    return {ev: output.image() for ev, output in outputs.items()}
