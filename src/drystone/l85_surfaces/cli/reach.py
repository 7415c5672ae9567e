"""Find the platform of a home and talk to it."""

from __future__ import annotations

import fcntl
import os
import socket
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

from drystone.l00_kernel.contract import ANONYMOUS, Context
from drystone.l00_kernel.home import Home
from drystone.l00_kernel.settings import Settings
from drystone.l85_surfaces.cli.errors import NoAnswer, NoPlatform
from drystone.l85_surfaces.cli.options import default_home

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from drystone.l00_kernel.contract import Api
    from drystone.l20_trust.certificates.api import CertificatesApi
    from drystone.l20_trust.keys.api import KeysApi
    from drystone.l20_trust.keys.peers.api import PeersApi
    from drystone.l25_deployer.api import DeployerApi
    from drystone.l25_deployer.backups.api import BackupsApi
    from drystone.l25_deployer.jobs.api import JobsApi
    from drystone.l25_deployer.operations.api import OperationsApi
    from drystone.l35_mesh.limits.api import HeldApi
    from drystone.l35_mesh.migration.api import MigrationApi
    from drystone.l35_mesh.observed.api import ObservedApi
    from drystone.l50_orchestrator.running.api import OrchestratorApi
    from drystone.l80_governance.costs.api import CostsApi

A = TypeVar("A", bound="Api")

CONNECT_LIMIT_S = 5.0
HEARING_LIMIT_S = 10.0
"""An agent that does not say a byte for so long is no help; a busy one takes some milliseconds."""


def platform(folder: Path) -> AbstractAsyncContextManager[DeployerApi]:
    """Connect to the platform of a home.

    Raises:
        NoPlatform: None runs there.
        NoAnswer: One is kept there, but its agent does not answer.
    """
    from drystone.l25_deployer.api import DeployerApi  # noqa: PLC0415 - loads the contract

    return _answering(folder, DeployerApi)


def operations(folder: Path) -> AbstractAsyncContextManager[OperationsApi]:
    """Connect to what operates the services of a home, as :func:`platform` does to its deployer."""
    from drystone.l25_deployer.operations.api import OperationsApi  # noqa: PLC0415 - loads the contract

    return _answering(folder, OperationsApi)


def jobs(folder: Path) -> AbstractAsyncContextManager[JobsApi]:
    """Connect to what runs jobs on this machine; see :func:`platform`."""
    from drystone.l25_deployer.jobs.api import JobsApi  # noqa: PLC0415 - loads the contract

    return _answering(folder, JobsApi)


def costs_of(folder: Path) -> AbstractAsyncContextManager[CostsApi]:
    """Connect to what tells the costs of a home, as :func:`platform` does to its deployer."""
    from drystone.l80_governance.costs.api import CostsApi  # noqa: PLC0415 - loads the contract

    return _answering(folder, CostsApi)


def client(folder: Path) -> AbstractAsyncContextManager[DeployerApi]:
    """Connect to the agent of a home without asking first whether it runs."""
    from drystone.l25_deployer.api import DeployerApi  # noqa: PLC0415 - loads the contract

    return _connected(folder, DeployerApi)


def service_keys(folder: Path) -> AbstractAsyncContextManager[KeysApi]:
    """Connect to the service keys of a home, as :func:`platform` does to its deployer."""
    from drystone.l20_trust.keys.api import KeysApi  # noqa: PLC0415 - loads the contract

    return _answering(folder, KeysApi)


def other_platforms(folder: Path) -> AbstractAsyncContextManager[PeersApi]:
    """Connect to the trust in other platforms of a home, as :func:`platform` does to its deployer."""
    from drystone.l20_trust.keys.peers.api import PeersApi  # noqa: PLC0415 - loads the contract

    return _answering(folder, PeersApi)


def certificates(folder: Path) -> AbstractAsyncContextManager[CertificatesApi]:
    """Connect to the certificates of a home, as :func:`platform` does to its deployer."""
    from drystone.l20_trust.certificates.api import CertificatesApi  # noqa: PLC0415 - loads the contract

    return _answering(folder, CertificatesApi)


def what_was_seen(folder: Path) -> AbstractAsyncContextManager[ObservedApi]:
    """Connect to what tells what the proxies of a home saw, as :func:`platform` does to its deployer."""
    from drystone.l35_mesh.observed.api import ObservedApi  # noqa: PLC0415 - loads the contract

    return _answering(folder, ObservedApi)


def held_limits(folder: Path) -> AbstractAsyncContextManager[HeldApi]:
    """Connect to what tells of the limits of a home, as :func:`platform` does to its deployer."""
    from drystone.l35_mesh.limits.api import HeldApi  # noqa: PLC0415 - loads the contract

    return _answering(folder, HeldApi)


def traffic_migration(folder: Path) -> AbstractAsyncContextManager[MigrationApi]:
    """Connect to the traffic migration of a home, as :func:`platform` does to its deployer."""
    from drystone.l35_mesh.migration.api import MigrationApi  # noqa: PLC0415 - loads the contract

    return _answering(folder, MigrationApi)


