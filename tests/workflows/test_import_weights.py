"""`methods import`: releases of other names and layouts give the same bits."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import scipy.io
import torch
from made_releases import RELEASES, State, made
from made_training import make_dataset
from safetensors.torch import save_file
from torch import Tensor
from torch.nn import functional as F

from benchtool import methods
from benchtool.core import catalog
from benchtool.core.files import sha256_file
from benchtool.core.images import write_image
from benchtool.training.checkpoints import locate
from benchtool.workflows.import_weights import MAPS, read_map, shipped_maps


@pytest.fixture(autouse=True)
def no_plugins(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(catalog, "_plugins", [])


def same_outputs(run: Path, net: methods.Method, **options: object) -> None:
    loaded = methods.load(str(run), **options)
    image = torch.rand(1, 1, 3, 37, 52)
    with torch.no_grad():
        assert torch.equal(loaded.method.enhance(image), net.enhance(image))


@pytest.mark.parametrize("name", RELEASES)
def test_a_release_gives_the_same_bits(name: str, tmp_path: Path, benchtool) -> None:
    net, state, arguments = made(name)
    assert not set(state) & set(net.state_dict())
    torch.save(state, tmp_path / "release.pth")
    result = benchtool("methods", "import", name, tmp_path / "release.pth", "--out", tmp_path / "run", *arguments)
    assert result.code == 0, result.err
    assert "matched by map, version 1" in result.out and f"benchtool evaluate {tmp_path / 'run'}" in result.out
    same_outputs(tmp_path / "run", net)


def test_maps_translate_the_full_networks_and_no_word_is_idle() -> None:
    """At full size every name of a release becomes ours, and each word of a map has its part in that: none is a guess."""
    for path in sorted(MAPS.glob("*.yaml")):
        one, parts = read_map(path), set()
        for name, options in one.methods.items():
            with torch.device("meta"):
                own = set(methods.create(name, **options).state_dict())
            rename = RELEASES[{"sid-l": "sid", "drbn-l": "drbn"}.get(name, name)][0]
            theirs = {key: rename(key) for key in own}
            assert {key: one.translate(text) for key, text in theirs.items()} == {key: key for key in own}
            parts |= {text.rpartition("_" if "-" in text else ".")[0] for text in theirs.values()}
        idle = [word for word in one.words if not any(word in part for part in parts)]
        assert set(idle) <= {"DecomNet", "RelightNet", "Weights", "Bias"}, path.name


def test_all_methods_with_a_release_are_named() -> None:
    assert set(RELEASES) | {"sid-l", "drbn-l"} == set(shipped_maps())


def test_every_key_of_zero_dce_plus_is_accounted_for(tmp_path: Path, benchtool) -> None:
    """The 28 names that users of the release load, in their order and shapes; and a file of the wrong one of the two networks."""
    widths = [(3, 32), (32, 32), (32, 32), (32, 32), (64, 32), (64, 32), (64, 3)]
    state: State = {}
    for k, (into, out) in enumerate(widths, 1):
        state |= {f"e_conv{k}.depth_conv.weight": torch.randn(into, 1, 3, 3) / 3, f"e_conv{k}.depth_conv.bias": torch.randn(into) / 9}
        state |= {f"e_conv{k}.point_conv.weight": torch.randn(out, into, 1, 1) / 6, f"e_conv{k}.point_conv.bias": torch.randn(out) / 9}
    assert len(state) == 28 and sum(tensor.numel() for tensor in state.values()) == 10_561
    torch.save(state, tmp_path / "Epoch99.pth")
    result = benchtool("methods", "import", "zero-dce-plus", tmp_path / "Epoch99.pth", "--out", tmp_path / "run", "-s", "scale=1")
    assert result.code == 0, result.err
    image = torch.rand(1, 3, 24, 36)

    def layer(x: Tensor, k: int) -> Tensor:
        one, two = f"e_conv{k}.depth_conv", f"e_conv{k}.point_conv"
        x = F.conv2d(x, state[f"{one}.weight"], state[f"{one}.bias"], padding=1, groups=x.shape[1])
        return F.conv2d(x, state[f"{two}.weight"], state[f"{two}.bias"])

    x1 = layer(image, 1).relu()
    x2 = layer(x1, 2).relu()
    x3 = layer(x2, 3).relu()
    x5 = layer(torch.cat([x3, layer(x3, 4).relu()], 1), 5).relu()
    a = layer(torch.cat([x1, layer(torch.cat([x2, x5], 1), 6).relu()], 1), 7).tanh()
    expected = image
    for _ in range(8):
        expected = expected + a * (expected**2 - expected)
    with torch.no_grad():
        ours = methods.load(str(tmp_path / "run")).method.enhance(image[:, None])
    torch.testing.assert_close(ours, expected, rtol=1e-5, atol=1e-6)
    for key, message in (("e_conv4.point_conv.bias", "nothing for our convs.3.point.bias"), ("e_conv8.bias", "no place for e_conv8.bias")):
        torch.save({k: v for k, v in state.items() if k != key} if key in state else state | {key: torch.ones(3)}, tmp_path / "wrong.pth")
        result = benchtool("methods", "import", "zero-dce-plus", tmp_path / "wrong.pth", "--out", tmp_path / "none")
        assert result.code == 2 and message in result.err, result.err
    result = benchtool("methods", "import", "zero-dce", tmp_path / "Epoch99.pth", "--out", tmp_path / "none")
    assert result.code == 2 and "do not fit this network; no place for e_conv1.depth_conv.weight" in result.err


def test_the_port_of_retinexnet_written_independently(tmp_path: Path, benchtool) -> None:
    """Its two files, and its way through the layers as its own code has it: the border repeated, also before the last convolution."""
    _, state, arguments = made("retinexnet")
    for part in ("net1", "net2"):
        torch.save({key: tensor for key, tensor in state.items() if key.startswith(part)}, tmp_path / f"{part}.tar")
    result = benchtool("methods", "import", "retinexnet", tmp_path / "net1.tar", tmp_path / "net2.tar", "-o", tmp_path / "run", *arguments)
    assert result.code == 0, result.err

    def conv(x: Tensor, name: str, stride: int = 1, border: int | None = None) -> Tensor:
        weight = state[f"{name}.weight"]
        border = weight.shape[-1] // 2 if border is None else border
        return F.conv2d(F.pad(x, (border,) * 4, mode="replicate") if border else x, weight, state[f"{name}.bias"], stride)

    image = torch.rand(1, 3, 21, 34)
    x = conv(torch.cat([image.amax(1, keepdim=True), image], 1), "net1_conv0")
    for k in range(5):
        x = conv(x, f"net1_convs.{2 * k}").relu()
    out = conv(x, "net1_recon").sigmoid()
    r, light = out[:, :3], out[:, 3:]
    levels = [conv(torch.cat([r, light], 1), "net2_conv0_1")]
    for k in (1, 2, 3):
        levels.append(conv(levels[-1], f"net2_conv1_{k}", stride=2).relu())
    x, ups = levels.pop(), []
    for k in (1, 2, 3):
        skip = levels.pop()
        x = conv(torch.cat([F.interpolate(x, skip.shape[-2:]), skip], 1), f"net2_deconv1_{k}").relu()
        ups.append(F.interpolate(x, image.shape[-2:]))
    adjusted = conv(conv(torch.cat(ups, 1), "net2_fusion", border=1), "net2_output", border=0)
    with torch.no_grad():
        ours = methods.load(str(tmp_path / "run")).method.enhance(image[:, None])
    torch.testing.assert_close(ours, r * adjusted, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("kind", ["npz", "mat"])
def test_rows_and_columns_first(kind: str, tmp_path: Path, benchtool) -> None:
    """MSEC's tensors as MATLAB has them: doubles [rows, columns, in, out], transposed ones [rows, columns, out, in], biases [1, 1, out]."""
    net, state, arguments = made("msec-no-adv")
    arrays = {}
    for key, tensor in state.items():
        array = tensor.double().numpy()
        arrays[key.replace("-", "_")] = array.transpose(2, 3, 1, 0) if array.ndim == 4 else array[None, None]
    if kind == "npz":
        np.savez(tmp_path / "dump.npz", **arrays)
    else:
        scipy.io.savemat(tmp_path / "dump.mat", arrays, do_compression=True, long_field_names=True)
    result = benchtool("methods", "import", "msec-no-adv", tmp_path / f"dump.{kind}", "--out", tmp_path / "run", *arguments)
    assert result.code == 0, result.err
    same_outputs(tmp_path / "run", net)


