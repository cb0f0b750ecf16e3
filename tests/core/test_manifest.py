"""The manifest: what is refused, what comes back, what the fingerprint depends on."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path

import pytest

from benchtool.core.errors import UserError
from benchtool.core.manifest import Facts, Image, Sample, fingerprint, open_dataset, write_dataset

FACTS = Facts(name="me", variant="sample", roots={"here": "."}, exposure_groups={"under": [-1.5], "over": [0.0, 1.5]})


def image(path: str = "here:a.png", role: str = "input", sha: str = "0" * 64) -> Image:
    return Image(path, sha, 4, 3, ev=-1.5, role=role)


def sample(name: str = "a_N1.5", scene: str = "a", split: str = "train", **changes: object) -> Sample:
    return dataclasses.replace(Sample(name, scene, split, (image(),), (image("here:t.png", "expert_c"),)), **changes)


def test_round_trip(tmp_path: Path) -> None:
    written = [sample(), sample("b (1)_0", "b", "test", subset="iphone", targets=())]
    write_dataset(tmp_path, FACTS, written)
    opened = open_dataset(tmp_path)
    assert opened.samples == written
    assert opened.facts.counts == {
        "train": {"samples": 1, "scenes": 1},
        "val": {"samples": 0, "scenes": 0},
        "test": {"samples": 1, "scenes": 1},
    }
    assert opened.path(opened.samples[0].inputs[0]) == (tmp_path / "a.png").resolve()
    assert opened.samples[0].exposure == -1.5 and opened.group(opened.samples[0]) == "under"
    assert opened.group(sample(inputs=(dataclasses.replace(image(), ev=7.0),))) is None
    assert opened.samples[0].target("expert_c").path == "here:t.png" and opened.samples[0].target("expert_a") is None
    with pytest.raises(UserError, match="no val split"):
        opened.split("val")


@pytest.mark.parametrize(
    ("broken", "says"),
    [
        ([sample(), sample()], "twice"),
        ([sample(), sample("a_0", split="test")], "stays in one"),
        ([sample(split="valid")], "split"),
        ([sample(name="../a")], "safe"),
        ([sample(inputs=())], "input"),
        ([sample(inputs=(image("/etc/passwd"),))], "root:relative"),
        ([sample(inputs=(image("here:../x.png"),))], "root:relative"),
        ([sample(inputs=(image("there:x.png"),))], "root:relative"),
        ([sample(inputs=(image(role="gt"),))], "role 'gt'"),
    ],
)
def test_refused(tmp_path: Path, broken: list[Sample], says: str) -> None:
    with pytest.raises(UserError, match=says):
        write_dataset(tmp_path, FACTS, broken)
    assert not (tmp_path / "dataset.json").exists()


def test_groups_without_exposure_values_are_subsets(tmp_path: Path) -> None:
    unknown = (dataclasses.replace(image(), ev=None),)
    samples = [sample("a_low", subset="under", inputs=unknown), sample("a_high", subset="over", inputs=unknown)]
    opened = write_dataset(tmp_path, dataclasses.replace(FACTS, exposure_groups={"under": [], "over": []}), samples)
    assert {s.sample: opened.group(s) for s in opened.samples} == {"a_low": "under", "a_high": "over"}
    assert opened.exposures("over") == ["over"] and [s.sample for s in opened.samples if s.shown_at(["over"])] == ["a_high"]


def test_fingerprint_is_of_content_not_of_order_or_place() -> None:
    one, two = sample(), sample("b_0", "b")
    assert fingerprint([one, two]) == fingerprint([two, one])
    moved = dataclasses.replace(one, inputs=(image("here:elsewhere.png"),))
    assert fingerprint([moved, two]) == fingerprint([one, two])
    for changed in (
        dataclasses.replace(one, split="test"),
        dataclasses.replace(one, inputs=(image(sha="1" * 64),)),
        dataclasses.replace(one, targets=(image("here:t.png", "expert_c", "1" * 64),)),
        dataclasses.replace(one, targets=(image("here:t.png", "expert_a"),)),
    ):
        assert fingerprint([changed, two]) != fingerprint([one, two])


def test_open_notices_damage(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="not a dataset"):
        open_dataset(tmp_path)
    write_dataset(tmp_path, FACTS, [sample()])
    facts = json.loads((tmp_path / "dataset.json").read_text())
    (tmp_path / "dataset.json").write_text(json.dumps({**facts, "fingerprint": "x"}))
    with pytest.raises(UserError, match="not the one"):
        open_dataset(tmp_path)
    (tmp_path / "manifest.parquet").write_bytes(b"PAR1 no")
    with pytest.raises(UserError, match="damaged"):
        open_dataset(tmp_path)


def test_roots(tmp_path: Path) -> None:
    outside = tmp_path / "me files"
    outside.mkdir()
    folder = tmp_path / "set"
    write_dataset(folder, dataclasses.replace(FACTS, roots={"here": "../me files"}), [sample()])
    assert open_dataset(folder).path(image()) == outside.resolve() / "a.png"
    other = tmp_path / "moved"
    outside.rename(other)
    with pytest.raises(UserError, match="--root here=DIR"):
        open_dataset(folder)
    assert open_dataset(folder, {"here": other}).path(image()) == other.resolve() / "a.png"
    with pytest.raises(UserError, match="has the roots here"):
        open_dataset(folder, {"there": other})


def test_a_link_out_of_the_root_is_refused(tmp_path: Path) -> None:
    folder = tmp_path / "set"
    opened = write_dataset(folder, FACTS, [sample()])
    (folder / "a.png").symlink_to("/etc/passwd")
    with pytest.raises(UserError, match="outside"):
        opened.path(image())
