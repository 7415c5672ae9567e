"""What goes wrong when somebody signs in."""

from __future__ import annotations

from drystone.l00_kernel.errors import (
    Conflict,
    Denied,
    Invalid,
    NotFound,
    PlatformError,
    TooMany,
    Unauthenticated,
    Unavailable,
)


class TokenInvalid(Unauthenticated):
    """The token is not accepted.

    Args:
        reason: For the verifier alone; it never holds a part of the token.
    """

    def __init__(self, reason: str = "") -> None:
        super().__init__()
        self.reason = reason


class SessionOver(Unauthenticated):
    """The session has ended; sign in again."""


class SignInRefused(Unauthenticated):
    """The sign-in was refused."""


class ProofRefused(Unauthenticated):
    """Neither a session nor a token of a build is known by this proof."""


class NotStaff(Denied):
    """The account is not in the group that may sign in here."""


class StillWaiting(Conflict):
    """Nobody has confirmed the code yet; ask again in a few seconds."""


class TooManyAttempts(TooMany):
    """Too many attempts to sign in; wait some minutes."""


class ProviderUnreachable(Unavailable):
    """The provider of identities cannot be reached."""


class ProviderRefused(Unavailable):
    """The provider of identities refused, or answered something that cannot be used."""


class NoDeviceFlow(Invalid):
    """The provider of identities has no sign-in for command lines (RFC 8628)."""


class UserThere(Conflict):
    """There is a user of this name already."""


class UserNotFound(NotFound):
    """There is no user of this name."""


class NameUnfit(Invalid):
    """The name cannot be used."""


class PasswordUnfit(Invalid):
    """The password is too short or too long."""


class BuildTokenNotFound(NotFound):
    """There is no token of a build with this id."""


class BuildsMistaken(Invalid):
    """The file of trusted builds has mistakes."""


class RecordsDamaged(PlatformError):
    """A file of the sign-in cannot be read."""
