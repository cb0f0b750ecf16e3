"""`methods import` refuses what does not fit, or is not safe, in one line, and writes nothing."""

from __future__ import annotations

import io
import os
import pickle
import zipfile
from pathlib import Path

import numpy as np
import pytest
import scipy.io
import torch
from made_releases import State, made

from benchtool.core import catalog
from benchtool.workflows.import_weights import MAPS


@pytest.fixture(autouse=True)
def no_plugins(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(catalog, "_plugins", [])


def broken(kind: str, state: State, folder: Path) -> Path:
    """A file that must be refused."""
    types = {"no type": "bin", "object array": "npz", "npz that lies": "npz", "npz too large": "npz", "matlab object": "mat"}
    path = folder / f"w.{types.get(kind, 'pth')}"
    if kind == "missing key":
        del state["e_conv3.bias"]
    elif kind == "extra key":
        state |= {"e_conv8.weight": torch.ones(3), "\x1b[2J\n": torch.ones(3)}
    elif kind == "shape":
        state["e_conv3.weight"] = state["e_conv3.weight"][:, :4]
    elif kind == "expanded":  # a huge tensor of one number
        state["e_conv3.weight"] = torch.ones(1).expand(1 << 40)
    elif kind == "nan":
        state["e_conv3.bias"][0] = float("nan")
    elif kind == "no state":
        state = {"epoch": 4}
    elif kind == "huge":  # a double that our floats cannot hold
        state["e_conv3.bias"] = state["e_conv3.bias"].double() + 1e300
    elif kind == "meta":
        state["e_conv3.bias"] = state["e_conv3.bias"].to("meta")
    elif kind == "complex":
        state["e_conv3.bias"] = state["e_conv3.bias"].to(torch.complex64)
    if path.suffix == ".pth":
        torch.save(state, path)
    if kind == "bomb":
        path.write_bytes(pickle.dumps(Bomb(folder / "exploded")))
    elif kind == "bomb in a zip":
        torch.save({"a": Bomb(folder / "exploded")}, path)
    elif kind == "truncated":
        path.write_bytes(path.read_bytes()[:-2000])
    elif kind in ("empty", "no type"):
        path.write_bytes(b"")
    elif kind == "object array":
        np.savez(path, a=np.array([{1: 2}], dtype=object))
    elif kind == "npz that lies":
        header = io.BytesIO()
        np.lib.format.write_array_header_1_0(header, {"descr": "<f8", "fortran_order": False, "shape": (1 << 40,)})
        with zipfile.ZipFile(path, "w") as archive:
            archive.writestr("a.npy", header.getvalue())
    elif kind == "npz too large":
        np.savez_compressed(path, a=np.zeros(1_000_000))
    elif kind == "matlab object":
        scipy.io.savemat(path, {"net": {"a": 1.0}})
    return path


class Bomb:
    """Makes a file when it is unpickled."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> tuple:
        return os.mkdir, (str(self.path),)


REFUSED = {
    "missing key": "nothing for our convs.2.bias", "extra key": "no place for e_conv8.weight, ?[2J?", "complex": "no plain tensor",
    "shape": "convs.2.weight (8, 4, 3, 3), not (8, 8, 3, 3)", "expanded": "convs.2.weight (1099511627776,)",
    "nan": "convs.2.bias holds NaN", "huge": "too large for torch.float32", "meta": "no plain tensor", "no state": "holds no state dict",
    "bomb": "nothing of it was loaded", "bomb in a zip": "nothing of it was loaded", "truncated": "damaged", "empty": "damaged",
    "no type": "weights are read from .safetensors", "object array": "holds objects", "npz that lies": "less than it says",
    "npz too large": "more than this network's weights can take", "matlab object": "is a MATLAB struct",
}  # fmt: skip


@pytest.mark.parametrize("kind", REFUSED)
def test_refused(kind: str, tmp_path: Path, benchtool) -> None:
    _, state, arguments = made("zero-dce")
    path = broken(kind, state, tmp_path)
    before = sorted(tmp_path.rglob("*"))
    result = benchtool("methods", "import", "zero-dce", path, "--out", tmp_path / "runs" / "run", *arguments)
    assert result.code == 2 and REFUSED[kind] in result.err, result.err
    assert len(result.err.strip().splitlines()) == 1
    assert sorted(tmp_path.rglob("*")) == before


def test_what_is_asked_wrongly(tmp_path: Path, benchtool) -> None:
    _, state, arguments = made("zero-dce")
    torch.save(state, tmp_path / "w.pth")
    (tmp_path / "taken").mkdir()
    (tmp_path / "taken" / "recipe.resolved.yaml").write_text("method: sid\n")
    (tmp_path / "map.yaml").write_text("word: {}\n")
    for arguments_, message in (
        (("zero-dcee",), "did you mean 'zero-dce'?"), (("clahe",), "algorithm without weights"),
        (("sid", "-s", "wide=8"), "did you mean 'width'?"),
        (("zero-dce", "--out", tmp_path / "taken"), "exists already"), (("zero-dce", "--map", tmp_path / "map.yaml"), "not a map"),
        (("zero-dce", "--map", tmp_path / "none.yaml"), "no such map"), (("zero-dce", "--map", tmp_path / "taken"), "no such map"),
        (("zero-dce", "--map", tmp_path / "w.pth"), "not readable (no text)"),
        (("zero-dce", "--map", MAPS / "sid.yaml"), "is a map for sid"),
        (("zero-dce", tmp_path / "w.pth"), "another file has too"), (("zero-dce", tmp_path / "x.pth"), "no such file"),
        (("zero-dce",), "is it of these options?"),
    ):  # fmt: skip
        name, *rest = arguments_
        out = [] if "--out" in rest else ["--out", tmp_path / "run"]
        result = benchtool("methods", "import", name, tmp_path / "w.pth", *rest, *out)
        assert result.code == 2 and message in result.err and len(result.err.strip().splitlines()) == 1, (arguments_, result.err)
        assert not (tmp_path / "run").exists()
