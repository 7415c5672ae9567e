"""Break-glass access: loud, bounded, and over by itself."""

from __future__ import annotations

from datetime import timedelta

from typing_extensions import override

from drystone.l00_kernel.context import Context
from drystone.l50_orchestrator.access import domain, store, withdrawn
from drystone.l50_orchestrator.access.domain import Role
from drystone.l50_orchestrator.access.errors import GlassBroken, NoGlass, NotAllowed, SaidUnfit
from drystone.l50_orchestrator.access.part import Part, check_most, plain
from drystone.l50_orchestrator.access.views import GlassView

LONGEST = timedelta(hours=1)
SHORTEST_REASON = 10
_LONGEST_REASON = 500
_SHOWN = 20


class Emergency(Part):
    """Access in an emergency."""

    @override
    async def glasses(self, ctx: Context, *, most: int = 100) -> list[GlassView]:
        check_most(most)
        await self._see(ctx)
        return await self._latest(most)

    async def broken(self) -> list[GlassView]:
        """Return the access that lasts now, for the status of the platform.

        Raises:
            DatabaseUnavailable: The server cannot do it now.
        """
        return [one for one in await self._latest(_SHOWN) if not one.is_over]

    async def _latest(self, most: int) -> list[GlassView]:
        rows = await self._database.fetch(store.GLASSES, most=most)
        return [store.glass_of(row, self._clock.now()) for row in rows]

    @override
    async def break_glass(
        self, ctx: Context, *, reason: str, lasts: timedelta = LONGEST
    ) -> GlassView:
        if len(plain(reason, "the reason", _LONGEST_REASON).strip()) < SHORTEST_REASON:
            raise SaidUnfit(
                f"say why, in {SHORTEST_REASON} letters at least: everybody will read it"
            )
        if not timedelta() < lasts <= LONGEST:
            raise SaidUnfit("break-glass access lasts for more than no time, and an hour at most")
        async with self._change(ctx, "break-glass", "platform") as change:
            who = change.standing
            is_trusted = any(domain.is_enough(one.role, Role.DEPLOYER) for one in who.grants)
            if who.kind != "person" or not who.is_active or not is_trusted:
                raise NotAllowed(
                    f"{who.name} may not break the glass: a person who is a deployer of something may, signed in and not by a"
                    " token"
                )
            if change.with_glass.has_broken_glass(change.at):
                raise GlassBroken(f"{who.name} has break-glass access already; use it, or end it")
            until = change.at + lasts
            ((number,),) = await change.session.fetch(
                store.BREAK, person=who.name, reason=reason, at=change.at, until=until
            )
            made = GlassView(number, who.name, reason, change.at, until, False, "")
            change.note("glass.broken", f"glass/{number}", reason=reason, until=until.isoformat())
        self._log.warning(
            "somebody broke the glass", person=made.person, reason=reason, number=made.number
        )
        return made

    @override
    async def end_glass(self, ctx: Context, *, number: int) -> GlassView:
        if not 0 < number < 2**63:
            raise NoGlass(f"there is no break-glass access {number}")
        async with self._change(ctx, "end-glass", f"glass/{number}") as change:
            found = await store.glass(change.session, number, change.at)
            if found is None:
                if not change.standing.is_active:
                    raise NotAllowed(f"{change.actor.name} is not known here")
                raise NoGlass(f"there is no break-glass access {number}")
            if change.standing.name != found.person:
                change.require_admin("end the break-glass access of others")
            if not found.is_over:
                await change.session.fetch(
                    store.END_GLASS, number=number, at=change.at, by=change.actor.name
                )
                change.taken.append(withdrawn.glass(found.person, found.until))
                change.note("glass.ended", f"glass/{number}", person=found.person)
            ended = await store.glass(change.session, number, change.at)
        if ended is None:
            raise NoGlass(f"there is no break-glass access {number}")
        return ended
