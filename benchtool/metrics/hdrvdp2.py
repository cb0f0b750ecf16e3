"""HDR-VDP-2's quality correlate Q, computed by its authors' MATLAB code on the user's machine; 100 for equal images. Higher is better.

Mantiuk, Kim, Rempel and Heidrich, "HDR-VDP-2: A calibrated visual metric for visibility and quality predictions in all luminance
conditions", SIGGRAPH 2011, release 2.2. It is *not* approximated: without Octave or MATLAB and the release's folder it is n/a.
Q depends on release, luminance and angular resolution, which papers rarely print: here 24 inches seen from 0.5 m (EMVNet), and by
our assumption 1920 x 1080 pixels, `rgb-bt.709` and 1000 cd/m2 for 1.0. Q of release 2.2 is not that of 2.1 (0..100, other pooling).
"""

from __future__ import annotations

import contextlib
import json
import math
import os
import shutil
import subprocess
import tempfile
from pathlib import Path

import numpy as np
import psutil

from benchtool.core.errors import UserError
from benchtool.core.spec import MetricSpec, Score
from benchtool.metrics import hdr

SPEC = MetricSpec(
    title="HDR-VDP-2",
    variants={
        "2.2": "Q of release 2.2: linear RGB in 0..1 times 1000 cd/m2, rgb-bt.709; 24 inches of 1920 x 1080 from 0.5 m",
        "2.2-absolute": "Q of release 2.2: linear RGB in cd/m2, rgb-bt.709; 24 inches of 1920 x 1080 from 0.5 m",
    },
    needs=("target",),
    higher_is_better=True,
    unit="",
    version="1",
    source="Mantiuk et al. 2011, by the authors' code in the user's Octave or MATLAB",
    decimals=2,
    linear=True,
)

FOLDER, PROGRAM = "BENCHTOOL_HDRVDP2", "BENCHTOOL_HDRVDP2_PROGRAM"  # environment variables
DIAGONAL, DISTANCE, PIXELS = 24.0, 0.5, (1920, 1080)  # inches and metres of EMVNet, Sec. 5.1.3; pixels are not told
SECONDS = 1800.0  # for a pair of images
SCRIPT = """\
folder = getenv('BENCHTOOL_HDRVDP2');
addpath(folder);
addpath(fullfile(folder, 'matlabPyrTools_1.4_fixed'));  % hdrvdp.m's own way of finding it fails in newer programs
if exist('OCTAVE_VERSION', 'builtin')
  pkg('load', 'image');
end
shape = [str2double(getenv('BENCHTOOL_HEIGHT')) str2double(getenv('BENCHTOOL_WIDTH')) 3];
images = cell(1, 2);
names = {'output.f32', 'target.f32'};
for k = 1:2
  file = fopen(names{k}, 'r', 'ieee-le');
  images{k} = reshape(fread(file, prod(shape), 'single=>double'), shape);
  fclose(file);
end
result = hdrvdp(images{1}, images{2}, 'rgb-bt.709', str2double(getenv('BENCHTOOL_PIXELS_PER_DEGREE')), {});
file = fopen('result.json', 'w');
fprintf(file, '{"Q": %.17g, "hdrvdp": "%s", "program": "%s"}', result.Q, num2str(hdrvdp_version()), version());
fclose(file);
"""


def score(output: np.ndarray, target: np.ndarray, source: None = None, variant: str = "2.2") -> Score:
    """Q of two H x W x 3 linear float32 images of one size.

    Facts: those of `hdr.absolute`, `pixels_per_degree`, `hdrvdp` and `program` (the versions that were run).

    Raises:
        UserError: no program or no folder; another release than 2.2; images as `hdr.absolute`.
        ValueError: the images differ in size.
        RuntimeError: the program fails, takes too long, or says no number.
    """
    output, target, facts = hdr.absolute(output, target, "peak1000" if variant == "2.2" else "absolute")
    result = _run(_program(), _folder(), output, target)
    release = str(result["hdrvdp"])
    if not release.startswith("2.2"):
        raise UserError(f"${FOLDER} holds HDR-VDP {release}; hdrvdp2:{variant} is defined by release 2.2")
    facts |= {"pixels_per_degree": pixels_per_degree(), "hdrvdp": release, "program": str(result["program"])}
    return Score(float(result["Q"]), facts)


