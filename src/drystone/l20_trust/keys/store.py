"""The files of service keys; one writer, the agent.

::

    rings/<environment>/<service>.json              every key of a service: what counts
    public/keys/<environment>/<service>/<key>.pem   what the key repository serves, made from the rings
    public/jwks/<environment>/<service>.json        keys of those who declare to call this service
    public/issuers/<environment>/<service>.json     every key of this service, for other platforms
    copy/…                                          the same once more, for the second repository
    private/<environment>.<service>.<release>/      what instances of a release may read
        <environment>/<service>/<key>.pem           their private key, where clients of ASAP look for it
        tokens_for/<service>                        a token for each service that they declare to call
        ca.pem                                      what they trust when they ask the repository

Instances in containers have users of their own, so that what is theirs may be read by every user; but nobody comes past
``private``, which is this user's alone, except those whose sandbox or container shows them one folder in it.

A ring is replaced as a whole, before anything that is made from it; whoever finds the two apart, after a death in
between, makes the rest from the ring again.
"""

from __future__ import annotations

import re
import shutil
import stat
from collections.abc import Callable, Collection, Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from drystone.l00_kernel.atomic import PARTIAL, read_if_exists, write_atomically
from drystone.l00_kernel.fault_points import FaultPoint
from drystone.l00_kernel.ownership import make_private
from drystone.l00_kernel.shortage import DiskFull
from drystone.l20_trust.keys.domain import Ring, issuer_set
from drystone.l20_trust.keys.errors import KeysUnreadable

if TYPE_CHECKING:
    from datetime import datetime

RING_WRITTEN = FaultPoint(
    "keys.ring.written", "the keys of a service are as they are to be; what is published is not"
)
PUBLISHED = FaultPoint(
    "keys.repository.written", "the key repository has the keys; its copy and the release do not"
)

TOKENS = "tokens_for"
"""Folder of tokens in that of a release; with the underscore it is no environment's."""

_FOR_ONE, _FOR_ALL, _FOR_READERS = 0o700, 0o755, 0o644
_NAME = re.compile(r"[a-z][a-z0-9-]{0,39}")


