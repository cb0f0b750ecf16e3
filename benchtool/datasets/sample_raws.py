"""Sample raws: real photographs taken back through a camera to Bayer DNGs, with five expert retouchings each, in FiveK's layout.

The photographs are those in scikit-image's wheel (nothing is fetched). The inverse of the camera's pipeline: sRGB curve ->
linear light -> camera colours -> white balance undone -> mosaic -> shot and read noise -> sensor levels above a black level
(Brooks et al., "Unprocessing Images for Learned Raw Denoising", CVPR 2019, section 3).
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from benchtool.core.console import progress
from benchtool.core.errors import UserError
from benchtool.core.files import Journal, clear_temporary, write_json
from benchtool.core.images import orient, resize
from benchtool.core.seeds import generator
from benchtool.rendering.colour import SRGB_TO_XYZ, srgb_decode, srgb_encode
from benchtool.rendering.dng_writer import Camera, write_dng
from benchtool.rendering.experts import write_expert

RAWS = Path("raw_photos/HQa1to700/photos")
INDEX = "sample-raws.json"
VERSION = 1  # raised when the files change
_MARGIN = 8  # sensor pixels right of and below the crop, at least

# Photograph -> its credit. What stands before a dash is the scene: crops and views of one thing belong together.
PHOTOGRAPHS = {
    "astronaut": "NASA, public domain",
    "chelsea": "Stefan van der Walt, CC0",
    "coffee": "Rachel Michetti, CC0",
    "rocket": "SpaceX, public domain",
    "motorcycle-left": "Middlebury 2014 stereo benchmark (Scharstein et al., GCPR 2014), as scikit-image distributes it",
    "motorcycle-right": "Middlebury 2014 stereo benchmark (Scharstein et al., GCPR 2014), as scikit-image distributes it",
}

# Chelsea (451 x 300) is smaller than a raw should be. Coffee (600 x 400) and rocket (640 x 427) hold detail up to the last
# pixel, and come back from a mosaic with 29.3 and 30.4 dB; a little larger (by 1.15 and 1.13) with 32 and 33 dB.
ENLARGED = {"chelsea": (512, 340), "coffee": (690, 460), "rocket": (720, 480)}


@dataclass(frozen=True)
class Sensor:
    """An invented camera: linear sRGB to its white-balanced colours (rows sum to 1), its white under D65, its tone curve.

    The matrices have no negative entry: the sensors see beyond sRGB, so that no colour of a photograph is lost.
    """

    from_srgb: np.ndarray
    daylight: tuple[float, float, float]
    tone_curve: tuple[tuple[float, float], ...] | None = None

    @property
    def color_matrix(self) -> np.ndarray:
        """DNG ColorMatrix1 for D65: XYZ to camera RGB before white balance."""
        return np.diag(self.daylight) @ self.from_srgb @ np.linalg.inv(SRGB_TO_XYZ)


SENSORS = {
    "One": Sensor(np.array([[0.75, 0.20, 0.05], [0.10, 0.80, 0.10], [0.03, 0.22, 0.75]]), (0.50, 1.0, 0.65)),
    "Two": Sensor(
        np.array([[0.66, 0.29, 0.05], [0.14, 0.76, 0.10], [0.05, 0.17, 0.78]]),
        (0.46, 1.0, 0.71),
        ((0.0, 0.0), (0.1, 0.12), (0.25, 0.33), (0.5, 0.62), (0.75, 0.84), (1.0, 1.0)),
    ),
}


@dataclass(frozen=True)
class Shot:
    """One raw: what part of which photograph, and the camera that takes it.

    Attributes:
        photograph: a key of PHOTOGRAPHS.
        box: (x, y, width, height) of the crop, in the (enlarged) photograph's pixels.
        sensor: a key of SENSORS.
        pattern: colour filter array.
        neutral: camera RGB of white under the scene's light, the largest 1 (AsShotNeutral).
        black, white: sensor levels of 12 or 14 bits; four blacks go by place in the pattern.
        baseline: BaselineExposure in EV. The raw is not made darker for it: at EV 0 a renderer that ignores it
            (`--mode linear`) returns the photograph, one that adds it (`--mode adobe`) is that much brighter.
        origin: DefaultCrop's (x, y) on the sensor; may be odd.
        orientation: EXIF orientation.
        shot_noise: variance of the level 1 (full scale).
    """

    photograph: str
    box: tuple[int, int, int, int]
    sensor: str
    pattern: str
    neutral: tuple[float, float, float]
    black: int | tuple[int, int, int, int]
    white: int
    baseline: float
    origin: tuple[int, int]
    orientation: int
    shot_noise: float


# Crops have 512 to 768 pixels on the long side. The ids lie beyond FiveK's, whose published split does not name them.
SHOTS: dict[str, Shot] = {
    "a9001-astronaut": Shot("astronaut", (0, 0, 512, 512), "One", "RGGB", (0.50, 1.0, 0.65), 256, 4095, 0.0, (8, 8), 1, 2e-4),
    "a9002-chelsea": Shot("chelsea", (0, 0, 512, 340), "Two", "GRBG", (0.62, 1.0, 0.50), 512, 16383, 0.25, (10, 8), 1, 4e-4),
    "a9003-coffee": Shot("coffee", (0, 0, 690, 460), "One", "BGGR", (0.82, 1.0, 0.38), 128, 4095, -0.2, (9, 7), 1, 8e-4),
    "a9004-rocket": Shot("rocket", (0, 0, 720, 479), "Two", "GBRG", (0.44, 1.0, 0.76), 1024, 16383, 0.15, (12, 9), 1, 2e-4),
    "a9005-bike": Shot("motorcycle-left", (0, 0, 512, 500), "One", "GRBG", (0.55, 1.0, 0.6), (60, 64, 66, 62), 4095, 0.1, (8, 10), 1, 3e-4),
    "a9006-portrait": Shot("astronaut", (96, 0, 384, 512), "Two", "GBRG", (0.48, 1.0, 0.68), 600, 15520, 0.2, (8, 8), 6, 1e-4),
    "a9007-cup (1)": Shot("coffee", (96, 20, 512, 440), "Two", "RGGB", (1.0, 0.96, 0.42), 0, 16383, 0.0, (8, 12), 1, 5e-4),
    "a9008-launch": Shot("rocket", (168, 60, 512, 420), "One", "BGGR", (0.50, 1.0, 0.65), 256, 4095, 0.35, (11, 8), 1, 4e-4),
    "a9009-engine": Shot("motorcycle-left", (229, 0, 512, 500), "Two", "RGGB", (0.60, 1.0, 0.55), 512, 16383, -0.1, (8, 8), 3, 2e-4),
    "a9010-shelves": Shot("motorcycle-right", (0, 60, 741, 440), "One", "GBRG", (0.70, 1.0, 0.45), 256, 4095, 0.0, (10, 10), 8, 1e-3),
}


@dataclass(frozen=True)
class Retouch:
    """What an expert did: exposure (EV, of the shadows: white stays), contrast (-0.5 to 0.5), saturation, warmth (EV, red over blue)."""

    exposure: float = 0.0
    contrast: float = 0.0
    saturation: float = 1.0
    warmth: float = 0.0


EXPERTS = {
    "a": Retouch(exposure=0.2, saturation=1.1),
    "b": Retouch(contrast=0.25, warmth=0.1),
    "c": Retouch(),  # the photograph itself
    "d": Retouch(exposure=-0.15, contrast=0.1, saturation=0.9),
    "e": Retouch(exposure=0.1, contrast=-0.15, saturation=1.05, warmth=-0.12),
}


def build(out: Path, seed: int = 0, noise: bool = True) -> None:
    """Write the sample raws, their experts and `sample-raws.json` below `out`; what is there already is kept.

    The same seed gives the same bytes, also after an interruption.

    Args:
        out: `raw_photos/HQa1to700/photos/<stem>.dng` and `tiff16_{a..e}/<stem>.tif` go there.
        seed: of the sensor's noise.
        noise: False leaves the noise out.

    Raises:
        UserError: `out` is a file, or holds sample raws of another seed or noise.
    """
    out = Path(out)
    if out.exists() and not out.is_dir():
        raise UserError(f"{out}: is a file; name a folder for the sample raws")
    settings = {"sample_raws": VERSION, "seed": seed, "noise": noise}
    journal = Journal(out / ".journal.jsonl")
    if not journal.entries:
        journal.append(settings)
    elif journal.entries[0] != settings:
        raise UserError(f"{out}: holds something made with other settings ({journal.entries[0]}); choose another folder or delete it")
    clear_temporary(out)
    finished = {entry.get("stem") for entry in journal.entries}
    with progress("sample raws", len(SHOTS), "raws") as advance:
        for stem, shot in SHOTS.items():
            if stem not in finished or not all(path.is_file() for path in _files(out, stem)):
                _take(out, stem, shot, generator(seed, "sample-raws", stem) if noise else None)
                journal.append({"stem": stem})
            advance(note=stem)
    scenes = {stem: scene(shot) for stem, shot in SHOTS.items()}
    write_json(out / INDEX, {"variant": "sample", "scenes": scenes, "seed": seed, "noise": noise, "photographs": PHOTOGRAPHS})


def scene(shot: Shot) -> str:
    """What a raw shows: all crops and views of one thing are one scene, and stay in one split."""
    return shot.photograph.split("-")[0]


def _files(out: Path, stem: str) -> list[Path]:
    """The raw, then the experts' images."""
    return [out / RAWS / f"{stem}.dng", *(out / f"tiff16_{expert}" / f"{stem}.tif" for expert in EXPERTS)]


