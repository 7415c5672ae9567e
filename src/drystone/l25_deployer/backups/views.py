"""Backups as the API's views."""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING

from drystone.l00_kernel.errors import PlatformError
from drystone.l25_deployer.backups.api import BackupView, PlannedBackups, ResourceBackups, TrialView

if TYPE_CHECKING:
    from datetime import datetime

    from drystone.l25_deployer.backups.copyist import Copyist
    from drystone.l25_deployer.backups.domain import Manifest, Trial
    from drystone.l25_deployer.backups.whole_plans import WholePlans
    from drystone.l25_deployer.local.records import ServiceRecord
    from drystone.l25_deployer.local.resources.copies import Measure
    from drystone.l25_deployer.local.resources.port import Owner


def view(copyist: Copyist, record: ServiceRecord | None, owner: Owner) -> ResourceBackups:
    """Return what there is of one resource."""
    store, name = copyist.store, owner.resource
    resource = record.eternal.get(name) if record is not None else None
    plan = getattr(resource, "backup", None)
    trials = store.trials(owner)
    proven = {one.backup: one.at for one in reversed(trials) if one.is_good}
    trouble = copyist.trouble(owner)
    return ResourceBackups(
        resource=name,
        type=str(resource.__struct_config__.tag) if resource is not None else "",
        every=plan.every.total_seconds() if plan is not None else None,
        keep=plan.keep.total_seconds() if plan is not None else None,
        restore_test=plan.restore_test.total_seconds() if plan is not None else None,
        backups=[_backup(copyist, owner, one, proven.get(one.id)) for one in store.all(owner)],
        trials=[_trial(one) for one in trials],
        trouble=f"{trouble.what} failed at {trouble.at:%Y-%m-%d %H:%M} UTC: {trouble.text}"
        if trouble is not None
        else "",
        unreadable=store.unreadable(owner),
    )


def _backup(copyist: Copyist, owner: Owner, one: Manifest, proven: datetime | None) -> BackupView:
    folder = copyist.store.folder(owner) / one.id
    holds: dict[str, Measure] = {}
    with suppress(PlatformError):  # sealed with a key that is not here
        holds = copyist.seals.holds(one, folder)
    return BackupView(
        id=one.id,
        at=one.at,
        release=one.release,
        reason=one.reason,
        by=one.by,
        size=one.size,
        seconds=one.seconds,
        parts=len(holds),
        counted=sum(held.count for held in holds.values()),
        folder=str(folder),
        proven=proven,
    )


def planned_view(plans: WholePlans) -> PlannedBackups:
    """Return how the platform is backed up by itself, and what there is of that."""
    plan = plans.plan()
    if plan is None:
        return PlannedBackups()
    folder = plans.folder(plan)
    made = plans.made(folder)
    return PlannedBackups(
        every=plan.every.total_seconds(),
        keep=plan.keep.total_seconds(),
        folder=str(folder),
        by=plan.by,
        count=len(made),
        latest=max((one.at for one in made), default=None),
        troubles=plans.troubles(),
    )


def _trial(one: Trial) -> TrialView:
    return TrialView(
        backup=one.backup,
        at=one.at,
        seconds=one.seconds,
        compared=one.compared,
        counted=one.counted,
        differences=list(one.differences),
    )
