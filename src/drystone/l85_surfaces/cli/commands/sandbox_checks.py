"""``drystone sandbox prove`` and ``drystone sandbox emit``: try the services of a sandbox."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated
from urllib.parse import urlsplit

from drystone.l85_surfaces.cli.commands.sandbox import Places
from drystone.l85_surfaces.cli.options import NOTHING_SAID, Shared
from drystone.l85_surfaces.cli.parameters import Parameter
from drystone.l85_surfaces.cli.reach import context, operations, platform
from drystone.l85_surfaces.cli.sandboxed import leave_settings_of_others, place_of, require_up
from drystone.l85_surfaces.cli.sources import count as counted
from drystone.l85_surfaces.cli.terminal import Style, Terminal
from drystone.l85_surfaces.cli.views.sandbox import VERDICTS
from drystone.l85_surfaces.sandbox.emitting import (
    Delivered,
    Taker,
    deliver,
    events,
    schema_of,
    takers_of,
)
from drystone.l85_surfaces.sandbox.mocking.words import Json
from drystone.l85_surfaces.sandbox.proving import proofs
from drystone.l85_surfaces.sandbox.workspace import LOCAL, workspace

_TAKEN = 200
"""Status of an event that lies in a queue."""


async def prove(*files: Places, shared: Shared = NOTHING_SAID) -> int:
    """Prove that services do without their soft dependencies what their descriptors say.

    Each service that has some is brought up beside the one that runs, with each of them absent in turn, and must pass its smoke
    checks. Exits with 1 where one does not. With --json, one object per proof.
    """
    leave_settings_of_others()
    found = workspace(files)
    place = place_of(files, shared, found.base)
    real = require_up(place)
    members = {name: one for name, one in found.members.items() if name in real}
    out = Terminal(json=shared.json)
    broken = number = 0
    async with platform(place.home) as api:
        async for one in proofs(api, members):
            number += 1
            broken += one.verdict in {"broken", "unjudged"}
            out.record(one)
            word, style = VERDICTS[one.verdict]
            out.line(
                f"{out.paint(word, style)} {one.service} without {one.dependency}: {one.without}"
            )
            out.lines(f"    {line}" for line in one.why.splitlines())
    out.line(f"{counted(number, 'soft dependency').replace('ys', 'ies')}, {broken} not held")
    return 1 if broken else 0


async def emit(
    kind: Annotated[str, Parameter(help="Type of event, such as order.created.")],
    /,
    *files: Places,
    count: Annotated[int, Parameter(least=1, most=1000, help="How many.")] = 1,
    first: Annotated[
        int, Parameter(least=0, most=1_000_000, help="Number of the first; others differ.")
    ] = 0,
    shared: Shared = NOTHING_SAID,
) -> int:
    """Give events that satisfy their schema to the services that want them.

    They are CloudEvents, made up from the JSON Schema of the service that publishes them, or from mocks/TYPE.json. Exits with 1
    where a service does not take one. With --json, one object per event and service.
    """
    leave_settings_of_others()
    found = workspace(files)
    place = place_of(files, shared, found.base)
    real = require_up(place)
    out = Terminal(json=shared.json)
    takers = [one for one in takers_of(found, kind) if one.service in real]
    made = events(schema_of(found, kind), kind, count=count, first=first)
    async with platform(place.home) as api:
        port = urlsplit((await api.status(context())).url).port or 80
    refused = 0
    for event in made:
        for taker in takers:
            given = await _given(event, taker, port, place.home)
            is_taken = 200 <= given.status < 300
            refused += not is_taken
            out.record(given)
            style = Style.GOOD if is_taken else Style.BAD
            status = out.paint(str(given.status or "no answer"), style)
            out.line(f"{given.id}  {taker.service} {taker.way}  {status}")
    return 1 if refused else 0


async def _given(event: Mapping[str, Json], taker: Taker, port: int, home: Path) -> Delivered:
    """Give an event to a service, by the edge or into its queue."""
    if taker.method:
        return await asyncio.to_thread(deliver, event, taker, port)
    async with operations(home) as api:
        await api.send(
            context(),
            environment=LOCAL,
            service=taker.service,
            queue=taker.path,
            body=json.dumps(event),
        )
    return Delivered(str(event["id"]), taker.service, _TAKEN, event["data"])
