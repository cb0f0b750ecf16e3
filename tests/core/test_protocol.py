"""Protocols: ours are whole, and what a file may not say is refused."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml

from benchtool import metrics
from benchtool.core import protocol
from benchtool.core.catalog import PACKAGE
from benchtool.core.errors import UserError
from benchtool.core.manifest import ROLES


@pytest.mark.parametrize("name", protocol.protocol_names())
def test_ours_name_things_that_exist(name: str) -> None:
    found = protocol.load_protocol(name)
    for key in (*found.metrics, *found.extra):
        assert metrics.find(key).key == key
    assert set(found.targets.values()) <= set(ROLES)
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
