"""`data prepare hdrplus` and `hdrplus-isp` on small bursts of our own DNGs: what is synthesised, what is refused, and resuming."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from skimage import data as photographs

from benchtool.core.errors import UserError
from benchtool.core.images import orient, read_picture, write_image
from benchtool.core.manifest import open_dataset
from benchtool.datasets.hdrplus_synthesis import Frame, exposure_time, extra_variance, read_frame, synthesise, ten_bits
from benchtool.datasets.prepare import prepare
from benchtool.rendering.dng_writer import Camera, write_dng

MATRIX = np.array([[0.6, -0.1, -0.06], [-0.5, 1.3, 0.2], [-0.1, 0.2, 0.5]])
Noise = tuple[float, float] | None
NOISE = (2e-4, 1e-6)
BLACK, WHITE = 64, 1023
OPTIONS = {"test": 1}


def scene(size: tuple[int, int] = (320, 384)) -> np.ndarray:
    """Linear RGB in 0..0.4, as under-exposed as HDR+ frames are."""
    crop = photographs.astronaut()[100 : 100 + size[0], 64 : 64 + size[1]] / 255.0
    return 0.4 * crop**2.2


def mosaic_of(linear: np.ndarray, pattern: str, white: int = WHITE, black: int = BLACK) -> np.ndarray:
    channels = [["RGB".index(pattern[2 * y + x]) for x in range(2)] for y in range(2)]
    flat = np.empty(linear.shape[:2])
    for y in range(2):
        for x in range(2):
            flat[y::2, x::2] = linear[y::2, x::2, channels[y][x]]
    return np.round(flat * (white - black) + black).astype(np.uint16)


def dng(path: Path, linear: np.ndarray, pattern: str = "RGGB", white: int = WHITE, turned: int = 1, noise: Noise = NOISE) -> None:
    black = BLACK * (white + 1) // (WHITE + 1)
    camera = Camera("Nowhere 6P", MATRIX)
    about = {"pattern": pattern, "black": black, "white": white, "noise_profile": noise, "orientation": turned}
    write_dng(path, mosaic_of(linear, pattern, white, black), camera=camera, neutral=(0.5, 1, 0.6), **about)


def burst(root: Path, name: str, pattern: str = "RGGB", frames: int = 3, shift: int = 0, turned: int = 1, **more: object) -> None:
    """A burst whose frames differ by noise, its merged raw of more bits, and its JPEG, `shift` pixels off."""
    clean, rng = scene(), np.random.default_rng(sum(name.encode()))
    for k in range(frames):
        noisy = clean + rng.standard_normal(clean.shape) * np.sqrt(NOISE[0] * clean + NOISE[1])
        dng(root / "bursts" / name / f"payload_N{k:03}.dng", np.clip(noisy, 0, 1), pattern, turned=turned, **more)
    result = root / "results_20171023" / name
    dng(result / "merged.dng", clean, pattern, white=16383, turned=turned)
    (result / "reference_frame.txt").write_text(f"{frames - 1}\n")
    toned = np.roll((np.clip(clean * 2, 0, 1) ** 0.4 * 255).astype(np.uint8), shift, axis=1)
    write_image(result / "final.jpg", orient(toned, turned), quality=95)


@pytest.fixture
def archive(tmp_path: Path) -> Path:
    root = tmp_path / "hdr plus (subset)" / "20171106_subset"
    for name, pattern in (("0006_20160721_163256_525", "RGGB"), ("33TJ_20150606_224837_294", "BGGR"), ("5a9e_20150405_165352_614", "GRBG")):
        burst(root, name, pattern)
    return root.parent


def test_frames_are_packed_as_rggb_whatever_their_pattern(tmp_path: Path) -> None:
    linear = scene((30, 42))
    linear[:, :, 0], linear[:, :, 1], linear[:, :, 2] = 0.1, 0.2, 0.3
    for pattern in ("RGGB", "BGGR", "GRBG", "GBRG"):
        dng(tmp_path / f"{pattern}.dng", linear, pattern)
        frame = read_frame(tmp_path / f"{pattern}.dng")
        assert np.allclose(frame.planes, [0.1, 0.2, 0.2, 0.3], atol=1 / 900) and frame.noise.tolist() == [list(NOISE)] * 4, pattern
        assert frame.size == (42, 30) and frame.corner == divmod(pattern.index("R"), 2)


def test_planes_keep_their_places(tmp_path: Path) -> None:
    linear = scene((24, 32))
    dng(tmp_path / "a.dng", linear, "GBRG", white=16383)
    frame = read_frame(tmp_path / "a.dng")
    assert np.allclose(frame.planes[:, :, 0], linear[1::2, 0::2, 0][: len(frame.planes)], atol=1e-4)
    assert np.allclose(frame.planes[:, :, 3], linear[2::2, 1::2, 2], atol=1e-4)


def test_hdrplus(archive: Path, tmp_path: Path) -> None:
    out = prepare("hdrplus", archive, tmp_path / "out", options=OPTIONS, jobs=1)
    assert not out.failures and sorted(s.split for s in out.dataset.samples) == ["test", "train", "train"]
    for sample in out.dataset.samples:
        facts = out.dataset.facts.made["synthesis"][sample.sample]
        short, long, merged = (read_picture(out.dataset.path(i)).pixels for i in (*sample.inputs, *sample.targets))
        assert (sample.encoding_in, sample.encoding_target, sample.targets[0].role) == ("raw-rggb", "raw-rggb", "merged")
        assert short.dtype == long.dtype == np.uint16 and merged.dtype == np.float32 and short.shape == long.shape == merged.shape
        assert 2 <= facts["ratio"] <= 16 and [i.ev for i in sample.inputs] == [0, pytest.approx(np.log2(facts["ratio"]))]
        assert facts["short"] == "payload_N002.dng" != facts["long"]
        assert 0.005 < (long == 65535).mean() < 0.12
        level = 65535 / 1023
        assert np.allclose(long / level, np.round(long / level), atol=0.01)  # of ten bits
        good = (long > 3000) & (long < 60000)
        assert np.median(long[good] / 65535 / merged[good]) == pytest.approx(facts["ratio"], rel=0.02)
        assert np.median(short[good] / 65535 / merged[good]) == pytest.approx(1, abs=0.06)
    assert len({facts["ratio"] for facts in out.dataset.facts.made["synthesis"].values()}) == 3
    assert any("train 2 of 2,000, test 1 of 400" in note for note in out.notes)


def test_options_and_seeds_are_used(archive: Path, tmp_path: Path) -> None:
    fixed = OPTIONS | {"ratio_low": 4, "ratio_high": 4, "bursts": 2}
    one = prepare("hdrplus", archive, tmp_path / "a", options=fixed, jobs=1).dataset
    assert [facts["ratio"] for facts in one.facts.made["synthesis"].values()] == [pytest.approx(4)] * 2
    again = prepare("hdrplus", archive, tmp_path / "b", options=fixed, jobs=1).dataset
    other = prepare("hdrplus", archive, tmp_path / "c", options=fixed | {"seed": 1}, jobs=1).dataset
    assert one.facts.fingerprint == again.facts.fingerprint != other.facts.fingerprint
    with pytest.raises(UserError, match="give 1 <= low <= high"):
        prepare("hdrplus", archive, tmp_path / "d", options={"ratio_low": 8, "ratio_high": 4})


def test_finished_bursts_are_not_made_anew(archive: Path, tmp_path: Path) -> None:
    first = prepare("hdrplus", archive, tmp_path / "out", options=OPTIONS, jobs=1).dataset
    names = [s.sample for s in first.samples]
    gone = first.path(first.samples[0].inputs[1])
    stamps = {name: (tmp_path / "out" / "images" / name / "short.tif").stat().st_mtime_ns for name in names}
    gone.unlink()
    again = prepare("hdrplus", archive, tmp_path / "out", options=OPTIONS, jobs=1).dataset
    assert again.facts.fingerprint == first.facts.fingerprint and gone.is_file()
    changed = [name for name in names if (tmp_path / "out" / "images" / name / "short.tif").stat().st_mtime_ns != stamps[name]]
    assert changed == [names[0]]


def test_hdrplus_isp_leaves_misaligned_jpegs_out(archive: Path, tmp_path: Path) -> None:
    root = archive / "20171106_subset"
    burst(root, "turned (1)", "GBRG", turned=6)
    burst(root, "shifted", shift=32)
    burst(root, "another scene")
    other = np.random.default_rng(0).integers(0, 255, (40, 48, 3), np.uint8).repeat(8, 0).repeat(8, 1)
    write_image(root / "results_20171023" / "another scene" / "final.jpg", other)
    write_image(root / "results_20171023" / "0006_20160721_163256_525" / "final.jpg", np.zeros((100, 384, 3), np.uint8))
    out = prepare("hdrplus-isp", archive, tmp_path / "out", options=OPTIONS, jobs=1)
    left = out.dataset.facts.made["left_out"]
    assert set(left) == {"shifted", "another scene", "0006_20160721_163256_525"}
    assert "its JPEG is 384 x 100" in left["0006_20160721_163256_525"]
    assert float(re.search(r"is ([0-9.]+) pixels off at an eighth", left["shifted"])[1]) == pytest.approx(4, abs=0.3)
    assert {s.sample for s in out.dataset.samples} == {"turned (1)", "33TJ_20150606_224837_294", "5a9e_20150405_165352_614"}
    for sample in out.dataset.samples:
        long, label = (read_picture(out.dataset.path(i)).pixels for i in (sample.inputs[1], sample.targets[0]))
        assert (sample.encoding_target, sample.targets[0].role, label.dtype) == ("srgb8", "label", np.uint8)
        assert label.shape == (2 * long.shape[0], 2 * long.shape[1], 3)
        green, shown = long[:, :, 1].astype(float), label[0::2, 1::2, 1].astype(float)  # the first green pixel of each 2 x 2
        assert np.corrcoef(np.minimum(green, 60000).ravel() ** 0.4, shown.ravel())[0, 1] > 0.97
    loose = prepare("hdrplus-isp", archive, tmp_path / "o2", options=OPTIONS | {"most_shift": 5}, jobs=1)
    assert "shifted" in {s.sample for s in loose.dataset.samples}
    strict = prepare("hdrplus-isp", archive, tmp_path / "o3", options={"least_peak": 1.5}, jobs=1)
    assert strict.dataset is None and any("peak" in note for note in strict.notes)


def test_broken_bursts(benchtool: Callable, archive: Path, tmp_path: Path) -> None:
    root = archive / "20171106_subset"
    for name in ("alone", "unmerged", "noiseless", "elsewhere", "damaged"):
        burst(root, name, **({"noise": None} if name == "noiseless" else {}), frames=1 if name == "alone" else 2)
    (root / "results_20171023" / "unmerged" / "merged.dng").unlink()
    (root / "results_20171023" / "elsewhere" / "reference_frame.txt").write_text("7")
    path = root / "bursts" / "damaged" / "payload_N001.dng"
    path.write_bytes(path.read_bytes()[:3000])
    done = benchtool("data", "prepare", "hdrplus", archive, tmp_path / "out", "-s", "test=1")
    said = " ".join(done.err.split())
    assert done.code == 1 and "damaged: " in said and "left out: noiseless: its frames have no NoiseProfile" in said
    assert "missing: alone: 1 frames of 2 or more" in said and "missing: unmerged: merged.dng" in said
    dataset = open_dataset(tmp_path / "out")
    assert set(dataset.facts.made["left_out"]) == {"noiseless", "elsewhere"} and len(dataset.samples) == 3
    assert "says '7', of 2 frames" in json.dumps(dataset.facts.made["left_out"])


@pytest.mark.parametrize(
    ("folders", "says"), [((), "'bursts'"), (("bursts",), "no results_20171023"), (("bursts", "results_x"), "no burst is whole")]
)
def test_other_folders(tmp_path: Path, folders: tuple[str, ...], says: str) -> None:
    (tmp_path / "src").mkdir()
    for folder in folders:
        (tmp_path / "src" / folder).mkdir()
    with pytest.raises(UserError, match=says):
        prepare("hdrplus", tmp_path / "src", tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_the_short_exposure_has_the_noise_of_a_real_one() -> None:
    shot, read, level, ratio = 4e-4, 2e-6, 0.3, 8.0
    rng = np.random.default_rng(0)
    noise = np.tile([shot, read], (4, 1))
    noisy = (level + rng.standard_normal((500, 500, 4)) * np.sqrt(shot * level + read)).astype(np.float32)
    made = noisy / ratio + rng.standard_normal(noisy.shape) * np.sqrt(extra_variance(noisy, ratio, noise))
    assert made.mean() == pytest.approx(level / ratio, rel=1e-3) and made.var() == pytest.approx(shot * level / ratio + read, rel=0.01)


def test_target_is_in_the_scale_of_the_short_exposure_and_cut() -> None:
    planes = np.linspace(0, 1, 64, dtype=np.float32).reshape(4, 4, 4)
    frame = Frame(planes, (8, 8), (0, 0), np.zeros((4, 2)), 1)
    pair = synthesise(frame, frame, frame, 2.0, 2.0, 0)
    assert np.allclose(pair.merged, np.clip(planes * pair.gain / 2, 0, 1), atol=1e-6) and np.array_equal(pair.short, ten_bits(pair.merged))
    other = Frame(planes[:2], (8, 4), (0, 0), np.zeros((4, 2)), 1)
    with pytest.raises(UserError, match="differ in size"):
        synthesise(frame, other, frame, 2.0, 4.0, 0)


def test_exposure_time_is_read_from_exif(tmp_path: Path, real_data: Path) -> None:
    from PIL import Image as Pillow

    real = real_data / "raws" / "canon_eos_6d.dng"
    with Pillow.open(real) as picture:
        assert exposure_time(real) == pytest.approx(float(picture.getexif().get_ifd(0x8769)[33434]))
    dng(tmp_path / "without.dng", scene())
    assert exposure_time(tmp_path / "without.dng") is None
    (tmp_path / "broken.dng").write_bytes(b"II*\0")
    with pytest.raises(UserError, match="not a readable DNG"):
        exposure_time(tmp_path / "broken.dng")


def test_a_real_raw_is_read_as_libraw_reads_it(real_data: Path) -> None:
    import rawpy
    import tifffile

    path = real_data / "raws" / "DSC_1339_wrapped.dng"
    with tifffile.TiffFile(path) as tiff:
        tags = next(p.tags for top in tiff.pages for p in (top, *(top.pages or ())) if 50719 in p.tags)
        (x, y), (width, height) = ([int(n) for n in np.atleast_1d(tags.valueof(tag))[-2:]] for tag in (50719, 50720))
    frame = read_frame(path)
    with rawpy.imread(str(path)) as raw:
        levels, colours = raw.raw_image_visible.astype(float), raw.raw_colors_visible
        black, white = np.array(raw.black_level_per_channel)[colours], raw.white_level
    linear, colours = ((levels - black) / (white - black.mean()))[y : y + height, x : x + width], colours[y : y + height, x : x + width]
    for plane, colour in ((0, 0), (3, 2)):
        ours, theirs = np.sort(frame.planes[:, :, plane].ravel()), np.sort(linear[colours == colour])
        assert np.quantile(ours, (0.1, 0.5, 0.9)) == pytest.approx(np.quantile(theirs, (0.1, 0.5, 0.9)), abs=2e-3)


def test_frames_of_another_exposure_time_are_not_taken(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from benchtool.datasets import hdrplus_bursts
    from benchtool.datasets.hdrplus_bursts import Burst, Settings

    root = tmp_path / "root"
    burst(root, "a")
    times = {"payload_N000.dng": 0.02, "payload_N001.dng": 0.01, "payload_N002.dng": 0.01}
    monkeypatch.setattr(hdrplus_bursts, "exposure_time", lambda path: times[path.name])
    frames = tuple(sorted((root / "bursts" / "a").iterdir()))
    for seed in range(4):
        one = Burst("a", frames, root / "results_20171023" / "a", tmp_path, Settings(0, None, 2, 16, seed))
        assert [path.name for path in hdrplus_bursts._frames(one)] == ["payload_N002.dng", "payload_N001.dng"]
    times["payload_N001.dng"] = 0.04
    assert hdrplus_bursts._frames(one) == "no other frame has the reference's exposure"
