"""What must hold whenever the platform is at rest.

To add one, write a subclass of :class:`Invariant` and list it in :data:`drystone.testing.faults.drill.INVARIANTS`.
"""

from __future__ import annotations

import abc
from typing import TYPE_CHECKING, Any, ClassVar

import msgspec
from typing_extensions import override

from drystone.l00_kernel.atomic import read_if_exists
from drystone.l10_engines.proxy.generation import LAST_GOOD
from drystone.l10_engines.runtimes import proc_table
from drystone.l25_deployer.api import HistoryEvent
from drystone.l35_mesh.sidecar.connections import way_name
from drystone.testing.faults.subjects import ENVIRONMENT
from drystone.testing.load.connection import Failed

if TYPE_CHECKING:
    from pathlib import Path

    from drystone.l25_deployer.api import InstanceView
    from drystone.l25_deployer.local.records import ReleaseRecord
    from drystone.testing.faults.site import Site

LOOKS = 12
"""Requests that are sent to find out who answers; more than there can be instances."""

ENDINGS = ("done", "failed", "aborted", "undone", "held")
"""How an operation can end, as its history says."""


class Invariant(abc.ABC):
    """Something that must hold whenever nothing is in progress."""

    name: ClassVar[str]
    """What journals call it."""

    @abc.abstractmethod
    async def violations(self, site: Site) -> list[str]:
        """Say everything that does not hold; nothing when all is well.

        The platform is at rest, requests go on.
        """


class OneReleaseServes(Invariant):
    """Every answer of a service's names the version that its record names, and the outcomes of its commands allow."""

    name = "one release serves"

    @override
    async def violations(self, site: Site) -> list[str]:
        found = []
        for name, traffic in site.traffic.items():
            wanted = site.state(name).active
            for _ in range(LOOKS):
                try:
                    answer = await traffic.ask("/")
                except (Failed, TimeoutError) as e:
                    found.append(f"{name} does not answer: {e}")
                    break
                version = answer.headers.get("x-version")
                if answer.status != 200 or version != wanted:
                    found.append(
                        f"{name} answers {answer.status} as {version}; {wanted} is to serve"
                    )
                    break
        return found


class NothingIsLost(Invariant):
    """Every acknowledged key is kept, no other than those that were sent, and none more than once."""

    name = "nothing is lost"

    @override
    async def violations(self, site: Site) -> list[str]:
        found = []
        for name, traffic in site.traffic.items():
            ledger = site.subjects[name].ledger
            promised = ledger.acknowledged
            try:
                answer = await traffic.ask("/keys")
            except (Failed, TimeoutError) as e:
                found.append(f"{name} does not list its keys: {e}")
                continue
            if answer.status != 200:
                found.append(f"{name} does not list its keys: {answer.body[:200]!r}")
                continue
            kept = answer.body.decode().split()
            found += [f"{name}: {text}" for text in ledger.judge(kept, promised)]
        return found


class StatusIsTrue(Invariant):
    """What ``status`` and ``show`` say is what the kernel, the records and the instances say."""

    name = "status is true"

    @override
    async def violations(self, site: Site) -> list[str]:
        status = await site.status()
        agent = site.pid_in("agent.lock")
        found = []
        if agent is None or agent.pid != status.agent_pid:
            found.append(f"status names agent {status.agent_pid}, the lock {agent}")
        if status.problems:
            found.append(f"status has problems: {status.problems}")
        for engine in status.engines:
            if (engine.state == "ready") != (engine.pid is not None):
                found.append(f"{engine.name} is {engine.state} with pid {engine.pid}")
            recorded = {process.pid for process in site.engine(engine.name)}
            if engine.pid is not None and engine.pid not in recorded:
                found.append(f"{engine.name} is process {engine.pid}; what runs is {recorded}")
        for name in site.subjects:
            found += await self._of(site, name)
        return found

    async def _of(self, site: Site, name: str) -> list[str]:
        view, record = await site.show(name), site.record(name)
        found = []
        version = None if record.active is None else site.version(name, record.active)
        said = (view.summary.state, view.summary.release, view.summary.version)
        if said != ("serving", record.active, version):
            found.append(f"{name} is {said}; the record names release {record.active} ({version})")
        shown = {one.id for one in view.instances}
        wanted = {id_ for id_ in site.wanted_instances() if id_.startswith(f"{name}-")}
        if shown != wanted:
            found.append(f"{name} shows {sorted(shown)}; to run are {sorted(wanted)}")
        for one in view.instances:
            found += self._wrong_about(site, name, one)
        for release in view.releases:
            right = {"active"} if release.number == record.active else {"warm", "stopped", "failed"}
            if release.state not in right or (release.number in record.warm) != (
                release.state == "warm"
            ):
                found.append(f"{name}: release {release.number} is said to be {release.state}")
        return found

    def _wrong_about(self, site: Site, service: str, one: InstanceView) -> list[str]:
        if one.pid is None or one.state != "healthy":
            return [f"{one.id} is {one.state} with pid {one.pid}"]
        main = site.mains().get(one.id)
        if main is None or main.pid != one.pid:
            return [f"{one.id} is process {one.pid}; its record says {main}"]
        version = proc_table.environment(one.pid).get("APP_VERSION")
        if version != site.version(service, one.release):
            return [f"{one.id} of release {one.release}: process {one.pid} runs version {version}"]
        if one.port is not None and one.port not in proc_table.listening_ports([one.pid]):
            return [f"{one.id}: process {one.pid} does not listen on {one.port}"]
        return []


