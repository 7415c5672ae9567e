"""What can be wrong with names, owners and places."""

from __future__ import annotations

from drystone.l00_kernel.errors import Conflict, Denied, Invalid, NotFound, TooMany


class ServiceNotRegistered(NotFound):
    """There is no service of this name in the registry."""


class RegistrationUnfit(Invalid):
    """A service cannot be registered with these words."""


class NameRefused(Invalid):
    """A service cannot have this name."""


class NameTaken(Denied):
    """The name belongs to another team."""


class NameTooClose(Denied):
    """The name can be taken for that of another team's service; an admin may register it."""


class TooManyUnused(TooMany):
    """The team has as many services that never ran as it may have."""


class NotInTeam(Denied):
    """Only who is in a team registers and takes services for it."""


class TeamNotFound(NotFound):
    """There is no such team."""


class ServiceInUse(Conflict):
    """The service runs somewhere, so it stays registered."""


class NothingOffered(Conflict):
    """The service is offered to nobody, or no longer."""


class EnvironmentNotFound(NotFound):
    """There is no such environment."""


class EnvironmentUnfit(Invalid):
    """An environment cannot be like this."""


class EnvironmentInUse(Conflict):
    """Services run in the environment, or another one comes after it."""


class TargetNotFound(NotFound):
    """There is no such target."""


class TargetUnfit(Invalid):
    """A target cannot be like this."""


class TargetInUse(Conflict):
    """Environments are bound to the target."""
