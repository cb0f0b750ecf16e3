"""The retouching module: Eq. 1 written out, fusion against OpenCV's, and coefficients that cannot be."""

from __future__ import annotations

import dataclasses

import cv2
import numpy as np
import pytest
from skimage import data

from benchtool.core.errors import UserError
from benchtool.datasets.retouch.retouching import IDENTITY, Coefficients, Retoucher, fuse, read_coefficients
from benchtool.datasets.retouch.smoothing import smooth


def photograph() -> np.ndarray:
    return cv2.resize(data.coffee(), (96, 64), interpolation=cv2.INTER_AREA).astype(np.float32) / 255


def test_equation_1() -> None:
    image = photograph()
    c = Coefficients(
        theta1=((0.01, 3.0), (0.02, 2.0)), theta2=((0.005, 3.0),), gamma1=(0.3,), gamma2=(0.5, 0.9), theta3=(1, 0.5, 2), alpha=0.6
    )
    stack = [image]
    for lam, sigma in c.theta1:
        lit = smooth(image.max(axis=2), lam, sigma).clip(1e-3, 1)[:, :, None]
        stack += [image / (lit**0.3 + 1e-3)]
    lit = smooth(1 - image.min(axis=2), 0.005, 3.0).clip(1e-3, 1)[:, :, None]
    stack += [1 - (1 - image) / (lit**gamma + 1e-3) for gamma in (0.5, 0.9)]
    fused = fuse([np.clip(picture, 0, 1).astype(np.float32) for picture in stack], (1, 0.5, 2))
    wanted = np.clip(fused + 0.6 * (fused - smooth(fused, *c.theta4)), 0, 1)
    np.testing.assert_allclose(Retoucher(image).retouch(c), wanted, atol=1e-5)


@pytest.mark.parametrize(
    "change",
    [
        {"theta1": ((0.05, 5.0),)}, {"theta2": ((0.05, 5.0),)}, {"theta3": (2.0, 1.0, 0.5)}, {"theta4": (0.05, 5.0)},
        {"gamma1": (0.9,)}, {"gamma2": (0.9,)}, {"alpha": 1.0},
    ],
)  # fmt: skip
def test_every_coefficient_matters(change: dict) -> None:
    retoucher = Retoucher(photograph())
    plain, changed = (retoucher.retouch(dataclasses.replace(Coefficients(), **part)) for part in ({}, change))
    assert np.abs(plain - changed).max() > 0.01


def test_dark_becomes_brighter_and_bright_darker() -> None:
    image = photograph()
    for level, direction in ((0.25 * image, 1), (0.75 + 0.25 * image, -1)):
        found = Retoucher(level).retouch(Coefficients())
        assert direction * (found.mean() - level.mean()) > 0.05 and found.min() >= 0 and found.max() <= 1


def test_the_identity_is_the_picture() -> None:
    np.testing.assert_array_equal(Retoucher(photograph()).retouch(IDENTITY), photograph())


def test_a_smoothing_is_solved_once(monkeypatch: pytest.MonkeyPatch) -> None:
    calls = []
    monkeypatch.setattr("benchtool.datasets.retouch.retouching.smooth", lambda plane, *theta, **_: calls.append(theta) or plane)
    retoucher = Retoucher(photograph())
    for gammas in ((0.1,), (0.2, 0.3), (0.4, 0.5, 0.6)):
        retoucher.stack(Coefficients(gamma1=gammas, gamma2=gammas))
    assert len(calls) == 2


@pytest.mark.parametrize("exponents", [(1, 1, 1), (1, 0, 2), (0.5, 2, 1)])
def test_fusion_is_opencvs(exponents: tuple[float, float, float]) -> None:
    """OpenCV's Mertens; no flat places, where contrast is its rounding."""
    chance = np.random.default_rng(0)
    scene = np.clip((cv2.GaussianBlur(chance.random((60, 83, 3)), (0, 0), 2) - 0.5) * 4 + 0.5, 0, 1)
    stack = [np.clip(scene + shift + chance.normal(0, 0.02, scene.shape), 0.02, 0.98) for shift in (-0.3, 0, 0.3)]
    whole = [np.round(picture * 255).astype(np.uint8) for picture in stack]
    wanted = cv2.createMergeMertens(*exponents).process(whole)
    np.testing.assert_allclose(fuse([picture / np.float32(255) for picture in whole], exponents), wanted, atol=5e-4)


def test_a_grey_photograph_is_fused_by_its_other_measures() -> None:
    grey = np.repeat(photograph()[:, :, :1], 3, axis=2)
    stack = [0.2 * grey, grey * 0.5 + 0.25]
    np.testing.assert_array_equal(fuse(stack), fuse(stack, (1, 0, 1)))
    assert np.abs(fuse(stack) - np.mean(stack, axis=0)).max() > 0.05


def test_flat_pictures_are_finite() -> None:
    for level in (0.0, 0.5, 1.0):
        found = Retoucher(np.full((40, 50, 3), level, np.float32)).retouch(Coefficients())
        assert np.isfinite(found).all() and np.ptp(found) < 1e-3


def test_coefficients_are_read_back() -> None:
    c = Coefficients(theta1=((0.02, 2.0),), gamma1=(0.1, 0.2, 0.3), alpha=0.5)
    assert read_coefficients(c.plain(), "here") == c and read_coefficients({}, "here") == Coefficients()


@pytest.mark.parametrize(
    ("values", "said"),
    [
        ({"gamma": [0.5]}, "no coefficient is called gamma"),
        ({"gamma1": [1.5]}, "gamma (0 to 1)"),
        ({"theta1": [[0.0, 3]]}, "lambda"),
        ({"theta4": [0.01, 50]}, "sigma"),
        ({"theta3": [1, 1]}, "theta3"),
        ({"alpha": "much"}, "alpha"),
        ({"gamma2": [0.5] * 9}, "at most 8"),
    ],
)
def test_impossible_coefficients_are_named(values: dict, said: str) -> None:
    with pytest.raises(UserError, match="choices, line 3") as error:
        read_coefficients(values, "choices, line 3")
    assert said in str(error.value)
