"""`benchtool methods list | show | check` as a user meets them, also where torch is not installed."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from benchtool.core import catalog

WITHOUT_TORCH = "import sys; sys.modules['torch'] = None; from benchtool.cli.main import run; run(sys.argv[1:])"


@pytest.fixture(autouse=True)
def no_plugins(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(catalog, "_plugins", [])


def test_list(benchtool) -> None:
    result = benchtool("methods", "list")
    assert result.code == 0
    [line] = [line.split() for line in result.out.splitlines() if line.split()[:1] == ["sid-enc"]]
    assert line[:5] == ["sid-enc", "SID-ENC", "correct", "learned", "7,816,883"]
    assert {"i-sid", "sid-enc"} <= {word.strip(",") for word in line[5:]}


def test_list_for_programs(benchtool) -> None:
    methods = {m["name"]: m for m in json.loads(benchtool("methods", "list", "--json").out)}
    assert sorted(methods) == catalog.names("methods")
    assert methods["sid"]["parameters"] == 7_760_163 and "sid" in methods["sid"]["recipes"]
    assert methods["clahe"]["kind"] == "classical" and methods["clahe"]["recipes"] == []


def test_show(benchtool) -> None:
    out = benchtool("methods", "show", "sid-enc").out
    assert "7,816,883 = 7.4548 x 2^20" in out and "7.45M" in out
    assert "variant = 'released'" in out
    assert "two maps" in out and "1 - a" in out
    assert "huang2022enc" in out


def test_what_enhances_is_counted_apart_from_what_only_trains(benchtool) -> None:
    """MSEC's discriminator is no part of its network."""
    listed = benchtool("methods", "list").out
    assert [line.split()[4] for line in listed.splitlines() if line.split()[:2] == ["msec", "MSEC"]] == ["7,015,449"]
    assert "msec has 7,978,034 parameters in training" in listed and " has " not in listed.replace("msec has", "", 1)
    shown = benchtool("methods", "show", "msec").out
    assert "7,015,449 = 6.6905 x 2^20; 7,978,034 in training: model 7,015,449, critic 962,585" in shown
    assert "in training" not in benchtool("methods", "show", "msec-no-adv").out


def test_show_takes_a_recipe(benchtool) -> None:
    assert benchtool("methods", "show", "i-sid").out == benchtool("methods", "show", "sid-enc").out


def test_show_for_programs(benchtool) -> None:
    found = json.loads(benchtool("methods", "show", "sid-l", "--json").out)
    assert found["parameters"] == 12_123_883 and found["enhancing_mebi"] == 11.5622
    assert found["options"] == {"width": "40"}
    assert found["departures"][0]["ours"].startswith("40")


@pytest.mark.parametrize("command", ["show", "check"])
def test_wrong_name(benchtool, command: str) -> None:
    result = benchtool("methods", command, "sid-encc")
    assert result.code == 2 and result.err.strip() == "benchtool: unknown method 'sid-encc'; did you mean 'sid-enc'?"


def test_a_name_like_no_other_gets_each_known_name_once(benchtool) -> None:
    """Methods and recipes share many names."""
    error = benchtool("methods", "show", "nope").err
    names = error.partition("known: ")[2].strip().split(", ")
    assert len(names) == len(set(names)) and {"sid", "zero-dce-plus", "i-sid"} <= set(names)


@pytest.mark.parametrize("arguments", [("list",), ("list", "--json"), ("show", "sid-enc"), ("show", "clahe", "--json")])
def test_without_torch(arguments: tuple[str, ...]) -> None:
    done = subprocess.run([sys.executable, "-c", WITHOUT_TORCH, "methods", *arguments], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert "CLAHE" in done.stdout or "SID-ENC" in done.stdout


def test_the_block_blocks() -> None:
    done = subprocess.run([sys.executable, "-c", WITHOUT_TORCH, "methods", "check", "sid"], capture_output=True, text=True)
    assert done.returncode != 0 and "torch" in done.stderr


def test_check(benchtool) -> None:
    result = benchtool("methods", "check", "identity")
    assert result.code == 0
    assert "✓ any size" in result.out and "– loss falls" in result.out and "✗" not in result.out


def test_check_fails(benchtool, tmp_path: Path) -> None:
    path = tmp_path / "shrinking.py"
    path.write_text(
        '"""Loses a row."""\n'
        "from benchtool.core.spec import MethodSpec\n"
        "from benchtool.methods.base import Method\n"
        'SPEC = MethodSpec(title="Shrinking", citation="", players=(), needs_target=False)\n'
        "class Shrinking(Method):\n"
        "    def enhance(self, inputs, exposures=None):\n"
        "        return inputs[:, 0, :, 1:]\n"
    )
    result = benchtool("--plugin", path, "methods", "check", "shrinking")
    assert result.code == 1
    [line] = [line for line in result.out.splitlines() if line.startswith("✗ any size")]
    assert "1 x 1: gives (2, 3, 0, 1), not (2, 3, 1, 1)" in line
    points = json.loads(benchtool("--plugin", path, "methods", "check", "shrinking", "--json").out)
    assert {p["point"] for p in points if p["passed"] is False} >= {"any size"}


def test_show_says_how_a_method_can_be_tiled_and_what_is_never_trained(benchtool) -> None:
    exact, approximate = (benchtool("methods", "show", name).out for name in ("sid", "sid-enc"))
    assert "exact, with 96 pixels around a tile, tiles at multiples of 16" in exact and "dead " not in exact
    assert "approximate: `enhance --tile` only with --force" in approximate and "some of enc.squeeze.weight" in approximate
