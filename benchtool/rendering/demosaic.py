"""The fast way from a Bayer mosaic to linear camera RGB: one look-up for black, white balance and clip, then an edge-aware demosaic."""

from __future__ import annotations

import cv2
import numpy as np
import rawpy

from benchtool.rendering.sensor import Sensor, cropped

_WHITE = 65535


def bayer_pattern(sensor: Sensor) -> str | None:
    """The colours of the visible area's first 2 x 2 pixels, such as `RGGB`; None where this module cannot demosaic the sensor."""
    raw, sizes = sensor.raw, sensor.raw.sizes
    if raw.raw_type != rawpy.RawType.Flat or raw.color_desc != b"RGBG" or raw.num_colors != 3 or sizes.pixel_aspect != 1:
        return None
    inside = sizes.top_margin + sizes.height <= sizes.raw_height and sizes.left_margin + sizes.width <= sizes.raw_width
    if not inside or raw.raw_pattern is None or raw.raw_pattern.shape != (2, 2):
        return None
    if sensor.tags and max(sensor.tags.black_repeat) > 2:
        return None
    pattern = "".join("RGBG"[colour] for colour in _colours(sensor).ravel())
    return pattern if pattern in ("RGGB", "BGGR", "GRBG", "GBRG") else None


def fast_camera_rgb(sensor: Sensor, halve: bool) -> np.ndarray:
    """Linear camera RGB as `Sensor.camera_rgb` gives it, by a simpler demosaic: uint16 H x W x 3.

    Args:
        sensor: one that `bayer_pattern` has a pattern for.
        halve: average 2 x 2 pixels (in linear light); an odd last row or column is shared out.
    """
    image = cv2.cvtColor(balanced_mosaic(sensor), getattr(cv2, f"COLOR_Bayer{bayer_pattern(sensor)}2RGB_EA"))
    image = cropped(image, sensor.crop)
    if not halve:
        return image
    height, width = image.shape[:2]
    return cv2.resize(image, ((width + 1) // 2, (height + 1) // 2), interpolation=cv2.INTER_AREA)


def balanced_mosaic(sensor: Sensor) -> np.ndarray:
    """The visible mosaic as LibRaw scales it: (level - black) * multiplier, white at 65535 and clipped there; uint16.

    Multipliers are relative to the smallest, so that what saturates in any colour is white (LibRaw's scale_colors).
    Height and width are made even by reflection. The array is contiguous: OpenCV 5.0 demosaics others wrongly.
    """
    raw = sensor.raw
    visible = raw.raw_image_visible
    mosaic = np.pad(visible, [(0, side % 2) for side in visible.shape], mode="reflect")  # the pattern goes on in what is reflected
    black = np.array(raw.black_level_per_channel, np.float64)
    balance = np.array([*sensor.white_balance, sensor.white_balance[1]])
    gain = balance / balance.min() * _WHITE / (raw.white_level - black.min())
    level = np.arange(_WHITE + 1, dtype=np.float64)[:, None]
    for row, colours in enumerate(_colours(sensor)):
        table = np.clip((level - black[colours]) * gain[colours], 0, _WHITE).astype(np.uint16)  # LibRaw truncates too
        line = mosaic[row::2]
        line[:] = cv2.LUT(line.reshape(len(line), -1, 2), table[None]).reshape(line.shape)  # the row's two colours as two channels
    return mosaic


def _colours(sensor: Sensor) -> np.ndarray:
    """LibRaw's numbers of the colours (0 red, 1 green, 2 blue, 3 the other green) of the visible area's first 2 x 2 pixels."""
    sizes = sensor.raw.sizes
    return np.roll(sensor.raw.raw_pattern, (-(sizes.top_margin % 2), -(sizes.left_margin % 2)), (0, 1))
