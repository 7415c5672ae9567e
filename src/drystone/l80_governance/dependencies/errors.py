"""What the view refuses."""

from __future__ import annotations

from drystone.l00_kernel.errors import Denied, Invalid, NotFound, Unavailable


class VersionNotFound(NotFound):
    """No version of that name was kept."""


class PageNotFound(NotFound):
    """There is no such page."""


class QuestionUnclear(Invalid):
    """The address of the page asks for something that cannot be shown."""


class ForeignRequest(Denied):
    """Another site's page has sent this; open the view itself and try again."""


class TangleNotFound(NotFound):
    """The model has no such tangle."""


class FormMissing(Unavailable):
    """What writes this form is not installed."""


class BeingAnalysed(Unavailable):
    """The model is large, and what follows from it is being computed."""