def copies(folder: Path) -> AbstractAsyncContextManager[BackupsApi]:
    """Connect to the backups of a home, as :func:`platform` does to its deployer."""
    from drystone.l25_deployer.backups.api import BackupsApi  # noqa: PLC0415 - loads the contract

    return _answering(folder, BackupsApi)


def orchestrator_switch(folder: Path) -> AbstractAsyncContextManager[OrchestratorApi]:
    """Connect to what turns the orchestrator of a home on, as :func:`platform` does to its deployer."""
    from drystone.l50_orchestrator.running.api import OrchestratorApi  # noqa: PLC0415 - loads the contract

    return _answering(folder, OrchestratorApi)


@asynccontextmanager
async def _answering(folder: Path, api: type[A]) -> AsyncIterator[A]:
    require_answer(folder)
    async with _connected(folder, api) as reached:
        yield reached


def _connected(folder: Path, api: type[A]) -> AbstractAsyncContextManager[A]:
    from drystone.l00_kernel.contract import connect  # noqa: PLC0415 - loads the HTTP client

    return connect(api, uds=agent_socket(folder))


def context() -> Context:
    """Return what accompanies a call; the agent finds out by itself who asks."""
    return Context(ANONYMOUS)


def require_answer(folder: Path) -> None:
    """Make sure that an agent listens and hears, at the cost of one small request.

    Raises:
        NoPlatform: None runs there.
        NoAnswer: One is kept there, but its agent does not answer, or it belongs to somebody else.
    """
    if answers(folder):
        if _hears(folder):
            return
        raise NoAnswer(
            f"the agent of the platform in {folder} listens and says nothing for {HEARING_LIMIT_S:g} s;"
            f" {_why_silent(folder)}\nwhat runs goes on without it",
            home=str(folder),
        )
    if is_kept(folder):
        raise NoAnswer(
            f"the agent of the platform in {folder} does not answer; its keeper starts it again\n"
            f"why it ended: {folder}/run/agent.log",
            home=str(folder),
        )
    raise NoPlatform(
        f"no platform runs in {folder}: start it with `{command_line('up', folder)}`",
        home=str(folder),
    )


def _hears(folder: Path) -> bool:
    """Tell whether the agent answers anything at all; the kernel alone takes connections for a stopped one."""
    with socket.socket(socket.AF_UNIX) as probe:
        probe.settimeout(HEARING_LIMIT_S)
        try:
            probe.connect(str(agent_socket(folder)))
            probe.sendall(b"HEAD / HTTP/1.1\r\nhost: drystone\r\nconnection: close\r\n\r\n")
            return bool(probe.recv(1))
        except TimeoutError:
            return False
        except OSError:  # it has just ended; the call itself tells
            return True


def _why_silent(folder: Path) -> str:
    """Say what can be seen of an agent that does not answer (proc_pid_stat(5))."""
    try:
        pid = int((folder / "run/agent.lock").read_text())
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except (OSError, ValueError):
        return "see run/agent.log in its home"
    if state in {"T", "t"}:
        return f"its process {pid} was stopped by a signal: continue it with `kill -CONT {pid}`"
    return f"its process {pid} is busy, or the machine is: try again, or see {folder}/run/agent.log"


def answers(folder: Path) -> bool:
    """Tell whether an agent listens on the home's socket.

    Raises:
        NoAnswer: The socket belongs to somebody else.
    """
    if not folder.is_dir():
        return False
    with socket.socket(socket.AF_UNIX) as probe:
        probe.settimeout(CONNECT_LIMIT_S)
        try:
            probe.connect(str(agent_socket(folder)))
        except PermissionError as e:
            raise NoAnswer(
                f"the platform in {folder} belongs to another user; ask as that user",
                home=str(folder),
            ) from e
        except OSError:
            return False
    return True


def is_kept(folder: Path) -> bool:
    """Tell whether a keeper holds the home."""
    try:
        lock = os.open(folder / "run/keeper.lock", os.O_RDONLY | os.O_CLOEXEC)
    except (FileNotFoundError, NotADirectoryError):
        return False
    try:
        fcntl.flock(lock, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    finally:
        os.close(lock)
    return False


def agent_socket(folder: Path) -> Path:
    """Return the path of the agent's socket."""
    return Home(folder).agent_socket


def environment_of(option: str | None, folder: Path) -> str:
    """Return the environment that a command works on: the option's, or the home's default."""
    return settings_of(folder).default_environment if option is None else option


def settings_of(folder: Path) -> Settings:
    """Return the settings of a home, which need not exist yet.

    Raises:
        Invalid: The settings file has mistakes.
    """
    return Settings.load(Home(folder), os.environ)


def command_line(words: str, folder: Path) -> str:
    """Return a command line of ours that works on this home, for messages."""
    where = "" if folder == default_home() else f" --home {folder}"
    return f"drystone {words}{where}"
