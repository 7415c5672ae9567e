"""``drystone descriptor``."""

from __future__ import annotations

import sys
from typing import Annotated, Literal

from drystone.l25_deployer.descriptor.json_schema import json_schema_text
from drystone.l85_surfaces.cli.options import NOTHING_SAID, Shared
from drystone.l85_surfaces.cli.parameters import Parameter


def descriptor(
    what: Annotated[
        Literal["schema"], Parameter(help="The JSON Schema (2020-12), for editors and programs.")
    ],
    /,
    *,
    shared: Shared = NOTHING_SAID,
) -> None:
    """Tell about the descriptor format.

    The answer is JSON with and without --json.
    """
    sys.stdout.write(json_schema_text())
