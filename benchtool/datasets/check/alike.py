"""Finds pictures of the same scene whatever their exposure, also turned or mirrored: candidates by their ranks, then a look at pixels.

Ranks of pixels do not change with exposure. The second look is orientation correlation: the directions of gradients, which do not
change either (Fitch, Kadyrov, Christmas and Kittler, "Orientation correlation", BMVC 2002), here weighed where both have detail.
"""

from __future__ import annotations

from collections.abc import Hashable, Iterator, Sequence
from dataclasses import dataclass

import cv2
import numpy as np
from scipy import fft

SIDE = 64  # pixels of the small square picture that is kept
RANKED = 32  # pixels of the side of what is ranked
WAVES = 12  # frequencies each way that are compared
REACH = 10  # pixels of SIDE by which a picture may be shifted
CANDIDATE = 0.50  # similarity of two pictures, -1..1, from which their pixels are looked at
SURE, LIKELY = 0.65, 0.50  # mean cosine between the gradients of one scene
SURE_WEIGHT, LIKELY_WEIGHT = 22.0, 18.0  # the same times the root of the number of pixels, so that few pixels say nothing
FINE, COARSE = 1.0, 3.0  # pixels of SIDE between which detail is compared (standard deviations of Gaussians)
STEEP, FAINT = 0.02, 1 / 2040  # gradients over two pixels that count: of the logarithm, and of the luminance, 0..1
LEAST = 200  # pixels of SIDE x SIDE with a gradient, below which a picture shows too little to be compared
LOOKS = 3  # pairs of pictures of two scenes that are looked at
BLOCK = 256  # pictures compared with all others at a time
TURNS = {
    (0, 0, 0): "as it is",
    (0, 0, 1): "mirrored",
    (0, 1, 0): "upside down and mirrored",
    (0, 1, 1): "rotated by 180 degrees",
    (1, 0, 0): "transposed",
    (1, 0, 1): "rotated by 90 degrees clockwise",
    (1, 1, 0): "rotated by 90 degrees counter-clockwise",
    (1, 1, 1): "transposed and rotated by 180 degrees",
}


@dataclass(frozen=True)
class Print:
    """What is kept of a picture.

    Attributes:
        small: SIDE x SIDE luminance, uint16, whatever the picture's shape.
        waves: WAVES x WAVES cosine coefficients of its ranks, float32 of unit length; None where it shows too little to be compared.
    """

    small: np.ndarray
    waves: np.ndarray | None


@dataclass(frozen=True)
class Candidate:
    """Two pictures, by their places, that may show one scene once the second is turned; similarity of their ranks, -1..1."""

    first: int
    second: int
    turn: tuple[int, int, int]
    similarity: float


@dataclass(frozen=True)
class Match:
    """A candidate whose pixels agree: `agreement` is the mean cosine of gradients; `sure`, or only likely."""

    candidate: Candidate
    agreement: float
    sure: bool


def picture_print(luminance: np.ndarray) -> Print:
    """What is compared of an H x W luminance, 0..1, encoded for display."""
    small = cv2.resize(luminance.astype(np.float32), (SIDE, SIDE), interpolation=cv2.INTER_AREA)
    kept = np.round(np.clip(small, 0, 1) * 65535).astype(np.uint16)
    shows = np.count_nonzero(_gradients(kept)) >= LEAST
    return Print(kept, _waves(small) if shows else None)


def _waves(small: np.ndarray) -> np.ndarray:
    """Low frequencies of the ranks; the square root of each keeps the lowest from outweighing the others."""
    waves = fft.dctn(ranks(cv2.resize(small, (RANKED, RANKED), interpolation=cv2.INTER_AREA)), norm="ortho")[:WAVES, :WAVES]
    waves[0, 0] = 0
    waves = np.sign(waves) * np.sqrt(np.abs(waves))
    return (waves / np.linalg.norm(waves)).astype(np.float32)


def ranks(values: np.ndarray) -> np.ndarray:
    """Places of the values in their order, from 1; equal ones share the mean of theirs."""
    _, place, counts = np.unique(values, return_inverse=True, return_counts=True)
    return (np.cumsum(counts) - (counts - 1) / 2)[place].reshape(values.shape)


def turned(pixels: np.ndarray, turn: tuple[int, int, int]) -> np.ndarray:
    """Transposed, then flipped top to bottom, then left to right, where these are 1. Pixels: H x W."""
    across, down, left = turn
    pixels = pixels.T if across else pixels
    return pixels[:: -1 if down else 1, :: -1 if left else 1]


def _turned_waves(waves: np.ndarray, turn: tuple[int, int, int]) -> np.ndarray:
    """N x WAVES x WAVES as if the pictures were turned: odd cosines change their sign in a flip."""
    across, down, left = turn
    signs = (-1.0) ** np.arange(WAVES, dtype=np.float32)
    waves = waves.transpose(0, 2, 1) if across else waves
    return waves * (signs[:, None] if down else 1) * (signs if left else 1)


