"""Names of databases and roles."""

from __future__ import annotations

import hashlib
import re

LIMIT = 63
"""Bytes of an identifier that PostgreSQL keeps (documentation, 4.1.1); it cuts longer ones silently."""

_DIGEST = 16
_PLAIN = re.compile(rf"[a-z][a-z0-9_]{{0,{LIMIT - 1}}}")
_MARKED = re.compile(rf".*_[0-9a-f]{{{_DIGEST}}}", re.DOTALL)
_FOREIGN = re.compile(r"[^a-z0-9]+")
_RESERVED = frozenset({"postgres", "template0", "template1", "public", "none"})


def identifier(name: str) -> str:
    """Return the identifier of a database and its role for any name.

    A name that is an identifier already stays; any other becomes its readable part and 64 bits of its
    SHA-256. Plain names that look like a result with digest are digested too, so that two names share
    an identifier only if their digests do.
    """
    ours = _PLAIN.fullmatch(name) and not _MARKED.fullmatch(name)
    if ours and name not in _RESERVED and not name.startswith("pg_"):
        return name
    digest = hashlib.sha256(name.encode("utf-8", "surrogatepass")).hexdigest()[:_DIGEST]
    readable = _FOREIGN.sub("_", name.lower()).strip("_")
    return f"{('d_' + readable)[: LIMIT - _DIGEST - 1].rstrip('_')}_{digest}"
