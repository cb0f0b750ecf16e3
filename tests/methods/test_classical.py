"""What all classical methods share: colours under a change of value, each image by itself, and which way exposure goes."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from made_images import enhanced, scene
from skimage import color

from benchtool.core.errors import UserError
from benchtool.core.images import read_image, resize
from benchtool.methods import create
from benchtool.methods.blocks.classical import positive, round_half_up, saturation, with_value, within

METHODS = ("he", "msr", "dong", "bpdhe", "dheci", "lime", "bimef", "dual")


def test_with_value_is_that_of_hsv() -> None:
    image = np.random.default_rng(0).random((9, 11, 3))
    image[0, 0] = 0
    value = np.random.default_rng(1).random((9, 11))
    hsv = color.rgb2hsv(image)
    np.testing.assert_allclose(saturation(image), hsv[..., 1], atol=1e-12)
    np.testing.assert_allclose(with_value(image, value), color.hsv2rgb(np.dstack([hsv[..., :2], value])), atol=1e-12)


def test_halves_go_up() -> None:
    np.testing.assert_array_equal(round_half_up([0.5, 1.5, 2.5, 2.4999]), [1, 2, 3, 2])


@pytest.mark.parametrize("value", [0, -1, float("nan"), float("inf")])
def test_not_positive(value: float) -> None:
    with pytest.raises(UserError, match="toy: size .* has to be over 0"):
        positive("toy", "size", value)


def test_not_within() -> None:
    within("toy", "share", 1, 0, 1)
    for value in (-0.1, 1.1, float("nan")):
        with pytest.raises(UserError, match="toy: share .* has to be from 0 to 1"):
            within("toy", "share", value, 0, 1)


@pytest.mark.parametrize(
    ("name", "options", "message"),
    [
        ("he", {"colour": "y"}, "colour 'y' is not one of rgb, v"),
        ("he", {"bins": 1}, "bins 1 has to be from 2 to 256"),
        ("msr", {"scales": ()}, "scales is empty"),
        ("msr", {"scales": (15, -80)}, "scales -80 has to be over 0"),
        ("msr", {"cut": 0.5}, "cut 0.5"),
        ("dong", {"strength": 1.5}, "strength 1.5"),
        ("dheci", {"mix": -0.5}, "mix -0.5"),
        ("lime", {"solver": "fast"}, "solver 'fast' is not one of sped-up, port, exact"),
        ("lime", {"strategy": 4}, "strategy '4' is not one of 1, 2, 3"),
        ("lime", {"solver": "port", "strategy": 1}, "strategy '1' is not one of 3"),
        ("lime", {"gamma": 0}, "gamma 0 has to be over 0"),
        ("bimef", {"mu": 0}, "mu 0"),
        ("bimef", {"k": -2}, "k -2"),
        ("dual", {"system": "exact"}, "system 'exact' is not one of port, symmetric"),
        ("dual", {"limit": 0}, "limit 0"),
    ],
)
def test_options_out_of_range(name: str, options: dict, message: str) -> None:
    with pytest.raises(UserError, match=f"{name}: {message}"):
        create(name, **options)


@pytest.mark.parametrize("name", METHODS)
def test_batch_and_type(name: str) -> None:
    """Each image of a batch is enhanced by itself; the type is the input's."""
    pair = np.stack([scene(20, 28), scene(20, 28, exposure=-2, seed=1)])
    batch = torch.from_numpy(pair).permute(0, 3, 1, 2)[:, None].float()
    method = create(name)
    together = method.enhance(batch)
    assert together.dtype == torch.float32
    torch.testing.assert_close(together, torch.cat([method.enhance(batch[:1]), method.enhance(batch[1:])]), rtol=0, atol=0)


@pytest.mark.parametrize("level", [0.0, 0.3, 1.0])
@pytest.mark.parametrize("name", ["he", "msr", "bpdhe", "dheci"])
def test_flat_images_stay(name: str, level: float) -> None:
    flat = np.full((12, 15, 3), level)
    np.testing.assert_allclose(enhanced(name, flat), flat, atol=1e-12)


@pytest.mark.parametrize("name", METHODS)
@pytest.mark.parametrize("shape", [(1, 1), (1, 7), (9, 1), (2, 2)])
def test_smallest_images(name: str, shape: tuple[int, int]) -> None:
    output = enhanced(name, np.random.default_rng(0).random((*shape, 3)))
    assert output.shape == (*shape, 3) and np.isfinite(output).all()


@pytest.mark.parametrize(("scene_name", "shot"), [("117", 4), ("082", 7)])
def test_which_way_real_photographs_go(real_data: Path, scene_name: str, shot: int) -> None:
    """A dark and a bright photograph: all but BPDHE brighten the dark one; of these only HE, DHECI and DUAL darken the bright one."""
    photo = resize(read_image(real_data / "stacks" / "brackets512" / scene_name / f"{shot}.JPG"), 120, 80) / 255
    mean = photo.mean()
    change = {name: np.clip(enhanced(name, photo), 0, 1).mean() - mean for name in METHODS}
    assert abs(change.pop("bpdhe")) < 0.02
    if mean < 0.5:
        assert min(change.values()) > 0.02, change
    else:
        assert {name for name, value in change.items() if value < 0} == {"he", "dheci", "dual"}, change
