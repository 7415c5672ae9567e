"""``python -m drystone.testing.faults --seed N``: one run, its journal, and the verdict."""

from __future__ import annotations

import argparse
import asyncio
import random
import sys
import tempfile
from pathlib import Path

from drystone.testing.faults.drill import Terms, fight
from drystone.testing.faults.journal import Journal
from drystone.testing.faults.subjects import (
    APPLICATION,
    bucket_subject,
    database_subject,
    image_subject,
)
from drystone.testing.python_image import python_image

RUNTIMES = ("processes", "bubblewrap")


def main(arguments: list[str]) -> int:
    """Run a drill; 0 when all holds."""
    parser = argparse.ArgumentParser(prog="python -m drystone.testing.faults", description=__doc__)
    parser.add_argument(
        "--seed", type=int, help="what the run is drawn from [default: drawn itself]"
    )
    parser.add_argument("--deploys", type=int, default=50)
    parser.add_argument("--rate", type=float, default=20, help="requests per second and service")
    parser.add_argument(
        "--runtime",
        choices=RUNTIMES,
        help="of the two services that come as folders [default: by the seed]",
    )
    parser.add_argument(
        "--own-sidecar",
        action="append",
        default=[],
        choices=("rows", "blobs", "lines"),
        help="a service that has an Envoy of its own; several times for several",
    )
    parser.add_argument("--journal", type=Path, help="file for the journal [default: in /tmp]")
    given = parser.parse_args(arguments)
    seed = random.SystemRandom().randrange(1_000_000) if given.seed is None else given.seed
    runtime = given.runtime or RUNTIMES[seed % 2]
    terms = Terms(seed, given.deploys, given.rate, runtime, tuple(sorted({*given.own_sidecar})))
    path = given.journal or Path(tempfile.gettempdir(), f"drystone-faults-{seed}.journal")
    journal = Journal(path, lambda line: print(line, flush=True))  # noqa: T201
    with tempfile.TemporaryDirectory(prefix="flt-") as folder, python_image(APPLICATION) as image:
        place = Path(folder)
        subjects = (database_subject(place), bucket_subject(place), image_subject(place, image))
        verdict = asyncio.run(fight(terms, subjects, journal))
    if not verdict.broken and given.journal is None:
        path.unlink()
    return 1 if verdict.broken else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
