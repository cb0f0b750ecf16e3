"""Networks of random weights under the names that their authors' releases give them."""

from __future__ import annotations

import re
from collections.abc import Callable

import torch
from torch import Tensor

from benchtool import methods

State = dict[str, Tensor]
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
    "zero-dce": (zero_dce, {"width": 8}), "zero-dce-plus": (zero_dce_plus, {"width": 8}), "retinexnet": (retinexnet, {"width": 8}),
    "sid": (sid, {"width": 8}), "sid-enc": (sid, {"width": 8}), "drbn": (drbn, {"width": 8}), "drbn-enc": (drbn, {"width": 8}),
    "drbn-enc-4": (drbn, {"width": 8}),
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
