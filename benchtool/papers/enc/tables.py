"""The tables of ENC (Huang et al., CVPR 2022), one literal each.

Groups and averages are those the printed figures follow (checked by arithmetic in `tests/papers`): on ME "under" is the first
two exposures and "over" the other three, 0 EV among them, and "Average" is over all images.
"""

from __future__ import annotations

from benchtool.papers.model import ME, ME_V2, Group, Metric, Panel, Paper, Row, Table, trained

PSNR = Metric("psnr", "PSNR", "psnr:rgb-u8", decimals=2, unit="dB")
SSIM = Metric("ssim", "SSIM", "ssim:gray-uniform7", decimals=4)
SSIM_3 = Metric("ssim", "SSIM", "ssim:gray-uniform7", decimals=3)  # as Table 5 prints it

UNDER, OVER, AVERAGE = Group("Under", "under"), Group("Over", "over"), Group("Average", "all")

# The paper trained its own networks and the baselines they grow from, "with the same training settings" (Sec. 4.1, Implementation
# Details); of the others it says nothing.
WEIGHTS = (
    "The paper does not say whether it took released weights or trained the method itself; on ME its figures agree with all that is known "
    "of MSEC's table of 2021."
)
CLAHE = Row(
    "CLAHE",
    "clahe",
    citation="reza2004clahe",
    unlike="The paper gives no parameters; these are scikit-image's: lightness, 8 x 8 tiles, clip limit 0.01, stretched to its full range.",
)
RETINEXNET = Row("RetinexNet", "retinexnet", "retinexnet", citation="wei2018retinexnet", unlike=WEIGHTS)
ZERO_DCE = Row("Zero-DCE", "zero-dce", "zero-dce", citation="guo2020zerodce", unlike=WEIGHTS)
MSEC = Row(
    "MSEC",
    "msec",
    "msec",
    citation="afifi2021msec",
    unlike="The paper does not say whether it took MSEC's released weights, trained on ME, or trained it itself.",
)
DRBN = trained("DRBN", "drbn", "drbn", citation="yang2020drbn")
DRBN_L = trained("DRBN-L", "drbn-l", "drbn-l", citation="huang2022enc")
I_DRBN = trained("I-DRBN", "drbn-enc", "i-drbn", citation="huang2022enc")
I_DRBN_4 = trained("I-DRBN-4", "drbn-enc-4", "i-drbn-4", citation="huang2022enc")
SID = trained("SID", "sid", "sid", citation="chen2018sid")
SID_L = trained("SID-L", "sid-l", "sid-l", citation="huang2022enc")
I_SID = trained("I-SID", "sid-enc", "i-sid", citation="huang2022enc")

TABLE_1 = Table(
    number="1",
    title="ME and ME-v2, eleven methods",
    caption="Quantitative results of different methods on ME and ME-v2 datasets in terms of PSNR and SSIM.",
    protocol="enc",
    rows=(CLAHE, RETINEXNET, ZERO_DCE, MSEC, DRBN, DRBN_L, I_DRBN, I_DRBN_4, SID, SID_L, I_SID),
    panels=(
        Panel("ME", "me", "expert_c", (UNDER, OVER, AVERAGE), (PSNR, SSIM), edition=ME),
        Panel("ME-v2", "me-v2", "middle", (UNDER, OVER, AVERAGE), (PSNR, SSIM), edition=ME_V2),
    ),
    parameters=2**20,
)

TABLE_2 = Table(
    number="2",
    title="SICE, eleven methods",
    caption="Quantitative results of various methods on SICE dataset in terms of PSNR and SSIM.",
    protocol="enc",
    rows=(CLAHE, RETINEXNET, ZERO_DCE, MSEC, DRBN, DRBN_L, I_DRBN, I_DRBN_4, SID, SID_L, I_SID),
    panels=(Panel("SICE", "sice", "middle", (UNDER, OVER, AVERAGE), (PSNR, SSIM)),),
)

