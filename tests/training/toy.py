"""A method small enough to train in tests, used with --plugin; its options make it misbehave where a test needs that."""

from __future__ import annotations

import atexit
import os
import signal

import torch
from safetensors.torch import save_file
from torch import Tensor, nn

from benchtool.core.spec import MethodSpec
from benchtool.losses import l1, mse
from benchtool.methods.base import Batch, Method, Stage

SPEC = MethodSpec(title="Toy", citation="", players=("model", "critic"), parameters=0, tiling="exact", taught=("teach",))


LATEST: dict[str, Method] = {}


def dump(folder: str) -> None:
    """Write the weights this process ends with."""
    save_file(LATEST["trained"].state_dict(), os.path.join(folder, f"rank{os.environ.get('RANK', '0')}.safetensors"))


if "TOY_DUMP" in os.environ:
    atexit.register(dump, os.environ["TOY_DUMP"])


class Toy(Method):
    """Two convolutions, noise in training, and a critic that is another convolution."""

    def __init__(self, width: int = 4, noise: float = 0.0, nan_for: str = "", gated: bool = False) -> None:
        super().__init__()
        self.first = nn.Conv2d(3, width, 3, padding=1)
        self.norm = nn.BatchNorm2d(width) if gated else nn.Identity()
        self.last = nn.Conv2d(width, 3, 3, padding=1)
        self.critic = nn.Conv2d(3, 1, 3, padding=1)
        self.noise, self.nan_for = noise, nan_for
        self.calls = 0

    def enhance(self, inputs: Tensor, exposures: Tensor | None = None) -> Tensor:
        return inputs[:, 0] + self.last(torch.relu(self.norm(self.first(inputs[:, 0]))))

    def judge(self, image: Tensor) -> Tensor:
        """A score for each image."""
        return self.critic(image).mean((1, 2, 3))

    def losses(self, batch: Batch, stage: Stage, player: str = "model") -> dict[str, Tensor]:
        self.calls += 1
        LATEST["trained"] = self
        if self.training and f"{stage.name}:{self.calls}" == os.environ.get("TOY_KILL_AT"):
            os.kill(os.getpid(), signal.SIGKILL)
        if player == "critic":
            return {"critic": (self.judge(batch.targets) - 1).square().mean() + self.judge(self.enhance(batch.inputs)).square().mean()}
        output = self.enhance(batch.inputs + self.noise * torch.randn_like(batch.inputs))
        losses = {"mse": mse(output, batch.targets), "l1": l1(output, batch.targets)}
        if self.nan_for and any(name.startswith(self.nan_for) for name in batch.samples):
            losses["mse"] = losses["mse"] * float("nan")
        if "teach" in stage.losses:
            with torch.no_grad():
                aim = stage.teacher.enhance(batch.inputs)
            losses["teach"] = l1(output, aim)
        if "adversarial" in stage.losses:
            losses["adversarial"] = (self.judge(output) - 1).square().mean()
        return losses

    def trainable(self, player: str = "model"):
        for name, parameter in self.named_parameters():
            if name.startswith("critic.") == (player == "critic"):
                yield name, parameter
