"""Passwords and keys that the platform makes up: one file each, and one more while another set is to take their place."""

from __future__ import annotations

import secrets
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from drystone.l00_kernel.atomic import write_atomically

if TYPE_CHECKING:
    from drystone.l25_deployer.local.resources.port import Owner

_COMING = "next"
"""Name of the file with what is to take the place of the others; no credential is called so."""


def password() -> str:
    """Make a password up: 192 random bits, URL-safe."""
    return secrets.token_urlsafe(24)


class Credentials:
    """Passwords and keys that the platform makes up, one file each, readable by the platform alone.

    Args:
        root: Folder that holds them.
    """

    def __init__(self, root: Path) -> None:
        self._root = root

    def get(
        self, owner: Owner, kind: str = "password", make: Callable[[], str] | None = None
    ) -> str:
        """Return the credential, making it up at the first call.

        Args:
            owner: Whose it is.
            kind: Which one of those.
            make: Makes it up; 192 random bits, URL-safe, when None.
        """
        path = self._root / owner.path / kind
        try:
            return path.read_text()
        except FileNotFoundError:
            path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            write_atomically(path, (make or password)().encode())
            return path.read_text()

    def replace(self, owner: Owner, kind: str, value: str) -> None:
        """Put a credential that was kept elsewhere in the place of the one that there is, and of what was to take that."""
        folder = self._root / owner.path
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        (folder / _COMING).unlink(missing_ok=True)
        write_atomically(folder / kind, value.encode())

    def coming(self, owner: Owner) -> dict[str, str] | None:
        """Return what is to take the place of the credentials, by kind; None when nothing is."""
        try:
            content = (self._root / owner.path / _COMING).read_bytes()
        except FileNotFoundError:
            return None
        found = msgspec.json.decode(content, type=dict[str, str])
        if any(self._stands(owner, kind, value) for kind, value in found.items()):
            self._put(owner, found)  # an agent died in the middle of it
            return None
        return found

    def prepare(self, owner: Owner, make: Mapping[str, Callable[[], str]]) -> dict[str, str]:
        """Make up what is to take the place of the credentials, unless it is there; all kinds at once or none.

        Args:
            owner: Whose.
            make: Makes each kind up; none comes out as it is now.
        """
        found = self.coming(owner)
        if found is None:
            found = {kind: one() for kind, one in make.items()}
            folder = self._root / owner.path
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            write_atomically(folder / _COMING, msgspec.json.encode(found))
        return found

    def settle(self, owner: Owner) -> None:
        """Put in place what is to take the place of the credentials. Idempotent."""
        found = self.coming(owner)
        if found is not None:
            self._put(owner, found)

    def withdraw(self, owner: Owner) -> None:
        """Forget what was to take the place of the credentials. Idempotent."""
        if self.coming(owner) is not None:
            (self._root / owner.path / _COMING).unlink()

    def _put(self, owner: Owner, values: Mapping[str, str]) -> None:
        folder = self._root / owner.path
        for kind, value in values.items():
            write_atomically(folder / kind, value.encode())
        (folder / _COMING).unlink()

    def _stands(self, owner: Owner, kind: str, value: str) -> bool:
        try:
            return (self._root / owner.path / kind).read_text() == value
        except FileNotFoundError:
            return False

    def file(self, owner: Owner, kind: str = "password") -> Path:
        """Return the file that holds the credential, for an engine that reads it itself."""
        self.get(owner, kind)
        return self._root / owner.path / kind

    def forget(self, owner: Owner) -> None:
        """Remove every credential of a resource."""
        folder = self._root / owner.path
        for path in folder.glob("*"):
            path.unlink()
        if folder.exists():
            folder.rmdir()
