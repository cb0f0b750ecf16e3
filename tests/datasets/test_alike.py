"""Pictures of one scene are found at any exposure, turned and mirrored, and no two scenes are taken for one."""

from __future__ import annotations

import itertools
from pathlib import Path

import numpy as np
import pytest
from scipy.stats import rankdata
from skimage import data

from benchtool.core.images import read_image
from benchtool.core.pool import run_batch
from benchtool.datasets.check import alike
from benchtool.datasets.check.read import LUMA

PHOTOS = ("astronaut", "chelsea", "coffee", "rocket")


def grey(pixels: np.ndarray) -> np.ndarray:
    return pixels.astype(np.float32) @ LUMA / 255


def exposed(luminance: np.ndarray, ev: float) -> np.ndarray:
    """At another exposure, in 8 bits, through a camera's curve."""
    return (np.round(np.clip(luminance**2.2 * 2**ev, 0, 1) ** (1 / 2.2) * 255) / 255).astype(np.float32)


def test_cosines_of_a_turned_picture_are_those_of_the_picture_turned() -> None:
    picture = alike.picture_print(grey(data.astronaut()))
    for turn in alike.TURNS:
        really = alike.picture_print(alike.turned(picture.small / np.float32(65535), turn))
        np.testing.assert_allclose(alike._turned_waves(picture.waves[None], turn)[0], really.waves, atol=2e-3)


@pytest.mark.parametrize(("turn", "name"), alike.TURNS.items())
def test_names_of_turns(turn: tuple[int, int, int], name: str) -> None:
    picture = np.arange(6).reshape(2, 3)
    named = {
        "as it is": picture, "mirrored": np.fliplr(picture), "upside down and mirrored": np.flipud(picture), "transposed": picture.T,
        "rotated by 180 degrees": np.rot90(picture, 2), "rotated by 90 degrees counter-clockwise": np.rot90(picture),
        "rotated by 90 degrees clockwise": np.rot90(picture, -1), "transposed and rotated by 180 degrees": np.rot90(picture, 2).T,
    }  # fmt: skip
    assert np.array_equal(alike.turned(picture, turn), named[name])


def test_exposure_does_not_change_similarity() -> None:
    photo = grey(data.coffee())
    waves = [alike.picture_print(exposed(photo, ev)).waves for ev in (-3, 0, 1)]
    assert min(float((a * b).sum()) for a, b in itertools.combinations(waves, 2)) > 0.8


def test_every_turn_of_every_photo_is_found_and_no_other() -> None:
    photos = [grey(getattr(data, name)()) for name in PHOTOS]
    pictures = [*photos, *(exposed(alike.turned(photo, turn), -2) for photo in photos for turn in alike.TURNS)]
    prints = [alike.picture_print(p) for p in pictures]
    for k, (photo, turn) in enumerate(itertools.product(range(len(photos)), alike.TURNS), len(photos)):
        matches = list(alike.find([*prints[: len(photos)], prints[k]], range(len(photos) + 1)))
        assert [(m.sure, m.candidate.first, m.candidate.second) for m in matches] == [(True, photo, len(photos))]
        turned_back = alike.turned(alike.turned(photos[photo], turn), matches[0].candidate.turn)
        assert turned_back.shape == photos[photo].shape and np.array_equal(turned_back, photos[photo])


def test_second_look_is_the_brute_force_mean_of_cosines() -> None:
    """The agreement, against a loop over shifts and pixels."""
    a, b = (alike.picture_print(grey(photo)).small for photo in (data.astronaut(), np.roll(data.astronaut(), (24, -40), (0, 1))))
    first, second = alike._gradients(a), alike._gradients(b)
    best = (0.0, 0.0)
    for down, right in itertools.product(range(-alike.REACH, alike.REACH + 1), repeat=2):
        ys, xs = (slice(max(0, d), alike.SIDE + min(0, d)) for d in (down, right))
        yo, xo = (slice(max(0, -d), alike.SIDE - max(0, d)) for d in (down, right))
        product = (first[ys, xs] * np.conj(second[yo, xo])).real
        both = (first[ys, xs] != 0) & (second[yo, xo] != 0)
        total, count = float(product[both].sum()), max(1, int(both.sum()))
        best = max(best, (total / count**0.5, total / count))
    agreement, weight = alike.look(a, b)
    assert agreement == pytest.approx(best[1], abs=1e-3) and weight == pytest.approx(best[0], rel=1e-3)
    assert agreement > alike.SURE


def test_ranks_are_those_of_scipy() -> None:
    values = np.random.default_rng(0).integers(0, 9, (6, 7)).astype(np.float32)
    assert np.array_equal(alike.ranks(values), rankdata(values).reshape(6, 7))


