from __future__ import annotations

import socket
from pathlib import Path

import pytest

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
    monkeypatch.setattr("drystone.l10_engines.loopback_ports.LAST", 20002)
    book = PortBook(path)
    book.note(20000)
    book.note(20001)

    assert book.lend() == 20002
    book.give_back(20001)
    assert book.lend() == 20001


def test_a_port_on_which_somebody_listens_is_not_lent(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as stranger:
        taken = stranger.getsockname()[1]
        monkeypatch.setattr("drystone.l10_engines.loopback_ports.FIRST", taken)
        monkeypatch.setattr("drystone.l10_engines.loopback_ports.LAST", taken + 1)

        assert PortBook(path).lend() == taken + 1
