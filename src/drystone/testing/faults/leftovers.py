"""What no record names must not be there: processes, groups, rules, mounts, ports, containers, roles, volumes, files."""

from __future__ import annotations

import asyncio
import os
import shutil
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING

from typing_extensions import override

from drystone.l00_kernel.atomic import PARTIAL
from drystone.l10_engines.postgres import binaries
from drystone.l10_engines.postgres.names import identifier
from drystone.l10_engines.postgres.server import Postgres
from drystone.l10_engines.processes.identity import PROC
from drystone.l10_engines.proxy.generation import generations
from drystone.l10_engines.runtimes import proc_table
from drystone.l10_engines.supervision import record
from drystone.l25_deployer.stacks.model import Postgres as PostgresResource
from drystone.l25_deployer.stacks.model import Volume
from drystone.testing.command_line import processes_of
from drystone.testing.faults.invariants import Invariant
from drystone.testing.faults.subjects import ENVIRONMENT

if TYPE_CHECKING:
    from collections.abc import Mapping

    from drystone.l10_engines.runtimes.proc_table import Row
    from drystone.testing.faults.site import Site

_ENGINES = ("postgres", "objects")
_LONGEST_SHOWN = 160


class NoStrayProcess(Invariant):
    """Every process of the home is the agent, its keeper, an engine, an instance, or a descendant of one."""

    name = "no stray process"

    @override
    async def violations(self, site: Site) -> list[str]:
        return await asyncio.to_thread(self._strays, site)

    def _strays(self, site: Site) -> list[str]:
        rows = proc_table.table()
        known = _roots(site, rows)
        return [
            f"process {pid} belongs to nobody: {words[:_LONGEST_SHOWN]}"
            for pid, words in processes_of(site.home.path).items()
            if pid in rows and not _lineage(pid, rows) & known
        ]


def _roots(site: Site, rows: Mapping[int, Row]) -> set[int]:
    """Return the processes from which all others of a home must descend."""
    single = [site.pid_in("agent.lock"), site.pid_in("keeper.lock")]
    for generation in generations(site.home.engines / "proxy"):
        single += [generation.runner(), generation.envoy()]
    for name in _ENGINES:
        known = record.read(site.home.engines / name / "record.json")
        single.append(known.process if known else None)
    wanted = site.wanted_instances()
    mains = [main for name, main in site.mains().items() if name in wanted]
    found = {process.pid for process in (*single, *mains) if process is not None}
    for main in mains:  # an instance's session: its guard, or the monitor of its container
        found |= _lineage(main.pid, rows) - {os.getpid(), 1, 0}
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
        listed = await asyncio.to_thread(_said, "nft", "list", "ruleset")
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
        mine = processes_of(site.home.path)
        # One look for all: the kernel lists the whole machine's sockets for each process that is asked for.
        unnamed = set(proc_table.listening_ports(mine)) - named
        return [
            f"port {port} of {words[:_LONGEST_SHOWN]}"
            for pid, words in (mine.items() if unnamed else ())
            for port in sorted(unnamed & set(proc_table.listening_ports([pid])))
        ]


class NoStrayContainer(Invariant):
    """Every container of the home is an instance that is to run."""

    name = "no stray container"

    @override
    async def violations(self, site: Site) -> list[str]:
        if shutil.which("podman") is None:
            return []
        listed = await asyncio.to_thread(
            _said,
            *("podman", "ps", "--all", "--format", "{{.Names}} {{.Status}}"),
            *("--filter", f"label=drystone.home={site.label}"),
        )
        wanted = site.wanted_instances()
        return [
            f"container {line}"
            for line in listed.splitlines()
            if line.split()[0].rpartition(".")[2] not in wanted
        ]


class NoStrayRole(Invariant):
    """The database server has the roles and databases of the subjects' resources, and no other."""

    name = "no stray role"

    @override
    async def violations(self, site: Site) -> list[str]:
        server = Postgres("postgres", site.home.engines / "postgres")
        if record.read(server.directory / "record.json") is None:
            return []
        admin = server.admin()
        psql = binaries.program(binaries.installed_root(), "psql")
        statement = (
            "select 'role ' || rolname from pg_roles"
            " where rolname !~ '^pg_' and rolname <> 'postgres' union all"
            " select 'database ' || datname from pg_database"
            " where not datistemplate and datname <> 'postgres'"
        )
        said = await asyncio.to_thread(
            _said, str(psql), "-Atq", "-c", statement, admin.url(), limit=20
        )
        wanted = {
            f"{what} {identifier(owner.name)}"
            for owner, resource in site.resources()
            if isinstance(resource, PostgresResource)
            for what in ("role", "database")
        }
        present = set(said.splitlines())
        return [f"{name} is too many" for name in sorted(present - wanted)] + [
            f"{name} is missing" for name in sorted(wanted - present)
        ]


class NoStrayVolume(Invariant):
    """The volumes are those of the subjects' resources."""

    name = "no stray volume"

    @override
    async def violations(self, site: Site) -> list[str]:
        wanted = {o.path for o, resource in site.resources() if isinstance(resource, Volume)}
        root = site.home.path / "volumes"
        present = {str(path.relative_to(root)) for path in root.glob("*/*/*")}
        return [f"volume {name} is too many or missing" for name in sorted(wanted ^ present)]


class ResourcesAreTheReleases(Invariant):
    """The resources of a service are those that the release names that serves; after a rollback there may be more."""

    name = "resources are the release's"

    @override
    async def violations(self, site: Site) -> list[str]:
        found = []
        for name in site.subjects:
            record = site.record(name)
            if record.active is not None:
                release = site.documents.release(record.environment, name, record.active)
                wanted = release.stacks.eternal.resources
                is_back = _last_done(site, name) == "rollback done"
                present = {
                    resource: settings
                    for resource, settings in record.eternal.items()
                    if resource in wanted or not is_back  # going back deletes no data
                }
                if present != wanted:
                    found.append(f"{name} has {sorted(record.eternal)} for {sorted(wanted)}")
        return found


def _last_done(site: Site, name: str) -> str | None:
    """Return the newest event of a history that tells what serves now."""
    events = site.documents.history(ENVIRONMENT, name)
    return next((e.event for e in events if e.event in {"deploy done", "rollback done"}), None)


class NoPartialFile(Invariant):
    """No document of the home is half written."""

    name = "no partial file"

    @override
    async def violations(self, site: Site) -> list[str]:
        return [
            f"file {path}"
            for folder in (site.home.services, site.home.instances, site.home.engines)
            for path in folder.rglob(f"{PARTIAL}*")
        ]


def _said(*command: str, limit: float = 60) -> str:
    return subprocess.run(  # noqa: S603 - fixed words
        command, capture_output=True, text=True, check=True, timeout=limit
    ).stdout
