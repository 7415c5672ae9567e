"""When what holds data is copied, as its stack holds it."""

from __future__ import annotations

from datetime import timedelta

import msgspec


class BackupPlan(msgspec.Struct, frozen=True):
    """When copies of the data are made, how long they are kept, and how often one is proven.

    Attributes:
        every: Time between two copies.
        keep: How long one is kept.
        restore_test: Time between two trials to restore one.
        point_in_time: Whether any moment can be gone back to.
        copy_to: Names of further places that hold a copy.
    """

    every: timedelta
    keep: timedelta
    restore_test: timedelta
    point_in_time: bool = False
    copy_to: tuple[str, ...] = ()
