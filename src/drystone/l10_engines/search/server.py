"""The engine: one process for each search that a service asks for."""

from __future__ import annotations

import abc
import asyncio
import base64
import http.client
import secrets
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any, ClassVar

import msgspec
from typing_extensions import override

import drystone
from drystone.l00_kernel.atomic import write_atomically
from drystone.l10_engines.search.access import SearchAccess, hashed
from drystone.l10_engines.search.errors import NotDeclarable
from drystone.l10_engines.supervision.errors import EngineFailed
from drystone.l10_engines.supervision.launch import Launch, Patience
from drystone.l10_engines.supervision.local import LocalEngine
from drystone.l10_engines.supervision.port import Engine

MEBIBYTE = 1024 * 1024
USER = "service"

MEMORY = 1024 * MEBIBYTE
"""Bytes of private memory that the process may have; it ends when it wants more, and is started again with all documents."""

_PROBE_LIMIT_S = 1.0
_ASK_LIMIT_S = 120.0


class SearchEngine(Engine):
    """What answers by the protocol of OpenSearch, here or elsewhere."""

    @abc.abstractmethod
    def access(self) -> SearchAccess:
        """Return what a service needs to use the search.

        Raises:
            EngineFailed: The engine was never started.
        """

    @abc.abstractmethod
    def also_accept(self, password: str | None) -> None:
        """Let a second password open the search, or the first one alone, from the next request on.

        It stays so, whatever starts again, until it is said otherwise. Idempotent.

        Args:
            password: The second one; None for none.
        """

    @abc.abstractmethod
    async def declare(self, indices: Mapping[str, Any]) -> None:
        """Make indices be there, with at least these fields. Idempotent; what else is there stays.

        Args:
            indices: By name, the mapping of each: an object with ``properties``.

        Raises:
            NotDeclarable: A mapping cannot be read, or a field that is there would become another one.
            EngineFailed: The engine does not answer.
        """


class Tantivy(LocalEngine, SearchEngine):
    """Documents and their words, as a process on a loopback port.

    Args:
        name: The engine's name among all engines of one home, such as ``search-orders``.
        directory: The engine's own directory. Documents lie in ``data/documents.sqlite``; ``data/words`` is made of them.
        most: Bytes that documents and words may take.
        password_file: The service's password; made when missing, in the engine's directory when None. The process
            itself knows nothing but a hash of it.
        patience: How long it is waited for.
    """

    program: ClassVar[str] = Path(sys.executable).resolve().name

    def __init__(
        self,
        name: str,
        directory: Path,
        *,
        most: int = 1024 * MEBIBYTE,
        password_file: Path | None = None,
        patience: Patience | None = None,
    ) -> None:
        super().__init__(name, directory, memory=MEMORY, patience=patience)
        self._most = most
        self._password_file = password_file or directory / "password"
        self._further_password_file = directory / "further-password"
        self._known_file = directory / "known"

    @override
    def access(self) -> SearchAccess:
        return SearchAccess(
            host="127.0.0.1", port=self.port, user=USER, password=self._password_file.read_text()
        )

    @override
    async def prepare(self) -> None:
        self.data.mkdir(mode=0o700, exist_ok=True)
        if not self._password_file.exists():
            write_atomically(self._password_file, secrets.token_urlsafe(32).encode())

    @override
    def launch(self, ports: dict[str, int]) -> Launch:
        self._write_known()
        options = {
            "port": ports["clients"],
            "known": self._known_file,
            "most": self._most,
            "memory": self.memory,
        }
        words = [word for name, value in options.items() for word in (f"--{name}", str(value))]
        return Launch(
            command=(sys.executable, "-P", "-m", "drystone.l10_engines.search", *words),
            env={
                "PATH": "/usr/bin:/bin",
                "LANG": "C.UTF-8",
                "HOME": str(self.data),
                "TMPDIR": str(self.data),
            },
        )

    def _write_known(self) -> None:
        """Bring what the process knows of the passwords up to date."""
        some = [self._password_file, *filter(Path.exists, [self._further_password_file])]
        known = "\n".join(hashed(USER, file.read_text()) for file in some).encode()
        if not self._known_file.exists() or self._known_file.read_bytes() != known:
            write_atomically(self._known_file, known)

    @override
    def also_accept(self, password: str | None) -> None:
        if password is None:
            self._further_password_file.unlink(missing_ok=True)
        else:
            write_atomically(self._further_password_file, password.encode())
        self._write_known()

    @override
    async def probe(self) -> bool:
        try:
            status, _ = await asyncio.to_thread(
                ask, self.access(), "GET", "/", limit=_PROBE_LIMIT_S
            )
        except OSError:
            return False
        return status == 200

    @override
    async def ask_version(self) -> str:
        return drystone.__version__

    @override
    async def declare(self, indices: Mapping[str, Any]) -> None:
        for name, mapping in sorted(indices.items()):
            status, _ = await self._ask("HEAD", f"/{name}", None)
            if status == 404:
                status, said = await self._ask("PUT", f"/{name}", {"mappings": mapping})
            else:
                status, said = await self._ask("PUT", f"/{name}/_mapping", mapping)
            if status >= 400:
                raise NotDeclarable(f"the index '{name}': {_reason(said)}")

    async def _ask(self, method: str, path: str, body: Any) -> tuple[int, bytes]:
        try:
            return await asyncio.to_thread(
                ask, self.access(), method, path, body, limit=_ASK_LIMIT_S
            )
        except OSError as e:
            raise EngineFailed(
                f"{self.name} was ready and then did not answer: {e}; see {self.log}",
                engine=self.name,
            ) from e


def _reason(said: bytes) -> str:
    try:
        return str(msgspec.json.decode(said)["error"]["reason"])
    except (msgspec.DecodeError, KeyError, TypeError):
        return said[:200].decode(errors="replace")


def ask(
    access: SearchAccess, method: str, path: str, body: Any = None, *, limit: float
) -> tuple[int, bytes]:
    """Ask a search something.

    Args:
        access: Which one.
        method: Of HTTP.
        path: With what is after the question mark.
        body: Sent as JSON; nothing when None.
        limit: Seconds to wait.

    Returns:
        The status and the body of the answer.

    Raises:
        OSError: It does not answer.
    """
    connection = http.client.HTTPConnection(access.host, access.port, timeout=limit)
    who = base64.b64encode(f"{access.user}:{access.password}".encode()).decode()
    headers = {"Authorization": f"Basic {who}", "Content-Type": "application/json"}
    try:
        connection.request(
            method, path, None if body is None else msgspec.json.encode(body), headers
        )
        answer = connection.getresponse()
        return answer.status, answer.read()
    except http.client.HTTPException as e:
        raise ConnectionError(repr(e)) from e
    finally:
        connection.close()
