"""Who may do what: one pure function, :func:`decide`, and the rules of giving. Every call of the orchestrator ends here.

A right comes from a grant: somebody has a role over some services in some environments. Grants only add: no grant, and no order of
grants, takes a right away. What narrows are tokens, which never do more than whoever made them may do now.
"""

from __future__ import annotations

import enum
from collections.abc import Iterable
from datetime import datetime
from typing import Literal, TypeAlias

import msgspec

from drystone.l50_orchestrator.access import names
from drystone.l50_orchestrator.access.errors import SaidUnfit
from drystone.l50_orchestrator.ports import Action

ALL = "all"
TYPES = ("local", "dev", "staging", "prod")


class Role(enum.Enum):
    """What somebody may act as; each may do what those before it may."""

    VIEWER = "viewer"
    DEPLOYER = "deployer"
    OWNER = "owner"
    ADMIN = "admin"


_RANK = {role: rank for rank, role in enumerate(Role)}

NEEDED = {
    Action.SEE: Role.VIEWER,
    Action.PLAN: Role.VIEWER,
    Action.DEPLOY: Role.DEPLOYER,
    Action.ROLL_BACK: Role.DEPLOYER,
    Action.STEER: Role.DEPLOYER,
    Action.PROMOTE: Role.DEPLOYER,
    Action.APPROVE: Role.DEPLOYER,
    Action.REGISTER: Role.DEPLOYER,
    Action.BACK_UP: Role.DEPLOYER,
    Action.RESTORE: Role.OWNER,
    Action.DESTROY: Role.OWNER,
    Action.TRANSFER: Role.OWNER,
    Action.GRANT: Role.OWNER,
    Action.FREEZE: Role.OWNER,
    Action.AUDIT: Role.OWNER,
    Action.EXCEPT: Role.ADMIN,
    Action.ADMINISTER: Role.ADMIN,
}
"""The least role that an action takes."""

FIRST = frozenset({Action.SEE, Action.PLAN, Action.DEPLOY, Action.REGISTER})
"""What a team may do to a service that nobody registered: by its first deploy it becomes the team's."""

BY_PEOPLE = frozenset(
    {
        Action.APPROVE,
        Action.TRANSFER,
        Action.GRANT,
        Action.EXCEPT,
        Action.FREEZE,
        Action.ADMINISTER,
    }
)
"""What no program decides: only a person, or a token that acts for one."""

OF_DEPLOYS = frozenset(
    {
        Action.SEE,
        Action.PLAN,
        Action.DEPLOY,
        Action.ROLL_BACK,
        Action.STEER,
        Action.PROMOTE,
        Action.BACK_UP,
    }
)
"""Scopes that a deploy token can have."""


def is_enough(role: Role | None, needed: Role) -> bool:
    """Tell whether a role may do what another one may."""
    return role is not None and _RANK[role] >= _RANK[needed]


class Grant(msgspec.Struct, frozen=True):
    """That somebody has a role.

    Attributes:
        who: ``person:ada``, ``team:commerce`` for its members, ``maintainers:commerce``.
        role: Which.
        over: ``service:orders``, ``team:commerce`` for all services of that team, or ``all``.
        place: ``environment:prod-eu``, ``type:prod`` for all environments of that type, or ``all``.
    """

    who: str
    role: Role
    over: str = ALL
    place: str = ALL


class Question(msgspec.Struct, frozen=True):
    """What somebody wants to do, to what, where.

    Attributes:
        action: What.
        service: To which; None where it concerns none.
        team: Whose that is; None where nobody registered it.
        environment: Where; None where it concerns all of them.
        type: Of the environment; None where there is none of this name.
    """

    action: Action
    service: str | None = None
    team: str | None = None
    environment: str | None = None
    type: str | None = None


Kind: TypeAlias = Literal["personal", "service", "deploy"]


class Bounds(msgspec.Struct, frozen=True):
    """What narrows a token.

    Attributes:
        kind: A personal one acts for a person, the others for programs.
        scopes: Actions that it is for.
        service: The one service that it is for; None for all.
        environment: The one environment; None for all.
    """

    kind: Kind
    scopes: frozenset[Action]
    service: str | None = None
    environment: str | None = None


