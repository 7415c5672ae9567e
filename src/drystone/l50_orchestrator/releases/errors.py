"""What can go wrong with releases, each a situation with a name."""

from __future__ import annotations

from drystone.l00_kernel.errors import Conflict, Denied, Invalid, NotFound


class ReleaseUnknown(NotFound):
    """There is no such release."""


class RequestUnfit(Invalid):
    """What was asked of a release cannot be."""


class NothingServes(Conflict):
    """No release of the service serves in this environment."""


class NothingBefore(Conflict):
    """No release served before the one that serves."""


class ReleaseNotKept(Conflict):
    """The release is not kept any more, so that nobody can return to it."""


class PromotionUnderWay(Conflict):
    """The same release is on its way to this environment already."""


class CannotBePromoted(Conflict):
    """The release cannot be brought to another environment."""


class NoApprovalAsked(Conflict):
    """The release waits for nobody's approval."""


class NotAnApprover(Denied):
    """This approval is not one that the release waits for."""


class ReleaseUnderWay(Conflict):
    """A release of the service has not ended."""


class NothingToAdopt(Conflict):
    """The record has everything that the target has."""
