"""Ways in at a real Envoy: hosts and paths of services' own, networks, certificates by name."""

from __future__ import annotations

import asyncio
import os
import signal
import ssl
from collections.abc import Mapping
from contextlib import suppress
from datetime import timedelta
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from drystone.l10_engines.certificates import Pair, make_authority, make_certificate
from drystone.l10_engines.loopback_ports import free_port
from drystone.l10_engines.proxy.edge import EdgeService, EdgeWay, SecureEdge, Shown, edge_snapshot
from drystone.l10_engines.proxy.edge_tls import OF_THIS_MACHINE
from drystone.l10_engines.proxy.edge_way_hosts import WAYS, domains_of, led, way_host
from drystone.l10_engines.proxy.errors import InvalidProxyConfig
from l10_engines.proxy.rig import Rig, only_generation, shop, until
from l10_engines.proxy.upstream import Upstream

LIFE = timedelta(days=1)
NAME = "shop.example.com"


def way(*hosts: str, **more: Any) -> EdgeWay:
    return EdgeWay(hosts=hosts or (NAME,), **more)


def with_ways(upstream: Upstream, *ways: EdgeWay, name: str = "dev/shop") -> EdgeService:
    hosts = (f"{upstream.name}.dev.localhost",)
    return shop(("v", 1, [upstream]), name=name, hosts=hosts, ways=ways)


async def test_a_host_of_its_own_leads_to_the_service_below_its_paths_the_longest_first(
    rig: Rig, blue: Upstream, green: Upstream
) -> None:
    await rig.publish(
        with_ways(blue, way()), with_ways(green, way(paths=("/api", "/api/v1")), name="dev/api")
    )
    seen = {
        path: (await rig.get(path, host=NAME)).text
        for path in ("/", "/apix", "/api", "/api/", "/api?q=/x", "/api/v1/x", "/x/api", "/x/../api")
    }
    assert seen == {
        **dict.fromkeys(("/", "/apix", "/x/api"), "blue"),
        **dict.fromkeys(("/api", "/api/", "/api?q=/x", "/api/v1/x", "/x/../api"), "green"),
    }
    assert (await rig.get("/api", host=f"{NAME}:{rig.port}")).text == "green"
    assert (await rig.get("/", host=NAME.upper() + ".")).text == "blue"
    for host in (f"{NAME}, blue.dev.localhost", f"x{NAME}", f"www.{NAME}", "example.com"):
        assert (await rig.get("/", host=host)).status_code in {400, 404}
    assert "GET /api/v1/x HTTP/1.1" in green.lines


async def test_a_wildcard_means_names_below_and_what_is_named_exactly_comes_first(
    rig: Rig, blue: Upstream, green: Upstream
) -> None:
    await rig.publish(
        with_ways(blue, way("*.example.com", paths=("/", "/both"))),
        with_ways(green, way("a.example.com", paths=("/both", "/one")), name="dev/a"),
    )
    assert (await rig.get("/both", host="b.example.com")).text == "blue"
    assert (await rig.get("/both", host="a.example.com")).text == "green"
    assert (await rig.get("/one", host="a.example.com")).text == "green"
    assert (await rig.get("/else", host="a.example.com")).text == "blue"
    assert (await rig.get("/", host="example.com")).status_code == 404


async def test_networks_decide_by_the_connection_and_deny_wins(
    rig: Rig, blue: Upstream, green: Upstream
) -> None:
    here = ("127.0.0.0/8", "::1/128")
    closed = way(paths=("/closed",), allow=())
    elsewhere = way(paths=("/elsewhere",), allow=("10.0.0.0/8", "2001:db8::/32"))
    near = way(paths=("/near",), allow=here)
    denied = way(paths=("/denied",), deny=here)
    await rig.publish(with_ways(blue, way(), closed, elsewhere, near, denied))
    said = {"x_forwarded_for": "10.1.1.1", "forwarded": "for=10.1.1.1"}
    seen = {
        path: (await rig.get(path, host=NAME, **said)).status_code
        for path in ("/", "/closed/x", "/elsewhere", "/near", "/denied")
    }
    assert seen == {"/": 200, "/closed/x": 403, "/elsewhere": 403, "/near": 200, "/denied": 403}
    answer = (await rig.get("/elsewhere", host=NAME)).json()
    assert answer["type"] == "edge.NetworkRefused"
    assert "127.0.0.1" in answer["detail"]
    assert (await rig.get("/closed", host="blue.dev.localhost")).text == "blue"


