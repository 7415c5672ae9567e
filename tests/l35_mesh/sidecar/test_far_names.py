"""Hosts that a service knows by their names, in a world that a test made: who owns a name decides where it leads."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import msgspec
import pytest

from drystone.l10_engines.namespaces import inside
from drystone.testing.conformance.engines import short_home
from l10_engines.networks.conftest import works_here
from l35_mesh.sidecar.around import OUTSIDE, OUTSIDE_6, SERVER, STAND_INS, program, world

__all__ = ["works_here"]

TESTS = Path(__file__).parents[2]
FAR_NAMES = Path(__file__).with_name("far_names.py")
PRIVATE, PORTS, LIMIT_S = "10.1.2.3", (80, 443, 5432), 100
ANSWERED, BELOW = "HTTP/1.1 200 OK", "below.example"
Attempt = tuple[str | int, ...]


def named(*addresses: str, below: str = BELOW) -> str:
    """Return a name that leads to some addresses."""
    return f"at-{'-and-'.join(one.replace('.', '-') for one in addresses)}.{below}"


def six(address: str) -> str:
    return f"six-{address.replace(':', '-')}.{BELOW}"


GOOD, OTHER = named(OUTSIDE), named(OUTSIDE, below="other.example")
INSIDE, LOST = named(PRIVATE, below="plain.example"), named("10.2.0.1", below="plain.example")
PLAIN = "plain.example"
UNHEARD, CLOSED = (
    "203.0.113.200",
    SERVER,
)  # one answers nothing at all, the other that nobody listens
SEVERAL = (
    named(UNHEARD, OUTSIDE, below=PLAIN),
    named(CLOSED, OUTSIDE, below=PLAIN),
    named("127.0.0.1", OUTSIDE, below=PLAIN),
    named("169.254.169.254", CLOSED, OUTSIDE, below=PLAIN),
    f"both-{UNHEARD.replace('.', '-')}-or-{OUTSIDE_6.replace(':', '-')}.{PLAIN}",
    f"both-{OUTSIDE.replace('.', '-')}-or-2001-db8--dead.{PLAIN}",
)
ONLY_INSIDE = named("127.0.0.1", "169.254.169.254", below=PLAIN)
EGRESS = (
    *(f"*.{BELOW}", f"*.{BELOW}:80", f"{INSIDE}:5432", f"{LOST}:5432"),
    *(f"{host}:5432" for host in (*SEVERAL, ONLY_INSIDE)),
)

PASS: tuple[Attempt, ...] = (
    ("tls", GOOD, 443),
    ("tls", f"deep.{GOOD}", 443),
    ("tls", six(OUTSIDE_6), 443),
    ("tls", named(PRIVATE), 443),
    ("http", GOOD, 80),
    ("http", GOOD, 80, GOOD),
    ("http", GOOD, 443),
    ("bytes", INSIDE, 5432),
    *(("bytes", host, 5432, word) for host in SEVERAL for word in ("", "again")),
)
UNDECLARED: tuple[Attempt, ...] = (
    ("tls", GOOD, 443, OTHER),
    ("tls", GOOD, 5432),
    ("tls", OTHER, 443),
    ("tls", OTHER, 443, OTHER, OUTSIDE),
    ("tls", GOOD, 443, GOOD, OUTSIDE),
    ("bytes", GOOD, 443),
)
OTHER_HOSTS: tuple[Attempt, ...] = (
    ("http", GOOD, 80, f"{GOOD}:443"),
    ("http", GOOD, 80, OTHER),
)
NOT_OUTSIDE = ("127.0.0.1", "192.0.2.2", "169.254.169.254", "0.0.0.0", "10.2.0.1")  # noqa: S104
MISLED: tuple[Attempt, ...] = (
    *(("tls", named(one), 443) for one in NOT_OUTSIDE),
    ("tls", named("127.0.0.1", OUTSIDE), 443),
    ("tls", six("::1"), 443),
    ("http", named("127.0.0.1"), 80),
    ("bytes", LOST, 5432),
    ("bytes", ONLY_INSIDE, 5432),
)


class Tried(msgspec.Struct, frozen=True):
    """What became of everything that a service tried, and what was written down of what was refused."""

    outcomes: dict[Attempt, str]
    refused: list[dict[str, Any]]


@pytest.fixture(scope="module")
def desk(works_here: None) -> Iterator[Tried]:
    """Let a service try everything, in a network that leads to hosts of a world and has hosts of its own."""
    attempts = (*PASS, *UNDECLARED, *OTHER_HOSTS, *MISLED)
    told = {
        "egress": EGRESS,
        "private": ["10.1.0.0/16"],
        "attempts": attempts,
        "refused": len(attempts) - len(PASS),
    }
    with short_home() as home, ExitStack() as ending:
        there = [f"tcp:{at}:{port}" for at in (OUTSIDE, PRIVATE) for port in PORTS]
        there += [f"tcp:{OUTSIDE_6}:{port}" for port in (443, 5432)]
        here = ending.enter_context(world(home, carrying=(PRIVATE,), listening=there))
        own = [f"tcp:{at}:{port}" for at in ("127.0.0.1", "192.0.2.2") for port in PORTS]
        words = (sys.executable, str(STAND_INS), str(home / "here"), *own)
        ending.enter_context(program(here, *words))
        (home / "resolv.conf").write_text(f"nameserver {SERVER}\n")
        found = tried(here, home, json.dumps(told))
        yield Tried(dict(zip(attempts, found["outcomes"], strict=True)), found["refused"])


def tried(here: Path, home: Path, told: str) -> dict[str, Any]:
    script = 'mount --bind "$1" /etc/resolv.conf && shift && exec "$@"'
    words = ["unshare", "--mount", "sh", "-c", script, "sh", str(home / "resolv.conf")]
    words += [sys.executable, str(FAR_NAMES), str(home), told]
    env = {**os.environ, "PYTHONPATH": str(TESTS)}
    done = inside(
        here,
        lambda: subprocess.run(
            words, env=env, capture_output=True, text=True, timeout=LIMIT_S, check=False
        ),
    )
    assert done.returncode == 0, done.stderr
    found: dict[str, Any] = json.loads(done.stdout)
    return found


def test_a_declared_name_is_reached_wherever_outside_it_leads(desk: Tried) -> None:
    """Names below a star by TLS and HTTP, one by IPv6 alone, and one in a private network that is declared as well."""
    assert {one: desk.outcomes[one] for one in PASS} == dict.fromkeys(PASS, ANSWERED)


def test_another_name_port_or_address_is_not_reached(desk: Tried) -> None:
    outcomes = [desk.outcomes[one] for one in (*UNDECLARED, *OTHER_HOSTS)]
    assert ANSWERED not in outcomes, outcomes
    assert outcomes[-2:] == ["HTTP/1.1 403 Forbidden"] * 2
    listeners = [one["listener"] for one in desk.refused if one["listener"] != "border"]
    assert sorted(listeners) == ["catcher"] * 3 + ["dns"] + ["egress"] * 4


def test_a_name_that_leads_to_no_outside_is_not_followed_and_told(desk: Tried) -> None:
    """Nor is one that leads to a private network beside the one that is declared."""
    outcomes = {one: desk.outcomes[one] for one in MISLED}
    assert ANSWERED not in outcomes.values(), outcomes
    told = {
        (one["name"], one["destination"]) for one in desk.refused if one["listener"] == "border"
    }
    aimed = ["127.0.0.1", "192.0.2.2", "169.254.169.254", "10.2.0.1", "[::1]"]
    assert {(f"*.{BELOW}:443", f"{one}:443") for one in aimed} <= told
    assert (f"*.{BELOW}:80", "127.0.0.1:80") in told
    assert (f"{LOST}:5432", "10.2.0.1:5432") in told
