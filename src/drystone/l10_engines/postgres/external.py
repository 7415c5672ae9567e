"""A PostgreSQL server that somebody else runs."""

from __future__ import annotations

from typing_extensions import override

from drystone.l00_kernel.errors import Invalid
from drystone.l10_engines.postgres.access import DatabaseAccess
from drystone.l10_engines.postgres.server import PostgresEngine
from drystone.l10_engines.supervision.errors import EngineFailed
from drystone.l10_engines.supervision.external import ExternalEngine

OLDEST_MAJOR = 17
_OWN_FIELDS = frozenset({"host", "port", "dbname", "user", "password"})


def parse_url(url: str) -> DatabaseAccess:
    """Read a ``postgresql://`` URL of an administrative role.

    Raises:
        Invalid: It cannot be read, or lacks the host, the user or the password.
    """
    # Only homes that use a server of somebody else need psycopg for this; loading it takes 0.1 s.
    from psycopg import ProgrammingError  # noqa: PLC0415
    from psycopg.conninfo import conninfo_to_dict  # noqa: PLC0415

    try:
        fields = {k: str(v) for k, v in conninfo_to_dict(url).items() if v is not None}
    except ProgrammingError:
        # The cause quotes the URL, password included.
        raise Invalid(
            "the URL of the database server cannot be read; "
            "write it as postgresql://USER:PASSWORD@HOST:PORT/DATABASE"
        ) from None
    missing = [name for name in ("host", "user", "password") if not fields.get(name)]
    if missing:
        raise Invalid(f"the URL of the database server lacks: {', '.join(missing)}")
    return DatabaseAccess(
        host=fields["host"],
        port=int(fields.get("port", "5432")),
        database=fields.get("dbname", "postgres"),
        user=fields["user"],
        password=fields["password"],
        parameters=tuple((k, v) for k, v in fields.items() if k not in _OWN_FIELDS),
    )


class ExternalPostgres(ExternalEngine, PostgresEngine):
    """PostgreSQL at a URL, in a version the platform can use.

    Args:
        name: The engine's name among all engines of one home.
        url: ``postgresql://USER:PASSWORD@HOST:PORT/DATABASE`` of a role with CREATEDB and CREATEROLE.
    """

    def __init__(self, name: str, url: str) -> None:
        self._admin = parse_url(url)
        super().__init__(name, f"{self._admin.host}:{self._admin.port}")

    @override
    def admin(self) -> DatabaseAccess:
        return self._admin

    @override
    async def check(self) -> str:
        import psycopg  # noqa: PLC0415 - as above

        try:
            async with await psycopg.AsyncConnection.connect(
                self._admin.url(), autocommit=True, connect_timeout=10
            ) as connection:
                number = connection.info.server_version
        except psycopg.OperationalError as e:
            raise EngineFailed(
                f"{self.name}: no connection to PostgreSQL at {self.endpoint}: {e}",
                engine=self.name,
            ) from e
        major, minor = divmod(number, 10000)
        if major < OLDEST_MAJOR:
            raise EngineFailed(
                f"{self.name}: PostgreSQL at {self.endpoint} is {major}.{minor}; "
                f"{OLDEST_MAJOR} is the oldest that works",
                engine=self.name,
            )
        return f"{major}.{minor}"
