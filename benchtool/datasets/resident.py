"""Decoded images in memory that a process shares with the workers it spawns: one copy, each decoded by whoever needs it first."""

from __future__ import annotations

import mmap
import multiprocessing
import os
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from math import prod
from multiprocessing import reduction
from typing import Any, BinaryIO

import numpy as np

KINDS = (None, np.uint8, np.uint16, np.float32)  # what the byte that stands for an image says: not there yet, or its pixels' kind
ALIGNED = 64  # bytes


@dataclass(frozen=True)
class Place:
    """Where an image's pixels go: the number of its byte, where its room begins, its shape, and the bytes of a value there is room for."""

    number: int
    begin: int
    shape: tuple[int, int, int]
    depth: int


class Resident:
    """Images by name.

    Memory is taken as images come. None gives way to another: every image is as likely to be the next.

    Args:
        shapes: name -> (height, width, channels) and bytes a value; the first ones that fit have room.
        room: bytes of pixels at most.
    """

    def __init__(self, shapes: Mapping[str, tuple[tuple[int, int, int], int]], room: int) -> None:
        self._places: dict[str, Place] = {}
        end = len(shapes)  # a byte each at the beginning
        for name, (shape, depth) in shapes.items():
            if (size := prod(shape) * depth) <= room:
                room -= size
                begin = -(-end // ALIGNED) * ALIGNED
                self._places[name] = Place(len(self._places), begin, shape, depth)
                end = begin + size
        self._lock = multiprocessing.get_context("spawn").Lock()  # so that who sees an image's byte sees its pixels, too
        self._file = _nameless_file()
        self._file.truncate(max(end, 1))
        self._memory = mmap.mmap(self._file.fileno(), max(end, 1))

    def __getstate__(self) -> dict[str, Any]:
        """For a process that is being spawned: the same memory, not a copy."""
        return {"places": self._places, "lock": self._lock, "size": len(self._memory), "file": reduction.DupFd(self._file.fileno())}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self._places, self._lock = state["places"], state["lock"]
        self._file = os.fdopen(state["file"].detach(), "r+b")
        self._memory = mmap.mmap(self._file.fileno(), state["size"])

    def __len__(self) -> int:
        """Images that are there by now."""
        return sum(map(bool, self._memory[: len(self._places)]))

    def get(self, name: str) -> np.ndarray | None:
        """The image, not to be written to; None where it is not there."""
        if (place := self._places.get(name)) is None:
            return None
        with self._lock:
            kind = KINDS[self._memory[place.number]]
        return None if kind is None else self._pixels(place, kind)

    def put(self, name: str, pixels: np.ndarray) -> None:
        """Keep the image where there is room for it; two processes may do so at once, with the same pixels."""
        place = self._places.get(name)
        if place is None or pixels.shape != place.shape or pixels.itemsize > place.depth:
            return
        self._pixels(place, pixels.dtype)[...] = pixels
        with self._lock:
            self._memory[place.number] = KINDS.index(pixels.dtype.type)

    def _pixels(self, place: Place, kind: Any) -> np.ndarray:
        return np.frombuffer(self._memory, kind, prod(place.shape), place.begin).reshape(place.shape)


def _nameless_file() -> BinaryIO:
    """In memory on Linux, whatever the size of /dev/shm; elsewhere a temporary file without a name."""
    if hasattr(os, "memfd_create"):
        return os.fdopen(os.memfd_create("benchtool"), "r+b")
    return tempfile.TemporaryFile()
