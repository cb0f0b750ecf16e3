"""One sample through a method: what it sees, what comes out, what is refused."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from torch import Tensor

from benchtool.core.errors import UserError
from benchtool.evaluation.predict import pick_device, predict
from benchtool.methods.base import Method


class Spy(Method):
    """Returns what it is told to, and keeps what it saw."""

    def __init__(self, answer: object = None) -> None:
        super().__init__()
        self.answer = answer

    def enhance(self, inputs: Tensor, exposures: Tensor | None = None) -> Tensor:
        self.seen = inputs, exposures
        return inputs[:, 0] if self.answer is None else torch.as_tensor(self.answer)


def test_identity_returns_every_level() -> None:
    levels = np.arange(256, dtype=np.uint8).reshape(16, 16, 1).repeat(3, axis=2)
    assert np.array_equal(predict(Spy(), [levels]), levels)
    deep = np.arange(65536, dtype=np.uint16).reshape(256, 256, 1).repeat(3, axis=2)
    assert np.array_equal(predict(Spy(), [deep], levels=65535), deep)
    assert np.array_equal(predict(Spy(), [deep]), np.floor(deep / 257 + 0.5))  # 16 bits in, 8 bits out


def test_what_the_method_sees() -> None:
    spy = Spy()
    images = [np.full((4, 6, 3), value, np.uint8) for value in (0, 255)]
    images[0][1, 2] = (51, 102, 153)
    predict(spy, images, [None, 1.5])
    inputs, exposures = spy.seen
    assert inputs.shape == (1, 2, 3, 4, 6) and inputs.dtype == torch.float32 and not inputs.requires_grad
    assert inputs[0, 0, :, 1, 2].tolist() == pytest.approx([0.2, 0.4, 0.6]) and inputs[0, 1].min() == 1
    assert exposures.shape == (1, 2) and math.isnan(exposures[0, 0]) and exposures[0, 1] == 1.5
    for unknown in ([], [None, None]):
        predict(spy, images, unknown)
        assert spy.seen[1] is None


def test_output_is_clamped_and_rounded_half_up() -> None:
    values = torch.tensor([-0.1, 0.5 / 255 - 1e-6, 0.5 / 255 + 1e-6, 1.2]).repeat(1, 3, 1, 1)
    assert predict(Spy(values), [np.zeros((1, 4, 3), np.uint8)])[0, :, 0].tolist() == [0, 0, 1, 255]


def test_refused() -> None:
    image = np.zeros((4, 6, 3), np.uint8)
    with pytest.raises(UserError, match="differ in size: 6 x 4, 4 x 6"):
        predict(Spy(), [image, image.swapaxes(0, 1)])
    with pytest.raises(UserError, match="NaN"):
        predict(Spy(torch.full((1, 3, 4, 6), math.nan)), [image])
    with pytest.raises(UserError, match=r"shape \(3, 4, 6\)"):
        predict(Spy(torch.zeros(3, 4, 6)), [image])
    for name in ("cuda:99", "abacus"):
        with pytest.raises(UserError, match=f"--device {name}: not available here"):
            pick_device(name)
