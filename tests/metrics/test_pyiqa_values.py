"""Metrics through pyiqa: their values, where it works, against its own, the papers' definitions and the features that weights define."""

from __future__ import annotations

import itertools
import types
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from scipy.io import loadmat
from skimage import data

from benchtool import metrics
from benchtool.core import models
from benchtool.core.errors import UserError
from benchtool.core.images import read_image
from benchtool.metrics import ma, optional, pi, through_pyiqa, vif
from benchtool.workflows import made_weights

PHOTO = data.astronaut()[:128, 100:260].copy()
DARK = (PHOTO * 0.6).astype(np.uint8)
pytestmark = pytest.mark.usefixtures("fresh")


def test_vif_statistics_are_those_of_the_paper() -> None:
    """Against NumPy, window by window; of a band of 20 x 31, in strips."""
    import torch

    band = np.random.default_rng(0).standard_normal((20, 31)).cumsum(axis=1) + 5
    used = band[:18, :30]
    windows = np.array([used[y : y + 3, x : x + 3].ravel() for y in range(16) for x in range(28)])
    covariance = np.cov(windows, rowvar=False, ddof=0)
    blocks = np.array([[used[y : y + 3, x : x + 3].ravel() for x in range(0, 30, 3)] for y in range(0, 18, 3)])
    expected = np.einsum("yxi,ij,yxj->yx", blocks, np.linalg.inv(covariance), blocks) / 9
    for strip in (4, vif.STRIP):
        with pytest.MonkeyPatch.context() as changed:
            changed.setattr(vif, "STRIP", strip)
            multipliers, eigenvalues = vif.statistics(torch.from_numpy(band))
        np.testing.assert_allclose(multipliers, expected, rtol=1e-8)
        np.testing.assert_allclose(eigenvalues, np.linalg.eigvalsh(covariance), rtol=1e-8)


def test_vif_statistics_of_smooth_bands_are_not_negative() -> None:
    """One direction in nine, as single precision stores it, and none at all."""
    import torch

    ramp = torch.arange(60, dtype=torch.float32).repeat(60, 1) / 7
    for band in (ramp, ramp.T, torch.zeros(60, 60), torch.full((60, 60), 1e-6)):
        multipliers, eigenvalues = vif.statistics(band)
        assert multipliers.isfinite().all() and (multipliers >= 0).all() and (eigenvalues >= 0).all()


@pytest.fixture
def pyiqa() -> types.ModuleType:
    found = optional.module("pyiqa")
    if isinstance(found, str):
        pytest.skip(f"needs a working pyiqa: {found}")
    return found


def test_vif(pyiqa: types.ModuleType) -> None:
    import torch

    reference, judged = (torch.from_numpy(image).permute(2, 0, 1)[None] / 255 for image in (PHOTO, DARK))
    theirs = float(pyiqa.create_metric("vif", device="cpu")(judged, reference))
    assert metrics.find("vif").score(DARK, target=PHOTO).value == pytest.approx(theirs, abs=5e-4), "theirs is in single precision"
    assert 0.4 < theirs < 0.9 and metrics.find("vif:output-reference").score(DARK, target=PHOTO).value > 1.1, "contrast gained is above 1"
    assert metrics.find("vif").score(PHOTO, target=PHOTO).value == pytest.approx(1, abs=1e-4)
    smallest = PHOTO[: vif.SMALLEST, : vif.SMALLEST]
    assert 0 < metrics.find("vif").score((smallest * 0.6).astype(np.uint8), target=smallest).value < 1


