"""What a player takes along from another network: its parameters and the buffers of its layers, and nothing of the others."""

from __future__ import annotations

import torch
from torch import nn

from benchtool.methods.base import Method
from benchtool.training.players import copy_player


class Two(Method):
    """A generator and a critic with batch norms of their own, one of them without parameters, and a buffer of nobody's."""

    def __init__(self) -> None:
        super().__init__()
        self.generator = nn.Sequential(nn.Conv2d(3, 4, 1), nn.BatchNorm2d(4), nn.Conv2d(4, 3, 1))
        self.critic = nn.Sequential(nn.Conv2d(3, 4, 1), nn.BatchNorm2d(4, affine=False), nn.Conv2d(4, 1, 1))
        self.register_buffer("seen", torch.zeros(1))

    def trainable(self, player: str = "model"):
        part = "critic." if player == "critic" else "generator."
        yield from ((name, p) for name, p in self.named_parameters() if name.startswith(part))


def test_a_player_brings_its_running_statistics() -> None:
    source, method = Two(), Two()
    source.critic(source.generator(torch.rand(2, 3, 8, 8)))  # in training: the statistics move
    source.seen += 1
    before = {name: tensor.clone() for name, tensor in method.state_dict().items()}
    copy_player(source, method, "critic")
    theirs = source.state_dict()
    for name, tensor in method.state_dict().items():
        assert torch.equal(tensor, theirs[name] if name.startswith("critic.") else before[name]), name
    assert not torch.equal(theirs["critic.1.running_mean"], before["critic.1.running_mean"])
    copy_player(source, method, "model")
    assert torch.equal(method.generator[1].running_var, source.generator[1].running_var) and method.seen == 0
