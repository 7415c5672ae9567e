"""Passwords, of which only an Argon2id hash is kept (RFC 9106)."""

from __future__ import annotations

import os

from cryptography.exceptions import InvalidKey
from cryptography.hazmat.primitives.kdf.argon2 import Argon2id

from drystone.l35_mesh.signin.errors import PasswordUnfit

SHORTEST, LONGEST = 8, 256
"""Characters (NIST SP 800-63B section 5.1.1.2 asks for at least 8); the length alone is judged."""

# The second recommendation of RFC 9106 section 4, for machines with little memory: 64 MiB, three passes, four lanes.
_ITERATIONS, _LANES, _MEMORY_KIB = 3, 4, 64 * 1024


def hashed(password: str) -> str:
    """Return what is kept of a password, in the PHC form.

    Raises:
        PasswordUnfit: It is too short or too long.
    """
    if not SHORTEST <= len(password) <= LONGEST:
        raise PasswordUnfit(
            f"a password has {SHORTEST} to {LONGEST} characters; this one has {len(password)}"
        )
    return _kdf().derive_phc_encoded(password.encode("utf-8", "surrogatepass"))


def matches(password: str, kept: str) -> bool:
    """Tell whether this is the password of which a hash was kept; it takes as long for a wrong one."""
    if len(password) > LONGEST:
        return False
    try:
        Argon2id.verify_phc_encoded(password.encode("utf-8", "surrogatepass"), kept)
    except (InvalidKey, ValueError, MemoryError):  # the last two: what is kept was damaged
        return False
    return True


def nobodys() -> str:
    """Return the hash of a password that nobody knows, so that an unknown name takes as long as a known one."""
    return _kdf().derive_phc_encoded(os.urandom(32))


def _kdf() -> Argon2id:
    return Argon2id(
        salt=os.urandom(16),
        length=32,
        iterations=_ITERATIONS,
        lanes=_LANES,
        memory_cost=_MEMORY_KIB,
    )
