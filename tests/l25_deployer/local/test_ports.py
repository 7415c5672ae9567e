from __future__ import annotations

import secrets
import socket
from pathlib import Path

import pytest

from drystone.l00_kernel.errors import Unavailable
from drystone.l10_engines.loopback_ports import free_port, is_free
from drystone.l25_deployer.local.ports import PortBook


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "ports.json"


def test_a_service_keeps_its_internal_port_over_the_lives_of_the_platform(path: Path) -> None:
    book = PortBook(path)
    assert book.known("users.dev") is None

    port = book.internal("users.dev")

    assert book.internal("users.dev") == port
    assert book.internal("users.prod") != port
    assert PortBook(path).internal("users.dev") == port
    assert PortBook(path).known("users.dev") == port


def test_no_port_is_given_twice(path: Path) -> None:
    book = PortBook(path)

    given = [book.lend() for _ in range(50)] + [book.internal(f"s{n}.dev") for n in range(50)]

    assert len(set(given)) == 100
    assert all(port < 32768 for port in given)


def test_a_port_that_was_lent_in_an_earlier_life_is_not_lent_again(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Below those that are promised, so that nobody has it.
    first = next(filter(is_free, iter(lambda: 12_000 + secrets.randbelow(7_000), None)))
    monkeypatch.setattr("drystone.l10_engines.loopback_ports.FIRST", first)
    monkeypatch.setattr("drystone.l10_engines.loopback_ports.LAST", first)
    book = PortBook(path)
    book.note(first)

    with pytest.raises(Unavailable, match="is in use"):
        book.lend()
    book.give_back(first)
    assert book.lend() == first


def test_a_port_on_which_somebody_listens_is_not_lent(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with socket.create_server(("127.0.0.1", free_port())) as stranger:
        taken = stranger.getsockname()[1]
        monkeypatch.setattr("drystone.l10_engines.loopback_ports.FIRST", taken)
        monkeypatch.setattr("drystone.l10_engines.loopback_ports.LAST", taken + 20)

        assert taken < PortBook(path).lend() <= taken + 20
