"""What a descriptor says of people and builds, and what its proxy makes of it: pure."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

import pytest

from drystone.l00_kernel.clock import ManualClock
from drystone.l00_kernel.home import Home
from drystone.l00_kernel.settings import Settings
from drystone.l25_deployer.descriptor import read
from drystone.l25_deployer.local.mesh import Member
from drystone.l25_deployer.stacks.doors import Door as Declared
from drystone.l25_deployer.stacks.model import EnvironmentStack
from drystone.l35_mesh.sidecar.model import Further
from drystone.l35_mesh.signin.doors import doors_of
from drystone.l35_mesh.signin.gate import Door, Doors, gate_of
from drystone.l35_mesh.signin.signing_keys import SigningKeys
from drystone.l90_assembly.signin import Gates, signin_at_edge

Golden = Callable[[Path, str], None]
GOLDEN = Path(__file__).parent / "golden"
ORDERS = EnvironmentStack(
    service="orders",
    name="dev",
    owner="shop",
    tier=2,
    hosts=("orders.dev.localhost",),
    timeout=timedelta(seconds=15),
    public=False,
)


def orders(**changes: object) -> EnvironmentStack:
    return EnvironmentStack(
        **{**{f: getattr(ORDERS, f) for f in ORDERS.__struct_fields__}, **changes}
    )


def test_the_parts_for_a_proxy_are_as_they_were(golden: Golden) -> None:
    doors = Doors(
        audience="dev/orders",
        doors=(
            Door(match="GET /admin/*", groups=("admins", "owners")),
            Door(match="POST /deploys", builds=("ci/orders",)),
            Door(match="* /open", public=True),
            Door(staff=True),
        ),
        issuer="http://signin.localhost:8400",
        ticket="sealed",
    )
    golden(GOLDEN / "gate.json", json.dumps(_plain(gate_of(doors, '{"keys":[]}')), indent=1) + "\n")


def _plain(gate: object) -> object:
    fields = gate.__struct_fields__  # type: ignore[attr-defined]
    return json.loads(json.dumps({name: getattr(gate, name) for name in fields}, default=str))


def test_the_route_that_fits_most_closely_comes_first() -> None:
    routes = ("* /*", "GET /a/*", "* /a/*", "* /a/b", "GET /a/b", "GET /a/b*", "GET /a/*/c")
    declared = orders(doors={route: Declared(public=True) for route in routes})
    assert [door.match for door in doors_of(declared)] == [
        "GET /a/b",
        "* /a/b",
        "GET /a/b*",
        "GET /a/*",
        "GET /a/*/c",
        "* /a/*",
        "* /*",
        "*",
    ]


def test_a_service_that_says_nothing_of_people_has_no_door() -> None:
    assert doors_of(ORDERS) == ()
    assert doors_of(orders(public=True)) == ()
    assert doors_of(orders(public=True, builds=("ci",)))[-1].public


def gates(tmp_path: Path, clock: ManualClock) -> Gates:
    return Gates(Home.create(tmp_path / "home"), Settings(), clock)


def member(*surroundings: EnvironmentStack) -> Member:
    return Member(environment="dev", service="orders", surroundings=surroundings)


def test_what_has_not_changed_is_the_same_object(tmp_path: Path) -> None:
    some = gates(tmp_path, ManualClock())
    assert some.further(member(ORDERS)) == Further()
    first = some.further(member(orders(staff=True)))
    assert some.further(member(orders(staff=True))) is first
    assert first.decides
    other = some.further(member(orders(groups=("admins",))))
    assert other.policies != first.policies


@pytest.mark.parametrize(
    ("setting", "host"),
    [
        ("", "signin.localhost"),
        ('[signin]\nurl = "https://login.example.com"\n', "login.example.com"),
        ('[signin]\nurl = "https://login.example.com:8443/"\n', "login.example.com"),
        ('[signin]\nurl = "http://localhost:8400"\n', "signin.localhost"),
    ],
)
def test_the_edge_answers_for_the_sign_in_by_the_name_of_its_address(
    tmp_path: Path, setting: str, host: str
) -> None:
    home = Home.create(tmp_path / "home")
    (home.path / "settings.toml").write_text(setting)
    assert signin_at_edge(home, Settings.load(home, {})).host == host


async def test_a_new_key_is_known_before_it_signs_and_the_earlier_one_afterwards(
    tmp_path: Path,
) -> None:
    clock = ManualClock()
    keys = SigningKeys(tmp_path)
    first = keys.signing(clock.now())
    await clock.advance(timedelta(days=31))
    keys.settle(clock.now())
    assert len(keys.jwks(clock.now())["keys"]) == 2
    assert keys.signing(clock.now()) == first
    await clock.advance(timedelta(minutes=11))
    second = keys.signing(clock.now())
    assert second != first
    keys.settle(clock.now())
    assert len(keys.verifying(clock.now())) == 2
    await clock.advance(timedelta(hours=1))
    keys.settle(clock.now())
    assert [key.kid for key in keys.verifying(clock.now())] == [second.kid]
    keys.rotate(clock.now(), at_once=True)
    assert second.kid not in [key.kid for key in keys.verifying(clock.now())]
    assert "PRIVATE" not in repr(second) + json.dumps(keys.jwks(clock.now()))


@pytest.mark.parametrize(
    ("ingress", "why"),
    [
        ("{staff: true, groups: [a]}", "'staff' lets in more than these groups do"),
        ("{public: true, groups: [a]}", "'public' lets in more than these groups do"),
        ("{routes: {'*': [a]}}", "'\\*' stands for all requests"),
        ("{routes: {'GET /a': {staff: true, groups: [a]}}}", "'staff' lets in more"),
        ("{groups: ['a,b']}", "group"),
        ("{routes: {'FETCH /a': [a]}}", "pattern of requests|FETCH"),
        ("{roles: [a]}", "groups"),
    ],
)
def test_a_mistake_about_people_is_told(ingress: str, why: str) -> None:
    text = f"schema: 1\nservice: a\nowner: b\nprocess: {{command: [x]}}\nnetwork: {{ingress: {ingress}}}\n"
    found = read(text, file="service.yaml")
    with pytest.raises(AssertionError, match=why):
        assert found.descriptor is not None, found.report()
