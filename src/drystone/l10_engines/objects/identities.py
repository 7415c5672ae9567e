"""Who may do what in the object store: the file that SeaweedFS reads its identities from.

The file is the only record of them. SeaweedFS reads it at its start and on SIGHUP. On SIGHUP it adds
and changes identities but keeps those that are missing; a removed one therefore stays in the file as a
disabled one without key until the next start, which sweeps it.
"""

from __future__ import annotations

import secrets
from pathlib import Path

import msgspec

from drystone.l00_kernel.atomic import write_atomically
from drystone.l10_engines.objects.access import StoreAccess

ADMIN = "drystone"
_BUCKET_ACTIONS = ("Read", "Write", "List", "Tagging")
_HELD_ACTIONS = ("Read", "List")


class Credential(msgspec.Struct, frozen=True, rename="camel"):
    """An access key, as SeaweedFS spells it."""

    access_key: str
    secret_key: str


class Identity(msgspec.Struct, frozen=True, omit_defaults=True):
    """Somebody with a key and a list of ``Action`` or ``Action:bucket``, as SeaweedFS spells it."""

    name: str
    credentials: tuple[Credential, ...] = ()
    actions: tuple[str, ...] = ()
    disabled: bool = False


class _Document(msgspec.Struct, frozen=True):
    identities: tuple[Identity, ...]


class Identities:
    """The identities in one file, which only this platform writes.

    Args:
        path: The file; made with an administrator when missing.
    """

    def __init__(self, path: Path) -> None:
        self._path = path

    def admin(self, endpoint: str) -> StoreAccess:
        """Return the administrator's access.

        Raises:
            FileNotFoundError: The file was never made.
        """
        (credential,) = next(i for i in self._read() if i.name == ADMIN).credentials
        return StoreAccess(
            endpoint=endpoint,
            access_key=credential.access_key,
            secret_key=credential.secret_key,
        )

    def prepare(self) -> None:
        """Make the file if it is missing, and sweep removed identities out of it."""
        if self._path.exists():
            self._write(tuple(i for i in self._read() if not i.disabled))
        else:
            key = Credential(secrets.token_hex(10).upper(), secrets.token_urlsafe(30))
            self._write((Identity(ADMIN, (key,), ("Admin", *_BUCKET_ACTIONS)),))

    def allow(self, bucket: str, *credentials: Credential) -> bool:
        """Let these keys, and no other but the administrator's, use one bucket; one that is held stays held.

        Returns:
            Whether the file changed.
        """
        actions = _HELD_ACTIONS if self.is_held(bucket) else _BUCKET_ACTIONS
        return self._put(_user(bucket, credentials, actions))

    def hold(self, bucket: str, *, is_held: bool) -> bool:
        """Let the key of a bucket read it only, until it is let go.

        Returns:
            Whether the file changed.
        """
        credentials = self.credentials(bucket)
        if not credentials:
            return False
        actions = _HELD_ACTIONS if is_held else _BUCKET_ACTIONS
        return self._put(_user(bucket, credentials, actions))

    def is_held(self, bucket: str) -> bool:
        """Tell whether the key of a bucket may read it only."""
        held = tuple(f"{action}:{bucket}" for action in _HELD_ACTIONS)
        return any(i.name == _owner(bucket) and i.actions == held for i in self._read())

    def refuse(self, bucket: str) -> bool:
        """Take away the key of a bucket.

        Returns:
            Whether the store may have to read the file: it names a key, or did when the store last started.
        """
        if all(identity.name != _owner(bucket) for identity in self._read()):
            return False
        self._put(Identity(_owner(bucket), disabled=True))
        return True

    def credential(self, bucket: str) -> Credential | None:
        """Return the key of a bucket, the newest of two, or None if it has none."""
        return next(iter(self.credentials(bucket)), None)

    def credentials(self, bucket: str) -> tuple[Credential, ...]:
        """Return the keys of a bucket, the newest first."""
        found = (i.credentials for i in self._read() if i.name == _owner(bucket))
        return next(found, ())

    def _put(self, identity: Identity) -> bool:
        before = self._read()
        if identity in before:
            return False
        self._write((*(i for i in before if i.name != identity.name), identity))
        return True

    def _read(self) -> tuple[Identity, ...]:
        return msgspec.json.decode(self._path.read_bytes(), type=_Document).identities

    def _write(self, identities: tuple[Identity, ...]) -> None:
        write_atomically(self._path, msgspec.json.encode(_Document(identities)))


def _user(bucket: str, credentials: tuple[Credential, ...], actions: tuple[str, ...]) -> Identity:
    return Identity(_owner(bucket), credentials, tuple(f"{action}:{bucket}" for action in actions))


def _owner(bucket: str) -> str:
    return f"bucket-{bucket}"
