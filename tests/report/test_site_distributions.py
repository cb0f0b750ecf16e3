"""The site's distributions: their numbers are those of the scores, and the drawings are of the values."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pytest
from made_runs import METRICS, expert_rows, score_rows, write_run
from made_site import SCENES, write_runs

from benchtool.papers.model import Group
from benchtool.report.frame import read_results
from benchtool.report.site.build import environment
from benchtool.report.site.distribution import views
from benchtool.report.site.drawing import BARS, WIDE, chart, scale
from benchtool.report.site.subjects import DECIMALS, subjects
from benchtool.report.site.tables import sort_value
from benchtool.report.statistics import scene_interval


def test_a_distribution_says_what_its_scores_are(tmp_path: Path) -> None:
    rows = [row for row in score_rows("me", SCENES) if row["metric"] == "psnr"]
    write_runs(tmp_path)
    found = subjects(read_results([tmp_path]).evaluations, [])
    (clahe,) = [s for s in found if (s.label, s.edition.dataset) == ("clahe", "me")]
    by_name = {(view.metric.key, view.part): view for view in views(clahe)}
    assert set(by_name) == {(metric, group) for metric in METRICS for group in ("all images", "under", "over")}
    view = by_name["psnr:rgb-u8", "under"]
    under = [row for row in rows if row["exposure"] < 0]
    values = np.array([row["value"] for row in under])
    numbers = dict(view.numbers)
    interval = scene_interval([(values, np.array([row["scene"] for row in under]))])
    low, middle, high = np.quantile(values, (0.25, 0.5, 0.75))
    assert numbers == {
        "Mean, dB": f"{values.mean():.2f}",
        "95% interval over scenes": f"{interval.low:.2f} to {interval.high:.2f}",
        "Median": f"{middle:.2f}",
        "Quartiles": f"{low:.2f} to {high:.2f}",
        "Range": f"{values.min():.2f} to {values.max():.2f}",
        "Images": str(len(values)),
        "Scenes": str(SCENES),
    }
    assert [(i.name, i.value, i.reason) for i in view.images] == [(row["sample"], f"{row['value']:.2f}", "") for row in under]
    lanes = {lane.title: lane for lane in view.breakdowns[0].lanes}
    assert set(lanes) == {"−1.5 EV", "−1 EV"}
    of = [row["value"] for row in under if row["exposure"] == -1.5]
    assert lanes["−1.5 EV"].numbers == [f"{figure:.2f}" for figure in (np.mean(of), *np.quantile(of, (0.25, 0.5, 0.75)))]


def test_a_mean_of_groups_counts_each_once(tmp_path: Path) -> None:
    rows = [{**row, "subset": "small" if row["scene"] == "a9000" else "big"} for row in score_rows("me", 4)]
    write_run(tmp_path / "r", rows=rows)
    (subject,) = subjects(read_results([tmp_path]).evaluations, [])
    subject.use("psnr:rgb-u8", Group("Average", "average", ("small", "big")), ["expert_c"], "T", "t.html")
    (view,) = [v for v in views(subject) if v.metric.key == "psnr:rgb-u8" and v.part.startswith("average")]
    psnr = [row for row in rows if row["metric"] == "psnr"]
    means = [np.mean([row["value"] for row in psnr if row["subset"] == subset]) for subset in ("small", "big")]
    assert dict(view.numbers)["Mean, dB"] == f"{np.mean(means):.2f}" != f"{np.mean([row['value'] for row in psnr]):.2f}"
    assert view.tables == [("T", "t.html")] and len(view.images) == len(psnr)


def test_several_targets_count_alike_and_are_told_apart(tmp_path: Path) -> None:
    roles = ("expert_a", "expert_b")
    rows = [row for row in expert_rows("me", 6, roles) if row["metric"] == "psnr"]
    rows[0] |= {"value": float("inf")}
    write_run(tmp_path / "r", rows=rows, target="+".join(roles))
    (subject,) = subjects(read_results([tmp_path]).evaluations, [])
    subject.use("psnr:rgb-u8", Group("All", "all"), ["expert_b"], "T", "t.html")
    by_part = {view.part: view for view in views(subject)}
    means = {role: np.mean([row["value"] for row in rows if row["expert"] == role and np.isfinite(row["value"])]) for role in roles}
    both, one = by_part["all images"], by_part["all images, expert_b"]
    assert dict(both.numbers)["Mean, dB"] == f"{np.mean(list(means.values())):.2f}"
    assert dict(one.numbers)["Mean, dB"] == f"{means['expert_b']:.2f}"
    assert (dict(both.numbers)["Images"], dict(both.numbers)["Comparisons"], dict(both.numbers)["Infinite"]) == ("30", "60", "1")
    assert "Comparisons" not in dict(one.numbers) and one.tables == [("T", "t.html")] and both.tables == []
    assert [breakdown.by for breakdown in both.breakdowns] == ["exposure", "target"] and [b.by for b in one.breakdowns] == ["exposure"]
    assert {lane.title: lane.numbers[0] for lane in both.breakdowns[1].lanes} == {role: f"{value:.2f}" for role, value in means.items()}
    assert both.targets and not one.targets and len(both.images) == 60 == 2 * len(one.images) and both.here != one.here


def test_the_drawing_is_of_the_values() -> None:
    values = np.random.default_rng(0).normal(20, 3, 500)
    on = scale(values)
    assert on.low <= values.min() and values.max() <= on.high
    drawn = chart(values, on, float(values.mean()), 'a "quoted" <b>')
    assert "&#34;quoted&#34; &lt;b&gt;" in drawn.svg
    dots = re.search(r'class="dots" d="([^"]*)"', drawn.svg)[1]
    across = np.array([int(x) for x in re.findall(r"M(\d+) \d+h0", dots)])
    assert np.abs(across - WIDE * (np.sort(values) - on.low) / (on.high - on.low)).max() <= 0.5
    edges = np.arange(on.low, on.high + on.step / 2, on.step)
    counts = np.histogram(values, edges)[0]
    tops = [float(y) for y in re.findall(r"M\d+ \d+V([\d.]+)H", re.search(r'class="bars" d="([^"]*)"', drawn.svg)[1])]
    assert tops == pytest.approx([BARS * (1 - n / counts.max()) for n in counts if n], abs=0.06)
    assert drawn.tallest == counts.max() and float(drawn.step) == pytest.approx(on.step)


@pytest.mark.parametrize("values", [[3.0], [0.0, 0.0], [-1e-9, 1e-9], [1e6, 1e6 + 1], [0.99999, 1.0], [-40.0, 900.0]])
def test_any_values_can_be_drawn(values: list[float]) -> None:
    on = scale(np.array(values))
    assert on.low <= min(values) and max(values) <= on.high
    drawn = chart(np.array(values), on, float(np.mean(values)), "")
    assert "nan" not in drawn.svg and "inf" not in drawn.svg
    assert len(re.findall("h0", drawn.svg)) == len(values) and 2 <= len(on.ticks()) <= 12


def test_printed_numbers_sort_as_numbers() -> None:
    texts = ["11.56M", "0.53M", "900k", "−0.50", "+0.25", "±0.00", "22.1"]
    assert [float(sort_value(text)) for text in texts] == [11.56e6, 0.53e6, 900e3, -0.5, 0.25, 0, 22.1]
    assert [sort_value(text) for text in ("–", "n/a", "missing", "")] == [""] * 4


def test_a_large_split_stays_readable(tmp_path: Path) -> None:
    write_run(tmp_path / "r", scenes=1181)
    (subject,) = subjects(read_results([tmp_path]).evaluations, [])
    view = next(iter(views(subject)))
    page = environment().get_template("distribution.html.j2").render(root="../../../", here="measured", view=view)
    assert len(view.images) == 5905 and len(page) < 800_000


def test_no_page_of_a_metric_that_is_not_known_fails(tmp_path: Path) -> None:
    rows = [{**row, "metric": "mine", "variant": "v1"} for row in score_rows("me", 3) if row["metric"] == "psnr"]
    write_run(tmp_path / "r", rows=rows)
    (subject,) = subjects(read_results([tmp_path]).evaluations, [])
    view = next(iter(views(subject)))
    assert (view.metric.title, view.metric.decimals) == ("mine", DECIMALS)
