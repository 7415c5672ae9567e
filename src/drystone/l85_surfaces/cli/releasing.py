"""Follow a release to its end, and say how that was."""

from __future__ import annotations

from typing import TYPE_CHECKING

from drystone.l25_deployer.api import Progress
from drystone.l85_surfaces.cli.errors import ReleaseEndedBadly
from drystone.l85_surfaces.cli.following import follow
from drystone.l85_surfaces.cli.reach import context
from drystone.l85_surfaces.cli.terminal import Style

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from drystone.l50_orchestrator.releases.api import Happened, Kind, ReleasesApi, ReleaseSummary
    from drystone.l85_surfaces.cli.terminal import Terminal

GOOD = "served"
_END, _ADMIT, _REFUSES = "end", "admit", "refuse: "
_WAY_BACK = "rollback"
"""What policies say against it is told, and refuses nothing."""


async def carried_out(api: ReleasesApi, asked: ReleaseSummary, out: Terminal) -> None:
    """Show what happens to a release until it has ended; Ctrl-C aborts it.

    Raises:
        ReleaseEndedBadly: It does not serve; the message says why.
    """

    async def abort() -> str:
        answer = await api.steer(context(), release=asked.id, verb="abort")
        return answer.text

    out.line(f"    release {asked.number} ({asked.id})")
    told = _as_progress(api.follow(context(), release=asked.id), asked.kind)
    await follow(told, out, abort=abort)
    ended = (await api.show(context(), release=asked.id)).summary
    if ended.state != GOOD:
        raise ReleaseEndedBadly(
            f"release {ended.number} of {ended.service} in {ended.environment} is {ended.state}: {ended.why}",
            release=ended.id,
            state=ended.state,
        )
    name = out.paint(f"{ended.service}.{ended.environment}", Style.NAME)
    out.line(f"{name} serves version {ended.version}")


async def _as_progress(stream: AsyncIterator[Happened], kind: Kind) -> AsyncIterator[Progress]:
    """Tell the things that happen to a release as the deployer tells those of an operation."""
    begun = {}
    async for one in stream:
        if one.step == _END or (
            kind != _WAY_BACK and one.step == _ADMIT and one.text.startswith(_REFUSES)
        ):  # said by the last line, or as the error
            continue
        if one.state == "began":
            begun[one.step] = one.at
        since = begun.get(one.step) if one.state in {"ended", "failed"} else None
        seconds = None if since is None else (one.at - since).total_seconds()
        state = one.state if one.state in {"began", "ended", "failed"} else "info"
        yield Progress(one.at, one.step, state, one.text, seconds=seconds)  # type: ignore[arg-type]
