"""Another platform as a target: its orchestrator is asked, over a network, by a token that this platform keeps.

Operations are named once by a key there as here, so that what is repeated after a broken connection happens once. A platform that does not answer, or no
longer knows the token, is one that cannot be asked *now*: its releases stay open, say so, and go on.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import AsyncExitStack, contextmanager
from typing import TYPE_CHECKING, TypeVar

from typing_extensions import override

from drystone.l00_kernel.context import Caller, Context
from drystone.l00_kernel.contract import connect
from drystone.l00_kernel.errors import Unauthenticated
from drystone.l25_deployer.api import PlanView, Progress, Source
from drystone.l25_deployer.descriptor import read
from drystone.l25_deployer.errors import DescriptorRefused
from drystone.l50_orchestrator.sources.api import SourcesApi
from drystone.l50_orchestrator.sources.packing import sent
from drystone.l50_orchestrator.target import Doing, Outcome, Present, Signals, Standing, Target
from drystone.l50_orchestrator.targets.api import TargetApi
from drystone.l50_orchestrator.targets.errors import TargetUnready

if TYPE_CHECKING:
    from collections.abc import Iterator

    from drystone.l00_kernel.contract import Api

A = TypeVar("A", bound="Api")

_ASKING = Caller("orchestrator")


class Reached:
    """The way to one other platform, which is kept open.

    Args:
        name: Of the target.
        address: Returns where its orchestrator answers; it may change.
        token: Returns the token, which may change too; nothing where there is none.
        stack: Closes what is open, in the end.
    """

    def __init__(
        self,
        name: str,
        *,
        address: Callable[[], Awaitable[str]],
        token: Callable[[], str],
        stack: AsyncExitStack,
    ) -> None:
        self.name = name
        self._address = address
        self._token = token
        self._stack = stack
        self._open: dict[tuple[type[Api], str], Api] = {}

    async def api(self, contract: type[A]) -> A:
        """Return a client of one of its APIs.

        Raises:
            TargetUnready: Nobody gave this platform a token for it.
        """
        if not self._token():
            raise TargetUnready(
                f"there is no token for the target '{self.name}': `drystone targets token {self.name}` takes one"
            )
        address = await self._address()
        known = self._open.get((contract, address))
        if known is None:
            known = await self._stack.enter_async_context(
                connect(contract, base_url=address, credentials=self._credentials)
            )
            self._open[contract, address] = known
        assert isinstance(known, contract)  # noqa: S101 - it was made for it
        return known

    async def _credentials(self, _: Context) -> Mapping[str, str]:
        return {"authorization": f"Bearer {self._token()}"}

    @contextmanager
    def asked(self) -> Iterator[None]:
        """Take a token that is not good any more for a platform that cannot be asked now: another one can be given.

        Raises:
            TargetUnready: It is not.
        """
        try:
            yield
        except Unauthenticated as e:
            raise TargetUnready(
                f"the target '{self.name}' does not take this platform's token: {e.message}; `drystone targets token"
                f" {self.name}` takes another one"
            ) from e


class PlatformTarget(Target):
    """Runs releases by another platform.

    Args:
        reached: The way there.
    """

    def __init__(self, reached: Reached) -> None:
        self._reached = reached

    @override
    async def plan(self, ctx: Context, source: Source, environment: str, version: str) -> PlanView:
        with self._reached.asked():
            service, there = await self._sent(ctx, source, environment)
            api = await self._reached.api(TargetApi)
            return await api.plan(
                _named(ctx),
                environment=environment,
                service=service,
                source=there,
                version=version,
            )

    @override
    async def deploy(
        self,
        ctx: Context,
        key: str,
        source: Source,
        environment: str,
        version: str,
        *,
        hold: bool,
        confirm: tuple[str, ...] = (),
        artefact: str = "",
    ) -> AsyncIterator[Progress]:
        with self._reached.asked():
            service, there = await self._sent(ctx, source, environment)
            api = await self._reached.api(TargetApi)
            async for one in api.deploy(
                _named(ctx),
                environment=environment,
                service=service,
                key=key,
                source=there,
                version=version,
                hold=hold,
                confirm=confirm,
                artefact=artefact,
            ):
                yield one

    @override
    async def outcome(self, environment: str, service: str, key: str) -> Outcome:
        with self._reached.asked():
            api = await self._reached.api(TargetApi)
            return await api.outcome(_context(), environment=environment, service=service, key=key)

    @override
    async def present(self, environment: str, service: str | None = None) -> list[Present]:
        with self._reached.asked():
            api = await self._reached.api(TargetApi)
            return await api.present(_context(), environment=environment, service=service)

    @override
    async def standing(
        self, environment: str, service: str, *, engines: bool = False
    ) -> Standing | None:
        with self._reached.asked():
            api = await self._reached.api(TargetApi)
            return await api.standing(
                _context(), environment=environment, service=service, engines=engines
            )

    @override
    async def last_doing(self, environment: str, service: str) -> Doing | None:
        with self._reached.asked():
            api = await self._reached.api(TargetApi)
            return await api.last_doing(_context(), environment=environment, service=service)

    @override
    async def shift(
        self,
        environment: str,
        service: str,
        key: str,
        *,
        share: float,
        cohort: str,
        header: str | None,
        by: str = "request",
    ) -> None:
        with self._reached.asked():
            api = await self._reached.api(TargetApi)
            await api.shift(
                _context(),
                environment=environment,
                service=service,
                key=key,
                share=share,
                cohort=cohort,
                header=header,
                by=by,
            )

    @override
    async def settle(
        self, ctx: Context, environment: str, service: str, key: str
    ) -> AsyncIterator[Progress]:
        with self._reached.asked():
            api = await self._reached.api(TargetApi)
            async for one in api.settle(
                _named(ctx), environment=environment, service=service, key=key
            ):
                yield one

    @override
    async def withdraw(
        self, ctx: Context, environment: str, service: str, key: str, reason: str
    ) -> AsyncIterator[Progress]:
        with self._reached.asked():
            api = await self._reached.api(TargetApi)
            async for one in api.withdraw(
                _named(ctx), environment=environment, service=service, key=key, reason=reason
            ):
                yield one

    @override
    async def destroy(
        self, ctx: Context, environment: str, service: str, confirm: tuple[str, ...]
    ) -> AsyncIterator[Progress]:
        with self._reached.asked():
            api = await self._reached.api(TargetApi)
            async for one in api.destroy(
                _named(ctx), environment=environment, service=service, confirm=confirm
            ):
                yield one

    @override
    async def signals(self, environment: str, service: str, key: str) -> Signals:
        with self._reached.asked():
            api = await self._reached.api(TargetApi)
            return await api.signals(_context(), environment=environment, service=service, key=key)

    @override
    async def roll_back(
        self, ctx: Context, key: str, environment: str, service: str, release: int
    ) -> AsyncIterator[Progress]:
        with self._reached.asked():
            api = await self._reached.api(TargetApi)
            async for one in api.roll_back(
                _named(ctx), environment=environment, service=service, key=key, release=release
            ):
                yield one

    async def _sent(self, ctx: Context, source: Source, environment: str) -> tuple[str, Source]:
        """Send what a descriptor's service is made of, as far as it is not there."""
        reading = read(source.text, file=source.file)
        if reading.descriptor is None:
            raise DescriptorRefused(reading.report())
        service = reading.descriptor.service
        sources = await self._reached.api(SourcesApi)
        there = await sent(sources, _named(ctx), source, environment=environment, service=service)
        return service, there


def _context() -> Context:
    return Context(_ASKING)


def _named(ctx: Context) -> Context:
    """Return a context without a deadline: what has begun is brought to its end."""
    return Context(Caller(ctx.caller.name))
