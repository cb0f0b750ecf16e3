"""What is timed: `enhance` alone, on the pictures the method takes, as often as asked."""

from __future__ import annotations

import json
from pathlib import Path
from types import SimpleNamespace

import pytest
import torch

from benchtool.core.errors import UserError
from benchtool.core.spec import MethodSpec
from benchtool.evaluation import runtime
from benchtool.evaluation.runtime import device_name, example_inputs, measure
from benchtool.methods import Loaded
from benchtool.methods.base import Method


class Sleeper(Method):
    """Takes a known time on its own clock, and remembers what it was given."""

    def __init__(self, *seconds: float) -> None:
        super().__init__()
        self.weight = torch.nn.Parameter(torch.ones(1))
        self.seconds, self.seen, self.now = list(seconds), [], 1000.0

    def enhance(self, inputs: torch.Tensor, exposures: torch.Tensor | None = None) -> torch.Tensor:
        self.seen.append((inputs, exposures))
        self.now += self.seconds.pop(0)
        output = inputs[:, 0] * self.weight
        assert not output.requires_grad
        return output


def loaded(method: Method, **spec: object) -> Loaded:
    return Loaded(method, MethodSpec("Sleeper", "", **spec), "sleeper")


def test_seconds_are_the_median_of_the_calls_after_the_warm_up(monkeypatch: pytest.MonkeyPatch) -> None:
    method = Sleeper(0.3, 0.3, 0.02, 0.12, 0.05)
    monkeypatch.setattr(runtime, "time", SimpleNamespace(perf_counter=lambda: method.now))
    found = measure(loaded(method), "cpu", (16, 8), repeats=3, warmup=2)
    assert found["seconds"] == pytest.approx(0.05)
    assert found["spread"] == [pytest.approx(0.02), pytest.approx(0.12)]
    assert not method.seconds  # as many calls as there were sleeps
    assert (found["size"], found["repeats"], found["threads"]) == ([16, 8], 3, torch.get_num_threads())
    assert found["device"] == device_name(torch.device("cpu")) and found["device"]
    assert (found["version"], found["torch"]) == (runtime.VERSION, torch.__version__)
    assert json.loads(json.dumps(found)) == found


def test_the_default_is_the_size_of_niids_table() -> None:
    method = Sleeper(*[0.0] * 7)
    assert measure(loaded(method), "cpu")["size"] == [1280, 720]
    assert method.seen[0][0].shape == (1, 1, 3, 720, 1280) and len(method.seen) == 7


@pytest.mark.parametrize(
    ("spec", "shape", "evs"),
    [
        ({}, (1, 1, 3, 30, 40), [0]),
        ({"inputs": 3}, (1, 3, 3, 30, 40), [-1, 0, 1]),
        ({"input": "raw-rggb"}, (1, 1, 4, 15, 20), [0]),
    ],
)
def test_inputs_are_those_the_method_takes(spec: dict, shape: tuple, evs: list) -> None:
    method = Sleeper(0.0)
    measure(loaded(method, **spec), "cpu", (40, 30), repeats=1, warmup=0)
    ((inputs, exposures),) = method.seen
    assert inputs.shape == shape and exposures.tolist() == [evs]
    assert 0 <= inputs.min() and inputs.max() <= 1 and torch.equal(inputs, (inputs * 255).round() / 255)


def test_pictures_are_like_photographs_and_always_the_same() -> None:
    one, exposures = example_inputs(MethodSpec("", "", inputs=3), (128, 96))
    assert torch.equal(one, example_inputs(MethodSpec("", "", inputs=3), (128, 96))[0])
    dark, middle, bright = one[0]
    assert dark.mean() < middle.mean() < bright.mean() and len(middle.unique()) > 200
    expected = (middle * 2.0 ** exposures[0, 0]).clamp(0, 1)
    torch.testing.assert_close(dark, expected, atol=1.01 / 255, rtol=0)
    spectrum = torch.fft.rfft2(middle.mean(0)).abs() ** 2
    assert spectrum[1:4, 1:4].mean() > 100 * spectrum[30:40, 30:40].mean() > 0


def test_a_processor_without_a_name_is_called_by_its_architecture(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    told = tmp_path / "cpuinfo"
    told.write_text("processor\t: 0\nmodel name\t: Wonder 9000\nprocessor\t: 1\nmodel name\t: Wonder 9000\n")
    monkeypatch.setattr(runtime, "CPUINFO", told)
    assert device_name(torch.device("cpu")) == "Wonder 9000"
    monkeypatch.setattr(runtime, "CPUINFO", tmp_path / "absent")
    monkeypatch.setattr("platform.processor", lambda: "")
    monkeypatch.setattr("platform.machine", lambda: "riscv64")
    assert device_name(torch.device("cpu")) == "riscv64"


@pytest.mark.parametrize(("size", "repeats", "warmup"), [((1, 9), 1, 0), ((9, 0), 1, 0), ((9, 9), 0, 0), ((9, 9), 1, -1)])
def test_what_cannot_be_timed_is_refused(size: tuple, repeats: int, warmup: int) -> None:
    with pytest.raises(UserError, match="run time at"):
        measure(loaded(Sleeper(0.0)), "cpu", size, repeats, warmup)


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a GPU")
def test_a_gpu_is_waited_for() -> None:
    class Multiply(Method):
        def enhance(self, inputs: torch.Tensor, exposures: torch.Tensor | None = None) -> torch.Tensor:
            large = torch.ones(8192, 8192, device=inputs.device)
            for _ in range(20):
                large = large @ large
            return inputs[:, 0]

    found = measure(loaded(Multiply()), "cuda", (32, 32), repeats=3)
    assert found["seconds"] > 20 * 2 * 8192**3 / 2e15  # no GPU does more than 2 Pflop/s in float32
    assert found["device"] == torch.cuda.get_device_name()
