"""Say plainly from what nothing keeps a service, where people look: in plans, deploys and the status."""

from __future__ import annotations

from typing import TYPE_CHECKING

from drystone.l10_engines.runtimes.processes import Processes
from drystone.l25_deployer.stacks.model import ProcessArtifact

if TYPE_CHECKING:
    from collections.abc import Sequence

    from drystone.l25_deployer.stacks.model import Artifact

_AS = (
    "as a plain process of the platform's own user, free to reach the files, credentials and processes of the"
    " platform and of all services"
)
_INSTALL = "install bubblewrap and start the platform again"
_CHOOSE = 'start the platform without the setting runtime = "processes"'


def of_service(artifact: Artifact, runtime: str, *, builds_isolated: bool) -> list[str]:
    """Return a sentence if a service, or its set-up, is not isolated.

    Args:
        artifact: What it runs.
        runtime: Name of the runtime that it runs in.
        builds_isolated: Whether set-ups run in a sandbox, which is where bubblewrap works.
    """
    if not isinstance(artifact, ProcessArtifact):
        return []
    return _sentence(
        "it" if runtime == Processes.name else "",
        "its set-up" if artifact.setup and not builds_isolated else "",
        builds_isolated=builds_isolated,
    )


def of_platform(runtime: str, *, builds_isolated: bool) -> list[str]:
    """Return a sentence if services, or the set-ups of their builds, are not isolated on this machine.

    Args:
        runtime: Name of the runtime for processes.
        builds_isolated: See :func:`of_service`.
    """
    return _sentence(
        "every service that is no image" if runtime == Processes.name else "",
        "" if builds_isolated else "every set-up of a build",
        builds_isolated=builds_isolated,
    )


def of_networks(lacking: str | None, beside: Sequence[str]) -> list[str]:
    """Return a sentence if services are not kept from reaching whatever listens on this machine, and from going out.

    Args:
        lacking: Why services cannot have networks of their own here; None where they can.
        beside: Services that have none.
    """
    if lacking is not None:
        return [f"services reach everything on the network: {lacking}"]
    if beside:
        return [
            f"on the network of this machine {', '.join(beside)} reach everything: they run since before services"
            " could have networks of their own; `drystone down` and `drystone up` give them theirs"
        ]
    return []


def _sentence(*what: str, builds_isolated: bool) -> list[str]:
    named = [one for one in what if one]
    if not named:
        return []
    verb = "runs" if len(named) == 1 else "run"
    way = _CHOOSE if builds_isolated else _INSTALL
    return [f"{' and '.join(named)} {verb} {_AS}; for isolation {way}"]
