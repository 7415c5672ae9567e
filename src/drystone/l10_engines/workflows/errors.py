"""What can be wrong with a workflow."""

from __future__ import annotations

from drystone.l00_kernel.errors import (
    Conflict,
    DeadlineExceeded,
    Invalid,
    NotFound,
    PlatformError,
    TooMany,
)


class WorkflowNotFound(NotFound):
    """There is no such workflow, or it ended so long ago that it was forgotten."""


class WorkflowRefused(Invalid):
    """A workflow, step or signal cannot be named or started like this."""


class PayloadTooLarge(Invalid):
    """An input, output, result or payload is larger than a journal keeps."""


class PayloadUnreadable(Invalid):
    """What the journal has is not of the type that the code asks for."""


class AlreadyStarted(Conflict):
    """A different workflow was started under the same id."""


class WorkflowTooLong(Invalid):
    """A workflow has more steps, or larger outputs, than one may have."""


class WorkflowHasEnded(Conflict):
    """The workflow has ended, and what has ended does not change."""


class NotParked(Conflict):
    """Only a workflow that is parked can be resumed."""


class TooManySignals(TooMany):
    """The workflow has as many signals as one may have."""


class StepFailed(PlatformError):
    """A step of a workflow failed for good."""


class WaitTimedOut(DeadlineExceeded):
    """No signal came within the time that the workflow waits for it."""


class WorkflowFailed(PlatformError):
    """The workflow failed, and what it had done was undone."""


class WorkflowCancelled(PlatformError):
    """The workflow was cancelled, and what it had done was undone."""
