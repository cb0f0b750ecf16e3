"""Protocols: ours are whole, and what a file may not say is refused."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from pathlib import Path

import pytest
import yaml
from small_data import make_dataset

from benchtool import metrics
from benchtool.cli.evaluate import evaluate
from benchtool.core import protocol
from benchtool.core.catalog import PACKAGE
from benchtool.core.errors import UserError
from benchtool.core.manifest import ROLES


@pytest.mark.parametrize("name", protocol.protocol_names())
def test_ours_name_things_that_exist(name: str) -> None:
    found = protocol.read_protocol(name)
    for key in (*found.metrics, *found.extra):
        assert metrics.find(key).key == key if protocol.has_metric(key) else f"the metric {key}" in found.lacking
    for roles in found.targets.values():
        assert set([roles] if isinstance(roles, str) else roles) <= set(ROLES)
    assert f"{{{found.citation}," in (PACKAGE / "papers" / "references.bib").read_text()


def test_enc_measures_what_the_paper_did() -> None:
    enc = protocol.load_protocol("enc")
    assert enc.metrics == ["psnr:rgb-u8", "ssim:gray-uniform7"]
    assert (enc.targets["me"], enc.targets["me-v2"]) == ("expert_c", "middle")


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"quantize": "round"}, "unknown key 'quantize'; did you mean 'quantise'?"),
        ({"resize": "512"}, "resize: Input should be 'none'"),
        ({"metrics": None}, "metrics: Input should be a valid list"),
        ({"departures": [{"name": "a", "paper": "b", "realeased": "c", "released": "c", "ours": "d"}]}, "did you mean 'released'?"),
    ],
)
def test_refused(change: dict, says: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    content = yaml.safe_load((protocol.FOLDER / "enc.yaml").read_text())
    (tmp_path / "other.yaml").write_text(yaml.safe_dump({**content, **change}))
    monkeypatch.setattr(protocol, "FOLDER", tmp_path)
    with pytest.raises(UserError) as error:
        protocol.load_protocol("other")
    assert says in str(error.value) and "\n" not in str(error.value)
    with pytest.raises(UserError, match="unknown protocol 'enc'"):
        protocol.load_protocol("enc")


def test_digest_is_of_what_decides_a_value() -> None:
    enc = protocol.load_protocol("enc")
    assert enc.model_copy(update={"title": "x", "departures": []}).sha256 == enc.sha256
    assert enc.model_copy(update={"targets": {"me": "expert_a"}}).sha256 != enc.sha256


def test_the_papers_protocols_are_there() -> None:
    names = {"enc", "msec", "niid", "rsnet", "emvnet-kalantari", "emvnet-raw", "emvnet-isp", "fecnet-script"}
    assert names <= set(protocol.protocol_names())
    assert protocol.load_protocol("rsnet").lacking == protocol.load_protocol("emvnet-isp").lacking == []


def test_evaluate_measures_by_the_default() -> None:
    assert inspect.signature(evaluate).parameters["protocol"].default == protocol.DEFAULT
    assert protocol.load_protocol(protocol.DEFAULT).lacking == []


@pytest.mark.parametrize(
    ("change", "lacks"),
    [
        ({"resize": "inference-512"}, "enhancing at 512 pixels"),
        ({"resize": "target-to-output"}, "resizing the target"),
        ({"quantise": "none-linear"}, "linear images"),
        ({"infinite": "excluded-above-100"}, "above 100 dB"),
        ({"targets": {"me": ["expert_a", "expert_b"]}}, "several targets"),
        ({"metrics": ["psnr:rgb-u8", "no-such-metric:a"]}, "the metric no-such-metric:a"),
        ({"extra": ["psnr:no-such-variant"]}, "the metric psnr:no-such-variant"),
    ],
)
def test_what_cannot_be_measured_by_yet_can_be_read_and_is_refused(
    change: dict, lacks: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    content = yaml.safe_load((protocol.FOLDER / "enc.yaml").read_text())
    (tmp_path / "other.yaml").write_text(yaml.safe_dump({**content, **change}))
    monkeypatch.setattr(protocol, "FOLDER", tmp_path)
    found = protocol.read_protocol("other")
    assert len(found.lacking) == 1 and lacks in found.lacking[0]
    with pytest.raises(UserError, match="protocol other: nothing can be measured by it yet") as error:
        protocol.load_protocol("other")
    assert lacks in str(error.value) and "\n" not in str(error.value)


def test_every_value_that_is_not_implemented_is_one_a_protocol_may_have() -> None:
    values = {value for key in ("resize", "quantise", "infinite") for value in protocol.Protocol.model_fields[key].annotation.__args__}
    assert set(protocol.NOT_YET) < values


@pytest.mark.parametrize("name", ["msec", "fecnet-script", "emvnet-raw"])
def test_evaluate_refuses_rather_than_measure_wrongly(name: str, benchtool: Callable, tmp_path: Path) -> None:
    make_dataset(tmp_path / "me")
    done = benchtool("evaluate", "identity", "--data", tmp_path / "me", "--protocol", name, "--out", tmp_path / "run")
    assert done.code == 2 and done.out == "" and len(done.err.splitlines()) == 1
    assert f"protocol {name}: nothing can be measured by it yet" in done.err
    assert not (tmp_path / "run").exists()


def test_evaluate_measures_by_another_papers_protocol(benchtool: Callable, tmp_path: Path) -> None:
    make_dataset(tmp_path / "me")
    done = benchtool("evaluate", "identity", "--data", tmp_path / "me", "--protocol", "rsnet", "--out", tmp_path / "run")
    assert done.code == 0 and "protocol rsnet" in done.out and "ssim:rgb-gauss" in done.out
