"""Make, find, change and remove the networks of a home.

A network is a file ``<name>@<token>`` in one folder, on which it is mounted, so that it outlives the agent. The token
is new whenever the network is: who listens in a network that is gone, as Envoy does under an unchanged address,
must see that this is another one. What a machine that was started anew has left is a file without a network.

Every call first looks at what is there, so one that was cut short at any point is finished by the next.
"""

from __future__ import annotations

import asyncio
import os
import re
import secrets
import shutil
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path

import msgspec

from drystone.l00_kernel.errors import PlatformError
from drystone.l00_kernel.fault_points import FaultPoint
from drystone.l00_kernel.shortage import needs_room
from drystone.l10_engines.namespaces import inside_each
from drystone.l10_engines.networks import kernel
from drystone.l10_engines.networks.errors import NetworkFailed, NetworkNameInvalid
from drystone.l10_engines.networks.refusals import Refusals, read
from drystone.l10_engines.networks.rules import TABLE, Rules, script
from drystone.l10_engines.processes.brief import run_briefly

_NAME = re.compile(r"[a-z0-9][a-z0-9.-]{0,200}")
_NO_NFT = "nftables is not installed; try: apt install nftables"
_TRIAL = "0.trial"
_SYSTEM_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
_NEEDED_RIGHTS = {"CAP_NET_ADMIN": 12, "CAP_SYS_ADMIN": 21}
"""Their bits in ``CapEff`` (capabilities(7), linux/capability.h)."""

FILE_NEXT = FaultPoint(
    "network.file.next", "a service is about to get a network; nothing is made", writes=True
)
FILE_MADE = FaultPoint("network.file.made", "the file of a network is there, and no network")
MADE = FaultPoint("network.space.made", "a network is there, without rules")
RULES_GIVEN = FaultPoint("network.rules.given", "a network has its rules; nothing is started in it")
REMOVAL_BEGUN = FaultPoint("network.removal.begun", "a network is about to go; it is still there")


class Network(msgspec.Struct, frozen=True):
    """One network.

    Attributes:
        name: Whose it is.
        path: The file that stands for it, for as long as it lives.
    """

    name: str
    path: Path

    def holds(self, pid: int) -> bool:
        """Tell whether a process is in it; False when one of them is gone."""
        try:
            return Path("/proc", str(pid), "ns/net").samefile(self.path)
        except (FileNotFoundError, ProcessLookupError):
            return False


