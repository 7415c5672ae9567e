"""The mesh of one host: what its Envoy does as the sidecar of every service, but those that have an Envoy of their own.

The deployer says what runs (:class:`~drystone.l25_deployer.local.mesh.Member`), service keys say who may prove what, and
from both comes the whole configuration, each time anew. Nothing is kept here that could not be had again, but the tokens,
which are made again, and where the resources of services are, which is written down: an agent that has just started knows
of a service only what its records say, and must not close a way that is in use.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Collection, Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, TypeAlias

from msgspec import structs
from typing_extensions import override

from drystone.l10_engines.proxy.edge_endpoints import Endpoint
from drystone.l20_trust.keys.api import issuer_of
from drystone.l25_deployer.local.mesh import LOOPBACK, Address, Member, call_port, limits_port
from drystone.l25_deployer.local.mesh import Mesh as MeshPort
from drystone.l25_deployer.stacks.limits import is_asked_about
from drystone.l25_deployer.stacks.model import RETRIES, RETRY_ON
from drystone.l35_mesh.sidecar import model
from drystone.l35_mesh.sidecar.border import border_name
from drystone.l35_mesh.sidecar.connections import outbound_name
from drystone.l35_mesh.sidecar.declared import Declared, declared_by
from drystone.l35_mesh.sidecar.names import resolver_name
from drystone.l35_mesh.sidecar.outside import catcher_name
from drystone.l35_mesh.sidecar.own_ways import own_way_name
from drystone.l35_mesh.sidecar.parting import Parting
from drystone.l35_mesh.sidecar.snapshot import instance_snapshot, mesh_snapshot
from drystone.l35_mesh.sidecar.tokens import ISSUER_HEADER
from drystone.l35_mesh.sidecar.trusted import with_trusted

if TYPE_CHECKING:
    from drystone.l10_engines.proxy.edge import EdgeService
    from drystone.l10_engines.proxy.envoy import Envoy
    from drystone.l10_engines.proxy.snapshot import Snapshot
    from drystone.l25_deployer.local.ports import PortBook
    from drystone.l35_mesh.sidecar.around import Around
    from drystone.l35_mesh.sidecar.fleet import Fleet
    from drystone.l35_mesh.sidecar.key_book import KeyBook
    from drystone.l35_mesh.sidecar.token_book import TokenBook

FEW = 100
"""In a home with at most so many services, each knows the keys of all, so that who calls undeclared is told what to declare."""

Finish: TypeAlias = Callable[["Snapshot", Sequence[Member]], "Snapshot"]
"""Adds to the whole configuration of an Envoy what is the same for all of it."""


class NodeMesh(MeshPort):
    """What stands between the services of one host.

    Args:
        ports: Promises each service a port for each of its dependencies.
        book: By what callees check who calls.
        tokens: What callers prove themselves with.
        access_log: Where every call is logged.
        is_open: Whether people of this machine reach services that are not public.
        further: What other parts of the mesh add to what stands before a service.
        around: The networks of services.
        finishing: Makes what finishes the configuration of one Envoy.
        fleet: The Envoys that services have of their own; none can have one without.
        placement: Where sidecars run of services that do not say it.
        edge_port: Where the edge listens.
        settled: Waits until those parts run that follow what is published; there are none when None.
    """

    def __init__(
        self,
        *,
        ports: PortBook,
        book: KeyBook,
        tokens: TokenBook,
        access_log: Path,
        is_open: bool,
        further: Callable[[Member], model.Further] = lambda _: model.Further(),
        around: Around,
        finishing: Callable[[], Finish] = lambda: lambda whole, _: whole,
        fleet: Fleet | None = None,
        placement: Literal["node", "instance"] = "node",
        edge_port: int = 1,
        settled: Callable[[], Awaitable[None]] | None = None,
    ) -> None:
        self._settled = settled
        self._finishing = finishing
        self._finishes: dict[str | None, Finish] = {}
        self._fleet = fleet
        self._placement = placement
        self._edge_port = edge_port
        self._ports = ports
        self._book = book
        self._tokens = tokens
        self._access_log = access_log
        self._is_open = is_open
        self._further = further
        self._around = around

    @property
    @override
    def tells_callers_apart(self) -> bool:
        return True

    @override
    def address(self, environment: str, service: str, callee: str, slot: int = 0) -> Address:
        port = call_port(environment, service, callee, slot)
        return Address(LOOPBACK, self._ports.internal(port))

    @override
    def limits_address(self, environment: str, service: str) -> Address:
        return Address(LOOPBACK, self._ports.internal(limits_port(environment, service)))

    @override
    def own_port(self, service: str) -> int | None:
        return None

    @override
    async def lacks_network(self) -> str | None:
        return await self._around.lacking()

    @override
    async def prepare(self, services: Iterable[Member]) -> None:
        await self._around.prepare([(member, self._ports_of(member)) for member in services])

    def _ports_of(self, member: Member) -> list[int]:
        calls = [
            self.address(c.environment, c.caller, c.callee, slot)
            for c in declared_by(member)
            for slot in member.slots
        ]
        if any(is_asked_about(stack.limits) for stack in member.surroundings):
            calls.append(self.limits_address(member.environment, member.service))
        own = [self._port_before(member.name)] if self._is_beside(member) else []
        return [*member.ports, *(at.port for at in calls), *own]

    def _port_before(self, service: str) -> int:
        """Return the port at which other Envoys find the inbound of a service."""
        return self._ports.internal(f">{service}")

    def _is_beside(self, member: Member) -> bool:
        """Tell whether a service has an Envoy of its own: while releases of it differ, it has."""
        if self._fleet is None:
            return False
        said = {one.placement or self._placement for one in member.surroundings}
        return "instance" in said

    @override
    async def settled(self) -> None:
        if self._settled is not None:
            await self._settled()

    @override
    def network(self, environment: str, service: str) -> Path | None:
        return self._around.network(f"{service}.{environment}")

    @override
    async def publish(
        self,
        edge: Snapshot,
        services: Sequence[EdgeService],
        members: Sequence[Member],
        lead: Callable[[Snapshot], Awaitable[object]],
    ) -> bool:
        whole = self.surround(edge, services, members)
        if self._fleet is None:
            await lead(whole[None])
            return True
        # What is called is there before those who call, the edge among them. Only where a service gives up an Envoy of its
        # own, others may come to its new place a moment too early, and try again.
        await self._fleet.lead({name: of for name, of in whole.items() if name is not None})
        await lead(whole[None])
        self._fleet.end_others({member.name for member in members if self._is_beside(member)})
        return not self._fleet.failed

    @override
    def require(self, service: str) -> None:
        if self._fleet is not None and (why := self._fleet.failed.get(service)):
            raise why

    @property
    @override
    def own_proxies(self) -> Mapping[str, Envoy]:
        return {} if self._fleet is None else self._fleet.envoys

    def surround(
        self, edge: Snapshot, services: Sequence[EdgeService], members: Sequence[Member]
    ) -> dict[str | None, Snapshot]:
        """Return the configurations of every Envoy, by the service that has it of its own; None is the one of the host.

        Args:
            edge: What the edge needs.
            services: What the edge was made of.
            members: Every service of this home.
        """
        calls = [call for member in members for call in declared_by(member)]
        apart = [found for m in members if m.is_apart and (found := self._around.of(m.name))]
        further = {one.name: self._further(one) for one in members if one.surroundings}
        self._tokens.want({(call.issuer, call.audience) for call in calls})
        beside = {m.name: self._place_of(m) for m in members if self._is_beside(m)}
        hosts = {s.name: s.hosts[0] for s in services if s.hosts and s.move and not s.move.host}
        parting = Parting(
            model.Mesh(
                access_log=self._access_log,
                inbounds=tuple(self._inbounds(services, members, calls, further, beside)),
                outbounds=tuple(
                    self._outbound(call, slot, beside, hosts)
                    for call in calls
                    for slot in call.slots
                ),
                own_ways=tuple(
                    self._own_way(m, further[m.name])
                    for m in members
                    if m.surroundings and further[m.name].own_routes
                ),
                egresses=tuple(way for surrounded in apart for way in surrounded.egresses),
                borders=tuple(border for one in apart if (border := one.border) is not None),
                catchers=tuple(surrounded.catcher for surrounded in apart),
                resolvers=tuple(surrounded.resolver for surrounded in apart),
                tokens=self._tokens.tokens,
            ),
            beside,
        )
        made: dict[str | None, Snapshot] = {None: mesh_snapshot(parting.of_host(), edge)}
        at = Endpoint(self._edge_port)
        lost = {m.name for m in members if m.is_apart and not self._around.of(m.name)}
        for name in beside.keys() - lost:  # what has lost its network stays as it is
            mesh = parting.of_service(name)
            more = {one: edge.clusters[one] for one in parting.shared(name) & edge.clusters.keys()}
            made[name] = instance_snapshot(mesh, edge=at, clusters=more)
        self._finishes = {name: self._finishes.get(name) or self._finishing() for name in made}
        return {name: self._finishes[name](of, members) for name, of in made.items()}

    def _place_of(self, member: Member) -> model.Address:
        """Return where the inbound of a service listens that has an Envoy of its own: where nobody but Envoys connects."""
        network = self._around.network(member.name) if member.is_apart else None
        return model.Address(self._port_before(member.name), network=network)

    def _own_way(self, member: Member, further: model.Further) -> model.OwnWay:
        at = self.limits_address(member.environment, member.service)
        found = self._around.of(member.name)
        network = found.network if found and member.is_apart else None
        listen = model.Address(at.port, at.host, network)
        return model.OwnWay(caller=member.name, listen=listen, further=further)

    def _inbounds(
        self,
        services: Sequence[EdgeService],
        members: Sequence[Member],
        calls: Sequence[Declared],
        all_further: Mapping[str, model.Further],
        beside: Mapping[str, model.Address],
    ) -> Iterable[model.Inbound]:
        by_name = {member.name: member for member in members}
        everybody = {issuer_of(member.environment, member.service) for member in members}
        callers: dict[str, list[Declared]] = {}
        for call in calls:
            callers.setdefault(call.callee, []).append(call)
        for service in services:
            member = by_name.get(service.name)
            if member is None or not member.surroundings:
                continue
            wanting = callers.get(service.name, [])
            further = all_further[member.name]
            is_bounded = member.surroundings[0].body is not None
            own = beside.get(service.name)
            # Who calls decides where a request goes, so it must be proven, and not only said.
            deciding = _deciding(service)
            trusted = self._book.trusted(issuer_of(member.environment, member.service))
            needs = own or wanting or trusted or deciding or is_bounded or not self._is_open
            if needs or further != model.Further():
                known = everybody
                if len(everybody) > FEW:
                    known = deciding | {call.issuer for call in wanting}
                known = {*known, *(one.source for one in trusted)}
                made = self._inbound(service, member, wanting, known, further)
                made = structs.replace(made, callers=with_trusted(made, member, trusted))
                if own:
                    made = structs.replace(made, listen=own, is_behind=True)
                elif any(f"{call.caller}.{call.environment}" in beside for call in wanting):
                    entry = model.Address(self._port_before(service.name))
                    made = structs.replace(made, entry=entry)
                yield made

    def _inbound(
        self,
        service: EdgeService,
        member: Member,
        wanting: Sequence[Declared],
        known: Collection[str],
        further: model.Further,
    ) -> model.Inbound:
        serving = member.surroundings[0]
        may = serving.callers
        is_public = (serving.public or self._is_open) and not further.decides
        return model.Inbound(
            service=service,
            audience=issuer_of(member.environment, member.service),
            callers=tuple(
                model.Caller(call.issuer, call.calls)
                for call in wanting
                if may is None or call.caller in may
            ),
            keys=self._book.written(known),
            public=is_public,
            # An edge that is open to people of this machine opens nothing to services.
            holds_callers=not serving.public,
            # A token that proves nothing makes a stranger only where strangers were asked in.
            own_tokens=is_public and serving.public,
            # Where a descriptor says who may send what, it says so of the path of its health, too: that may be a page.
            health=() if further.decides else member.health,
            enforce=not serving.shadow,
            body=serving.body,
            further=further,
        )

    def _outbound(
        self,
        call: Declared,
        slot: int,
        beside: Mapping[str, model.Address],
        hosts: Mapping[str, str],
    ) -> model.Outbound:
        return model.Outbound(
            caller=f"{call.caller}.{call.environment}",
            issuer=call.issuer,
            dependency=call.dependency,
            service=call.callee,
            audience=call.audience,
            listen=self._listen(call, slot),
            slot=slot,
            is_watched=call.is_tried,
            calls=call.calls,
            host=hosts.get(call.callee),
            timeout=call.timeout,
            retries=RETRIES if call.retries is None else call.retries,
            retry_on=RETRY_ON if call.retry_on is None else call.retry_on,
            **self._reach(call, beside),
        )

    def _reach(self, call: Declared, beside: Mapping[str, model.Address]) -> dict[str, Any]:
        """Say where the inbound of the one who is called is, unless it is in the same Envoy."""
        if own := beside.get(call.callee):
            return {"reach": (Endpoint(own.port),), "reach_in": own.network}
        if f"{call.caller}.{call.environment}" in beside:
            return {"reach": (Endpoint(self._port_before(call.callee)),)}
        return {}

    def _listen(self, call: Declared, slot: int) -> model.Address:
        at = self.address(call.environment, call.caller, call.callee, slot)
        found = self._around.of(f"{call.caller}.{call.environment}")
        network = found.network if found and call.is_apart else None
        return model.Address(at.port, at.host, network)

    @override
    def problems(self, service: str, refused: Mapping[str, str]) -> list[str]:
        name, _, environment = service.partition(".")
        own = self.own_proxies.get(service)
        if own is not None:
            refused = {**refused, **own.refused}
        failed = self._fleet.failed.get(service) if self._fleet else None
        silent = [] if failed is None else [f"its sidecar does not follow: {failed}"]
        tokens = [
            f"it cannot call {audience}: {why}"
            for (issuer, audience), why in self._tokens.missing.items()
            if issuer == issuer_of(environment, name)
        ]
        begins = (outbound_name(service, ""), f"egress/{service}>")
        ways = [
            f"it cannot reach {listener.partition('>')[2].partition('#')[0]}: {why}; end the program that has the port, and the platform"
            " takes it"
            for listener, why in refused.items()
            if listener.startswith(begins)
        ]
        ends = {
            own_way_name(service): "it cannot ask about its limits",
            resolver_name(service): "its questions for names get no answer",
            catcher_name(service): "what it tries in vain is not written down",
            border_name(service): "it reaches no host by its name",
        }
        silent += [f"{what}: {refused[name]}" for name, what in ends.items() if name in refused]
        return [*tokens, *ways, *silent]

    @override
    async def forget(self, environment: str, service: str) -> None:
        if self._fleet is not None:
            await self._fleet.end(f"{service}.{environment}")
        await self._around.forget(f"{service}.{environment}")


def _deciding(service: EdgeService) -> set[str]:
    """Return the issuers whose calls go elsewhere while a service moves."""
    rules = service.move.rules if service.move else ()
    return {rule.value for rule in rules if rule.header == ISSUER_HEADER}
