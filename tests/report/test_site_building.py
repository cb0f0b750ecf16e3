"""Building a site: the command and its mistakes, the datasets it finds, and what it replaces or leaves alone."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from made_runs import write_run
from made_site import SCENES, Page, in_this_process, words, write_runs
from small_data import make_dataset

from benchtool.core.errors import UserError
from benchtool.core.files import atomic_folder
from benchtool.report.frame import read_results
from benchtool.report.site import build, tables
from benchtool.report.site.build import build_site


@pytest.fixture
def here(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[Path]:
    """The working folder; sites are of one paper, which is faster."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(tables, "names", lambda: ["enc"])
    with in_this_process():
        yield tmp_path


def test_the_command_builds_and_says_where(here: Path, benchtool: Callable) -> None:
    write_runs(here / "runs")
    done = benchtool("site", "out", "--scenes", 1)
    assert done.code == 0 and "open out/index.html" in done.out
    assert "its folder was not given" in done.err and "--data FOLDER" in done.err
    few = len(list((here / "out" / "scenes").glob("*/*.html")))
    assert benchtool("site", "out", "--all").code == 0
    assert len(list((here / "out" / "scenes").glob("*/*.html"))) == 3 * SCENES > few  # of three editions


def test_a_dataset_is_matched_by_its_fingerprint(here: Path, benchtool: Callable) -> None:
    dataset = make_dataset(here / "data")
    test = [s for s in dataset.samples if s.split == "test"]
    rows = [
        {
            "scene": s.scene, "sample": s.sample, "exposure": s.exposure, "metric": "psnr", "variant": "rgb-u8", "value": 20.0,
            "subset": None,
            "expert": "expert_c", "status": "ok", "reason": None, "metric_version": "1", "prediction_sha256": None,
        }
        for s in test
    ]  # fmt: skip
    write_run(here / "runs" / "clahe", rows=rows, fingerprint=dataset.facts.fingerprint)
    done = benchtool("site", "out", "--data", "data", "--root", f"here={here / 'data'}")
    assert done.code == 0 and "not given" not in done.err, done.err
    assert list((here / "out" / "scenes").rglob("*.jpg"))
    (page,) = (here / "out" / "scores").rglob("psnr-rgb-u8.all.html")
    linked = [address for _, address in Page(page).addresses if "/scenes/" in address and "#" in address]
    assert len(linked) == len(test)
    write_run(here / "runs" / "clahe", rows=rows)
    done = benchtool("site", "out", "--data", "data")
    assert "--data data: no evaluation of this data was found" in done.err and "its folder was not given" in done.err


def test_no_runs_is_a_site_that_says_so(here: Path, benchtool: Callable) -> None:
    done = benchtool("site", "out")
    assert done.code == 0
    assert "Nothing measured yet" in words(Page(here / "out" / "index.html"))
    assert "22.72" in (here / "out" / "tables" / "enc-1.html").read_text()


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["--results", "nowhere"], "--results nowhere: no such folder"),
        (["--data", "nowhere"], "nowhere: not a dataset"),
        (["--root", "me=x"], "--root me=...: no dataset given with --data has this root"),
        (["--root", "me"], "--root me: give NAME=VALUE"),
    ],
)
def test_mistakes_are_one_line(here: Path, benchtool: Callable, arguments: list[str], says: str) -> None:
    done = benchtool("site", "out", *arguments)
    assert done.code == 2 and says in done.err and len(done.err.splitlines()) == 1
    assert not (here / "out").exists()


def test_unreadable_runs_are_listed_and_the_rest_is_built(here: Path, benchtool: Callable) -> None:
    write_runs(here / "runs")
    (here / "runs" / "clahe" / "scores.parquet").write_bytes(b"broken")
    done = benchtool("site", "out")
    assert done.code == 1 and "could not be read" in done.err and "clahe/scores.parquet" in done.err
    assert "Could not be read" in words(Page(here / "out" / "index.html"))


@pytest.mark.parametrize("kind", ["folder", "file"])
def test_what_is_not_a_site_is_left_alone(here: Path, benchtool: Callable, kind: str) -> None:
    if kind == "folder":
        (here / "out").mkdir()
        (here / "out" / "thesis.tex").write_text("x")
    else:
        (here / "out").write_text("x")
    before = sorted(here.rglob("*"))
    done = benchtool("site", "out")
    assert done.code == 2 and "holds other things" in done.err and len(done.err.splitlines()) == 1
    assert sorted(here.rglob("*")) == before


def test_an_older_site_is_replaced_whole_or_not_at_all(here: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    nothing = read_results([])
    build_site(here / "out", nothing, [])
    (here / "out" / "stale.html").write_text("x")
    with monkeypatch.context() as patch:
        patch.setattr(build, "write_tables", lambda *_: (_ for _ in ()).throw(KeyboardInterrupt))
        with pytest.raises(KeyboardInterrupt):
            build_site(here / "out", nothing, [])
    assert (here / "out" / "stale.html").is_file() and [p.name for p in here.iterdir()] == ["out"]
    build_site(here / "out", nothing, [])
    assert not (here / "out" / "stale.html").exists() and [p.name for p in here.iterdir()] == ["out"]


def test_what_a_killed_build_left_is_cleared(tmp_path: Path) -> None:
    left = tmp_path / ".tmp-out-new"
    left.mkdir()
    (left / "mark").touch()
    (left / "half.html").touch()
    with atomic_folder(tmp_path / "out", "mark") as folder:
        assert [p.name for p in folder.iterdir()] == ["mark"]
    assert [p.name for p in tmp_path.iterdir()] == ["out"]
    (tmp_path / ".tmp-out-new").mkdir()
    (tmp_path / ".tmp-out-new" / "mine.txt").touch()
    with pytest.raises(UserError, match="holds other things"), atomic_folder(tmp_path / "out", "mark"):
        pass
    assert (tmp_path / ".tmp-out-new" / "mine.txt").exists()


def test_it_works_where_torch_is_not_installed(tmp_path: Path) -> None:
    write_run(tmp_path / "runs" / "clahe", scenes=1)
    code = "import sys; sys.modules['torch'] = None; from benchtool.cli.main import run; run(['site', 'out'])"
    done = subprocess.run([sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "out" / "index.html").is_file() and list((tmp_path / "out" / "scores").rglob("*.html"))
