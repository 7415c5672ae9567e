"""Moves services: keeps the records, tells the edge, and watches what becomes of requests."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec
from typing_extensions import override

from drystone.l00_kernel.errors import PlatformError
from drystone.l10_engines.proxy.edge_moves import MOST_RULES, WHOLE
from drystone.l35_mesh.migration import comparing, domain
from drystone.l35_mesh.migration.api import (
    Compared,
    DataSource,
    Held,
    MigrationApi,
    MigrationView,
    Target,
    Who,
)
from drystone.l35_mesh.migration.domain import PER_PERCENT, Migration
from drystone.l35_mesh.migration.errors import (
    MovesAlready,
    NoMigration,
    NotAtAnEnd,
    NothingCompared,
    ShareUnfit,
    TargetUnfit,
)
from drystone.l35_mesh.migration.reaching import addresses_of, require_listener
from drystone.l35_mesh.migration.window import LOOKS, Window

if TYPE_CHECKING:
    from drystone.l00_kernel.clock import Clock
    from drystone.l00_kernel.contract import Context
    from drystone.l00_kernel.ports import Log
    from drystone.l35_mesh.migration.comparers import Comparers
    from drystone.l35_mesh.migration.ground import Ground
    from drystone.l35_mesh.migration.store import Store

LOOK_EVERY = timedelta(seconds=1)
LOOK_UP_EVERY = 5
"""Looks between two questions where a name leads."""

SYSTEM_AUTHORITIES = Path("/etc/ssl/certs/ca-certificates.crt")


class Migrations(MigrationApi):
    """Every service of this home that moves.

    Args:
        store: The records.
        ground: The services and the edge.
        comparers: Compare both sides.
        label: This platform's name, for the loop guard.
        clock: The time.
        log: Where it reports.
    """

    def __init__(
        self,
        store: Store,
        ground: Ground,
        comparers: Comparers,
        *,
        label: str,
        clock: Clock,
        log: Log,
    ) -> None:
        self._store = store
        self._ground = ground
        self._comparers = comparers
        self._label = label
        self._clock = clock
        self._log = log
        self._moving: dict[tuple[str, str], Migration] = {}
        self._windows: dict[tuple[str, str], Window] = {}
        self._troubles: dict[tuple[str, str], str] = {}
        self._changing = asyncio.Lock()
        self._watching: asyncio.Task[None] | None = None

    def load(self) -> None:
        """Read the records and tell the edge, before it publishes anything."""
        found, problems = self._store.all()
        for problem in problems:
            self._log.warning("migration left alone", reason=problem)
        for one in found:
            self._remember(one)

    def start_watching(self) -> None:
        """Look after migrations from now on. Idempotent."""
        if self._watching is None:
            self._watching = asyncio.create_task(self._watch(), name="watch migrations")

    async def stop_watching(self) -> None:
        """Stop looking after them; requests go on as they went."""
        if self._watching is not None:
            self._watching.cancel()
            await asyncio.gather(self._watching, return_exceptions=True)
            self._watching = None
        await self._comparers.leave()

    async def stop(self) -> None:
        """Stop looking after them with the whole platform: what the proxy leaves behind goes, too."""
        await self.stop_watching()
        self._comparers.sweep(self._moving)

    # The API

    @override
    async def migrations(self, ctx: Context) -> list[MigrationView]:
        return [self._view(one) for _, one in sorted(self._moving.items())]

    @override
    async def show(self, ctx: Context, *, environment: str, service: str) -> MigrationView:
        return self._view(self._existing(environment, service))

    @override
    async def start(
        self, ctx: Context, *, environment: str, service: str, target: Target
    ) -> MigrationView:
        self._ground.require(environment, service)
        place = domain.read_target(target)
        authorities = Path(target.authorities) if target.authorities else SYSTEM_AUTHORITIES
        if place.is_encrypted and not authorities.is_file():
            raise TargetUnfit(
                f"there is no file {authorities} with those who may have signed the certificate of"
                f" {place.host}; name one with --ca"
            )
        addresses = await addresses_of(place)
        if any(self._ground.is_own(address, place.port) for address in addresses):
            raise TargetUnfit(
                f"{target.address} is this platform itself; give the address of another"
            )
        await require_listener(addresses, place.port)
        async with self._changing:
            known = self._moving.get((environment, service))
            if known is not None and known.target == target:
                return self._view(known)
            if known is not None:
                raise MovesAlready(
                    f"{service} in {environment} moves to {known.target.address} already; end that first with"
                    " `drystone migrate back` and `drystone migrate finish`"
                )
            one = Migration(
                environment=environment,
                service=service,
                target=target,
                since=self._clock.now(),
                by=ctx.caller.name,
                addresses=addresses,
            )
            return await self._change(one, f"{target.address} is its other side", ctx.caller.name)

    @override
    async def share(
        self,
        ctx: Context,
        *,
        environment: str,
        service: str,
        percent: float,
        who: list[Who] | None = None,
        sticky: str | None = None,
    ) -> MigrationView:
        share = domain.share_of(percent)
        before = self._existing(environment, service)
        rules = before.who if who is None else tuple(who)
        domain.check_who(rules)
        if len(rules) > MOST_RULES:
            raise ShareUnfit(f"{MOST_RULES} rules at most decide for a service, not {len(rules)}")
        domain.read_sticky(sticky or "")
        if share or rules:
            place = domain.read_target(before.target)
            await require_listener(before.addresses, place.port)
        async with self._changing:
            one = msgspec.structs.replace(
                self._existing(environment, service),
                share=share,
                who=rules,
                sticky=before.sticky if sticky is None else sticky,
                state="moving",
                reason="",
            )
            return await self._change(one, _told(one), ctx.caller.name)

    @override
    async def back(self, ctx: Context, *, environment: str, service: str) -> MigrationView:
        async with self._changing:
            one = self._existing(environment, service)
            one = msgspec.structs.replace(one, share=0, who=(), state="moving", reason="")
            return await self._change(one, "everything is answered here again", ctx.caller.name)

    @override
    async def finish(self, ctx: Context, *, environment: str, service: str) -> MigrationView:
        async with self._changing:
            one = self._existing(environment, service)
            if one.state == "back" or not (one.share or one.who):
                view = self._view(one)
                await self._forget(one, ctx.caller.name)
                return view
            if one.share < WHOLE:
                raise NotAtAnEnd(
                    f"{one.share / PER_PERCENT:g} % of {service} in {environment} goes to {one.target.address}:"
                    f" give it everything with `drystone migrate share {service} 100%`, or nothing with"
                    f" `drystone migrate back {service}`"
                )
            one = msgspec.structs.replace(one, state="moved", who=(), mirror=0)
            text = f"has moved to {one.target.address}; this side answers nothing any more"
            return await self._change(one, text, ctx.caller.name)

    @override
    async def mirror(
        self,
        ctx: Context,
        *,
        environment: str,
        service: str,
        percent: float,
        ignored: list[str] | None = None,
    ) -> MigrationView:
        share = domain.share_of(percent)
        comparing.read_ignored(tuple(ignored or ()))
        async with self._changing:
            before = self._existing(environment, service)
            one = msgspec.structs.replace(
                before,
                mirror=share,
                ignored=before.ignored if ignored is None else tuple(ignored),
            )
            if share and not before.mirror:
                now = self._clock.now()
                await asyncio.to_thread(self._comparers.begin_counting, one.key, now)
            text = "both sides are not compared any more"
            if share:
                text = f"both sides are compared by {percent:g} % of the safe requests"
            return await self._change(one, text, ctx.caller.name)

    @override
    async def compared(self, ctx: Context, *, environment: str, service: str) -> Compared:
        one = self._existing(environment, service)
        found = await self._comparers.counted(one.key)
        if found is None:
            raise NothingCompared(
                f"both sides of {service} in {environment} are not compared;"
                f" `drystone migrate mirror {service} 10%` begins"
            )
        return found

    @override
    async def data_source(
        self, ctx: Context, *, environment: str, service: str, resource: str
    ) -> DataSource:
        return await self._ground.data_source(environment, service, resource)

    @override
    async def hold_data(
        self, ctx: Context, *, environment: str, service: str, resource: str, is_held: bool
    ) -> Held:
        done = await self._ground.hold_data(environment, service, resource, is_held=is_held)
        if done:
            verb = "takes no more changes" if is_held else "takes changes again"
            self._ground.write_history(
                environment, service, "migration", f"{resource} {verb}", by=ctx.caller.name
            )
        return Held(done)

    # What is kept

    def _existing(self, environment: str, service: str) -> Migration:
        found = self._moving.get((environment, service))
        if found is None:
            raise NoMigration(
                f"{service} in {environment} does not move; `drystone migrate start {service} --to HOST:PORT`"
                " names the other side"
            )
        return found

    def _remember(self, one: Migration) -> None:
        self._moving[one.key] = one
        self._windows.setdefault(one.key, Window()).clear()
        mirror = self._comparers.mirror_of(one)
        move = domain.move_of(one, label=self._label, authorities=SYSTEM_AUTHORITIES, mirror=mirror)
        self._ground.note(*one.key, move)

    async def _change(self, one: Migration, text: str, by: str) -> MigrationView:
        """Write a migration down, tell its history and bring it about."""
        await asyncio.to_thread(self._store.save, one)
        self._ground.write_history(*one.key, "migration", text, by=by)
        self._remember(one)
        await self._comparers.keep(one)
        await self._ground.publish()
        return self._view(one)

    async def _forget(self, one: Migration, by: str) -> None:
        await asyncio.to_thread(self._store.remove, *one.key)
        self._ground.write_history(*one.key, "migration", "it moves nowhere any more", by=by)
        self._drop(one)
        await self._comparers.forget(one.key)
        await self._ground.publish()

    def _drop(self, one: Migration) -> None:
        for kept in (self._moving, self._windows, self._troubles):
            kept.pop(one.key, None)
        self._ground.note(*one.key, None)

    def _view(self, one: Migration) -> MigrationView:
        window = self._windows[one.key]
        return MigrationView(
            environment=one.environment,
            service=one.service,
            to=one.target.address,
            state=one.state,
            share=one.share / PER_PERCENT if one.sends else 0.0,
            who=list(one.who),
            sticky=one.sticky or None,
            addresses=list(one.addresses),
            since=one.since,
            here=window.here,
            there=window.there,
            reason=one.reason,
            trouble=self._troubles.get(one.key, ""),
            compared=one.mirror / PER_PERCENT,
            ignored=list(one.ignored),
        )

    # The watch

    async def _watch(self) -> None:
        rounds = 0
        while True:
            await asyncio.sleep(LOOK_EVERY.total_seconds())
            rounds += 1
            for one in list(self._moving.values()):
                try:
                    await self._look_after(one, asks=rounds % LOOK_UP_EVERY == 0)
                    self._troubles.pop(one.key, None)
                except (PlatformError, OSError) as e:
                    self._troubles[one.key] = str(e)
                    self._log.warning(
                        "migration not looked after", service=one.service, reason=str(e)
                    )

    async def _look_after(self, one: Migration, *, asks: bool) -> None:
        if not self._ground.is_deployed(*one.key):
            async with self._changing:
                await asyncio.to_thread(self._store.remove, *one.key)
                self._drop(one)
                await self._comparers.forget(one.key)
            return
        await self._ground.publish()
        async with self._changing:
            if self._moving.get(one.key) is one:
                await self._comparers.keep(one)
        here, there = await self._ground.outcomes(*one.key)
        window = self._windows.get(one.key)
        if window is None or self._moving.get(one.key) is not one:
            return  # it changed meanwhile
        window.look(here, there)
        if one.sends and one.state == "moving" and domain.is_failing(window.here, window.there):
            await self._go_back(one, window)
        elif asks:
            await self._look_up(one)

    async def _go_back(self, one: Migration, window: Window) -> None:
        there, here = window.there, window.here
        reason = (
            f"{there.failed} of {there.failed + there.answered} requests failed at {one.target.address} within"
            f" {LOOKS * LOOK_EVERY.total_seconds():g} s, and {here.failed} of {here.failed + here.answered} here"
        )
        async with self._changing:
            if self._moving.get(one.key) is not one:
                return
            changed = msgspec.structs.replace(one, state="back", reason=reason)
            await self._change(changed, f"everything is answered here: {reason}", "platform")

    async def _look_up(self, one: Migration) -> None:
        found = await addresses_of(domain.read_target(one.target))
        if found == one.addresses:
            return
        async with self._changing:
            if self._moving.get(one.key) is not one:
                return
            changed = msgspec.structs.replace(one, addresses=found)
            text = f"{one.target.address} is at {', '.join(found)} now"
            await self._change(changed, text, "platform")


def _told(one: Migration) -> str:
    """Say in the history where requests go."""
    text = f"{one.share / PER_PERCENT:g} % go to {one.target.address}"
    if one.who:
        text += ", and all with " + " or ".join(f"{w.header}: {w.value}" for w in one.who)
    return text + (f"; clients stay by {one.sticky}" if one.sticky else "")