class Standing(msgspec.Struct, frozen=True):
    """Who asks, as everything stands now.

    Attributes:
        name: See :class:`~drystone.l50_orchestrator.ports.Actor`.
        kind: Likewise.
        is_active: Whether the person, or whoever made the token, is known and has not left.
        teams: Of the person.
        maintains: Those of them that the person maintains.
        grants: All that hold for the person or its teams.
        bounds: Of a token.
        behind: Who made the token.
        glass: Number of the break-glass access that the person has; 0 for none.
        until: When that ends.
    """

    name: str
    kind: Literal["person", "service", "token", "platform"]
    is_active: bool = True
    teams: frozenset[str] = frozenset()
    maintains: frozenset[str] = frozenset()
    grants: tuple[Grant, ...] = ()
    bounds: Bounds | None = None
    behind: str = ""
    glass: int = 0
    until: datetime | None = None

    def has_broken_glass(self, at: datetime) -> bool:
        """Tell whether break-glass access lasts."""
        return self.glass > 0 and self.until is not None and at < self.until


class Decision(msgspec.Struct, frozen=True):
    """Whether somebody may.

    Attributes:
        allowed: Whether.
        why: In a sentence.
        needed: The role that it takes.
        by_token: Whether the token alone stands in the way.
    """

    allowed: bool
    why: str
    needed: Role
    by_token: bool = False


def decide(standing: Standing, asked: Question, at: datetime) -> Decision:
    """Say whether somebody may do something.

    Args:
        standing: Who asks.
        asked: What.
        at: Now.
    """
    needed = NEEDED[asked.action]
    if standing.kind == "platform":
        return Decision(True, "the owner of the platform may do everything", needed)
    if not standing.is_active:
        return Decision(False, f"{standing.behind or standing.name} is not known here", needed)
    if standing.bounds is not None:
        against = _against(standing.bounds, asked)
        if against:
            return Decision(False, f"{standing.name} {against}", needed, by_token=True)
    elif standing.has_broken_glass(at):
        return Decision(True, f"{standing.name} has broken the glass", needed)
    role = role_of(standing.grants, asked)
    if is_enough(role, needed):
        return Decision(True, f"{standing.behind or standing.name} is {_said(role)} there", needed)
    who = f"{standing.behind}, who made {standing.name}," if standing.behind else standing.name
    has = f"is {_said(role)} there" if role else "has no role there"
    return Decision(False, f"that takes the role {needed.value}, and {who} {has}", needed)


_DONE = {
    Action.SEE: ("see", "see what there is"),
    Action.ROLL_BACK: ("roll back", "roll back"),
    Action.STEER: ("steer", "steer releases"),
    Action.BACK_UP: ("back up", "back up services"),
    Action.RESTORE: ("restore data of", "restore data"),
    Action.REGISTER: ("register", "register services"),
    Action.GRANT: ("give roles and tokens of", "give roles"),
    Action.EXCEPT: ("make an exception for", "make exceptions"),
    Action.FREEZE: ("freeze", "freeze deploys"),
    Action.ADMINISTER: ("administer", "administer the platform"),
    Action.AUDIT: ("read the audit log of", "read the audit log"),
}
"""Actions that are no verb by themselves: with a service behind them, and without."""


def done(action: Action, service: str | None, environment: str | None) -> str:
    """Return in words what somebody does: ``roll back orders in prod``."""
    of_one, of_all = _DONE.get(action, (action.value, action.value))
    where = f" in {environment}" if environment else ""
    return f"{of_one} {service}{where}" if service else f"{of_all}{where}"


def _said(role: Role | None) -> str:
    return role.value if role else "nothing"


def _against(bounds: Bounds, asked: Question) -> str:
    """Tell what a token has against an action; empty for nothing."""
    if asked.action not in bounds.scopes:
        return f"has not the scope {asked.action.value}"
    if bounds.kind != "personal" and asked.action in BY_PEOPLE:
        return f"acts for a program, and to {done(asked.action, None, None)} is for people"
    if _is_a_look_at_lists(asked):
        return ""
    if bounds.service is not None and asked.service != bounds.service:
        return f"is for the service {bounds.service} alone"
    if bounds.environment is not None and asked.environment != bounds.environment:
        return f"is for the environment {bounds.environment} alone"
    return ""


def _is_a_look_at_lists(asked: Question) -> bool:
    """Which services, teams and environments there are is seen by whoever has a role anywhere."""
    return asked.action is Action.SEE and asked.service is None


