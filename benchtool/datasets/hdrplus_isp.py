"""From raw to RGB on HDR+ bursts (EMVNet's E2E-ISP): the inputs of `hdrplus` against the burst's own JPEG, where the two are aligned.

The paper removed misaligned JPEGs by hand, down to 1,740 and 317; here size, orientation and a phase correlation decide.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from benchtool.core.spec import DatasetSpec, Source
from benchtool.datasets.hdrplus_bursts import Settings
from benchtool.datasets.hdrplus_bursts import build as build_pairs
from benchtool.datasets.prepare import Outcome

SPEC = DatasetSpec(
    title="HDR+ bursts, raw to RGB",
    citation="ren2023emvnet",
    licence="CC BY-SA",
    home="https://hdrplusdata.org",
    sources=(Source("20171106", by_hand="the bursts of hdrplus: benchtool data fetch hdrplus HDRPLUS says where from"),),
    counts={"train": 1_740, "test": 317},
    default_target="label",
)


@dataclass(frozen=True)
class Options:
    """As those of `hdrplus`, and when a JPEG is misaligned.

    Attributes:
        bursts: drawn from those that are there; the paper has 2,400 and does not say which; 0: all.
        test: of them to measure on; a sixth, 400 at most, where None.
        ratio_low, ratio_high: bounds of the ratio between the exposures.
        seed: of the split, the ratio, the frames and the noise.
        most_shift: pixels, at an eighth of the size, that a JPEG may be off.
        least_peak: of the phase correlation, 0..1.
    """

    bursts: int = 2_400
    test: int | None = None
    ratio_low: float = 2
    ratio_high: float = 16
    seed: int = 0
    most_shift: float = 2
    least_peak: float = 0.1


def build(src: Path, out: Path, options: Options, jobs: int | None) -> Outcome:
    """`bursts/<id>/payload_*.dng` and `results_*/<id>/{merged.dng,final.jpg}`, in SRC or in a folder of it.

    Raises:
        UserError: they are not there.
    """
    label = (options.most_shift, options.least_peak)
    settings = Settings(options.bursts, options.test, options.ratio_low, options.ratio_high, options.seed, label)
    return build_pairs("hdrplus-isp", SPEC, src, out, settings, jobs)
