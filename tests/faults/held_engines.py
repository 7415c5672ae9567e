"""What the engines of a home really hold, beside what its records say."""

from __future__ import annotations

from pathlib import Path

from drystone.l00_kernel.home import Home
from drystone.l10_engines.processes import identity
from drystone.l10_engines.supervision import record
from drystone.testing.command_line import CommandLine
from drystone.testing.faults.data import NoStrayBucket, NoStrayRole, NoStraySecret
from drystone.testing.faults.invariants import Invariant
from drystone.testing.faults.leftovers import NoStrayContainer
from drystone.testing.faults.site import Site


async def held_in_engines(home: Path, port: int) -> list[str]:
    """Return a sentence for everything that the records do not say, or that is missing.

    An engine that does not run, since nothing needs it, is not asked.

    Args:
        home: The home, at which nothing is being done.
        port: Of its edge.
    """
    asked: list[Invariant] = [NoStraySecret()]
    if _runs(home, "postgres"):
        asked.append(NoStrayRole())
    if _runs(home, "objects"):
        asked.append(NoStrayBucket())
    if any(home.glob("instances/*/container")):
        asked.append(NoStrayContainer())
    site = Site(CommandLine(home), port, (), {})
    return [said for invariant in asked for said in await invariant.violations(site)]


def _runs(home: Path, engine: str) -> bool:
    known = record.read(Home(home).engines / engine / "record.json")
    return known is not None and identity.is_alive(known.process)
