"""What no record names must not be on the machine: processes, groups, rules, mounts, ports, containers, files."""

from __future__ import annotations

import asyncio
import os
import shutil
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING

from typing_extensions import override

from drystone.l00_kernel.atomic import PARTIAL
from drystone.l10_engines.networks.driver import Networks
from drystone.l10_engines.processes.identity import PROC
from drystone.l10_engines.proxy.generation import generations
from drystone.l10_engines.runtimes import proc_table
from drystone.l10_engines.supervision import record
from drystone.l20_trust.keys.engine import FIRST, SECOND
from drystone.l25_deployer.local.ports import PortBook
from drystone.testing.command_line import processes_of
from drystone.testing.faults.invariants import Invariant

if TYPE_CHECKING:
    from collections.abc import Mapping

    from drystone.l10_engines.processes.identity import ProcessId
    from drystone.l10_engines.runtimes.proc_table import Row
    from drystone.testing.faults.site import Site

_ENGINES = ("postgres", "objects", FIRST, SECOND)
_LOCKS = ("agent.lock", "keeper.lock")
_LONGEST_SHOWN = 160


class NoStrayProcess(Invariant):
    """Every process of the home is the agent, its keeper, or descends from an engine or an instance.

    The agent's own children have to be one of these as well. The commands that it runs, such as podman, are gone
    when one looks again.
    """

    name = "no stray process"

    @override
    async def violations(self, site: Site) -> list[str]:
        return await asyncio.to_thread(self._strays, site)

    def _strays(self, site: Site) -> list[str]:
        rows = proc_table.table()
        mine = processes_of(site.home.path)
        heads = {p.pid for name in _LOCKS if (p := site.pid_in(name)) is not None}
        houses = _houses(site, rows, set(mine) - heads)
        return [
            f"process {pid} belongs to nobody: {words[:_LONGEST_SHOWN]}"
            for pid, words in mine.items()
            if pid in rows and pid not in heads and not _lineage(pid, rows) & houses
        ]


def _houses(site: Site, rows: Mapping[int, Row], mine: set[int]) -> set[int]:
    """Return the processes whose descendants are all in order: of the engines and of the instances that are to run."""
    single: list[ProcessId | None] = []
    wanted_sidecars = site.wanted_sidecars()
    own = [place for name, place in site.sidecars().items() if name in wanted_sidecars]
    for folder in (site.home.engines / "proxy", *own):
        for generation in generations(folder):
            single += [generation.runner(), generation.envoy()]
    for name in _ENGINES:
        known = record.read(site.home.engines / name / "record.json")
        single.append(known.process if known else None)
    found = {process.pid for process in single if process is not None}
    wanted = site.wanted_instances()
    for id_, main in site.mains().items():
        if id_ in wanted:  # with its guard and its sandbox, or the monitor of its container
            found |= {main.pid} | (_lineage(main.pid, rows) & mine)
    return found


def _lineage(pid: int, rows: Mapping[int, Row]) -> set[int]:
    """Return a process and its ancestors, without the first process of the machine."""
    found: set[int] = set()
    while pid in rows and pid > 1 and pid not in found:
        found.add(pid)
        pid = rows[pid].parent
    return found


class NoStrayGroup(Invariant):
    """Every control group of the home is that of an instance that is to run."""

    name = "no stray group"

    @override
    async def violations(self, site: Site) -> list[str]:
        wanted = site.wanted_instances()
        found = []
        for folder, names, _ in os.walk("/sys/fs/cgroup"):
            if Path(folder).name == f"drystone-{site.label}":
                found += [f"group {folder}/{name}" for name in names if name not in wanted]
        return found


class NoStrayRule(Invariant):
    """No rule of the network filter names the home, or an instance of it that is not to run."""

    name = "no stray rule"

    @override
    async def violations(self, site: Site) -> list[str]:
        if shutil.which("nft") is None:
            return []
        listed = await asyncio.to_thread(said, "nft", "list", "ruleset")
        wanted = site.wanted_instances()
        return [
            f"rule {line.strip()}"
            for line in listed.splitlines()
            if site.label in line and not any(name in line for name in wanted)
        ]


