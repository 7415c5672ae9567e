"""Every statement on the tables of the registry. A test has the server prepare each of them."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING

import msgspec

from drystone.l50_orchestrator.ports import Environment, Registered
from drystone.l50_orchestrator.registry.api import ServiceView, TargetView
from drystone.l50_orchestrator.registry.names import Holding, Neighbour, skeleton

if TYPE_CHECKING:
    from drystone.l10_engines.postgres.database import Database, Row, Session

PART = "registry"
"""Of the orchestrator's schema."""

_SPACE = 0x7267  # keeps these advisory locks apart from others
_NAMES, _PLACES = 1, 2

LOCK = "SELECT pg_advisory_xact_lock(%(space)s, %(what)s # hashtext(current_schema()))"

FIND_SERVICE = """
SELECT name, team, tier, description, links, since, by, ran_at, gone_at, retired_at
  FROM registry_service
 WHERE name = %(name)s
"""
HOLD_SERVICE = """
SELECT name, team, tier, description, links, since, by, ran_at, gone_at, retired_at
  FROM registry_service
 WHERE name = %(name)s
   FOR NO KEY UPDATE
"""
SHOW_SERVICE = """
SELECT s.name, s.team, s.tier, s.description, s.links, s.since, s.by, s.ran_at, s.gone_at, s.retired_at,
       ARRAY(SELECT p.environment FROM registry_presence p WHERE p.service = s.name ORDER BY 1),
       (SELECT o.team FROM registry_offer o WHERE o.service = s.name AND o.ends_at > %(now)s)
  FROM registry_service s
 WHERE s.name = %(name)s
"""
PAGE_OF_SERVICES = """
SELECT s.name, s.team, s.tier, s.description, s.links, s.since, s.by, s.ran_at, s.gone_at, s.retired_at,
       ARRAY(SELECT p.environment FROM registry_presence p WHERE p.service = s.name ORDER BY 1),
       (SELECT o.team FROM registry_offer o WHERE o.service = s.name AND o.ends_at > %(now)s)
  FROM registry_service s
 WHERE s.name > %(after)s
   AND (s.retired_at IS NOT NULL) = %(retired)s
   AND (%(team)s::text IS NULL OR s.team = %(team)s)
   AND (%(tier)s::int IS NULL OR s.tier = %(tier)s)
   AND (%(search)s = '' OR position(lower(%(search)s) IN lower(s.name)) > 0
        OR position(lower(%(search)s) IN lower(s.description)) > 0)
 ORDER BY s.name
 LIMIT %(most)s
"""
ALL_SERVICES = """
SELECT name, team, tier, description, links, since, by, ran_at, gone_at, retired_at
  FROM registry_service
 WHERE retired_at IS NULL
 ORDER BY name
"""
NAMES = "SELECT name FROM registry_service WHERE retired_at IS NULL ORDER BY name LIMIT 500"
NEIGHBOURS = """
SELECT name, team, tier, since, ran_at, gone_at, retired_at
  FROM registry_service
 WHERE team <> %(team)s AND name <> %(name)s AND (skeleton = %(skeleton)s OR tier <= %(critical)s)
 ORDER BY name
"""
UNUSED = """
SELECT count(*)
  FROM registry_service
 WHERE team = %(team)s AND name <> %(name)s AND ran_at IS NULL AND retired_at IS NULL AND since > %(since)s
"""
PUT_SERVICE = """
INSERT INTO registry_service (name, skeleton, team, tier, description, links, since, by)
VALUES (%(name)s, %(skeleton)s, %(team)s, %(tier)s, %(description)s, %(links)s, %(since)s, %(by)s)
ON CONFLICT (name) DO UPDATE
   SET team = EXCLUDED.team, tier = EXCLUDED.tier, description = EXCLUDED.description, links = EXCLUDED.links,
       since = EXCLUDED.since, by = EXCLUDED.by, retired_at = NULL
"""
FORGET_PAST = "UPDATE registry_service SET ran_at = NULL, gone_at = NULL WHERE name = %(name)s"
OWNED = "SELECT count(*) FROM registry_service WHERE team = %(team)s AND retired_at IS NULL"

