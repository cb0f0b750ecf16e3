"""What RSNet (Li et al., arXiv 2604.04136) evaluates, by the option files of its released code.

Its full text is not at hand: neither its four tables nor any number of them. The arrangement is ours, and all numbers are missing.
"""

from __future__ import annotations

from benchtool.papers.model import ME, Group, Metric, Panel, Paper, Table, trained

ALL = Group("All", "all")
PSNR = Metric("psnr", "PSNR", "psnr:rgb-u8", decimals=2, unit="dB")
SSIM = Metric("ssim", "SSIM", "ssim:rgb-gauss", decimals=4)

RELEASED = Table(
    number="released",
    label="Test sets",
    title="the four of the released code",
    caption="Test sets and metrics of the released option files.",
    protocol="rsnet",
    rows=(trained("RSNet", "rsnet", "rsnet", citation="li2026rsnet"),),
    panels=(
        Panel("MSEC", "me", "expert_c", (ALL,), (PSNR, SSIM), edition=ME),
        Panel("SICE", "sice", "middle", (ALL,), (PSNR, SSIM)),
        Panel("LCDP", "lcdp", "label", (ALL,), (PSNR, SSIM)),
        Panel("REED", "reed", "label", (ALL,), (PSNR, SSIM)),
    ),
    missing="Only the paper's abstract and some captions are at hand; it has four tables, and none of its numbers was found anywhere.",
)

PAPER = Paper(
    name="rsnet",
    label="RSNet",
    title="Rethinking Exposure Correction for Spatially Non-uniform Degradation",
    authors="Li et al.",
    venue="arXiv 2604.04136",
    citation="li2026rsnet",
    tables=(RELEASED,),
)
