"""What releases ask of where they run. Its drivers are in :mod:`~drystone.l50_orchestrator.targets`."""

from __future__ import annotations

import abc
from collections.abc import AsyncIterator
from datetime import datetime, timedelta
from typing import Any, Literal

import msgspec

from drystone.l00_kernel.context import Context
from drystone.l25_deployer.api import DeviationView, PlanView, Progress, Source


class Outcome(msgspec.Struct, frozen=True):
    """How a target's operation ended, or that it has not.

    Attributes:
        state: ``unknown`` where the target never began it.
        release: The target's number of the release.
        detail: Why it failed; what serves now.
        artefact: Digest of what the release runs; empty where the target cannot tell.
    """

    state: Literal["unknown", "running", "holding", "serving", "failed", "withdrawn"]
    release: int = 0
    detail: str = ""
    artefact: str = ""


class Present(msgspec.Struct, frozen=True):
    """What a target says that serves.

    Attributes:
        service: Which.
        release: The target's number of the release.
        version: What it is called.
        key: Under which it was brought there; empty where it came without one.
        artefact: Digest of what it runs; empty where the target cannot tell.
    """

    service: str
    release: int
    version: str
    key: str = ""
    artefact: str = ""


class Standing(msgspec.Struct, frozen=True, kw_only=True):
    """What one service is in one environment, as its target has it or as somebody believes.

    Attributes:
        release: The target's number of the release that serves.
        version: What it is called.
        key: Under which it was brought there; empty where it came without one.
        artefact: Digest of what it runs; empty where nobody can tell.
        shares: Share of the traffic by release, 0 to 1.
        hosts: Names under which it answers.
        stacks: The five stacks as JSON objects, resources with the settings that they have; None where nobody can tell.
        kept: Numbers of the releases that the target can go back to.
        is_busy: Whether something is being done to it.
        deviations: Where engines have its resources otherwise than they were made.
    """

    release: int
    version: str
    key: str = ""
    artefact: str = ""
    shares: dict[int, float] = {}
    hosts: tuple[str, ...] = ()
    stacks: dict[str, Any] | None = None
    kept: tuple[int, ...] = ()
    is_busy: bool = False
    deviations: tuple[DeviationView, ...] = ()


class Doing(msgspec.Struct, frozen=True):
    """What somebody did at a target.

    Attributes:
        at: When.
        by: Who, as the target knows that one.
        what: ``deploy``, ``rollback``, ``settle``, ``destroy``.
    """

    at: datetime
    by: str
    what: str


class Arm(msgspec.Struct, frozen=True):
    """What one release of a rollout answered since the rollout began.

    Attributes:
        requests: How many.
        errors: Answers of 5xx, and requests that got none.
        times: How many took so long: one number for each class that the bounds of the signals part.
        restarts: Ends of its instances that nobody wanted.
        log_errors: Lines of its log at the level error or above.
        calls: Calls of its own to other services.
        dependency_errors: Those that failed.
        users_in_failed_call: How many users had a failed call, each counted once.
        users: How many different users it met, where users are told apart.
        users_in_error: How many of them met an error, each counted once.
        users_tried: How often one who had met none before asked; where the target does not say, each request counts.
        users_at_risk: How many asked within the last minute who had met none before it; it rises and falls.
        users_turned: How many were well on the release before, and got nothing but errors on the new one; it rises and falls.
        torn: Of those who got nothing but errors of the new release, several of them, and none of the other: how many answers of this
            one each got since then, by a digest; of some of them.
    """

    requests: int = 0
    errors: int = 0
    times: tuple[int, ...] = ()
    restarts: int = 0
    log_errors: int = 0
    calls: int = 0
    dependency_errors: int = 0
    users_in_failed_call: int = 0
    users: int = 0
    users_in_error: int = 0
    users_tried: int = 0
    users_at_risk: int = 0
    users_turned: int = 0
    torn: dict[str, int] = {}


class Signals(msgspec.Struct, frozen=True):
    """Both releases of a rollout, as the target counted them.

    Attributes:
        at: Since the rollout began.
        stable: The release before.
        canary: The new one.
        bounds: Upper bounds of all classes of ``times`` but the last, rising.
        events: Words of the latest things that went wrong on the new one.
        unmeasured: By metric, why nothing is known of it.
        by: Who is told apart; ``request`` for nobody.
    """

    at: timedelta
    stable: Arm
    canary: Arm
    bounds: tuple[timedelta, ...] = ()
    events: tuple[str, ...] = ()
    unmeasured: dict[str, str] = {}
    by: str = "request"


class Target(abc.ABC):
    """Where releases run. Each operation has a key: repeated under the same key it happens once."""

    @abc.abstractmethod
    async def plan(self, ctx: Context, source: Source, environment: str, version: str) -> PlanView:
        """Tell what a deploy would change."""

    @abc.abstractmethod
    def deploy(
        self,
        ctx: Context,
        key: str,
        source: Source,
        environment: str,
        version: str,
        *,
        hold: bool,
        confirm: tuple[str, ...] = (),
        artefact: str = "",
    ) -> AsyncIterator[Progress]:
        """Bring a release up; it takes all traffic, or none yet where it is held. A repeat follows the first.

        Where it is not the artefact with that digest, it fails before anything of it is started.
        """

    @abc.abstractmethod
    async def outcome(self, environment: str, service: str, key: str) -> Outcome:
        """Tell what became of an operation."""

    @abc.abstractmethod
    async def present(self, environment: str, service: str | None = None) -> list[Present]:
        """Tell what serves in an environment: of one service, or of all of them."""

    @abc.abstractmethod
    async def standing(
        self, environment: str, service: str, *, engines: bool = False
    ) -> Standing | None:
        """Tell how a service stands, to compare it with how it should; None where nothing of it serves.

        Args:
            environment: Where.
            service: Which.
            engines: Ask the engines of its resources, too, which takes longer.
        """

    @abc.abstractmethod
    async def last_doing(self, environment: str, service: str) -> Doing | None:
        """Tell what last made something else serve, or nothing; None where the target does not know."""

    @abc.abstractmethod
    async def shift(
        self,
        environment: str,
        service: str,
        key: str,
        *,
        share: float,
        cohort: str,
        header: str | None,
        by: str = "request",
    ) -> None:
        """Give a held release a share of the traffic, 0 to 1; ``by`` says who is told apart when errors are counted."""

    @abc.abstractmethod
    def settle(
        self, ctx: Context, environment: str, service: str, key: str
    ) -> AsyncIterator[Progress]:
        """Give a held release all traffic, for good."""

    @abc.abstractmethod
    def withdraw(
        self, ctx: Context, environment: str, service: str, key: str, reason: str
    ) -> AsyncIterator[Progress]:
        """Take a held release away; the one before serves."""

    @abc.abstractmethod
    def destroy(
        self, ctx: Context, environment: str, service: str, confirm: tuple[str, ...]
    ) -> AsyncIterator[Progress]:
        """Remove a service, and the data of the resources that are named; one that is not there is gone already."""

    @abc.abstractmethod
    async def signals(self, environment: str, service: str, key: str) -> Signals:
        """Tell what both releases answered since the held one came up."""

    @abc.abstractmethod
    def roll_back(
        self, ctx: Context, key: str, environment: str, service: str, release: int
    ) -> AsyncIterator[Progress]:
        """Return to a release that is kept: code, configuration and resources' settings, never losing data."""
