"""From an attempt that was refused to what would allow it. Pure.

Each refusal has a line for a descriptor where one exists that a careful owner could add, and says plainly where none does.
Names that stand in a line are those of services, or host names of a checked form, so that whoever tries writes nothing into
somebody's descriptor.
"""

from __future__ import annotations

import ipaddress

import msgspec

from drystone.l00_kernel.addresses import is_private
from drystone.l05_graph.ingest.endpoints import EXTERNAL
from drystone.l35_mesh.observed.attempts import Attempt
from drystone.l35_mesh.observed.landscape import Known, Landscape, Place

METADATA_NAMES = frozenset(["metadata.google.internal", "metadata.goog", "metadata"])
METADATA = frozenset(
    map(
        ipaddress.ip_address,
        ("169.254.169.254", "169.254.170.2", "169.254.170.23", "100.100.100.200", "fd00:ec2::254"),
    )
)
"""Where clouds hand a machine's credentials to whoever asks from within (AWS EC2 and ECS, Google, Azure; Alibaba)."""
STRANGER = "somebody who does not say who it is"
HTTPS = 443
NTP = 123
_NOBODY = Known()


class Refusal(msgspec.Struct, frozen=True, kw_only=True):
    """What an attempt means.

    Attributes:
        caller: Who tried, as ``<environment>/<service>``; empty for a stranger.
        target: What it tried to reach: ``<environment>/<service>``, ``host:port``, a name, or part of the platform.
        what: A sentence about what was tried.
        do: What to do about it.
        line: The line that allows it, as YAML; None where nothing does, or nothing has to be added.
        descriptor: The service in whose descriptor it goes, as ``<environment>/<service>``; empty without a line.
        component: What the dependency model calls the target; empty where that has no name for it.
    """

    caller: str
    target: str
    what: str
    do: str
    line: str | None = None
    descriptor: str = ""
    component: str = ""


def explain(attempt: Attempt, landscape: Landscape) -> Refusal:
    """Say what an attempt was, and what would allow it as things stand now."""
    match attempt.way:
        case "inbound" | "outbound":
            return _request(attempt, landscape)
        case "dns":
            return _name(attempt, landscape)
        case "egress":
            return _other_host(attempt, landscape)
        case "border":
            return _misled(attempt, landscape)
        case "udp" | "icmp" | "other":
            return _no_tcp(attempt)
        case _:
            return _connection(attempt, landscape)


def _request(attempt: Attempt, landscape: Landscape) -> Refusal:
    caller, callee = attempt.caller, attempt.callee
    what = f"{caller or STRANGER} asked {callee} for {attempt.request}"
    said = Refusal(caller=caller, target=callee, what=what, do="", component=callee)
    if not caller or attempt.why == "token":
        return _nobody(said, landscape)
    need = landscape.services.get(caller, _NOBODY).needs.get(callee)
    if need is None:
        return _declare(said)
    callers = landscape.services.get(callee, _NOBODY).callers
    name = caller.rpartition("/")[2]
    if callers is not None and name not in callers:
        return _with(
            said,
            f"{callee} names who may call it: let its owner add {name}",
            f"network: {{ingress: {{callers: [{', '.join((*callers, name))}]}}}}",
            callee,
        )
    pattern = _pattern(attempt.request)
    if need.calls and pattern not in need.calls:
        return _with(
            said,
            f"{caller} declares other requests: add this one, or end it",
            f"dependencies: {{{need.name}: {{calls: [{', '.join(map(_quoted, (*need.calls, pattern)))}]}}}}",
            caller,
        )
    return msgspec.structs.replace(said, do="it is allowed by now; nothing is to be done")


def _nobody(said: Refusal, landscape: Landscape) -> Refusal:
    """Judge a request without a token, or with one that proves nothing."""
    if said.caller:
        do = "its token proves nothing; `drystone keys list` shows which keys count"
        return msgspec.structs.replace(said, do=do)
    if landscape.services.get(said.target, _NOBODY).public:
        do = "it showed a token that proves nothing, to a service that asks for none; end that"
        return msgspec.structs.replace(said, do=do)
    return _with(
        said,
        "a service declares the dependency and calls at the address that it is given; let strangers in where everybody may call",
        "network: {ingress: {public: true}}",
        said.target,
    )


def _name(attempt: Attempt, landscape: Landscape) -> Refusal:
    caller, name = attempt.caller, attempt.name
    if not name:
        what = f"{caller} asked for something that is no host name"
        return Refusal(
            caller=caller,
            target="no host name",
            what=what,
            do="nothing allows it: data may hide in such names",
        )
    said = Refusal(
        caller=caller,
        target=name,
        what=f"{caller} asked where {name} is",
        do="",
        component=f"{EXTERNAL}{name}",
    )
    if name in METADATA_NAMES:
        return _metadata(said)
    if callee := _service_called(name, caller, landscape):
        return _reach(_at_service(said, callee), landscape)
    known = landscape.services.get(caller, _NOBODY).egress
    if any(_covers(one, name, None) for one in known):
        return msgspec.structs.replace(said, do="it is allowed by now; nothing is to be done")
    return _way_out(said, f"{name}:{HTTPS}", known, " (or with the port that it means)")


