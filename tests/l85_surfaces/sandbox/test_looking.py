"""What is seen of a sandbox: calls with their verdicts, and settings without what is secret in them."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from drystone.l85_surfaces.sandbox.calls import calls_of, last_calls, verdicts_of
from drystone.l85_surfaces.sandbox.looking import Setting, hidden, settings_of


def line(**said: object) -> bytes:
    usual = {
        "time": "2026-01-02T03:04:05.006Z",
        "listener": "outbound",
        "request_id": "r1",
        "caller": "local/shop",
        "service": "billing.local",
        "method": "GET",
        "path": "/",
        "status": 200,
        "details": "via_upstream",
    }
    # As the proxy writes it: without blanks.
    return json.dumps({**usual, **said}, separators=(",", ":")).encode()


@pytest.mark.parametrize(
    ("said", "verdict"),
    [
        ({}, "answered"),
        ({"status": 404}, "answered"),
        ({"status": 500}, "answered with an error"),
        ({"status": 503, "details": "upstream_reset{x|y}"}, "not reached: upstream reset"),
        ({"status": None, "details": None}, "not reached"),
        ({"request_id": "r2", "status": 400}, "the body is missing"),
    ],
)
def test_a_call_has_a_verdict(said: dict[str, object], verdict: str) -> None:
    (call,) = calls_of([line(**said)], {"r2": "the body is missing"}, most=10)

    assert call.verdict == verdict


def test_the_last_calls_come_first_and_lines_of_others_are_left_out(tmp_path: Path) -> None:
    log = tmp_path / "access.log"
    lines = [line(path=f"/{number}") for number in range(5)]
    lines += [line(listener="edge"), b'{"listener":"outbound"', b"", b"\xff", b"[" * 10_000]
    log.write_bytes(b"\n".join(lines))

    assert [one.request for one in last_calls(log, {}, most=3)] == ["GET /4", "GET /3", "GET /2"]
    assert last_calls(tmp_path / "none.log", {}, most=3) == []


@given(st.lists(st.text(max_size=40)))
def test_whatever_a_mock_writes_is_read(lines: list[str]) -> None:
    told = json.dumps({"id": "r1", "verdict": "made up", "status": 200})

    assert verdicts_of([*lines, told])["r1"] == "made up"


def test_settings_of_resources_are_chosen_and_their_secrets_hidden() -> None:
    said = "\0".join(
        [
            "HOME=/x",
            "DB_URL=postgresql://me:geheim@h:1/d",
            "DB_PASSWORD=geheim",
            "MY_DB_PORT=1",
            "DB_PORT=1",
            "DATABASE=redis://:geheim@h/0",
        ]
    )

    found = settings_of(said, {"my-db": "postgres", "db": "postgres"}, ["DATABASE"])

    assert [one.name for one in found] == [
        "DATABASE",
        "DB_PASSWORD",
        "DB_PORT",
        "DB_URL",
        "MY_DB_PORT",
    ]
    assert not any("geheim" in hidden(one) for one in found)
    assert hidden(found[3]) == "postgresql://me:…@h:1/d"
    assert hidden(Setting("DB_PORT", "1", is_secret=False)) == "1"