class Authority:
    """One that signs for tests."""

    def __init__(self) -> None:
        self.pair = make_authority("a test", life=LIFE)
        self.context = ssl.create_default_context(cadata=self.pair.certificate.decode())
        self.context.set_alpn_protocols(["http/1.1"])

    def shown(self, *hosts: str) -> Shown:
        made = self.issue(
            *(["localhost", "*.dev.localhost"] if hosts == OF_THIS_MACHINE else hosts)
        )
        return Shown(hosts, made.certificate, made.key)

    def issue(self, *hosts: str, life: timedelta = LIFE) -> Pair:
        return make_certificate("a test", authority=self.pair, life=life, domains=hosts)


class Secure:
    """An edge with HTTPS."""

    def __init__(self, rig: Rig) -> None:
        self.rig, self.port, self.authority = rig, free_port(), Authority()
        self.shown = [self.authority.shown(*OF_THIS_MACHINE), self.authority.shown(NAME)]

    async def publish(self, *services: EdgeService) -> None:
        snapshot = edge_snapshot(
            services,
            port=self.rig.port,
            access_log=self.rig.access_log,
            secure=SecureEdge(self.port, tuple(self.shown)),
        )
        await self.rig.envoy.publish(snapshot)
        assert self.rig.envoy.refused == {}

    async def connect(
        self, sni: str, context: ssl.SSLContext | None = None
    ) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        tls = context or self.authority.context
        return await asyncio.open_connection("127.0.0.1", self.port, ssl=tls, server_hostname=sni)

    async def ask(self, host: str = NAME, path: str = "/", *, sni: str = "") -> str:
        """Send a request over a connection of its own; returns the whole answer."""
        reader, writer = await self.connect(sni or host)
        try:
            return await exchange(reader, writer, host, path, close=True)
        finally:
            writer.close()


async def exchange(
    reader: asyncio.StreamReader,
    writer: asyncio.StreamWriter,
    host: str,
    path: str = "/",
    *,
    close: bool = False,
) -> str:
    end = "connection: close\r\n" if close else ""
    writer.write(f"GET {path} HTTP/1.1\r\nhost: {host}\r\n{end}\r\n".encode())
    head = (await reader.readuntil(b"\r\n\r\n")).decode()
    length = int(head.lower().partition("content-length: ")[2].partition("\r\n")[0] or 0)
    return head + (await reader.readexactly(length)).decode()


@pytest.fixture
async def secure(rig: Rig, blue: Upstream) -> Secure:
    made = Secure(rig)
    await made.publish(with_ways(blue, way(tls=True)))
    return made


async def test_a_way_with_tls_is_there_over_https_and_others_are_sent_there(
    secure: Secure, blue: Upstream
) -> None:
    answer = await secure.ask()
    assert answer.endswith("\r\n\r\nblue")
    assert "strict-transport-security: max-age=31536000" in answer
    assert '"x-forwarded-proto": "https"' in await secure.ask(path="/headers")

    sent = await secure.rig.get("/a?b=c", host=NAME)
    assert sent.status_code == 308
    assert sent.headers["location"] == f"https://{NAME}:{secure.port}/a?b=c"
    assert "strict-transport-security" not in sent.headers

    of_machine = await secure.ask("blue.dev.localhost")
    assert of_machine.endswith("blue")
    assert "strict-transport-security" not in of_machine


async def test_networks_hold_before_a_client_is_sent_to_https(
    secure: Secure, blue: Upstream
) -> None:
    near = way(tls=True, paths=("/near",), allow=("127.0.0.0/8",))
    far = way(tls=True, paths=("/far",), allow=("10.0.0.0/8",))
    await secure.publish(with_ways(blue, near, far))
    assert (await secure.rig.get("/near", host=NAME)).status_code == 308
    assert (await secure.rig.get("/far", host=NAME)).status_code == 403
    assert (await secure.ask(path="/near")).endswith("blue")
    assert (await secure.ask(path="/far")).startswith("HTTP/1.1 403 ")


