"""``drystone version``."""

from __future__ import annotations

import platform
from importlib import metadata

from drystone.l85_surfaces.cli.options import NOTHING_SAID, Shared
from drystone.l85_surfaces.cli.terminal import Terminal


def version(*, shared: Shared = NOTHING_SAID) -> None:
    """Print the version of this command.

    `drystone status` prints that of a platform.
    """
    out = Terminal(json=shared.json)
    ours = metadata.version("drystone")
    out.line(f"drystone {ours} (Python {platform.python_version()})")
    out.document({"drystone": ours, "python": platform.python_version()})
