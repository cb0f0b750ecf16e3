"""The input, untouched: what every method has to beat."""

from __future__ import annotations

from torch import Tensor

from benchtool.core.spec import MethodSpec
from benchtool.methods.base import Method

SPEC = MethodSpec(
    title="Input",
    citation="",
    needs_target=False,
    players=(),
    parameters=0,
    tiling="exact",
)


class Identity(Method):
    """Returns its input."""

    def enhance(self, inputs: Tensor, exposures: Tensor | None = None) -> Tensor:
        return inputs[:, 0]
