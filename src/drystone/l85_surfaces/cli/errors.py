"""What the command line itself refuses, beside what the platform refuses."""

from __future__ import annotations

from drystone.l00_kernel.errors import (
    Conflict,
    Invalid,
    PlatformError,
    Unauthenticated,
    Unavailable,
)


class Misuse(Invalid):
    """The command line is wrong."""


class NoPlatform(Unavailable):
    """No platform runs in this home."""


class NoAnswer(Unavailable):
    """A platform is kept in this home but does not answer."""


class NoToken(Unauthenticated):
    """A platform elsewhere is asked by somebody who has no token for it."""


class OrchestratorOff(Conflict):
    """The orchestrator of this home is off."""


class ReleaseEndedBadly(Conflict):
    """A release ended otherwise than it was meant to."""


class NothingUnderWay(Conflict):
    """No release can be given orders."""


class AuditBroken(Conflict):
    """The audit log is not what it was."""


class AlreadyRunning(Conflict):
    """A platform runs in this home with other settings."""


class StartFailed(PlatformError):
    """The platform did not come up."""


class StopFailed(PlatformError):
    """The platform did not go down."""


class NotConfirmed(Conflict):
    """What cannot be undone was not confirmed."""


class CurlMissing(Unavailable):
    """The program curl is not installed."""


class MoveFailed(PlatformError):
    """Data was not moved."""


class FileUnreadable(Invalid):
    """The file cannot be read."""


class PortTaken(Conflict):
    """The port cannot be listened on."""


class FileThere(Conflict):
    """The file is there already."""


class TooManyEdges(Invalid):
    """The edge list is too long for what was asked."""


class DescriptorMistaken(Invalid):
    """The descriptor has mistakes."""


class Interrupted(Conflict):
    """Stopped with Ctrl-C."""


class NotProven(Unauthenticated):
    """The token proves nothing."""


class NotSignedIn(Unauthenticated):
    """Nobody is signed in here."""
