"""ColorVideoVDP: what is asked of its package, what is said without it, and the package's own values where it works."""

from __future__ import annotations

import sys
import types
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from skimage import data

from benchtool import metrics
from benchtool.core.errors import UserError
from benchtool.metrics import cvvdp, optional

PHOTO = data.astronaut()[:96, 100:228].copy()
NOISY = np.clip(PHOTO + np.random.default_rng(0).normal(0, 8, PHOTO.shape), 0, 255).astype(np.uint8)
LINEAR, NOISY_LINEAR = (((image / 255) ** 2.2).astype(np.float32) for image in (PHOTO, NOISY))


@pytest.fixture(autouse=True)
def fresh() -> Iterator[None]:
    """Nothing is remembered from test to test."""
    for cache in (cvvdp._model, optional.module):
        cache.cache_clear()
    yield
    for cache in (cvvdp._model, optional.module):
        cache.cache_clear()


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> list[tuple]:
    """pycvvdp is one that writes down what it is asked, and is chatty."""
    calls: list[tuple] = []

    class Fake:
        pix_per_deg = 75.0

        def __init__(self, **options: object) -> None:
            print("Loading")
            calls.append(("built", options))

        def predict(self, test: np.ndarray, reference: np.ndarray, dim_order: str) -> tuple[float, dict]:
            calls.append(("asked", test, reference, dim_order))
            return 9.5, {}

    made = types.ModuleType("pycvvdp")
    made.cvvdp, made.__file__ = Fake, str(tmp_path / "pycvvdp" / "__init__.py")
    monkeypatch.setitem(sys.modules, "pycvvdp", made)
    monkeypatch.setattr(cvvdp, "version", {"cvvdp": "0.5.7"}.__getitem__)
    return calls


def test_what_is_asked(asked: list[tuple], tmp_path: Path, capfd: pytest.CaptureFixture) -> None:
    scored = metrics.find("cvvdp").score(NOISY, PHOTO)
    assert scored.value == 9.5
    assert scored.facts == {"display": "standard_4k", "pixels_per_degree": 75.0, "cvvdp": "0.5.7"}
    assert metrics.find("cvvdp:standard-fhd").score(NOISY, PHOTO).facts["display"] == "standard_fhd"
    (_, built), (_, test, reference, order), (_, second), _ = asked
    assert second["display_name"] == "standard_fhd"
    assert built["display_name"] == "standard_4k" and str(built["device"]) == "cpu" and order == "HWC"
    assert built["config_paths"] == [str(tmp_path / "pycvvdp" / "vvdp_data")]
    assert np.array_equal(test, NOISY) and np.array_equal(reference, PHOTO) and test.dtype == np.uint8
    assert capfd.readouterr().out == ""


@pytest.mark.parametrize(("variant", "scale"), [("peak1000", 1), ("absolute", 300)])
def test_what_is_asked_of_linear_images(asked: list[tuple], variant: str, scale: float) -> None:
    output, target = NOISY_LINEAR * np.float32(scale), LINEAR * np.float32(scale)
    scored = metrics.find(f"cvvdp-hdr:{variant}").score(output, target)
    (_, built), (_, test, reference, _) = asked
    assert built["display_name"] == "standard_hdr_linear" == scored.facts["display"]
    luminance = np.float32(1000 if variant == "peak1000" else 1)
    assert np.array_equal(test, output * luminance) and np.array_equal(reference, target * luminance)
    assert scored.facts["target_peak"] == pytest.approx(float(target.max()) * luminance) and scored.facts["clamped_share"] == 0


def test_refused(asked: list[tuple]) -> None:
    with pytest.raises(UserError, match="at least 2 x 2"):
        metrics.find("cvvdp").score(NOISY[:1], PHOTO[:1])
    with pytest.raises(UserError, match="8-bit"):
        metrics.find("cvvdp").score(LINEAR, LINEAR)
    with pytest.raises(UserError, match="32-bit floats"):
        metrics.find("cvvdp-hdr:peak1000").score(NOISY, PHOTO)
    with pytest.raises(UserError, match="they look relative"):
        metrics.find("cvvdp-hdr:absolute").score(LINEAR, LINEAR)
    assert not asked