def test_tensorflow_dump_with_a_map_of_ones_own(tmp_path: Path, benchtool) -> None:
    net, state, arguments = made("zero-dce")
    arrays = {key.replace(".weight", "/kernel:0").replace(".bias", "/bias:0"): tensor.numpy() for key, tensor in state.items()}
    np.savez(tmp_path / "tf.npz", step=np.ones(3), **{key: a.transpose(2, 3, 1, 0) if a.ndim == 4 else a for key, a in arrays.items()})
    words = {f"e_conv{k + 1}": f"convs.{k}" for k in range(7)} | {"kernel:0": "weight", "bias:0": "bias", "step": None}
    (tmp_path / "map.yaml").write_text(json.dumps({"split": "/", "words": words}))
    call = ("methods", "import", "zero-dce", tmp_path / "tf.npz", "--out", tmp_path / "run", *arguments)
    assert benchtool(*call).code == 2 and not (tmp_path / "run").exists()
    result = benchtool(*call, "--map", tmp_path / "map.yaml")
    assert result.code == 0 and "left out, as the map says: step" in result.out, result.err
    same_outputs(tmp_path / "run", net)


def test_wrappings(tmp_path: Path, benchtool) -> None:
    """DataParallel's prefix, a checkpoint around the state dict, half precision, an older file format, our own names."""
    net, state, arguments = made("zero-dce")
    wrapped = {"epoch": 3, "state_dict": {f"module.{key}": tensor for key, tensor in state.items()}, "optimizer": {"state": {}, "lr": 0.1}}
    torch.save(wrapped, tmp_path / "a.pth")
    torch.save(wrapped, tmp_path / "b.tar", _use_new_zipfile_serialization=False)
    save_file(net.state_dict(), tmp_path / "c.safetensors")
    for file in ("a.pth", "b.tar", "c.safetensors"):
        run = tmp_path / f"run-{file}"
        result = benchtool("methods", "import", "zero-dce", tmp_path / file, "--out", run, *arguments)
        assert result.code == 0, result.err
        same_outputs(run, net)
    torch.save({"ema": state, "raw": state}, tmp_path / "two.pth")
    result = benchtool("methods", "import", "zero-dce", tmp_path / "two.pth", "--out", tmp_path / "no", *arguments)
    assert result.code == 2 and "several state dicts (ema, raw)" in result.err


