"""The mesh of one host: what its one Envoy does as the sidecar of every service.

The deployer says what runs (:class:`~drystone.l25_deployer.local.mesh.Member`), service keys say who may prove what, and
from both comes the whole configuration, each time anew. Nothing is kept here that could not be had again, but the tokens,
which are made again, and where the resources of services are, which is written down: an agent that has just started knows
of a service only what its records say, and must not close a way that is in use.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from typing_extensions import override

from drystone.l20_trust.keys.api import issuer_of
from drystone.l25_deployer.local.mesh import LOOPBACK, Address, Member
from drystone.l25_deployer.local.mesh import Mesh as MeshPort
from drystone.l25_deployer.stacks.model import RETRIES, RETRY_ON
from drystone.l35_mesh.sidecar import model
from drystone.l35_mesh.sidecar.connections import outbound_name
from drystone.l35_mesh.sidecar.declared import Declared, declared_by
from drystone.l35_mesh.sidecar.names import resolver_name
from drystone.l35_mesh.sidecar.outside import catcher_name
from drystone.l35_mesh.sidecar.snapshot import mesh_snapshot

if TYPE_CHECKING:
    from drystone.l10_engines.proxy.edge import EdgeService
    from drystone.l10_engines.proxy.snapshot import Snapshot
    from drystone.l25_deployer.local.ports import PortBook
    from drystone.l35_mesh.sidecar.around import Around
    from drystone.l35_mesh.sidecar.key_book import KeyBook
    from drystone.l35_mesh.sidecar.token_book import TokenBook

FEW = 100
"""In a home with at most so many services, each knows the keys of all, so that who calls undeclared is told what to declare."""


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
        finish: Adds to the whole configuration what is the same for all of it.
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
        finish: Callable[[Snapshot, Sequence[Member]], Snapshot] = lambda whole, _: whole,
    ) -> None:
        self._finish = finish
        self._ports = ports
        self._book = book
        self._tokens = tokens
        self._access_log = access_log
        self._is_open = is_open
        self._further = further
        self._around = around

    @override
    def address(self, environment: str, service: str, callee: str) -> Address:
        return Address(LOOPBACK, self._ports.internal(f"{service}.{environment}>{callee}"))

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
        calls = [self.address(c.environment, c.caller, c.callee) for c in declared_by(member)]
        return [*member.ports, *(at.port for at in calls)]

    @override
    def network(self, environment: str, service: str) -> Path | None:
        return self._around.network(f"{service}.{environment}")

    @override
    def surround(
        self, edge: Snapshot, services: Sequence[EdgeService], members: Sequence[Member]
    ) -> Snapshot:
        calls = [call for member in members for call in declared_by(member)]
        apart = [found for m in members if m.is_apart and (found := self._around.of(m.name))]
        self._tokens.want({(call.issuer, call.audience) for call in calls})
        whole = model.Mesh(
            access_log=self._access_log,
            inbounds=tuple(self._inbounds(services, members, calls)),
            outbounds=tuple(map(self._outbound, calls)),
            egresses=tuple(way for surrounded in apart for way in surrounded.egresses),
            catchers=tuple(surrounded.catcher for surrounded in apart),
            resolvers=tuple(surrounded.resolver for surrounded in apart),
            tokens=self._tokens.tokens,
        )
        return self._finish(mesh_snapshot(whole, edge), members)

    def _inbounds(
        self, services: Sequence[EdgeService], members: Sequence[Member], calls: Sequence[Declared]
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
            further = self._further(member)
            is_bounded = member.surroundings[0].body is not None
            if wanting or is_bounded or not self._is_open or further != model.Further():
                known = everybody if len(everybody) <= FEW else {call.issuer for call in wanting}
                yield self._inbound(service, member, wanting, known, further)

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

    def _outbound(self, call: Declared) -> model.Outbound:
        at = self.address(call.environment, call.caller, call.callee)
        return model.Outbound(
            caller=f"{call.caller}.{call.environment}",
            issuer=call.issuer,
            dependency=call.dependency,
            service=call.callee,
            audience=call.audience,
            listen=model.Address(at.port, at.host, self._listening_in(call)),
            calls=call.calls,
            timeout=call.timeout,
            retries=RETRIES if call.retries is None else call.retries,
            retry_on=RETRY_ON if call.retry_on is None else call.retry_on,
        )

    def _listening_in(self, call: Declared) -> Path | None:
        found = self._around.of(f"{call.caller}.{call.environment}")
        return found.network if found and call.is_apart else None

    @override
    def problems(self, service: str, refused: Mapping[str, str]) -> list[str]:
        name, _, environment = service.partition(".")
        tokens = [
            f"it cannot call {audience}: {why}"
            for (issuer, audience), why in self._tokens.missing.items()
            if issuer == issuer_of(environment, name)
        ]
        begins = (outbound_name(service, ""), f"egress/{service}>")
        ways = [
            f"it cannot reach {listener.partition('>')[2]}: {why}; end the program that has the port, and the platform"
            " takes it"
            for listener, why in refused.items()
            if listener.startswith(begins)
        ]
        ends = {
            resolver_name(service): "its questions for names get no answer",
            catcher_name(service): "what it tries in vain is not written down",
        }
        silent = [f"{what}: {refused[name]}" for name, what in ends.items() if name in refused]
        return [*tokens, *ways, *silent]

    @override
    async def forget(self, environment: str, service: str) -> None:
        await self._around.forget(f"{service}.{environment}")
