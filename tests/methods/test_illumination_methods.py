"""LIME, BIMEF and DUAL: their linear systems against dense ones written pixel by pixel, what the maps keep, and the methods' formulas."""

from __future__ import annotations

import cv2
import numpy as np
import pytest
from made_images import enhanced, scene

from benchtool.core.images import resize
from benchtool.methods import create
from benchtool.methods.bimef import best_exposure, dark_pixels, entropy, exposed, illumination_map
from benchtool.methods.blocks.exposure_fusion import fuse
from benchtool.methods.blocks.illumination import (
    divergence,
    enlarged,
    halvings,
    laplacian_spectrum,
    periodic_gradients,
    port_links,
    shrunk,
    smooth,
    smooth_exactly,
    sped_up_links,
)
from benchtool.methods.dual import eight_bit

EPS = 1e-3


def solve(start: np.ndarray, link) -> np.ndarray:
    """Dense: (1 + sum of links) T(p) - sum of link(p, q) T(q) = start(p), q the pixels right, left, below and above p."""
    height, width = start.shape
    system = np.eye(start.size)
    for y in range(height):
        for x in range(width):
            for dy, dx in ((0, 1), (0, -1), (1, 0), (-1, 0)):
                weight, q = link(y, x, dy, dx)
                if weight:
                    system[y * width + x, y * width + x] += weight
                    system[y * width + x, q] -= weight
    return np.linalg.solve(system, start.ravel()).reshape(start.shape)


def lime_slowly(start: np.ndarray, alpha: float, strategy: int, sigma: float) -> np.ndarray:
    height, width = start.shape
    gradients = [np.zeros_like(start), np.zeros_like(start)]
    gradients[0][:, :-1], gradients[1][:-1] = start[:, 1:] - start[:, :-1], start[1:] - start[:-1]

    def weight(axis: int, y: int, x: int) -> float:
        d, rows, columns = gradients[axis], height - axis, width - 1 + axis
        if strategy == 1:
            w = 1.0
        elif strategy == 2:
            w = 1 / (abs(d[y, x]) + EPS)
        else:
            reach = int(np.ceil(3 * sigma))
            near = [
                (np.exp(-((y - v) ** 2 + (x - u) ** 2) / (2 * sigma**2)), d[v, u])
                for v in range(max(y - reach, 0), min(y + reach + 1, rows))
                for u in range(max(x - reach, 0), min(x + reach + 1, columns))
            ]
            w = sum(g for g, _ in near) / (abs(sum(g * value for g, value in near)) + EPS)
        return alpha * w / (abs(d[y, x]) + EPS)

    def link(y: int, x: int, dy: int, dx: int) -> tuple[float, int]:
        if not (0 <= y + dy < height and 0 <= x + dx < width):
            return 0.0, 0
        return weight(abs(dy), min(y, y + dy), min(x, x + dx)), (y + dy) * width + x + dx

    return solve(start, link)


@pytest.mark.parametrize("strategy", [1, 2, 3])
def test_lime_solves_the_papers_system(strategy: int) -> None:
    start = scene(9, 12, -1).max(axis=-1)
    expected = lime_slowly(start, 0.15, strategy, 1.2)
    np.testing.assert_allclose(smooth(start, sped_up_links(start, 0.15, strategy, 1.2)), expected, atol=1e-8)


def port_slowly(start: np.ndarray, alpha: float, sigma: float) -> np.ndarray:
    height, width = start.shape

    def gradient(axis: int, y: int, x: int) -> float:
        at, size = (x, width) if axis == 1 else (y, height)
        if not 0 < at < size - 1:
            return 0.0  # the border is mirrored
        return start[y, x + 1] - start[y, x - 1] if axis == 1 else start[y + 1, x] - start[y - 1, x]

    def weight(axis: int, y: int, x: int) -> float:
        near = [
            (np.exp(-((y - v) ** 2 + (x - u) ** 2) / (2 * sigma**2)), gradient(axis, v, u))
            for v in range(max(y - 7, 0), min(y + 8, height))
            for u in range(max(x - 7, 0), min(x + 8, width))
        ]
        w = sum(g for g, _ in near) / (abs(sum(g * value for g, value in near)) + EPS)
        return alpha * w / (abs(gradient(axis, y, x)) + EPS)

    def link(y: int, x: int, dy: int, dx: int) -> tuple[float, int]:
        if not (0 <= y + dy < height and 0 <= x + dx < width):
            return 0.0, 0
        return weight(abs(dx), y + dy, x + dx), (y + dy) * width + x + dx  # weighed at the neighbour

    return solve(start, link)


