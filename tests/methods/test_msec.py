"""MSEC: counts, layers and losses against independent formulations, the way to a photograph, its training."""

from __future__ import annotations

import csv
import gc
import math
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch
from made_training import make_dataset, moved, weights
from scipy import ndimage
from skimage import data, exposure
from torch import Tensor, nn
from torch.nn import functional as F

from benchtool.core import catalog
from benchtool.core.errors import UserError
from benchtool.core.images import resize
from benchtool.core.recipe import load_recipe
from benchtool.losses.pyramid import reconstruct
from benchtool.methods import create, load, msec
from benchtool.methods.base import Batch, Method, Stage, count_parameters
from benchtool.training import optimise

TINY = {"widths": (4, 4, 4, 4), "critic_width": 2, "long_side": 64}
ADVERSARIAL = Stage("s256", {"reconstruction": 1.0, "pyramid": 1.0, "adversarial": 1.0, "critic": 1.0})
RECIPES = ("msec", "msec-released", "msec-no-adv", "msec-no-adv-released")


def tiny(**options: object) -> Method:
    torch.manual_seed(0)
    return create("msec", **{**TINY, **options}).eval()


def batch(height: int = 128, width: int = 128) -> Batch:
    draw = torch.Generator().manual_seed(3)
    return Batch(torch.rand(2, 1, 3, height, width, generator=draw), torch.rand(2, 3, height, width, generator=draw))


def photograph(height: int, width: int) -> Tensor:
    return torch.from_numpy(data.astronaut()[:height, :width]).permute(2, 0, 1)[None].float() / 255


def test_parameters() -> None:
    with torch.device("meta"):
        both, alone = create("msec"), create("msec-no-adv")
    assert count_parameters(both.generator) == count_parameters(alone) == 7_015_449
    assert count_parameters(both.discriminator) == 962_585
    assert [count_parameters(net) for net in both.generator.nets] == [482_067, 1_083_675, 1_083_675, 4_365_915]
    assert [count_parameters(layer) for layer in both.generator.enlarge] == [39, 39, 39]
    built = {player: sum(p.numel() for _, p in both.trainable(player)) for player in ("model", "critic")}
    spec = catalog.facts("methods", "msec")
    assert built == spec.by_player == {"model": 7_015_449, "critic": 962_585}
    assert (spec.enhancing, spec.parameters) == (7_015_449, 7_978_034)


def reference_unet(net: nn.Module, x: Tensor) -> Tensor:
    """MATLAB's unetLayers written out, on the weights of `net`; plain ReLU after what enlarges, [up, skip]."""

    def twice(layers: nn.Sequential, x: Tensor) -> Tensor:
        for conv in (layers[0], layers[2]):
            x = F.conv2d(x, conv.weight, conv.bias, padding=1)
            x = torch.where(x > 0, x, 0.2 * x)
        return x

    skips = [twice(net.down[0], x)]
    for layers in net.down[1:]:
        skips.append(twice(layers, F.max_pool2d(skips[-1], 2)))
    x = skips.pop()
    for up, layers in zip(net.up, net.merge, strict=True):
        larger = F.conv_transpose2d(x, up.weight, up.bias, stride=2).clamp_min(0)
        x = twice(layers, torch.cat([larger, skips.pop()], dim=1))
    assert not skips
    return F.conv2d(x, net.out.weight, net.out.bias)


