"""Which environments and which releases somebody means."""

from __future__ import annotations

from drystone.l00_kernel.errors import NotFound
from drystone.l50_orchestrator.ports import Environment, Registry
from drystone.l50_orchestrator.releases.errors import (
    CannotBePromoted,
    NothingBefore,
    NothingServes,
    ReleaseNotKept,
    RequestUnfit,
)
from drystone.l50_orchestrator.releases.reader import Reader
from drystone.l50_orchestrator.releases.records import Record


class Choosing:
    """Finds what somebody means.

    Args:
        reader: What is recorded.
        registry: Which environments there are.
    """

    def __init__(self, reader: Reader, registry: Registry) -> None:
        self._reader = reader
        self._registry = registry

    async def places(self, name: str) -> list[Environment]:
        """Return the environment of this name, or the regions of this type, in the order of their names.

        Raises:
            NotFound: There is none; the message lists those that there are.
        """
        try:
            return [await self._registry.environment(name)]
        except NotFound:
            every = await self._registry.every_environment()
            regions = [one for one in every if one.type == name and one.region]
            if not regions:
                raise
            return regions

    async def to_promote(self, service: str, to: Environment, release: str | None) -> Record:
        """Return the release that is brought to an environment.

        Raises:
            NothingServes: Nothing serves in the environment before.
            CannotBePromoted: It did not serve, or is another service's.
            RequestUnfit: No environment is before this one, and no release was named.
        """
        if release is None:
            if not to.after:
                raise RequestUnfit(
                    f"no environment comes before {to.name}: name the release to promote"
                )
            release = await self._reader.serving(to.after, service)
            if release is None:
                raise NothingServes(
                    f"nothing of {service} serves in {to.after}: deploy it there first"
                )
        found = await self._reader.record(release)
        if found.asked.service != service:
            raise CannotBePromoted(
                f"{found.name} is a release of {found.asked.service}, not {service}"
            )
        if found.state != "served":
            raise CannotBePromoted(f"{found.name} is {found.state}: only what served goes further")
        if found.asked.environment == to.name:
            raise CannotBePromoted(f"{found.name} is in {to.name} already: use rollback")
        return found

    async def to_return_to(self, environment: str, service: str, number: int | None) -> Record:
        """Return the release that is to serve again.

        Raises:
            NothingServes: Nothing serves, so that nothing served before it.
            NothingBefore: It is the first one.
            ReleaseNotKept: The target has removed it.
            ReleaseUnknown: There is no release of this number.
        """
        now = await self._reader.serving(environment, service)
        if now is None:
            raise NothingServes(f"nothing of {service} serves in {environment}")
        if number is not None:
            back = await self._reader.record(f"{environment}/{service}/{number}")
            back = await self._reader.record(back.lasting)
        else:
            lasting = await self._reader.record((await self._reader.record(now)).lasting)
            if not lasting.before:
                raise NothingBefore(
                    f"{lasting.name} is the first release that served; nothing is before it"
                )
            before = await self._reader.record(lasting.before)
            back = await self._reader.record(before.lasting)
        kept = await self._reader.kept([(environment, service)])
        if back.asked.id not in kept or not back.at_target:
            names = [(await self._reader.record(one)).number for one in kept]
            raise ReleaseNotKept(
                f"{back.name} is not kept: releases to return to are {', '.join(map(str, names)) or 'none'}; to have it again,"
                " deploy its descriptor"
            )
        return back
