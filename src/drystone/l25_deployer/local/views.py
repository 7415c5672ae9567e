"""Show what is: records and running instances as the API's views."""

from __future__ import annotations

from typing import TYPE_CHECKING

from drystone.l25_deployer.api import (
    CanaryView,
    EngineView,
    InstanceView,
    ReleaseView,
    ResourceView,
    ScalingView,
    ServiceSummary,
    ServiceView,
)
from drystone.l25_deployer.local.blueprints import groups_of
from drystone.l25_deployer.local.instances import KeptInstance, State
from drystone.l25_deployer.local.operations import describe
from drystone.l25_deployer.local.ways_in import served_ways
from drystone.l25_deployer.stacks.model import Cache, Postgres
from drystone.l25_deployer.stacks.provided import Search
from drystone.l25_deployer.stacks.ways import Certificate, EdgeRoute, StaticSite

if TYPE_CHECKING:
    from collections.abc import Iterator

    from drystone.l10_engines.supervision.port import EngineStatus
    from drystone.l25_deployer.local.kept_service import KeptService
    from drystone.l25_deployer.local.records import ReleaseRecord
    from drystone.l25_deployer.local.running import RunningRelease
    from drystone.l25_deployer.stacks.model import Resource


_DOING = {
    "deploy": "deploying",
    "rollback": "rolling-back",
    "destroy": "destroying",
    "settle": "settling",
    "withdraw": "withdrawing",
}


def summary(kept: KeptService) -> ServiceSummary:
    """Return one line about a service; its state comes from what the edge routes to."""
    active = kept.active_release()
    running = kept.active
    return ServiceSummary(
        service=kept.record.service,
        environment=kept.record.environment,
        owner=active.stacks.environment.owner if active else "",
        state=_state(kept, running),
        version=active.version if active else None,
        release=active.number if active else None,
        instances=_instances(running),
        url=kept.machine.url(kept.hosts[0]) if kept.hosts else None,
        held=None if kept.record.canary is None else kept.record.canary.share,
        ways=[url for one in served_ways(active) for url in kept.machine.ways.urls(one)],
    )


def _state(kept: KeptService, running: RunningRelease | None) -> str:
    if kept.record.operation is not None:
        return _DOING[kept.record.operation.kind]
    if kept.record.active is None:
        return "not deployed"
    if running is None:
        return "stopped"
    settled = running.settled or running.instances
    healthy = [one for one in settled if one.state is State.HEALTHY]
    if len(healthy) == len(settled):
        return "serving"
    serving = [one for one in running.instances if one.blueprint.port is not None]
    return "degraded" if any(one in healthy for one in serving or running.instances) else "down"


def _instances(running: RunningRelease | None) -> str:
    if running is None:
        return "0/0"
    healthy = sum(one.state is State.HEALTHY for one in running.instances)
    return f"{healthy}/{len(running.instances)}"


def view(kept: KeptService) -> ServiceView:
    """Return everything about a service."""
    record = kept.record
    held = record.canary
    active = kept.active_release()
    dependencies = active.stacks.environment.dependencies if active else {}
    return ServiceView(
        summary=summary(kept),
        releases=[_release(kept, release) for release in kept.releases()],
        instances=[
            instance(one, number)
            for number, running in sorted(kept.running.items(), reverse=True)
            for one in running.instances
        ],
        resources=[
            ResourceView(
                name,
                str(resource.__struct_config__.tag),
                kept.machine.provisioner.engine(resource),
                _detail(resource),
            )
            for name, resource in sorted(record.eternal.items())
        ],
        dependencies=[
            f"{name} ({dependency.needs}, at {', '.join(dependency.at)})"
            for name, dependency in dependencies.items()
        ],
        operation=describe(kept) if record.operation else None,
        runtime=active.isolation if active else "",
        problems=problems(kept),
        sidecar="instance" if kept.name in kept.machine.mesh.own_proxies else "node",
        canary=None
        if held is None
        else CanaryView(held.release, held.key, held.share, held.cohort, held.header, held.since),
        scaling=list(_scaling(kept)),
    )