def candidates(prints: Sequence[Print], scenes: Sequence[Hashable]) -> list[Candidate]:
    """Pairs of pictures of different `scenes` (one for each print) that may be of the same, most similar first; LOOKS of any two scenes.

    All are compared with all in 8 positions, by products of matrices: N x 144 floats and blocks of BLOCK x N are held.
    """
    at = np.array([n for n, one in enumerate(prints) if one.waves is not None], dtype=int)
    if len(at) < 2:
        return []
    waves = np.stack([prints[n].waves for n in at])
    numbers = {name: number for number, name in enumerate(dict.fromkeys(scenes))}
    scene = np.array([numbers[scenes[n]] for n in at])
    flat = waves.reshape(len(at), -1)
    found: dict[tuple[int, int], list[Candidate]] = {}
    for turn in TURNS:
        other = _turned_waves(waves, turn).reshape(len(at), -1)
        for begin in range(0, len(at), BLOCK):
            block = slice(begin, begin + BLOCK)
            similar = flat[block] @ other[begin:].T
            similar[scene[block][:, None] == scene[None, begin:]] = -1
            rows, columns = np.nonzero(np.triu(similar, 1) >= CANDIDATE)
            for k in _best(similar[rows, columns], scene[begin + rows], scene[begin + columns]):
                i, j = int(begin + rows[k]), int(begin + columns[k])
                pair = (min(scene[i], scene[j]), max(scene[i], scene[j]))
                found.setdefault(pair, []).append(Candidate(int(at[i]), int(at[j]), turn, float(similar[rows[k], columns[k]])))
    kept = (c for of_pair in found.values() for c in sorted(of_pair, key=_order)[:LOOKS])
    return sorted(kept, key=_order)


def _order(candidate: Candidate) -> tuple[float, int, int]:
    return -candidate.similarity, candidate.first, candidate.second


def _best(similar: np.ndarray, a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """Places of the LOOKS largest values of each unordered pair (a, b)."""
    low, high = np.minimum(a, b), np.maximum(a, b)
    order = np.lexsort((-similar, high, low))
    new = np.ones(len(order), dtype=bool)
    new[1:] = (np.diff(low[order]) != 0) | (np.diff(high[order]) != 0)
    begins = np.nonzero(new)[0]
    place = np.arange(len(order)) - begins[np.cumsum(new) - 1] if len(order) else order
    return order[place < LOOKS]


def look(first: np.ndarray, second: np.ndarray) -> tuple[float, float]:
    """How well the gradients of two SIDE x SIDE pictures agree at the best shift up to REACH.

    Returns:
        Their mean cosine where both have gradients, -1..1, and it times the root of the number of these pixels.
    """
    wide = SIDE + SIDE // 2  # room for shifts, so that opposite edges do not meet
    a, b = _gradients(first), _gradients(second)
    sums = fft.ifft2(fft.fft2(a, (wide, wide)) * np.conj(fft.fft2(b, (wide, wide)))).real
    spectra = [fft.rfft2((np.abs(g) > 0).astype(np.float32), (wide, wide)) for g in (a, b)]
    counts = np.maximum(fft.irfft2(spectra[0] * np.conj(spectra[1]), (wide, wide)), 1)
    near = np.ix_(*2 * [np.arange(-REACH, REACH + 1)])
    sums, counts = sums[near], counts[near]
    best = np.argmax(sums / np.sqrt(counts))
    return float(sums.flat[best] / counts.flat[best]), float(sums.flat[best] / np.sqrt(counts.flat[best]))


def _gradients(small: np.ndarray) -> np.ndarray:
    """Directions of gradients as complex numbers of length 1, 0 where there is none to speak of.

    Of the logarithm, without what changes slowly: skies of different scenes are lighter towards the horizon, too.
    """
    level = small.astype(np.float32) / 65535 + 1 / 255
    log = np.log(level)
    band = cv2.GaussianBlur(log, (0, 0), FINE) - cv2.GaussianBlur(log, (0, 0), COARSE)
    gradient = np.zeros(band.shape, np.complex64)
    gradient[1:-1, 1:-1] = band[1:-1, 2:] - band[1:-1, :-2] + 1j * (band[2:, 1:-1] - band[:-2, 1:-1])
    size = np.abs(gradient)
    counts = (size > STEEP) & (size * level > FAINT)
    return np.where(counts, gradient / np.maximum(size, 1e-12), 0).astype(np.complex64)


def compare(prints: Sequence[Print], candidate: Candidate) -> Match | None:
    """The candidate as a match where its pixels agree, None where they do not."""
    second = np.ascontiguousarray(turned(prints[candidate.second].small, candidate.turn))
    agreement, weight = look(prints[candidate.first].small, second)
    sure = agreement >= SURE and weight >= SURE_WEIGHT
    return Match(candidate, agreement, sure) if sure or (agreement >= LIKELY and weight >= LIKELY_WEIGHT) else None


def find(prints: Sequence[Print], scenes: Sequence[Hashable]) -> Iterator[Match]:
    """Pictures under different `scenes` that show the same one; scenes already known to be one are not compared again.

    Every scene that is another's double is in a match, though not in one with each of several doubles.
    """
    same: dict[Hashable, Hashable] = {}

    def root(scene: Hashable) -> Hashable:
        while scene in same:
            scene = same[scene]
        return scene

    likely: set[frozenset[Hashable]] = set()
    weak: list[tuple[Match, frozenset[Hashable]]] = []
    for candidate in candidates(prints, scenes):
        a, b = (root(scenes[n]) for n in (candidate.first, candidate.second))
        if a == b or (match := compare(prints, candidate)) is None:
            continue
        if match.sure:
            same[a] = b
            yield match
        elif (pair := frozenset((scenes[candidate.first], scenes[candidate.second]))) not in likely:
            likely.add(pair)
            weak.append((match, pair))
    for match, pair in weak:
        if len({root(scene) for scene in pair}) == 2:
            yield match
