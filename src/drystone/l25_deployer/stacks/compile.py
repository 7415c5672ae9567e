"""From the descriptor of one environment to its five stacks: the same input gives the same stacks."""

from __future__ import annotations

import re
from typing import TypeVar, cast

import msgspec

from drystone.l00_kernel.errors import Invalid
from drystone.l05_graph.model import Acceptance, BreakGlass, Estimate
from drystone.l05_graph.words import Plane, Resilience, Risk
from drystone.l25_deployer.descriptor.reading import Merged
from drystone.l25_deployer.descriptor.references import Ref, parts
from drystone.l25_deployer.descriptor.schema import compute, dependability, surroundings
from drystone.l25_deployer.descriptor.schema.descriptor import Descriptor
from drystone.l25_deployer.stacks import model
from drystone.l25_deployer.stacks.accounting import Accounting, measures
from drystone.l25_deployer.stacks.claims import Claims
from drystone.l25_deployer.stacks.doors import Door
from drystone.l25_deployer.stacks.limits import is_asked_about, limits_of
from drystone.l25_deployer.stacks.scaling import scaling_of
from drystone.l25_deployer.stacks.smoke import Smoke
from drystone.l25_deployer.stacks.wiring.account import TAKEN_TOGETHER
from drystone.l25_deployer.stacks.wiring.registry import wire_up
from drystone.l25_deployer.stacks.wiring.shape import Context, Wired

T = TypeVar("T")

VERSION = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")
"""What a version may be called; it becomes a tag of an image and a part of file names."""

RESOLVABLE = ("resources", "dependencies", "port")
"""Spaces whose references a driver can put in when an instance starts."""


class Facts(msgspec.Struct, frozen=True):
    """What is known about a release before it is built."""

    service: str
    version: str
    environment: str
    region: str

    def word(self, ref: Ref) -> str | None:
        """Give the text of a reference that is already known."""
        match ref.space:
            case "service":
                return self.service
            case "version":
                return self.version
            case "environment":
                return self.environment
            case "region":
                return self.region
            case _:
                return None


def compile_stacks(merged: Merged, *, version: str, domain: str = "localhost") -> model.Stacks:
    """Compile a descriptor into the five stacks.

    Args:
        merged: The descriptor of the environment to deploy to.
        version: What the release is called; replaces ``${version}``.
        domain: Below which the edge answers: ``<service>.<environment>.<domain>``.

    Raises:
        Invalid: The version has characters that no version may have.
    """
    if not VERSION.fullmatch(version):
        raise Invalid(
            f"{version[:80]!r} cannot be a version: use letters, digits, '.', '_' and '-', at most 64, "
            "starting with a letter or digit"
        )
    descriptor = merged.descriptor
    facts = Facts(descriptor.service, version, merged.environment, merged.region or "local")
    return model.Stacks(
        eternal=_eternal(descriptor, facts),
        resources=_release(descriptor, facts),
        deployment=_deployment(descriptor, facts),
        environment=_environment(descriptor, merged, domain),
        route=_route(descriptor, facts),
    )


def _wired(descriptor: Descriptor, facts: Facts) -> dict[str, Wired]:
    """Give what each resource comes to that something provides, by name."""
    context = Context(facts.service, facts.environment, descriptor.resources)
    made = {
        name: wire_up(name, resource, context)
        for name, resource in sorted(descriptor.resources.items())
    }
    return {name: wired for name, wired in made.items() if wired is not None}


def _eternal(descriptor: Descriptor, facts: Facts) -> model.Eternal:
    return model.Eternal({name: one.entry for name, one in _wired(descriptor, facts).items()})


def _release(descriptor: Descriptor, facts: Facts) -> model.ReleaseResources:
    shared = {**injected(descriptor, facts), **_templates(descriptor.env, descriptor, facts)}
    return model.ReleaseResources(
        version=facts.version,
        artifact=_artifact(descriptor, facts),
        env={name: shared[name] for name in sorted(shared) if not _needs_port(shared[name])},
        settings=model.Settings(
            secrets=tuple(sorted(descriptor.secret_names)), config=tuple(sorted(descriptor.config))
        ),
    )


