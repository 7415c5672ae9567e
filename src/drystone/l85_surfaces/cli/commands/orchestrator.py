"""``drystone orchestrator``: turn the orchestrator of a home on and off."""

from __future__ import annotations

from typing import TYPE_CHECKING

from drystone.l85_surfaces.cli.options import NOTHING_SAID, Shared
from drystone.l85_surfaces.cli.reach import context, orchestrator_switch
from drystone.l85_surfaces.cli.terminal import Terminal

if TYPE_CHECKING:
    from drystone.l50_orchestrator.running.api import OrchestratorView


async def turn_on(*, shared: Shared = NOTHING_SAID) -> None:
    """Let the orchestrator decide about releases: who may, what policies say, how traffic moves, and what is remembered.

    It starts now and with the platform from now on, and PostgreSQL with it. `drystone deploy` then goes through it;
    `drystone apd deploy` still speaks to the deployer alone.
    """
    out = Terminal(json=shared.json)
    async with orchestrator_switch(shared.folder) as api:
        _tell(out, await api.turn_on(context()))


async def turn_off(*, shared: Shared = NOTHING_SAID) -> None:
    """Stop the orchestrator. Services run on, and what it knows stays in its database."""
    out = Terminal(json=shared.json)
    async with orchestrator_switch(shared.folder) as api:
        _tell(out, await api.turn_off(context()))


async def state(*, shared: Shared = NOTHING_SAID) -> None:
    """Tell whether the orchestrator is on, and where it answers."""
    out = Terminal(json=shared.json)
    async with orchestrator_switch(shared.folder) as api:
        _tell(out, await api.state(context()))


def _tell(out: Terminal, view: OrchestratorView) -> None:
    out.document(view)
    since = f" since {view.since:%Y-%m-%d %H:%M:%S} UTC, by {view.by}" if view.since else ""
    out.line(f"the orchestrator is {'on' if view.is_on else 'off'}{since}")
    if view.socket:
        out.line(f"it answers at {view.socket}")
    if view.problem:
        out.line(f"it does not answer: {view.problem}")
