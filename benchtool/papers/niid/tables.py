"""The tables of NIID (Lv, Liu and Lu, ACM MM 2020), one literal each.

Table 1 runs every method as its authors released it (weights or recommended parameters), so that its rows have no recipe but the
paper's own, trained on its retouched COCO images. Table 2 trains variants of the network without its Restoration-Net. The comparison by
face detection is Figure 9: its definition and the rows that the text names stand here, its numbers are in the picture alone.
"""

from __future__ import annotations

from benchtool.papers.model import Group, Metric, Panel, Paper, Row, Table

ALL = Group("All", "all")
PSNR = Metric("psnr", "PSNR", "psnr:rgb-u8", decimals=2, unit="dB")
SSIM = Metric("ssim", "SSIM", "ssim:rgb-gauss", decimals=2)
VIF = Metric("vif", "VIF", "vif-source:output-reference", decimals=2)
LOE = Metric("loe", "LOE", "loe:bimef100", decimals=1, higher_is_better=False)
NIQE = Metric("niqe", "NIQE", "niqe:live", decimals=2, higher_is_better=False)
RUNTIME = Metric("runtime", "Runtime", None, decimals=2, unit="s", higher_is_better=False)

TABLE_1 = Table(
    number="1",
    title="50 images of LOL, SICE and DeepUPE, fourteen methods",
    caption='Quantitative comparison results. The average runtime is tested using images with size 1280 x 720. "*" represents only using '
    "an Intel i5-8400 CPU.",
    protocol="niid",
    rows=(
        Row("MSR", "msr", citation="jobson1997msr"),
        Row("Dong", "dong", citation="dong2011lowlight"),
        Row("BPDHE", "bpdhe", citation="ibrahim2007bpdhe"),
        Row("NPE", "npe", citation="wang2013npe"),
        Row("DHECI", "dheci", citation="nakai2013dheci"),
        Row("MF", "mf", citation="fu2016mf"),
        Row("LIME", "lime", citation="guo2017lime"),
        Row("BIMEF", "bimef", citation="ying2017bimef"),
        Row("SICE", "sice-cnn", citation="cai2018sice"),
        Row("RetinexNet", "retinexnet", citation="wei2018retinexnet"),
        Row("GLADNet", "gladnet", citation="wang2018gladnet"),
        Row("MBLLEN", "mbllen", citation="lv2018mbllen"),
        Row("DeepUPE", "deepupe", citation="wang2019deepupe"),
        Row("Ours", "niid", "niid", citation="lv2020niid"),
    ),
    panels=(Panel("LOL, SICE, DeepUPE", "niid-mix", "label", (ALL,), (PSNR, SSIM, VIF, LOE, NIQE, RUNTIME), trained_on="coco-retouch"),),
    parameters=1000,
)

TABLE_2 = Table(
    number="2",
    title="the parts of the network and of its loss, on the retouched COCO images",
    caption="Ablation study. This table reports the performance under each condition based on our proposed dataset. In this table, "
    '"w/o" means without.',
    protocol="niid",
    rows=(
        Row("1. U-Net (3.0k params)", "niid-unet", "niid-unet", citation="lv2020niid"),
        Row("2. cGAN (3.0k params)", "niid-unet", "niid-cgan", citation="lv2020niid"),
        Row("3. w/o L_h, w/o L_s, w/o L_p, w/o L_i", "niid", "niid-mse", {"restore": False}, "lv2020niid"),
        Row("4. with L_h, w/o L_s, w/o L_p, w/o L_i", "niid", "niid-h", {"restore": False}, "lv2020niid"),
        Row("5. with L_h, with L_s, w/o L_p, w/o L_i", "niid", "niid-h-s", {"restore": False}, "lv2020niid"),
        Row("6. with L_h, with L_s, with L_p, w/o L_i", "niid", "niid-h-s-p", {"restore": False}, "lv2020niid"),
        Row("7. Dwindling model (1.5k params)", "niid", "niid-dwindling", {"restore": False, "size": "dwindling"}, "lv2020niid"),
        Row("8. Enlarging model (9.1k params)", "niid", "niid-enlarging", {"restore": False, "size": "enlarging"}, "lv2020niid"),
        Row("9. Proposed (2.7k params)", "niid", "niid-enhance", {"restore": False}, "lv2020niid"),
    ),
    panels=(Panel("Retouched COCO", "coco-retouch", "label", (ALL,), (PSNR, SSIM)),),
)

FIGURE_9 = Table(
    number="fig9",
    title="face detection on enhanced images of DARK FACE (Figure 9)",
    caption='Face detection result comparison: average precisions after enhancing with different methods. "dark" means the result of '
    "original images without any pre-processing.",
    protocol="niid",
    rows=(
        Row("dark", "identity"),
        Row("MF", "mf", citation="fu2016mf"),
        Row("Ours", "niid", "niid", citation="lv2020niid"),
    ),
    panels=(Panel("DARK FACE", "darkface", "", (ALL,), (Metric("ap", "AP", None, decimals=3),), trained_on="coco-retouch"),),
    missing="The paper shows them in a figure, whose text is not at hand.",
)

PAPER = Paper(
    name="niid",
    label="NIID",
    title="Fast Enhancement for Non-Uniform Illumination Images using Light-weight CNNs",
    authors="Lv et al.",
    venue="ACM MM 2020",
    citation="lv2020niid",
    tables=(TABLE_1, TABLE_2, FIGURE_9),
)