def role_of(grants: Iterable[Grant], asked: Question) -> Role | None:
    """Return the highest role that grants give for a question."""
    lists = _is_a_look_at_lists(asked)
    roles = [grant.role for grant in grants if lists or holds(grant, asked)]
    return max(roles, key=_RANK.__getitem__, default=None)


def holds(grant: Grant, asked: Question) -> bool:
    """Tell whether a grant says something about a question."""
    if grant.over == ALL and grant.place == ALL:
        return True
    if asked.environment is not None and asked.type is None:
        return False  # of an environment that is not there nobody knows whose it will be
    return _holds_over(grant.over, asked) and _holds_in(grant.place, asked)


def _holds_over(over: str, asked: Question) -> bool:
    if over == ALL:
        return True
    if asked.service is None:
        return False
    kind, _, name = over.partition(":")
    if kind == "service":
        return name == asked.service
    if asked.team is None:
        return asked.action in FIRST
    return name == asked.team


def _holds_in(place: str, asked: Question) -> bool:
    if place == ALL:
        return True
    if asked.environment is None:
        return False
    kind, _, name = place.partition(":")
    return name == (asked.environment if kind == "environment" else asked.type)


class Wider(msgspec.Struct, frozen=True):
    """What has to be known of a grant to compare others with it.

    Attributes:
        team: Owner of the service that it is over; None where it is over no service, or one that nobody registered.
        type: Type of the environment that it is in; None likewise.
    """

    team: str | None = None
    type: str | None = None


def may_give(standing: Standing, grant: Grant, known: Wider) -> bool:
    """Tell whether somebody may give or take a role: who has the same or a higher one over all of that, and may grant.

    Access by broken glass does not count: what it gave would outlive it.
    """
    if standing.kind == "platform":
        return True
    if not standing.is_active or standing.kind != "person":
        return False
    needed = max(Role.OWNER, grant.role, key=_RANK.__getitem__)
    return any(
        is_enough(own.role, needed)
        and _is_over(own.over, grant.over, known)
        and _is_in(own.place, grant.place, known)
        for own in standing.grants
    )


def _is_over(own: str, other: str, known: Wider) -> bool:
    by_team = f"team:{known.team}" if known.team and other.startswith("service:") else None
    return own in {ALL, other, by_team}


def _is_in(own: str, other: str, known: Wider) -> bool:
    by_type = f"type:{known.type}" if known.type and other.startswith("environment:") else None
    return own in {ALL, other, by_type}


def givers(grants: Iterable[Grant], asked: Question) -> tuple[str, ...]:
    """Return who can give the role that a question takes, those nearest to the service first.

    Args:
        grants: All of owners and admins.
        asked: The question.
    """
    needed = max(Role.OWNER, NEEDED[asked.action], key=_RANK.__getitem__)
    able = [one for one in grants if is_enough(one.role, needed) and holds(one, asked)]
    able.sort(key=lambda one: (one.over == ALL, one.place == ALL, one.who))
    return tuple(dict.fromkeys(one.who for one in able))


def spoken(who: str) -> str:
    """Return a grant's ``who`` as people say it."""
    kind, _, name = who.partition(":")
    return {"person": name, "team": f"team {name}"}.get(kind, f"the maintainers of {name}")


def checked(grant: Grant) -> Grant:
    """Return a grant that can be one.

    Raises:
        NameUnfit: A name in it cannot be one.
        SaidUnfit: A part of it has not the form that it must have.
    """
    _check(grant.who, "who", {"person": "person", "team": "team", "maintainers": "team"})
    if grant.over != ALL:
        _check(grant.over, "over", {"service": "service", "team": "team"})
    if grant.place.startswith("type:"):
        if grant.place.removeprefix("type:") not in TYPES:
            raise SaidUnfit(f"place: the types of environments are {', '.join(TYPES)}")
    elif grant.place != ALL:
        _check(grant.place, "place", {"environment": "environment"})
    return grant


_EXAMPLES = {
    "who": "person:ada, team:commerce or maintainers:commerce",
    "over": "service:orders, team:commerce or all",
    "place": "environment:prod-eu, type:prod or all",
}


def _check(text: str, field: str, kinds: dict[str, str]) -> None:
    kind, colon, name = text.partition(":")
    if not colon or kind not in kinds:
        raise SaidUnfit(f"{field}: write {_EXAMPLES[field]}")
    names.checked(kinds[kind], name)