class Store:
    """The keys under one folder of a home.

    Making this object touches nothing.

    Args:
        root: The folder; made by the first key.
        authority: Certificate of the authority that the repository's clients are to trust.
    """

    def __init__(self, root: Path, authority: Path) -> None:
        self._root = root
        self._authority = authority

    @property
    def public(self) -> Path:
        """What the first repository serves."""
        return self._root / "public"

    @property
    def copy(self) -> Path:
        """What the second repository serves."""
        return self._root / "copy"

    def folder(self, environment: str, service: str, release: int) -> Path:
        """Return the folder that instances of a release may read."""
        return self._root / "private" / f"{environment}.{service}.{release}"

    def rings(self) -> Iterator[Ring | KeysUnreadable]:
        """Return every ring; in the place of one that is damaged, what is wrong with it."""
        for path in sorted((self._root / "rings").glob("*/*.json")):
            try:
                yield msgspec.json.decode(path.read_bytes(), type=Ring)
            except (msgspec.MsgspecError, ValueError):  # whose words could quote a private key
                yield KeysUnreadable(
                    f"{path} cannot be read; restore it from a copy, or move it away and deploy the service"
                    " again: it then has new keys",
                    environment=path.parent.name,
                    service=path.stem,
                )

    def has_rings(self) -> bool:
        """Tell whether any service has keys."""
        return any((self._root / "rings").glob("*/*.json"))

    def save(self, ring: Ring) -> None:
        """Replace a ring; one without keys is removed.

        Raises:
            DiskFull: There is no room for it; nothing has changed.
        """
        path = self._place(self._root / "rings", ring, ".json")
        if ring.keys:
            make_private(path.parent)
            write_atomically(path, msgspec.json.format(msgspec.json.encode(ring), indent=1))
        else:
            path.unlink(missing_ok=True)
        RING_WRITTEN.reach()

    def publish(self, ring: Ring, now: datetime) -> None:
        """Make what is served and read of a ring what it says: first what everybody sees, then the private files.

        Raises:
            DiskFull: There is no room for it; to do it again brings the rest.
        """
        wanted = {key.name: key.public.encode() for key in ring.keys if key.is_published(now)}
        for root in (self.public, self.copy):
            folder = self._place(root / "keys", ring)
            _take_away(folder, wanted)  # first: it needs no room
            _hold(folder, wanted)
            self._publish_issuer(root, ring, now)
            if root == self.public:
                PUBLISHED.reach()
        self._hand_out(ring)

    def _publish_issuer(self, root: Path, ring: Ring, now: datetime) -> None:
        found = issuer_set(ring, now)
        content = msgspec.json.encode(found) if found["keys"] else b""
        _replace(self._place(root / "issuers", ring, ".json"), content, durably=False)

    def _hand_out(self, ring: Ring) -> None:
        """Put the key of each release where its instances read it."""
        every = {key.release: ring.active(key.release) for key in ring.keys}
        self._close()
        for release, key in every.items():
            folder = self.folder(ring.environment, ring.service, release)
            if key is None:
                shutil.rmtree(folder, ignore_errors=True)
                continue
            _open(folder)
            inside, wanted = self._place(folder, ring), {key.name: key.private.encode()}
            _open(inside.parent)
            _open(inside)
            _hold(inside, wanted, mode=_FOR_READERS)
            _take_away(inside, wanted)  # only now: a client always finds one
            _hold(folder, {"ca.pem": self._authority.read_bytes()}, mode=_FOR_READERS)

    def _close(self) -> None:
        """See that nobody comes past the folder in which those of all releases lie, should somebody have opened it."""
        private = self._root / "private"
        make_private(private)
        if stat.S_IMODE(private.stat().st_mode) != _FOR_ONE:
            private.chmod(_FOR_ONE)

    def renew_tokens(self, ring: Ring, release: int, renewed: Callable[[str, str], str]) -> None:
        """Put tokens where instances of a release read them: one for each service that they declare to call, no others.

        Args:
            ring: Whose release it is.
            release: Its number.
            renewed: Returns the token for an audience, given the one that lies there; that is empty where none does.

        Raises:
            DiskFull: There is no room for a new one.
        """
        folder = self.folder(ring.environment, ring.service, release) / TOKENS
        _open(folder)
        calls = {
            one.partition("/")[2]: one
            for one in filter(is_of_a_service, ring.calls.get(release, ()))
        }
        for path in folder.iterdir():
            if path.name not in calls and not path.name.startswith(PARTIAL):
                path.unlink(missing_ok=True)
        for name, audience in calls.items():
            before = read_if_exists(folder / name) or b""
            after = renewed(audience, before.decode("ascii", errors="replace")).encode()
            if after != before:
                _put_token(folder / name, after)

    def publish_sets(self, sets: Mapping[str, bytes]) -> None:
        """Serve key sets, those without any key not any more.

        Args:
            sets: By audience; an empty one is taken away.
        """
        for audience, content in sets.items():
            if not is_of_a_service(audience):
                continue  # somebody outside, who has no place here
            environment, _, service = audience.partition("/")
            for root in (self.public, self.copy):
                _replace(self._place(root / "jwks", Ring(environment, service), ".json"), content)

    @staticmethod
    def _place(root: Path, ring: Ring, suffix: str = "") -> Path:
        for name in (ring.environment, ring.service):
            if not _NAME.fullmatch(name):  # no name may lead out of the folder
                raise KeysUnreadable(f"{name!r} is no name of a service or an environment")
        return root / ring.environment / f"{ring.service}{suffix}"


def is_of_a_service(audience: str) -> bool:
    """Tell whether an audience is the name of a service of a platform, which leads out of no folder."""
    environment, _, service = audience.partition("/")
    return bool(_NAME.fullmatch(environment) and _NAME.fullmatch(service))


def _open(folder: Path) -> None:
    """Make a folder that everybody may read who sees it."""
    make_private(folder)
    if stat.S_IMODE(folder.stat().st_mode) != _FOR_ALL:
        folder.chmod(_FOR_ALL)


def _hold(folder: Path, wanted: Mapping[str, bytes], *, mode: int = 0o600) -> None:
    """Make a folder hold these files."""
    make_private(folder)
    for name, content in wanted.items():
        path = folder / name
        if read_if_exists(path) != content:
            write_atomically(path, content, mode=mode)
        elif stat.S_IMODE(path.stat().st_mode) != mode:
            path.chmod(mode)


def _replace(path: Path, content: bytes, *, durably: bool = True) -> None:
    """Make a file hold this; one that is to hold nothing is removed."""
    if not content:
        path.unlink(missing_ok=True)
    elif read_if_exists(path) != content:
        make_private(path.parent)
        write_atomically(path, content, durably=durably)


def _put_token(path: Path, content: bytes) -> None:
    """Replace a token; on a full disk in its place, since it is as long as the one before."""
    try:
        write_atomically(path, content, mode=_FOR_READERS, durably=False)
    except DiskFull:
        if not path.is_file() or path.stat().st_size != len(content):
            raise
        with path.open("r+b") as file:
            file.write(content)


def _take_away(folder: Path, wanted: Collection[str]) -> None:
    """Remove keys that a folder is not to hold."""
    for path in folder.glob("*.pem"):
        if path.name not in wanted:
            path.unlink(missing_ok=True)
