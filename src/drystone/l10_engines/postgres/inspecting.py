"""What is really there of a database and its role, compared with what was made of them. Reads, and changes nothing."""

from __future__ import annotations

import asyncio
import base64
import hashlib
import hmac
import re
from collections.abc import Sequence
from datetime import timedelta

import psycopg
from msgspec import structs

from drystone.l10_engines.postgres.access import DatabaseAccess
from drystone.l10_engines.postgres.statements import (
    IDLE_IN_TRANSACTION_TIMEOUT,
    STATEMENT_TIMEOUT,
    Connection,
    connected,
)

Found = dict[str, tuple[str | None, str | None]]
"""What should be and what is, by what it is called; None for nothing."""

ROLE = """
SELECT r.rolcanlogin, r.rolsuper, r.rolcreaterole, r.rolcreatedb, r.rolreplication, r.rolbypassrls, r.rolconnlimit,
       coalesce(r.rolconfig, '{}'),
       ARRAY(SELECT g.rolname::text FROM pg_auth_members m JOIN pg_roles g ON g.oid = m.roleid
              WHERE m.member = r.oid ORDER BY 1)
  FROM pg_roles r WHERE r.rolname = %s
"""
VERIFIER = """
SELECT a.rolpassword FROM pg_authid a
 WHERE a.rolname = %s AND has_table_privilege('pg_authid', 'SELECT')
"""
IS_SUPERUSER = "SELECT rolsuper FROM pg_roles WHERE rolname = current_user"
IS_OPEN = (
    "SELECT has_database_privilege('public', oid, 'CONNECT') FROM pg_database WHERE datname = %s"
)
INSIDE = """
SELECT ARRAY(SELECT extname::text FROM pg_extension), (SELECT nspowner::regrole::text FROM pg_namespace WHERE nspname = 'public')
"""

_RIGHTS = ("login", "superuser", "createrole", "createdb", "replication", "bypassrls")
_SCRAM = re.compile(r"SCRAM-SHA-256\$(\d+):([^$]+)\$([^:]+):(.+)")
_UNITS = {"": 1, "ms": 1, "s": 1000, "min": 60_000, "h": 3_600_000, "d": 86_400_000}
_DURATION = re.compile(r"(\d+) ?(|ms|s|min|h|d)")
_YES, _NO = "yes", "no"


async def differences(
    admin: DatabaseAccess, access: DatabaseAccess, *, connections: int, extensions: Sequence[str]
) -> Found:
    """Return in what a database is not as :func:`~drystone.l10_engines.postgres.making.make` makes it.

    Args:
        admin: As for that function; so are the others.
        access: What should be.
        connections: How many connections the role should be able to hold.
        extensions: What should be there.

    Raises:
        Unavailable: The server does not answer, or refuses.
    """
    who = access.database
    async with connected(admin) as connection:
        found = await connection.execute(IS_OPEN, (who,))
        row = await found.fetchone()
        if row is None:
            return {"database": (who, None)}
        told = await _of_role(connection, access, connections)
        if access.user != who:  # the second role is a member of the first, which logs in no more
            told = {
                **await _of_role(
                    connection, structs.replace(access, user=who, password=""), connections
                ),
                **told,
            }
        if row[0]:
            told["public"] = (_NO, _YES)
    async with connected(structs.replace(admin, database=who)) as inside:
        told |= await _of_inside(inside, who, extensions)
    return told


async def _of_role(connection: Connection, access: DatabaseAccess, connections: int) -> Found:
    """Compare one role; one that may not log in has no password here."""
    who, may_login = access.user, bool(access.password)
    found = await connection.execute(ROLE, (who,))
    row = await found.fetchone()
    if row is None:
        return {"role": (who, None)}
    told: Found = {}
    for right, wanted, has in zip(_RIGHTS, (may_login, *(False,) * 5), row[:6], strict=True):
        if wanted is not has:
            told[f"role.{right}"] = (_said(wanted), _said(has))
    if row[6] != connections:
        told["connections"] = (str(connections), str(row[6]))
    settings = dict(one.split("=", 1) for one in row[7])
    for setting, limit in (
        ("statement_timeout", STATEMENT_TIMEOUT),
        ("idle_in_transaction_session_timeout", IDLE_IN_TRANSACTION_TIMEOUT),
    ):
        if _milliseconds(settings.get(setting, "")) != limit / timedelta(milliseconds=1):
            wanted_ = f"{int(limit.total_seconds())}s"
            told[f"role.{setting}"] = (wanted_, settings.get(setting))
    others = [one for one in row[8] if one != access.database]
    if others:
        told["role.member_of"] = (None, ", ".join(others))
    if may_login and not await _is_password(connection, access):
        told["password"] = ("the one that the service has", "another one")
    return told


async def _is_password(connection: Connection, access: DatabaseAccess) -> bool:
    """Tell whether a password opens the role; who may not read verifiers cannot tell, and says that it does."""
    asked = await connection.execute(IS_SUPERUSER)
    row = await asked.fetchone()
    if not (row and row[0]):
        return True
    found = await connection.execute(VERIFIER, (access.user,))
    row = await found.fetchone()
    kept = _SCRAM.fullmatch(str(row[0])) if row and row[0] else None
    if kept is None:
        return False
    salt, stored = base64.b64decode(kept[2]), base64.b64decode(kept[3])
    return await asyncio.to_thread(_opens, access.password, salt, int(kept[1]), stored)


def _opens(password: str, salt: bytes, rounds: int, stored: bytes) -> bool:
    """Compare a password with a stored key (RFC 5802, section 3)."""
    salted = hashlib.pbkdf2_hmac("sha256", password.encode(), salt, rounds)
    key = hashlib.sha256(hmac.digest(salted, b"Client Key", "sha256")).digest()
    return hmac.compare_digest(key, stored)


async def _of_inside(
    inside: psycopg.AsyncConnection[tuple[object, ...]], who: str, extensions: Sequence[str]
) -> Found:
    found = await inside.execute(INSIDE)
    row = await found.fetchone()
    there, owner = (row[0], row[1]) if row else ([], None)
    told: Found = {}
    for one in sorted(set(extensions) - set(_texts(there))):
        told[f"extensions.{one}"] = (_YES, _NO)
    if owner is not None and str(owner).strip('"') != who:
        told["schema.public"] = (f"of {who}", f"of {owner}")
    return told


def _milliseconds(text: str) -> float | None:
    """Read a duration as the server writes it down (documentation, 20.1.1); None where it is none."""
    found = _DURATION.fullmatch(text)
    return int(found[1]) * _UNITS[found[2]] if found else None


def _texts(found: object) -> list[str]:
    return [str(one) for one in found] if isinstance(found, list) else []


def _said(is_so: bool) -> str:
    return _YES if is_so else _NO
