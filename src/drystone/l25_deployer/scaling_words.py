"""What the deployer tells of how many instances there are."""

from __future__ import annotations

import msgspec


class ScalingView(msgspec.Struct, frozen=True, omit_defaults=True):
    """How many instances a group has, and why.

    Attributes:
        group: ``web`` or the worker's name.
        instances: How many there are, those that come among them and those that go not.
        least: Fewest that there may be.
        most: Most that there may be; the same where the number stays.
        fixed: How many somebody wants by hand until the next release; None where nobody does.
        text: What the number follows now, with what is measured, such as ``cpu 91 % of 70 %``.
    """

    group: str
    instances: int
    least: int
    most: int
    fixed: int | None = None
    text: str = ""
