"""Which credentials are old enough to be replaced. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from drystone.l25_deployer.stacks.provided import Secret

if TYPE_CHECKING:
    from drystone.l25_deployer.stacks.model import Resource


def age_of(resource: Resource, every: timedelta | None) -> timedelta | None:
    """Return the age at which a resource's credential is replaced; None for never. A key has versions of its own besides.

    Args:
        resource: The resource.
        every: The age where its descriptor says none.
    """
    said: timedelta | None = resource.rotate if isinstance(resource, Secret) else None
    return every if said is None else said


def due(
    resources: Mapping[str, Resource],
    made: Mapping[str, datetime],
    every: timedelta | None,
    now: datetime,
) -> list[str]:
    """Name the resources whose credentials are old enough, in the order of their names.

    Args:
        resources: All that a service has.
        made: When the credential of each was made; one that is not among them is new.
        every: The age for resources of which no descriptor says one.
        now: The time.
    """
    ages = {name: age_of(resource, every) for name, resource in sorted(resources.items())}
    return [
        name
        for name, age in ages.items()
        if age is not None and name in made and now - made[name] >= age
    ]
