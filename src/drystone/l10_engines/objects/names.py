"""Names of buckets."""

from __future__ import annotations

import hashlib
import re

LIMIT = 63
"""Longest bucket name (Amazon S3 user guide, "General purpose bucket naming rules")."""

_DIGEST = 16
_PLAIN = re.compile(r"[a-z][a-z0-9]*(?:-[a-z0-9]+)*")
_MARKED = re.compile(rf".*-[0-9a-f]{{{_DIGEST}}}", re.DOTALL)
_FOREIGN = re.compile(r"[^a-z0-9]+")
_RESERVED_STARTS = ("xn--", "sthree-", "amzn-s3-demo-")
_RESERVED_ENDS = ("-s3alias", "--ol-s3", "--x-s3", "--table-s3", "-an")


def bucket_name(name: str) -> str:
    """Return the name of the bucket for any name.

    A name that may be a bucket's already stays; any other becomes its readable part and 64 bits of its
    SHA-256. Plain names that look like a result with digest are digested too, so that two names share
    a bucket only if their digests do.
    """
    ours = _PLAIN.fullmatch(name) and 3 <= len(name) <= LIMIT and not _MARKED.fullmatch(name)
    if ours and not name.startswith(_RESERVED_STARTS) and not name.endswith(_RESERVED_ENDS):
        return name
    digest = hashlib.sha256(name.encode("utf-8", "surrogatepass")).hexdigest()[:_DIGEST]
    readable = _FOREIGN.sub("-", name.lower()).strip("-")
    return f"{('b-' + readable)[: LIMIT - _DIGEST - 1].rstrip('-')}-{digest}"
