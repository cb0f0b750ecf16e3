"""DeepUPE's under-exposed photographs with retouched targets (Wang et al., CVPR 2019, Sec. 5)."""

from __future__ import annotations

from pathlib import Path

from benchtool.core.spec import DatasetSpec, Source
from benchtool.datasets.paired_folders import drafts, join, required, subfolder
from benchtool.datasets.prepare import Layout

SPEC = DatasetSpec(
    title="DeepUPE",
    citation="wang2019deepupe",
    licence="none stated; research",
    home="https://github.com/dvlab-research/DeepUPE",
    sources=(Source("input, label", by_hand="see https://github.com/dvlab-research/DeepUPE; no address was found for the images"),),
)
INPUT, TARGET = ("input", "low", "under"), ("gt", "target", "high", "expert", "label")


def layout(src: Path, options: None) -> Layout:
    """A folder of inputs and one of targets (input, low or under; gt, target, high, expert or label), in SRC or in its test folder.

    The whole of it is the test split: NIID (ACM MM 2020, Sec. 5.1) takes test images from it, and no list of a split is public.

    Raises:
        UserError: they are not there.
    """
    places = [place for name in ("test", "testing") if (place := subfolder(src, [name]))] + [src]
    found = next(((one, two) for p in places if (one := subfolder(p, INPUT)) and (two := subfolder(p, TARGET))), None)
    required(src, found, f"a folder {' or '.join(INPUT)} beside {' or '.join(TARGET)}")
    pairs = join(*found)
    return Layout("inputs and targets", drafts(src, pairs, "test"), {"deepupe": src}, missing=pairs.missing, failures=pairs.failures)
