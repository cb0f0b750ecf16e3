"""MSEC: four U-Nets, each correcting one level of a Laplacian pyramid, and a discriminator that judges the result.

Afifi, Derpanis, Ommer, Brown, "Learning Multi-Scale Photo Exposure Correction", CVPR 2021, Sec. 4. The network works at 512 pixels;
bilateral guided upsampling restores the size.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from itertools import pairwise

import torch
from pydantic import NonNegativeInt, PositiveInt
from torch import Tensor, nn
from torch.nn import functional as F

from benchtool.core.errors import UserError
from benchtool.core.spec import Departure, MethodSpec
from benchtool.losses.pyramid import expand, gaussian_pyramid, laplacian_pyramid, low_pass
from benchtool.methods.base import Batch, Method, Stage
from benchtool.methods.blocks import bilateral_guided
from benchtool.methods.blocks.exposure_fusion import fuse
from benchtool.methods.blocks.msec_networks import CRITIC_SIDE, LEVELS, Discriminator, Generator

SPEC = MethodSpec(
    title="MSEC",
    citation="afifi2021msec",
    players=("model", "critic"),
    parameters=7_978_034,
    by_player={"model": 7_015_449, "critic": 962_585},
    published_parameters="7.04M (ENC Table 1)",
    faithful="paper",
    departures=(
        Departure(
            "adversarial loss",
            paper="trains the generator",
            released="output taken out of the graph and rounded to 8 bits before it is judged: no gradient, the generator trains on L1",
            ours="paper; adversarial: released for the other",
        ),
        Departure(
            "pyramid filter in training",
            paper="not given",
            released="5 taps (.05 .25 .4) applied twice, in effect 9, with zeros around what is enlarged",
            ours="released; pyramid_filter: binom5 for the textbook's",
        ),
        Departure(
            "pyramid filter at inference",
            paper="not given",
            released="the demos' path shadows it with the textbook's 5 taps",
            ours="that of training; inference_filter: binom5 for the demos'",
        ),
        Departure(
            "patches",
            paper="random 128, 256, 512",
            released="about 10, 6, 4 fixed ones an image, written as JPEG again; dark, bright and flat ones rejected",
            ours="new random crops of each image, rejected likewise; epochs times 10, 6, 4",
        ),
        Departure("horizontal flip", paper="not given", released="of a whole batch at once", ours="of each pair by itself"),
        Departure("initial weights", paper="not given", released="MATLAB's: He in the U-Nets, Glorot elsewhere, biases 0", ours="released"),
        Departure(
            "sizes that 128 does not divide",
            paper="not given",
            released="not trained on",
            ours="each U-Net pads its input by reflection and crops its output",
        ),
        Departure("order of a step", paper="not given", released="both gradients first, then discriminator, generator", ours="one by one"),
    ),
    licence="own code; published weights CC BY-NC-SA 4.0, not included",
    tiling="approximate",
    inference=512,
    check={"widths": (4, 4, 8, 16), "critic_width": 2, "long_side": 128},
)

PEAK = 255.0  # the network and its losses work on 0..255
FLOOR = 1e-9  # under the logarithms
ADVERSARIAL = ("working", "released")
RESTORE = ("guided", "resize")


def resize(image: Tensor, height: int, width: int) -> Tensor:
    """[B, 3, H, W] -> [B, 3, height, width], bicubic with antialiasing as `core.images.resize`, on the image's device; not clamped."""
    if image.shape[-2:] == (height, width):
        return image
    return F.interpolate(image, (height, width), mode="bicubic", antialias=True)


