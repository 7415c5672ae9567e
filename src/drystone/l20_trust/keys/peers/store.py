"""The files of trust in other platforms; one writer, the agent.

::

    peers/<name>.json     what somebody said
    told/<name>.json      the keys that the platform told last: they go on to hold while it does not answer
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TypeVar

import msgspec

from drystone.l00_kernel.atomic import write_atomically
from drystone.l00_kernel.ownership import make_private
from drystone.l20_trust.keys.errors import KeysUnreadable, PeerUnfit
from drystone.l20_trust.keys.peers import asking, domain
from drystone.l20_trust.keys.peers.domain import Jwk, Peer

T = TypeVar("T")


class PeerStore:
    """The files under the folder of service keys.

    Making this object touches nothing.

    Args:
        root: The folder.
    """

    def __init__(self, root: Path) -> None:
        self._said = root / "peers"
        self._told = root / "told"

    def has_any(self) -> bool:
        """Tell whether any platform is trusted."""
        return any(self._said.glob("*.json"))

    def peers(self) -> Iterator[Peer | KeysUnreadable]:
        """Return every peer; in the place of one whose file is damaged, what is wrong with it."""
        for path in sorted(self._said.glob("*.json")):
            try:
                peer = _read(path, Peer)
                domain.checked(peer.name, peer.said)
                asking.tls_by(peer.said.authority)
                yield peer
            except (OSError, ValueError, PeerUnfit):
                yield KeysUnreadable(
                    f"{path} cannot be read, so that nothing of it is trusted: say `drystone keys trust {path.stem}` again",
                    name=path.stem,
                )

    def told(self, name: str) -> dict[str, list[Jwk]]:
        """Return the keys that a platform told last, by issuer; none where it never did, or the file is damaged."""
        try:
            return _read(self._told / f"{name}.json", dict[str, list[Jwk]])
        except (OSError, ValueError):
            return {}

    def save(self, peer: Peer) -> None:
        """Write down what was said of a peer.

        Raises:
            DiskFull: There is no room for it; what was said before holds.
        """
        _write(self._said / f"{peer.name}.json", peer)

    def note_told(self, name: str, keys: dict[str, list[Jwk]]) -> None:
        """Write down what a platform told.

        Raises:
            DiskFull: There is no room for it.
        """
        _write(self._told / f"{name}.json", keys)

    def forget(self, name: str) -> None:
        """Remove what was said of a peer, and then what it told. Idempotent."""
        for folder in (self._said, self._told):
            (folder / f"{name}.json").unlink(missing_ok=True)


def _read(path: Path, kind: type[T]) -> T:
    return msgspec.json.decode(path.read_bytes(), type=kind)


def _write(path: Path, content: object) -> None:
    make_private(path.parent)
    write_atomically(path, msgspec.json.format(msgspec.json.encode(content), indent=1))
