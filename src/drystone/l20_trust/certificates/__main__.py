"""Make a new certificate for a server: ``--folder`` has the authority, ``--into`` is the server's own."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Sequence
from pathlib import Path

from drystone.l00_kernel.errors import PlatformError
from drystone.l20_trust.certificates.authority import Authority


def main(words: Sequence[str]) -> int:
    """Make it; returns the exit code."""
    parser = argparse.ArgumentParser(prog="python -m drystone.l20_trust.certificates")
    parser.add_argument("--folder", type=Path, required=True)
    parser.add_argument("--into", type=Path, required=True)
    given = parser.parse_args(words)
    try:
        Authority(given.folder).serve(given.into)
    except (PlatformError, OSError) as e:
        sys.stderr.write(f"no new certificate: {e}\n")
        return 1
    return 0


if __name__ == "__main__":
    os.umask(0o077)
    raise SystemExit(main(sys.argv[1:]))
