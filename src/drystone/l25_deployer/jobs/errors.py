"""What can be wrong with a job."""

from __future__ import annotations

from drystone.l00_kernel.errors import Conflict, Invalid, NotFound


class JobNotFound(NotFound):
    """The service has no such job in the release that serves."""


class RunNotFound(NotFound):
    """There is no such run, or it is not remembered any more."""


class TooManyRuns(Conflict):
    """As many runs of the job wait as may wait."""


class RunRefused(Invalid):
    """A job cannot be run like this."""
