"""What the audit log promises."""

from __future__ import annotations

import abc
from datetime import datetime
from typing import ClassVar, Literal, TypeAlias

import msgspec

from drystone.l00_kernel.contract import Api, Context, call
from drystone.l00_kernel.contract.page import Page
from drystone.l00_kernel.ports import Field
from drystone.l50_orchestrator.audit import errors

Fault: TypeAlias = Literal["changed", "missing", "unlinked", "rewritten", "cut"]


class EntryView(msgspec.Struct, frozen=True):
    """One entry of the audit log.

    Attributes:
        number: From 1 on, without gaps.
        at: When, by the database's clock.
        actor: Who.
        kind: What that is: a person, a service, a token or the platform.
        behind: Who made the token; empty for others.
        glass: Number of the break-glass access that it was done under; 0 for none.
        action: What was done.
        subject: To what.
        fields: Further particulars.
        text: The particulars as they were hashed, letter by letter.
        previous: Hash of the entry before, 64 hexadecimal digits; zeros for the first one.
        hash: Its own.
    """

    number: int
    at: datetime
    actor: str
    kind: str
    behind: str
    glass: int
    action: str
    subject: str
    fields: dict[str, Field]
    text: str
    previous: str
    hash: str


class Problem(msgspec.Struct, frozen=True):
    """What is wrong with the log.

    Attributes:
        fault: ``changed``: an entry is not what was hashed. ``missing``: a number is not there. ``unlinked``: an entry does not
            follow the one before it, one of which was hashed anew. ``rewritten``: all fits together, and is not what a head kept
            outside says. ``cut``: entries that a head says were there are gone, by somebody's hand or because the database is an
            older copy.
        number: The first entry concerned.
        text: All of it in a sentence or two.
    """

    fault: Fault
    number: int
    text: str


class Verdict(msgspec.Struct, frozen=True):
    """What came of reading the whole log.

    Attributes:
        is_whole: Whether nothing is wrong.
        entries: How many were read, up to the first that is wrong.
        head: Hash of the last of these; empty when there are none.
        anchored: Number of the last entry that a head kept outside of the database confirms; 0 when there is none. Of what was
            rewritten after it nobody can tell by this.
        heads: How many of these heads there are.
        accepted: How often somebody accepted that the database was an older copy.
        problem: The first that is wrong.
        is_sealed: Whether the role that writes the log cannot change it. Where PostgreSQL is somebody else's and gives no superuser
            it is not, and missing rights stop mistakes and not intent.
    """

    is_whole: bool
    entries: int
    head: str
    anchored: int
    heads: int
    accepted: int
    problem: Problem | None = None
    is_sealed: bool = True


class AuditApi(Api):
    """Read what everybody did, and see that nobody changed it."""

    name: ClassVar[str] = "audit"
    errors = (
        errors.EntryUnfit,
        errors.SecretInEntry,
        errors.HeadsUnreadable,
        errors.NothingRestored,
        errors.NotMended,
    )

    @call("GET", "/v1/audit/entries")
    @abc.abstractmethod
    async def entries(
        self,
        ctx: Context,
        *,
        actor: str | None = None,
        subject: str | None = None,
        action: str | None = None,
        since: datetime | None = None,
        until: datetime | None = None,
        cursor: str | None = None,
        most: int = 100,
    ) -> Page[EntryView]:
        """List entries, the latest first.

        Args:
            ctx: Who asks.
            actor: Of this one alone, or of tokens that this one made.
            subject: About this alone. Of ``<environment>/<service>`` its owners may read, too.
            action: These alone: one action, or all that begin with words that end in a dot, ``release.``.
            since: Not before this moment.
            until: Before this moment.
            cursor: Where the page before ended.
            most: How many at once, 1 to 1000.

        Raises:
            Denied: The caller may not read them.
            Invalid: There is no such cursor, or so many at once.
        """

    @call("GET", "/v1/audit/verdict")
    @abc.abstractmethod
    async def verify(self, ctx: Context) -> Verdict:
        """Read the whole log and tell the first entry that was changed, is missing or is out of order.

        Raises:
            Denied: The caller may not read the log.
            HeadsUnreadable: The heads kept outside are not what they must be.
        """

    @call("POST", "/v1/audit/restored")
    @abc.abstractmethod
    async def accept_restored(self, ctx: Context, *, reason: str) -> Verdict:
        """Accept that the database is an older copy: what came after it is lost, and the log says so from now on.

        Args:
            ctx: Who asks.
            reason: Why it was restored.

        Raises:
            Denied: The caller may not administer.
            NothingRestored: Nothing is gone.
            NotMended: Something else is wrong, too.
            EntryUnfit: There is no reason.
        """
