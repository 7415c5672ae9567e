"""Who is on the canary: always the same ones, and more of them with each step, never others.

Everybody has a place between 0 and 1 that a digest gives; on the canary is whoever's place is below the share. So nobody
leaves it while the share rises. The digest is salted by the rollout: it is not always the same users who meet what is new.
"""

from __future__ import annotations

import hashlib
from typing import Literal

Side = Literal["canary", "stable"]


def place(salt: str, who: str) -> float:
    """Return the place of a user, tenant, visitor or request, at least 0 and below 1."""
    text = f"{len(salt)}:{salt}{who}".encode("utf-8", "surrogatepass")
    digest = hashlib.blake2b(text, digest_size=8).digest()
    return (int.from_bytes(digest, "big") >> 11) / (1 << 53)


def side(share: float, where: float, asked: str | None = None) -> Side:
    """Tell which release answers.

    Args:
        share: Of the canary, 0 to 1.
        where: The :func:`place` of who asks.
        asked: The value of the header by which a release is chosen. Whoever chooses is no part of the evidence, and
            gets no canary that was taken back. Another value than a side chooses nothing.
    """
    if asked == "canary" and share > 0:
        return "canary"
    if asked == "stable" and share < 1:
        return "stable"
    return "canary" if where < share else "stable"
