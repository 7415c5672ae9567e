"""The server's configuration and its users, as text."""

from __future__ import annotations

import enum
import hashlib
from collections.abc import Sequence
from pathlib import Path

ADMIN = "drystone"
SERVICE = "default"
"""The name that a client takes that is given a password alone."""


class Eviction(enum.StrEnum):
    """What a full cache does with a new entry (valkey.io/topics/lru-cache)."""

    NOEVICTION = "noeviction"
    """It refuses it."""
    ALLKEYS_LRU = "allkeys-lru"
    """It drops the entry that was used longest ago."""
    ALLKEYS_LFU = "allkeys-lfu"
    """It drops the entry that is used least."""
    ALLKEYS_RANDOM = "allkeys-random"
    """It drops any entry."""
    VOLATILE_LRU = "volatile-lru"
    """As allkeys-lru, among entries with a time to live."""
    VOLATILE_LFU = "volatile-lfu"
    """As allkeys-lfu, among entries with a time to live."""
    VOLATILE_RANDOM = "volatile-random"
    """As allkeys-random, among entries with a time to live."""
    VOLATILE_TTL = "volatile-ttl"
    """It drops the entry that expires first."""


# What is taken from a service is the administration of the server; what is given back is what a client
# library or a test suite does with a cache of its own, RESTORE for keys that move here from elsewhere.
# DEBUG, CONFIG, SHUTDOWN, MODULE, ACL, REPLICAOF and MONITOR stay away.
_SERVICE_RULES = "~* &* +@all -@admin -@dangerous +flushdb +flushall +info +keys +sort +sort_ro +swapdb +role +restore"


def users(*, admin_password: str, service_passwords: Sequence[str], is_held: bool = False) -> str:
    """Return the access-control file: two users, and nobody without a password.

    Args:
        admin_password: The platform's.
        service_passwords: The service's; each opens the cache.
        is_held: Whether the service may read, and not write.
    """
    rules = _SERVICE_RULES + (" -@write" if is_held else "")
    digests = " ".join(f"#{_digest(password)}" for password in service_passwords)
    return "".join(
        f"user {line}\n"
        for line in (
            f"{ADMIN} on #{_digest(admin_password)} ~* &* +@all",
            f"{SERVICE} on {digests} {rules}",
        )
    )


def _digest(password: str) -> str:
    return hashlib.sha256(password.encode()).hexdigest()


def live_settings(*, memory: int, eviction: Eviction) -> dict[str, str]:
    """Return the settings that a running server takes over.

    Args:
        memory: Bound in bytes for the data; what connections buffer comes on top, at most a quarter.
        eviction: What happens when it is reached.
    """
    return {"maxmemory": str(memory), "maxmemory-policy": eviction.value}


def server_settings(
    *, port: int, data: Path, users_file: Path, durable: bool, live: dict[str, str]
) -> str:
    """Return the configuration file.

    Args:
        port: The loopback port.
        data: The working directory.
        users_file: The file with :func:`users`.
        durable: Whether every write is logged before it is acknowledged, and synced each second.
        live: See :func:`live_settings`.
    """
    settings = {
        "bind": "127.0.0.1",
        "port": str(port),
        "protected-mode": "yes",
        "dir": _quoted(data),
        "aclfile": _quoted(users_file),
        "daemonize": "no",
        "logfile": '""',
        "save": '""',
        "appendonly": "yes" if durable else "no",
        "appendfsync": "everysec",
        "maxmemory-clients": "25%",
        "maxclients": "1000",
        "tcp-keepalive": "60",
        "enable-debug-command": "no",
        "enable-module-command": "no",
        "enable-protected-configs": "no",
        "lazyfree-lazy-user-flush": "yes",
        "sanitize-dump-payload": "yes",  # services may RESTORE: what is no value must not end the server
        **live,
    }
    return "".join(f"{name} {value}\n" for name, value in settings.items())


def _quoted(path: Path) -> str:
    text = str(path).replace("\\", "\\\\").replace('"', '\\"')
    if any(character in text for character in "\n\r\0"):
        raise ValueError(f"a path holds a line break: {text!r}")
    return f'"{text}"'
