"""A service and hosts that it knows by their names: ``python far_names.py HOME DESCRIPTION``, in a network of a test.

The description is JSON, ``{"egress": […], "private": […], "attempts": [[kind, host, port, …], …]}``. It prints what became of each
attempt of the service ``desk``, and what was written down of what was refused. Names are asked where ``/etc/resolv.conf``
says, as everywhere.
"""

from __future__ import annotations

import asyncio
import json
import socket
import ssl
import sys
from datetime import timedelta
from pathlib import Path
from typing import Any

from drystone.l10_engines.namespaces import inside
from drystone.l10_engines.networks.driver import Networks
from drystone.l10_engines.proxy.snapshot import Snapshot
from drystone.l25_deployer.local.mesh import Member
from drystone.l25_deployer.stacks.model import EnvironmentStack
from drystone.l35_mesh.sidecar.around import Around
from drystone.l35_mesh.sidecar.model import Mesh
from drystone.l35_mesh.sidecar.snapshot import mesh_snapshot
from drystone.testing.conformance.engines import eventually
from l10_engines.proxy.rig import Rig

PATIENCE_S = 10


def hello(name: str) -> bytes:
    """Return the first words of TLS to a host (RFC 8446 section 4.1.2)."""
    heard, said = ssl.MemoryBIO(), ssl.MemoryBIO()
    client = ssl.create_default_context().wrap_bio(heard, said, server_hostname=name)
    try:
        client.do_handshake()
    except ssl.SSLWantReadError:
        return said.read()
    raise AssertionError(name)


def words(kind: str, host: str, port: int, said: str = "") -> bytes:
    if kind == "tls":
        return hello(said or host)
    if kind == "http":
        return f"GET /x HTTP/1.1\r\nHost: {said or f'{host}:{port}'}\r\n\r\n".encode()
    return b"hello"


def tried(kind: str, host: str, port: int, said: str = "", at: str = "") -> str:
    """Say something to a host, or under its name at an address that it does not have, and return what comes back."""
    try:
        where = at or socket.gethostbyname(host)
        with socket.create_connection((where, port), timeout=PATIENCE_S) as connection:
            connection.sendall(words(kind, host, port, said))
            answer = connection.recv(65536)
            while answer.startswith(b"HTTP") and b"\r\n\r\n" not in answer:
                answer += connection.recv(65536)
    except OSError as e:
        return type(e).__name__
    return answer.decode(errors="replace").splitlines()[0] if answer else "closed"


async def main(home: Path, told: dict[str, Any]) -> dict[str, Any]:
    stack = EnvironmentStack(
        *("desk", "dev", "docs", 2, (), timedelta(seconds=15), False),
        egress=tuple(told["egress"]),
        private=tuple(told["private"]) or None,
    )
    desk = Member(environment="dev", service="desk", surroundings=(stack,), is_apart=True)
    around, rig = Around(Networks(home / "n"), memory=home / "m", edge=8400), Rig(home)
    await around.prepare([(desk, [])])
    found = around.of("desk.dev")
    assert found is not None
    border = found.border
    mesh = Mesh(
        access_log=rig.access_log,
        egresses=found.egresses,
        borders=() if border is None else (border,),
        catchers=(found.catcher,),
        resolvers=(found.resolver,),
    )
    await rig.live()
    try:
        await rig.envoy.publish(mesh_snapshot(mesh, Snapshot()))
        assert rig.envoy.refused == {}
        outcomes = [
            await asyncio.to_thread(inside, found.network, lambda one=one: tried(*one))
            for one in told["attempts"]
        ]
        log = rig.access_log.with_name("refusals.log")
        wanted = told["refused"]
        if wanted:
            await eventually(lambda: log.exists() and len(lines(log)) >= wanted)
        return {
            "outcomes": outcomes,
            "refused": lines(log) if log.exists() else [],
            "passed": lines(rig.access_log) if rig.access_log.exists() else [],
        }
    finally:
        await rig.end()
        await around.end()


def lines(log: Path) -> list[dict[str, Any]]:
    every = [json.loads(one) for one in log.read_text().rpartition("\n")[0].splitlines()]
    return [one for one in every if one.get("listener") != "dns" or one["answers"] == "0"]


if __name__ == "__main__":
    json.dump(asyncio.run(main(Path(sys.argv[1]), json.loads(sys.argv[2]))), sys.stdout)