class Networks:
    """The networks of one home.

    Args:
        folder: Where their files lie; made when the first network is.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._program = shutil.which("nft", path=f"{os.environ.get('PATH', '')}:{_SYSTEM_PATH}")
        self._given: dict[Path, Rules] = {}
        self._locks: dict[str, asyncio.Lock] = {}
        self._verdict: tuple[str | None] | None = None

    async def available(self) -> str | None:
        """Return None when networks can be made here, else a sentence with the reason and what to do."""
        if self._verdict is None:
            self._verdict = (await self._try(),)
        return self._verdict[0]

    async def _try(self) -> str | None:
        """Make a network and remove it: what is allowed is known only by doing it."""
        if lacking := self._lacking():
            return lacking
        try:
            try:
                await self.ensure(_TRIAL, Rules(open=frozenset({1}), catcher=1))
            finally:
                await self.remove(_TRIAL)
        except PlatformError as e:
            return e.message
        return None

    def _lacking(self) -> str | None:
        if not Path("/proc/self/ns/net").exists():
            return "this kernel has no network namespaces (CONFIG_NET_NS)"
        if lacking := _lacking_rights():
            return f"the platform lacks {' and '.join(lacking)}; start it as root"
        if self._program is None:
            return _NO_NFT
        return None

    async def ensure(self, name: str, rules: Rules) -> Network:
        """See to it that there is a network with these rules: make it, or adopt it and change its rules.

        Connections that exist are not touched by a change; see :mod:`drystone.l10_engines.networks.rules`.

        Args:
            name: ``[a-z0-9][a-z0-9.-]*``, at most 201 characters, unique in the home.
            rules: What is let through.

        Raises:
            NetworkNameInvalid: The name cannot be one.
            NetworkFailed: The kernel or nft(8) refused.
            DiskFull: There is no room for the file.
        """
        async with self._alone(name):
            path = await asyncio.to_thread(self._find, name)
            if path is None:
                path = await asyncio.to_thread(self._make, name)
                MADE.reach()
            if self._given.get(path) != rules:
                await self._give(path, rules)
                RULES_GIVEN.reach()
            return Network(name, path)

    def find(self, name: str) -> Network | None:
        """Return the network of this name, without looking at its rules; None when there is none."""
        path = self._find(_checked(name))
        return None if path is None else Network(name, path)

    def names(self) -> frozenset[str]:
        """Return the names of which anything is left, a network or its file alone."""
        return frozenset(file.name.partition("@")[0] for file in self._files("*"))

    async def refused(self, name: str) -> Refusals | None:
        """Return what was tried in vain in a network since it was made; None when there is none of this name.

        Takes a process for some milliseconds: for those who look, not for every moment.

        Raises:
            NetworkNameInvalid: The name cannot be one.
            NetworkFailed: Its rules cannot be read.
        """
        network = self.find(name)
        if network is None:
            return None
        listed = await self._nft("--json", "list", "table", *TABLE.split(), network=network.path)
        try:
            return read(listed)
        except ValueError as e:
            raise NetworkFailed(f"what nft says of the network {name} cannot be read: {e}") from e

    def refusals_sent(self) -> dict[str, int]:
        """Return how often the kernel has told somebody in each network that it refuses a datagram, by the network's file.

        Costs a tenth of a millisecond for each network: where the number is what it was, :meth:`refused` has nothing new.
        """
        found = inside_each(self._files("*"), kernel.refusals_sent)
        return {file.name: count for file, count in found.items()}

    async def remove(self, name: str) -> None:
        """Remove a network; that it is gone already is as good.

        What still runs in it goes on without ever reaching anything again, and is what keeps it then.

        Raises:
            NetworkNameInvalid: The name cannot be one.
            NetworkFailed: The kernel refused.
        """
        async with self._alone(name):
            REMOVAL_BEGUN.reach()
            for file in self._files(name):
                self._given.pop(file, None)
                try:
                    await asyncio.to_thread(kernel.let_go, file)
                except OSError as e:
                    raise NetworkFailed(f"the network {file} cannot be removed: {e}") from e

    def leave(self) -> None:
        """Remove the folder, if there is no network in it any more."""
        with suppress(OSError):
            self._folder.rmdir()

    @asynccontextmanager
    async def _alone(self, name: str) -> AsyncIterator[None]:
        lock = self._locks.setdefault(_checked(name), asyncio.Lock())
        async with lock:
            yield

    def _files(self, name: str) -> list[Path]:
        return sorted(self._folder.glob(f"{name}@*"))

    def _find(self, name: str) -> Path | None:
        return next((file for file in self._files(name) if kernel.is_network(file)), None)

    def _make(self, name: str) -> Path:
        """Make a network without rules, in which nothing runs yet; clear away what is left of earlier ones."""
        file = self._folder / f"{name}@{secrets.token_hex(4)}"
        try:
            for old in self._files(name):
                kernel.let_go(old)
            with needs_room(self._folder):
                FILE_NEXT.reach()
                self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
                file.touch(mode=0o600, exist_ok=False)
            FILE_MADE.reach()
            kernel.make(file)
        except OSError as e:
            raise NetworkFailed(f"the network {name} cannot be made: {e}") from e
        return file

    async def _give(self, path: Path, rules: Rules) -> None:
        self._given.pop(path, None)
        try:
            await self._nft("--file", "-", given=script(rules), network=path)
        except NetworkFailed:  # the table is that of another version of the platform
            await self._nft("--file", "-", given=script(rules, anew=True), network=path)
        self._given[path] = rules

    async def _nft(self, *words: str, network: Path, given: str = "") -> bytes:
        if self._program is None:
            raise NetworkFailed(_NO_NFT)
        command = [self._program, *words]
        told = await run_briefly(command, env={}, given=given.encode(), network=network)
        if told.code != 0:
            reason = told.complaint[:500] or told.code
            raise NetworkFailed(f"nft refuses what the network {network.name} needs: {reason}")
        return told.output


def _checked(name: str) -> str:
    if not _NAME.fullmatch(name):
        raise NetworkNameInvalid(f"{name!r} cannot be the name of a network", name=name)
    return name


def _lacking_rights() -> list[str]:
    lines = Path("/proc/self/status").read_text(encoding="utf-8").splitlines()
    held = next((int(line.split()[1], 16) for line in lines if line.startswith("CapEff:")), 0)
    return [name for name, bit in _NEEDED_RIGHTS.items() if not held >> bit & 1]