def test_generator_is_wired_as_released() -> None:
    """Y4 = U4(N4(X4)), Y3 = U3(N3(X3 + Y4) + Y4), Y2 = U2(N2(X2 + Y3) + Y3), Y1 = N1(X1 + Y2) + Y2, biases not zero."""
    torch.manual_seed(0)
    generator = tiny().generator.double()
    for parameter in generator.parameters():
        nn.init.normal_(parameter, std=0.2)
    x1, x2, x3, x4 = (torch.rand(2, 3, 128 // 2**k, 256 // 2**k, dtype=torch.float64) for k in range(4))
    n1, n2, n3, n4 = (lambda x, net=net: reference_unet(net, x) for net in generator.nets)
    u2, u3, u4 = (lambda x, u=u: F.conv_transpose2d(x, u.weight, u.bias, stride=2) for u in generator.enlarge)
    y4 = u4(n4(x4))
    y3 = u3(n3(x3 + y4) + y4)
    y2 = u2(n2(x2 + y3) + y3)
    for found, expected in zip(generator([x1, x2, x3, x4]), (n1(x1 + y2) + y2, y2, y3, y4), strict=True):
        torch.testing.assert_close(found, expected, rtol=1e-10, atol=1e-10)


@pytest.mark.parametrize("size", [(1, 1), (19, 33), (96, 130)])
def test_generator_takes_any_size(size: tuple[int, int]) -> None:
    outputs = tiny()(torch.rand(2, 3, *size))
    half = tuple(math.ceil(n / 2) for n in size)
    assert [tuple(y.shape[2:]) for y in outputs] == [size, size, half, tuple(math.ceil(n / 2) for n in half)]


def test_discriminator_layers() -> None:
    layers = create("msec").discriminator.layers
    sizes, x = [], torch.zeros(2, 3, 256, 256)
    for layer in layers:
        x = layer(x)
        if isinstance(layer, nn.Conv2d):
            sizes.append((layer.out_channels, x.shape[-1]))
    assert sizes == [(8, 128), (16, 64), (32, 32), (64, 16), (128, 8), (128, 4), (256, 2), (1, 1)]
    assert [i for i, layer in enumerate(layers) if isinstance(layer, nn.BatchNorm2d)] == [3]
    assert {layer.negative_slope for layer in layers if isinstance(layer, nn.LeakyReLU)} == {0.01}


def reference_targets(image: np.ndarray, taps: list[float], passes: int) -> list[np.ndarray]:
    """T_1 .. T_4 of one image [3, H, W] of 0..255, from the released code's description, by SciPy with taps in two dimensions."""
    kernel = np.outer(taps, taps)[None]

    def reduced(x: np.ndarray) -> np.ndarray:
        for _ in range(passes):
            x = ndimage.correlate(x, kernel, mode="reflect")
        return x[:, ::2, ::2]

    def enlarged(x: np.ndarray) -> np.ndarray:
        x = np.pad(x, ((0, 0), (1, 1), (1, 1)), mode="edge")
        y = np.zeros((3, 2 * x.shape[1], 2 * x.shape[2]))
        y[:, ::2, ::2] = 4 * x
        for _ in range(passes):
            y = ndimage.correlate(y, kernel, mode="constant")
        return y[:, 2:-2, 2:-2]

    gaussian = [image]
    for _ in range(3):
        gaussian.append(reduced(gaussian[-1]))
    return [image, *(enlarged(level) for level in gaussian[1:])]


@pytest.mark.parametrize(("name", "passes"), [("src9", 2), ("binom5", 1)])
def test_pyramid_losses(name: str, passes: int) -> None:
    """Target and output times 1, 1, 2, 4, absolute differences summed, divided by the size of the batch alone."""
    taps = {"src9": [0.05, 0.25, 0.4, 0.25, 0.05], "binom5": [1 / 16, 0.25, 0.375, 0.25, 1 / 16]}[name]
    method, given = tiny(pyramid_filter=name).double(), batch(64, 32)
    given = Batch(given.inputs.double(), given.targets.double())
    with torch.no_grad():
        outputs = [y.numpy() for y in method(given.inputs[:, 0])]
        found = method.losses(given, Stage("s128", {"reconstruction": 1.0, "pyramid": 1.0}))
    targets = [reference_targets(image * 255, taps, passes) for image in given.targets.numpy()]
    sums = [sum(np.abs(t[k] - y).sum() for t, y in zip(targets, outputs[k])) / 2 for k in range(4)]
    assert list(found) == ["reconstruction", "pyramid"]
    np.testing.assert_allclose(found["reconstruction"], sums[0], rtol=1e-12)
    np.testing.assert_allclose(found["pyramid"], sums[1] + 2 * sums[2] + 4 * sums[3], rtol=1e-12)


def test_adversarial_losses(monkeypatch: pytest.MonkeyPatch) -> None:
    """From given logits, one of them so low that the floor of 1e-9 acts: 12 H W times the mean for the generator, 1 for the critic."""
    method, logits = tiny(), {"fake": torch.tensor([-40.0, 1.5]), "real": torch.tensor([0.3, 2.0])}
    given = batch(64, 32)
    monkeypatch.setattr(method, "judge", lambda image: logits["real" if image is given.targets else "fake"])
    generator = method.losses(given, ADVERSARIAL)["adversarial"]
    critic = method.losses(given, ADVERSARIAL, "critic")
    real, fake = (1 / (1 + np.exp(-logits[which].double().numpy())) for which in ("real", "fake"))
    assert list(critic) == ["critic"]
    np.testing.assert_allclose(generator, -12 * 64 * 32 * (math.log(1e-9) + math.log(fake[1])) / 2, rtol=1e-6)
    np.testing.assert_allclose(critic["critic"], -np.log(real).mean() - np.log(1 - fake).mean(), rtol=1e-6)


def gradients(method: Method, player: str, loss: str) -> dict[str, Tensor | None]:
    method.train().zero_grad()
    torch.manual_seed(0)
    total = method.losses(batch(32, 32), ADVERSARIAL, player)[loss]
    if total.requires_grad:
        total.backward()
    return {name: None if p.grad is None else p.grad.clone() for name, p in method.named_parameters()}


def test_the_adversarial_loss_reaches_the_generator_where_it_works() -> None:
    working = gradients(tiny(), "model", "adversarial")
    assert all(g is not None and g.any() for name, g in working.items() if name.startswith("generator.nets.0"))
    released = gradients(tiny(adversarial="released"), "model", "adversarial")
    assert all(g is None for name, g in released.items() if name.startswith("generator."))


@pytest.mark.parametrize("adversarial", ["working", "released"])
def test_the_critics_loss_reaches_the_critic_alone(adversarial: str) -> None:
    found = gradients(tiny(adversarial=adversarial), "critic", "critic")
    assert all((g is not None) == name.startswith("discriminator.") for name, g in found.items())


def test_what_the_critic_sees() -> None:
    """As released: at 256 x 256 in 8 bits; the working path neither rounds nor clips, nor takes the image out of the graph."""
    output = (torch.rand(2, 3, 64, 64) * 300 - 20).requires_grad_()
    seen = tiny(adversarial="released").shown(output)
    assert seen.shape == (2, 3, 256, 256) and not seen.requires_grad
    assert torch.equal((seen * 255).round().clamp(0, 255) / 255, seen) and seen.min() == 0 and seen.max() == 1
    assert torch.equal(tiny().shown(output), output / 255)


def test_the_critics_images_are_flipped_by_thirds(monkeypatch: pytest.MonkeyPatch) -> None:
    method, image = tiny(), torch.rand(1, 3, 256, 256)
    seen: list[Tensor] = []
    monkeypatch.setattr(method.discriminator, "forward", lambda x: seen.append(x) or x)
    torch.manual_seed(0)
    method.judge(image.expand(60, -1, -1, -1))
    kinds = {"down": image.flip(2), "across": image.flip(3), "none": image}
    counts = {kind: sum(torch.equal(one, wanted[0]) for one in seen[0]) for kind, wanted in kinds.items()}
    assert sum(counts.values()) == 60 and min(counts.values()) > 10


def test_adversarial_waits_for_the_critic() -> None:
    method, given = tiny(), batch(32, 32)
    early = Stage("s256", ADVERSARIAL.losses, waiting=("critic",))
    assert list(method.losses(given, early)) == ["reconstruction", "pyramid"]
    assert list(method.losses(given, ADVERSARIAL)) == ["reconstruction", "pyramid", "adversarial"]
    assert "adversarial" not in create("msec-no-adv", widths=(4, 4, 4, 4)).losses(given, ADVERSARIAL)


# --- the way to a photograph, with a generator that gives back the image of its pyramid


def seeing(method: Method, name: str = "src9") -> list[Tensor]:
    """Let the generator reconstruct; returns what it was given."""
    given: list[Tensor] = []
    method.generator.forward = lambda pyramid: [given.append(reconstruct(pyramid, name)) or given[-1]]
    return given


def test_resize_is_the_one_of_images() -> None:
    image = photograph(50, 71)
    for height, width in ((20, 90), (31, 31), (100, 142)):
        ours = msec.resize(image, height, width)[0].permute(1, 2, 0).numpy()
        np.testing.assert_allclose(ours, resize(image[0].permute(1, 2, 0).numpy(), width, height), rtol=0, atol=1e-5)


@pytest.mark.parametrize(
    ("height", "width", "top", "left"), [(100, 200, 32, 0), (96, 72, 0, 16), (32, 16, 0, 32), (64, 64, 0, 0), (5, 7, 18, 0)]
)
def test_photographs_are_brought_to_a_square(height: int, width: int, top: int, left: int) -> None:
    method = tiny(scale=(1, 1, 1, 1))
    given, image = seeing(method), photograph(height, width)
    output = method.enhance(image[:, None])
    small = msec.resize(image, 64 - top, 64 - left)
    expected = F.pad(small, (left, 0, top, 0), mode="replicate") * 255
    torch.testing.assert_close(given[0], expected, rtol=0, atol=1e-2)
    if max(height, width) > 64:  # an unchanged pair upsampled by its guide: the photograph itself
        torch.testing.assert_close(output, image, rtol=0, atol=1e-3)
    else:
        torch.testing.assert_close(output, msec.resize(small, height, width), rtol=0, atol=1e-4)


def test_larger_photographs_have_their_levels_scaled() -> None:
    flat = torch.full((1, 1, 3, 100, 100), 0.5)
    method = tiny(scale=(7, 7, 7, 1.25), pyramid_filter="binom5", restore="resize")
    seeing(method, "binom5")
    torch.testing.assert_close(method.enhance(flat), flat[:, 0] * 1.25, rtol=0, atol=1e-4)
    torch.testing.assert_close(method.enhance(flat[..., :64, :64]), flat[:, 0, :, :64, :64], rtol=0, atol=1e-4)
    assert create("msec", widths=(4,) * 4).scale == (1.5, 1.5, 1.5, 1.05)


def test_restore() -> None:
    """Guided keeps what 64 pixels cannot hold, bicubic does not."""
    image = photograph(256, 256)
    errors = {}
    for restore in msec.RESTORE:
        method = tiny(scale=(1, 1, 1, 1), restore=restore)
        seeing(method)
        errors[restore] = float((method.enhance(image[:, None]) - image).square().mean().sqrt())
    assert errors["guided"] < 1e-3 < 0.03 < errors["resize"]


def test_inference_filter() -> None:
    image = photograph(64, 64)
    plain, other = tiny(), tiny(inference_filter="binom5")
    expected = tiny(pyramid_filter="binom5").enhance(image[:, None])
    assert torch.equal(other.enhance(image[:, None]), expected)
    assert not torch.allclose(plain.enhance(image[:, None]), expected, atol=1e-3)
    assert torch.equal(plain(image)[0], other(image)[0])  # training has its own


def test_fusion() -> None:
    image = photograph(64, 48)
    output = tiny().enhance(image[:, None])
    eight = [(t[0].clamp(0, 1).permute(1, 2, 0).detach().numpy() * 255).round().astype(np.uint8) for t in (image, output)]
    expected = cv2.createMergeMertens(1, 1, 1).process(eight)
    found = tiny(fusion=True).enhance(image[:, None])[0].permute(1, 2, 0).detach().numpy()
    np.testing.assert_allclose(found, expected, rtol=0, atol=0.02)
    for level, size in ((0.0, (1, 1)), (1.0, (3, 8))):
        assert torch.isfinite(tiny(fusion=True).enhance(torch.full((1, 1, 3, *size), level))).all()


def test_stretch() -> None:
    """All channels between the percentiles of the first."""
    image = photograph(200, 200) * 0.5 + 0.2
    low, high = np.percentile((image[0, 0] * 255).round().numpy(), (1, 99)) / 255
    expected = exposure.rescale_intensity(image.numpy(), in_range=(low, high), out_range=(0.0, 1.0))
    np.testing.assert_allclose(msec.stretched(image).numpy(), expected, rtol=0, atol=0.01)
    flat = torch.full((1, 3, 4, 4), 0.3)
    torch.testing.assert_close(msec.stretched(flat), flat)
    method = tiny()
    with torch.no_grad():
        output = method.enhance(image[:, None])
        torch.testing.assert_close(tiny(stretch=True).enhance(image[:, None]), msec.stretched(output))


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"pyramid_filter": "box"}, "'box' is not one of src9, binom5"),
        ({"inference_filter": "box"}, "'box' is not one of src9, binom5"),
        ({"restore": "best"}, "'best' is not one of guided, resize"),
        ({"adversarial": "no"}, "'no' is not one of working, released"),
        ({"scale": (1, 2)}, "4 numbers"),
        ({"widths": (4, 4)}, "give 4"),
    ],
)
def test_wrong_options(options: dict, message: str) -> None:
    with pytest.raises(UserError, match=message):
        tiny(**options)


