"""From what was tried to the line that allows it."""

from __future__ import annotations

from functools import cache
from typing import Any

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from drystone.l25_deployer.local.mesh import Member
from drystone.l25_deployer.stacks.model import Stacks
from drystone.l35_mesh.observed.attempts import Attempt
from drystone.l35_mesh.observed.landscape import Landscape, Place
from drystone.l35_mesh.observed.refusals import METADATA, Refusal, explain
from drystone.l35_mesh.observed.surroundings import landscape_of
from l25_deployer.stacks.samples import stacks

FEW = 40
Descriptors = dict[str, dict[str, Any]]
SERVICES = ("dev/desk", "dev/billing", "prod/mail")
PORTS = {"dev/desk": 20001, "dev/billing": 20002, "prod/mail": 20003}
THIS_MACHINE = "10.1.2.9"
OWN = {
    8400: Place("platform", "the edge"),
    20500: Place("resource", "the database server", "postgres"),
}


def bare(issuer: str) -> dict[str, Any]:
    return {
        "schema": 1,
        "service": issuer.partition("/")[2],
        "owner": "docs",
        "process": {"command": ["serve", "${port}"]},
    }


@cache
def compiled_from(text: str, environment: str) -> Stacks:
    return stacks(text, environment=environment)


def platform(descriptors: Descriptors) -> Landscape:
    """What lies where, by way of the descriptors' own reader and compiler."""
    members, resources = [], {}
    for issuer, descriptor in descriptors.items():
        environment, _, service = issuer.partition("/")
        compiled = compiled_from(yaml.safe_dump(descriptor), environment)
        resources[issuer] = tuple(
            type(one).__name__.lower() for one in compiled.eternal.resources.values()
        )
        members.append(
            Member(
                environment=environment,
                service=service,
                surroundings=(compiled.environment,),
                ports=(PORTS[issuer],),
            )
        )
    return landscape_of(
        members,
        resources=resources,
        own=OWN,
        addresses=(THIS_MACHINE,),
        names={("dev/desk", "127.64.0.9"): "*.far.example"},
    )


def added(descriptor: dict[str, Any], line: str) -> dict[str, Any]:
    """A descriptor with a line; a list that the line has stands for the one before."""

    def merge(before: Any, more: Any) -> Any:
        if isinstance(before, str) and isinstance(more, dict):
            before = {"needs": before}
        if not isinstance(before, dict) or not isinstance(more, dict):
            return more
        return {**before, **{key: merge(before.get(key), value) for key, value in more.items()}}

    return dict(merge(descriptor, yaml.safe_load(line)))


NAMES = st.sampled_from(
    [
        "",
        "billing",
        "mail.prod.localhost",
        "api.example.com",
        "x-1.example",
        "metadata.google.internal",
    ]
)
HOSTS = st.one_of(
    st.sampled_from(["127.0.0.1", "::", "::1", *map(str, METADATA)]),
    st.ip_addresses(v=4).map(str),
    st.ip_addresses(v=6).map(str),
)
PORT = st.one_of(st.sampled_from([*PORTS.values(), *OWN]), st.integers(1, 65535))
REQUESTS = st.sampled_from(["GET /reports/*", "POST /", "* /a/b/c/d/…", "DELETE /*"])
ATTEMPTS = st.one_of(
    st.builds(
        Attempt,
        way=st.sampled_from(["inbound", "outbound"]),
        caller=st.sampled_from(SERVICES),
        callee=st.sampled_from(SERVICES),
        request=REQUESTS,
        why=st.just("rule"),
    ).filter(lambda one: one.caller != one.callee),
    st.builds(
        Attempt,
        way=st.just("catcher"),
        caller=st.sampled_from(SERVICES),
        host=HOSTS,
        port=PORT,
        name=NAMES,
    ),
    st.builds(Attempt, way=st.just("dns"), caller=st.sampled_from(SERVICES), name=NAMES),
    st.builds(
        Attempt,
        way=st.just("border"),
        caller=st.sampled_from(SERVICES),
        host=HOSTS,
        port=PORT,
        name=st.sampled_from(["", "api.example.com", "*.example.com"]),
    ),
    st.builds(
        Attempt,
        way=st.sampled_from(["udp", "icmp"]),
        caller=st.sampled_from(SERVICES),
        host=HOSTS,
        port=PORT,
    ),
)


@st.composite
def declared(draw: st.DrawFn) -> Descriptors:
    found = {issuer: bare(issuer) for issuer in SERVICES}
    if draw(st.booleans()):
        found["dev/desk"]["dependencies"] = {
            "billing": draw(st.sampled_from(["hard", {"needs": "hard", "calls": ["GET /"]}]))
        }
    if draw(st.booleans()):
        found["dev/billing"]["network"] = {"ingress": {"callers": ["other"]}}
    if draw(st.booleans()):
        found["prod/mail"]["network"] = {"egress": ["*.example.com:443", "x-1.example:5432"]}
    if draw(st.booleans()):
        found["dev/desk"]["resources"] = {"db": {"type": "postgres"}}
    return found


@settings(max_examples=FEW)
@given(descriptors=declared(), attempt=ATTEMPTS)
def test_lines_that_are_added_one_after_the_other_end_with_nothing_to_add(
    descriptors: Descriptors, attempt: Attempt
) -> None:
    seen: list[Refusal] = []
    while (said := explain(attempt, platform(descriptors))).line is not None:
        # Who calls declares, who is called names callers, and then the request: never the same twice.
        assert said not in seen
        assert len(seen) < 3
        seen.append(said)
        descriptors = {
            **descriptors,
            said.descriptor: added(descriptors[said.descriptor], said.line),
        }
    assert said.do
    assert said.what.startswith(attempt.caller)


