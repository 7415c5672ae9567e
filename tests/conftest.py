"""What every test may use."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

# How long it takes to draw an example, or to look at one, says how busy the machine is.
settings.register_profile("patient", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("patient")

# The suites for outsiders live outside the tests; their failures should show values all the same. This has
# to be said before any other conftest imports one of them.
pytest.register_assert_rewrite("drystone.testing.conformance")

Golden = Callable[[Path, str], None]


def pytest_addoption(parser: pytest.Parser) -> None:
    """``--update`` writes golden files instead of comparing with them; review the difference as text."""
    parser.addoption("--update", action="store_true", help="write golden files anew")
    parser.addoption(
        "--fault-seed",
        type=int,
        default=1,
        help="what the large runs of random kills are drawn from",
    )


@pytest.fixture
def golden(request: pytest.FixtureRequest) -> Golden:
    """Hold a text equal to a file: ``golden(path, text)``."""

    def hold(path: Path, text: str) -> None:
        if request.config.getoption("--update"):
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text, encoding="utf-8")
        assert path.exists(), f"{path} is missing; run pytest --update"
        assert text == path.read_text(encoding="utf-8"), f"{path.name} differs; pytest --update?"

    return hold
