"""The port to what the page shows and does."""

from __future__ import annotations

import abc
from collections.abc import AsyncIterator

import msgspec

from drystone.l25_deployer.api import LogRecord
from drystone.l80_governance.costs.api import By, CostReport
from drystone.l85_surfaces.console.listings import Kind, Listing, Turned, What
from drystone.l85_surfaces.console.people import Person
from drystone.l85_surfaces.console.views import (
    Audit,
    Logs,
    Overview,
    Release,
    Releases,
    Service,
    Verb,
    Waiting,
)


class AuditAsked(msgspec.Struct, frozen=True):
    """Which part of the audit log somebody wants to see."""

    actor: str = ""
    action: str = ""
    subject: str = ""
    cursor: str = ""


class ReleasesAsked(msgspec.Struct, frozen=True):
    """Which releases somebody wants to see."""

    environment: str = ""
    service: str = ""
    is_open: bool = False
    cursor: str = ""


class Platform(abc.ABC):
    """What runs, and who may change it.

    A person is passed on to those who decide what that one may do; without one, nothing is shown that needs one.
    """

    @abc.abstractmethod
    async def overview(
        self, person: Person | None, *, environment: str, search: str, cursor: str
    ) -> Overview:
        """Return services of every environment."""

    @abc.abstractmethod
    async def service(self, person: Person | None, environment: str, name: str) -> Service:
        """Return one service.

        Raises:
            NotFound: It is not deployed there.
        """

    @abc.abstractmethod
    async def logs(self, environment: str, name: str, *, group: str, lines: int) -> Logs:
        """Return its last lines.

        Raises:
            NotFound: It is not deployed there.
        """

    @abc.abstractmethod
    def follow(self, environment: str, name: str, *, group: str) -> AsyncIterator[LogRecord]:
        """Yield further lines as they are written."""

    @abc.abstractmethod
    async def releases(self, asked: ReleasesAsked) -> Releases:
        """Return some of all releases.

        Raises:
            NotTurnedOn: Nobody records releases here.
        """

    @abc.abstractmethod
    async def release(self, person: Person | None, id_: str) -> Release:
        """Return one release.

        Raises:
            NotFound: There is none of this id.
            NotTurnedOn: Nobody records releases here.
        """

    @abc.abstractmethod
    async def approvals(self, person: Person | None) -> list[Waiting]:
        """Return what waits for somebody.

        Raises:
            NotTurnedOn: Nobody waits for approvals here.
        """

    @abc.abstractmethod
    async def audit(self, person: Person | None, asked: AuditAsked) -> Audit:
        """Return some of the audit log.

        Raises:
            NotSignedIn: It is shown to those alone who may see it.
            NotTurnedOn: None is written here.
        """

    @abc.abstractmethod
    async def costs(self, by: By, month: str | None) -> CostReport:
        """Return what services cost.

        Raises:
            Invalid: The table of prices or of budgets has mistakes, or the month is none.
        """

    @abc.abstractmethod
    async def listing(self, person: Person | None, what: What, turned: Turned) -> Listing:
        """Return a page of lists.

        Raises:
            NotSignedIn: It is shown to those alone who may see it.
            NotTurnedOn: The orchestrator, which has it, is off.
        """

    @abc.abstractmethod
    async def end(self, person: Person, kind: Kind, id_: str) -> None:
        """End something of such a page, as this person.

        Raises:
            Denied: They may not.
            NotTurnedOn: Nobody decides here who may.
        """

    @abc.abstractmethod
    async def act(self, person: Person, id_: str, verb: Verb, reason: str) -> None:
        """Do something about a release, as this person.

        Raises:
            Denied: They may not.
            NotTurnedOn: Nobody decides here who may.
        """

    @abc.abstractmethod
    async def roll_back(self, person: Person, environment: str, name: str, reason: str) -> str:
        """Begin the way back of a service, as this person; returns the id of the release that leads there.

        Raises:
            Denied: They may not.
            NotTurnedOn: Nobody decides here who may.
        """
