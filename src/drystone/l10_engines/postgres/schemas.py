"""A schema and a role for each platform service, in one database that they share.

Services of users have a database each (``databases.py``). Those of the platform share one, so that a home has one
more and not twenty; what keeps them apart is that a role may use its own schema and nothing else.
"""

from __future__ import annotations

from msgspec import structs

from drystone.l10_engines.postgres.access import DatabaseAccess
from drystone.l10_engines.postgres.names import identifier
from drystone.l10_engines.postgres.statements import (
    alone,
    close_shared_databases,
    connected,
    make_database,
    make_role,
    run,
)

DATABASE = "drystone_platform"


async def provision(
    admin: DatabaseAccess, service: str, *, connections: int, password: str
) -> DatabaseAccess:
    """Make the schema and the role of a platform service, or bring them to what is asked. Idempotent.

    The schema has the name ``identifier(service)``, the role the same with ``drystone_`` before it.

    Args:
        admin: A role that may make databases and roles.
        service: The service's name.
        connections: How many connections the role may hold at once.
        password: The role's password from now on. The server sees only its SCRAM verifier.

    Raises:
        Unavailable: The server does not answer, or refuses.
    """
    schema = identifier(service)
    role = identifier(f"drystone_{service}")
    async with connected(admin) as connection, alone(connection, DATABASE):
        await make_role(connection, role, password=password, connections=connections)
        await make_database(connection, DATABASE)
        await close_shared_databases(connection)
        await run(connection, "GRANT CONNECT ON DATABASE {} TO {}", DATABASE, role)
    inside = structs.replace(admin, database=DATABASE)
    async with connected(inside) as connection, alone(connection, schema):
        await run(connection, "REVOKE ALL ON SCHEMA public FROM PUBLIC")
        await run(connection, "CREATE SCHEMA IF NOT EXISTS {} AUTHORIZATION {}", schema, role)
    return structs.replace(inside, user=role, password=password)