def test_port_solves_its_own_system() -> None:
    start = scene(9, 11, -1).max(axis=-1)
    np.testing.assert_allclose(smooth(start, port_links(start, 0.15, 3.0)), port_slowly(start, 0.15, 3.0), atol=1e-8)


def test_the_map_keeps_mean_and_range() -> None:
    start = scene(60, 80, -1).max(axis=-1)
    smoothed = smooth(start, sped_up_links(start, 0.15, 3, 2.0))
    assert abs(smoothed.mean() - start.mean()) < 1e-9
    assert start.min() <= smoothed.min() and smoothed.max() <= start.max()
    assert smoothed.std() < 0.9 * start.std()
    np.testing.assert_allclose(smooth(start, sped_up_links(start, 1e-12, 1, 2.0)), start, atol=1e-8)
    flat = np.full((7, 9), 0.3)
    np.testing.assert_allclose(smooth(flat, sped_up_links(flat, 0.15, 3, 2.0)), flat, atol=1e-9)
    port = smooth(start, port_links(start, 0.15, 3.0))
    assert abs(port.mean() - start.mean()) > 1e-4, "links weighed at the other pixel do not keep the mean"
    assert start.min() <= port.min() and port.max() <= start.max()


def test_periodic_gradients_and_their_adjoint() -> None:
    generator = np.random.default_rng(0)
    plane, field = generator.random((7, 10)), generator.random((2, 7, 10))
    assert (periodic_gradients(plane) * field).sum() == pytest.approx((plane * divergence(field)).sum(), rel=1e-12)
    spectrum = np.fft.rfft2(divergence(periodic_gradients(plane)))
    np.testing.assert_allclose(spectrum, laplacian_spectrum(plane.shape) * np.fft.rfft2(plane), atol=1e-9)


def exact_slowly(start: np.ndarray, alpha: float, steps: int) -> np.ndarray:
    """The alternating directions with dense matrices, strategy 2."""
    height, width = start.shape
    shift = {axis: np.zeros((start.size, start.size)) for axis in (0, 1)}
    for y in range(height):
        for x in range(width):
            shift[1][y * width + x, y * width + (x + 1) % width] = 1
            shift[0][y * width + x, (y + 1) % height * width + x] = 1
    gradient = np.concatenate([shift[axis] - np.eye(start.size) for axis in (1, 0)])
    t0, penalty = start.ravel(), 0.3
    weight = alpha / (np.abs(gradient @ t0) + EPS)
    g = z = np.zeros(2 * start.size)
    for _ in range(steps):
        t = np.linalg.solve(2 * np.eye(start.size) + penalty * gradient.T @ gradient, 2 * t0 + gradient.T @ (penalty * g - z))
        moved = gradient @ t + z / penalty
        g = np.sign(moved) * np.maximum(np.abs(moved) - weight / penalty, 0)
        z = z + penalty * (gradient @ t - g)
        penalty *= 1.1
    return t.reshape(start.shape)


def test_exact_solver_is_the_dense_one() -> None:
    start = scene(7, 8).max(axis=-1)
    np.testing.assert_allclose(smooth_exactly(start, 0.08, 2, 2.0, steps=12), exact_slowly(start, 0.08, 12), atol=1e-9)


def test_exact_solver_finds_the_minimum() -> None:
    """With a constant penalty and enough steps, nothing near its result is better."""
    start, alpha = scene(8, 9, -1).max(axis=-1), 0.05

    def cost(plane: np.ndarray) -> float:
        return ((plane - start) ** 2).sum() + alpha * np.abs(periodic_gradients(plane)).sum()

    found = smooth_exactly(start, alpha, 1, 2.0, growth=1.0, steps=3000)
    generator = np.random.default_rng(0)
    assert cost(found) < 0.9 * min(cost(start), cost(np.full_like(start, start.mean())))
    for size in (1e-3, 1e-2, 1e-1):
        others = [found + size * generator.standard_normal(start.shape) for _ in range(30)]
        others += [found + size * (start - found), found + size * (start.mean() - found), found + size, found - size]
        assert min(map(cost, others)) > cost(found) - 1e-9