class MSEC(Method):
    """The generator with its losses, its discriminator, and its way to a photograph of any size.

    Args:
        widths: first widths of the four U-Nets, finest level first.
        pyramid_filter: `src9` (the released training's) or `binom5` (the textbook's), in inputs and targets.
        inference_filter: the same, of the inputs in `enhance`; None for that of training.
        long_side: pixels to which `enhance` brings the longer side, enlarging too; padded to a square at the top and left.
        scale: the vector S that the levels of a larger photograph are multiplied with, finest first.
        restore: how such a photograph gets its size back: `guided` (bilateral guided upsampling) or `resize` (bicubic).
        fusion: fuse input and output by their exposures (Mertens et al. 2007); not in the paper.
        stretch: stretch the output between the percentiles 1 and 99 of its red; not in the paper.
        adversarial: `working`, or `released`, where the loss is measured and no gradient reaches the generator.
        critic_width: channels after the discriminator's first layer; 0 for none.

    Raises:
        UserError: an option has a value that is not one of these.
    """

    def __init__(
        self,
        widths: Sequence[PositiveInt] = (16, 24, 24, 24),
        pyramid_filter: str = "src9",
        inference_filter: str | None = None,
        long_side: PositiveInt = 512,
        scale: Sequence[float] = (1.5, 1.5, 1.5, 1.05),
        restore: str = "guided",
        fusion: bool = False,
        stretch: bool = False,
        adversarial: str = "working",
        critic_width: NonNegativeInt = 8,
    ) -> None:
        super().__init__()
        for option, value, choices in (("adversarial", adversarial, ADVERSARIAL), ("restore", restore, RESTORE)):
            if value not in choices:
                raise UserError(f"msec: {option} '{value}' is not one of {', '.join(choices)}")
        if len(scale) != LEVELS:
            raise UserError(f"msec: scale needs {LEVELS} numbers, finest level first")
        self.pyramid_filter, self.inference_filter = pyramid_filter, inference_filter or pyramid_filter
        for name in (self.pyramid_filter, self.inference_filter):
            low_pass(name)
        self.long_side, self.scale, self.restore = long_side, tuple(scale), restore
        self.fusion, self.stretch, self.adversarial = fusion, stretch, adversarial
        self.generator = Generator(widths)
        self.discriminator = Discriminator(critic_width) if critic_width else None

    def trainable(self, player: str = "model") -> Iterator[tuple[str, nn.Parameter]]:
        part = "discriminator." if player == "critic" else "generator."
        return ((name, parameter) for name, parameter in self.named_parameters() if name.startswith(part))

    def forward(self, image: Tensor, scale: Sequence[float] = (1.0,) * LEVELS, name: str | None = None) -> list[Tensor]:
        """The generator at the image's own size: [B, 3, H, W] in [0, 1] -> Y_1 .. Y_4 of 0..255, not clamped.

        Args:
            scale: factors of the levels.
            name: the pyramid's filter; that of training where None.
        """
        pyramid = laplacian_pyramid(image * PEAK, LEVELS, name or self.pyramid_filter)
        return self.generator([level * factor for level, factor in zip(pyramid, scale)])

    def enhance(self, inputs: Tensor, exposures: Tensor | None = None) -> Tensor:
        return torch.cat([self._correct(image[:1]) for image in inputs])

    def _correct(self, image: Tensor) -> Tensor:
        """One photograph [1, 3, H, W] -> [1, 3, H, W], as the released demo."""
        height, width = image.shape[-2:]
        long, side = max(height, width), self.long_side
        small = resize(image, *(math.ceil(n * side / long) for n in (height, width)))
        top, left = side - small.shape[-2], side - small.shape[-1]
        square = F.pad(small, (left, 0, top, 0), mode="replicate")
        scale = self.scale if long > side else (1.0,) * LEVELS
        output = self(square, scale, self.inference_filter)[0][..., top:, left:] / PEAK
        guided = long > side and self.restore == "guided"
        output = bilateral_guided.upsample(small, output, image) if guided else resize(output, height, width)
        output = fused(image, output) if self.fusion else output
        return stretched(output) if self.stretch else output

    def losses(self, batch: Batch, stage: Stage, player: str = "model") -> dict[str, Tensor]:
        """Of `model` the pyramid's and, once the discriminator moves, `adversarial`; of `critic` the loss of that name.

        All of `model` are sums over an image, averaged over the batch.
        """
        if player == "critic":
            with torch.no_grad():
                fake = self(batch.inputs[:, 0])[0]
            real = torch.sigmoid(self.judge(batch.targets))
            return {"critic": -log(real) - log(1 - torch.sigmoid(self.judge(self.shown(fake))))}
        outputs = self(batch.inputs[:, 0])
        losses = self.pyramid_losses(outputs, batch.targets)
        if self.discriminator is not None and "adversarial" in stage.losses and "critic" not in stage.waiting:
            weight = 3 * LEVELS * math.prod(outputs[0].shape[-2:])
            losses["adversarial"] = -weight * log(torch.sigmoid(self.judge(self.shown(outputs[0]))))
        return losses

    def pyramid_losses(self, outputs: Sequence[Tensor], targets: Tensor) -> dict[str, Tensor]:
        """`reconstruction` of Y_1 and `pyramid` of Y_2 .. Y_4, absolute differences of 0..255; level l of these weighs 2^(l - 2).

        Args:
            outputs: what `forward` gives.
            targets: [B, 3, H, W] in [0, 1].
        """
        gaussian = gaussian_pyramid(targets * PEAK, LEVELS, self.pyramid_filter)
        wanted = [gaussian[0]] + [expand(coarse, fine.shape[-2:], self.pyramid_filter) for fine, coarse in pairwise(gaussian)]
        first, *others = ((output - target).abs().sum() / len(targets) for output, target in zip(outputs, wanted))
        return {"reconstruction": first, "pyramid": sum(2**k * loss for k, loss in enumerate(others))}

    def shown(self, output: Tensor) -> Tensor:
        """What the discriminator sees of an output of 0..255: [0, 1]; as released, whole numbers without a gradient."""
        if self.adversarial == "released":
            output = resize(output, CRITIC_SIDE, CRITIC_SIDE).detach().clamp(0, PEAK).round()
        return output / PEAK

    def judge(self, image: Tensor) -> Tensor:
        """Logits [B] of images [B, 3, H, W] in [0, 1], each flipped down, across or not at all, at random."""
        kinds = torch.randint(3, (len(image),)).tolist()
        flipped = torch.stack([one if kind == 2 else one.flip(1 + kind) for one, kind in zip(image, kinds)])
        return self.discriminator(resize(flipped, CRITIC_SIDE, CRITIC_SIDE))


def log(probability: Tensor) -> Tensor:
    """The mean logarithm of probabilities, none taken for less than FLOOR."""
    return probability.clamp_min(FLOOR).log().mean()


def fused(image: Tensor, output: Tensor) -> Tensor:
    """Exposure fusion of two images [1, 3, H, W] in [0, 1] (Mertens et al. 2007, exponents 1), on the CPU."""
    pair = [t[0].detach().clamp(0, 1).permute(1, 2, 0).to("cpu", torch.float64).numpy() for t in (image, output)]
    return torch.from_numpy(fuse(pair)).permute(2, 0, 1)[None].to(image)


def stretched(image: Tensor) -> Tensor:
    """Stretch between the percentiles 1 and 99 of the first channel, all channels alike, clipped: the released histAdjust."""
    red = (image[:, 0].clamp(0, 1) * PEAK).round().long().flatten()
    share = torch.bincount(red, minlength=256).cumsum(0) / len(red)
    low, high = int((share > 0.01).long().argmax()), int((share >= 0.99).long().argmax())
    low, high = (low / PEAK, high / PEAK) if low < high else (0.0, 1.0)
    return ((image - low) / (high - low)).clamp(0, 1)
