"""``drystone version``."""

from __future__ import annotations

import platform

import drystone
from drystone.l85_surfaces.cli.options import NOTHING_SAID, Shared
from drystone.l85_surfaces.cli.terminal import Terminal


def version(*, shared: Shared = NOTHING_SAID) -> None:
    """Print the version of this command.

    `drystone status` prints that of a platform.
    """
    out = Terminal(json=shared.json)
    out.line(f"drystone {drystone.__version__} (Python {platform.python_version()})")
    out.document({"drystone": drystone.__version__, "python": platform.python_version()})
