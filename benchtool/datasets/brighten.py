"""Brighten, 1,000 pairs that RetinexNet's authors made from raws; ENC (CVPR 2022, Table 4) tests on it what was trained elsewhere."""

from __future__ import annotations

from pathlib import Path

from benchtool.core.spec import DatasetSpec, Source
from benchtool.datasets.paired_folders import drafts, join, required, subfolder
from benchtool.datasets.prepare import Layout

SPEC = DatasetSpec(
    title="Brighten",
    citation="wei2018retinexnet",
    licence="none stated; research",
    home="https://daooshee.github.io/BMVC2018website/",
    sources=(
        Source(
            "low, high",
            by_hand="'Synthetic Image Pairs from Raw Images' of https://daooshee.github.io/BMVC2018website/ "
            "(Google Drive or Baidu, by a browser)",
            about="1,000 pairs",
            evidence="the page's source at github.com/daooshee/BMVC2018website",
        ),
    ),
    counts={"test": 1_000},
)


def layout(src: Path, options: None) -> Layout:
    """`low` and `high`, in SRC or in a folder of it; all of it is the test split.

    Raises:
        UserError: they are not there.
    """
    places = [src, *sorted(p for p in src.iterdir() if p.is_dir())]
    found = next(((low, high) for p in places if (low := subfolder(p, ["low"])) and (high := subfolder(p, ["high", "normal"]))), None)
    required(src, found, "'low' beside 'high'")
    pairs = join(*found)
    return Layout("low and high", drafts(src, pairs, "test"), {"brighten": src}, missing=pairs.missing, failures=pairs.failures)
