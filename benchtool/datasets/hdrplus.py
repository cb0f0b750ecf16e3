"""Raw HDR from HDR+ bursts (Hasinoff et al., SIGGRAPH Asia 2016) as EMVNet trains and measures: two exposures against the merged raw."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from benchtool.core.spec import DatasetSpec, Source
from benchtool.datasets.hdrplus_bursts import Settings
from benchtool.datasets.hdrplus_bursts import build as build_pairs
from benchtool.datasets.prepare import Outcome

SPEC = DatasetSpec(
    title="HDR+ bursts, raw HDR",
    citation="ren2023emvnet",
    licence="CC BY-SA",
    home="https://hdrplusdata.org",
    sources=(
        Source(
            "20171106_subset",
            by_hand="gsutil -m cp -r gs://hdrplusdata/20171106_subset .  (Google Cloud SDK; no account is needed)",
            about="153 bursts, about 37 GB",
            evidence="https://hdrplusdata.org as several public projects quote it",
        ),
        Source(
            "20171106",
            by_hand="or all of it: gsutil -m cp -r gs://hdrplusdata/20171106 .",
            about="3,640 bursts, about 765 GB",
            evidence="https://hdrplusdata.org as several public projects quote it",
        ),
    ),
    counts={"train": 2_000, "test": 400},
    default_target="merged",
)


@dataclass(frozen=True)
class Options:
    """The draw of bursts and exposures.

    Attributes:
        bursts: drawn from those that are there; the paper has 2,400 and does not say which; 0: all.
        test: of them to measure on; a sixth, 400 at most, where None.
        ratio_low, ratio_high: bounds of the ratio between the exposures.
        seed: of the split, the ratio, the frames and the noise.
    """

    bursts: int = 2_400
    test: int | None = None
    ratio_low: float = 2
    ratio_high: float = 16
    seed: int = 0


def build(src: Path, out: Path, options: Options, jobs: int | None) -> Outcome:
    """`bursts/<id>/payload_*.dng` and `results_*/<id>/merged.dng`, in SRC or in a folder of it.

    Raises:
        UserError: they are not there.
    """
    settings = Settings(options.bursts, options.test, options.ratio_low, options.ratio_high, options.seed)
    return build_pairs("hdrplus", SPEC, src, out, settings, jobs)
