"""``drystone exec``."""

from __future__ import annotations

import sys
from typing import Annotated

from drystone.l85_surfaces.cli.operating import runner
from drystone.l85_surfaces.cli.options import NOTHING_SAID, Environment, Service, Shared
from drystone.l85_surfaces.cli.parameters import Parameter
from drystone.l85_surfaces.cli.reach import context, environment_of
from drystone.l85_surfaces.cli.terminal import Terminal


async def execute(
    service: Service,
    /,
    *command: Annotated[
        str, Parameter(required=True, passed_on=True, help="Program and arguments, after `--`.")
    ],
    env: Environment = None,
    shared: Shared = NOTHING_SAID,
) -> int:
    """Run a one-off command with a service's code and settings.

    It gets the code, settings and resources of the active release. Its output passes through as it is and its exit code becomes the exit code here; 128 plus the number of
    the signal if one ended it. With --json, one object per piece of output.
    """
    out = Terminal(json=shared.json)
    code = 1
    async with runner(shared.folder) as api:
        async for piece in api.execute(
            context(),
            environment=environment_of(env, shared.folder),
            service=service,
            command=list(command),
        ):
            out.record(piece)
            if piece.text and not shared.json:
                sys.stdout.write(piece.text)
                sys.stdout.flush()
            if piece.exit_code is not None:
                code = piece.exit_code
    return 128 - code if code < 0 else code
