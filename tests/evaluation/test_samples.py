"""What metrics of display images are given."""

from __future__ import annotations

import numpy as np
import pytest

from benchtool.core.errors import UserError
from benchtool.evaluation.samples import eight_bit


def test_eight_bit() -> None:
    levels = np.array([[[0, 257, 65535]]], np.uint16)
    assert eight_bit(levels).tolist() == [[[0, 1, 255]]] and eight_bit(levels).dtype == np.uint8
    assert eight_bit(np.uint8([[[7, 8, 9]]])).tolist() == [[[7, 8, 9]]]


def test_linear_images_are_refused_rather_than_made_black() -> None:
    with pytest.raises(UserError, match="floating-point images are linear"):
        eight_bit(np.ones((1, 1, 3), np.float32))
