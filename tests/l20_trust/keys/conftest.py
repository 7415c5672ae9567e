from __future__ import annotations

import http.client
import ssl
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import msgspec
import pytest_asyncio

from drystone.l00_kernel.clock import SystemClock
from drystone.l00_kernel.home import Home
from drystone.l00_kernel.settings_tables import KeysSettings
from drystone.l10_engines.supervision.supervisor import Supervisor
from drystone.l20_trust.keys.service import Keys
from drystone.l90_assembly.keys import KeyParts, key_parts, keys_of
from l20_trust.key_rings import PAYMENTS
from l25_deployer.small_platform import short_folder


class Running(msgspec.Struct):
    """A repository and its copy that run, and the keys that they serve."""

    keys: Keys
    parts: KeyParts
    home: Home

    @property
    def trusted(self) -> Path:
        return self.home.trust / "certificates/ca.pem"

    def ask(self, path: str, *, method: str = "GET", server: int = 0) -> tuple[int, Any, bytes]:
        """Ask a server for a path, as it stands."""
        context = ssl.create_default_context(cafile=self.trusted)
        port = self.parts.servers[server].port
        connection = http.client.HTTPSConnection("127.0.0.1", port, timeout=10, context=context)
        try:
            connection.putrequest(method, path, skip_accept_encoding=True)
            connection.endheaders()
            answer = connection.getresponse()
            return answer.status, answer.headers, answer.read()
        finally:
            connection.close()


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def running() -> AsyncIterator[Running]:
    with short_folder() as folder:
        home = Home.create(folder / "h")
        parts = key_parts(home)
        supervisor = Supervisor(parts.servers)
        keys = keys_of(parts, supervisor, SystemClock(), settings=KeysSettings())
        await keys.provide("dev", "orders", 1, [PAYMENTS])
        yield Running(keys, parts, home)
        await supervisor.detach()
        for server in parts.servers:
            await server.stop()
