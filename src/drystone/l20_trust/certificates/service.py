"""Tells of certificates, replaces them and takes those that people provide: the implementation of :class:`CertificatesApi`."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from typing_extensions import override

from drystone.l20_trust.certificates.api import EDGE, CertificatesApi
from drystone.l20_trust.certificates.errors import NoCertificate

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from drystone.l00_kernel.clock import Clock
    from drystone.l00_kernel.contract import Context
    from drystone.l00_kernel.ports import Audit, Log
    from drystone.l20_trust.certificates.api import Issued, ProvidedSaid, ProvidedView
    from drystone.l20_trust.certificates.issuer import Issuer
    from drystone.l20_trust.certificates.shown import ShownFiles


class Certificates(CertificatesApi):
    """Certificates of one home.

    Args:
        issuer: The authority.
        shown: The files of the edge.
        clock: The time.
        audit: Told of every change that concerns a service.
        log: Told of every change.
        renew: Issues another for a resource of a service: ``<environment>/<service>`` and the name of the resource.
        changed: Makes the edge show what there is now.
    """

    def __init__(
        self,
        issuer: Issuer,
        shown: ShownFiles,
        *,
        clock: Clock,
        audit: Audit,
        log: Log,
        renew: Callable[[str, str], Awaitable[None]],
        changed: Callable[[], Awaitable[None]],
    ) -> None:
        self._issuer = issuer
        self._shown = shown
        self._clock = clock
        self._audit = audit
        self._log = log
        self._renew = renew
        self._changed = changed

    @override
    async def issued(self, ctx: Context) -> list[Issued]:
        return await asyncio.to_thread(self._issuer.every)

    @override
    async def authority(self, ctx: Context) -> str:
        return (await asyncio.to_thread(self._issuer.ensure)).decode()

    @override
    async def replace(self, ctx: Context, *, serial: str) -> Issued:
        old = await self._valid(lambda one: one.serial == serial.lower())
        if old is None:
            raise NoCertificate(
                f"no valid certificate has the number {serial[:80]}; `drystone certificates list` shows them",
                serial=serial[:80],
            )
        if old.owner == EDGE:
            self._shown.forget_issued(old.name)
        else:
            await self._renew(old.owner, old.name)
            await self._audit.record(ctx, "certificates.replace", old.owner, name=old.name)
        self._log.info("certificate replaced", owner=old.owner, name=old.name, by=ctx.caller.name)
        await self._changed()
        new = await self._valid(lambda one: (one.owner, one.name) == (old.owner, old.name))
        if new is None or new.serial == old.serial:
            raise NoCertificate(
                f"{old.name} of {old.owner} is not shown any more, so that nothing takes the place of its certificate"
            )
        return new

    @override
    async def provided(self, ctx: Context) -> list[ProvidedView]:
        return await asyncio.to_thread(self._shown.every_provided, self._clock.now())

    @override
    async def provide(self, ctx: Context, *, host: str, said: ProvidedSaid) -> ProvidedView:
        view = await asyncio.to_thread(
            self._shown.provide,
            host.lower(),
            said.certificate.encode(),
            said.key.encode(),
            self._clock.now(),
        )
        self._log.info("certificate provided", host=view.host, by=ctx.caller.name)
        await self._changed()
        return view

    @override
    async def withdraw(self, ctx: Context, *, host: str) -> None:
        await asyncio.to_thread(self._shown.withdraw, host.lower())
        self._log.info("certificate withdrawn", host=host.lower(), by=ctx.caller.name)
        await self._changed()

    async def _valid(self, fits: Callable[[Issued], bool]) -> Issued | None:
        found = await asyncio.to_thread(self._issuer.every)
        return next((one for one in found if one.state == "valid" and fits(one)), None)
