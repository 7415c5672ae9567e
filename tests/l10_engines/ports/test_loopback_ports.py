"""Ports that are given away."""

from __future__ import annotations

import itertools
import secrets
import socket
import subprocess
import sys

import pytest

from drystone.l00_kernel.errors import Unavailable
from drystone.l10_engines import loopback_ports
from drystone.l10_engines.loopback_ports import free_port, is_free

FIND_AND_STAY = """
import sys
from drystone.l10_engines import loopback_ports
loopback_ports.FIRST, loopback_ports.LAST = map(int, sys.argv[1:])
print(loopback_ports.free_port(), flush=True)
input()
"""


FOURS = itertools.count(secrets.randbelow(1_500))
"""Each four ports are given away once by this process, below those that others are given."""


@pytest.fixture
def few(monkeypatch: pytest.MonkeyPatch) -> range:
    """A handful of ports that nobody listens at and that nobody else looks at, instead of them all."""
    fours = (range(first, first + 4) for first in (12_000 + 4 * (n % 1_700) for n in FOURS))
    few = next(four for four in fours if all(map(is_free, four)))
    monkeypatch.setattr(loopback_ports, "FIRST", few[0])
    monkeypatch.setattr(loopback_ports, "LAST", few[-1])
    return few


def test_a_port_is_given_once_though_nobody_listens_yet(few: range) -> None:
    assert {free_port() for _ in few} == set(few)


def test_a_port_that_another_process_was_given_is_not_given_until_that_one_ends(
    few: range,
) -> None:
    command = [sys.executable, "-c", FIND_AND_STAY, str(few[0]), str(few[-1])]
    others = [
        subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        for _ in range(2)
    ]
    try:
        theirs = [int(one.stdout.readline()) for one in others if one.stdout]
        assert len({*theirs, free_port(), free_port()}) == 4
        others[0].communicate("\n")
        assert free_port() == theirs[0]
    finally:
        for one in others:
            one.kill()
            one.communicate()


def test_when_every_port_is_promised_or_used_that_is_said(few: range) -> None:
    with socket.create_server(("127.0.0.1", few[0])):
        assert {free_port() for _ in few[1:]} == set(few[1:])
        with pytest.raises(Unavailable, match=f"every port from {few[0]}"):
            free_port()
