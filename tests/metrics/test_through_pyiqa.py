"""Metrics through pyiqa: what they ask of it, and what they say without it or a model file; `test_pyiqa_values.py` has their values."""

from __future__ import annotations

import hashlib
import json
import os
import re
import sys
import types
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from scipy.io import loadmat, savemat
from skimage import data

from benchtool import metrics
from benchtool.core import models
from benchtool.core.errors import UserError
from benchtool.core.images import write_image
from benchtool.workflows import made_weights

PHOTO = data.astronaut()[:128, 100:260].copy()
DARK = (PHOTO * 0.6).astype(np.uint8)
pytestmark = pytest.mark.usefixtures("fresh")
KEYS = ("vif", "vif:output-reference", "vif-source", "vif-source:source-reference", "lpips", "ma", "ma:pirm", "pi", "musiq")


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


@pytest.mark.parametrize("place", ["mine", "cache/benchtool/models", "torch/hub/pyiqa", "data/niqe", "torch/hub/checkpoints"])
def test_alexnet_is_handed_to_torch(place: str, fake: type[Fake], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """From wherever model files may lie: torch, asked as torchvision asks it, looks for it in its own folder alone. Nothing is written."""
    import torch

    for name, folder in (
        ("BENCHTOOL_MODELS", "mine"),
        ("XDG_CACHE_HOME", "cache"),
        ("TORCH_HOME", "torch"),
        ("BENCHTOOL_TEST_DATA", "data"),
    ):
        monkeypatch.setenv(name, str(tmp_path / folder))
    (tmp_path / place).mkdir(parents=True)
    for name in ("alexnet", "lpips"):
        path = tmp_path / place / models.MODEL_FILES[name].names[0]
        torch.save({"of": torch.full((3,), 7.0)}, path)
        sha256 = hashlib.sha256(path.read_bytes()).hexdigest()
        monkeypatch.setitem(models.MODEL_FILES, name, replace(models.MODEL_FILES[name], sha256=sha256))
    there, found, before = sorted(tmp_path.rglob("*")), [], torch.hub.get_dir()
    address = "https://download.pytorch.org/models/alexnet-owt-7be5be79.pth"
    monkeypatch.setattr(Fake, "eval", lambda self: found.append(torch.hub.load_state_dict_from_url(address, progress=False)) or self)
    monkeypatch.setattr(torch.hub, "download_url_to_file", lambda *_, **__: pytest.fail("torch would have downloaded it"))
    metrics.find("lpips").score(DARK, target=PHOTO)
    assert [weights["of"].tolist() for weights in found] == [[7, 7, 7]]
    assert sorted(tmp_path.rglob("*")) == there and torch.hub.get_dir() == before


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
    monkeypatch.setenv("BENCHTOOL_MODELS", str(tmp_path))
    (tmp_path / "alexnet-owt-7be5be79.pth").write_bytes(b"something else")
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


def test_the_rest_works_where_pyiqa_cannot_be_imported(tmp_path: Path, broken: Callable, benchtool: Callable) -> None:
    """The scores through it are n/a with the reason, the others are there, exit code 0."""
    broken("RuntimeError('operator torchvision::nms does not exist')")
    write_image(tmp_path / "dark.png", DARK)
    write_image(tmp_path / "photo.png", PHOTO)
    done = benchtool("metrics", "measure", tmp_path / "dark.png", tmp_path / "photo.png", "--metrics", "psnr,vif", "--json")
    scores = json.loads(done.out)["images"][0]["scores"]
    assert done.code == 0 and scores["psnr:rgb-u8"]["status"] == "ok"
    assert scores["vif:target-reference"]["status"] == "n/a" and "torchvision::nms" in scores["vif:target-reference"]["reason"]
