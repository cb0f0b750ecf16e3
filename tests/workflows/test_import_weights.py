"""`methods import`: releases of other names and layouts give the same bits; what does not fit, or is not safe, writes nothing."""

from __future__ import annotations

import io
import json
import os
import pickle
import re
import zipfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import scipy.io
import torch
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

State = dict[str, Tensor]


@pytest.fixture(autouse=True)
def no_plugins(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(catalog, "_plugins", [])


ENC = {
    "embed": "conv1", "norm": "instance", "normalised_path": "conv2_1", "identity_path": "conv2_2", "spatial_attention": "interative.0",
    "squeeze": "process.0", "excite": "process.2", "fuse": "conv1x1",
}  # fmt: skip
DENSE = {"dense_full": 0, "dense_half": 1, "dense_quarter.0": 2, "dense_quarter.1": 3, "dense_half_up": 4, "dense_full_up": 5}
AROUND_DENSE = {
    "second": "SFENet2", "first": "SFENet1", "heads.0": "UPNet", "heads.1": "UPNet2", "heads.2": "UPNet4", "down_half": "Down1",
    "down_quarter": "Down2", "up_full": "Up1", "up_half": "Up2",
}  # fmt: skip


def zero_dce(key: str) -> str:
    return re.sub(r"^convs\.(\d)", lambda m: f"e_conv{int(m[1]) + 1}", key)


def zero_dce_plus(key: str) -> str:
    return zero_dce(key).replace(".depth.", ".depth_conv.").replace(".point.", ".point_conv.")


def sid(key: str) -> str:
    """As enc.md's tables: c1_1 .. c9_2 by level, upv6 .. upv9, conv10_1 last."""
    key = re.sub(r"^enc\.(\w+)", lambda m: f"conv1_1.{ENC[m[1]]}", key)
    key = re.sub(r"^first", "conv1_1", re.sub(r"^unet\.top\.1", "conv1_2", re.sub(r"^unet\.out", "conv10_1", key)))
    key = re.sub(r"^unet\.up\.(\d)", lambda m: f"upv{int(m[1]) + 6}", key)
    key = re.sub(r"^unet\.down\.(\d)\.(\d)", lambda m: f"conv{int(m[1]) + 2}_{(int(m[2]) + 1) // 2}", key)
    return re.sub(r"^unet\.merge\.(\d)\.(\d)", lambda m: f"conv{int(m[1]) + 6}_{int(m[2]) // 2 + 1}", key)


def drbn(key: str) -> str:
    key = re.sub(r"^blocks\.(\d)", lambda m: f"recur{int(m[1]) + 1}", key)
    key = re.sub(r"\.enc\.(\w+)", lambda m: f".SFENet1.{ENC[m[1]]}", key)
    key = re.sub(r"\.(dense_\w+(?:\.\d)?)\.(?=convs|fuse)", lambda m: f".RDBs.{DENSE[m[1]]}.", key)
    key = re.sub(r"\.convs\.(\d)", r".convs.\1.conv.0", key).replace(".fuse.", ".LFF." if "SFENet1" not in key else ".fuse.")
    return re.sub(r"^(recur\d\.)(heads\.\d|\w+)", lambda m: m[1] + AROUND_DENSE.get(m[2], m[2]), key)


def retinexnet(key: str) -> str:
    key = re.sub(r"^decomposition\.middle\.(\d)", lambda m: f"net1_convs.{2 * int(m[1])}", key)
    key = re.sub(r"^relighting\.(down|up)\.(\d)", lambda m: f"net2_{'conv' if m[1] == 'down' else 'deconv'}1_{int(m[2]) + 1}", key)
    plain = {"decomposition.first": "net1_conv0", "decomposition.last": "net1_recon", "relighting.first": "net2_conv0_1"}
    for ours, theirs in (plain | {"relighting.fuse": "net2_fusion", "relighting.last": "net2_output"}).items():
        key = key.replace(ours, theirs)
    return key


def msec(key: str) -> str:
    """As MATLAB's unetLayers names them, `level_1` the finest."""
    if found := re.match(r"generator\.enlarge\.(\d)\.(\w+)", key):
        return f"level_{int(found[1]) + 2}-upsampling_{found[2]}"
    level, rest, parameter = re.match(r"generator\.nets\.(\d)\.(.+)\.(\w+)$", key).groups()
    kind, *numbers = rest.split(".")
    bridge = "4" if level == "3" else "3"
    if kind == "down":
        layer = ("Bridge" if numbers[0] == bridge else f"Encoder-Stage-{int(numbers[0]) + 1}") + f"-Conv-{int(numbers[1]) // 2 + 1}"
    elif kind == "up":
        layer = f"Decoder-Stage-{int(numbers[0]) + 1}-UpConv"
    else:
        layer = f"Decoder-Stage-{int(numbers[0]) + 1}-Conv-{int(numbers[1]) // 2 + 1}" if kind == "merge" else "Final-ConvolutionLayer"
    return f"level_{int(level) + 1}-{layer}_{parameter}"


PORT = {"skip": "concat", "border": "replicate"}
RELEASES: dict[str, tuple[Callable[[str], str], dict]] = {
    "zero-dce": (zero_dce, {"width": 8}), "zero-dce-plus": (zero_dce_plus, {"width": 8}), "retinexnet": (retinexnet, {"width": 8}), "sid": (sid, {"width": 8}),
    "sid-enc": (sid, {"width": 8}), "drbn": (drbn, {"width": 8}), "drbn-enc": (drbn, {"width": 8}), "drbn-enc-4": (drbn, {"width": 8}),
    "msec-no-adv": (msec, {"widths": [4, 4, 4, 4], "long_side": 128}), "msec": (msec, {"widths": [4, 4, 4, 4], "long_side": 128}),
}  # fmt: skip


def made(name: str) -> tuple[methods.Method, State, list[str]]:
    """A network of random weights, its state under the release's names, and the options of the command."""
    rename, options = RELEASES[name]
    torch.manual_seed(5)
    extra = PORT if name == "retinexnet" else {"critic_width": 0} if name == "msec" else {}
    net = methods.create(name, **options, **extra).eval()
    arguments = [text for key, value in options.items() for text in ("-s", f"{key}={value}")]
    return net, {rename(key): tensor.clone() for key, tensor in net.state_dict().items()}, arguments


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
    "nan": "convs.2.bias holds NaN", "no state": "holds no state dict",
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
        (("zero-dce", "--map", tmp_path / "w.pth"), "not readable (no text)"), (("zero-dce", "--map", MAPS / "sid.yaml"), "is a map for sid"),
        (("zero-dce", tmp_path / "w.pth"), "another file has too"), (("zero-dce", tmp_path / "x.pth"), "no such file"),
        (("zero-dce",), "is it of these options?"),
    ):  # fmt: skip
        name, *rest = arguments_
        out = [] if "--out" in rest else ["--out", tmp_path / "run"]
        result = benchtool("methods", "import", name, tmp_path / "w.pth", *rest, *out)
        assert result.code == 2 and message in result.err and len(result.err.strip().splitlines()) == 1, (arguments_, result.err)
        assert not (tmp_path / "run").exists()


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