def pixels_per_degree() -> float:
    """Of a display's height at the viewing distance, as hdrvdp_pix_per_deg.m defines it: pixels over the angle of the whole height."""
    width, height = PIXELS
    metres = DIAGONAL * 0.0254 * height / math.hypot(width, height)
    return height / math.degrees(2 * math.atan(metres / 2 / DISTANCE))


def _program() -> str:
    """The user's program: the one named, else the first of Octave and MATLAB on PATH."""
    named = os.environ.get(PROGRAM)
    found = next(filter(None, map(shutil.which, [named] if named else ["octave-cli", "octave", "matlab"])), None)
    if found is None:
        what = f"${PROGRAM}={named} is no program" if named else f"install Octave or MATLAB, or name it in ${PROGRAM}"
        raise UserError(f"HDR-VDP-2 runs in Octave or MATLAB: {what}; and set ${FOLDER} to the folder of its release 2.2")
    return str(Path(found).absolute())


def _folder() -> Path:
    """The user's HDR-VDP-2."""
    named = os.environ.get(FOLDER)
    if not named:
        raise UserError(f"set ${FOLDER} to the folder of HDR-VDP-2's release 2.2 (with hdrvdp.m in it), of https://hdrvdp.sourceforge.net")
    if not (Path(named) / "hdrvdp.m").is_file():
        raise UserError(f"${FOLDER}={named}: holds no hdrvdp.m; set it to the folder of HDR-VDP-2's release 2.2")
    return Path(named).absolute()


def _run(program: str, folder: Path, output: np.ndarray, target: np.ndarray) -> dict[str, object]:
    """What the script says. Names and numbers reach it by files and environment, so that nothing is ever pasted into its code.

    Raises:
        RuntimeError: as `score`.
    """
    height, width = output.shape[:2]
    told = {"HDRVDP2": folder, "HEIGHT": height, "WIDTH": width, "PIXELS_PER_DEGREE": repr(pixels_per_degree())}
    environment = os.environ | {f"BENCHTOOL_{name}": str(value) for name, value in told.items()}
    matlab = "matlab" in Path(program).stem.lower()
    command = [program, "-batch", "measure_pair"] if matlab else [program, "--quiet", "measure_pair.m"]
    with tempfile.TemporaryDirectory(prefix="hdrvdp2-") as place:
        for name, image in (("output", output), ("target", target)):
            Path(place, f"{name}.f32").write_bytes(image.astype("<f4").tobytes(order="F"))
        Path(place, "measure_pair.m").write_text(SCRIPT)
        said = _finish(command, place, environment)
        try:
            result = json.loads(Path(place, "result.json").read_text())
        except (OSError, ValueError):
            raise RuntimeError(f"{program} gave no result: {said or 'it said nothing'}") from None
    return result


def _finish(command: list[str], place: str, environment: dict[str, str]) -> str:
    """Run the program to its end, and return the last line it printed; it and its children end with us or with the time.

    Raises:
        RuntimeError: it fails or takes too long.
    """
    with tempfile.TemporaryFile() as printed:
        process = subprocess.Popen(command, cwd=place, env=environment, stdin=subprocess.DEVNULL, stdout=printed, stderr=subprocess.STDOUT)
        try:
            code = process.wait(SECONDS)
        except subprocess.TimeoutExpired:
            raise RuntimeError(f"{command[0]} took longer than {SECONDS:g} s") from None
        finally:
            _kill(process)
        printed.seek(max(0, printed.seek(0, os.SEEK_END) - 4096))
        said = [line.strip() for line in printed.read().decode(errors="replace").splitlines() if line.strip()]
    if code:
        raise RuntimeError(f"{command[0]} failed (exit code {code}): {said[-1] if said else 'it said nothing'}")
    return said[-1] if said else ""


def _kill(process: subprocess.Popen) -> None:
    """End a process and its children (`octave` and `matlab` are scripts that start others), if it still runs."""
    if process.poll() is None:
        with contextlib.suppress(psutil.NoSuchProcess):
            for child in psutil.Process(process.pid).children(recursive=True):
                child.kill()
        process.kill()
        process.wait()
