"""Which samples each optimiser step takes: a function of (seed, stage, epoch), never of workers, processes or interruptions.

An epoch gives every sample `crops` crops. The samples of a step are decoded once and serve as many steps in a row, each with crops of
its own, so that no batch holds two crops of one picture: a group. Group g of an epoch takes the g-th batch x accumulate x world samples
of the epoch's order; each backward pass takes a global batch of them, of which rank r takes the r-th part. What is left at the end of an
epoch and fills no step is dropped, never padded.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from benchtool.core.errors import UserError


@dataclass(frozen=True)
class Group:
    """Steps in a row that share their samples: the `number`-th of an epoch, and which of its crops are wanted."""

    epoch: int
    number: int
    crops: range


@dataclass(frozen=True)
class Pace:
    """How a split is cut into optimiser steps.

    Attributes:
        batch: samples of a process and backward pass.
        accumulate: backward passes of a step.
        rank, world: this process and how many there are.
        limit: at most so many steps an epoch.
        crops: of a sample in an epoch.
    """

    batch: int = 1
    accumulate: int = 1
    rank: int = 0
    world: int = 1
    limit: int | None = None
    crops: int = 1

    def steps(self, samples: int) -> int:
        """Optimiser steps of an epoch of so many samples; UserError where they fill none."""
        whole = samples // (self.batch * self.world * self.accumulate)
        if whole == 0:
            raise UserError(
                f"{samples} training samples do not fill one step of {self.batch} (batch) x {self.accumulate} (accumulate) "
                f"x {self.world} (processes); choose a smaller batch"
            )
        return min(whole * self.crops, self.limit or whole * self.crops)

    def groups(self, samples: int, first: int, last: int) -> Iterator[Group]:
        """The steps `first` (counted from 0 over all epochs) to `last` - 1 as groups; the outer ones may be parts of a group."""
        per_epoch, step = self.steps(samples), first
        while step < last:
            epoch, within = divmod(step, per_epoch)
            number, crop = divmod(within, self.crops)
            count = min(self.crops - crop, per_epoch - within, last - step)
            yield Group(epoch, number, range(crop, crop + count))
            step += count