async def test_a_certificate_is_chosen_by_name_and_is_for_its_hosts_alone(secure: Secure) -> None:
    elsewhere = await secure.ask("blue.dev.localhost", sni=NAME)
    assert elsewhere.startswith("HTTP/1.1 421 ")
    assert "edge.HostElsewhere" in elsewhere
    for unknown in ("other.example.com", f"www.{NAME}", "127.0.0.1"):
        with pytest.raises((ssl.SSLError, ConnectionError)):
            await secure.connect(unknown)
    _, writer = await secure.connect(NAME)
    names = writer.get_extra_info("peercert")["subjectAltName"]
    writer.close()
    assert names == (("DNS", NAME),)


@pytest.mark.filterwarnings("ignore:ssl.TLSVersion.TLSv1_1:DeprecationWarning")
async def test_only_tls_of_our_days_is_spoken_and_http2_is_agreed_on(secure: Secure) -> None:
    old = ssl.create_default_context(cadata=secure.authority.pair.certificate.decode())
    old.minimum_version = ssl.TLSVersion.MINIMUM_SUPPORTED
    old.maximum_version = ssl.TLSVersion.TLSv1_1
    old.set_ciphers("ALL:@SECLEVEL=0")
    with pytest.raises((ssl.SSLError, ConnectionError)):
        await secure.connect(NAME, old)
    modern = ssl.create_default_context(cadata=secure.authority.pair.certificate.decode())
    modern.set_alpn_protocols(["h2", "http/1.1"])
    _, writer = await secure.connect(NAME, modern)
    assert writer.get_extra_info("ssl_object").selected_alpn_protocol() == "h2"
    writer.close()
    plain = await asyncio.open_connection("127.0.0.1", secure.port)
    plain[1].write(b"GET / HTTP/1.1\r\nhost: shop.example.com\r\n\r\n")
    with suppress(ConnectionResetError):
        assert await plain[0].read() == b""
    plain[1].close()


async def test_a_new_certificate_takes_the_place_of_the_old_one_without_ending_a_connection(
    secure: Secure, blue: Upstream
) -> None:
    reader, writer = await secure.connect(NAME)
    assert (await exchange(reader, writer, NAME)).endswith("blue")
    before = writer.get_extra_info("ssl_object").getpeercert(binary_form=True)

    secure.shown[1] = secure.authority.shown(NAME)
    await secure.publish(with_ways(blue, way(tls=True)))

    async def is_new() -> bool:
        _, other = await secure.connect(NAME)
        shown = other.get_extra_info("ssl_object").getpeercert(binary_form=True)
        other.close()
        return bool(shown != before)

    await until(is_new)
    assert (await exchange(reader, writer, NAME)).endswith("blue")
    writer.close()


async def test_at_an_address_for_others_ways_are_there_and_nothing_else(
    secure: Secure, blue: Upstream
) -> None:
    rig, outside = secure.rig, "127.0.0.2"
    service = with_ways(blue, way(tls=True), way("plain.example.com"))
    snapshot = edge_snapshot(
        [service],
        port=rig.port,
        access_log=rig.access_log,
        secure=SecureEdge(secure.port, tuple(secure.shown)),
        outside=outside,
    )
    await rig.envoy.publish(snapshot)
    assert rig.envoy.refused == {}

    async def status(host: str) -> int:
        reader, writer = await asyncio.open_connection(outside, rig.port)
        answer = await exchange(reader, writer, host, close=True)
        writer.close()
        return int(answer.split()[1])

    assert await status("plain.example.com") == 200
    assert await status(NAME) == 308
    for host in ("blue.dev.localhost", "localhost", "127.0.0.1", outside):
        assert (host, await status(host)) == (host, 404)
    tls = secure.authority.context
    _, writer = await asyncio.open_connection(outside, secure.port, ssl=tls, server_hostname=NAME)
    writer.close()
    with pytest.raises((ssl.SSLError, ConnectionError)):
        await asyncio.open_connection(
            outside, secure.port, ssl=tls, server_hostname="blue.dev.localhost"
        )
    none = edge_snapshot(
        [with_ways(blue)], port=rig.port, access_log=rig.access_log, outside=outside
    )
    assert [name for name in none.listeners if "outside" in name] == []


async def test_an_envoy_that_is_killed_comes_back_with_its_certificates_and_without_an_agent(
    secure: Secure,
) -> None:
    await secure.rig.envoy.require_kept()
    await secure.rig.die()
    envoy = only_generation(secure.rig).envoy()
    assert envoy is not None
    os.kill(envoy.pid, signal.SIGKILL)

    async def serves() -> bool:
        try:
            return (await secure.ask()).endswith("blue")
        except (OSError, asyncio.IncompleteReadError):
            return False

    await until(serves)
    assert (await secure.rig.get("/", host=NAME)).status_code == 308


