"""What the registry holds of each type of resource."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import timedelta
from typing import TYPE_CHECKING, Generic, TypeVar

import msgspec

from drystone.l25_deployer.descriptor.schema.resources import Backup, Resource
from drystone.l25_deployer.stacks.backup_plan import BackupPlan

if TYPE_CHECKING:
    from drystone.l25_deployer.stacks import model

R = TypeVar("R", bound=Resource)

NOW = ""
"""What is said of a key that is acted on."""

COMMON = {
    "data": "classes of data are not recorded yet",
    "shared_from": "an own resource is made in place of the shared one",
    "protect": NOW,
    "alarms": "nobody is told yet",
    "tags": NOW,
}
"""What becomes of the keys that every resource has."""


class Context(msgspec.Struct, frozen=True):
    """What a resource is wired up in.

    Attributes:
        service: Whose it is.
        environment: Where it is deployed.
        resources: All that the service has, by name.
    """

    service: str
    environment: str
    resources: Mapping[str, Resource]


class Wired(msgspec.Struct, frozen=True):
    """What a resource comes to.

    Attributes:
        entry: What the stack holds of it.
        outputs: What ``${resources.<name>.<key>}`` may ask for; each is injected as ``<NAME>_<KEY>``.
        shared: Variables that all resources of this kind give a service once, by the key of the value.
    """

    entry: model.Resource
    outputs: tuple[str, ...]
    shared: dict[str, str] = {}


class Realised(msgspec.Struct, frozen=True):
    """By what a type is realised, for people.

    Attributes:
        local: On one machine.
        aws: On AWS.
        kubernetes: On Kubernetes.
    """

    local: str
    aws: str
    kubernetes: str


class ResourceType(msgspec.Struct, Generic[R], frozen=True):
    """One type of resource.

    Attributes:
        block: What describes it.
        wire_up: A pure function; None for a resource that only other keys make, and that stacks hold not.
        realised: By what.
        acted_on: By key that is not common, :data:`NOW` or what happens meanwhile.
    """

    block: type[R]
    wire_up: Callable[[str, R, Context], Wired | None]
    realised: Realised
    acted_on: dict[str, str]

    def keys(self) -> dict[str, str]:
        """Return what becomes of every key."""
        return {**COMMON, **self.acted_on}


def planned(said: Backup | None) -> BackupPlan | None:
    """Return when something is copied, as its stack holds it."""
    if said is None:
        return None
    return BackupPlan(said.every, said.keep, said.restore_test, said.point_in_time, said.copy_to)


def backed_up(point_in_time: str) -> dict[str, str]:
    """Say what becomes of the keys of a backup.

    Args:
        point_in_time: What becomes of that one.
    """
    return {
        "backup": NOW,
        "backup.every": NOW,
        "backup.keep": NOW,
        "backup.restore_test": NOW,
        "backup.point_in_time": point_in_time,
        "backup.copy_to": NOW,
    }


def seconds(span: timedelta | None) -> int:
    """Return whole seconds, rounded up, so that nothing lasts shorter than somebody asked for."""
    return 0 if span is None else -int(-span.total_seconds() // 1)
