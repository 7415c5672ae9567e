"""What a descriptor says that stands in no stack, by value, for those who judge a release. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from drystone.l25_deployer.descriptor.reading import Merged
from drystone.l25_deployer.descriptor.schema.resources import Backup, Bucket, Resource
from drystone.l50_orchestrator.ports import Copies, Declared, DeclaredResource


def declared_in(merged: Merged) -> Declared:
    """Take it from a descriptor of one environment."""
    found = merged.descriptor
    return Declared(
        oncall=found.owner.oncall,
        contact=found.owner.contact,
        cost_centre=found.owner.cost_centre,
        tags=dict(found.tags),
        data=_classes(found.data),
        resources={name: _resource(one) for name, one in found.resources.items()},
    )


def _resource(resource: Resource) -> DeclaredResource:
    backup = getattr(resource, "backup", None)
    return DeclaredResource(
        type=resource.type_name,
        backup=_copies(backup) if isinstance(backup, Backup) else None,
        data=_classes(resource.data),
        public=isinstance(resource, Bucket) and resource.public,
        tags=dict(resource.tags),
    )


def _copies(backup: Backup) -> Copies:
    return Copies(
        interval=backup.every.total_seconds(),
        keep=backup.keep.total_seconds(),
        point_in_time=backup.point_in_time,
        copy_to=backup.copy_to,
        restore_test=backup.restore_test.total_seconds(),
    )


def _classes(data: Iterable[str] | Mapping[str, Iterable[str]]) -> tuple[str, ...]:
    named = data.values() if isinstance(data, Mapping) else [data]
    return tuple(sorted({str(one) for classes in named for one in classes}))
