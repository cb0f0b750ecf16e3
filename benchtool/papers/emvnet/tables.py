"""The tables of EMVNet (Ren, Fan and Huang, Oppo), one literal each, and the run times of its Sec. 5.4.3.

Its three tasks are three datasets here, each with a protocol: HDR from three exposures on Kalantari's (`kalantari`), raw HDR from two
on HDR+ bursts against the merged raw (`hdrplus`), and the same inputs against the burst's JPEG (`hdrplus-isp`). The paper calls the
images it measures on validation images.
"""

from __future__ import annotations

import dataclasses

from benchtool.papers.model import Group, Metric, Panel, Paper, Row, Table, trained

ALL = Group("All", "all")
MOS = Metric("mos", "MOS", None, decimals=2, higher_is_better=False)
PSNR_MU = Metric("psnr-mu", "PSNR-mu", "psnr-mu:mu5000", decimals=2, unit="dB")
SSIM_MU = Metric("ssim-mu", "SSIM-mu", "ssim-mu:mu5000", decimals=4)
PSNR_L = Metric("psnr-l", "PSNR-l", "psnr-l:linear", decimals=2, unit="dB")
SSIM_L = Metric("ssim-l", "SSIM-l", "ssim-l:linear", decimals=4)
HV2 = Metric("hdrvdp2", "HV2", "hdrvdp2:2.2", decimals=2)
RAW_PSNR, RAW_PSNR_3 = (Metric("psnr", "PSNR", "psnr-l:linear", decimals=d, unit="dB") for d in (2, 3))
RGB_PSNR, RGB_PSNR_3 = (Metric("psnr", "PSNR", "psnr:rgb-u8", decimals=d, unit="dB") for d in (2, 3))
RAW_SSIM = Metric("ssim", "SSIM", "ssim-l:linear", decimals=4)
RGB_SSIM = Metric("ssim", "SSIM", "ssim:rgb-gauss", decimals=4)
SECONDS = Metric("seconds", "Time", None, decimals=2, unit="s", higher_is_better=False)
SPEED_UP = Metric("speed-up", "Speed-up", None, decimals=0)
LOSS = Metric("loss", "PSNR lost", None, decimals=2, unit="dB", higher_is_better=False)

# Why its own network is not measured as printed.
OPEN = (
    "No code was released, and the paper leaves parts open (dilations, how the matching volume becomes an image), which are benchtool's "
    "choice."
)


def raw(*metrics: Metric) -> Panel:
    """The raw HDR task."""
    return Panel("Raw HDR", "hdrplus", "merged", (ALL,), metrics, protocol="emvnet-raw")


def isp(*metrics: Metric) -> Panel:
    """The task from raw to the camera's JPEG."""
    return Panel("E2E-ISP", "hdrplus-isp", "label", (ALL,), metrics, protocol="emvnet-isp")


def emvnet(label: str, recipe: str, **options: object) -> Row:
    """A row of EMVNet under other conditions."""
    return Row(label, "emvnet", recipe, options, "ren2023emvnet", OPEN)


YAN = trained("Yan", "ahdrnet", "ahdrnet", citation="yan2019ahdrnet")
NIU = trained("Niu", "hdr-gan", "hdr-gan", citation="niu2021hdrgan")
LIU = trained("Liu", "adnet", "adnet", citation="liu2021adnet")
INPUTS = "The paper changed its first layers to take several inputs, and does not say how."
PYNET = Row("PyNet", "pynet", "pynet", citation="ignatov2020pynet", unlike=INPUTS)
PYNET_CA = Row("PyNet-CA", "pynet-ca", "pynet-ca", citation="kim2020pynetca", unlike=INPUTS)
QUOTED = "The paper does not say whether it trained the method itself, took released weights or quotes its figures."

TABLE_1 = Table(
    number="1",
    title="HDR from three exposures, Kalantari's dataset",
    caption="Experimental results on Kalantari's dataset. For MOS, the smaller the better. For other metrics, the larger the better.",
    protocol="emvnet-kalantari",
    rows=(
        Row("Sen", "sen", citation="sen2012hdr"),
        Row("Kalantari", "kalantari", "kalantari", citation="kalantari2017hdr", unlike=QUOTED),
        Row("Wu", "wu", "wu", citation="wu2018hdr", unlike=QUOTED),
        *(dataclasses.replace(row, unlike=QUOTED) for row in (YAN, NIU, LIU)),
        emvnet("Our EMVNet", "emvnet"),
    ),
    panels=(Panel("Kalantari", "kalantari", "label", (ALL,), (PSNR_MU, SSIM_MU, PSNR_L, SSIM_L, HV2, MOS)),),
)

