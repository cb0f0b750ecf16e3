"""What the tests of figures share."""

from __future__ import annotations

from collections.abc import Iterator

import matplotlib
import pytest

from benchtool.report.figures.style import SETTINGS


@pytest.fixture
def figure_settings() -> Iterator[None]:
    """Figures look as `benchtool report --figures` draws them."""
    with matplotlib.rc_context(SETTINGS):
        yield
