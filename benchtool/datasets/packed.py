"""A dataset's training images decoded, in one HDF5 file that crops are read from without decoding: `DIR/train.h5`, by `data pack`.

An image stands under the SHA-256 of its file, uncompressed, in chunks of half a crop. The file belongs to the manifest whose fingerprint
it carries. Handles are opened by the process that reads, never passed on.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from benchtool.core.errors import UserError
from benchtool.core.images import MAX_PIXELS, orient, read_image, read_picture
from benchtool.core.manifest import Dataset, Image
from benchtool.datasets.crops import Pixels

NAME = "train.h5"
SCHEMA = 1
KINDS = ("uint8", "uint16", "float32")


def planes_of(encoding: str) -> int:
    """Channels of an image."""
    return 4 if encoding == "raw-rggb" else 3


def shape_of(image: Image, encoding: str) -> tuple[int, int, int]:
    """Height, width and channels."""
    return image.height, image.width, planes_of(encoding)


def decode(path: Path, encoding: str, read: Callable[[Path], np.ndarray] = read_image) -> np.ndarray:
    """A training image: H x W x 3 by `read`, or the H x W x 4 of a raw-rggb one; UserError where it cannot be read."""
    if encoding != "raw-rggb":
        return read(path)
    picture = read_picture(path)
    if picture.pixels.shape[2] != planes_of(encoding):
        raise UserError(f"{path}: has {picture.pixels.shape[2]} channels; a raw-rggb image has four planes")
    return orient(picture.pixels, picture.orientation)


class Pack:
    """A dataset's pack, checked to be the dataset's and whole.

    Raises:
        UserError: it is another dataset's or another version's, cut off, or not a pack.
    """

    def __init__(self, dataset: Dataset) -> None:
        self.path = dataset.folder / NAME
        self._file: Any = None
        self._held: dict[str, bool] = {}  # what has been looked for
        attributes = dict(self._open().attrs)
        if attributes.get("schema") != SCHEMA or "fingerprint" not in attributes:
            raise self._broken("is no pack of this version")
        if attributes["fingerprint"] != dataset.facts.fingerprint:
            raise self._broken(f"was made of other data than {dataset.folder} holds now")

    def __getstate__(self) -> dict[str, Any]:
        return {"path": self.path, "_file": None, "_held": {}}

    def image(self, image: Image, encoding: str) -> Pixels | None:
        """What an image's rows and columns are read from, None where the pack does not hold it; nothing is read yet.

        Raises:
            UserError: it is not what the manifest says, or stored as no pack is.
        """
        try:
            if image.sha256 not in self._held:
                self._held[image.sha256] = self._holds(image, encoding)
            return _Stored(self._open()[image.sha256], self) if self._held[image.sha256] else None
        except (OSError, RuntimeError, KeyError) as error:
            raise self._broken(f"is damaged ({error})") from None

    def _holds(self, image: Image, encoding: str) -> bool:
        """Whether an image is there, as packs store it: in this very file, unfiltered, of the manifest's size."""
        import h5py

        file = self._open()
        if image.sha256 not in file:
            return False
        stored = file[image.sha256] if isinstance(file.get(image.sha256, getlink=True), h5py.HardLink) else None
        fits = isinstance(stored, h5py.Dataset) and stored.dtype.name in KINDS and stored.shape == shape_of(image, encoding)
        elsewhere = fits and (stored.external or stored.is_virtual)
        if not fits or elsewhere or stored.id.get_create_plist().get_nfilters() or image.width * image.height > MAX_PIXELS:
            raise self._broken(f"does not hold {image.path} as the manifest describes it")
        return True

    def _open(self) -> Any:
        import h5py

        if self._file is None:
            try:
                self._file = h5py.File(self.path, "r", locking=False)  # locks fail on many network drives
            except OSError as error:
                raise self._broken(f"cannot be opened, cut off perhaps ({error})") from None
        return self._file

    def _broken(self, what: str) -> UserError:
        return UserError(f"{self.path} {what}; pack again (benchtool data pack {self.path.parent}), or delete it to read from files")


class _Stored:
    """An image of a pack, read by slices."""

    def __init__(self, stored: Any, pack: Pack) -> None:
        self._stored, self._pack = stored, pack

    def __getitem__(self, place: tuple[slice, slice]) -> np.ndarray:
        try:
            return self._stored[place]
        except (OSError, RuntimeError) as error:
            raise self._pack._broken(f"is damaged ({error})") from None


def find(dataset: Dataset) -> Pack | None:
    """The dataset's pack, None where there is none; UserError where it is not the dataset's or not whole."""
    return Pack(dataset) if (dataset.folder / NAME).exists() else None