class RestartedEnvoyServesTheSame(Invariant):
    """What Envoy would begin with, were it started again by its runner, leads to the releases that serve."""

    name = "a restarted Envoy serves the same"

    @override
    async def violations(self, site: Site) -> list[str]:
        places = {"proxy": site.home.engines / "proxy"}
        places |= site.sidecars()
        kept = {name: _kept(place) for name, place in places.items()}
        found = []
        own = site.wanted_sidecars()
        for name in site.subjects:
            number = site.record(name).active
            release = None if number is None else site.documents.release(ENVIRONMENT, name, number)
            wanted = {one.port for one in release.instances if one.port} if release else set()
            service = f"{name}.{ENVIRONMENT}"
            before = service if service in own else "proxy"
            kept_ports = weighted_ports(kept.get(before, {}), service)
            if kept_ports != wanted:
                found.append(
                    f"{name}: it would send requests to {kept_ports}; to serve is {wanted}"
                )
            if (way_name(service, is_beside=True) in cluster_names(kept["proxy"])) != (
                service in own
            ):
                where = "in an Envoy of its own" if service in own else "in that of the host"
                found.append(f"{name}: the edge would not lead to its sidecar {where}")
        return found


def _kept(place: Path) -> dict[str, Any]:
    """Read with what the Envoy of a folder would begin."""
    found: dict[str, Any] = msgspec.json.decode(read_if_exists(place / LAST_GOOD) or b"{}")
    return found


def _clusters(bootstrap: dict[str, Any]) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = bootstrap.get("static_resources", {}).get("clusters", [])
    return found


def cluster_names(bootstrap: dict[str, Any]) -> set[str]:
    """Return the names of the clusters of a bootstrap of Envoy."""
    return {cluster["name"] for cluster in _clusters(bootstrap)}


def weighted_ports(bootstrap: dict[str, Any], service: str) -> set[int]:
    """Return the ports to which a bootstrap of Envoy sends the requests to a service.

    Args:
        bootstrap: With its clusters in ``static_resources``.
        service: As the edge calls it.
    """
    return {
        one["endpoint"]["address"]["socket_address"]["port_value"]
        for cluster in _clusters(bootstrap)
        if cluster["name"] == service
        for pool in cluster["load_assignment"]["endpoints"]
        if pool.get("load_balancing_weight")
        for one in pool["lb_endpoints"]
    }


class HistoryIsComplete(Invariant):
    """The history tells of every operation, each with one end, as its release and its command do; every line is whole."""

    name = "history is complete"

    @override
    async def violations(self, site: Site) -> list[str]:
        found = []
        for name, subject in site.subjects.items():
            path = site.home.services / ENVIRONMENT / name / "history.jsonl"
            events = []
            for line in path.read_bytes().splitlines():
                try:
                    events.append(msgspec.json.decode(line, type=HistoryEvent))
                except msgspec.DecodeError:
                    found.append(f"{name}: a line of the history is torn: {line[:100]!r}")
            last = last_done(site, name)
            active = site.record(name).active
            if (last.release if last else None) != active:
                found.append(f"{name}: the last that was done is {last}; {active} serves")
            releases = site.documents.releases(ENVIRONMENT, name)
            texts = [*unpaired(events), *untold(events, releases, subject.done)]
            found += [f"{name}: {text}" for text in texts]
        return found


def last_done(site: Site, name: str) -> HistoryEvent | None:
    """Return the newest event of a history that tells what serves now."""
    events = site.documents.history(ENVIRONMENT, name)
    return next((e for e in events if e.event in {"deploy done", "rollback done"}), None)


def untold(events: list[HistoryEvent], releases: list[ReleaseRecord], done: set[str]) -> list[str]:
    """Return what a history does not tell, or tells otherwise.

    Args:
        events: The history.
        releases: Those that are kept: each was deployed, well or not.
        done: Versions of which a command said that they serve.
    """
    ended = {e.release: e for e in events if e.event in {f"deploy {end}" for end in ENDINGS}}
    found = []
    for release in releases:
        end = ended.get(release.number)
        if end is None:
            found.append(f"how the deploy of release {release.number} ended is not told")
        elif (end.event == "deploy done") == (release.state == "failed"):
            found.append(f"release {release.number} is {release.state}; told is {end.event}")
    told = {e.version for e in events if e.event == "deploy done"}
    return found + [f"that version {version} was done is not told" for version in done - told]


def unpaired(events: list[HistoryEvent]) -> list[str]:
    """Return what is wrong with the beginnings and ends of operations in a history, oldest event first."""
    found = []
    under_way: HistoryEvent | None = None
    for event in events:
        kind, _, what = event.event.partition(" ")
        if kind not in {"deploy", "rollback"}:
            continue
        name = f"{event.event} of release {event.release} at {event.at:%H:%M:%S.%f}"
        if what == "began":
            if under_way is not None:
                found.append(f"the {kind} of release {under_way.release} never ended before {name}")
            under_way = event
        elif what in ENDINGS:
            if under_way is None:
                found.append(f"nothing had begun before {name}")
            elif (kind, event.release) != (under_way.event.partition(" ")[0], under_way.release):
                found.append(f"{name} ends the {under_way.event} of release {under_way.release}")
            under_way = None
    if under_way is not None:
        found.append(f"the operation on release {under_way.release} never ended")
    return found