def _connection(attempt: Attempt, landscape: Landscape) -> Refusal:
    caller, host, port = attempt.caller, attempt.host, attempt.port
    if declared := landscape.names.get((caller, host)):
        return _other_port(attempt, declared, landscape)
    where = f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
    named = f", and called it {attempt.name}" if attempt.name else ""
    said = Refusal(
        caller=caller,
        target=where,
        what=f"{caller} tried to connect to {where}{named}",
        do="",
        component=f"{EXTERNAL}{attempt.name or host}",
    )
    address = ipaddress.ip_address(host)
    if address in METADATA:
        return _metadata(said)
    is_here = address.is_loopback or address.is_unspecified
    place = landscape.addresses.get((host, port)) or (
        landscape.ports.get(port) if is_here else None
    )
    if place is not None:
        return _at_place(said, place, landscape)
    if is_here:
        do = "nobody whom the service could mean listens there: end it"
        return msgspec.structs.replace(said, do=do, component="")
    return _outside(said, attempt, landscape)


def _other_port(attempt: Attempt, declared: str, landscape: Landscape) -> Refusal:
    """Judge a connection to a declared host, at a port that is not declared."""
    where = f"{declared}:{attempt.port}"
    said = Refusal(
        caller=attempt.caller,
        target=where,
        what=f"{attempt.caller} tried to connect to {where}",
        do="",
        component=f"{EXTERNAL}{declared}" if _is_one(declared) else "",
    )
    return _way_out(said, where, landscape.services.get(attempt.caller, _NOBODY).egress)


def _outside(said: Refusal, attempt: Attempt, landscape: Landscape) -> Refusal:
    host, port, name = attempt.host, attempt.port, attempt.name
    if callee := _service_called(name, attempt.caller, landscape):
        return _reach(_at_service(said, callee), landscape)
    known = landscape.services.get(attempt.caller, _NOBODY).egress
    if any(_covers(one, name or host, port) for one in known):
        do = "the host is declared: connect to its name, for which the service is given an address"
        return msgspec.structs.replace(said, do=do)
    if not name and ":" in host:
        do = "name the host: an address of IPv6 cannot stand in network.egress"
        return msgspec.structs.replace(said, do=do)
    return _way_out(said, f"{name or host}:{port}", known)


def _other_host(attempt: Attempt, landscape: Landscape) -> Refusal:
    where = f"{landscape.names.get((attempt.caller, attempt.host), attempt.host)}:{attempt.port}"
    asked = f"for {attempt.name}" if attempt.name else "without saying for whom"
    return Refusal(
        caller=attempt.caller,
        target=attempt.name or where,
        what=f"{attempt.caller} used the way to {where} {asked}, which leads to another host",
        do="a way outside leads to the host alone that it was declared for: declare the other one, or end it",
        component=f"{EXTERNAL}{attempt.name}" if attempt.name else "",
    )


def _misled(attempt: Attempt, landscape: Landscape) -> Refusal:
    """Judge a declared name that leads to where nothing outside is."""
    name, host = attempt.name or "a host", attempt.host
    said = Refusal(
        caller=attempt.caller,
        target=f"{name}:{attempt.port}",
        what=f"{attempt.caller} connected to {name}, whose name led to {host}",
        do="",
        component=f"{EXTERNAL}{attempt.name}" if _is_one(attempt.name) else "",
    )
    if not is_private(host):
        do = "nothing allows it: this is the machine itself, or what is beside it and hands out its credentials; ask who owns the name"
        return msgspec.structs.replace(said, do=do)
    known = landscape.services.get(attempt.caller, _NOBODY).private
    if host in landscape.own:
        do = "nothing allows it: this is the machine itself; a service of it is declared in `dependencies`"
        return msgspec.structs.replace(said, do=do)
    if any(_lies_in(host, range_) for range_ in known):
        return msgspec.structs.replace(said, do="it is allowed by now; nothing is to be done")
    return _with(
        said,
        "declare the private network if the host is there; otherwise ask who owns the name",
        f"network: {{private: [{', '.join((*known, str(ipaddress.ip_network(host))))}]}}",
        attempt.caller,
    )


