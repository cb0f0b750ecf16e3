"""MSEC's result table (Afifi et al., CVPR 2021, Table 1): every output against each of five experts' retouches.

The paper prints it as an image. Only numbers that a readable second source confirms stand in `published.csv`; the others are missing,
and so are the rows' order and the caption, which are ours.
"""

from __future__ import annotations

from benchtool.papers.model import ME, Group, Metric, Panel, Paper, Row, Table, trained

PSNR = Metric("psnr", "PSNR", "psnr:rgb-u8", decimals=3, unit="dB")
SSIM = Metric("ssim", "SSIM", "ssim:rgb-gauss", decimals=3)
PI = Metric("pi", "PI", "pi:pirm", decimals=3, higher_is_better=False)

# Why rows cannot be measured as printed; the paper's text at hand tells of no method's settings.
TONE = "Its weights are not in the released repository, and the tone mapper is none that can be repeated."
DPE = "Its weights are not in the released repository."

GROUPS = (Group("Under", "under"), Group("Over", "over"), Group("All", "all"))


def against(expert: str) -> Panel:
    """The columns of one expert, `a` to `e`."""
    return Panel(f"Expert {expert.upper()}", "me", f"expert_{expert}", GROUPS, (PSNR, SSIM), edition=ME, part=f"expert_{expert}")


TABLE_1 = Table(
    number="1",
    title="ME against five experts",
    caption="Quantitative evaluation on the test set: PSNR and SSIM against each of five expert photographers, and PI.",
    protocol="msec",
    rows=(
        Row(
            "HE",
            "he",
            citation="gonzalez2001dip",
            unlike="Neither colours nor bins are known; these are R, G and B each by itself and MATLAB's 64.",
        ),
        Row(
            "CLAHE",
            "clahe",
            citation="zuiderveld1994clahe",
            unlike="Its parameters are not known; these are scikit-image's: lightness, 8 x 8 tiles, clip limit 0.01, stretched to its full "
            "range.",
        ),
        Row("WVM", "wvm", citation="fu2016wvm", unlike="The authors' solver is closed, and known only approximately."),
        Row(
            "LIME",
            "lime",
            citation="guo2017lime",
            unlike="The authors' code is closed, and the parameters are not known; these are the sped-up solver, alpha 0.15, sigma 2, "
            "gamma 0.8, the map of large images solved at a reduced size.",
        ),
        Row("HDR CNN w/ PS", "hdrcnn", citation="eilertsen2017hdrcnn", unlike=TONE),
        Row("HDR CNN, other tone mapper", "hdrcnn", citation="eilertsen2017hdrcnn", options={"tone": "other"}, unlike=TONE),
        Row("DPED (iPhone)", "dped", citation="ignatov2017dped", options={"phone": "iphone"}),
        Row("DPED (BlackBerry)", "dped", citation="ignatov2017dped", options={"phone": "blackberry"}),
        Row("DPE (HDR)", "dpe", citation="chen2018dpe", options={"weights": "hdr"}, unlike=DPE),
        Row("DPE (U-FiveK)", "dpe", citation="chen2018dpe", options={"weights": "u-fivek"}, unlike=DPE),
        Row("DPE (S-FiveK)", "dpe", citation="chen2018dpe", options={"weights": "s-fivek"}, unlike=DPE),
        Row("HQEC", "hqec", citation="zhang2018hqec", unlike="There is no public code, and its equations are not at hand."),
        Row("RetinexNet", "retinexnet", citation="wei2018retinexnet"),
        Row("DeepUPE", "deepupe", citation="wang2019deepupe", unlike="Its weights are not in the released repository."),
        Row("Zero-DCE", "zero-dce", citation="guo2020zerodce"),
        trained("Ours w/o L_adv", "msec-no-adv", "msec-no-adv", citation="afifi2021msec"),
        trained("Ours w/ L_adv", "msec", "msec", citation="afifi2021msec"),
    ),
    panels=(
        *map(against, "abcde"),
        Panel("Average of the experts", "me", "", GROUPS, (PSNR, SSIM), edition=ME, part="average"),
        Panel("Without reference", "me", "", GROUPS, (PI,), edition=ME, part="blind"),
    ),
    missing="The paper prints this table as an image; only what a second readable source confirms is given, nothing from memory.",
)

PAPER = Paper(
    name="msec",
    label="MSEC",
    title="Learning Multi-Scale Photo Exposure Correction",
    authors="Afifi et al.",
    venue="CVPR 2021",
    citation="afifi2021msec",
    tables=(TABLE_1,),
)