def injected(descriptor: Descriptor, facts: Facts) -> dict[str, model.Template]:
    """Give the variables that instances get without asking: the release's name, what resources publish, where it asks."""
    found: dict[str, model.Template] = {
        "DRYSTONE_SERVICE": (facts.service,),
        "DRYSTONE_ENVIRONMENT": (facts.environment,),
        "DRYSTONE_REGION": (facts.region,),
        "DRYSTONE_VERSION": (facts.version,),
    }
    for name, wired in _wired(descriptor, facts).items():
        for variable, key in wired.shared.items():
            if variable not in TAKEN_TOGETHER or TAKEN_TOGETHER.isdisjoint(descriptor.env):
                found.setdefault(variable, (model.Reference("resources", name, key),))
        for key in wired.outputs:
            variable = f"{name}_{key}".replace("-", "_").upper()
            found[variable] = (model.Reference("resources", name, key),)
    if descriptor.static is None and is_asked_about(limits_of(descriptor)):
        found["DRYSTONE_LIMITS_URL"] = (model.Reference("limits", key="url"),)
    return found


def _artifact(descriptor: Descriptor, facts: Facts) -> model.Artifact:
    if descriptor.image is not None:
        return model.ImageArtifact(ref=_early(descriptor.image, facts))
    if descriptor.process is not None:
        process = descriptor.process
        setup = tuple(_early(part, facts) for part in process.setup)
        return model.ProcessArtifact(dir=process.dir, runtime=process.runtime, setup=setup)
    if descriptor.static is not None:
        static = descriptor.static
        return model.StaticArtifact(
            dir=static.dir,
            index=static.index,
            spa=static.spa,
            keep_assets=static.keep_assets,
            cache=dict(sorted(static.cache.items())),
            headers=dict(sorted(static.headers.items())),
            csp=static.csp,
        )
    return model.EmbeddedArtifact(module=descriptor.embedded or "")


def _deployment(descriptor: Descriptor, facts: Facts) -> model.Deployment:
    groups = {}
    if descriptor.static is None:
        groups[model.WEB] = _web(descriptor, facts)
    for name, worker in sorted(descriptor.workers.items()):
        groups[name] = _worker(worker, descriptor, facts)
    return model.Deployment(groups)


def _web(descriptor: Descriptor, facts: Facts) -> model.Group:
    env = _templates(descriptor.env, descriptor, facts)
    serving = {name: template for name, template in env.items() if _needs_port(template)}
    if "PORT" not in descriptor.env:
        serving["PORT"] = (model.Reference("port"),)
    command = descriptor.process.command if descriptor.process else descriptor.command
    return model.Group(
        command=tuple(template(part, facts) for part in command),
        instances=descriptor.scale.min,
        cpu=descriptor.size.cpu,
        memory=descriptor.size.memory,
        stop=_stop(descriptor.stop),
        serves=True,
        env=dict(sorted(serving.items())),
        port=descriptor.port if descriptor.image is not None else None,
        health=_health(descriptor.health),
        scaling=scaling_of(descriptor.scale, serves=True),
        protocol="http2" if descriptor.proxy.protocol == "http2" else None,
    )


def _worker(worker: compute.Worker, descriptor: Descriptor, facts: Facts) -> model.Group:
    return model.Group(
        command=tuple(template(part, facts) for part in worker.command),
        instances=worker.scale.min,
        cpu=worker.size.cpu,
        memory=worker.size.memory,
        stop=_stop(descriptor.stop),
        serves=False,
        env=dict(sorted(_templates(worker.env, descriptor, facts).items())),
        health=_health(worker.health) if worker.health else None,
        scaling=scaling_of(worker.scale, serves=False),
    )


def _stop(stop: compute.Stop) -> model.Stop:
    return model.Stop(drain=stop.drain, grace=stop.grace, signal=stop.signal)


def _health(health: compute.Health) -> model.Health:
    return model.Health(
        path=health.path,
        interval=health.interval,
        timeout=health.timeout,
        healthy=health.healthy,
        unhealthy=health.unhealthy,
        grace=health.grace,
        port=health.port,
        grpc=health.grpc,
        service=health.service,
    )


def needs_of(descriptor: Descriptor) -> dict[str, model.Dependency]:
    """Give what a service needs of others, by their names."""
    return {
        name: model.Dependency(
            needs=needed.needs,
            at=tuple(sorted(set(needed.at))),
            timeout=needed.timeout,
            environment=needed.environment,
            risk=Risk(needed.risk) if needed.risk != "other" else None,
            without=needed.without,
            group=needed.group,
            is_fixed=None if needed.can_change else True,
            accepted=_accepted(needed.accepted),
            calls=needed.calls or None,
            retries=_unless(needed.retries, model.RETRIES),
            retry_on=_unless(needed.retry_on, model.RETRY_ON),
        )
        for name, needed in sorted(descriptor.dependencies.items())
    }