TABLE_2 = Table(
    number="2",
    title="raw HDR and end-to-end ISP, HDR+ bursts",
    caption="Comparison to the state-of-the-art methods on the validation images of HDR+ dataset. For raw HDR, we calculate the PSNR/SSIM "
    "in the linear raw domain using the merged bursts as the ground-truth. For E2E-ISP, we calculate the PSNR/SSIM in the RGB domain "
    "using the ISP processed JPEG images as the ground-truth. All the approaches are trained on the same training set. For MOS, the "
    "smaller the better.",
    protocol="emvnet-raw",
    rows=(YAN, NIU, LIU, PYNET, PYNET_CA, emvnet("Ours", "emvnet")),
    panels=(raw(RAW_PSNR, RAW_SSIM, MOS), isp(RGB_PSNR, RGB_SSIM, MOS)),
)

TABLE_3 = Table(
    number="3",
    title="the parts of the matching volume, raw HDR",
    caption="Raw-HDR accuracy evaluation on HDR+ validation images with different matching volumes. 'mask' means that whether the MV is "
    "guided by the over-exposed area mask.",
    protocol="emvnet-raw",
    rows=(
        emvnet("motion no, exposure no, mask no", "emvnet-no-volume", motion=False, exposure=False, mask=False),
        emvnet("motion no, exposure yes, mask yes", "emvnet-no-motion", motion=False),
        emvnet("motion yes, exposure no, mask yes", "emvnet-no-exposure", exposure=False),
        emvnet("motion yes, exposure yes, mask no", "emvnet-no-mask", mask=False),
        emvnet("motion yes (dense), exposure yes, mask yes", "emvnet-dense", motion="dense"),
        emvnet("motion yes, exposure yes, mask yes", "emvnet"),
    ),
    panels=(raw(RAW_PSNR_3, RAW_SSIM),),
)

TABLE_4 = Table(
    number="4",
    title="the parts of the loss, raw HDR and end-to-end ISP",
    caption="Accuracy evaluation on HDR+ validation images with different loss functions. L_c stands for image content loss, L_p stands "
    "for perception loss, L_a is the GAN's adversarial loss, L_s,pix stands for pixel-wise weakly-supervised loss, L_s,pat stands for the "
    "patch-wise weakly-supervised loss.",
    protocol="emvnet-raw",
    rows=(
        emvnet("L_c", "emvnet-c"),
        emvnet("L_c L_p", "emvnet-c-p"),
        emvnet("L_c L_p L_a", "emvnet-c-p-a"),
        emvnet("L_c L_p L_a L_s,pix", "emvnet-pix"),
        emvnet("L_c L_p L_a L_s,pat", "emvnet-pat"),
        emvnet("L_c L_p L_a L_s,pix L_s,pat", "emvnet"),
    ),
    panels=(raw(RAW_PSNR_3, RAW_SSIM), isp(RGB_PSNR_3, RGB_SSIM)),
)

COST = Table(
    number="cost",
    label="Costs",
    title="run times of Sec. 5.4.3",
    caption="Computational cost on 4K resolution raw images (12M pixels), single A100 GPU (from the text).",
    protocol="emvnet-raw",
    rows=(
        Row("ADNet", "adnet", "adnet", citation="liu2021adnet"),
        PYNET,
        emvnet("EMVNet", "emvnet"),
        emvnet("EMVNet, accelerated", "emvnet-fast", fast=True),
    ),
    panels=(
        raw(SECONDS),
        isp(SECONDS),
        Panel("Task not said", "hdrplus", "", (ALL,), (SECONDS, SPEED_UP, LOSS), part="task-not-said"),
    ),
)

PAPER = Paper(
    name="emvnet",
    label="EMVNet",
    title="Robust Real-world Image Enhancement Based on Multi-Exposure LDR Images",
    authors="Ren et al.",
    venue="WACV 2023",
    citation="ren2023emvnet",
    tables=(TABLE_1, TABLE_2, TABLE_3, TABLE_4, COST),
)