def _no_tcp(attempt: Attempt) -> Refusal:
    """Judge what the kernel refused: only TCP leads out of the network of a service."""
    caller, host = attempt.caller, attempt.host
    where = f"[{host}]:{attempt.port}" if ":" in host else f"{host}:{attempt.port}"
    target, what = {
        "udp": (f"{where} by UDP", f"{caller} sent datagrams of UDP to {where}"),
        "icmp": (f"{host} by ICMP", f"{caller} sent datagrams of ICMP to {host}, as ping does"),
    }.get(
        attempt.way,
        (
            "elsewhere by another protocol",
            f"{caller} sent packets of other protocols than TCP, UDP and ICMP, or tried hundreds of connections at once",
        ),
    )
    component = f"{EXTERNAL}{host}" if host and ipaddress.ip_address(host) not in METADATA else ""
    said = Refusal(caller=caller, target=target, what=what, do="", component=component)
    do = "nothing allows it: TCP alone leads outside, and questions for names are answered whatever server is asked"
    if attempt.way == "udp" and attempt.port == HTTPS:
        do = "nothing allows it: let it speak HTTP by TCP, for which a host is declared in network.egress"
    if attempt.way == "udp" and attempt.port == NTP:
        do = "nothing allows it: the clock is that of the machine, which keeps it right"
    return msgspec.structs.replace(said, do=do)


def _at_place(said: Refusal, place: Place, landscape: Landscape) -> Refusal:
    said = msgspec.structs.replace(
        said,
        what=f"{said.what}, which is {place.what}",
        target=place.what,
        component=place.component,
    )
    if place.kind == "service":
        return _reach(said, landscape)
    if place.kind == "platform":
        do = "nothing allows it: a service declares what it needs, and calls at the address that it is given"
        return msgspec.structs.replace(said, do=do)
    own = landscape.services.get(said.caller, _NOBODY).resources
    if place.type in own:
        do = f"its own {place.type} has another address: take it from the environment variables"
        return msgspec.structs.replace(said, do=do)
    return _with(
        said,
        f"give the service a {place.type} of its own; one of another service is reached through that service",
        f"resources: {{{place.type}: {{type: {place.type}}}}}",
        said.caller,
    )


def _reach(said: Refusal, landscape: Landscape) -> Refusal:
    """Judge an attempt to reach a service by a way that is not for this one."""
    if said.target == said.caller:
        do = "it is the service itself: let it use the port that it was given"
        return msgspec.structs.replace(said, do=do)
    need = landscape.services.get(said.caller, _NOBODY).needs.get(said.target)
    if need is None:
        return _declare(said)
    do = (
        f"it is declared, and has an address for this: call it at ${{dependencies.{need.name}.url}}"
    )
    return msgspec.structs.replace(said, do=do)


def _at_service(said: Refusal, callee: str) -> Refusal:
    return msgspec.structs.replace(said, target=callee, component=callee)


def _declare(said: Refusal) -> Refusal:
    environment, _, service = said.target.partition("/")
    elsewhere = "" if said.caller.partition("/")[0] == environment else environment
    declared = f"{{needs: hard, environment: {elsewhere}}}" if elsewhere else "hard"
    return _with(
        said,
        "declare the dependency (soft if the service can do without, and say how), or end the calls",
        f"dependencies: {{{service}: {declared}}}",
        said.caller,
    )


def _way_out(said: Refusal, host: str, known: tuple[str, ...], remark: str = "") -> Refusal:
    return _with(
        said,
        f"declare the way outside{remark}, or end it",
        f"network: {{egress: [{', '.join(_quoted(one) for one in (*known, host))}]}}",
        said.caller,
    )


def _metadata(said: Refusal) -> Refusal:
    do = (
        "nothing allows the metadata address: whoever reaches it has the credentials of the machine"
    )
    return msgspec.structs.replace(said, do=do)


def _with(said: Refusal, do: str, line: str, descriptor: str) -> Refusal:
    return msgspec.structs.replace(said, do=do, line=line, descriptor=descriptor)


def _pattern(request: str) -> str:
    """Write an example of a request as descriptors write requests."""
    return request.replace("…", "*")


def _quoted(text: str) -> str:
    """Write a text into a list of YAML, where a star at the begin means something else."""
    return f'"{text}"' if text.startswith("*") else text


def _service_called(name: str, caller: str, landscape: Landscape) -> str | None:
    """Return the service that somebody may mean by a name: ``billing``, ``billing.dev``, ``billing.dev.localhost``."""
    service, _, environment = name.removesuffix(".localhost").partition(".")
    issuer = f"{environment or caller.partition('/')[0]}/{service}"
    return issuer if issuer in landscape.services else None


def _covers(declared: str, name: str, port: int | None) -> bool:
    """Tell whether a declared way outside leads to a host; at any port when None."""
    host, colon, at = declared.rpartition(":")
    if not colon:
        host, at = declared, str(HTTPS)
    if port is not None and at != str(port):
        return False
    return name.endswith(host[1:]) if host.startswith("*.") else name == host


def _is_one(name: str) -> bool:
    """Tell whether a name is that of one host."""
    return bool(name) and not name.startswith("*")


def _lies_in(host: str, range_: str) -> bool:
    return ipaddress.ip_address(host) in ipaddress.ip_network(range_)
