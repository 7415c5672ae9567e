"""Every statement on people, teams, grants, tokens and broken glass."""

from __future__ import annotations

import hashlib
from datetime import UTC, datetime

import msgspec

from drystone.l10_engines.postgres.database import Database, Row, Session
from drystone.l10_engines.postgres.migrating import migrate, steps_of
from drystone.l50_orchestrator.access.domain import Bounds, Grant, Role, Standing
from drystone.l50_orchestrator.access.views import (
    GlassView,
    GrantView,
    MemberView,
    PersonView,
    State,
    TeamView,
    TokenView,
)
from drystone.l50_orchestrator.ports import Action

PART = "access"
_SPACE = 0x6163  # keeps this advisory lock apart from others

LOCK = "SELECT pg_advisory_xact_lock(%(space)s, hashtext(current_schema()))"

WAIT = "SELECT set_config('lock_timeout', %(patience)s, true)"

ADMINS = """
SELECT count(*) FROM access_person p
 WHERE p.left_at IS NULL AND EXISTS (
       SELECT FROM access_grant g
        WHERE g.role = 'admin' AND g.over = 'all' AND g.place = 'all'
          AND (g.who = 'person:' || p.name
               OR EXISTS (SELECT FROM access_member m
                           WHERE m.person = p.name
                             AND (g.who = 'team:' || m.team OR (m.is_maintainer AND g.who = 'maintainers:' || m.team)))))
"""

STANDING = """
WITH mine AS (
    SELECT team, is_maintainer FROM access_member WHERE person = %(name)s
), whos AS (
    SELECT 'person:' || %(name)s::text AS who
    UNION ALL SELECT 'team:' || team FROM mine
    UNION ALL SELECT 'maintainers:' || team FROM mine WHERE is_maintainer
)
SELECT p.left_at IS NULL,
       ARRAY(SELECT team FROM mine ORDER BY team),
       ARRAY(SELECT team FROM mine WHERE is_maintainer ORDER BY team),
       ARRAY(SELECT ARRAY[g.who, g.role, g.over, g.place] FROM access_grant g JOIN whos USING (who) ORDER BY g.id),
       b.number, b.until
  FROM access_person p
  LEFT JOIN LATERAL (
       SELECT number, until FROM access_glass
        WHERE person = p.name AND ended_at IS NULL AND until > %(at)s ORDER BY number DESC LIMIT 1
       ) AS b ON true
 WHERE p.name = %(name)s
"""

POWERFUL = """
SELECT who, role, over, place FROM access_grant g
 WHERE role IN ('owner', 'admin')
   AND over = ANY(ARRAY['all', 'service:' || %(service)s::text, 'team:' || %(team)s::text])
"""

PERSON = """
SELECT p.name, p.called, ARRAY(SELECT team FROM access_member m WHERE m.person = p.name ORDER BY team),
       p.since, p.by, p.left_at IS NOT NULL
  FROM access_person p WHERE p.name = %(name)s
"""

PEOPLE = """
SELECT p.name, p.called, ARRAY(SELECT team FROM access_member m WHERE m.person = p.name ORDER BY team),
       p.since, p.by, p.left_at IS NOT NULL
  FROM access_person p WHERE p.name > %(after)s ORDER BY p.name LIMIT %(most)s
"""

PUT_PERSON = """
INSERT INTO access_person (name, called, since, by) VALUES (%(name)s, %(called)s, %(at)s, %(by)s)
    ON CONFLICT (name) DO UPDATE SET called = EXCLUDED.called, left_at = NULL
"""

LEAVE = """
WITH gone AS (
    UPDATE access_person SET left_at = %(at)s WHERE name = %(name)s AND left_at IS NULL
), members AS (
    DELETE FROM access_member WHERE person = %(name)s
), grants AS (
    DELETE FROM access_grant WHERE who = 'person:' || %(name)s::text
), glass AS (
    UPDATE access_glass SET ended_at = %(at)s, ended_by = %(by)s
     WHERE person = %(name)s AND ended_at IS NULL AND until > %(at)s
)
UPDATE access_token SET revoked_at = %(at)s, revoked_by = %(by)s WHERE maker = %(name)s AND revoked_at IS NULL
RETURNING id
"""

TEAM_OF = """
SELECT t.name, t.description,
       ARRAY(SELECT m.person FROM access_member m WHERE m.team = t.name ORDER BY m.person),
       ARRAY(SELECT m.is_maintainer FROM access_member m WHERE m.team = t.name ORDER BY m.person),
       t.since, t.by
  FROM access_team t WHERE t.name = %(name)s
"""

TEAMS = """
SELECT t.name, t.description,
       ARRAY(SELECT m.person FROM access_member m WHERE m.team = t.name ORDER BY m.person),
       ARRAY(SELECT m.is_maintainer FROM access_member m WHERE m.team = t.name ORDER BY m.person),
       t.since, t.by
  FROM access_team t WHERE t.name > %(after)s ORDER BY t.name LIMIT %(most)s
"""