class NoStrayMount(Invariant):
    """Nothing is mounted in the home."""

    name = "no stray mount"

    @override
    async def violations(self, site: Site) -> list[str]:
        text = await asyncio.to_thread(Path(PROC, "self/mounts").read_text, encoding="utf-8")
        return [f"mount {line}" for line in text.splitlines() if f" {site.home.path}/" in line]


class NoStrayPort(Invariant):
    """Every port on which a process of the home listens is named by a record."""

    name = "no stray port"

    @override
    async def violations(self, site: Site) -> list[str]:
        named = {site.port, *filter(None, site.wanted_instances().values())}
        for name in _ENGINES:
            known = record.read(site.home.engines / name / "record.json")
            named |= set(known.ports.values()) if known else set()
        # Those at which proxies of services find each other: that a proxy has them which is nobody's is seen with the processes.
        named |= set(PortBook(site.home.path / "ports.json").every().values())
        mine = processes_of(site.home.path)
        # One look for all: the kernel lists the whole machine's sockets for each process that is asked for.
        unnamed = set(proc_table.listening_ports(mine)) - named
        return [
            f"port {port} of {words[:_LONGEST_SHOWN]}"
            for pid, words in (mine.items() if unnamed else ())
            for port in sorted(unnamed & set(proc_table.listening_ports([pid])))
        ]


class NoStrayNetwork(Invariant):
    """Every network of the home is that of a service that is deployed, or the one through which its ways outside lead."""

    name = "no stray network"

    @override
    async def violations(self, site: Site) -> list[str]:
        services = {
            f"{service}.{environment}" for environment, service in site.documents.services()
        }
        return [
            f"network {name}"
            for name in sorted(Networks(site.home.networks).names())
            if name.removesuffix(".beyond") not in services
        ]


class NoStraySidecar(Invariant):
    """Those services alone have an Envoy of their own whose release says so; each of them has one, and it runs once."""

    name = "no stray sidecar"

    @override
    async def violations(self, site: Site) -> list[str]:
        found = site.sidecars()
        wanted = site.wanted_sidecars()
        texts = [f"sidecar {name} is too many" for name in sorted(found.keys() - wanted)]
        texts += [f"sidecar {name} is missing" for name in sorted(wanted - found.keys())]
        for name in sorted(wanted & found.keys()):
            running = [g for g in generations(found[name]) if g.envoy() and g.runner()]
            if len(running) != 1:
                texts.append(f"sidecar {name} runs {len(running)} times")
        return texts


class NoStrayContainer(Invariant):
    """Every container of the home is an instance that is to run."""

    name = "no stray container"

    @override
    async def violations(self, site: Site) -> list[str]:
        if shutil.which("podman") is None:
            return []
        listed = await asyncio.to_thread(
            said,
            *("podman", "ps", "--all", "--format", "{{.Names}} {{.Status}}"),
            *("--filter", f"label=drystone.home={site.label}"),
        )
        wanted = site.wanted_instances()
        return [
            f"container {line}"
            for line in listed.splitlines()
            if line.split()[0].rpartition(".")[2] not in wanted
        ]


class NoStrayFolder(Invariant):
    """Every instance that has a folder is one of a release that is kept."""

    name = "no stray folder"

    @override
    async def violations(self, site: Site) -> list[str]:
        kept = {
            one.id
            for environment, service in site.documents.services()
            for release in site.documents.releases(environment, service)
            for one in release.instances
        }
        return [f"folder {p}" for p in site.home.instances.glob("*") if p.name not in kept]


class NoPartialFile(Invariant):
    """No document of the home is half written."""

    name = "no partial file"

    @override
    async def violations(self, site: Site) -> list[str]:
        home = site.home
        deep = (home.services, home.secrets, home.instances, home.engines)
        return [
            f"file {path}"
            for paths in (
                *(folder.glob(f"{PARTIAL}*") for folder in (home.path, home.run)),
                *(folder.rglob(f"{PARTIAL}*") for folder in deep),
            )
            for path in paths
        ]


def said(*command: str, limit: float = 60) -> str:
    """Return what a command wrote that must succeed; it is killed after so many seconds."""
    return subprocess.run(  # noqa: S603 - fixed words
        command, capture_output=True, text=True, check=True, timeout=limit
    ).stdout
