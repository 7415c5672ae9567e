"""Find an orchestrator, of a home where somebody turned it on or elsewhere, and talk to it."""

from __future__ import annotations

import os
from contextlib import asynccontextmanager
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

from drystone.l85_surfaces.cli import signed_in
from drystone.l85_surfaces.cli.errors import NoAnswer, NoToken, OrchestratorOff
from drystone.l85_surfaces.cli.reach import command_line, context, orchestrator_switch, settings_of

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable

    from drystone.l00_kernel.contract import Api
    from drystone.l50_orchestrator.releases.api import ReleasesApi
    from drystone.l50_orchestrator.running.api import OrchestratorView
    from drystone.l85_surfaces.cli.options import Anywhere

A = TypeVar("A", bound="Api")

TOKEN = "DRYSTONE_TOKEN"  # noqa: S105 - the name of a variable
"""Variable with the token to act by. Without one a command acts as who is signed in, or else as the owner of the home."""

FIRST = "dev"
"""The environment where commands work that name none, on a platform elsewhere."""


@asynccontextmanager
async def orchestrator(shared: Anywhere, api: type[A]) -> AsyncIterator[A]:
    """Connect to one of the orchestrator's APIs.

    Raises:
        OrchestratorOff: Nobody turned it on.
        NoAnswer: It is on and does not answer.
        NoPlatform: No platform runs there.
        NoToken: It is elsewhere, and there is no token to act by.
    """
    async with orchestrator_if_on(shared, lambda: api) as reached:
        if reached is None:
            folder = shared.folder
            raise OrchestratorOff(
                f"the orchestrator of {folder} is off; turn it on with `{command_line('orchestrator on', folder)}`"
            )
        yield reached


def releases_api() -> type[ReleasesApi]:
    """Load the contract of releases."""
    from drystone.l50_orchestrator.releases.api import ReleasesApi  # noqa: PLC0415 - takes its time

    return ReleasesApi


@asynccontextmanager
async def orchestrator_if_on(
    shared: Anywhere, api: Callable[[], type[A]]
) -> AsyncIterator[A | None]:
    """Connect to one of the orchestrator's APIs, where it is on; elsewhere it is.

    Args:
        shared: Where.
        api: Loads the contract, when somebody is there.

    Raises:
        NoAnswer: It is on and does not answer.
        NoPlatform: No platform runs there.
        NoToken: It is elsewhere, and there is no token to act by.
    """
    if (url := shared.url) is not None:
        from drystone.l00_kernel.contract import connect  # noqa: PLC0415 - loads the HTTP client

        headers = {"authorization": f"Bearer {await _token(url)}"}
        async with connect(api(), base_url=url, headers=headers) as reached:
            yield reached
        return
    folder = shared.folder
    state = await _state(folder)
    if not state.is_on:
        yield None
        return
    if not state.socket:
        raise NoAnswer(
            f"the orchestrator of {folder} does not answer: {state.problem}\nits log is {folder}/engines/orchestrator/log",
            home=str(folder),
        )
    from drystone.l00_kernel.contract import connect  # noqa: PLC0415 - loads the HTTP client

    token = await _token(folder)
    near = {"authorization": f"Bearer {token}"} if token else None
    async with connect(api(), uds=Path(state.socket), headers=near) as reached:
        yield reached


def environment_at(option: str | None, shared: Anywhere) -> str:
    """Return the environment that a command works on: the option's, or the platform's default."""
    if option is not None:
        return option
    return FIRST if shared.url is not None else settings_of(shared.folder).default_environment


async def _token(place: Path | str) -> str:
    """Return by what to act: the variable's token, else that of who is signed in; nothing is the owner of a home.

    Raises:
        NoToken: A platform elsewhere knows nobody without one.
    """
    if given := os.environ.get(TOKEN, "").strip():
        return given
    if signed_in.kept(place) is None:
        if isinstance(place, Path):
            return ""
        raise NoToken(
            f"nobody is known at {place} without a token: put one of `drystone deploy-tokens make` into {TOKEN}, or sign in with"
            f" `drystone login --platform {place}`"
        )
    from drystone.l50_orchestrator.running.api import AUDIENCE  # noqa: PLC0415 - loads the contract

    return await signed_in.token(place, AUDIENCE)


async def _state(folder: Path) -> OrchestratorView:
    async with orchestrator_switch(folder) as switch:
        return await switch.state(context())
