"""What needs what on this platform, as its services stand now."""

from __future__ import annotations

from typing import TYPE_CHECKING

from drystone.l25_deployer.live_model import model_of, own_part, part_of

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable

    from drystone.l05_graph.model import Model
    from drystone.l25_deployer.descriptor import Descriptor
    from drystone.l25_deployer.local.services import Services


class LiveDependencies:
    """The dependency model of the platform.

    Args:
        own: Descriptors of the platform's own services.
        services: What is deployed.
        elsewhere: Names of the engines that somebody else runs.
    """

    def __init__(
        self, own: Iterable[Descriptor], services: Services, elsewhere: Collection[str] = ()
    ) -> None:
        self._own = own_part(own, elsewhere)
        self._services = services
        self._cache_elsewhere = "cache" in elsewhere

    def model(self) -> Model:
        """Return the model of what is deployed now."""
        deployed = (stacks for kept in self._services.all() if (stacks := kept.deployed()))
        parts = (part_of(stacks, cache_elsewhere=self._cache_elsewhere) for stacks in deployed)
        return model_of([self._own, *parts])
