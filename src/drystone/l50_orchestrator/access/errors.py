"""What can be wrong with who may do what."""

from __future__ import annotations

from drystone.l00_kernel.errors import (
    Conflict,
    Denied,
    Invalid,
    NotFound,
    PlatformError,
    TooMany,
    Unauthenticated,
)


class NotAllowed(Denied):
    """The role that this takes is missing."""


class CannotGive(Denied):
    """Nobody gives what they do not have."""


class NameUnfit(Invalid):
    """This cannot be a name, or what it names cannot be."""


class SaidUnfit(Invalid):
    """Something that was said about access cannot be."""


class TokenMistyped(Unauthenticated):
    """The token is none: a letter is wrong or missing."""


class TokenUnknown(Unauthenticated):
    """The token is well formed, and this platform never made it."""


class TokenExpired(Unauthenticated):
    """The token has ended."""


class TokenRevoked(Unauthenticated):
    """The token was revoked."""


class TokenOrphaned(Unauthenticated):
    """Whoever made the token has left."""


class NoPerson(NotFound):
    """There is no such person."""


class NoTeam(NotFound):
    """There is no such team."""


class NoGrant(NotFound):
    """There is no such grant."""


class NoToken(NotFound):
    """There is no such token."""


class NoGlass(NotFound):
    """There is no such break-glass access."""


class LastAdmin(Conflict):
    """The platform would be left without an admin."""


class TeamInUse(Conflict):
    """The team still owns services."""


class GlassBroken(Conflict):
    """The caller has break-glass access already."""


class TooManyTokens(TooMany):
    """One person has as many tokens as one may have."""


class WithdrawnUnreadable(PlatformError):
    """The file with what was taken away cannot be read."""
