"""What can be wrong with keys and tokens."""

from __future__ import annotations

from drystone.l00_kernel.errors import (
    Invalid,
    NotFound,
    PlatformError,
    Unauthenticated,
    Unavailable,
)


class NoKeys(NotFound):
    """The service has no keys."""


class KeyNotFound(NotFound):
    """The service has no such key."""


class TokenUnfit(Invalid):
    """No token can be made for this audience or of this lifetime."""


class KeysUnreadable(PlatformError):
    """The keys of a service cannot be read; the file was damaged or written by a newer version."""


class KeysOutOfReach(Unavailable):
    """No key repository answers."""


class PeerUnfit(Invalid):
    """Another platform cannot be trusted as it was said."""


class NoPeer(NotFound):
    """No platform of this name is trusted."""


class TokenRefused(Unauthenticated):
    """The token is refused."""

    def __init__(self, reason: str = "") -> None:
        super().__init__()
        self.reason = reason
        """Why, for the one who verifies; whoever sent the token is told the same whatever it was."""
