"""Speak to podman through its command line, and understand what it answers."""

from __future__ import annotations

import asyncio
import os
import shutil
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from drystone.l00_kernel.errors import DeadlineExceeded
from drystone.l10_engines.processes.brief import Outcome, run_briefly
from drystone.l10_engines.runtimes.errors import (
    CommandNotFound,
    ImageNotFound,
    InstanceFailed,
    PodmanSilent,
    RuntimeMissing,
)

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from drystone.l00_kernel.errors import PlatformError

# What podman itself may need from the agent's environment; everything else stays with the agent.
_PASSED_ON = [
    "PATH",
    "HOME",
    "USER",
    "XDG_RUNTIME_DIR",
    "XDG_CONFIG_HOME",
    "XDG_DATA_HOME",
    "TMPDIR",
    "CONTAINERS_CONF",
    "CONTAINERS_STORAGE_CONF",
    "DBUS_SESSION_BUS_ADDRESS",
]
_SYSTEM_PROGRAMS = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
LIMIT = timedelta(minutes=2)
PATIENCE = timedelta(seconds=10)
"""How long after the first question podman's first answer is waited for."""

_LEAST = timedelta(milliseconds=500)
"""How long one waits who comes later."""

_ASKING_LIMIT = timedelta(seconds=15)
"""How long podman itself may take for it before it is asked anew."""


class _Conmon(msgspec.Struct):
    path: str


class _OciRuntime(msgspec.Struct):
    path: str


class _Security(msgspec.Struct):
    has_filters: bool = msgspec.field(name="seccompEnabled", default=False)
    profile: str = msgspec.field(name="seccompProfilePath", default="")


class _Host(msgspec.Struct, rename="camel"):
    conmon: _Conmon
    oci_runtime: _OciRuntime
    cgroup_version: str
    cgroup_controllers: list[str]
    security: _Security = msgspec.field(default_factory=_Security)


class Info(msgspec.Struct):
    """The part of ``podman info`` that is used here."""

    host: _Host


class State(msgspec.Struct, rename="pascal"):
    """The part of a container's state that is used here.

    Attributes:
        status: ``created``, ``running``, ``exited``…
        exit_code: Valid once it has exited.
        oom_killed: Whether the kernel killed something in it for want of memory.
        finished_at: RFC 3339.
    """

    status: str
    exit_code: int
    oom_killed: bool = msgspec.field(name="OOMKilled")
    finished_at: str = ""


class Listed(msgspec.Struct, rename="pascal"):
    """One row of ``podman ps``."""

    id: str
    pid: int
    labels: dict[str, str]


