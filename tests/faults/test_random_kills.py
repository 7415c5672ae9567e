"""Deploys under load while anything is killed at any moment; on demand, a small run and large ones."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from drystone.testing.faults.drill import Terms, fight
from drystone.testing.faults.journal import Journal
from drystone.testing.faults.subjects import (
    APPLICATION,
    Subject,
    bucket_subject,
    database_subject,
    image_subject,
)
from drystone.testing.python_image import python_image

pytestmark = pytest.mark.skipif(shutil.which("podman") is None, reason="podman is not installed")

SMALL = Terms(seed=6, deploys=6, rate=20, runtime="bubblewrap")
LARGE = 50


@pytest.fixture
def subjects(tmp_path: Path) -> Iterator[tuple[Subject, ...]]:
    """A service with a database, one with a bucket, and one in a container with a volume."""
    with python_image(APPLICATION) as image:
        place = tmp_path
        yield database_subject(place), bucket_subject(place), image_subject(place, image)


async def hold(terms: Terms, subjects: tuple[Subject, ...]) -> None:
    """Fight, and keep the journal when something is broken."""
    journal = Journal(Path(f"/tmp/drystone-faults-{terms.seed}.journal"))
    verdict = await fight(terms, subjects, journal)
    assert verdict.broken == (), journal.path.read_text()
    assert verdict.acknowledged > 0
    assert sum(verdict.struck.values()) > 0
    journal.path.unlink()


@pytest.mark.slow
@pytest.mark.timeout(900)
async def test_what_was_promised_holds_after_kills_during_a_few_deploys(
    subjects: tuple[Subject, ...],
) -> None:
    await hold(SMALL, subjects)


@pytest.mark.slow
@pytest.mark.timeout(7200)
@pytest.mark.parametrize("runtime", ["processes", "bubblewrap"])
async def test_what_was_promised_holds_after_kills_during_fifty_deploys(
    subjects: tuple[Subject, ...], runtime: str, request: pytest.FixtureRequest
) -> None:
    seed: int = request.config.getoption("--fault-seed")
    await hold(Terms(seed=seed, deploys=LARGE, rate=20, runtime=runtime), subjects)