IS_TEAM = "SELECT FROM access_team WHERE name = %(name)s"

PUT_TEAM = """
INSERT INTO access_team (name, description, since, by) VALUES (%(name)s, %(description)s, %(at)s, %(by)s)
    ON CONFLICT (name) DO UPDATE SET description = EXCLUDED.description
"""

REMOVE_TEAM = """
WITH team AS (
    DELETE FROM access_team WHERE name = %(name)s
)
DELETE FROM access_grant
 WHERE who IN ('team:' || %(name)s::text, 'maintainers:' || %(name)s::text) OR over = 'team:' || %(name)s::text
RETURNING id
"""

PUT_MEMBER = """
INSERT INTO access_member (team, person, is_maintainer, since, by)
VALUES (%(team)s, %(person)s, %(is_maintainer)s, %(at)s, %(by)s)
    ON CONFLICT (team, person) DO UPDATE SET is_maintainer = EXCLUDED.is_maintainer
"""

REMOVE_MEMBER = "DELETE FROM access_member WHERE team = %(team)s AND person = %(person)s"

PUT_GRANT = """
INSERT INTO access_grant (id, who, role, over, place, since, by)
VALUES (%(id)s, %(who)s, %(role)s, %(over)s, %(place)s, %(at)s, %(by)s)
    ON CONFLICT (id) DO NOTHING
"""

GRANT = "SELECT id, who, role, over, place, since, by FROM access_grant WHERE id = %(id)s"

GRANTS = """
SELECT id, who, role, over, place, since, by
  FROM access_grant
 WHERE id > %(after)s
   AND (%(who)s::text IS NULL OR who = %(who)s)
   AND (%(over)s::text IS NULL OR over = %(over)s)
 ORDER BY id LIMIT %(most)s
"""

REMOVE_GRANT = "DELETE FROM access_grant WHERE id = %(id)s"

END_ROLES = "DELETE FROM access_grant WHERE over = %(over)s RETURNING id, who, role, over, place"

ISSUE = """
INSERT INTO access_token (id, digest, label, kind, maker, scopes, service, environment, since, expires)
VALUES (%(id)s, %(digest)s, %(label)s, %(kind)s, %(maker)s, %(scopes)s::text[], %(service)s, %(environment)s,
        %(at)s, %(expires)s)
RETURNING number, id, label, kind, maker, scopes, service, environment, since, expires, used_at, revoked_at
"""

COUNT_TOKENS = """
SELECT count(*) FROM access_token WHERE maker = %(maker)s AND revoked_at IS NULL AND expires > %(at)s
"""

BY_DIGEST = """
SELECT t.id, t.maker, t.expires, t.revoked_at, t.used_at, p.left_at IS NULL
  FROM access_token t JOIN access_person p ON p.name = t.maker
 WHERE t.digest = %(digest)s
"""

ISSUED = """
SELECT number, id, label, kind, maker, scopes, service, environment, since, expires, used_at, revoked_at
  FROM access_token WHERE id = %(id)s
"""

TOKENS = """
SELECT number, id, label, kind, maker, scopes, service, environment, since, expires, used_at, revoked_at
  FROM access_token
 WHERE (%(maker)s::text IS NULL OR maker = %(maker)s)
   AND (%(service)s::text IS NULL OR service = %(service)s)
   AND (%(before)s::bigint IS NULL OR number < %(before)s)
 ORDER BY number DESC LIMIT %(most)s
"""

USED = """
UPDATE access_token SET used_at = %(at)s
 WHERE id = %(id)s AND (used_at IS NULL OR used_at < %(at)s::timestamptz - interval '1 minute')
"""

REVOKE = """
UPDATE access_token SET revoked_at = %(at)s, revoked_by = %(by)s
 WHERE id = %(id)s AND revoked_at IS NULL
RETURNING id
"""

BREAK = """
INSERT INTO access_glass (person, reason, since, until)
VALUES (%(person)s, %(reason)s, %(at)s, %(until)s) RETURNING number
"""

GLASS = """
SELECT number, person, reason, since, until, ended_at, ended_by FROM access_glass WHERE number = %(number)s
"""

GLASSES = """
SELECT number, person, reason, since, until, ended_at, ended_by FROM access_glass ORDER BY number DESC LIMIT %(most)s
"""

END_GLASS = """
UPDATE access_glass SET ended_at = %(at)s, ended_by = %(by)s
 WHERE number = %(number)s AND ended_at IS NULL AND until > %(at)s
"""


class TokenRow(msgspec.Struct, frozen=True):
    """A token and its place in the order of all."""

    number: int
    view: TokenView


class Known(msgspec.Struct, frozen=True):
    """What is known of a token by its digest."""

    id: str
    maker: str
    expires: datetime
    revoked: datetime | None
    used: datetime | None
    is_active: bool


async def prepare(database: Database) -> None:
    """Make the tables, or bring them to the present.

    Raises:
        MigrationsDiverged: They were made by another version.
        DatabaseUnavailable: The server cannot do it now.
    """
    await migrate(database, PART, steps_of(__package__))


