"""Find the orchestrator of a home, where somebody turned it on, and talk to it."""

from __future__ import annotations

import os
from contextlib import asynccontextmanager
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

from drystone.l85_surfaces.cli import signed_in
from drystone.l85_surfaces.cli.errors import NoAnswer, OrchestratorOff
from drystone.l85_surfaces.cli.reach import command_line, context, orchestrator_switch

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from drystone.l00_kernel.contract import Api
    from drystone.l50_orchestrator.running.api import OrchestratorView

A = TypeVar("A", bound="Api")

TOKEN = "DRYSTONE_TOKEN"  # noqa: S105 - the name of a variable
"""Variable with the token to act by. Without one a command acts as who is signed in, or else as the owner of the home."""


async def is_orchestrated(folder: Path) -> bool:
    """Tell whether the orchestrator of a home is on.

    Raises:
        NoPlatform: No platform runs there.
        NoAnswer: Its agent does not answer.
    """
    return (await _state(folder)).is_on


@asynccontextmanager
async def orchestrator(folder: Path, api: type[A]) -> AsyncIterator[A]:
    """Connect to one of the orchestrator's APIs.

    Raises:
        OrchestratorOff: Nobody turned it on.
        NoAnswer: It is on and does not answer.
        NoPlatform: No platform runs there.
    """
    state = await _state(folder)
    if not state.is_on:
        raise OrchestratorOff(
            f"the orchestrator of {folder} is off; turn it on with `{command_line('orchestrator on', folder)}`"
        )
    if not state.socket:
        raise NoAnswer(
            f"the orchestrator of {folder} does not answer: {state.problem}\nits log is {folder}/engines/orchestrator/log",
            home=str(folder),
        )
    from drystone.l00_kernel.contract import connect  # noqa: PLC0415 - loads the HTTP client

    token = await _token(folder)
    headers = {"authorization": f"Bearer {token}"} if token else None
    async with connect(api, uds=Path(state.socket), headers=headers) as reached:
        yield reached


async def _token(folder: Path) -> str:
    """Return by what to act: the variable's token, else that of who is signed in here, else nothing, which is the home's owner."""
    if given := os.environ.get(TOKEN, "").strip():
        return given
    if signed_in.kept(folder) is None:
        return ""
    from drystone.l50_orchestrator.running.api import AUDIENCE  # noqa: PLC0415 - loads the contract

    return await signed_in.token(folder, AUDIENCE)


async def _state(folder: Path) -> OrchestratorView:
    async with orchestrator_switch(folder) as switch:
        return await switch.state(context())
