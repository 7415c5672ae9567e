"""What the services of this host claim, held against its quota.

Claims are not kept anywhere: they are what the records say. Whoever asks and then writes down what begins, without awaiting anything in
between, is seen by the next who asks.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable
from contextlib import suppress
from typing import TYPE_CHECKING

import msgspec

from drystone.l25_deployer.errors import QuotaExceeded, ReleaseNotFound
from drystone.l25_deployer.local.blueprints import groups_of
from drystone.l25_deployer.quota import Amounts, claimed, refusals, room
from drystone.l25_deployer.stacks.model import Eternal, Stacks
from drystone.l25_deployer.stacks.sizes import size_of

if TYPE_CHECKING:
    from drystone.l25_deployer.local.records import ReleaseRecord
    from drystone.l25_deployer.local.written_service import WrittenService


class Quotas:
    """The quota of one host.

    Args:
        quota: What all services may claim together; 0 is without a bound.
    """

    def __init__(self, quota: Amounts | None = None) -> None:
        self._quota = Amounts() if quota is None else quota
        self._services: Callable[[], Iterable[WrittenService]] = tuple

    def attend(self, services: Callable[[], Iterable[WrittenService]]) -> None:
        """Know from now on what is deployed."""
        self._services = services

    @property
    def is_set(self) -> bool:
        """Whether anything is bounded."""
        return self._quota != Amounts()

    def claims(self) -> dict[str, Amounts]:
        """Return what each service claims: the larger of what serves and what is brought up, and what is tried beside it."""
        return {one.name: _claim_of(one) for one in self._services()}

    def refusals(
        self,
        kept: WrittenService | None,
        stacks: Stacks,
        confirmed: frozenset[str],
        *,
        beside: bool = False,
    ) -> list[str]:
        """Say what keeps a release from being deployed; empty when nothing does.

        Args:
            kept: Its service; None where there is none yet.
            stacks: What is to be deployed.
            confirmed: Resources that go with their data.
            beside: Whether it is to be held beside the release that serves, so that both count.
        """
        if not self.is_set:
            return []
        around = stacks.environment
        existing = kept.record.eternal if kept is not None else {}
        wanted = stacks.eternal.resources
        staying = {
            name: one
            for name, one in existing.items()
            if name in wanted or (one.protect and name not in confirmed)
        }
        whole = msgspec.structs.replace(stacks, eternal=Eternal({**staying, **wanted}))
        active = kept.active_release() if kept is not None else None
        amounts = claimed(size_of(whole, _counts(stacks, active)))
        if beside and kept is not None and active is not None:
            amounts = _beside(_of_release(kept, active), amounts)
        return refusals(self._quota, self.claims(), f"{around.service}.{around.name}", amounts)

    def room(self, release: ReleaseRecord, group: str, count: int) -> tuple[int, str]:
        """Return how many more instances of a group there may be, and why not as many as are wanted."""
        if not self.is_set:
            return count, ""
        size = groups_of(release)[group]
        return room(self._quota, self.claims(), Amounts(size.cpu, size.memory, instances=1), count)

    def require_room(self, release: ReleaseRecord, group: str, count: int) -> None:
        """Make sure that there may be so many more instances of a group.

        Raises:
            QuotaExceeded: There may not.
        """
        _, why = self.room(release, group, count)
        if why:
            raise QuotaExceeded(why)


def _counts(stacks: Stacks, active: ReleaseRecord | None) -> dict[str, int]:
    """Return how many instances a release begins with of each group that follows its load."""
    now = Counter(one.group for one in active.instances) if active is not None else Counter[str]()
    return {
        name: min(max(now.get(name, 0), group.instances), group.scaling.most)
        for name, group in stacks.deployment.groups.items()
        if group.scaling is not None
    }


def _claim_of(kept: WrittenService) -> Amounts:
    record, active = kept.record, kept.active_release()
    claim = Amounts(resources=len(record.eternal))
    if active is not None:
        claim = _of_release(kept, active)
    operation, canary = record.operation, record.canary
    coming = operation.release if operation is not None else None
    if operation is not None and coming is not None and coming != record.active:
        with suppress(ReleaseNotFound):  # an undo has forgotten it
            release = _of_release(kept, kept.release(coming))
            beside = operation.holds and active is not None
            claim = _beside(claim, release) if beside else claim.larger(release)
    elif canary is not None:
        claim = _beside(claim, _of_release(kept, kept.release(canary.release)))
    return claim


def _beside(serving: Amounts, tried: Amounts) -> Amounts:
    """Return what two releases of a service claim that both run; their resources are the same ones."""
    both = serving.plus(tried)
    larger = serving.larger(tried)
    return msgspec.structs.replace(
        both, disk=larger.disk, services=larger.services, resources=larger.resources
    )


def _of_release(kept: WrittenService, release: ReleaseRecord) -> Amounts:
    laid_out = Counter(one.group for one in release.instances)
    counts = laid_out or _counts(release.stacks, kept.active_release())
    eternal = {**kept.record.eternal, **release.stacks.eternal.resources}
    stacks = msgspec.structs.replace(release.stacks, eternal=Eternal(eternal))
    return claimed(size_of(stacks, counts))