def test_vif_of_smooth_references(pyiqa: types.ModuleType, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where pyiqa by itself says nan, the value is that of its sums in double precision throughout."""
    import cv2
    import torch

    whole = data.astronaut()[:300, :300].copy()
    smooth = cv2.GaussianBlur(whole, (0, 0), 3)
    assert np.isnan(through_pyiqa.run("vif_arch", "VIF", whole, smooth))
    value = metrics.find("vif").score(whole, target=smooth).value
    judged, reference = (torch.from_numpy(image).permute(2, 0, 1)[None].double() / 255 for image in (whole, smooth))
    network = optional.module("pyiqa.archs.vif_arch").VIF()
    monkeypatch.setattr(torch.Tensor, "float", torch.Tensor.double)
    assert value == pytest.approx(float(network(judged, reference)), abs=5e-4) and 0.4 < value < 0.6


def test_niqe_inside_pi_is_another(pyiqa: types.ModuleType, real_data: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """On LIVE's images: luma and 4 pixels shaved, where their MATLAB code says 5.0290 and 2.6571 of grey."""
    monkeypatch.setenv("BENCHTOOL_MODELS", str(real_data / "niqe"))
    for name, expected in (("image1", 5.9754), ("image4", 2.8113)):
        assert pi.niqe_of_luma(read_image(real_data / "niqe" / f"{name}.bmp")) == pytest.approx(expected, abs=1e-4)
    with pytest.raises(UserError, match="undefined: the image is too flat"):
        pi.niqe_of_luma(np.full((200, 300, 3), 255, np.uint8))


def test_ma_and_pi_on_a_made_forest(pyiqa: types.ModuleType, real_data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The published forests are not ours to ship; with made ones the parts fit together, down to the smallest image."""
    made_weights.nrqm(tmp_path / "NRQM_model.mat", trees=1, levels=2)
    values = [forest["value"].item().ravel()[1:] for forest in loadmat(tmp_path / "NRQM_model.mat")["model"]["rf"].item().ravel()]
    monkeypatch.setenv("BENCHTOOL_MODELS", str(tmp_path))
    monkeypatch.setenv("BENCHTOOL_TEST_DATA", str(real_data))
    monkeypatch.setitem(models.MODEL_FILES, "nrqm", replace(models.MODEL_FILES["nrqm"], sha256=None))
    photo = data.astronaut()[: pi.SMALLEST, : pi.SMALLEST + 96].copy()
    scored = metrics.find("pi").score(photo)
    alone = metrics.find("ma:pirm").score(photo)
    assert scored.facts == {"ma": alone.value, "niqe": pi.niqe_of_luma(photo), **alone.facts}
    assert scored.value == pytest.approx((10 - scored.facts["ma"] + scored.facts["niqe"]) / 2)
    for flat in (0, 255):
        with pytest.raises(UserError, match="undefined: the image is too flat"):
            metrics.find("ma").score(np.full((ma.SMALLEST, ma.SMALLEST, 3), flat, np.uint8))
    for variant in ("nrqm", "pirm"):
        value = metrics.find(f"ma:{variant}").score(photo[: ma.SMALLEST, : ma.SMALLEST]).value
        assert any(value == pytest.approx(0.4 + 0.3 * a + 0.2 * b + 0.5 * c, rel=1e-5) for a, b, c in itertools.product(*values))


def test_lpips_on_made_weights(pyiqa: types.ModuleType, own_models: Path) -> None:
    """The published weights are not ours to ship; with random ones, in any folder, it is the distance of the features they define."""
    import torch
    from torchvision.models import alexnet

    for name in ("alexnet", "lpips"):
        made_weights.MAKERS[name](own_models / models.MODEL_FILES[name].names[0])
    network, weights = alexnet(), list(torch.load(models.candidates("lpips")[0]).values())
    network.load_state_dict(torch.load(models.candidates("alexnet")[0]))

    def features(image: np.ndarray) -> list[torch.Tensor]:
        x = torch.from_numpy(image).permute(2, 0, 1)[None] / 127.5 - 1
        x = (x - torch.tensor([-0.030, -0.088, -0.188]).view(1, 3, 1, 1)) / torch.tensor([0.458, 0.448, 0.450]).view(1, 3, 1, 1)
        found = []
        for number, layer in enumerate(network.features.eval()):
            x = layer(x)
            if number in (1, 4, 7, 9, 11):
                found.append(x / x.norm(dim=1, keepdim=True).clamp_min(1e-10))
        return found

    with torch.inference_mode():
        pairs = zip(features(DARK), features(PHOTO), weights)
        expected = sum(float(((one - other) ** 2 * weight).sum(dim=1).mean()) for one, other, weight in pairs)
    assert metrics.find("lpips").score(DARK, target=PHOTO).value == pytest.approx(expected, rel=1e-4) and expected > 0
    assert metrics.find("lpips").score(PHOTO, target=PHOTO).value == 0
    assert metrics.find("lpips").score(DARK[:32, :32], target=PHOTO[:32, :32]).value > 0


def test_musiq_on_made_weights(pyiqa: types.ModuleType, own_models: Path) -> None:
    """As LPIPS: random weights, read from the file and used."""
    import torch

    made_weights.musiq(models.candidates("musiq")[0])
    network = optional.module("pyiqa.archs.musiq_arch").MUSIQ(pretrained=False).eval()
    network.load_state_dict(torch.load(models.candidates("musiq")[0]))
    with torch.inference_mode():
        expected = float(network(torch.from_numpy(PHOTO).permute(2, 0, 1)[None] / 255))
    assert metrics.find("musiq").score(PHOTO).value == pytest.approx(expected, abs=1e-5)
    assert metrics.find("musiq").score(DARK).value != pytest.approx(expected, abs=1e-3)
    assert np.isfinite(metrics.find("musiq").score(PHOTO[:1, :1]).value)


@pytest.mark.parametrize("name", ["alexnet", "lpips"])
def test_weights_cannot_run_code(name: str, pyiqa: types.ModuleType, own_models: Path) -> None:
    import pickle

    import torch
    from torchvision.models import alexnet

    class Harm:
        def __reduce__(self) -> tuple:
            return Path.touch, (own_models / "harmed",)

    torch.save(alexnet().state_dict(), models.candidates("alexnet")[0])
    torch.save({"lin0.model.1.weight": Harm()}, models.candidates(name)[0])
    with pytest.raises(pickle.UnpicklingError):
        metrics.find("lpips").score(DARK, target=PHOTO)
    assert not (own_models / "harmed").exists()
