"""Every method keeps the contract; one that does not is found out, at the right point."""

from __future__ import annotations

import dataclasses
import re
from pathlib import Path

import pytest
import torch
import yaml
from made_training import TOY

from benchtool.core import catalog
from benchtool.core.spec import MethodSpec
from benchtool.methods import create
from benchtool.methods.base import Batch, Stage
from benchtool.workflows.check_method import check_method, outcome
from benchtool.workflows.contract import POINTS
from benchtool.workflows.contract_subject import Subject

ROOT = Path(__file__).resolve().parents[2]
GUIDE = ROOT / "docs" / "adding-a-method.md"

SOUND = '''"""One convolution, the least that can be trained."""
import torch
from torch import nn
from benchtool.core.spec import Departure, MethodSpec
from benchtool.losses import mse
from benchtool.methods.base import Method

SPEC = MethodSpec(title="Toy", citation="", parameters=84, tiling="exact", tile_margin=1, check={"width": 3})

class Toy(Method):
    def __init__(self, width: int = 3):
        super().__init__()
        self.conv = nn.Conv2d(width, 3, 3, padding=1)
    def enhance(self, inputs, exposures=None):
        return self.conv(inputs[:, 0])
    def losses(self, batch, stage, player="model"):
        return {"mse": mse(self.enhance(batch.inputs), batch.targets)}
'''
ENHANCE = "return self.conv(inputs[:, 0])"
CONV = "self.conv = nn.Conv2d(width, 3, 3, padding=1)"
ONE_COLOUR = "return self.conv(inputs[:, 0] * torch.tensor([1.0, 0, 0]).view(3, 1, 1))"
EVERY_OTHER = "return self.conv(inputs[:, 0]) + torch.arange(inputs.shape[-1]) % 2"
MSE = "mse(self.enhance(batch.inputs), batch.targets)"
FAULTS = {
    "SPEC is complete": [
        ('tiling="exact"', 'tiling="often"', r"SPEC.tiling is 'often'"),
        ('title="Toy"', 'title=""', "title"),
        ('{"width": 3}', '{"wide": 3}', "'wide'"),
        ('tiling="exact"', 'tiling="approximate"', "tile_margin is given"),
        ('tiling="exact"', 'tiling="exact", inference=512', "SPEC.inference"),
        ("tile_margin=1", "tile_margin=1, tile_step=0", "tile_step 0"),
        ('tiling="exact"', 'tiling="exact", departures=(Departure("loss", "L1", "", "L1"),)', "'loss' leaves a column empty"),
    ],
    "parameters as SPEC says": [
        ("parameters=84", "parameters=85", "has 84 parameters, SPEC says 85"),
        ("parameters=84", 'parameters=84, by_player={"model": 84}', "by_player is for several players"),
        ("parameters=84", 'parameters=84, players=("model", "critic")', r"by_player says \{\}"),
    ],
    "any size": [
        ("padding=1", "padding=0", "RuntimeError|gives"),
        (ENHANCE, "return self.conv(inputs[:, 0])[..., :32]", r"33 x 47: gives \(2, 3, 33, 32\)"),
        (ENHANCE, "return self.conv(inputs[:, 0]) / inputs.std()", "black"),
        (ENHANCE, "return self.conv(inputs[:, 0].mul_(0.5))", "writes into its input"),
        (ENHANCE, "return self.conv(inputs[:, 0]) * (1 if exposures is None else exposures.sum())", "NaN"),
    ],
    "a megapixel": [(ENHANCE, "assert inputs.shape[-1] < 999; return self.conv(inputs[:, 0])", "AssertionError")],
    "deterministic": [(ENHANCE, "return self.conv(inputs[:, 0]) + torch.rand(1)", "two calls differ")],
    "weights saved and loaded": [
        (CONV, f"{CONV}; gain = torch.rand(1); self.conv.register_forward_hook(lambda m, x, y: y * gain)", "not in the state"),
        ("self.conv =", "self.a, self.b = nn.Linear(2, 2), nn.Linear(2, 2); self.b.weight = self.a.weight; self.conv =", "memory"),
    ],
    "gradient reaches all": [
        ("self.conv =", "self.idle = nn.Parameter(torch.ones(1)); self.conv =", "no gradient reaches idle,"),
        (ENHANCE, ONE_COLOUR, "model: no gradient reaches 54 of 81 entries of conv.weight"),
        ("tile_margin=1", 'tile_margin=1, dead=("conv.*",)', "SPEC.dead declares conv.weight, but a gradient reaches all of it"),
        ("tile_margin=1", 'tile_margin=1, dead=("cone.*",)', r"'cone\.\*' matches no trainable parameter"),
        (MSE, f"{MSE}.log().sqrt()", "gradient of conv.weight is not finite"),
    ],
    "loss falls": [(MSE, f"(lambda m: 2 * m.detach() - m)({MSE})", "before, .* after 10 steps")],
    "tiling as SPEC says": [
        (ENHANCE, "return self.conv(inputs[:, 0]) - inputs.mean()", "farther than SPEC.tile_margin, 1"),
        (ENHANCE, "return self.conv(inputs[:, 0]) - inputs.nan_to_num().mean()", "tiles differ from the whole image by"),
        ("tile_margin=1", "tile_margin=0", "farther than SPEC.tile_margin, 0"),
        (ENHANCE, EVERY_OTHER, "tiles differ from the whole image by 1, beginning at multiples of 1"),
    ],
}
CASES = [(point, *fault) for point, faults in FAULTS.items() for fault in faults]


