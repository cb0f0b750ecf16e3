"""The page on the reduced comparison says what was measured: its figures are those of the committed files."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
FOLDER = ROOT / "results" / "brackets256"
FORMS = {"psnr:rgb-u8": ".2f", "ssim:rgb-gauss": ".4f"}
COMPARISON = json.loads((FOLDER / "comparison.json").read_text())


def test_the_table_of_means_is_that_of_the_comparison() -> None:
    page = (ROOT / "docs" / "reproduction.md").read_text()
    for means in COMPARISON["means"].values():
        cells = [format(value, FORMS[metric]) for metric, by_group in means.items() for value in by_group.values()]
        assert f"| {' | '.join(cells)} |" in page


def test_the_table_of_differences_is_that_of_the_comparison() -> None:
    page = (ROOT / "docs" / "reproduction.md").read_text()
    for pair, by_metric in COMPARISON["differences"].items():
        one, other = pair.split(" - ")
        cells = [f"{e['difference']:+.2f} ({e['low']:+.2f} to {e['high']:+.2f})" for e in by_metric["psnr:rgb-u8"].values()]
        assert f"| `{one}` - `{other}` | {' | '.join(cells)} |" in page


@pytest.mark.parametrize("path", sorted(FOLDER.glob("*.*.*.json")), ids=lambda path: path.stem)
def test_a_summary_has_the_means_of_the_comparison(path: Path) -> None:
    summary = json.loads(path.read_text())
    (entry,) = summary["evaluations"]
    assert summary["run"] == path.stem and entry["complete"] and entry["failures"] == 0 and entry["scenes"] == 20
    for metric, by_group in COMPARISON["means"][path.stem].items():
        assert by_group == pytest.approx({group: entry["means"][metric][group] for group in by_group})
