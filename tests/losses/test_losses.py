"""Losses against NumPy, and shapes that do not match."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from benchtool import losses


def test_values_and_gradients() -> None:
    generator = np.random.default_rng(0)
    a, b = generator.random((2, 2, 3, 5, 7))
    output = torch.tensor(a, requires_grad=True)
    target = torch.tensor(b)
    assert losses.mse(output, target).item() == pytest.approx(np.mean((a - b) ** 2), rel=1e-12)
    assert losses.l1(output, target).item() == pytest.approx(np.mean(np.abs(a - b)), rel=1e-12)
    losses.l1(output, target).backward()
    np.testing.assert_allclose(output.grad.numpy(), np.sign(a - b) / a.size, rtol=1e-12)


@pytest.mark.parametrize("loss", [losses.mse, losses.l1])
def test_nothing_is_broadcast(loss) -> None:
    with pytest.raises(ValueError, match=r"\(2, 3, 4, 4\).*\(1, 3, 4, 4\)"):
        loss(torch.zeros(2, 3, 4, 4), torch.zeros(1, 3, 4, 4))
