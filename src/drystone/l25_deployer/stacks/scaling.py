"""How the number of a group's instances follows its load."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

import msgspec

if TYPE_CHECKING:
    from drystone.l25_deployer.descriptor.schema.compute import Scale


class Scaling(msgspec.Struct, frozen=True):
    """What to aim at, for each instance; the group's own number is the fewest there are.

    Attributes:
        most: Most instances.
        cooldown: How long fewer must be enough before instances go.
        cpu: Share of the CPUs that it may use.
        memory: Share of the memory that it may use.
        requests: Requests in a second.
        latency: Time within which 95 of 100 answers are given.
        queues: Waiting messages, by queue.
    """

    most: int
    cooldown: timedelta
    cpu: float
    memory: float | None = None
    requests: float | None = None
    latency: timedelta | None = None
    queues: dict[str, int] = {}


def scaling_of(scale: Scale, *, serves: bool) -> Scaling | None:
    """Give what a descriptor says; None where the number stays.

    Args:
        scale: The words of the descriptor.
        serves: Whether the group gets requests; what tells of requests says nothing of one that does not.
    """
    if scale.max is None or scale.max <= max(1, scale.min):
        return None
    rate = scale.requests if serves else None
    return Scaling(
        most=scale.max,
        cooldown=scale.cooldown,
        cpu=scale.cpu,
        memory=scale.memory,
        requests=rate.count / rate.per.total_seconds() if rate else None,
        latency=scale.latency if serves else None,
        queues=dict(sorted(scale.queue.items())),
    )