def _scaling(kept: KeptService) -> Iterator[ScalingView]:
    release, running = kept.active_release(), kept.active
    for name, group in groups_of(release).items() if release is not None else ():
        fixed, standing = kept.record.fixed.get(name), kept.standings.get(name)
        if group.scaling is None and fixed is None:
            continue
        yield ScalingView(
            group=name,
            instances=len(running.of_group(name)) if running is not None else 0,
            least=group.instances,
            most=group.scaling.most if group.scaling is not None else group.instances,
            fixed=fixed,
            text=standing.text if standing is not None else "",
        )


def problems(kept: KeptService) -> list[str]:
    """Say what is wrong with a service now."""
    found = [*kept.problems, *kept.machine.edge.problems(kept.name)]
    found += [one.problem for one in kept.standings.values() if one.problem]
    at, trouble = kept.rotation_trouble
    if kept.record.rotation is not None and not trouble:
        trouble = kept.record.rotation.trouble
    if trouble and (kept.record.rotation is not None or at == kept.record.active):
        found.append(trouble)
    if kept.owed:
        found.append(f"what happened last is not written down yet: {kept.owed.reason}")
    found += kept.machine.copying.troubles(kept.record)
    found += kept.machine.ways.troubles(served_ways(kept.active_release()))
    running = [release for release in (kept.active, kept.canary) if release is not None]
    for one in (one for release in running for one in release.instances):
        if one.memory_kills:
            found.append(
                f"{one.blueprint.spec.id}: {one.memory_kills} of its processes were killed at its memory"
                " limit since it started; give it more by 'size.memory'"
            )
        if one.state in {State.UNHEALTHY, State.BACKING_OFF}:
            probe = one.last_probe.text if one.last_probe and not one.last_probe.is_ok else ""
            reason = one.last_problem if one.state is State.BACKING_OFF else probe
            found.append(f"{one.blueprint.spec.id} is {one.state}: {reason}")
    return found


def instance(one: KeptInstance, release: int) -> InstanceView:
    """Return one instance."""
    return InstanceView(
        id=one.blueprint.spec.id,
        group=one.blueprint.group,
        release=release,
        state=one.state.value,
        pid=one.pid,
        port=one.blueprint.port,
        restarts=one.restarts,
        since=one.since if one.pid is not None else None,
        last_exit=one.last_exit.sentence() if one.last_exit else None,
    )


def engine(status: EngineStatus) -> EngineView:
    """Return one engine of the platform."""
    return EngineView(
        name=status.name,
        state=status.state.value,
        version=status.version or "",
        pid=status.pid,
        address=status.endpoint,
        memory_mb=None if status.memory_limit is None else status.memory_limit // 1024**2,
        restarts=status.restarts,
        problem=status.last_error or None,
    )


def _release(kept: KeptService, release: ReleaseRecord) -> ReleaseView:
    state = release.state
    if release.number == kept.record.active:
        state = "active"
    elif kept.record.canary is not None and release.number == kept.record.canary.release:
        state = "canary"
    elif state == "active":
        state = "warm" if release.number in kept.record.warm else "stopped"
    return ReleaseView(
        number=release.number,
        version=release.version,
        state=state,
        created=release.created,
        by=release.by,
        artifact=release.artifact,
        key=release.key or "",
    )


def _is_for_all(way: EdgeRoute | StaticSite) -> bool:
    return isinstance(way, StaticSite) or (way.allow == ("public",) and not way.deny)


def _detail(resource: Resource) -> str:
    match resource:
        case Postgres():
            return f"version {resource.version}, {resource.connections} connections"
        case Cache():
            return f"{resource.memory // 1024**2} MiB, {resource.eviction}"
        case Search():
            return f"{resource.storage // 1024**2} MiB, {len(resource.indices)} indices declared"
        case EdgeRoute() | StaticSite():
            closed = "" if _is_for_all(resource) else ", not for all"
            return f"{', '.join(resource.hosts)}{closed}"
        case Certificate():
            return f"for {resource.use}, {resource.days} days"
        case _:
            return ""