def test_a_method_without_a_map(tmp_path: Path, benchtool) -> None:
    plugin = Path(__file__).resolve().parents[2] / "docs" / "examples" / "enc_plugin.py"
    catalog.add_plugin(plugin)
    state = methods.create("enc-plugin").state_dict()
    whole = len(state)
    for count, code, message in ((whole, 0, "by our own names"), (whole - 1, 2, "nothing for our gain.3.bias"), (0, 2, "is no map")):
        torch.save(dict(list(state.items())[:count]) or {"a": torch.ones(2)}, tmp_path / "w.pth")
        result = benchtool("methods", "import", "enc-plugin", tmp_path / "w.pth", "--out", tmp_path / f"run{count}")
        assert result.code == code and message in result.out + result.err, result.err


def test_order(tmp_path: Path, benchtool) -> None:
    net, state, arguments = made("zero-dce")
    torch.save({f"x{k}": tensor for k, tensor in enumerate(state.values())}, tmp_path / "nameless.pth")
    call = ("methods", "import", "zero-dce", tmp_path / "nameless.pth", "--out", tmp_path / "run", *arguments, "--map", "order")
    result = benchtool(*call)
    assert result.code == 0 and "matched by order of definition and shape" in result.out
    same_outputs(tmp_path / "run", net)
    torch.save({f"x{k}": tensor for k, tensor in enumerate(reversed(state.values()))}, tmp_path / "nameless.pth")
    result = benchtool(*call[:4], "--out", tmp_path / "other", *call[6:])
    assert result.code == 2 and "of another shape" in result.err and not (tmp_path / "other").exists()


def test_the_run_is_evaluated_enhances_and_says_what_it_is(tmp_path: Path, benchtool) -> None:
    net, state, arguments = made("zero-dce")
    torch.save(state, tmp_path / "Epoch99.pth")
    run, data = tmp_path / "run", tmp_path / "me"
    make_dataset(data, (1, 1, 1))
    assert benchtool("methods", "import", "zero-dce", tmp_path / "Epoch99.pth", "--out", run, *arguments).code == 0
    card = json.loads((run / "provenance.json").read_text())[0]["imported"]
    size = (tmp_path / "Epoch99.pth").stat().st_size
    assert card["files"] == [{"name": "Epoch99.pth", "sha256": sha256_file(tmp_path / "Epoch99.pth"), "bytes": size}]
    assert card["matched"] == {"by": "map", "version": 1, "source": "names of the authors' release"} and "CC BY-NC 4.0" in card["licence"]
    result = benchtool("evaluate", run, "--data", data, "--device", "cpu")
    assert result.code == 0, result.err
    summary = json.loads((run / "summary.json").read_text())
    assert (summary["recipe"], summary["trained"], summary["imported"]) == (None, None, card)
    [entry] = summary["evaluations"]
    assert entry["checkpoint"] == "imported.best" and entry["weights_sha256"] == sha256_file(run / "checkpoints/imported/best.safetensors")
    assert locate(f"{run}:imported.best", tmp_path, "zero-dce").is_file()
    write_image(tmp_path / "photo.png", np.full((20, 30, 3), 60, np.uint8))
    assert benchtool("enhance", tmp_path / "photo.png", "--method", run, "-o", tmp_path / "out").code == 0
    assert (tmp_path / "out" / "photo.png").is_file()
    shown = benchtool("report", "--paper", "msec", "--table", 1, "--results", tmp_path)
    assert shown.code == 0, shown.err