@settings(max_examples=FEW)
@given(descriptors=declared(), attempt=ATTEMPTS)
def test_nothing_ever_allows_the_metadata_address(
    descriptors: Descriptors, attempt: Attempt
) -> None:
    said = explain(attempt, platform(descriptors))
    if any(attempt.host == str(one) for one in METADATA) or attempt.name.startswith("metadata"):
        is_meant = attempt.way == "dns" or attempt.host in map(str, METADATA)
        told = {"catcher": "metadata address", "dns": "metadata address"}.get(attempt.way, "")
        assert not is_meant or (said.line is None and (told or "nothing allows it") in said.do)


def test_who_names_no_host_on_the_way_to_one_is_told_which_way_it_was() -> None:
    attempt = Attempt(way="egress", caller="dev/desk", host="127.64.0.9", port=443)
    said = explain(attempt, platform({issuer: bare(issuer) for issuer in SERVICES}))
    assert said.target == "*.far.example:443"
    assert "the way to *.far.example:443 without saying for whom" in said.what


def misled(host: str) -> Attempt:
    return Attempt(way="border", caller="dev/desk", host=host, port=443, name="api.example.com")


def connection(host: str, port: int, name: str = "") -> Attempt:
    return Attempt(way="catcher", caller="dev/desk", host=host, port=port, name=name)


@pytest.mark.parametrize(
    ("attempt", "line", "descriptor"),
    [
        (connection("127.0.0.1", 20002), "dependencies: {billing: hard}", "dev/desk"),
        (
            connection("127.0.0.1", 20003),
            "dependencies: {mail: {needs: hard, environment: prod}}",
            "dev/desk",
        ),
        (
            connection("127.0.0.1", 20500),
            "resources: {postgres: {type: postgres}}",
            "dev/desk",
        ),
        (connection("127.0.0.1", 8400), None, ""),
        (connection("127.0.0.1", 31000), None, ""),
        (connection("169.254.169.254", 80), None, ""),
        (connection("2001:db8::1", 80), None, ""),
        (
            connection("192.0.2.7", 5432),
            "network: {egress: [192.0.2.7:5432]}",
            "dev/desk",
        ),
        (
            connection("192.0.2.7", 443, "api.example.com"),
            "network: {egress: [api.example.com:443]}",
            "dev/desk",
        ),
        (
            Attempt(way="dns", caller="dev/desk", name="api.example.com"),
            "network: {egress: [api.example.com:443]}",
            "dev/desk",
        ),
        (Attempt(way="dns", caller="dev/desk"), None, ""),
        (
            Attempt(way="inbound", caller="", callee="dev/billing", request="GET /", why="token"),
            "network: {ingress: {public: true}}",
            "dev/billing",
        ),
        (Attempt(way="egress", caller="dev/desk", host="192.0.2.7", port=443), None, ""),
        (misled("10.1.2.3"), "network: {private: [10.1.2.3/32]}", "dev/desk"),
        (misled("fd00::7"), "network: {private: [fd00::7/128]}", "dev/desk"),
        (misled("127.0.0.1"), None, ""),
        (misled("169.254.169.254"), None, ""),
        (misled("fd00:ec2::254"), None, ""),
        (misled(THIS_MACHINE), None, ""),
        (Attempt(way="udp", caller="dev/desk", host="192.0.2.7", port=443), None, ""),
        (Attempt(way="udp", caller="dev/desk", host="2001:db8::7", port=123), None, ""),
        (Attempt(way="icmp", caller="dev/desk", host="192.0.2.7"), None, ""),
        (Attempt(way="other", caller="dev/desk"), None, ""),
        (
            connection("127.64.0.9", 5432),
            'network: {egress: ["*.far.example:5432"]}',
            "dev/desk",
        ),
    ],
)
def test_each_attempt_has_its_line(attempt: Attempt, line: str | None, descriptor: str) -> None:
    said = explain(attempt, platform({issuer: bare(issuer) for issuer in SERVICES}))
    assert (said.line, said.descriptor) == (line, descriptor)


def test_whose_request_the_callee_does_not_let_in_is_told_whom_to_ask() -> None:
    descriptors = {issuer: bare(issuer) for issuer in SERVICES}
    descriptors["dev/desk"]["dependencies"] = {"billing": "hard"}
    descriptors["dev/billing"]["network"] = {"ingress": {"callers": ["other"]}}
    attempt = Attempt(
        way="inbound", caller="dev/desk", callee="dev/billing", request="GET /", why="rule"
    )
    said = explain(attempt, platform(descriptors))
    assert said.line == "network: {ingress: {callers: [other, desk]}}"
    assert said.descriptor == "dev/billing"
    assert "let its owner add desk" in said.do


def test_an_instance_of_a_declared_service_is_reached_by_its_address_alone() -> None:
    descriptors = {issuer: bare(issuer) for issuer in SERVICES}
    descriptors["dev/desk"]["dependencies"] = {"billing": "hard"}
    said = explain(connection("127.0.0.1", 20002), platform(descriptors))
    assert said.line is None
    assert "${dependencies.billing.url}" in said.do
