"""Metrics through pyiqa: what they ask of it, what they say without it, and its own values where it works."""

from __future__ import annotations

import hashlib
import itertools
import json
import os
import re
import sys
import types
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from scipy.io import loadmat, savemat
from skimage import data

from benchtool import metrics
from benchtool.core import models
from benchtool.core.errors import UserError
from benchtool.core.images import read_image, write_image
from benchtool.metrics import ma, optional, pi, through_pyiqa, vif
from benchtool.workflows import made_weights

PHOTO = data.astronaut()[:128, 100:260].copy()
DARK = (PHOTO * 0.6).astype(np.uint8)
KEYS = ("vif", "vif:output-reference", "vif-source", "vif-source:source-reference", "lpips", "ma", "ma:pirm", "pi", "musiq")


@pytest.fixture(autouse=True)
def fresh() -> Iterator[None]:
    """Nothing is remembered from test to test."""
    for cache in (through_pyiqa._build, optional.module):
        cache.cache_clear()
    yield
    for cache in (through_pyiqa._build, optional.module):
        cache.cache_clear()


@pytest.fixture
def own_models(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Every model file lies in a folder, and is of the published bytes as far as anybody checks; Ma's forests are made ones."""
    monkeypatch.setenv("BENCHTOOL_MODELS", str(tmp_path))
    monkeypatch.setenv("TORCH_HOME", str(tmp_path))
    for name, file in models.MODEL_FILES.items():
        monkeypatch.setitem(models.MODEL_FILES, name, replace(file, sha256=None))
        place = models.candidates(name)[0]
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_bytes(b"")
    made_weights.nrqm(tmp_path / "NRQM_model.mat", trees=1, levels=2)
    return tmp_path


class Fake:
    """Stands for any of pyiqa's networks: says what it was built and called with, and is chatty."""

    built: list[dict] = []

    def __init__(self, **options: object) -> None:
        print("Loading pretrained model")
        Fake.built.append(options | {"tensors only": os.environ.get("TORCH_FORCE_WEIGHTS_ONLY_LOAD")})

    def eval(self) -> Fake:
        return self

    def __call__(self, *tensors: object) -> object:
        assert all(t.shape == (1, 3, 128, 160) and t.dtype.is_floating_point for t in tensors)
        return tensors[0].mean() * 2 - (tensors[1].mean() if len(tensors) > 1 else 0)


@pytest.fixture
def fake(monkeypatch: pytest.MonkeyPatch) -> type[Fake]:
    """pyiqa is one whose networks are `Fake`."""
    for network in ("VIF", "LPIPS", "NRQM", "NIQE", "MUSIQ"):
        made = types.ModuleType(f"pyiqa.archs.{network.lower()}_arch")
        setattr(made, network, Fake)
        for name in ("pyiqa", "pyiqa.archs"):
            monkeypatch.setitem(sys.modules, name, types.ModuleType(name))
        monkeypatch.setitem(sys.modules, made.__name__, made)
    monkeypatch.setattr(Fake, "built", [])
    return Fake


def test_the_judged_image_comes_first(fake: type[Fake]) -> None:
    photo, dark = PHOTO.mean() / 255, DARK.mean() / 255
    judged_dark, judged_photo = pytest.approx(2 * dark - photo, abs=1e-5), pytest.approx(2 * photo - dark, abs=1e-5)
    assert metrics.find("vif").score(DARK, target=PHOTO).value == judged_dark
    assert metrics.find("vif:output-reference").score(DARK, target=PHOTO).value == judged_photo
    assert metrics.find("vif-source").score(DARK, source=PHOTO).value == judged_photo
    assert metrics.find("vif-source:source-reference").score(DARK, source=PHOTO).value == judged_dark


def test_weights_are_named_and_only_tensors_read(fake: type[Fake], own_models: Path, capfd: pytest.CaptureFixture) -> None:
    metrics.find("lpips").score(DARK, target=PHOTO)
    assert fake.built == [
        {"net": "alex", "version": "0.1", "pretrained_model_path": str(own_models / "LPIPS_v0.1_alex-df73285e.pth"), "tensors only": "1"}
    ]
    metrics.find("musiq").score(DARK)
    assert fake.built[1:] == [{"pretrained_model_path": str(own_models / "musiq_koniq_ckpt-e95806b9.pth"), "tensors only": "1"}]
    assert "TORCH_FORCE_WEIGHTS_ONLY_LOAD" not in os.environ
    printed = capfd.readouterr()
    assert printed.out == "" and "Loading" in printed.err, "standard output is for results"


def test_pi_is_of_shaved_luma_throughout(fake: type[Fake], own_models: Path) -> None:
    level = 2 * PHOTO.mean() / 255
    scored = metrics.find("pi").score(PHOTO)
    assert scored.facts.keys() == {"ma", "niqe", "nrqm_sha256"} and scored.value == pytest.approx(5)
    assert scored.facts["ma"] == pytest.approx(level) == scored.facts["niqe"]
    assert [(built["color_space"], built["crop_border"]) for built in fake.built] == [("ycbcr", 4)] * 2
    assert [Path(built["pretrained_model_path"]).name for built in fake.built] == ["NRQM_model.mat", "modelparameters.mat"]
    metrics.find("ma").score(PHOTO)
    assert (fake.built[-1]["color_space"], fake.built[-1]["crop_border"]) == ("yiq", 0)


def test_scores_name_the_model_file_they_came_from(fake: type[Fake], own_models: Path) -> None:
    """Its published SHA-256 is not established: only this tells two runs of two files apart."""
    path = own_models / "NRQM_model.mat"
    told = []
    for trees in (1, 2):
        made_weights.nrqm(path, trees=trees, levels=2)
        told.append(hashlib.sha256(path.read_bytes()).hexdigest())
        for key in ("ma", "ma:pirm", "pi"):
            assert metrics.find(key).score(PHOTO).facts["nrqm_sha256"] == told[-1]
    assert len(set(told)) == 2


def altered(path: Path, change: Callable[[dict], None]) -> bytes:
    """The bytes of made forests, after `change` of what SciPy writes: {"linear": array, "rf": list of three lists of seven arrays}."""
    made_weights.nrqm(path, trees=2, levels=2)
    model = loadmat(path)["model"][0, 0]
    held = {"linear": model["linear"], "rf": [list(forest[0, 0]) for forest in model["rf"][0]]}
    change(held)
    forests = np.empty((1, len(held["rf"])), object)
    forests[0, :] = [np.array([[tuple(parts)]], [(f"f{k}", object) for k in range(len(parts))]) for parts in held["rf"]]
    savemat(path, {"model": {"linear": held["linear"], "rf": forests}})
    return path.read_bytes()


BAD_MODELS: dict[str, tuple[Callable[[dict], object], str]] = {
    "three weights": (lambda held: held.update(linear=np.ones((3, 1))), r"linear is float64 \(3, 1\), not 4 finite numbers"),
    "no number": (lambda held: held.update(linear=np.full((4, 1), np.nan)), "not 4 finite numbers"),
    "two forests": (lambda held: held["rf"].pop(), "IndexError"),
    "six arrays": (lambda held: held["rf"][1].pop(), "IndexError|KeyError"),
    "shapes": (lambda held: held["rf"][1].__setitem__(5, np.ones((3, 1))), "the arrays of forest 2 are .* not numbers of one shape"),
    "text": (lambda held: held["rf"][0].__setitem__(4, "text"), "the arrays of forest 1"),
    "children": (lambda held: held["rf"][2].__setitem__(0, np.full((3, 2), 4)), "forest 3 has children beyond its 3 nodes"),
    "infinite": (lambda held: held["rf"][0].__setitem__(5, np.full((3, 2), np.inf)), "forest 1 has values that are not finite"),
}


@pytest.mark.parametrize("fault", ["bad", "empty", "other", *BAD_MODELS])
@pytest.mark.parametrize("key", ["ma", "pi"])
def test_what_is_no_model_is_refused(key: str, fault: str, fake: type[Fake], own_models: Path) -> None:
    """Before pyiqa sees it, in a line that names the file and what is wrong."""
    path = own_models / "NRQM_model.mat"
    message = ""
    if fault in BAD_MODELS:
        change, message = BAD_MODELS[fault]
        altered(path, change)
    elif fault == "other":
        savemat(path, {"mu_prisparam": np.ones((1, 36))})
    else:
        path.write_bytes(b"bad\n" if fault == "bad" else b"")
    with pytest.raises(UserError) as refused:
        metrics.find(key).score(PHOTO)
    said = str(refused.value)
    assert said.startswith(f"{path}: not a model of the metric ma (") and "replace it by the NRQM_model.mat of https://" in said
    assert re.search(message, said) and "\n" not in said and not fake.built
    altered(path, lambda held: None)
    metrics.find(key).score(PHOTO)


@pytest.fixture
def broken(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[str], None]:
    """`broken("RuntimeError('...')")`: a pyiqa that raises this when it is imported."""

    def make(error: str) -> None:
        (tmp_path / "broken" / "pyiqa").mkdir(parents=True)
        (tmp_path / "broken" / "pyiqa" / "__init__.py").write_text(f"raise {error}")
        for name in [name for name in sys.modules if name.partition(".")[0] == "pyiqa"]:
            monkeypatch.delitem(sys.modules, name)
        monkeypatch.syspath_prepend(tmp_path / "broken")

    return make


@pytest.mark.parametrize("key", KEYS)
@pytest.mark.parametrize("error", ["ModuleNotFoundError('No module named pyiqa')", "RuntimeError('operator torchvision::nms ...')"])
def test_without_a_working_pyiqa(key: str, error: str, own_models: Path, broken: Callable) -> None:
    broken(error)
    for _ in range(2):
        with pytest.raises(UserError, match=r"pyiqa cannot be imported \(.*Error: (No module|operator torchvision).*; install pyiqa, and"):
            metrics.find(key).score(DARK, target=PHOTO, source=PHOTO)


@pytest.mark.parametrize(
    ("key", "file"), [("lpips", "alexnet-owt-7be5be79.pth"), ("ma", "NRQM_model.mat"), ("pi", "NRQM_model.mat"), ("musiq", "musiq_koniq")]
)
def test_without_model_files(key: str, file: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("BENCHTOOL_MODELS", "BENCHTOOL_TEST_DATA", "TORCH_HOME"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    with pytest.raises(UserError, match=f"model file {file}.* not found; get it from https://.* and put it into {tmp_path}"):
        metrics.find(key).score(DARK, target=PHOTO)


def test_a_wrong_model_file_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TORCH_HOME", str(tmp_path))
    place = models.candidates("alexnet")[0]
    assert place == tmp_path / "hub" / "checkpoints" / "alexnet-owt-7be5be79.pth", "torch looks nowhere else"
    place.parent.mkdir(parents=True)
    place.write_bytes(b"something else")
    with pytest.raises(UserError, match="SHA-256 differs"):
        metrics.find("lpips").score(DARK, target=PHOTO)


def test_undefined(own_models: Path) -> None:
    with pytest.raises(UserError, match="vif needs at least 33 x 33"):
        metrics.find("vif").score(DARK[:32], target=PHOTO[:32])
    with pytest.raises(UserError, match="the reference is of one colour"):
        metrics.find("vif").score(DARK, target=np.full_like(PHOTO, 255))
    with pytest.raises(UserError, match="pi needs at least 104 x 104"):
        metrics.find("pi").score(PHOTO[:103])
    with pytest.raises(UserError, match="8-bit"):
        metrics.find("ma").score(PHOTO.astype(np.float32))
    for key in ("vif", "lpips"):
        with pytest.raises(ValueError, match="of one size"):
            metrics.find(key).score(DARK[1:], target=PHOTO)


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_vif_is_never_a_value_that_is_no_number(value: float, fake: type[Fake], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Fake, "__call__", lambda *_: value)
    with pytest.raises(UserError, match=f"vif has no value: pyiqa computed {value}"):
        metrics.find("vif").score(DARK, target=PHOTO)


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


def test_the_rest_works_where_pyiqa_cannot_be_imported(tmp_path: Path, broken: Callable, benchtool: Callable) -> None:
    """The scores through it are n/a with the reason, the others are there, exit code 0."""
    broken("RuntimeError('operator torchvision::nms does not exist')")
    write_image(tmp_path / "dark.png", DARK)
    write_image(tmp_path / "photo.png", PHOTO)
    done = benchtool("metrics", "measure", tmp_path / "dark.png", "--target", tmp_path / "photo.png", "--metrics", "psnr,vif", "--json")
    scores = json.loads(done.out)["images"][0]["scores"]
    assert done.code == 0 and scores["psnr:rgb-u8"]["status"] == "ok"
    assert scores["vif:target-reference"]["status"] == "n/a" and "torchvision::nms" in scores["vif:target-reference"]["reason"]


# ------------------------------------------------------------------------------------------------- where pyiqa itself works


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
    """The published weights are not ours to ship; with random ones it is the distance of the features that they define."""
    import torch
    from torchvision.models import alexnet

    for name in ("alexnet", "lpips"):
        made_weights.MAKERS[name](models.candidates(name)[0])
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