def _take(out: Path, stem: str, shot: Shot, random: np.random.Generator | None) -> None:
    picture = photograph(shot)
    raw, *experts = _files(out, stem)
    for path, retouch in zip(experts, EXPERTS.values()):
        write_expert(path, retouched(picture, retouch))
    read_noise = float(np.exp(2.18 * np.log(shot.shot_noise) + 1.20))  # Brooks et al., section 3.1: the line's middle
    noise = (shot.shot_noise, read_noise) if random is not None else None
    mosaic, crop = exposed(picture, shot, noise, random)
    sensor = SENSORS[shot.sensor]
    write_dng(
        raw,
        mosaic,
        camera=Camera(f"Sample {shot.sensor}", sensor.color_matrix, sensor.tone_curve),
        pattern=shot.pattern,
        black=shot.black,
        white=shot.white,
        neutral=shot.neutral,
        crop=crop,
        baseline_exposure=shot.baseline,
        orientation=shot.orientation,
        noise_profile=noise,
    )


def photograph(shot: Shot) -> np.ndarray:
    """The crop a raw shows: float64 H x W x 3, sRGB-encoded, in [0, 1].

    It is at the photograph's own resolution or enlarged as ENLARGED says.
    """
    from skimage import data

    name, _, view = shot.photograph.partition("-")
    pixels = data.stereo_motorcycle()[("left", "right").index(view)] if name == "motorcycle" else getattr(data, name)()
    if name in ENLARGED:
        pixels = resize(pixels, *ENLARGED[name])
    x, y, width, height = shot.box
    return pixels[y : y + height, x : x + width] / 255.0


