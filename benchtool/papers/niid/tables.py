"""The tables of NIID (Lv, Liu and Lu, ACM MM 2020), one literal each.

Table 1 runs every method as its authors released it (weights or recommended parameters), so that its rows have no recipe but the
paper's own, trained on its retouched COCO images. Table 2 trains variants of the network without its Restoration-Net. The comparison by
face detection is Figure 9: its definition and the rows that the text names stand here, its numbers are in the picture alone.
"""

from __future__ import annotations

from benchtool.papers.model import Group, Metric, Panel, Paper, Row, Table

ALL = Group("All", "all")
# Why rows are not measured as printed. Table 1 used "the publicly-available codes with recommended parameter settings" (Sec. 5.1).
CODE = "The paper does not say which public code it ran"
NETWORK = "The paper gives no layer sizes: the network measured has the stated number of parameters in layers of benchtool's choice."
PSNR = Metric("psnr", "PSNR", "psnr:rgb-u8", decimals=2, unit="dB")
SSIM = Metric("ssim", "SSIM", "ssim:rgb-gauss", decimals=2)
VIF = Metric("vif", "VIF", "vif-source:output-reference", decimals=2)
LOE = Metric("loe", "LOE", "loe:bimef100", decimals=1, higher_is_better=False)
NIQE = Metric("niqe", "NIQE", "niqe:live", decimals=2, higher_is_better=False)
RUNTIME = Metric("runtime", "Runtime", None, decimals=2, unit="s", higher_is_better=False)


def released(label: str, method: str, citation: str, why: str) -> Row:
    """A row of a method as its authors released it, and why it is not measured as printed."""
    return Row(label, method, citation=citation, unlike=why)


def own(label: str, method: str, recipe: str, **options: object) -> Row:
    """A row of the paper's network, or of a variant of it."""
    return Row(label, method, recipe, options, "lv2020niid", NETWORK)


MF = released("MF", "mf", "fu2016mf", "The authors' code is closed, and its constants are known only approximately.")
OURS = own("Ours", "niid", "niid")


TABLE_1 = Table(
    number="1",
    title="50 images of LOL, SICE and DeepUPE, fourteen methods",
    caption="Quantitative comparison results. The average runtime is tested using images with size 1280 x 720.",
    protocol="niid",
    rows=(
        released(
            "MSR",
            "msr",
            "jobson1997msr",
            f"{CODE}, nor whether with colour restoration; this is without, scales 25, 100 and 240, all channels stretched to [0, 1].",
        ),
        released(
            "Dong",
            "dong",
            "dong2011lowlight",
            f"{CODE}; copies differ in the transmission. This is OpenCE's, of 7 x 7 minima, not refined.",
        ),
        released(
            "BPDHE",
            "bpdhe",
            "ibrahim2007bpdhe",
            f"{CODE}; a public one leaves out the last step, which restores the mean brightness. Here it is restored.",
        ),
        released("NPE", "npe", "wang2013npe", "The authors' code is closed, and the published formulas do not reproduce its outputs."),
        released("DHECI", "dheci", "nakai2013dheci", f"{CODE}; copies differ in the histogram's bins. This follows the method's formulas."),
        MF,
        released(
            "LIME",
            "lime",
            "guo2017lime",
            "The authors' code is closed. This is the sped-up solver with the constants that public comparisons call it with, alpha 0.15, "
            "sigma 2, gamma 0.8, the map of large images solved at a reduced size.",
        ),
        released(
            "BIMEF",
            "bimef",
            "ying2017bimef",
            "The authors' code stops its solver early, at a residual of 0.1; this one solves exactly, the map of "
            "large images at a reduced size.",
        ),
        released("SICE", "sice-cnn", "cai2018sice", "The paper does not say which of three released models it ran."),
        released("RetinexNet", "retinexnet", "wei2018retinexnet", "The paper ran the released weights."),
        released("GLADNet", "gladnet", "wang2018gladnet", "Its weights are not in the released repository."),
        released("MBLLEN", "mbllen", "lv2018mbllen", "The paper does not say whether with the released code's post-processing."),
        released("DeepUPE", "deepupe", "wang2019deepupe", "Its weights are not in the released repository."),
        OURS,
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
        own("1. U-Net (3.0k params)", "niid-unet", "niid-unet"),
        own("2. cGAN (3.0k params)", "niid-unet", "niid-cgan"),
        own("3. w/o L_h, w/o L_s, w/o L_p, w/o L_i", "niid", "niid-mse", restore=False),
        own("4. with L_h, w/o L_s, w/o L_p, w/o L_i", "niid", "niid-h", restore=False),
        own("5. with L_h, with L_s, w/o L_p, w/o L_i", "niid", "niid-h-s", restore=False),
        own("6. with L_h, with L_s, with L_p, w/o L_i", "niid", "niid-h-s-p", restore=False),
        own("7. Dwindling model (1.5k params)", "niid", "niid-dwindling", restore=False, size="dwindling"),
        own("8. Enlarging model (9.1k params)", "niid", "niid-enlarging", restore=False, size="enlarging"),
        own("9. Proposed (2.7k params)", "niid", "niid-enhance", restore=False),
    ),
    panels=(Panel("Retouched COCO", "coco-retouch", "label", (ALL,), (PSNR, SSIM)),),
)

FIGURE_9 = Table(
    number="fig9",
    label="Figure 9",
    title="face detection on enhanced images of DARK FACE",
    caption='Face detection result comparison: average precisions after enhancing with different methods. "dark" means the result of '
    "original images without any pre-processing.",
    protocol="niid",
    rows=(
        Row("dark", "identity", unlike=""),
        MF,
        OURS,
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
