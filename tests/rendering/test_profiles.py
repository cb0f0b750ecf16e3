"""ICC matrix/TRC profiles: curves against their definitions, profiles against Little CMS, damage against clear errors."""

from __future__ import annotations

import io
import struct

import numpy as np
import pytest
from PIL import ImageCms

from benchtool.rendering.colour import D50, PROPHOTO_TO_XYZ
from benchtool.rendering.profiles import ProfileError, gamma_tag, matrix_profile, parse_profile

RAMP = np.linspace(0, 1, 65536)


def parametric_tag(function: int, *numbers: float) -> bytes:
    return struct.pack(">4sIHH", b"para", 0, function, 0) + struct.pack(f">{len(numbers)}i", *(round(n * 65536) for n in numbers))


def table_tag(values: np.ndarray) -> bytes:
    return struct.pack(">4sII", b"curv", 0, len(values)) + np.asarray(values, ">u2").tobytes()


def curve_of(tag: bytes) -> np.ndarray:
    (curve, *_) = parse_profile(matrix_profile(PROPHOTO_TO_XYZ, tag, "test")).curves
    return curve(RAMP)


def test_colorants_are_prophoto_as_published() -> None:
    """The values of Kodak's and Adobe's ProPhoto profiles, to the precision of their s15Fixed16 numbers."""
    matrix = parse_profile(matrix_profile(PROPHOTO_TO_XYZ, gamma_tag(1.8), "test")).to_xyz
    published = [[0.79767, 0.13519, 0.03134], [0.28804, 0.71188, 0.00009], [0.0, 0.0, 0.82491]]
    assert np.allclose(matrix, published, atol=2e-5)
    assert np.allclose(matrix.sum(axis=1), D50, atol=3e-5)


def test_gamma_is_rounded_as_in_kodaks_profile() -> None:
    assert np.array_equal(curve_of(gamma_tag(1.8)), RAMP ** (461 / 256))


def test_no_numbers_is_the_identity() -> None:
    assert np.array_equal(curve_of(table_tag(np.array([]))), RAMP)


def test_table_is_interpolated() -> None:
    table = np.round(np.linspace(0, 1, 1024) ** 2.2 * 65535)
    expected = curve_of(table_tag(table))
    assert np.allclose(expected[[0, 65535]], [0, 1])
    place = 0.3 * 1023  # between nodes 306 and 307
    between = table[306] + (place - 306) * (table[307] - table[306])
    assert np.interp(0.3, RAMP, expected) * 65535 == pytest.approx(between, abs=1e-3)


def test_parametric_curves_follow_the_specification() -> None:
    """ICC.1:2022 table 68, written out with the numbers as stored (sixteenths of 4096ths)."""
    g, a, b, c, d, e, f = (round(n * 65536) / 65536 for n in (2.4, 1 / 1.055, 0.055 / 1.055, 1 / 12.92, 0.04045, 0.01, 0.02))
    power = (a * RAMP + b) ** g
    assert np.array_equal(curve_of(parametric_tag(0, g)), RAMP**g)
    assert np.allclose(curve_of(parametric_tag(1, g, a, -0.5)), np.where(RAMP >= 0.5 / a, np.maximum(a * RAMP - 0.5, 0) ** g, 0))
    lifted = np.where(RAMP >= 0.5 / a, np.maximum(a * RAMP - 0.5, 0) ** g + c, c)
    assert np.allclose(curve_of(parametric_tag(2, g, a, -0.5, c)), lifted)
    assert np.allclose(curve_of(parametric_tag(3, g, a, b, c, d)), np.where(RAMP >= d, power, c * RAMP))
    shifted = np.where(RAMP >= d, power + e, c * RAMP + f)
    assert np.allclose(curve_of(parametric_tag(4, g, a, b, c, d, e, f)), np.clip(shifted, 0, 1))