@pytest.mark.parametrize("error", ["ModuleNotFoundError('No module named pycvvdp')", "RuntimeError('operator torchvision::nms ...')"])
def test_absent_or_broken(error: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "pycvvdp").mkdir()
    (tmp_path / "pycvvdp" / "__init__.py").write_text(f"raise {error}")
    for name in [name for name in sys.modules if name.partition(".")[0] == "pycvvdp"]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.syspath_prepend(tmp_path)
    luminance = np.float32(300)
    for key, images in (("cvvdp", (NOISY, PHOTO)), ("cvvdp-hdr", (NOISY_LINEAR * luminance, LINEAR * luminance))):
        with pytest.raises(UserError, match=r"cvvdp cannot be imported \(.*Error: .*\); pip install 'benchtool\[cvvdp\]' and the"):
            metrics.find(key).score(*images)


# ------------------------------------------------------------------------------------------------- where the package works


@pytest.fixture
def package() -> types.ModuleType:
    found = optional.module("pycvvdp")
    if isinstance(found, str):
        pytest.skip(f"needs a working cvvdp: {found}")
    return found


@pytest.mark.parametrize(("variant", "per_degree"), [("standard-4k", 75.4), ("standard-fhd", 37.8)])
def test_it_is_the_packages_own_value(package: types.ModuleType, variant: str, per_degree: float) -> None:
    import torch

    theirs = package.cvvdp(display_name=variant.replace("-", "_"), device=torch.device("cpu"))
    expected = float(theirs.predict(NOISY, PHOTO, dim_order="HWC")[0])
    scored = metrics.find(f"cvvdp:{variant}").score(NOISY, PHOTO)
    assert scored.value == pytest.approx(expected, abs=1e-5) and 5 < expected < 9.9
    assert scored.facts["pixels_per_degree"] == pytest.approx(per_degree, abs=0.1)


def test_better_is_higher_and_equal_is_ten(package: types.ModuleType) -> None:
    worse = np.clip(PHOTO + np.random.default_rng(0).normal(0, 25, PHOTO.shape), 0, 255).astype(np.uint8)
    for key, scale, images in (
        ("cvvdp", 1, (PHOTO, NOISY, worse)),
        ("cvvdp-hdr:peak1000", 1, (LINEAR, NOISY_LINEAR, ((worse / 255) ** 2.2).astype(np.float32))),
        ("cvvdp-hdr:absolute", 300, (LINEAR, NOISY_LINEAR, ((worse / 255) ** 2.2).astype(np.float32))),
    ):
        target, *outputs = (image * image.dtype.type(scale) for image in images)
        equal, near, far = (metrics.find(key).score(output, target).value for output in (target, *outputs))
        assert equal == pytest.approx(10, abs=1e-4) and equal > near > far
    smallest = PHOTO[: cvvdp.SMALLEST, : cvvdp.SMALLEST]
    assert 0 < metrics.find("cvvdp").score(255 - smallest, smallest).value < 10


def test_peak1000_is_absolute_at_1000(package: types.ModuleType) -> None:
    peak, absolute = metrics.find("cvvdp-hdr:peak1000"), metrics.find("cvvdp-hdr:absolute")
    kilo = np.float32(1000)
    assert peak.score(NOISY_LINEAR, LINEAR).value == absolute.score(NOISY_LINEAR * kilo, LINEAR * kilo).value
    assert absolute.score(NOISY_LINEAR * 20, LINEAR * 20).value != peak.score(NOISY_LINEAR, LINEAR).value


def test_parameters_are_the_packages(package: types.ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    expected = metrics.find("cvvdp").score(NOISY, PHOTO).value
    cvvdp._model.cache_clear()
    shown = (Path(package.__file__).parent / "vvdp_data" / "display_models.json").read_text()
    (tmp_path / "display_models.json").write_text(shown.replace('"max_luminance": 200', '"max_luminance": 20'))
    monkeypatch.setenv("CVVDP_PATH", str(tmp_path))
    assert metrics.find("cvvdp").score(NOISY, PHOTO).value == expected
