"""What the mesh is asked to do, as plain values: who may call whom, by which ways, and which ways lead outside.

A call goes from an :class:`Outbound`, an address that one caller has for one of its dependencies, to the :class:`Inbound` of
the service that is called, and from there to an instance. People's requests come from the edge to the same inbound. What a
caller says of itself is believed nowhere: the outbound puts a token into the request, and the inbound checks it.

The same values describe both placements. In one Envoy for a host every inbound is an internal listener; in an Envoy that a
service has of its own, its inbound has an address (``listen``), and whoever leads there knows it (``reach``, :class:`Beside`).

Names are those of the edge: a service is ``billing.dev`` there, and ``dev/billing`` where tokens name it.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Mapping
from datetime import timedelta
from pathlib import Path

import msgspec
from typing_extensions import override

from drystone.l10_engines.proxy.edge_endpoints import Endpoint, Protocol
from drystone.l10_engines.proxy.edge_services import EdgeService
from drystone.l10_engines.proxy.messages import Config

RETRY_ON = ("connect", "502", "503")
"""Which failures are repeated where a dependency says nothing else."""


def issuer_of(name: str) -> str:
    """Return what tokens call a service that the edge calls ``<service>.<environment>``."""
    service, _, environment = name.rpartition(".")
    return f"{environment}/{service}"


class Address(msgspec.Struct, frozen=True):
    """Where an Envoy listens: a TCP port, or a unix socket.

    Attributes:
        port: TCP port; 0 with a socket.
        address: IP address.
        network: File of the network namespace in which it listens; that of the Envoy when None.
        socket: Path of a unix socket, in place of the rest.
        more: IP addresses at which it listens as well, on the same port.
    """

    port: int = 0
    address: str = "127.0.0.1"
    network: Path | None = None
    socket: Path | None = None
    more: tuple[str, ...] = ()


class Caller(msgspec.Struct, frozen=True):
    """A service that may call another.

    Attributes:
        issuer: What its tokens call it: ``<environment>/<service>``.
        calls: The requests it may make, in the words of a descriptor, such as ``GET /reports/*``; every one when empty.
    """

    issuer: str
    calls: tuple[str, ...] = ()


class Further(msgspec.Struct, frozen=True):
    """What other parts of the mesh add to an inbound: other ways to prove who calls, and limits.

    The values are held for constants: whoever changes one makes a new ``Further``.

    Attributes:
        before: HTTP filters before tokens are checked, such as one that turns a cookie into a token.
        providers: More kinds of tokens: ``JwtProvider`` messages by name. ``asap`` is taken.
        requirements: ``JwtRequirement`` messages; a request that meets any of them passes, beside a service's token.
        open_paths: Paths at which no token is asked for, such as that to which a sign-in returns. ``policies`` decide there.
        policies: ``Policy`` messages of RBAC by name; a request passes that any of them allows.
        filters: HTTP filters behind the decision who may pass, before the router.
        on_routes: ``typed_per_filter_config`` by name of a filter, on every route of the service.
        decides: Whether ``policies`` say all that there is to say about strangers, so that ``public`` says nothing.
        routes: Routes before those of the service, such as the one to which a sign-in returns.
        mappers: ``ResponseMapper`` messages that come before those of the inbound.
        identity_headers: More headers that no client may set.
        lasting: How long a request may go on that has one of these headers by the time it is checked.
        clusters: ``Cluster`` messages that filters name.
        secrets: ``Secret`` messages that filters name.
        extensions: ``TypedExtensionConfig`` messages of filters that are sent apart.
        own_routes: ``Route`` messages by which the service itself reaches a part of the platform, at an address of its own.
    """

    before: tuple[Config, ...] = ()
    providers: Mapping[str, Config] = {}
    requirements: tuple[Config, ...] = ()
    open_paths: tuple[str, ...] = ()
    policies: Mapping[str, Config] = {}
    filters: tuple[Config, ...] = ()
    on_routes: Mapping[str, Config] = {}
    decides: bool = False
    routes: tuple[Config, ...] = ()
    mappers: tuple[Config, ...] = ()
    identity_headers: tuple[str, ...] = ()
    lasting: Mapping[str, timedelta] = {}
    clusters: Mapping[str, Config] = {}
    secrets: Mapping[str, Config] = {}
    extensions: Mapping[str, Config] = {}
    own_routes: tuple[Config, ...] = ()

    @override
    def __hash__(self) -> int:
        # Messages cannot be hashed; what has the same hash is compared, as everything is.
        return hash(
            (self.open_paths, tuple(self.providers), tuple(self.policies), self.requirements == ())
        )


class Inbound(msgspec.Struct, frozen=True, kw_only=True):
    """What stands before a service: nobody comes past it.

    Attributes:
        service: Name, pools and timeouts, as the edge knows them; the way from here to an instance is that of the edge.
        audience: What tokens for it name: ``<environment>/<service>``.
        callers: Who may call.
        keys: The keys with which callers sign, as a JSON Web Key Set (RFC 7517 section 5) in JSON. Whose keys stand here and
            who is no caller is told so (403); a token of anybody else is one that nobody can check (401).
        public: Whether strangers may call too; a token that they show must be good all the same.
        holds_callers: Whether, where strangers may call, a service that says who it is may only do what it declares.
        own_tokens: Whether the service reads ``Authorization`` of strangers itself: then a token that is none of ours makes
            a stranger, where ``public``.
        health: Paths that are answered without a token.
        enforce: False counts and logs what would be refused, and lets it pass as a stranger's.
        body: Largest body of a request in bytes; no bound when None. Streams of gRPC and WebSockets have none.
        listen: Where it listens; inside the Envoy alone when None.
        is_behind: Whether proxies of the platform alone connect to ``listen``, so that what they say of the client counts.
        entry: Where the Envoys of other services find it, beside the way inside this one.
        further: What other parts of the mesh add.
    """

    service: EdgeService
    audience: str
    callers: tuple[Caller, ...] = ()
    keys: str = '{"keys":[]}'
    public: bool = False
    holds_callers: bool = False
    own_tokens: bool = False
    health: tuple[str, ...] = ()
    enforce: bool = True
    body: int | None = None
    listen: Address | None = None
    is_behind: bool = False
    entry: Address | None = None
    further: Further = Further()

    @property
    def trusts_hop(self) -> bool:
        """Whether whoever connects has said truly who the client is."""
        return self.listen is None or self.is_behind


class Beside(msgspec.Struct, frozen=True, kw_only=True):
    """A service with an Envoy of its own, as the Envoy that is the edge knows it.

    Attributes:
        service: What is behind that Envoy.
        listen: Where its inbound listens.
    """

    service: EdgeService
    listen: Address


class Outbound(msgspec.Struct, frozen=True, kw_only=True):
    """The address at which one service finds one of its dependencies.

    Attributes:
        caller: Name of the service that calls, such as ``desk.dev``.
        issuer: What tokens call it, such as ``dev/desk``.
        dependency: What its descriptor calls the other one, such as ``billing``.
        service: Name of the one that is called, such as ``billing.dev``.
        audience: What tokens call that, such as ``dev/billing``.
        listen: Where it is found. Whoever can connect there calls as the caller.
        slot: Which of several such addresses: releases that run together and are to be told apart have one each. All else is the
            same for all slots.
        is_watched: Whether calls that fail are written down.
        calls: The requests that the caller declares; every one when empty.
        host: What the callee is asked for in place of what the caller asked for: its name at an edge while it moves, since at
            the other side nobody knows it by its address here.
        timeout: How long an answer may take to begin and its parts to follow, retries included.
        stream_timeout: The same for WebSockets, ``text/event-stream`` and gRPC.
        retries: How often a failed call is repeated.
        retry_on: Which failures are: ``connect``, ``reset``, ``timeout``, and statuses such as ``503``. Safe by method: a
            POST is only repeated if it certainly never reached the service.
        idempotent_methods: Methods, apart from GET, HEAD and OPTIONS, that may reach the service twice.
        reach: Where the inbound of the callee listens; in the same Envoy when empty.
        reach_in: File of the network in which that is; the network of the host when None.
        protocol: What is spoken with it; when None, HTTP/2 with another Envoy, and in the same one what the caller speaks.
    """

    caller: str
    issuer: str
    dependency: str
    service: str
    audience: str
    listen: Address
    slot: int = 0
    is_watched: bool = False
    calls: tuple[str, ...] = ()
    host: str | None = None
    timeout: timedelta = timedelta(seconds=5)
    stream_timeout: timedelta = timedelta(hours=1)
    retries: int = 2
    retry_on: tuple[str, ...] = RETRY_ON
    idempotent_methods: tuple[str, ...] = ("PUT", "DELETE")
    reach: tuple[Endpoint, ...] = ()
    reach_in: Path | None = None
    protocol: Protocol | None = None


class OwnWay(msgspec.Struct, frozen=True, kw_only=True):
    """The address at which a service reaches the platform as itself.

    Attributes:
        caller: Name of the service, such as ``desk.dev``.
        listen: Where the way begins. Whoever can connect there asks as the caller.
        further: Has the routes, and the clusters to which they lead.
    """

    caller: str
    listen: Address
    further: Further


class Egress(msgspec.Struct, frozen=True, kw_only=True):
    """A way out to one host that a service declares.

    Attributes:
        caller: Whose way it is, such as ``desk.dev``.
        host: Name or IP address of the host outside; Envoy looks a name up ahead, and keeps what it found. ``*.example.com``
            stands for every name below: which one is meant is read from what the client says, by TLS (SNI) or HTTP.
        port: Its TCP port.
        listen: Where the way begins; each host has an IP address of its own there.
        tls: Whether only TLS may pass, and only to the host itself, by the name that the client asks for (SNI).
        through: File of the network in which the address that was found for a name is held against the caller's
            :class:`Border`. A name that has none is followed wherever it leads.
    """

    caller: str
    host: str
    port: int
    listen: Address
    tls: bool = False
    through: Path | None = None

    @property
    def is_address(self) -> bool:
        """Tell whether the host is an address, which nobody has to look up."""
        try:
            ipaddress.ip_address(self.host)
        except ValueError:
            return False
        return True

    @property
    def stands_for_many(self) -> bool:
        """Whether it leads to every host below a name."""
        return self.host.startswith("*.")


class Border(msgspec.Struct, frozen=True, kw_only=True):
    """Where the ways of a service to hosts that have names come by, once it is known at which address a host is.

    Who owns a name decides where it leads: to this machine, to its credentials or into a private network as well. So Envoy
    connects to what it found in a network where every address leads here, and from here on to those that are outside.

    Attributes:
        caller: Whose ways, such as ``desk.dev``.
        listen: Where the rules of that network redirect every connection to.
        ways: Those that come by.
        private: Ranges of private addresses at which its hosts may be.
        own: Addresses of this machine.
    """

    caller: str
    listen: Address
    ways: tuple[Egress, ...]
    private: tuple[str, ...] = ()
    own: tuple[str, ...] = ()


class Catcher(msgspec.Struct, frozen=True, kw_only=True):
    """Where everything ends that a service tries and has not declared: refused, and logged with its destination.

    Attributes:
        caller: Whose attempts, such as ``desk.dev``.
        listen: Where the rules of its network redirect them to.
    """

    caller: str
    listen: Address


class Resolver(msgspec.Struct, frozen=True, kw_only=True):
    """Who answers when a service asks where a host is.

    Attributes:
        caller: Whose questions, such as ``desk.dev``.
        listen: Where the rules of its network redirect them to; UDP.
        hosts: Names and addresses of what it may reach by name; ``*.example.com`` stands for every name below that has none
            of its own. There are no others.
    """

    caller: str
    listen: Address
    hosts: tuple[tuple[str, str], ...] = ()


Tokens = Mapping[tuple[str, str], str]
"""Tokens by issuer and audience."""


class Mesh(msgspec.Struct, frozen=True, kw_only=True):
    """All that one Envoy, or all of one group, do for the mesh.

    Attributes:
        inbounds: What stands before the services.
        beside: Services before which another Envoy stands.
        outbounds: Addresses of dependencies.
        own_ways: Addresses at which services reach the platform.
        egresses: Ways outside.
        borders: What those pass that lead to a name.
        catchers: Ends of all other ways.
        resolvers: Answers to questions for names.
        tokens: What outbounds put into requests. A call without one is refused (401).
        access_log: File for one JSON object per request.
    """

    access_log: Path
    inbounds: tuple[Inbound, ...] = ()
    beside: tuple[Beside, ...] = ()
    outbounds: tuple[Outbound, ...] = ()
    own_ways: tuple[OwnWay, ...] = ()
    egresses: tuple[Egress, ...] = ()
    borders: tuple[Border, ...] = ()
    catchers: tuple[Catcher, ...] = ()
    resolvers: tuple[Resolver, ...] = ()
    tokens: Tokens = {}

    @override
    def __repr__(self) -> str:  # tokens are secrets
        return f"Mesh({len(self.inbounds)} inbounds, {len(self.outbounds)} outbounds)"
