"""What the tests of the page share."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from drystone.testing.browser import Browser, binary


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    """One browser for all: it takes longer to start than a page takes."""
    if binary() is None:
        pytest.skip("Chromium is not installed")
    with Browser() as one:
        yield one