class PodmanCommand:
    """Runs podman commands; knows what ``podman info`` says.

    Podman that hangs must not hold up what can do without it: until it has answered once, nothing else is asked, and
    whoever wants something is told soon.
    """

    def __init__(self) -> None:
        self._program = shutil.which("podman")
        self._info: Info | None = None
        self._asking: asyncio.Task[Info] | None = None
        self._asked_at: float | None = None

    @property
    def controllers(self) -> frozenset[str]:
        """The limits that podman can enforce, as :meth:`info` found; nothing before it was asked."""
        return frozenset(self._info.host.cgroup_controllers if self._info else ())

    @property
    def profile(self) -> Path | None:
        """The default filter of system calls, as :meth:`info` found; None where there is none."""
        security = self._info.host.security if self._info else _Security()
        return Path(security.profile) if security.has_filters and security.profile else None

    async def __call__(
        self,
        *words: str,
        environment: Mapping[str, str] | None = None,
        directory: Path = Path("/"),
    ) -> Outcome:
        """Run a command to its end.

        Args:
            words: Its arguments.
            environment: Variables for podman besides those it needs itself.
            directory: Working directory; the monitor of a container leaves a file there, ``oom``, when
                the kernel kills for want of memory.

        Raises:
            RuntimeMissing: Podman is not installed, or does not work.
            PodmanSilent: It has never answered so far.
            DeadlineExceeded: It did not end within two minutes and was killed.
        """
        await self.info()
        return await self._run(words, environment, directory, LIMIT)

    async def _run(
        self,
        words: Sequence[str],
        environment: Mapping[str, str] | None,
        directory: Path,
        limit: timedelta,
    ) -> Outcome:
        if self._program is None:
            raise RuntimeMissing("podman is not installed; try: apt install podman runc")
        own = {name: os.environ[name] for name in _PASSED_ON if name in os.environ}
        own["PATH"] = f"{own['PATH']}:{_SYSTEM_PROGRAMS}" if "PATH" in own else _SYSTEM_PROGRAMS
        return await run_briefly(
            [self._program, *words],
            env={**(environment or {}), **own},
            directory=directory,
            limit=limit,
            umask=0o022,  # a container's own users read the files that podman makes for it
        )

    async def info(self) -> Info:
        """Return what podman says about this machine; asked once.

        Raises:
            RuntimeMissing: Podman is not installed or does not work.
            PodmanSilent: It does not answer.
        """
        if self._info is not None:
            return self._info
        now = asyncio.get_running_loop().time()
        if self._asked_at is None:
            self._asked_at = now
        left = self._asked_at + PATIENCE.total_seconds() - now
        if self._asking is None:
            self._asking = asyncio.create_task(self._ask(), name="ask podman")
            self._asking.add_done_callback(self._answered)
        try:
            async with asyncio.timeout(max(left, _LEAST.total_seconds())):
                return await asyncio.shield(self._asking)
        except (TimeoutError, DeadlineExceeded) as e:
            raise PodmanSilent(
                "podman does not answer; what needs it starts when it does. See what `podman info` says"
            ) from e

    async def _ask(self) -> Info:
        answer = await self._run(("info", "--format", "json"), None, Path("/"), _ASKING_LIMIT)
        if answer.code != 0:
            raise RuntimeMissing(f"podman does not work here: {_reason(answer.complaint)}")
        self._info = msgspec.json.decode(answer.output, type=Info)
        return self._info

    def _answered(self, asking: asyncio.Task[Info]) -> None:
        """Let the next one ask anew; that nobody waits for a failure any more is no mistake."""
        self._asking = None
        if not asking.cancelled():
            asking.exception()

    async def state(self, container: str) -> State | None:
        """Return a container's state; None when there is no such container."""
        answer = await self("container", "inspect", "--format", "{{json .State}}", container)
        return msgspec.json.decode(answer.output, type=State) if answer.code == 0 else None

    async def listed(self, label: str) -> list[Listed]:
        """Return all containers with this label (``name=value``), running or not."""
        answer = await self("ps", "--all", "--filter", f"label={label}", "--format", "json")
        if answer.code != 0:
            raise RuntimeMissing(f"podman cannot list containers: {_reason(answer.complaint)}")
        return msgspec.json.decode(answer.output, type=list[Listed])


def explain(answer: Outcome, *, instance: str, image: str) -> PlatformError:
    """Say why ``podman run`` failed.

    Its exit codes (podman-run(1)) tell little: 126 and 127 stand for any refusal of the kernel, so the
    words of the OCI runtime decide whether it was the command.
    """
    reason = _reason(answer.complaint)
    if "image not known" in reason or "no such image" in reason.lower():
        return ImageNotFound(f"{instance}: the image {image} is not on this machine")
    if answer.code in {126, 127} and ("exec: " in reason or "exec /" in reason):
        return CommandNotFound(f"{instance}: the command cannot be executed: {reason}")
    return InstanceFailed(f"podman did not start {instance}: {reason}")


def _reason(complaint: str) -> str:
    lines = [line for line in complaint.splitlines() if line.startswith("Error:")]
    return (lines or complaint.splitlines() or ["no reason was given"])[-1].removeprefix("Error: ")