async def lock(session: Session) -> None:
    """Let changes of access happen one after the other; held until the transaction ends."""
    await session.fetch(LOCK, space=_SPACE)


async def count_admins(session: Session) -> int:
    """Return how many people may administer everything."""
    return int((await session.fetch(ADMINS))[0][0])


async def standing_of(session: Session, person: str, at: datetime) -> Standing:
    """Return what a person may do now; one that nobody knows is not active."""
    rows = await session.fetch(STANDING, name=person, at=at)
    if not rows:
        return Standing(person, "person", is_active=False)
    is_active, teams, maintains, grants, glass, until = rows[0]
    return Standing(
        person,
        "person",
        is_active=is_active,
        teams=frozenset(teams),
        maintains=frozenset(maintains),
        grants=tuple(Grant(who, Role(role), over, place) for who, role, over, place in grants),
        glass=glass or 0,
        until=until,
    )


async def powerful(session: Session, service: str | None, team: str | None) -> list[Grant]:
    """Return the grants of owners and admins that may be about a service."""
    rows = await session.fetch(POWERFUL, service=service, team=team)
    return [Grant(who, Role(role), over, place) for who, role, over, place in rows]


async def person(session: Session, name: str) -> PersonView | None:
    """Return somebody."""
    rows = await session.fetch(PERSON, name=name)
    return _person(rows[0]) if rows else None


async def people(database: Database, after: str, most: int) -> list[PersonView]:
    """Return people by name."""
    return [_person(row) for row in await database.fetch(PEOPLE, after=after, most=most)]


def _person(row: Row) -> PersonView:
    name, called, teams, since, by, has_left = row
    return PersonView(name, called, tuple(teams), since, by, has_left)


async def team(session: Session, name: str) -> TeamView | None:
    """Return a team."""
    rows = await session.fetch(TEAM_OF, name=name)
    return _team(rows[0]) if rows else None


async def teams(database: Database, after: str, most: int) -> list[TeamView]:
    """Return teams by name."""
    return [_team(row) for row in await database.fetch(TEAMS, after=after, most=most)]


def _team(row: Row) -> TeamView:
    name, description, members, maintains, since, by = row
    pairs = zip(members, maintains, strict=True)
    return TeamView(name, description, tuple(MemberView(*pair) for pair in pairs), since, by)


def id_of(grant: Grant) -> str:
    """Return the id of a grant: the same one has the same id."""
    text = "\n".join((grant.who, grant.role.value, grant.over, grant.place))
    return hashlib.sha256(text.encode()).hexdigest()[:16]


async def grant(session: Session, wanted: str) -> GrantView | None:
    """Return a grant by its id."""
    rows = await session.fetch(GRANT, id=wanted)
    return _grant(rows[0]) if rows else None


async def grants(
    database: Database, *, who: str | None, over: str | None, after: str, most: int
) -> list[GrantView]:
    """Return grants by id."""
    rows = await database.fetch(GRANTS, who=who, over=over, after=after, most=most)
    return [_grant(row) for row in rows]


def _grant(row: Row) -> GrantView:
    given, who, role, over, place, since, by = row
    return GrantView(given, Grant(who, Role(role), over, place), since, by)


async def known(session: Session, digest: bytes) -> Known | None:
    """Return what is known of a token."""
    rows = await session.fetch(BY_DIGEST, digest=digest)
    return Known(*rows[0]) if rows else None


async def token(session: Session, wanted: str, at: datetime) -> TokenView | None:
    """Return a token by its id."""
    rows = await session.fetch(ISSUED, id=wanted)
    return token_of(rows[0], at).view if rows else None


def token_of(row: Row, at: datetime) -> TokenRow:
    """Read a row of a token."""
    number, id_, label, kind, maker, scopes, service, environment, since, expires, used, gone = row
    state: State = "revoked" if gone else "expired" if expires <= at else "good"
    view = TokenView(
        id=id_,
        label=label,
        kind=kind,
        maker=maker,
        scopes=tuple(Action(scope) for scope in scopes),
        service=service,
        environment=environment,
        since=since.astimezone(UTC),
        expires=expires.astimezone(UTC),
        used=used and used.astimezone(UTC),
        state=state,
    )
    return TokenRow(number, view)


def bounds_of(view: TokenView) -> Bounds:
    """Return what narrows a token."""
    return Bounds(view.kind, frozenset(view.scopes), view.service, view.environment)


async def glass(session: Session, number: int, at: datetime) -> GlassView | None:
    """Return break-glass access by its number."""
    rows = await session.fetch(GLASS, number=number)
    return glass_of(rows[0], at) if rows else None


def glass_of(row: Row, at: datetime) -> GlassView:
    """Read a row of break-glass access."""
    number, who, reason, since, until, ended, by = row
    end = ended or until
    return GlassView(number, who, reason, since, end, ended is not None or until <= at, by or "")