@pytest.mark.parametrize(
    "tag", [gamma_tag(1.8), parametric_tag(3, 2.4, 1 / 1.055, 0.055 / 1.055, 1 / 12.92, 0.04045)], ids=["curv", "para"]
)
def test_little_cms_accepts_what_we_write(tag: bytes) -> None:
    profile = ImageCms.getOpenProfile(io.BytesIO(matrix_profile(PROPHOTO_TO_XYZ, tag, "A name")))
    assert profile.profile.profile_description == "A name"
    assert profile.profile.is_matrix_shaper
    assert np.allclose(np.array(profile.profile.red_colorant[0]), PROPHOTO_TO_XYZ[:, 0], atol=2e-5)


def test_srgb_of_little_cms_is_read() -> None:
    profile = parse_profile(ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes())
    encoded = np.array([0.0, 0.02, 0.5, 1.0])
    assert np.allclose(profile.curves[1](encoded), np.where(encoded < 0.04, encoded / 12.92, ((encoded + 0.055) / 1.055) ** 2.4), atol=1e-4)
    assert np.allclose(profile.to_xyz.sum(axis=1), D50, atol=1e-3)


def with_tag(name: bytes, replacement: bytes) -> bytes:
    return matrix_profile(PROPHOTO_TO_XYZ, gamma_tag(1.8), "test").replace(name, replacement)


@pytest.mark.parametrize(
    ("data", "said"),
    [
        (b"", "not an ICC profile"),
        (b"x" * 500, "not an ICC profile"),
        (with_tag(b"RGB ", b"CMYK"), "'CMYK' images"),
        (with_tag(b"RGB XYZ ", b"RGB Lab "), "lookup tables"),
        (with_tag(b"rXYZ", b"rQQQ"), "lookup tables"),
        (with_tag(b"cprt", b"A2B0"), "lookup tables"),
        (with_tag(b"curv\0", b"sixx\0"), "unknown kind 'sixx'"),
        (matrix_profile(PROPHOTO_TO_XYZ, parametric_tag(9, 1), "test"), "unknown kind 9"),
        (matrix_profile(PROPHOTO_TO_XYZ, parametric_tag(3, 2.4), "test"), "cut off"),
        (matrix_profile(PROPHOTO_TO_XYZ, parametric_tag(1, 2.4, 0, 0.1), "test"), "no slope"),
        (matrix_profile(PROPHOTO_TO_XYZ, parametric_tag(0, -2.4), "test"), "negative exponent"),
        (matrix_profile(PROPHOTO_TO_XYZ, struct.pack(">4sII", b"curv", 0, 2**31), "test"), "cut off"),
        (matrix_profile(np.ones((3, 3)), gamma_tag(1.8), "test"), "no colour space"),
    ],
)
def test_unusable_profiles_say_why(data: bytes, said: str) -> None:
    with pytest.raises(ProfileError, match=said):
        parse_profile(data)


def test_a_profile_cut_anywhere_is_refused() -> None:
    whole = matrix_profile(PROPHOTO_TO_XYZ, gamma_tag(1.8), "test")
    for length in range(0, len(whole) - 4, 7):  # the last four bytes hold two of padding
        with pytest.raises(ProfileError):
            parse_profile(whole[:length])


def test_random_damage_never_ends_in_another_error() -> None:
    random = np.random.default_rng(0)
    whole = np.frombuffer(matrix_profile(PROPHOTO_TO_XYZ, parametric_tag(4, 2.4, 0.9, 0.1, 0.1, 0.1, 0, 0), "test"), np.uint8)
    for _ in range(500):
        damaged = whole.copy()
        damaged[random.integers(0, len(whole), 4)] = random.integers(0, 256, 4)
        try:
            profile = parse_profile(damaged.tobytes())
        except ProfileError:
            continue
        for curve in profile.curves:
            assert np.all((curve(RAMP[::4096]) >= 0) & (curve(RAMP[::4096]) <= 1))
