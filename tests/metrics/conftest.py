"""What the tests of the metrics through pyiqa share."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from benchtool.core import models
from benchtool.metrics import optional, through_pyiqa
from benchtool.workflows import made_weights


@pytest.fixture
def fresh() -> Iterator[None]:
    """Nothing is remembered from test to test."""
    for cache in (through_pyiqa._build, optional.module):
        cache.cache_clear()
    yield
    for cache in (through_pyiqa._build, optional.module):
        cache.cache_clear()


@pytest.fixture
def own_models(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Every model file lies in a folder, and is of the published bytes as far as anybody checks; Ma's forests are made ones."""
    monkeypatch.setenv("BENCHTOOL_MODELS", str(tmp_path))
    monkeypatch.setenv("TORCH_HOME", str(tmp_path))
    for name, file in models.MODEL_FILES.items():
        monkeypatch.setitem(models.MODEL_FILES, name, replace(file, sha256=None))
        models.candidates(name)[0].write_bytes(b"")
    made_weights.nrqm(tmp_path / "NRQM_model.mat", trees=1, levels=2)
    return tmp_path
