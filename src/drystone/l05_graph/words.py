"""The words of the dependency model."""

from __future__ import annotations

from enum import StrEnum


class Strength(StrEnum):
    """How much a component needs another."""

    HARD = "hard"
    """It does not work without."""
    SOFT = "soft"
    """It works less well without."""
    UNKNOWN = "unknown"
    """Nobody has said; analyses take it for hard where they ask for safety, and say so."""


class Phase(StrEnum):
    """When it is needed."""

    BUILD = "build"
    """While its artefact is made."""
    DEPLOY = "deploy"
    """While a release of it is brought into place."""
    START = "start"
    """Before an instance of it can serve."""
    RUN = "run"
    """While it serves."""
    RECOVERY = "recovery"
    """While it is brought back after a disaster."""


BEFORE_SERVING = frozenset({Phase.BUILD, Phase.DEPLOY, Phase.START, Phase.RECOVERY})
"""Phases in which the other must serve before this one can: a cycle through one of them can never be started."""


class Risk(StrEnum):
    """What kind of use it is, and so what is lost with it."""

    DEPLOYMENTS = "deployments"
    SOURCE = "source"
    ARTIFACTS = "artifacts"
    BUILDS = "builds"
    CONFIGURATION = "configuration"
    LOGGING = "logging"
    AUTH = "auth"
    NETWORK = "network"
    DATA = "data"
    OTHER = "other"


class Kind(StrEnum):
    """What a component is."""

    SERVICE = "service"
    PLATFORM = "platform"
    DATA = "data"
    EXTERNAL = "external"
    """Somebody else's; what it needs is not known, and nobody here can change it."""
    TOOL = "tool"
    INFRASTRUCTURE = "infrastructure"


class Plane(StrEnum):
    """Which half of the platform it is part of."""

    CONTROL = "control"
    """What changes things. It may be away for a while."""
    DATA = "data"
    """What serves. It must go on without the control plane (static stability)."""


class Resilience(StrEnum):
    """What a component claims to survive, the weakest first."""

    SINGLE_ZONE = "single-zone"
    MULTI_ZONE = "multi-zone"
    MULTI_REGION = "multi-region"

    @property
    def height(self) -> int:
        """Order them: 0 for the weakest claim."""
        return list(Resilience).index(self)


class TangleKind(StrEnum):
    """What a tangle prevents, the worst first."""

    DEADLOCK = "deadlock"
    """After a loss of all, none of its members ever serves again by itself."""
    CO_START = "co-start"
    """Its members only work together: all must be in place before one serves."""
    SOFT = "soft"
    """It is a circle only because of soft dependencies: it slows a recovery down and does not prevent it."""
