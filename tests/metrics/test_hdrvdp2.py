"""HDR-VDP-2 through a program that stands for Octave: what it is given, what is made of what it says, and what is n/a without it."""

from __future__ import annotations

import json
import math
import os
import stat
import subprocess
import sys
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import psutil
import pytest

from benchtool import metrics
from benchtool.core.errors import UserError
from benchtool.core.images import write_image
from benchtool.core.protocol import has_metric
from benchtool.metrics import hdrvdp2

TARGET = np.random.default_rng(0).random((5, 7, 3)).astype(np.float32)
OUTPUT = TARGET * np.float32(0.5)

OCTAVE = """#!{python}
import json, os, sys
import numpy as np
here = {here!r}
script = open("measure_pair.m").read()
assert sys.argv[1:] == {arguments!r}, sys.argv
assert os.path.isfile(os.path.join(os.environ["BENCHTOOL_HDRVDP2"], "hdrvdp.m"))
shape = int(os.environ["BENCHTOOL_HEIGHT"]), int(os.environ["BENCHTOOL_WIDTH"]), 3
images = [np.fromfile(name + ".f32", "<f4").reshape(shape, order="F") for name in ("output", "target")]
np.save(here + "/images.npy", images)
told = {{"script": script, "place": os.getcwd(), "ppd": float(os.environ["BENCHTOOL_PIXELS_PER_DEGREE"])}}
json.dump(told, open(here + "/told.json", "w"))
{answer}
"""
ANSWER = """open("result.json", "w").write('{"Q": 66.25, "hdrvdp": "2.21", "program": "9.2.0"}')"""


@pytest.fixture
def octave(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Path]:
    """`octave()` puts HDR-VDP-2's folder, of an awkward name, and a program in place; returns the folder it writes what it got into."""
    folder = tmp_path / 'it\'s $(touch harmed) "2.2"; rm'
    folder.mkdir()
    (folder / "hdrvdp.m").write_text("")
    monkeypatch.setenv(hdrvdp2.FOLDER, str(folder))

    def make(answer: str = ANSWER, name: str = "octave-cli", arguments: tuple[str, ...] = ("--quiet", "measure_pair.m")) -> Path:
        program = tmp_path / "a folder" / name
        program.parent.mkdir(exist_ok=True)
        program.write_text(OCTAVE.format(python=sys.executable, here=str(tmp_path), arguments=list(arguments), answer=answer))
        program.chmod(program.stat().st_mode | stat.S_IXUSR)
        monkeypatch.setenv(hdrvdp2.PROGRAM, str(program))
        return tmp_path

    return make


@pytest.mark.parametrize(("name", "arguments"), [("octave-cli", ("--quiet", "measure_pair.m")), ("matlab", ("-batch", "measure_pair"))])
def test_what_the_program_is_given(octave: Callable, name: str, arguments: tuple[str, ...]) -> None:
    here = octave(name=name, arguments=arguments)
    scored = metrics.find("hdrvdp2").score(OUTPUT, TARGET)
    given, told = np.load(here / "images.npy"), json.loads((here / "told.json").read_text())
    assert np.array_equal(given, np.stack([OUTPUT, TARGET]) * np.float32(1000)), "1.0 is 1000 cd/m2; the output is the test image"
    assert told["script"] == hdrvdp2.SCRIPT and "'rgb-bt.709'" in told["script"]
    assert scored.value == 66.25 and scored.facts["hdrvdp"] == "2.21" and scored.facts["program"] == "9.2.0"
    assert scored.facts["pixels_per_degree"] == told["ppd"] and scored.facts["target_peak"] == pytest.approx(TARGET.max() * 1000)
    assert not Path(told["place"]).exists() and not Path("harmed").exists()


def test_absolute(octave: Callable) -> None:
    here = octave()
    metrics.find("hdrvdp2:2.2-absolute").score(OUTPUT * 300, TARGET * 300)
    assert np.array_equal(np.load(here / "images.npy")[1], TARGET * 300)
    with pytest.raises(UserError, match="they look relative"):
        metrics.find("hdrvdp2:2.2-absolute").score(OUTPUT, TARGET)


def test_pixels_per_degree() -> None:
    """24 inches of 16:9 are 0.2989 m high: 33.28 degrees at 0.5 m, on 1080 pixels."""
    height = math.sqrt((24 * 25.4) ** 2 / (1 + (1920 / 1080) ** 2)) / 1000
    degrees = math.degrees(2 * math.atan(height / 2 / 0.5))
    assert height == pytest.approx(0.29886, abs=1e-5) and degrees == pytest.approx(33.28, abs=0.01)
    assert hdrvdp2.pixels_per_degree() == pytest.approx(1080 / degrees, rel=1e-12)