def _environment(descriptor: Descriptor, merged: Merged, domain: str) -> model.EnvironmentStack:
    ingress, proxy = descriptor.network.ingress, descriptor.proxy
    return model.EnvironmentStack(
        service=descriptor.service,
        name=merged.environment,
        owner=descriptor.owner.team,
        tier=descriptor.tier,
        hosts=(f"{descriptor.service}.{merged.environment}.{domain}",),
        timeout=descriptor.proxy.timeout,
        public=ingress.public,
        description=descriptor.description,
        region=merged.region,
        layer=descriptor.layer,
        dependencies=needs_of(descriptor),
        claims=claims(descriptor),
        staff=ingress.staff or None,
        shadow=None if ingress.enforce else True,
        callers=ingress.callers,
        builds=ingress.builds or None,
        groups=ingress.groups or None,
        doors={match: _door(door) for match, door in sorted(ingress.routes.items())} or None,
        egress=descriptor.network.egress or None,
        private=descriptor.network.private or None,
        body=proxy.body,
        tracing=_unless(proxy.tracing, model.TRACING),
        limits=limits_of(descriptor),
        placement=proxy.placement,
        accounting=Accounting(
            descriptor.owner.cost_centre,
            descriptor.owner.business_unit,
            dict(sorted(descriptor.tags.items())),
            measures({**descriptor.resources}),
        ),
    )


def _door(door: surroundings.Door) -> Door:
    return Door(
        public=door.public or None,
        staff=door.staff or None,
        groups=door.groups or None,
        builds=door.builds or None,
    )


def _unless(value: T, usual: T) -> T | None:
    """Leave out what is as it is everywhere, so that a plan shows what somebody has decided."""
    return None if value == usual else value


def claims(descriptor: Descriptor) -> Claims:
    """Give what a service claims of itself."""
    recovery, by_hand = descriptor.recovery, descriptor.break_glass
    return Claims(
        plane=Plane(descriptor.plane) if descriptor.plane else None,
        regions=descriptor.regions or None,
        resilience=Resilience(descriptor.resilience) if descriptor.resilience else None,
        slo=descriptor.slo.availability,
        availability=descriptor.availability,
        recovery=Estimate(recovery.least, recovery.likely, recovery.most) if recovery else None,
        break_glass=BreakGlass(
            takes=by_hand.takes, cost=by_hand.cost, runbook=by_hand.runbook or ""
        )
        if by_hand
        else None,
        crew=descriptor.crew,
        products=descriptor.products or None,
        groups=dict(sorted(descriptor.groups.items())),
    )


def _accepted(written: dependability.Acceptance | None) -> Acceptance | None:
    if written is None:
        return None
    return Acceptance(by=written.by, reason=written.reason, until=written.until)


def _route(descriptor: Descriptor, facts: Facts) -> model.Route:
    deploy = descriptor.deploy
    smoke = []
    for request in deploy.smoke:
        method, _, path = request.partition(" ")
        smoke.append(Smoke(method, path))
    return model.Route(
        strategy=deploy.strategy,
        keep_warm=deploy.keep_warm,
        keep=deploy.keep,
        migrate=tuple(template(part, facts) for part in deploy.migrate or ()),
        smoke=tuple(smoke),
    )


def template(text: str, facts: Facts) -> model.Template:
    """Turn a text of the descriptor into a template: what is known is put in, the rest stays a reference."""
    found: list[str | model.Reference] = []
    for part in parts(text):
        known = part if isinstance(part, str) else facts.word(part)
        if known is None and isinstance(part, Ref):
            found.append(model.Reference(cast("model.Space", part.space), part.name, part.key))
        elif found and isinstance(found[-1], str):
            found[-1] += known or ""
        else:
            found.append(known or "")
    return tuple(found)


def _early(text: str, facts: Facts) -> str:
    """Put in everything; what cannot be known at build is refused when the descriptor is read."""
    return "".join(part for part in template(text, facts) if isinstance(part, str))


def _templates(
    env: dict[str, str], descriptor: Descriptor, facts: Facts
) -> dict[str, model.Template]:
    """Turn variables into templates, without those whose references nothing can put in yet."""
    made = {name: template(text, facts) for name, text in env.items()}
    return {name: value for name, value in made.items() if is_resolvable(value, descriptor)}


def is_resolvable(value: model.Template, descriptor: Descriptor) -> bool:
    """Tell whether every reference leads to something that is provisioned today."""
    return all(
        part.space in RESOLVABLE
        and (part.space != "resources" or is_provisioned(part.name, descriptor))
        for part in value
        if isinstance(part, model.Reference)
    )


def is_provisioned(name: str, descriptor: Descriptor) -> bool:
    """Tell whether stacks hold this resource."""
    context = Context(descriptor.service, "", descriptor.resources)
    return wire_up(name, descriptor.resources[name], context) is not None


def _needs_port(value: model.Template) -> bool:
    return any(isinstance(part, model.Reference) and part.space == "port" for part in value)
