"""The server's configuration files, as text."""

from __future__ import annotations

from pathlib import Path

MEBIBYTE = 1024 * 1024
MAX_CONNECTIONS = 200
WAL_SEGMENT = 16 * MEBIBYTE
"""Bytes of one file of the write-ahead log (``initdb --wal-segsize``)."""

ARCHIVE, WANTED = "archive", "wanted"
"""Folder of the engine into which segments of the log go, and the file in it without which none does."""

SOCKET_PATH_LIMIT = 107
"""Longest path of a unix socket in bytes (unix(7), ``sun_path`` without its end)."""


def memory_settings(memory: int) -> dict[str, str]:
    """Share out a memory bound in bytes.

    A quarter goes to shared buffers, as PostgreSQL's documentation advises; sorts and maintenance get
    what many of them at once can take. All of them together have no hard limit: the bound is what
    ordinary load stays within. It is a wall for each single one of them.
    """
    megabytes = max(memory // MEBIBYTE, 64)
    return {
        "shared_buffers": f"{megabytes // 4}MB",
        "effective_cache_size": f"{megabytes * 3 // 4}MB",
        "maintenance_work_mem": f"{max(megabytes // 16, 8)}MB",
        "work_mem": f"{max(megabytes // 128, 1)}MB",
    }


def server_settings(*, port: int, sockets: Path | None, memory: int) -> dict[str, str]:
    """Return the settings that are ours; everything else keeps PostgreSQL's default.

    Args:
        port: The loopback port.
        sockets: Folder for the unix socket; None for none.
        memory: Bound in bytes.
    """
    return {
        "listen_addresses": "127.0.0.1",
        "port": str(port),
        "unix_socket_directories": str(sockets or ""),
        "unix_socket_permissions": "0700",
        "max_connections": str(MAX_CONNECTIONS),
        "superuser_reserved_connections": "5",
        "password_encryption": "scram-sha-256",
        "wal_level": "logical",
        "max_wal_size": "512MB",
        "min_wal_size": "80MB",
        "log_destination": "stderr",
        "logging_collector": "off",
        "log_line_prefix": "%m [%p] %q%u@%d ",
        "timezone": "UTC",
        "log_timezone": "UTC",
        "lc_messages": "C",
        **memory_settings(memory),
    }


def archiving(archive: Path) -> dict[str, str]:
    """Return the settings by which a server hands its log over, while somebody wants it (PostgreSQL documentation, 25.3.1).

    A segment that is there already was handed over before a crash.

    Args:
        archive: The folder; without the file ``wanted`` in it nothing is handed over, and nothing is kept back.
    """
    place = str(archive).replace("%", "%%").replace("'", "'\\''")
    command = (
        f"test ! -e '{place}/{WANTED}' || test -e '{place}/%f' ||"
        f" {{ cp '%p' '{place}/%f.part' && sync '{place}/%f.part' && mv '{place}/%f.part' '{place}/%f'; }}"
    )
    return {"archive_mode": "on", "archive_timeout": "60s", "archive_command": command}


def render(settings: dict[str, str]) -> str:
    """Write settings in the syntax of postgresql.conf (PostgreSQL documentation, 19.1.2)."""
    lines = ["# Written anew at every start. Use ALTER SYSTEM for settings of your own."]
    lines += [f"{name} = {_quoted(value)}" for name, value in settings.items()]
    return "\n".join(lines) + "\n"


def _quoted(value: str) -> str:
    if "\n" in value or "\0" in value:
        raise ValueError("a setting holds a line break or a zero byte")
    return "'" + value.replace("\\", "\\\\").replace("'", "''") + "'"


HOST_BASED_ACCESS = """\
# Written anew at every start: everybody proves who he is, by password, and only from this machine.
local all all scram-sha-256
host  all all 127.0.0.1/32 scram-sha-256
local replication all scram-sha-256
host  replication all 127.0.0.1/32 scram-sha-256
"""


def fits_socket(folder: Path, port: int) -> bool:
    """Tell whether the socket of this port in this folder has a path that the kernel accepts."""
    return len(str(folder / f".s.PGSQL.{port}").encode()) <= SOCKET_PATH_LIMIT