def test_blank_pictures_are_not_compared() -> None:
    noise = np.random.default_rng(0).integers(0, 2, (300, 300)) / np.float32(255)
    for picture in (np.zeros((40, 60)), np.full((40, 60), 1.0), np.tile(np.linspace(0.2, 0.8, 200), (100, 1)), noise):
        assert alike.picture_print(picture).waves is None
    assert alike.candidates([alike.picture_print(np.zeros((9, 9)))] * 3, "abc") == []


def test_candidates_are_those_of_comparing_one_by_one(monkeypatch: pytest.MonkeyPatch) -> None:
    """Blocks, scenes and the limit of looks, against plain loops."""
    draw = np.random.default_rng(1)
    waves = draw.standard_normal((60, alike.WAVES, alike.WAVES)).astype(np.float32)
    waves[30:] += 1.2 * waves[:30]
    waves /= np.linalg.norm(waves.reshape(60, -1), axis=1)[:, None, None]
    prints = [alike.Print(np.zeros((1, 1), np.uint16), one) for one in waves]
    scenes = [f"s{k % 11}" for k in range(60)]
    monkeypatch.setattr(alike, "BLOCK", 7)
    monkeypatch.setattr(alike, "CANDIDATE", 0.2)
    found: dict[frozenset[str], list[tuple[float, int, int]]] = {}
    for turn, (i, j) in itertools.product(alike.TURNS, itertools.combinations(range(60), 2)):
        value = float((waves[i] * alike._turned_waves(waves[j][None], turn)[0]).sum())
        if scenes[i] != scenes[j] and value >= 0.2:
            found.setdefault(frozenset((scenes[i], scenes[j])), []).append((-value, i, j))
    wanted = sorted(one for of_pair in found.values() for one in sorted(of_pair)[: alike.LOOKS])
    got = alike.candidates(prints, scenes)
    assert [(c.first, c.second) for c in got] == [(i, j) for _, i, j in wanted] and len(got) > 60
    assert [c.similarity for c in got] == pytest.approx([-v for v, _, _ in wanted], abs=1e-5)


def test_a_scene_under_three_names_is_told_of_without_every_pair() -> None:
    prints = [alike.picture_print(exposed(grey(data.astronaut()), ev)) for ev in (-2, -1, 0)]
    matches = list(alike.find(prints, "abc"))
    assert len(matches) == 2 and {n for m in matches for n in (m.candidate.first, m.candidate.second)} == {0, 1, 2}


def print_of(path: Path) -> alike.Print:
    return alike.picture_print(grey(read_image(path)))


@pytest.mark.slow
def test_brackets512(real_data: Path) -> None:
    """Every shot under a name of its own: all 118 scenes and at least 98 % of the pairs of shots are found, and no false pair."""
    paths = sorted((real_data / "stacks" / "brackets512").glob("*/*.JPG"))
    prints: dict[str, alike.Print] = {}
    assert not run_batch(print_of, [(str(p), p) for p in paths], prints.__setitem__, label="read")
    shots = [prints[str(p)] for p in paths]
    scenes = [p.parent.name for p in paths]
    pairs = sum(a == b for a, b in itertools.combinations(scenes, 2))
    sure, likely = set(), set()
    for candidate in alike.candidates(shots, range(len(shots))):
        if match := alike.compare(shots, candidate):
            (sure if match.sure else likely).add((candidate.first, candidate.second))
    right = {(a, b) for a, b in sure if scenes[a] == scenes[b]}
    whole = {scenes[a] for a, _ in right}
    false_likely = [pair for pair in likely - sure if scenes[pair[0]] != scenes[pair[1]]]
    print(f"{len(paths)} shots, {len(right)} of {pairs} pairs ({len(right) / pairs:.2%}), {len(whole)} of {len(set(scenes))} scenes; "
          f"false: {len(sure - right)} errors, {len(false_likely)} warnings")  # fmt: skip
    assert len(right) >= 0.98 * pairs and whole == set(scenes) and sure == right
    assert list(alike.find(shots, scenes)) == []


@pytest.mark.slow
def test_pieces_of_photographs(real_data: Path) -> None:
    """Hard cases: quarters of photographs, ninths of large ones, many of them sky or wall alone. No two are taken for one scene."""
    paths = sorted((real_data / "photos").glob("*/*.[jp][pn]g")) + sorted((real_data / "stacks" / "brackets512").glob("*/4.JPG"))
    pieces = []
    for path in paths:
        photo = grey(read_image(path))
        parts = 3 if path.parent.name == "kodak" else 2
        pieces += [alike.picture_print(piece) for row in np.array_split(photo, parts) for piece in np.array_split(row, parts, axis=1)]
    matches = list(alike.find(pieces, range(len(pieces))))
    print(f"{len(pieces)} pieces of {len(paths)} photographs; false: {sum(m.sure for m in matches)} errors, {len(matches)} matches in all")
    assert len(pieces) > 900 and not any(m.sure for m in matches) and len(matches) <= 5
