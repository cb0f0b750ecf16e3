"""Exposure fusion of Mertens, Kautz and Van Reeth (Pacific Graphics 2007), with OpenCV's constants.

OpenCV's own `MergeMertens` adds up its threads' results in the order in which they finish, so that two calls differ in the last bits;
this one gives the same values, always the same.
"""

from __future__ import annotations

import cv2
import numpy as np

GREY = np.array([0.299, 0.587, 0.114])  # weights of the channels in the order of the image
EXPOSEDNESS = 0.2  # standard deviation around 1/2
FLOOR = 1e-12  # of a weight


def fuse(images: list[np.ndarray], grey: np.ndarray = GREY) -> np.ndarray:
    """Fuse images H x W x 3 in [0, 1] by contrast, saturation and well-exposedness, exponents 1; the result is not clamped.

    Args:
        grey: weights of R, G and B in the grey image whose Laplacian is the contrast.
    """
    weights = np.stack([quality(image, grey) for image in images])
    weights /= weights.sum(axis=0)
    levels = int(np.log2(min(images[0].shape[:2])))
    fused = None
    for image, weight in zip(images, weights):
        parts = [band * share[..., None] for band, share in zip(laplacian_pyramid(image, levels), gaussian_pyramid(weight, levels))]
        fused = parts if fused is None else [total + part for total, part in zip(fused, parts)]
    result = fused.pop()
    while fused:
        band = fused.pop()
        result = band + enlarged(result, band.shape)
    return result


def quality(image: np.ndarray, grey: np.ndarray = GREY) -> np.ndarray:
    """The weight [H, W] of each pixel of an image, not normalised."""
    contrast = np.abs(cv2.Laplacian(image @ grey, cv2.CV_64F))
    saturation = np.linalg.norm(image - image.mean(axis=-1, keepdims=True), axis=-1)
    exposedness = np.exp(-((image - 0.5) ** 2) / (2 * EXPOSEDNESS**2)).prod(axis=-1)
    return contrast * saturation * exposedness + FLOOR


def gaussian_pyramid(plane: np.ndarray, levels: int) -> list[np.ndarray]:
    """The plane and `levels` halvings of it."""
    pyramid = [plane]
    for _ in range(levels):
        pyramid.append(cv2.pyrDown(pyramid[-1]))
    return pyramid


def laplacian_pyramid(image: np.ndarray, levels: int) -> list[np.ndarray]:
    """What each level has over the enlarged next one, and the smallest itself."""
    pyramid = gaussian_pyramid(image, levels)
    return [level - enlarged(smaller, level.shape) for level, smaller in zip(pyramid, pyramid[1:])] + pyramid[-1:]


def enlarged(image: np.ndarray, shape: tuple[int, ...]) -> np.ndarray:
    """[h, w, 3] -> [H, W, 3] of a level above."""
    return cv2.pyrUp(image, dstsize=(shape[1], shape[0]))