SET_TEAM = "UPDATE registry_service SET team = %(team)s WHERE name = %(name)s"
RETIRE = "UPDATE registry_service SET retired_at = %(now)s WHERE name = %(name)s"

OFFER = """
INSERT INTO registry_offer (service, team, by, ends_at) VALUES (%(service)s, %(team)s, %(by)s, %(ends)s)
ON CONFLICT (service) DO UPDATE SET team = EXCLUDED.team, by = EXCLUDED.by, ends_at = EXCLUDED.ends_at
"""
OFFERED = "SELECT team FROM registry_offer WHERE service = %(service)s AND ends_at > %(now)s"
END_OFFER = "DELETE FROM registry_offer WHERE service = %(service)s RETURNING team"

APPEAR = """
INSERT INTO registry_presence (service, environment) VALUES (%(service)s, %(environment)s)
ON CONFLICT DO NOTHING
"""
RUNS = """
UPDATE registry_service SET ran_at = coalesce(ran_at, %(now)s), gone_at = NULL, retired_at = NULL
 WHERE name = %(service)s AND (ran_at IS NULL OR gone_at IS NOT NULL OR retired_at IS NOT NULL)
"""
DISAPPEAR = """
DELETE FROM registry_presence WHERE service = %(service)s AND environment = %(environment)s RETURNING service
"""
RUNS_NOWHERE = """
UPDATE registry_service SET gone_at = %(now)s
 WHERE name = %(service)s AND NOT EXISTS (SELECT FROM registry_presence WHERE service = %(service)s)
"""
WHERE_IT_RUNS = "SELECT environment FROM registry_presence WHERE service = %(service)s ORDER BY 1"
WHO_RUNS = "SELECT service FROM registry_presence WHERE environment = %(name)s ORDER BY 1 LIMIT 6"

FIND_ENVIRONMENT = """
SELECT name, type, region, target, after, keep FROM registry_environment WHERE name = %(name)s
"""
HOLD_ENVIRONMENT = "SELECT name FROM registry_environment WHERE name = %(name)s FOR UPDATE"
SHARE_ENVIRONMENT = "SELECT name FROM registry_environment WHERE name = %(name)s FOR KEY SHARE"
ENVIRONMENTS = """
SELECT e.name, e.type, e.region, e.target, e.after, e.keep,
       (SELECT count(*) FROM registry_presence p WHERE p.environment = e.name)
  FROM registry_environment e
 ORDER BY e.name
"""
PUT_ENVIRONMENT = """
INSERT INTO registry_environment (name, type, region, target, after, keep)
VALUES (%(name)s, %(type)s, %(region)s, %(target)s, %(after)s, %(keep)s)
ON CONFLICT (name) DO UPDATE
   SET type = EXCLUDED.type, region = EXCLUDED.region, target = EXCLUDED.target, after = EXCLUDED.after,
       keep = EXCLUDED.keep
"""
REMOVE_ENVIRONMENT = "DELETE FROM registry_environment WHERE name = %(name)s"

TARGETS = """
SELECT t.name, t.kind, t.url, ARRAY(SELECT e.name FROM registry_environment e WHERE e.target = t.name ORDER BY 1)
  FROM registry_target t
 ORDER BY t.name
"""
BOUND = "SELECT name FROM registry_environment WHERE target = %(name)s ORDER BY 1"
PUT_TARGET = """
INSERT INTO registry_target (name, kind, url) VALUES (%(name)s, %(kind)s, %(url)s)
ON CONFLICT (name) DO UPDATE SET kind = EXCLUDED.kind, url = EXCLUDED.url
"""
REMOVE_TARGET = "DELETE FROM registry_target WHERE name = %(name)s"


class Kept(msgspec.Struct, frozen=True):
    """A service as the table has it."""

    service: Registered
    holding: Holding


async def lock_names(session: Session) -> None:
    """Let nobody else register a service until the transaction ends."""
    await session.fetch(LOCK, space=_SPACE, what=_NAMES)