@pytest.fixture(autouse=True)
def no_plugins(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(catalog, "_plugins", [])


@pytest.mark.parametrize("name", catalog.names("methods"))
def test_every_method_keeps_the_contract(name: str) -> None:
    checks = check_method(name)
    assert [c.point for c in checks] == list(POINTS)
    assert [f"{c.point}: {c.note}" for c in checks if c.passed is False] == []


@pytest.mark.parametrize("name", catalog.names("methods"))
def test_citations_are_in_the_bibliography(name: str) -> None:
    citation = catalog.facts("methods", name).citation
    entries = re.findall(r"^@\w+\{([^,]+),", (catalog.PACKAGE / "papers" / "references.bib").read_text(), re.MULTILINE)
    assert citation == "" or citation in entries


def plugin(folder: Path, name: str, source: str) -> str:
    path = folder / f"{name}.py"
    path.write_text(source)
    return catalog.add_plugin(path)[0].name


def test_a_sound_toy_passes(tmp_path: Path) -> None:
    state = torch.get_rng_state()
    checks = {c.point: c for c in check_method(plugin(tmp_path, "sound_toy", SOUND))}
    assert [p for p, c in checks.items() if c.passed is False] == []
    assert [p for p, c in checks.items() if c.passed is None and p != "CPU and GPU agree"] == ["losses of its recipes"]
    assert torch.equal(state, torch.get_rng_state()), "the caller's random state was moved"


def test_what_spec_declares_is_kept_to(tmp_path: Path) -> None:
    """Dead weights that are declared are counted; tiles begin where the step says; what looks at the whole image is not tiled."""
    dead = plugin(tmp_path, "dead_toy", SOUND.replace(ENHANCE, ONE_COLOUR).replace("tile_margin=1", 'tile_margin=1, dead=("*.weight",)'))
    assert point("gradient reaches all", dead) == (True, "2 tensors; dead as declared: 54 of 84 entries, in 1 tensors")
    stepping = plugin(tmp_path, "stepping_toy", SOUND.replace(ENHANCE, EVERY_OTHER).replace("tile_margin=1", "tile_margin=1, tile_step=2"))
    assert point("tiling as SPEC says", stepping)[0] is True
    whole = SOUND.replace(ENHANCE, ENHANCE + " - inputs.mean()").replace('"exact", tile_margin=1', '"approximate"')
    assert point("tiling as SPEC says", plugin(tmp_path, "whole_toy", whole)) == (True, "approximate: --tile is refused without --force")


def test_a_unit_that_is_off_by_chance_is_not_dead(tmp_path: Path) -> None:
    """A unit that the first build leaves off, as a ReLU may be: nothing moves in it, and other builds show that it can."""
    off = "gone = float(torch.initial_seed() == 0); self.conv ="
    source = SOUND.replace("self.conv =", off).replace(ENHANCE, "return self.conv(inputs[:, 0]) * (1 - self.gone)")
    source = source.replace("padding=1)\n", "padding=1)\n        self.gone = gone\n")
    assert point("gradient reaches all", plugin(tmp_path, "off_toy", source)) == (True, "2 tensors")


@pytest.mark.parametrize(("point", "old", "new", "reason"), CASES, ids=[f"{c[0]}-{i}" for i, c in enumerate(CASES)])
def test_faults_are_found(tmp_path: Path, request: pytest.FixtureRequest, point: str, old: str, new: str, reason: str) -> None:
    assert SOUND.count(old) == 1
    number = CASES.index((point, old, new, reason))
    checks = {c.point: c for c in check_method(plugin(tmp_path, f"faulty_toy_{number}", SOUND.replace(old, new)))}
    assert checks[point].passed is False
    assert re.search(reason, checks[point].note), checks[point].note


def test_a_loss_that_a_recipe_weighs_is_missing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    recipe = tmp_path / "missing.yaml"
    recipe.write_text("method: toy-with-recipe\ndataset: me\nstages: [{name: train, epochs: 1, losses: {mse: 1.0, ssim: 0.5}}]\n")
    monkeypatch.setattr(catalog, "recipe_files", lambda: {"missing": recipe})
    checks = {c.point: c for c in check_method(plugin(tmp_path, "toy_with_recipe", SOUND))}
    assert checks["losses of its recipes"].passed is False
    assert "weighs 'ssim', the method gives mse" in checks["losses of its recipes"].note


def falls(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, method: str, stage: str) -> tuple[bool | None, str]:
    """The point "loss falls" of a method that one recipe of one stage trains."""
    recipe = tmp_path / "only.yaml"
    recipe.write_text(f"method: {method}\ndataset: me\nstages: [{{name: train, epochs: 1, {stage}}}]\n")
    monkeypatch.setattr(catalog, "recipe_files", lambda: {"only": recipe})
    return point("loss falls", method)


def point(name: str, method: str, device: str | None = None) -> tuple[bool | None, str]:
    """One point alone."""
    subject = Subject(method, catalog.facts("methods", method), device)
    with torch.random.fork_rng():
        check = outcome(name, POINTS[name], subject)
    return check.passed, check.note


def test_the_loss_falls_at_the_recipes_rate(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each player's own settings, and the stage's weights, clip and frozen parameters."""
    name = catalog.add_plugin(TOY)[0].name
    both = "losses: {mse: 1.0, adversarial: 0.1, critic: 1.0}"
    sound, note = falls(tmp_path, monkeypatch, name, both + ", players: {critic: {optimizer: {lr: 1.0e-4}}}")
    assert sound and re.fullmatch(r"model in train .* → .*, critic in train .* → .*", note)
    for settings, wrong in (
        ("optimizer: {lr: 1000}, players: {critic: {optimizer: {lr: 1.0e-4}}}", "model in train: .* at a rate of 1000"),
        ("players: {critic: {optimizer: {lr: 1000}}}", "critic in train: .* at a rate of 1000"),
        ("optimizer: {name: sgd, lr: 1000}, players: {critic: {optimizer: {name: sgd, lr: 0.01}}}", "model in train: "),
    ):
        passed, note = falls(tmp_path, monkeypatch, name, f"{both}, {settings}")
        assert passed is False and re.match(wrong, note), note
    assert falls(tmp_path, monkeypatch, name, "losses: {mse: 1.0}, optimizer: {name: sgd, lr: 1000}, clip: 1.0e-6")[0], "clipped"
    assert "'no-such.*'" in falls(tmp_path, monkeypatch, name, "losses: {mse: 1.0}, freeze: ['no-such.*']")[1]
    once, thrice = (float(falls(tmp_path, monkeypatch, name, f"losses: {{mse: {w}}}")[1].split()[3]) for w in (1, 3))
    assert thrice == pytest.approx(3 * once, rel=1e-3)


@pytest.mark.parametrize("shift", [0.0, 5e-5, 3e-4])
def test_devices_are_compared(tmp_path: Path, shift: float) -> None:
    """A network that a move to another device changes: it agrees up to the tolerance, and no further."""
    moves = f"def to(self, device):\n        self.conv.bias.data += {shift}\n        return super().to(device)\n    def enhance"
    source = SOUND.replace("def enhance", moves)
    name = plugin(tmp_path, f"moving_toy_{shift}".replace(".", "_").replace("-", "_"), source)
    passed, note = point("CPU and GPU agree", name, "cpu")
    assert passed is (shift < 1e-4), note


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a GPU")
def test_without_a_gpu_nothing_is_compared(tmp_path: Path) -> None:
    checks = {c.point: c for c in check_method(plugin(tmp_path, "still_toy", SOUND))}
    assert (checks["CPU and GPU agree"].passed, checks["CPU and GPU agree"].note) == (None, "no GPU here")


def test_the_device_asked_for_is_compared(tmp_path: Path) -> None:
    checks = {c.point: c for c in check_method(plugin(tmp_path, "compared_toy", SOUND), "cpu")}
    assert checks["CPU and GPU agree"].passed is True


def blocks(language: str) -> list[str]:
    return re.findall(rf"```{language}\n(.*?)```", GUIDE.read_text(), re.DOTALL)


def test_the_guides_method_passes(tmp_path: Path, benchtool) -> None:
    """The file in docs/adding-a-method.md, as a reader would use it."""
    [source] = blocks("python")
    path = tmp_path / "tiny_enc.py"
    path.write_text(source)
    result = benchtool("--plugin", path, "methods", "check", "tiny-enc")
    assert result.code == 0 and "✗" not in result.out, result.out
    shown = benchtool("--plugin", path, "methods", "show", "tiny-enc")
    assert "width = 16" in shown.out and "17,227" in shown.out and str(path) in shown.out


def test_the_guide_lists_every_point() -> None:
    first_cells = re.findall(r"^\| ([^|]+?) \|", GUIDE.read_text(), re.MULTILINE)
    assert first_cells[first_cells.index("point") :] == ["point", *POINTS]


def test_the_guide_names_every_fact() -> None:
    given = GUIDE.read_text().partition("## What `SPEC` says")[2].partition("\n## ")[0]
    named = set(re.findall(r"`(\w+)(?:=[^`]*)?`", given))
    assert {field.name for field in dataclasses.fields(MethodSpec)} <= named


def test_the_guides_recipe_fits_its_method(tmp_path: Path) -> None:
    [source], [recipe] = blocks("python"), blocks("yaml")
    method = create(plugin(tmp_path, "tiny_enc_with_recipe", source))
    batch = Batch(torch.rand(1, 1, 3, 8, 8), torch.rand(1, 3, 8, 8))
    stage = yaml.safe_load(recipe)["stages"][0]
    assert set(method.losses(batch, Stage(stage["name"], stage["losses"]))) == set(stage["losses"])