@pytest.mark.parametrize("solver", ["sped-up", "port", "exact"])
def test_lime_divides_by_a_power_of_the_map(solver: str) -> None:
    image = scene(24, 30, -2)
    method = create("lime", solver=solver, gamma=0.7)
    illumination = method.illumination(image)
    assert 0 < illumination.min() and illumination.max() <= 1
    output = enhanced("lime", image, solver=solver, gamma=0.7)
    np.testing.assert_allclose(output, image / illumination[..., None] ** 0.7, atol=1e-12)
    assert (output >= image - 1e-12).all(), "it never darkens"
    defaults = {"sped-up": (0.15, 2.0, 0.8), "port": (0.15, 3.0, 0.6), "exact": (0.08, 2.0, 0.8)}[solver]
    named = dict(zip(("alpha", "sigma", "gamma"), defaults))
    np.testing.assert_array_equal(enhanced("lime", image, solver=solver), enhanced("lime", image, solver=solver, **named))


@pytest.mark.parametrize(
    "option",
    [
        {"solver": "port"},
        {"solver": "exact"},
        {"strategy": 1},
        {"strategy": 2},
        {"alpha": 1.0},
        {"sigma": 5.0},
    ],
)
def test_lime_options_matter(option: dict) -> None:
    image = scene(24, 30, -2)
    assert np.abs(enhanced("lime", image, **option) - enhanced("lime", image)).max() > 1e-3


def test_the_map_is_solved_smaller_above_the_limit() -> None:
    assert [halvings((100, 100), limit) for limit in (10_000, 9_999, 2_500, 2_499)] == [0, 1, 1, 2]
    image = scene(60, 81, -2)
    full, half = enhanced("lime", image), enhanced("lime", image, limit=3000)
    error = np.sqrt(np.mean((np.clip(full, 0, 1) - np.clip(half, 0, 1)) ** 2))
    assert 0 < error < 0.06
    plane = image.max(axis=-1)
    assert shrunk(plane, 1).shape == (30, 41) and enlarged(shrunk(plane, 1), plane.shape).shape == plane.shape
    assert np.abs(enhanced("dual", image) - enhanced("dual", image, limit=3000)).max() > 0


def test_fusion_is_opencvs() -> None:
    generator = np.random.default_rng(0)
    for shape in ((40, 57), (5, 3), (1, 6)):
        images = [generator.integers(0, 256, (*shape, 3)).astype(np.uint8) for _ in range(3)]
        expected = cv2.createMergeMertens(1, 1, 1).process(images)
        np.testing.assert_allclose(fuse([image / 255 for image in images]), expected, atol=1e-5)


def test_dual_fuses_what_its_parts_are() -> None:
    """As the public version: BGR images, cut to 8 bits, OpenCV's fusion."""
    image = scene(33, 40, -1)
    method = create("dual")
    parts = [image, method.brightened(image), 1 - method.brightened(1 - image)]
    stored = [np.clip(255 * part + 1e-4, 0, 255).astype(np.uint8)[..., ::-1] for part in parts]
    expected = cv2.createMergeMertens(1, 1, 1).process([np.ascontiguousarray(one) for one in stored])[..., ::-1]
    difference = enhanced("dual", image) - expected
    assert np.sqrt(np.mean(difference**2)) < 10 ** (-50 / 20), "where the image is flat, OpenCV's weights are its rounding errors"
    np.testing.assert_allclose(eight_bit(image.astype(np.float32)), image, atol=1e-7)


def test_dual_brightens_by_the_ports_lime() -> None:
    image = scene(33, 40, -1)
    np.testing.assert_allclose(create("dual").brightened(image), enhanced("lime", image, solver="port"), atol=1e-12)
    symmetric = create("dual", system="symmetric", sigma=2.0, gamma=0.8)
    np.testing.assert_allclose(symmetric.brightened(image), enhanced("lime", image), atol=1e-12)


@pytest.mark.parametrize("system", ["port", "symmetric"])
def test_dual_of_the_negative_is_the_negative(system: str) -> None:
    """Under- and over-exposed exchange their parts, and no measure of the fusion tells them apart; 8 bits are cut, not rounded."""
    image = scene(33, 40, -1)
    negative = 1 - enhanced("dual", 1 - image, system=system)
    assert np.abs(negative - enhanced("dual", image, system=system)).mean() < 1.5 / 255


def test_dual_corrects_both_ways() -> None:
    dark, bright = scene(60, 80, -2), scene(60, 80, 1)
    assert enhanced("dual", dark).mean() > 1.5 * dark.mean()
    assert enhanced("dual", bright).mean() < 0.95 * bright.mean()