async def lock_places(session: Session) -> None:
    """Let nobody else change environments and targets until the transaction ends."""
    await session.fetch(LOCK, space=_SPACE, what=_PLACES)


async def find_service(session: Session | Database, name: str) -> Kept | None:
    """Return a service, retired ones included."""
    rows = await session.fetch(FIND_SERVICE, name=name)
    return _kept(rows[0]) if rows else None


async def hold_service(session: Session, name: str) -> Kept | None:
    """Return a service that nobody else changes until the transaction ends."""
    rows = await session.fetch(HOLD_SERVICE, name=name)
    return _kept(rows[0]) if rows else None


async def show_service(session: Session | Database, name: str, now: datetime) -> ServiceView | None:
    """Return a service with where it runs and to whom it is offered."""
    rows = await session.fetch(SHOW_SERVICE, name=name, now=now)
    return _view(rows[0]) if rows else None


async def page_of_services(
    database: Database,
    *,
    team: str | None,
    tier: int | None,
    search: str,
    retired: bool,
    after: str,
    most: int,
    now: datetime,
) -> list[ServiceView]:
    """Return services by name, those after a name."""
    rows = await database.fetch(
        PAGE_OF_SERVICES,
        team=team,
        tier=tier,
        search=search,
        retired=retired,
        after=after,
        most=most,
        now=now,
    )
    return [_view(row) for row in rows]


async def all_services(database: Database) -> list[Registered]:
    """Return all that are not retired, by name."""
    return [_kept(row).service for row in await database.fetch(ALL_SERVICES)]


async def neighbours(
    session: Session, name: str, team: str, *, critical: int, now: datetime
) -> list[Neighbour]:
    """Return services of other teams that a name may be too close to, but for those whose names are free."""
    rows = await session.fetch(
        NEIGHBOURS, name=name, team=team, skeleton=skeleton(name), critical=critical
    )
    return [
        Neighbour(other, owner, tier)
        for other, owner, tier, *moments in rows
        if not Holding(*moments).is_free(now)
    ]


async def count_owned(database: Database, team: str) -> int:
    """Count services of a team that are not retired."""
    return int((await database.fetch(OWNED, team=team))[0][0])


async def count_unused(session: Session, team: str, name: str, since: datetime) -> int:
    """Count services of a team, but for one name, that never ran and hold their names."""
    return int((await session.fetch(UNUSED, team=team, name=name, since=since))[0][0])


async def put_service(session: Session, service: Registered) -> None:
    """Write a service; one that was retired is so no longer."""
    await session.fetch(
        PUT_SERVICE,
        skeleton=skeleton(service.name),
        **{**msgspec.structs.asdict(service), "links": msgspec.json.encode(service.links).decode()},
    )


async def find_environment(database: Database, name: str) -> Environment | None:
    """Return an environment."""
    rows = await database.fetch(FIND_ENVIRONMENT, name=name)
    return Environment(*rows[0]) if rows else None


async def environments(session: Session | Database) -> dict[str, tuple[Environment, int]]:
    """Return all environments by name, each with how many services run there."""
    rows = await session.fetch(ENVIRONMENTS)
    return {row[0]: (Environment(*row[:-1]), row[-1]) for row in rows}


async def targets(session: Session | Database) -> dict[str, TargetView]:
    """Return all targets by name, but for the one that is always there."""
    rows = await session.fetch(TARGETS)
    return {row[0]: TargetView(row[0], row[1], row[2], tuple(row[3])) for row in rows}


def _kept(row: Row) -> Kept:
    name, team, tier, description, links, since, by, *moments = row
    service = Registered(name, team, tier, description, msgspec.json.decode(links), since, by)
    return Kept(service, Holding(since, *moments))


def _view(row: Row) -> ServiceView:
    *kept, environments_, offered = row
    one = _kept(tuple(kept))
    runs = tuple(environments_)
    return ServiceView(one.service, runs, offered or "", one.holding.retired, one.holding.free_from)
