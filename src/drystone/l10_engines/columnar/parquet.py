"""The rows of Parquet files."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from drystone.l00_kernel.errors import Invalid

MEMORY = "512MB"
"""So much may DuckDB take; a row group of a flow log unpacks to some tens of megabytes."""
_AT_ONCE = 2000


class ParquetUnreadable(Invalid):
    """The file cannot be read as Parquet."""


def rows(path: Path) -> Iterator[dict[str, str | None]]:
    """Read a file row by row.

    Args:
        path: Which.

    Returns:
        Each row by names of columns; values as DuckDB writes them as text, None for what is not there.

    Raises:
        ParquetUnreadable: It is no Parquet file, damaged or encrypted.
        OSError: There is no such file, or it may not be read.
    """
    with path.open("rb"):  # whoever may not read it is told by the system, and not by DuckDB
        pass
    import duckdb  # noqa: PLC0415 - 60 MB that nobody else needs

    place = str(path.resolve())
    connection = duckdb.connect(":memory:")
    try:
        for statement, value in _settings(place):
            connection.execute(statement, [value])
        # Text for all, since a time with a zone would need another library.
        found = connection.execute("SELECT COLUMNS(*)::VARCHAR FROM read_parquet(?)", [place])
        names = [str(column[0]) for column in found.description or ()]
        while some := found.fetchmany(_AT_ONCE):
            for row in some:
                yield dict(zip(names, row, strict=True))
    except duckdb.Error as error:
        first = str(error).partition("\n")[0][:300]
        raise ParquetUnreadable(f"{path} cannot be read as Parquet: {first}") from error
    finally:
        connection.close()


def _settings(place: str) -> tuple[tuple[str, object], ...]:
    """Confine the engine to one file and little memory; what comes last forbids every change."""
    return (
        ("SET threads = ?", 1),
        ("SET memory_limit = ?", MEMORY),
        ("SET temp_directory = ?", ""),
        ("SET autoinstall_known_extensions = ?", False),
        ("SET autoload_known_extensions = ?", False),
        ("SET allowed_paths = ?", [place]),
        ("SET enable_external_access = ?", False),
        ("SET lock_configuration = ?", True),
    )