# --- recipes and training


@pytest.mark.parametrize("name", RECIPES)
def test_stages_are_those_of_the_paper(name: str) -> None:
    """Patches, batches, and the learning rate halved every 20, 10, 5 epochs of the released 40, 30, 20."""
    stages = load_recipe(name).stages
    assert [(s.patch, s.batch, s.epochs) for s in stages] == [(128, 32, 400), (256, 8, 180), (512, 4, 80)]
    for stage, released, every in zip(stages, (40, 30, 20), (20, 10, 5)):
        steps = released * 7
        rates = [optimise.rate(stage.schedule, step, steps) for step in range(steps)]
        assert rates == [0.5 ** (step // 7 // every) for step in range(steps)]
        assert stage.optimizer.lr == 1e-4 and stage.optimizer.betas == (0.9, 0.999)
        critic = stage.players.get("critic")
        if "no-adv" in name or stage is stages[0]:
            assert critic is None and set(stage.losses) == {"reconstruction", "pyramid"}
        else:
            patches, epochs = stage.epochs // released, {256: 15, 512: 5}[stage.patch]
            assert critic.from_epoch == epochs * patches + 1 and critic.before == "model" and critic.optimizer.lr == 1e-5


def test_every_difference_is_told() -> None:
    departures = {d.name for d in catalog.facts("methods", "msec").departures}
    assert {"pyramid filter in training", "pyramid filter at inference", "patches", "adversarial loss"} <= departures
    [other] = catalog.facts("methods", "msec-no-adv").departures
    assert other.name == "everything but the adversarial loss" and "`methods show msec`" in other.ours


@pytest.fixture(scope="module")
def small_me(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_dataset(tmp_path_factory.mktemp("data")).folder


SMALL = ("-s", "options.widths=[4,4,4,4]", "-s", "options.long_side=32")


@pytest.mark.parametrize("name", ("msec", "msec-no-adv"))
def test_smoke(name: str, small_me: Path, tmp_path: Path, benchtool) -> None:
    """All three stages through the command line; what is loaded again is what was saved."""
    critic = ("-s", "options.critic_width=2") if name == "msec" else ()
    result = benchtool("train", name, "--data", small_me, "--out", tmp_path / "run", "--smoke", "--device", "cpu", *SMALL, *critic)
    assert result.code == 0, result.out + result.err
    stages = [weights(tmp_path / "run", "last", stage) for stage in ("s128", "s256", "s512")]
    changed = moved(stages[0], stages[1])
    assert any(key.startswith("generator.") for key in changed)
    assert any(key.startswith("discriminator.") for key in changed) == (name == "msec")
    method = load(str(tmp_path / "run")).method
    assert moved(dict(method.state_dict()), stages[2]) == set()
    image = torch.rand(1, 1, 3, 20, 31)
    assert torch.equal(method.enhance(image), load(str(tmp_path / "run")).method.enhance(image))


def test_the_critic_begins_when_the_recipe_says(small_me: Path, tmp_path: Path, benchtool, monkeypatch: pytest.MonkeyPatch) -> None:
    """Before: no adversarial loss, and weights as they were. From then on: both."""
    monkeypatch.setattr(gc, "collect", lambda *_: 0)  # Accelerate's, which takes longer than the training here
    recipe = tmp_path / "late.yaml"
    head = "method: msec\ndataset: me\nvalidate: none\noptions: {widths: [4, 4, 4, 4], critic_width: 2, long_side: 32}\n"
    players = "players: {critic: {optimizer: {lr: 1.0e-5}, before: model, from_epoch: 2}}"
    stage = f"batch: 6, patch: 32, losses: {{reconstruction: 1.0, adversarial: 1.0, critic: 1.0}}, {players}"
    recipe.write_text(f"{head}stages: [{{name: one, epochs: 1, {stage}}}, {{name: two, start: one.last, epochs: 2, {stage}}}]\n")
    result = benchtool("train", recipe, "--data", small_me, "--out", tmp_path / "run", "--device", "cpu")
    assert result.code == 0, result.out + result.err
    changed = moved(weights(tmp_path / "run", stage="one"), weights(tmp_path / "run", stage="two"))
    assert any(key.startswith("discriminator.") for key in changed)
    with open(tmp_path / "run" / "log.csv", newline="") as stream:
        rows = [(row["stage"], row["epoch"], bool(row["adversarial"]), bool(row["critic"])) for row in csv.DictReader(stream)]
    assert rows == [("one", "1", False, False), ("two", "1", False, False), ("two", "2", True, True)]
