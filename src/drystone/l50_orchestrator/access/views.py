"""What access tells, and what it is told."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Literal, TypeAlias

import msgspec
from typing_extensions import override

from drystone.l50_orchestrator.access.domain import Grant, Kind
from drystone.l50_orchestrator.ports import Action

State: TypeAlias = Literal["good", "expired", "revoked"]


class PersonView(msgspec.Struct, frozen=True):
    """Somebody.

    Attributes:
        name: Unique, for ever.
        called: The name that people use.
        teams: By name.
        since: When somebody added this one.
        by: Who did.
        has_left: Whether it may do nothing any more.
    """

    name: str
    called: str
    teams: tuple[str, ...]
    since: datetime
    by: str
    has_left: bool


class MemberView(msgspec.Struct, frozen=True):
    """Somebody in a team.

    Attributes:
        person: Who.
        is_maintainer: Whether this one says who is in the team.
    """

    person: str
    is_maintainer: bool


class TeamView(msgspec.Struct, frozen=True):
    """A team.

    Attributes:
        name: Unique.
        description: In a sentence.
        members: By name.
        since: When it was made.
        by: By whom.
    """

    name: str
    description: str
    members: tuple[MemberView, ...]
    since: datetime
    by: str


class GrantView(msgspec.Struct, frozen=True):
    """That somebody has a role.

    Attributes:
        id: Follows from the grant: the same one has the same id.
        grant: See :class:`~drystone.l50_orchestrator.access.domain.Grant`.
        since: When it was given first.
        by: By whom.
    """

    id: str
    grant: Grant
    since: datetime
    by: str


class TokenSaid(msgspec.Struct, frozen=True):
    """A token that somebody wants.

    Attributes:
        label: What it is for.
        scopes: Actions.
        kind: ``personal`` acts for whoever makes it; ``service`` is for a program; ``deploy`` for the builds of one service in
            one environment.
        service: The one that it is for.
        environment: Likewise.
        lasts: How long, a year at most.
        maker: On whose behalf; only the platform's owner may name somebody.
    """

    label: str
    scopes: tuple[Action, ...]
    kind: Kind = "personal"
    service: str | None = None
    environment: str | None = None
    lasts: timedelta = timedelta(days=90)
    maker: str = ""


class TokenView(msgspec.Struct, frozen=True):
    """A token, without what opens anything.

    Attributes:
        id: Of the actor ``token:<id>``.
        label: What it is for.
        kind: See :class:`TokenSaid`.
        maker: Who made it, and can do what it does.
        scopes: See :class:`TokenSaid`.
        service: Likewise.
        environment: Likewise.
        since: When it was made.
        expires: When it ends.
        used: When it was last used, to the minute; None for never.
        state: Whether it opens anything.
    """

    id: str
    label: str
    kind: Kind
    maker: str
    scopes: tuple[Action, ...]
    service: str | None
    environment: str | None
    since: datetime
    expires: datetime
    used: datetime | None
    state: State


class TokenMade(msgspec.Struct, frozen=True):
    """A new token. Its ``repr`` hides it.

    Attributes:
        token: To be kept secret. It is shown this once and written down nowhere.
        view: What is known of it.
    """

    token: str
    view: TokenView

    @override
    def __repr__(self) -> str:
        return f"TokenMade(view={self.view!r})"


class GlassView(msgspec.Struct, frozen=True):
    """Access that somebody took in an emergency.

    Attributes:
        number: Which; entries of the audit log that were made under it name it.
        person: Who is admin by it.
        reason: Why.
        since: When it began.
        until: When it ends, or ended.
        is_over: Whether it did.
        ended_by: Who ended it early; empty when it ends by itself.
    """

    number: int
    person: str
    reason: str
    since: datetime
    until: datetime
    is_over: bool
    ended_by: str


class Answer(msgspec.Struct, frozen=True):
    """Whether somebody may do something.

    Attributes:
        allowed: Whether.
        why: In a sentence.
        who_can_grant: Who can give the role that is missing, those nearest to the service first.
    """

    allowed: bool
    why: str
    who_can_grant: tuple[str, ...] = ()


class MeView(msgspec.Struct, frozen=True):
    """Who asks.

    Attributes:
        name: See :class:`~drystone.l50_orchestrator.ports.Actor`.
        kind: Likewise.
        teams: Of the person.
        behind: Who made the token.
        grants: All that hold.
        glass: Number of the break-glass access that lasts; 0 for none.
    """

    name: str
    kind: str
    teams: tuple[str, ...]
    behind: str
    grants: tuple[Grant, ...]
    glass: int