def retouched(picture: np.ndarray, retouch: Retouch) -> np.ndarray:
    """An expert's version of `picture` (H x W x 3, sRGB-encoded, in [0, 1]), in the same form."""
    gains = 2.0 ** (retouch.exposure + np.array([0.5, 0.0, -0.5]) * retouch.warmth)
    linear = srgb_decode(picture)
    image = srgb_encode(linear * gains / (1 + (gains - 1) * linear))  # slope `gain` at black, and 1 stays 1
    image += retouch.contrast * 4 * image * (1 - image) * (image - 0.5)
    luma = image @ SRGB_TO_XYZ[1]
    return np.clip(luma[:, :, None] + retouch.saturation * (image - luma[:, :, None]), 0, 1)


def exposed(
    picture: np.ndarray, shot: Shot, noise: tuple[float, float] | None, random: np.random.Generator | None
) -> tuple[np.ndarray, tuple[int, int, int, int]]:
    """What the sensor records of `picture`.

    Args:
        picture: H x W x 3, sRGB-encoded, in [0, 1].
        noise: (shot, read): variance shot * x + read of a level x in [0, 1]; None for none.

    Returns:
        uint16 sensor levels, unrotated, with mirrored margins around the picture; the picture's (x, y, width, height) in them.
    """
    stored = orient(picture, {6: 8, 8: 6}.get(shot.orientation, shot.orientation))
    height, width = stored.shape[:2]
    left, top = shot.origin
    stored = np.pad(stored, ((top, _MARGIN + (top + height) % 2), (left, _MARGIN + (left + width) % 2), (0, 0)), mode="reflect")
    colours = srgb_decode(stored) @ SENSORS[shot.sensor].from_srgb.T * shot.neutral
    black = np.resize(shot.black, (2, 2))
    mosaic = np.empty(colours.shape[:2], np.uint16)
    for place, colour in enumerate(shot.pattern):
        row, column = divmod(place, 2)
        level = colours[row::2, column::2, "RGB".index(colour)]
        if noise is not None:
            level = level + np.sqrt(noise[0] * level + noise[1]) * random.standard_normal(level.shape)
        level = black[row, column] + level * (shot.white - black[row, column])
        mosaic[row::2, column::2] = np.clip(np.rint(level), 0, shot.white)
    return mosaic, (left, top, width, height)
