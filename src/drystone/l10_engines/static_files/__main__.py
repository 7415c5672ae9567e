"""Serve a static site: ``python -m drystone.l10_engines.static_files --root DIR --port N``.

TERM lets answers under way finish, and then ends the server.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from datetime import timedelta
from pathlib import Path

import uvicorn

from drystone.l00_kernel.errors import Invalid
from drystone.l10_engines.static_files.app import StaticFiles
from drystone.l10_engines.static_files.site import HEALTH, STRICT_CSP, Site


def parse(arguments: Sequence[str]) -> tuple[Site, str, int]:
    """Return the site, the address and the port that a command line names.

    Raises:
        Invalid: A header or a pattern is not written as it should be.
    """
    parser = argparse.ArgumentParser(prog="python -m drystone.l10_engines.static_files")
    parser.add_argument("--root", type=Path, required=True, help="folder of the site")
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--address", default="127.0.0.1")
    parser.add_argument(
        "--older", type=Path, action="append", default=[], help="an earlier release, newest first"
    )
    parser.add_argument("--index", default="index.html")
    parser.add_argument("--spa", action="store_true", help="the index answers every navigation")
    parser.add_argument("--cache", action="append", default=[], metavar="PATTERN=SECONDS")
    parser.add_argument("--header", action="append", default=[], metavar="NAME:VALUE")
    parser.add_argument("--csp", default=STRICT_CSP, help="Content-Security-Policy")
    parser.add_argument("--health", default=HEALTH, help="path that answers 200")
    given = parser.parse_args(arguments)
    site = Site(
        root=given.root,
        older=tuple(given.older),
        index=given.index,
        spa=given.spa,
        cache=dict(_pattern(text) for text in given.cache),
        headers=dict(_header(text) for text in given.header),
        csp=given.csp,
        health=given.health,
    )
    return site, given.address, given.port


def _pattern(text: str) -> tuple[str, timedelta]:
    pattern, _, span = text.rpartition("=")
    if not pattern or not span.isdecimal():
        raise Invalid(f"--cache {text!r} is not PATTERN=SECONDS")
    return pattern, timedelta(seconds=int(span))


def _header(text: str) -> tuple[str, str]:
    name, separator, value = text.partition(":")
    if not separator or not name.replace("-", "").isalnum() or not value.strip().isprintable():
        raise Invalid(f"--header {text!r} is not NAME:VALUE")
    return name.strip(), value.strip()


def main(arguments: Sequence[str]) -> int:
    """Serve until the process is told to end; return the exit code."""
    try:
        site, address, port = parse(arguments)
        app = StaticFiles(site)
    except Invalid as e:
        sys.stderr.write(f"{e}\n")
        return 1
    uvicorn.run(
        app,
        host=address,
        port=port,
        lifespan="off",
        access_log=False,
        server_header=False,
        log_level="warning",
    )
    return 0


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
