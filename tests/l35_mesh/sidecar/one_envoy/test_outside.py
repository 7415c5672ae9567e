"""Ways out, and the end of all others, at a real Envoy."""

from __future__ import annotations

import asyncio
import itertools
import json
import ssl
from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio

from drystone.l10_engines.certificates import make_authority, make_certificate
from drystone.l10_engines.loopback_ports import free_port
from drystone.l10_engines.proxy.refusal_log import refusals_beside
from drystone.l10_engines.proxy.snapshot import Snapshot
from drystone.l35_mesh.sidecar.model import Address, Catcher, Egress, Mesh
from drystone.l35_mesh.sidecar.snapshot import mesh_snapshot
from drystone.testing.conformance.engines import eventually
from l10_engines.proxy.upstream import Upstream
from l35_mesh.sidecar.rig import MeshRig

pytestmark = pytest.mark.asyncio(loop_scope="module")


NUMBERS = itertools.count()


class Outside:
    """A host outside that speaks TLS and answers with what it is asked, and the ways of a service."""

    def __init__(self, rig: MeshRig, home: Path) -> None:
        self.rig = rig
        life = timedelta(hours=1)
        self._authority = make_authority("test", life=life)
        pair = make_certificate(
            "localhost", authority=self._authority, life=life, domains=["localhost", "other.test"]
        )
        (home / "pair.pem").write_bytes(pair.certificate + pair.key)
        (home / "authority.pem").write_bytes(self._authority.certificate)
        self._shown = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        self._shown.load_cert_chain(home / "pair.pem")
        self.trusted = ssl.create_default_context(cafile=home / "authority.pem")
        self.port = 0
        self.asked = 0
        number = next(NUMBERS)  # the lines of others stand in the same logs
        self.name, self.issuer = f"desk{number}.dev", f"dev/desk{number}"

    async def start(self) -> asyncio.Server:
        server = await asyncio.start_server(self._answer, "127.0.0.1", 0, ssl=self._shown)
        self.port = server.sockets[0].getsockname()[1]
        return server

    async def _answer(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.asked += 1
        writer.write(await reader.readline())
        writer.close()

    async def have(self, *parts: Egress | Catcher) -> None:
        mesh = Mesh(
            access_log=self.rig.access_log,
            egresses=tuple(part for part in parts if isinstance(part, Egress)),
            catchers=tuple(part for part in parts if isinstance(part, Catcher)),
        )
        await self.rig.envoy.publish(mesh_snapshot(mesh, Snapshot()))
        assert self.rig.envoy.refused == {}

    async def refused(self) -> list[dict[str, Any]]:
        """Wait for refusals, and return those that were written down."""
        log = refusals_beside(self.rig.access_log)

        def lines() -> list[dict[str, Any]]:
            written = log.read_text().rpartition("\n")[0] if log.exists() else ""
            every = [json.loads(line) for line in written.splitlines()]
            return [line for line in every if line["caller"] == self.issuer]

        await eventually(lambda: bool(lines()))
        return lines()


@pytest_asyncio.fixture(loop_scope="module")
async def outside(stopped: MeshRig, home: Path) -> AsyncIterator[Outside]:
    outside = Outside(stopped, home)
    server = await outside.start()
    yield outside
    server.close()
    await server.wait_closed()


async def said(port: int, words: bytes, **more: Any) -> bytes:
    """Connect, say something, and return everything that comes back."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port, **more)
    try:
        writer.write(words)
        return await reader.read()
    except ConnectionResetError:  # what was said was not read
        return b""
    finally:
        writer.close()


def to(outside: Outside, at: int, **changes: Any) -> Egress:
    fields: dict[str, Any] = {"caller": outside.name, "host": "localhost", "port": outside.port}
    return Egress(**{**fields, "listen": Address(at), **changes})


async def test_tls_passes_to_the_declared_host_whose_certificate_the_client_checks(
    outside: Outside,
) -> None:
    at = free_port()
    await outside.have(to(outside, at, tls=True))
    heard = await said(at, b"hello\n", ssl=outside.trusted, server_hostname="localhost")
    assert heard == b"hello\n"
    (line,) = await outside.rig.logged(1, listener="egress", caller=outside.issuer)
    assert line["host"] == f"localhost:{outside.port}"


async def test_by_the_way_to_one_host_nobody_reaches_another(outside: Outside) -> None:
    at = free_port()
    await outside.have(to(outside, at, tls=True))
    with pytest.raises((ConnectionError, ssl.SSLError)):
        await said(at, b"hello\n", ssl=outside.trusted, server_hostname="other.test")
    (line,) = await outside.refused()
    assert line["listener"] == "egress"
    assert line["name"] == "other.test"
    assert outside.asked == 0


@pytest.mark.parametrize("words", [b"GET / HTTP/1.1\r\nhost: localhost\r\n\r\n", b""])
async def test_what_is_no_tls_does_not_pass_where_tls_is_declared(
    outside: Outside, words: bytes
) -> None:
    at = free_port()
    await outside.have(to(outside, at, tls=True))
    assert await said(at, words) == b""
    assert len(await outside.refused()) == 1
    assert outside.asked == 0


@pytest.mark.parametrize("host", ["localhost", "127.0.0.1"])
async def test_anything_passes_where_nothing_else_is_said(
    outside: Outside, blue: Upstream, host: str
) -> None:
    at = free_port()
    await outside.have(to(outside, at, host=host, port=blue.port))
    answer = await said(at, b"GET /break HTTP/1.1\r\n\r\n")
    assert answer == b""
    assert blue.seen["GET /break"] == 1


async def test_who_speaks_http_to_something_undeclared_is_told_what_to_declare(
    outside: Outside,
) -> None:
    at = free_port()
    await outside.have(Catcher(caller=outside.name, listen=Address(at)))
    words = b"GET /secrets?key=1 HTTP/1.1\r\nhost: db.test:81\r\nconnection: close\r\n\r\n"
    head, _, body = (await said(at, words)).partition(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 403 ")
    told = json.loads(body)
    assert told["type"] == "mesh.DestinationUndeclared"
    assert f"{outside.issuer} may not reach db.test:81" in told["detail"]
    (line,) = await outside.refused()
    assert (line["listener"], line["name"]) == ("catcher", "db.test:81")
    assert line["destination"] == f"127.0.0.1:{at}"


@pytest.mark.parametrize("words", [b"\x00\x00\x00\x08\x04\xd2\x16\x2f", b""])
async def test_what_else_tries_something_undeclared_is_closed_and_written_down(
    outside: Outside, words: bytes
) -> None:
    at = free_port()
    await outside.have(Catcher(caller=outside.name, listen=Address(at)))
    assert await said(at, words) == b""
    (line,) = await outside.refused()
    assert line["listener"] == "catcher"
    assert line["destination"] == f"127.0.0.1:{at}"


async def test_of_tls_to_something_undeclared_the_name_is_written_down(outside: Outside) -> None:
    at = free_port()
    await outside.have(Catcher(caller=outside.name, listen=Address(at)))
    with pytest.raises((ConnectionError, ssl.SSLError)):
        await said(at, b"hello\n", ssl=outside.trusted, server_hostname="evil.test")
    assert [line["name"] for line in await outside.refused()] == ["evil.test"]
