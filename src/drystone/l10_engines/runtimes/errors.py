"""What can go wrong when a runtime starts or ends an instance."""

from __future__ import annotations

from drystone.l00_kernel.errors import (
    Conflict,
    DeadlineExceeded,
    Invalid,
    NotFound,
    PlatformError,
    Unavailable,
)


class SpecInvalid(Invalid):
    """An instance cannot be described like this."""


class CommandNotFound(NotFound):
    """The command of an instance is no program that can run here."""


class ImageNotFound(NotFound):
    """The image is not on this machine."""


class RuntimeMissing(Unavailable):
    """This machine cannot run instances in the way that was asked for."""


class PodmanSilent(Unavailable):
    """Podman has not answered since it was first asked; what needs it can be tried again."""


class InstanceFailed(PlatformError):
    """The runtime could not start the instance."""


class InstanceRuns(Conflict):
    """An instance runs already in this state folder; stop it first."""


class InstanceNotStopped(PlatformError):
    """Processes of the instance are left although they were killed."""


class RunTimedOut(DeadlineExceeded):
    """The one-off command did not end in the time that was allowed and was stopped."""
