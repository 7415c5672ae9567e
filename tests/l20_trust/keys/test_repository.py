"""The key repository: what it serves, to whom, and that it needs nobody."""

from __future__ import annotations

import asyncio
import http.client
import os
import signal
import socket
import ssl
import sys
import time
from contextlib import closing

import jwt
import msgspec
import pytest
from jwt import PyJWKClient

from drystone.l00_kernel.clock import SystemClock
from drystone.l00_kernel.settings_tables import KeysSettings
from drystone.l10_engines.supervision.supervisor import Supervisor
from drystone.l20_trust.certificates.authority import Authority
from drystone.l20_trust.keys.http import renew_when_due
from drystone.l90_assembly.keys import key_parts, keys_of
from l20_trust.key_rings import CTX, ORDERS, PAYMENTS, token_of
from l20_trust.keys.conftest import Running
from l20_trust.keys.public_clients import library
from l25_deployer.small_platform import until

ORDERS_IN = {"environment": "dev", "service": "orders"}


pytestmark = pytest.mark.asyncio(loop_scope="module")


async def a_key(running: Running) -> str:
    return next(k.id for k in await running.keys.keys(CTX) if k.state == "active")


async def test_a_key_is_served_as_clients_of_asap_demand_by_both(running: Running) -> None:
    key = await a_key(running)
    for server in (0, 1):
        status, headers, body = running.ask(f"/keys/{key}", server=server)
        assert status == 200
        assert headers["content-type"] == "application/x-pem-file"
        assert headers["cache-control"] == "public, max-age=60"
        assert body.startswith(b"-----BEGIN PUBLIC KEY-----")
        status, headers, body = running.ask(f"/jwks/{PAYMENTS}.json", server=server)
        assert (status, headers["content-type"]) == (200, "application/json")
        assert [one["kid"] for one in msgspec.json.decode(body)["keys"]][-1:] == [key]
    status, headers, body = running.ask(f"/keys/{key}", method="HEAD")
    assert (status, body) == (200, b"")
    assert int(headers["content-length"]) > 0


async def test_what_is_not_published_is_not_served(running: Running) -> None:
    key = await a_key(running)
    for path in (
        "/",
        "/keys/",
        f"/keys/{ORDERS}/20260504t100000-000000-5d0ca1b2.pem",
        f"/keys/{key}/",
        f"/keys/{key}?x=1",
        f"/keys//{key}",
        f"/keys/../keys/{key}",
        f"/keys/{key.replace('/', '%2f')}",
        "/keys/%2e%2e/%2e%2e/x.pem",
        f"/rings/{ORDERS}.json",
        f"/../rings/{ORDERS}.json",
        f"/keys/dev/orders/{'x' * 4000}.pem",
        "/jwks/dev/mail.json",
    ):
        status, headers, _ = running.ask(path)
        assert (status, headers["cache-control"]) == (404, "no-store"), path
    assert running.ask("/keys/", method="POST")[0] == 405


async def test_a_verifier_that_reads_key_sets_finds_the_callers_of_its_service(
    running: Running,
) -> None:
    made = await token_of(running.keys)
    place = running.parts.servers[0].url.removesuffix("keys/")
    client = PyJWKClient(
        f"{place}jwks/{PAYMENTS}.json",
        ssl_context=ssl.create_default_context(cafile=running.trusted),
    )
    key = client.get_signing_key_from_jwt(made.token)
    assert jwt.decode(made.token, key, ["ES256"], audience=PAYMENTS)["sub"] == ORDERS


async def test_the_copy_serves_while_the_first_is_dead(
    running: Running,
) -> None:
    made = await token_of(running.keys)
    pid = running.parts.servers[0].status().pid
    assert pid is not None
    os.kill(pid, signal.SIGSTOP)  # so that it is not started again before it was asked
    try:
        with pytest.raises(TimeoutError):
            socket_answer(running.parts.servers[0].port)
        assert running.ask(f"/keys/{made.key}", server=1)[0] == 200
    finally:
        os.kill(pid, signal.SIGKILL)
    with library(running) as verify:
        assert verify(made.token)["iss"] == ORDERS
    await until(lambda: running.parts.servers[0].status().pid not in {None, pid}, "started again")
    await running.keys.provide("dev", "orders", 1, [PAYMENTS])  # returns when both answer
    assert running.ask(f"/keys/{made.key}")[0] == 200


def socket_answer(port: int) -> bytes:
    """Wait a moment for any answer to what is no handshake; who lives hangs up."""
    with socket.create_connection(("127.0.0.1", port), timeout=0.3) as connection:
        connection.sendall(b"x" * 100)
        return connection.recv(1)


async def test_a_new_certificate_is_shown_without_a_restart(running: Running) -> None:
    server = running.parts.servers[1]
    before = ssl.get_server_certificate(("127.0.0.1", server.port))
    pid = server.status().pid
    due = server.data / "server.due"
    authority = running.home.trust / "certificates"
    command = [sys.executable, "-P", "-m", "drystone.l20_trust.certificates"]
    command += ["--folder", str(authority), "--into", str(server.data)]

    renew_when_due(due, command)
    assert ssl.get_server_certificate(("127.0.0.1", server.port)) == before, "it is not due"
    due.write_text(str(int(time.time()) - 1))
    await asyncio.to_thread(renew_when_due, due, command)
    assert ssl.get_server_certificate(("127.0.0.1", server.port)) != before
    assert running.ask("/healthz", server=1)[0] == 200
    assert server.status().pid == pid
    renew_when_due(running.home.path / "missing", ["/bin/false"])  # told, and tried again


async def test_a_certificate_that_cannot_be_used_is_as_if_it_had_not_changed(
    running: Running,
) -> None:
    pair = running.parts.servers[1].data / "server.pem"
    good = pair.read_bytes()
    pair.write_bytes(b"nonsense")
    assert running.ask("/healthz", server=1)[0] == 200
    pair.write_bytes(good)
    assert running.ask("/healthz", server=1)[0] == 200


async def test_whoever_says_nothing_or_nonsense_keeps_nobody_from_being_served(
    running: Running,
) -> None:
    port = running.parts.servers[1].port
    silent = [socket.create_connection(("127.0.0.1", port)) for _ in range(40)]
    try:
        for one in silent[::2]:
            one.sendall(b"GET /healthz HTTP/1.1\r\n\r\n")
        assert running.ask("/healthz", server=1)[0] == 200
    finally:
        for one in silent:
            one.close()
    assert running.ask("/healthz", server=1)[0] == 200


async def test_a_client_that_does_not_know_the_authority_refuses_the_server(
    running: Running,
) -> None:
    connection = http.client.HTTPSConnection("127.0.0.1", running.parts.servers[1].port, timeout=10)
    with closing(connection), pytest.raises(ssl.SSLCertVerificationError):
        connection.request("GET", "/healthz")


async def test_a_new_agent_takes_over_what_runs(running: Running) -> None:
    parts = key_parts(running.home)
    supervisor = Supervisor(parts.servers)
    keys = keys_of(parts, supervisor, SystemClock(), settings=KeysSettings())
    before = running.parts.servers[1].status().pid
    await keys.provide("dev", "orders", 1, [PAYMENTS])

    assert parts.servers[1].status().pid == before
    assert Authority(running.home.trust / "certificates").certificate == running.trusted
    await supervisor.detach()
