"""What can be wrong with policies, exceptions and freezes."""

from __future__ import annotations

from drystone.l00_kernel.errors import Conflict, Denied, Invalid, NotFound


class PolicyRefused(Invalid):
    """A policy cannot be kept: it has mistakes, or fails a case of its own."""


class PolicyNotFound(NotFound):
    """There is no policy of this name."""


class ExceptionUnfit(Invalid):
    """An exception cannot be like this."""


class ExceptionNotFound(NotFound):
    """There is no exception of this name."""


class ExceptionHasEnded(Conflict):
    """The exception is over; ask for another one."""


class ExceptionHasChanged(Conflict):
    """The exception says something else than what was read."""


class SamePerson(Denied):
    """Whoever asks for an exception is not the one who allows it."""


class FreezeUnfit(Invalid):
    """A freeze cannot be like this."""


class JudgementNotFound(NotFound):
    """No judgement of this number is kept any more."""


class JudgedUnreadable(Invalid):
    """What is to be judged is not what a deployer compiles."""
