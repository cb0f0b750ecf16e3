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
        assert metrics.find(key).key == key
    for dataset in found.targets:
        assert set(found.roles(dataset)) <= set(ROLES)
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
        ({"runtime": [0, 720]}, "runtime.0: Input should be greater than 0"),
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
    names = {"enc", "msec", "niid", "rsnet", "emvnet-kalantari", "emvnet-raw", "emvnet-isp", "fecnet-script", "enc-released"}
    assert names <= set(protocol.protocol_names())


def test_evaluate_measures_by_the_default() -> None:
    assert inspect.signature(evaluate).parameters["protocol"].default == protocol.DEFAULT
    assert protocol.load_protocol(protocol.DEFAULT).lacking == []


@pytest.mark.parametrize("change", [{"metrics": ["psnr:rgb-u8", "no-such-metric:a"]}, {"extra": ["no-such-metric:a"]}])
def test_a_protocol_lacks_metrics_that_are_not_there_and_nothing_else(
    change: dict, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, benchtool: Callable
) -> None:
    content = yaml.safe_load((protocol.FOLDER / "msec.yaml").read_text()) | {"infinite": "excluded-above-100", "metrics": ["psnr:rgb-u8"]}
    (tmp_path / "other.yaml").write_text(yaml.safe_dump({**content, **change}))
    monkeypatch.setattr(protocol, "FOLDER", tmp_path)
    assert protocol.read_protocol("other").lacking == ["the metric no-such-metric:a"]
    says = "protocol other: benchtool lacks the metric no-such-metric:a; name those to measure by with --metrics"
    with pytest.raises(UserError, match=says):
        protocol.load_protocol("other")
    make_dataset(tmp_path / "me")
    command = ["evaluate", "identity", "--data", tmp_path / "me", "--protocol", "other", "--out", tmp_path / "run", "--target", "expert_c"]
    done = benchtool(*command)
    assert done.code == 2 and done.out == "" and done.err == f"benchtool: {says}\n" and not (tmp_path / "run").exists()
    assert benchtool(*command, "--metrics", "psnr").code == 0


def test_no_protocol_of_ours_lacks_anything() -> None:
    assert [name for name in protocol.protocol_names() if protocol.read_protocol(name).lacking] == []


@pytest.mark.parametrize("name", protocol.protocol_names())
def test_metrics_compare_what_the_protocol_compares(name: str) -> None:
    found = protocol.read_protocol(name)
    assert {metrics.find(key).spec.linear for key in (*found.metrics, *found.extra)} == {found.quantise == "none-linear"}


def test_digests_of_measured_figures_stand() -> None:
    """Were one of these to change, every figure measured so far would be shown apart from new ones."""
    assert protocol.load_protocol("enc").sha256 == "2dddae6b30eacb16481995b624ff318d241e11dbccde6f7930a31f7bdccdde86"
    assert protocol.load_protocol("rsnet").sha256 == "e16a88229b27a1d4f1f0bb8e29ef096eafc743fda0746da4eb5b67d78a78c8a8"


def test_digest_is_not_of_the_run_time() -> None:
    niid = protocol.load_protocol("niid")
    assert niid.runtime == (1280, 720) and niid.model_copy(update={"runtime": None}).sha256 == niid.sha256


def test_roles() -> None:
    msec, enc = protocol.load_protocol("msec"), protocol.load_protocol("enc")
    assert msec.roles("me") == tuple(f"expert_{letter}" for letter in "abcde") and msec.roles("sice") == ()
    assert enc.roles("me") == ("expert_c",)


def test_evaluate_measures_by_another_papers_protocol(benchtool: Callable, tmp_path: Path) -> None:
    make_dataset(tmp_path / "me")
    done = benchtool("evaluate", "identity", "--data", tmp_path / "me", "--protocol", "rsnet", "--out", tmp_path / "run")
    assert done.code == 0 and "protocol rsnet" in done.out and "ssim:rgb-gauss" in done.out
