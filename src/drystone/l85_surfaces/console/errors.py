"""What the operations page refuses."""

from __future__ import annotations

from drystone.l00_kernel.errors import Denied, Invalid, NotFound, TooMany, Unavailable


class PageNotFound(NotFound):
    """There is no such page."""


class NotSignedIn(Denied):
    """Whoever changes something has to be signed in; open the page again and sign in."""


class ForeignForm(Denied):
    """This form was not made by this page for you; open the page again and repeat what you did."""


class FormUnfit(Invalid):
    """The form cannot be read."""


class NotTurnedOn(Unavailable):
    """The orchestrator is off on this platform; `drystone orchestrator on` turns it on."""


class TooManyFollow(TooMany):
    """Too many pages follow logs; close one, and load this page again."""
