"""What can go wrong with deploys, each a situation with a name."""

from __future__ import annotations

from drystone.l00_kernel.errors import (
    Conflict,
    Invalid,
    NotFound,
    PlatformError,
    Unavailable,
)


class ServiceNotFound(NotFound):
    """No such service is deployed in this environment."""


class ReleaseNotFound(NotFound):
    """The service has no such release."""


class DescriptorRefused(Invalid):
    """The descriptor has mistakes; nothing was changed."""


class PlanRefused(Conflict):
    """The plan would delete data, or break a rule, and was not confirmed."""


class DeployInProgress(Conflict):
    """Another operation on this service has not finished."""


class NothingToRollBackTo(Conflict):
    """The service has no earlier release that is kept."""


class CanaryHeld(Conflict):
    """A release is tried beside the one that serves; settle or withdraw it first."""


class NoCanary(Conflict):
    """No release is held under this key."""


class NothingToAbort(Conflict):
    """No operation on this service is in progress."""


class DeployFailed(PlatformError):
    """The new release did not come up; the old one serves as before."""


class DeployAborted(Conflict):
    """The operation was stopped before the new release took traffic."""


class NoInstance(Conflict):
    """The service has no running release to work with."""


class NumberRefused(Invalid):
    """There can be no such number of instances, or the service has no such group."""


class ScalingFailed(PlatformError):
    """A new instance did not become healthy; there are as many as before."""


class QuotaExceeded(Conflict):
    """The services of this host may not claim so much together."""


class RestartFailed(PlatformError):
    """An instance that was to replace another one did not become healthy."""


class NotRenewable(Invalid):
    """The resource has no credential that the platform could replace."""


class RotationRefused(Conflict):
    """Credentials cannot be replaced now."""


class RotationFailed(PlatformError):
    """Credentials were not replaced, or not all of them; every instance has some that work."""


class TargetNotFound(NotFound):
    """The service has no instance or resource of this name, or it does not listen there."""


class PortTaken(Conflict):
    """The port is another program's."""


class BuildFailed(PlatformError):
    """The set-up of the artefact did not succeed."""


class ArtefactLost(PlatformError):
    """What a release runs is not there, or not all of it."""


class ArtefactRefused(Invalid):
    """The folder of the artefact cannot be taken as it is."""


class WayTaken(Conflict):
    """The host and path belong to somebody else."""


class NetworkUnknown(Invalid):
    """No network has this name on this platform."""


class NetworkMissing(Unavailable):
    """Instances were to have a network of their own, and there is none."""


OF_DEPLOYS: tuple[type[PlatformError], ...] = (
    ServiceNotFound,
    ReleaseNotFound,
    DescriptorRefused,
    PlanRefused,
    DeployInProgress,
    NothingToRollBackTo,
    NothingToAbort,
    CanaryHeld,
    NoCanary,
    DeployFailed,
    DeployAborted,
    NoInstance,
    BuildFailed,
    ArtefactRefused,
    WayTaken,
    NetworkUnknown,
)
"""What calls of the deployer can fail with."""
