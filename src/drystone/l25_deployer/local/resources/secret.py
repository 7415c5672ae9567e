"""Secrets that the platform makes up: one file each."""

from __future__ import annotations

import asyncio
import hashlib
import secrets
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Literal, assert_never

from typing_extensions import override

from drystone.l25_deployer.local.resources.copies import Copied, LaidOut, Measure
from drystone.l25_deployer.local.resources.credentials import Credentials
from drystone.l25_deployer.local.resources.port import Owner, ResourceDriver
from drystone.l25_deployer.stacks.provided import Secret

FILE = "secret"
"""The only file of a copy."""

_MOST = 64 * 1024
"""Bytes that a secret takes at most."""

Kind = Literal["password", "rsa", "ed25519", "hex32"]


class MadeUp(ResourceDriver[Secret]):
    """Makes up secrets at the first deploy; they stay until they are removed.

    Args:
        credentials: Keeps them.
    """

    engine = "file system"
    has_backup = True
    lies_in_home = True

    def __init__(self, credentials: Credentials) -> None:
        self._credentials = credentials

    @override
    async def apply(self, owner: Owner, wanted: Secret) -> dict[str, str]:
        # A key of RSA takes a tenth of a second and more.
        value = await asyncio.to_thread(
            self._credentials.get, owner, wanted.generate, lambda: make(wanted.generate)
        )
        coming = self._credentials.coming(owner)
        return {"value": value if coming is None else coming.get(wanted.generate, value)}

    @override
    def require_renewable(self, owner: Owner) -> None:
        return

    @override
    async def begin_renewal(self, owner: Owner, wanted: Secret) -> None:
        await self.apply(owner, wanted)
        making: dict[str, Callable[[], str]] = {wanted.generate: lambda: make(wanted.generate)}
        await asyncio.to_thread(self._credentials.prepare, owner, making)

    @override
    async def end_renewal(self, owner: Owner, wanted: Secret) -> None:
        self._credentials.settle(owner)

    @override
    async def withdraw_renewal(self, owner: Owner, wanted: Secret) -> None:
        self._credentials.withdraw(owner)

    @override
    async def remove(self, owner: Owner, wanted: Secret) -> None:
        self._credentials.forget(owner)

    @override
    async def suspend(self, owner: Owner) -> None:
        return

    @override
    async def room_for_copy(self, owner: Owner, wanted: Secret) -> int:
        return _MOST

    @override
    async def back_up(self, owner: Owner, wanted: Secret, folder: Path) -> Copied:
        value = (await self.apply(owner, wanted))["value"]
        (folder / FILE).write_text(value)
        return Copied(datetime.now(UTC), _measures(value))

    @override
    async def lay_out(self, owner: Owner, wanted: Secret, folder: Path) -> LaidOut:
        return _Beside(self._credentials, owner, wanted, (folder / FILE).read_text())


class _Beside(LaidOut):
    """A secret that is to take the place of another one."""

    def __init__(self, credentials: Credentials, owner: Owner, wanted: Secret, value: str) -> None:
        self._credentials, self._owner, self._wanted = credentials, owner, wanted
        self._value = value

    @override
    async def holds(self) -> dict[str, Measure]:
        return _measures(self._value)

    @override
    async def put_in_place(self) -> None:
        self._credentials.replace(self._owner, self._wanted.generate, self._value)

    @override
    async def discard(self) -> None:
        return


def _measures(value: str) -> dict[str, Measure]:
    return {"secret": Measure(1, hashlib.sha256(value.encode()).hexdigest())}


def make(kind: Kind) -> str:
    """Make a secret up.

    Args:
        kind: ``password`` (192 random bits, URL-safe), ``hex32`` (32 random bytes in hexadecimal), or a private key for RSA
            (3072 bits) or Ed25519, as PEM in PKCS #8.
    """
    match kind:
        case "password":
            return secrets.token_urlsafe(24)
        case "hex32":
            return secrets.token_hex(32)
        case "rsa" | "ed25519":
            from drystone.l10_engines.certificates import private_key  # noqa: PLC0415 - with cryptography

            return private_key(kind)
        case _:
            assert_never(kind)