TABLE_3 = Table(
    number="3",
    title="SICE, tuning on the worst exposure with and without parameter regularisation",
    caption="Ablation study for parameter regularization on SICE dataset, the overexposure subset is set as the worst-performed subset.",
    protocol="enc",
    rows=(
        trained("DRBN-ENC", "drbn-enc-4", "drbn-enc-4", citation="huang2022enc"),
        trained("DRBN-ENC-4-SEQ", "drbn-enc-4", "drbn-enc-4-seq", citation="huang2022enc"),
        I_DRBN_4,
        trained("SID-ENC", "sid-enc", "sid-enc", citation="huang2022enc"),
        trained("SID-ENC-SEQ", "sid-enc", "sid-enc-seq", citation="huang2022enc"),
        I_SID,
    ),
    panels=(Panel("SICE", "sice", "middle", (UNDER, OVER, AVERAGE), (PSNR, SSIM)),),
)

TABLE_4 = Table(
    number="4",
    title="several enhancement tasks in one model, and data it was not trained for",
    caption="Quantitative results of various methods for multiple enhancement tasks and generalizability evaluation.",
    protocol="enc",
    rows=(DRBN, DRBN_L, I_DRBN_4, SID, SID_L, I_SID),
    panels=(
        Panel(
            "Task-mix",
            "task-mix",
            "label",
            (
                Group("LOL", "lol"),
                Group("SICE_OVER", "sice-over"),
                Group("FIVE5K", "fivek"),
                Group("Average", "average", mean_of=("lol", "sice-over", "fivek")),
            ),
            (PSNR, SSIM),
        ),
        Panel("SICE_UNDER", "sice", "middle", (UNDER,), (PSNR, SSIM), trained_on="task-mix"),
        Panel("BRIGHTEN", "brighten", "label", (Group("All", "all"),), (PSNR, SSIM), trained_on="task-mix"),
    ),
)

TABLE_5 = Table(
    number="5",
    title="DPED, three phones",
    caption="Quantitative results of different DRBN methods for various kinds of phone image enhancement on the DPED dataset.",
    protocol="enc",
    rows=(DRBN, DRBN_L, I_DRBN_4),
    panels=(
        Panel(
            "DPED",
            "dped",
            "label",
            (
                Group("iPhone", "iphone"),
                Group("Sony", "sony"),
                Group("BlackBerry", "blackberry"),
                Group("Average", "average", mean_of=("iphone", "sony", "blackberry")),
            ),
            (PSNR, SSIM_3),
        ),
    ),
)

TABLE_6 = Table(
    number="6",
    title="the parts of ENC, on SICE and ME",
    caption="Ablation study for investigating the components of ENC module. IS and IC denote integration in the spatial and channel, "
    "respectively. IN represents Instance Normalization. L_nd is normalization distilling loss, and L_ed is the exposure distilling loss.",
    protocol="enc",
    rows=(
        trained("none", "sid", "sid", citation="chen2018sid"),
        trained("IN", "sid-enc", "sid-enc-in", {"spatial": False, "channel": False}, "huang2022enc"),
        trained("IC+IN", "sid-enc", "sid-enc-ic-in", {"spatial": False}, "huang2022enc"),
        trained("IS+IN", "sid-enc", "sid-enc-is-in", {"channel": False}, "huang2022enc"),
        trained("IS+IC", "sid-enc", "sid-enc-is-ic", {"normalise": False}, "huang2022enc"),
        trained("IS+IC+IN", "sid-enc", "sid-enc-is-ic-in", citation="huang2022enc"),
        trained("L_ed", "sid-enc", "sid-enc-ed", {"normalise": False, "spatial": False, "channel": False}, "huang2022enc"),
        trained("IS+IC+IN+L_nd", "sid-enc", "sid-enc-is-ic-in-nd", citation="huang2022enc"),
        trained("IS+IC+IN+L_ed", "sid-enc", "sid-enc-is-ic-in-ed", citation="huang2022enc"),
        trained("IS+IC+IN+L_nd+L_ed", "sid-enc", "sid-enc", citation="huang2022enc"),
    ),
    panels=(
        Panel("SICE", "sice", "middle", (AVERAGE,), (PSNR, SSIM)),
        Panel("ME", "me", "expert_c", (AVERAGE,), (PSNR, SSIM), edition=ME),
    ),
)

PAPER = Paper(
    name="enc",
    label="ENC",
    title="Exposure Normalization and Compensation for Multiple-Exposure Correction",
    authors="Huang et al.",
    venue="CVPR 2022",
    citation="huang2022enc",
    tables=(TABLE_1, TABLE_2, TABLE_3, TABLE_4, TABLE_5, TABLE_6),
)