@pytest.mark.parametrize(
    "wrong",
    [
        way("*"),
        way("*.*.x"),
        way("a.*.x"),
        way("A.x"),
        way("a.x:80"),
        way(paths=("api",)),
        way(paths=("/api/",)),
        way(paths=("/a/../b",)),
        way(paths=("/a//b",)),
        way(paths=("/%2e",)),
        way(paths=("/a b",)),
        way(allow=("public",)),
        way(deny=("10.0.0.1/8",)),
        way("localhost"),
        way("shop.dev.localhost"),
    ],
)
def test_what_would_be_read_in_another_way_is_refused(wrong: EdgeWay, tmp_path: Any) -> None:
    with pytest.raises(InvalidProxyConfig):
        edge_snapshot([shop(ways=(wrong,))], port=1, access_log=tmp_path)


def test_two_services_cannot_have_the_same_host_and_path(tmp_path: Any) -> None:
    one = shop(hosts=("a.x",), ways=(way(paths=("/a", "/b")),))
    other = msgspec.structs.replace(one, name="other", hosts=("b.x",), ways=(way(paths=("/b",)),))
    with pytest.raises(InvalidProxyConfig, match=r"shop\.example\.com/b is claimed by dev/shop"):
        edge_snapshot([one, other], port=1, access_log=tmp_path)


PATHS = st.lists(st.sampled_from(["/", "/a", "/a/b", "/ab", "/b/a"]), min_size=1, unique=True)
HOSTS = st.lists(st.sampled_from(["x.y", "*.y", "a.x.y", "*.x.y"]), min_size=1, unique=True)
WAYS_OF_ALL = st.lists(
    st.builds(lambda h, p: EdgeWay(hosts=tuple(h), paths=tuple(p)), HOSTS, PATHS), max_size=4
)


@given(WAYS_OF_ALL)
def test_the_route_that_decides_is_the_longest_path_of_all_that_cover_the_host(
    ways: list[EdgeWay],
) -> None:
    services = [
        EdgeService(name=f"s{number}", hosts=(), ways=(one,)) for number, one in enumerate(ways)
    ]
    for domain in domains_of(services):
        host = way_host(domain, services, secure_port=1)
        assert host["name"] == WAYS + domain
        lengths = [len(path) for path in paths_of(host)]
        assert lengths == sorted(lengths, reverse=True)
        covering = {
            path
            for one in ways
            if any(h == domain or (h[0] == "*" and domain.endswith(h[1:])) for h in one.hosts)
            for path in one.paths
        }
        assert set(paths_of(host)) == covering


def paths_of(host: Mapping[str, Any]) -> list[str]:
    matches = [route["match"] for route in host["routes"]]
    return [match.get("path_separated_prefix") or match["prefix"] for match in matches]


@given(WAYS_OF_ALL, st.sampled_from(["off", "report", "on"]), st.booleans())
def test_routes_that_lead_elsewhere_keep_paths_networks_and_the_guard(
    ways: list[EdgeWay], guard: Any, is_open: bool
) -> None:
    allow = ("0.0.0.0/0", "::/0") if is_open else ("10.0.0.0/8",)
    said = [msgspec.structs.replace(one, guard=guard, allow=allow) for one in ways]
    services = [
        EdgeService(name=f"s{number}", hosts=(), ways=(one,)) for number, one in enumerate(said)
    ]
    inbound = {"name": "s0", "match": {"prefix": "/"}, "route": {"cluster": "inbound"}}
    for domain in domains_of(services):
        host = way_host(domain, services, secure_port=1)
        other = led(host, lambda name: [inbound] if name == "s0" else None)
        assert set(paths_of(other)) == set(paths_of(host))
        for route in other["routes"]:
            (before, *_) = (
                one
                for one in host["routes"]
                if one["name"] == route["name"]
                and paths_of({"routes": [one]}) == paths_of({"routes": [route]})
            )
            assert (route["route"]["cluster"] == "inbound") == (route["name"] == "s0")
            for kept in ("typed_per_filter_config", "metadata"):
                assert route.get(kept) == before.get(kept)
