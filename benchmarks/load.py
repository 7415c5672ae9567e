"""Send requests at a constant rate and report what became of each.

``python -m benchmarks.load --url http://127.0.0.1:8000/ --rate 200 --seconds 10 --json``

Exits with 1 when a request failed. An interrupt ends the run early and still reports.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import signal
import sys
from datetime import timedelta

from drystone.l00_kernel.errors import Invalid
from drystone.testing.load import Load, Report, run


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.load", description=__doc__)
    parser.add_argument("--url", required=True)
    parser.add_argument("--rate", type=float, default=200, help="requests per second")
    parser.add_argument("--seconds", type=float, default=10, help="how long to send")
    parser.add_argument("--timeout", type=float, default=10, help="seconds for one request")
    parser.add_argument("--reused", type=float, default=0.5, help="share over kept connections")
    parser.add_argument("--method", default="GET")
    parser.add_argument("--header", action="append", default=[], metavar="NAME:VALUE")
    parser.add_argument("--body", default="")
    parser.add_argument("--version-header", default="x-version")
    parser.add_argument("--version-pattern", help="finds the version in a body: its first group")
    parser.add_argument("--json", action="store_true")
    return parser.parse_args()


async def _measure(load: Load) -> Report:
    stop = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGINT, stop.set)
    return await run(load, stop=stop)


def main() -> int:
    """Run the command and return its exit code."""
    given = _arguments()
    load = Load(
        url=given.url,
        rate=given.rate,
        length=timedelta(seconds=given.seconds),
        timeout=timedelta(seconds=given.timeout),
        reused=given.reused,
        method=given.method,
        headers={n.strip(): v.strip() for n, _, v in (h.partition(":") for h in given.header)},
        body=given.body.encode(),
        version_header=given.version_header,
        version_pattern=given.version_pattern,
    )
    try:
        report = asyncio.run(_measure(load))
    except Invalid as e:
        print(e, file=sys.stderr)
        return 2
    print(json.dumps(report.summary(), indent=2) if given.json else report.text())
    return 1 if report.failed else 0


if __name__ == "__main__":
    sys.exit(main())
