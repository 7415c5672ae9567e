"""What of a mesh is done by the Envoy of the host, and what by the Envoys that services have of their own. Pure."""

from __future__ import annotations

from collections.abc import Collection, Mapping

from msgspec import structs

from drystone.l35_mesh.sidecar.model import Address, Beside, Inbound, Mesh


class Parting:
    """One mesh in several Envoys.

    Args:
        whole: All of it; what is another Envoy's has the addresses for that already.
        beside: Where the inbound of each service listens that has an Envoy of its own.
    """

    def __init__(self, whole: Mesh, beside: Mapping[str, Address]) -> None:
        self._whole = whole
        self._beside = beside
        self._inbounds = {one.service.name: one for one in whole.inbounds}

    def of_host(self) -> Mesh:
        """Return what the Envoy of the host does, which is the edge, too."""
        whole, beside = self._whole, self._beside
        if not beside:
            return whole
        return structs.replace(
            whole,
            inbounds=tuple(one for one in whole.inbounds if one.service.name not in beside),
            beside=tuple(
                Beside(service=one.service, listen=beside[name])
                for name, one in self._inbounds.items()
                if name in beside
            ),
            outbounds=tuple(one for one in whole.outbounds if one.caller not in beside),
            own_ways=tuple(one for one in whole.own_ways if one.caller not in beside),
            egresses=tuple(one for one in whole.egresses if one.caller not in beside),
            borders=tuple(one for one in whole.borders if one.caller not in beside),
            catchers=tuple(one for one in whole.catchers if one.caller not in beside),
            resolvers=tuple(one for one in whole.resolvers if one.caller not in beside),
        )

    def of_service(self, name: str) -> Mesh:
        """Return what the Envoy does that a service has of its own."""
        whole = self._whole
        outbounds = tuple(one for one in whole.outbounds if one.caller == name)
        pairs = {(one.issuer, one.audience) for one in outbounds}
        return structs.replace(
            whole,
            inbounds=tuple(self._inbound(name)),
            outbounds=outbounds,
            own_ways=tuple(one for one in whole.own_ways if one.caller == name),
            egresses=tuple(one for one in whole.egresses if one.caller == name),
            borders=tuple(one for one in whole.borders if one.caller == name),
            catchers=tuple(one for one in whole.catchers if one.caller == name),
            resolvers=tuple(one for one in whole.resolvers if one.caller == name),
            tokens={pair: token for pair, token in whole.tokens.items() if pair in pairs},
        )

    def shared(self, name: str) -> Collection[str]:
        """Name the clusters of the host's Envoy to which routes of a service's inbound lead."""
        routes = [route for one in self._inbound(name) for route in one.further.routes]
        return {route["route"]["cluster"] for route in routes if "route" in route}

    def _inbound(self, name: str) -> list[Inbound]:
        return [self._inbounds[name]] if name in self._inbounds else []
