"""Copy a folder of pictures at half their size, to try a training where a whole one is out of reach.

python docs/examples/half_size.py SRC OUT
"""

import sys
from pathlib import Path

from benchtool.core.images import read_image, resize, write_image

SUFFIXES = {".jpg", ".jpeg", ".png"}


def halve(source: Path, out: Path) -> int:
    """Write every picture under `source` to the same place under `out`, as PNG; returns how many."""
    pictures = sorted(path for path in source.rglob("*") if path.suffix.lower() in SUFFIXES)
    for path in pictures:
        pixels = read_image(path)
        small = resize(pixels, pixels.shape[1] // 2, pixels.shape[0] // 2)
        target = (out / path.relative_to(source)).with_suffix(".png")
        target.parent.mkdir(parents=True, exist_ok=True)
        write_image(target, small)
    return len(pictures)


if __name__ == "__main__":
    print(f"{halve(Path(sys.argv[1]), Path(sys.argv[2])):,} pictures")
