"""Small made images for methods that need no training: smooth colours with edges, texture, and as dark or bright as asked for."""

from __future__ import annotations

import cv2
import numpy as np
import torch

from benchtool.methods import create


def scene(height: int, width: int, exposure: float = 0.0, seed: int = 0) -> np.ndarray:
    """H x W x 3 float64 in [0, 1] on 8 bits: a coarse colour field, two edges, fine noise, times 2^exposure, clipped."""
    generator = np.random.default_rng(seed)
    image = 0.2 + 0.5 * cv2.resize(generator.random((4, 5, 3)), (width, height), interpolation=cv2.INTER_LINEAR)
    image[height // 2 :] *= 0.6
    image[:, : width // 3] *= 0.7
    image += 0.02 * generator.standard_normal(image.shape)
    return np.floor(255 * np.clip(image * 2**exposure, 0, 1) + 0.5) / 255


def enhanced(name: str, image: np.ndarray, **options: object) -> np.ndarray:
    """`image` H x W x 3 through the method `name`, in double precision."""
    output = create(name, **options).enhance(torch.from_numpy(image).permute(2, 0, 1)[None, None])
    return output[0].permute(1, 2, 0).numpy()
