"""What the limiter is told: the limits of each service that are counted in one place, in one file."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from typing import Annotated, Literal, TypeAlias

import msgspec

from drystone.l00_kernel.errors import Invalid
from drystone.l25_deployer.stacks.limits import Limit

LARGEST = 16 * 1024 * 1024
"""Bytes of the file; more is refused."""

MOST_LIMITS = 20_000

KEY_HEADERS: Mapping[str, str] = {
    "caller": "x-asap-issuer",
    "user": "x-drystone-user",
    "tenant": "x-drystone-tenant",
    "ip": "x-forwarded-for",
}
"""By ``per``, the header that tells who is counted; the mesh sets the first two and the edge the last."""

_COUNT = Annotated[int, msgspec.Meta(ge=1, le=10**9)]
_NAME = Annotated[str, msgspec.Meta(pattern=r"^[a-z][a-z0-9-]{0,39}$")]
Service: TypeAlias = Annotated[
    str, msgspec.Meta(pattern=r"^[a-z][a-z0-9-]{0,39}/[a-z][a-z0-9-]{0,39}$")
]
"""A service as tokens name it: ``<environment>/<service>``."""


class PoliciesDamaged(Invalid):
    """The file of limits cannot be used."""


class Policy(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One limit as it is counted.

    Attributes:
        count: Calls in one period.
        period: Microseconds, up to a day.
        algorithm: How it is counted.
        match: Which requests, as in a descriptor.
        burst: Calls at once; as many as ``count`` when None.
        header: Header whose value tells who is counted, in lower case; all are counted together when None.
        shadow: Whether what is over the limit is only told.
        closed: Whether requests are refused while nobody can count.
    """

    count: _COUNT
    period: Annotated[int, msgspec.Meta(ge=1, le=86_400 * 10**6)]
    algorithm: Literal["token-bucket", "gcra", "sliding-window", "fixed-window"]
    match: str = "*"
    burst: _COUNT | None = None
    header: Annotated[str, msgspec.Meta(pattern=r"^[a-z][a-z0-9_-]{0,99}$")] | None = None
    shadow: bool = False
    closed: bool = False

    @property
    def most(self) -> int:
        """How many calls may come at once."""
        return self.count if self.algorithm.endswith("window") else self.burst or self.count


Policies: TypeAlias = dict[Service, dict[_NAME, Policy]]
"""By service, its limits by name."""


class _File(msgspec.Struct, frozen=True):
    services: Policies
    format: Literal[1] = 1


def key_header(limit: Limit) -> str | None:
    """Return the header, in lower case, whose value tells who is counted; None where all are together."""
    return limit.header or KEY_HEADERS.get(limit.per)


def policy_item(name: str, count: int, period: int) -> str:
    """Return what ``RateLimit-Policy`` says of a limit: its name, quota and window in whole seconds.

    Args:
        name: Of the limit.
        count: Calls in one period.
        period: Microseconds.
    """
    return f'"{name}";q={count};w={max(1, -(-period // 1_000_000))}'


def policy_of(limit: Limit) -> Policy:
    """Return how a limit of a stack is counted."""
    return Policy(
        count=limit.count,
        period=limit.period // timedelta(microseconds=1),
        algorithm=limit.algorithm,
        match=limit.match,
        burst=limit.burst,
        header=key_header(limit),
        shadow=limit.shadow,
        closed=limit.when_down == "closed",
    )


def exact_limits(limits: Mapping[str, Limit]) -> dict[str, Policy]:
    """Return those limits of a service that are counted in one place."""
    return {name: policy_of(of) for name, of in limits.items() if of.counted == "exact"}


def encode(policies: Policies) -> bytes:
    """Write policies; the same give the same bytes."""
    return msgspec.json.encode(_File(policies), order="deterministic")


def decode(content: bytes) -> Policies:
    """Read what :func:`encode` wrote.

    Raises:
        PoliciesDamaged: It is something else, too large, or holds a pattern that is none.
    """
    if len(content) > LARGEST:
        raise PoliciesDamaged(f"the limits take more than {LARGEST} bytes; nobody writes so many")
    try:
        found = msgspec.json.decode(content, type=_File).services
    except (msgspec.MsgspecError, RecursionError) as e:
        raise PoliciesDamaged(f"the limits cannot be read: {e}") from e
    if sum(map(len, found.values())) > MOST_LIMITS:
        raise PoliciesDamaged(f"there are more than {MOST_LIMITS} limits; nobody declares so many")
    return found
