"""What the tests share: the command line run in this process, real data where it is at hand, a browser where there is one."""

from __future__ import annotations

import os
import shutil
import signal
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from hypothesis import HealthCheck, settings

if "PYTEST_XDIST_WORKER" in os.environ:  # several test processes: a thread each, decided before any of them imports NumPy or torch
    os.environ.setdefault("OMP_NUM_THREADS", "1")

if TYPE_CHECKING:
    from selenium.webdriver import Chrome

# Hypothesis tries the same examples at every run, and takes the time they take on a machine that is busy or slow.
settings.register_profile("benchtool", derandomize=True, deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("benchtool")


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--slow", action="store_true", help="run the tests marked slow too")


def pytest_configure() -> None:
    # A shell starts background jobs with SIGINT ignored, and children inherit that: the tests of Ctrl-C need it as at a terminal.
    signal.signal(signal.SIGINT, signal.default_int_handler)


LONG = (
    "test_demo.py",
    "test_overfit.py",
    "test_contract.py",
    "test_regress.py",
)  # minutes each: begun first, so that none is waited for alone


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    items.sort(key=lambda item: LONG.index(item.path.name) if item.path.name in LONG else len(LONG))
    if not config.getoption("--slow"):
        for item in items:
            if "slow" in item.keywords:
                item.add_marker(pytest.mark.skip(reason="slow; run with --slow"))


@dataclass
class Result:
    """How a command ended and what it printed."""

    code: int
    out: str
    err: str


@pytest.fixture(autouse=True)
def _same_draws() -> None:
    """Every test draws the same numbers, whichever tests this process has run before."""
    if torch := sys.modules.get("torch"):
        torch.manual_seed(0)


@pytest.fixture(autouse=True)
def _plugins_are_of_one_test() -> Iterator[None]:
    """What a test made known by --plugin, the tests that this process runs afterwards do not know."""
    from benchtool.core import catalog

    plugins, before = catalog._plugins, list(catalog._plugins)
    yield
    plugins[:] = before


@pytest.fixture
def benchtool(capfd: pytest.CaptureFixture) -> Callable[..., Result]:
    """`benchtool("report", "--table", 1)` runs the command line in this process."""
    from benchtool.cli.main import run

    def call(*arguments: object) -> Result:
        capfd.readouterr()
        code = 0
        try:
            run([str(a) for a in arguments])
        except SystemExit as leaving:
            code = leaving.code if isinstance(leaving.code, int) else 0 if leaving.code is None else 1
        captured = capfd.readouterr()
        return Result(code, captured.out, captured.err)

    return call


@pytest.fixture(scope="session")
def real_data() -> Path:
    """The folder of real raws and photographs: $BENCHTOOL_TEST_DATA, or ../shared/data beside the checkout."""
    places = [Path(p) for p in (os.environ.get("BENCHTOOL_TEST_DATA"),) if p]
    places.append(Path(__file__).resolve().parents[2] / "shared" / "data")
    for place in places:
        if place.is_dir():
            return place
    pytest.skip("needs the real test data: set BENCHTOOL_TEST_DATA, or put shared/data beside the checkout")


@pytest.fixture(scope="session")
def browser() -> Iterator[Chrome]:
    """Headless Chromium without a network, driven by Selenium (Debian: chromium, chromium-driver; pip: selenium)."""
    selenium = pytest.importorskip("selenium.webdriver")
    programs = [shutil.which(name) for name in ("chromium", "chromedriver")]
    if None in programs:
        pytest.skip("needs chromium and chromedriver: apt-get install chromium chromium-driver")
    options = selenium.ChromeOptions()
    options.binary_location = programs[0]
    for argument in ("--headless=new", "--no-sandbox", "--disable-dev-shm-usage", "--window-size=1280,1000", "--proxy-server=127.0.0.1:1"):
        options.add_argument(argument)
    options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
    driver = selenium.Chrome(options=options, service=selenium.ChromeService(programs[1]))
    yield driver
    driver.quit()