@pytest.mark.parametrize("option", [{"system": "symmetric"}, {"alpha": 1.0}, {"sigma": 1.0}, {"gamma": 0.9}])
def test_dual_options_matter(option: dict) -> None:
    image = scene(24, 30, -2)
    assert np.abs(enhanced("dual", image, **option) - enhanced("dual", image)).max() > 0.01


def bimef_map_slowly(start: np.ndarray) -> np.ndarray:
    height, width = start.shape

    def weight(axis: int, y: int, x: int) -> float:
        y, x = y % height, x % width

        def gradient(v: int, u: int) -> float:
            return (start[v, (u + 1) % width] if axis == 1 else start[(v + 1) % height, u]) - start[v, u]

        if axis == 1:
            total = sum(gradient(y, u) for u in range(max(x - 2, 0), min(x + 3, width)))
        else:
            total = sum(gradient(v, x) for v in range(max(y - 2, 0), min(y + 3, height)))
        return 0.5 / (abs(total) * abs(gradient(y, x)) + 1e-3)

    def link(y: int, x: int, dy: int, dx: int) -> tuple[float, int]:
        return weight(abs(dx), y + min(dy, 0), x + min(dx, 0)), (y + dy) % height * width + (x + dx) % width

    return solve(start, link)


def test_bimef_solves_its_periodic_system() -> None:
    image = scene(16, 22, -1)
    start = resize(image.max(axis=-1).astype(np.float32)[..., None], 11, 8)[..., 0].astype(np.float64)
    expected = resize(bimef_map_slowly(start).astype(np.float32)[..., None], 22, 16)[..., 0]
    smoothed = bimef_map_slowly(start)
    np.testing.assert_allclose(illumination_map(image), np.clip(expected, smoothed.min(), smoothed.max()), atol=1e-6)


def test_bimef_formula() -> None:
    image = scene(40, 50, -2)
    t = illumination_map(image)[..., None]
    k = best_exposure(dark_pixels(image, t[..., 0]))
    assert 1 < k < 7
    gamma = k**-0.3293
    longer = image**gamma * np.exp(1.1258 * (1 - gamma))
    np.testing.assert_allclose(enhanced("bimef", image), image * t**0.5 + (longer - 0.01) * (1 - t**0.5), atol=1e-12)
    gamma = 5**-0.3293
    longer = np.minimum(image**gamma * np.exp(1.1258 * (1 - gamma)), 1)
    np.testing.assert_allclose(enhanced("bimef", image, k=5, mu=0.8), image * t**0.8 + longer * (1 - t**0.8), atol=1e-12)


def test_bimef_searches_the_greatest_entropy() -> None:
    values = np.random.default_rng(0).random(2500) ** 2 * 0.3
    found = entropy(exposed(values, best_exposure(values)))
    assert found > max(entropy(exposed(values, k)) for k in np.linspace(1, 7, 61)) - 0.05
    assert entropy(values) < found - 0.3
    assert entropy(np.repeat([0.0, 0.2, 0.5, 1.0], 5)) == pytest.approx(2)


def test_bimef_leaves_an_image_without_dark_pixels() -> None:
    image = 0.6 + 0.3 * scene(30, 40)
    np.testing.assert_allclose(enhanced("bimef", image), image, atol=1e-12)


def test_bimef_of_black_beside_white() -> None:
    image = np.zeros((24, 24, 3))
    image[:, 12:] = 1
    assert np.isfinite(enhanced("bimef", image)).all()


def test_bimef_map_is_solved_smaller_above_the_limit() -> None:
    image = scene(40, 50, -2)
    half, quarter = illumination_map(image), illumination_map(image, limit=499)
    np.testing.assert_array_equal(illumination_map(image, limit=500), half)
    assert 0 < np.abs(half - quarter).mean() < 0.01
    assert np.abs(enhanced("bimef", image, limit=499) - enhanced("bimef", image)).max() > 0


def test_bimef_camera_is_not_used_in_the_search() -> None:
    image = scene(40, 50, -2)
    t = illumination_map(image)[..., None]
    k = best_exposure(dark_pixels(image, t[..., 0]))
    longer = exposed(image, k, -0.4, 1.0) - 0.01
    np.testing.assert_allclose(enhanced("bimef", image, a=-0.4, b=1.0), image * t**0.5 + longer * (1 - t**0.5), atol=1e-12)
