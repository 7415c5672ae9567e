"""What needs what on this platform, as its services stand now."""

from __future__ import annotations

from typing import TYPE_CHECKING

from drystone.l25_deployer.dependencies.deploy_check import check_deploy
from drystone.l25_deployer.dependencies.landscape import Landscape, either
from drystone.l25_deployer.dependencies.live_model import own_part, part_of
from drystone.l25_deployer.dependencies.missing import check_missing
from drystone.l25_deployer.dependencies.model import model_of, name_of
from drystone.l25_deployer.dependencies.verdict import Verdict, together

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable

    from drystone.l00_kernel.clock import Clock
    from drystone.l05_graph.model import Model
    from drystone.l25_deployer.dependencies.model import Key, Part
    from drystone.l25_deployer.descriptor import Descriptor
    from drystone.l25_deployer.local.kept_service import KeptService
    from drystone.l25_deployer.local.services import Services
    from drystone.l25_deployer.stacks.model import Stacks


class LiveDependencies:
    """The dependencies of the platform; asked again, it looks anew only at services that have changed.

    A service that is being deployed counts with the release that serves and with the one that comes, so that of two
    deploys that would tangle together only the first gets in.

    Args:
        own: Descriptors of the platform's own services.
        services: What is deployed.
        clock: Tells the day, for acceptances.
        elsewhere: Names of the engines that somebody else runs.
    """

    def __init__(
        self,
        own: Iterable[Descriptor],
        services: Services,
        clock: Clock,
        elsewhere: Collection[str] = (),
    ) -> None:
        self._own = own_part(own, elsewhere)
        self._services = services
        self._clock = clock
        self._cache_elsewhere = "cache" in elsewhere
        self._landscape = Landscape(self._own)
        self._seen: dict[Key, tuple[object, ...]] = {}

    def model(self) -> Model:
        """Return the model of what serves now."""
        deployed = (stacks for kept in self._services.all() if (stacks := kept.deployed()))
        parts = [self._own, *map(self._part, deployed)]
        return model_of(parts, title="What runs on this platform")

    def check(self, wanted: Stacks) -> Verdict:
        """Tell what a deploy would do to the dependencies."""
        landscape = self._now()
        landscape.standings.tidy(len(landscape.components))
        missing = check_missing(landscape, wanted.environment)
        found = check_deploy(landscape, self._part(wanted), self._clock.now().date())
        return together((missing, found))

    def users(self, key: Key) -> list[str]:
        """Name the services that cannot start or run without one, those included that are about to."""
        hard = (
            one.source
            for one in self._now().users(name_of(key))
            if one.is_hard and one.group is None and {"start", "run"} & set(one.at)
        )
        return sorted(dict.fromkeys(hard))

    def _part(self, stacks: Stacks) -> Part:
        return part_of(stacks, cache_elsewhere=self._cache_elsewhere)

    def _now(self) -> Landscape:
        """Bring the landscape up to date."""
        every = {kept.record.key: kept for kept in self._services.all()}
        for key in self._seen.keys() - every.keys():
            self._landscape.put(name_of(key), None)
            del self._seen[key]
        for key, kept in every.items():
            state = _state(kept)
            seen = self._seen.get(key, ())
            if len(seen) != len(state) or any(a is not b for a, b in zip(seen, state, strict=True)):
                self._seen[key] = state
                parts = [self._part(stacks) for stacks in _possible(kept)]
                self._landscape.put(name_of(key), either(parts) if parts else None)
        return self._landscape


def _state(kept: KeptService) -> tuple[object, ...]:
    """Return what the service's part is made of; the same objects give the same part."""
    active = kept.active_release()
    return (active.stacks if active else None, kept.record.eternal, kept.record.operation)


def _possible(kept: KeptService) -> list[Stacks]:
    """Return what the service is now and may be in a moment; nothing for one that is being removed."""
    operation = kept.record.operation
    now = kept.deployed()
    if operation is None or operation.release in {None, kept.record.active}:
        is_going = operation is not None and operation.kind == "destroy"
        return [] if now is None or is_going else [now]
    coming = kept.release(operation.release).stacks
    return [coming] if now is None else [now, coming]