@pytest.mark.parametrize(
    ("answer", "message"),
    [
        ("print('noise'); print('error: undefined near line 3', file=sys.stderr); sys.exit(1)", r"exit code 1\): error: undefined near"),
        ("sys.exit(3)", r"exit code 3\): it said nothing"),
        ("print('no licence')", "gave no result: no licence"),
        ("open('result.json', 'w').write('{')", "gave no result"),
    ],
)
def test_a_program_that_fails(octave: Callable, answer: str, message: str) -> None:
    octave(answer)
    with pytest.raises(RuntimeError, match=message):
        metrics.find("hdrvdp2").score(OUTPUT, TARGET)


def test_another_release(octave: Callable) -> None:
    octave(ANSWER.replace("2.21", "2.13"))
    with pytest.raises(UserError, match="holds HDR-VDP 2.13; hdrvdp2:2.2 is defined by release 2.2"):
        metrics.find("hdrvdp2").score(OUTPUT, TARGET)


def test_a_program_that_hangs_is_ended_with_its_children(octave: Callable, monkeypatch: pytest.MonkeyPatch) -> None:
    child = "import subprocess, time; c = subprocess.Popen(['sleep', '60']); open(here + '/pid', 'w').write(str(c.pid)); time.sleep(60)"
    here = octave(child)
    monkeypatch.setattr(hdrvdp2, "SECONDS", 2.0)
    monkeypatch.setattr(hdrvdp2.subprocess, "Popen", partial(Patient, lambda: (here / "pid").is_file() and (here / "pid").read_text()))
    with pytest.raises(RuntimeError, match="took longer than 2 s"):
        metrics.find("hdrvdp2").score(OUTPUT, TARGET)
    pid, until = int((here / "pid").read_text()), time.monotonic() + 30  # half of what it would sleep
    while runs(pid):
        assert time.monotonic() < until
        time.sleep(0.01)


class Patient(subprocess.Popen):
    """A process whose time begins only once it is `ready`, however slow the machine is."""

    def __init__(self, ready: Callable[[], object], *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **options)
        self.ready = ready

    def wait(self, timeout: float | None = None) -> int:
        while timeout is not None and not self.ready() and self.poll() is None:
            time.sleep(0.01)
        return super().wait(timeout)


def runs(pid: int) -> bool:
    """Whether there is such a process; one that ended may not have been asked for its exit code."""
    try:
        return psutil.Process(pid).status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


def test_not_set_up(octave: Callable, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    octave()
    monkeypatch.setenv(hdrvdp2.FOLDER, str(tmp_path))
    with pytest.raises(UserError, match=r"\$BENCHTOOL_HDRVDP2=.*: holds no hdrvdp\.m"):
        metrics.find("hdrvdp2").score(OUTPUT, TARGET)
    monkeypatch.delenv(hdrvdp2.FOLDER)
    with pytest.raises(UserError, match=r"set \$BENCHTOOL_HDRVDP2 to the folder of HDR-VDP-2's release 2\.2"):
        metrics.find("hdrvdp2").score(OUTPUT, TARGET)
    monkeypatch.setenv(hdrvdp2.PROGRAM, "no-such-program")
    with pytest.raises(UserError, match=r"\$BENCHTOOL_HDRVDP2_PROGRAM=no-such-program is no program; and set \$BENCHTOOL_HDRVDP2 to"):
        metrics.find("hdrvdp2").score(OUTPUT, TARGET)
    monkeypatch.delenv(hdrvdp2.PROGRAM)
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(UserError, match=r"install Octave or MATLAB, or name it in \$BENCHTOOL_HDRVDP2_PROGRAM; and set"):
        metrics.find("hdrvdp2").score(OUTPUT, TARGET)


def test_octave_is_found_on_path(octave: Callable, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    octave()
    monkeypatch.delenv(hdrvdp2.PROGRAM)
    monkeypatch.setenv("PATH", str(tmp_path / "a folder") + os.pathsep + os.environ["PATH"])
    assert metrics.find("hdrvdp2").score(OUTPUT, TARGET).value == 66.25


def test_on_the_command_line(octave: Callable, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, benchtool: Callable) -> None:
    octave()
    write_image(tmp_path / "output.tif", OUTPUT)
    write_image(tmp_path / "target.tif", TARGET)
    files = (tmp_path / "output.tif", tmp_path / "target.tif")
    arguments = ("metrics", "measure", *files, "--metrics", "hdrvdp2,psnr-l", "--json")
    assert json.loads(benchtool(*arguments).out)["images"][0]["scores"]["hdrvdp2:2.2"]["value"] == 66.25
    monkeypatch.delenv(hdrvdp2.FOLDER)
    done = benchtool(*arguments)
    scores = json.loads(done.out)["images"][0]["scores"]
    assert done.code == 0 and scores["psnr-l:linear"]["status"] == "ok" and scores["hdrvdp2:2.2"]["status"] == "n/a"
    assert "set $BENCHTOOL_HDRVDP2 to the folder" in scores["hdrvdp2:2.2"]["reason"]


def test_the_protocol_of_emvnet_can_be_measured() -> None:
    assert has_metric("hdrvdp2:2.2")
