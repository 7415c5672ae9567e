"""Bring the services of a sandbox up on its platform, each after what it needs, and take away what is not wanted any more."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from typing import Literal

import msgspec

from drystone.l00_kernel.contract import ANONYMOUS, Context
from drystone.l00_kernel.errors import PlatformError
from drystone.l25_deployer.api import DeployerApi, Progress, ServiceSummary, Source
from drystone.l35_mesh.migration.api import MigrationApi, Target
from drystone.l35_mesh.migration.errors import NoMigration
from drystone.l85_surfaces.sandbox.choices import Choice
from drystone.l85_surfaces.sandbox.errors import SandboxIncomplete
from drystone.l85_surfaces.sandbox.places import Place
from drystone.l85_surfaces.sandbox.stand_ins import OWNER, digest, write_mock
from drystone.l85_surfaces.sandbox.workspace import LOCAL, Member, Workspace, waves

AT_ONCE = 3
"""Deploys at a time: more of them are slower on a machine that is not large."""


class Came(msgspec.Struct, frozen=True):
    """What became of one service.

    Attributes:
        service: Which.
        way: How it is served.
        state: Whether it is being brought up, is up, was up already, was taken away or failed.
        text: Its address, or why it failed.
        seconds: How long it took.
    """

    service: str
    way: str
    state: Literal["begins", "up", "unchanged", "removed", "failed"]
    text: str = ""
    seconds: float | None = None


def context() -> Context:
    """Return what accompanies a call; the agent finds out by itself who asks."""
    return Context(ANONYMOUS)


class Running:
    """The services on the platform of a sandbox.

    Args:
        api: Its deployer.
        migrations: Passes requests on to addresses that the developer names.
        place: Where the sandbox keeps its files.
        tell: Called with what becomes of each service.
    """

    def __init__(
        self,
        api: DeployerApi,
        migrations: MigrationApi,
        place: Place,
        tell: Callable[[Came], None],
    ) -> None:
        self._api = api
        self._migrations = migrations
        self._place = place
        self.told = tell
        self._room = asyncio.Semaphore(AT_ONCE)

    async def bring_up(self, workspace: Workspace, choices: Sequence[Choice]) -> None:
        """Bring everything up; what nobody wants any more goes, and its data stays.

        Args:
            workspace: The services.
            choices: How everything is served.

        Raises:
            SandboxIncomplete: Some did not come up; the others have.
        """
        there = {(one.environment, one.service): one for one in await self._services()}
        failed: list[str] = []
        stands = [one for one in choices if one.way in {"mock", "proxy"}]
        failed += await self._all(
            [
                self._stand_in(one, environment, there.get((environment, one.name)))
                for one in stands
                for environment in one.environments
            ]
        )
        real = {one.name: one for one in choices if one.way == "real"}
        members = {name: one for name, one in workspace.members.items() if name in real}
        for wave in waves(members):
            failed += await self._all(
                [
                    self.deploy(members[name], environment)
                    for name in wave
                    for environment in real[name].environments
                ]
            )
        wanted = {
            (environment, one.name)
            for one in choices
            if one.way != "absent"
            for environment in one.environments
        }
        failed += await self._remove([one for key, one in there.items() if key not in wanted])
        if failed:
            raise SandboxIncomplete("\n".join(failed))

    async def deploy(self, member: Member, environment: str = LOCAL) -> str | None:
        """Bring one service of the workspace up from its folder.

        Returns:
            Why it did not come up; None when it did.
        """
        source = Source(member.text, str(member.file), str(member.folder), LOCAL)
        failed = await self._deploy(source, member.name, environment, "real")
        if failed is None:
            await self._forget_proxy(member.name, environment)
        return failed

    async def _stand_in(
        self, choice: Choice, environment: str, there: ServiceSummary | None
    ) -> str | None:
        """Bring up what stands in for a service, unless just that stands there already."""
        folder = self._place.folder / "mocks" / choice.name
        mark = folder.with_name(f"{choice.name}.{environment}.digest")
        try:
            file = await asyncio.to_thread(write_mock, folder, choice)
            content = await asyncio.to_thread(digest, folder)
        except PlatformError as e:
            self.told(Came(choice.name, choice.way, "failed", e.message))
            return e.message
        before = mark.read_text() if mark.is_file() else ""
        is_there = there is not None and there.state == "serving" and there.owner == OWNER
        if is_there and before == content:
            self.told(Came(choice.name, choice.way, "unchanged", (there and there.url) or ""))
        else:
            mark.unlink(missing_ok=True)
            source = Source(file.read_text(), str(file), str(folder))
            failed = await self._deploy(source, choice.name, environment, choice.way)
            if failed is not None:
                return failed
            mark.write_text(content)
        return await self._proxy(choice, environment)

    async def _deploy(self, source: Source, name: str, environment: str, way: str) -> str | None:
        async with self._room:
            self.told(Came(name, way, "begins"))
            began = time.monotonic()
            try:
                url = await followed(
                    self._api.deploy(context(), source=source, environment=environment)
                )
            except PlatformError as e:
                self.told(Came(name, way, "failed", e.message))
                return f"{name} did not come up: {e.message}"
            self.told(Came(name, way, "up", url, time.monotonic() - began))
            return None

    async def _proxy(self, choice: Choice, environment: str) -> str | None:
        """Pass requests on, where that is how a service is served."""
        if choice.way != "proxy":
            await self._forget_proxy(choice.name, environment)
            return None
        target = Target(address=choice.to, has_fallback=False)
        name = choice.name
        try:
            found = [
                one
                for one in await self._migrations.migrations(context())
                if (one.environment, one.service) == (environment, name)
            ]
            if found and found[0].to != choice.to:
                await self._forget_proxy(name, environment)
            moves = self._migrations
            await moves.start(context(), environment=environment, service=name, target=target)
            await moves.share(context(), environment=environment, service=name, percent=100)
        except PlatformError as e:
            self.told(Came(choice.name, choice.way, "failed", e.message))
            return f"{choice.name} is not passed on: {e.message}"
        return None

    async def _forget_proxy(self, name: str, environment: str) -> None:
        """Serve here what was passed on before."""
        moves = self._migrations
        try:
            await moves.back(context(), environment=environment, service=name)
            await moves.share(context(), environment=environment, service=name, percent=0)
            await moves.finish(context(), environment=environment, service=name)
        except NoMigration:
            return

    async def _remove(self, unwanted: Sequence[ServiceSummary]) -> list[str]:
        """Take services away, those that others need last; their data stays."""
        left, failed = list(unwanted), dict[str, str]()
        for _ in range(len(unwanted)):
            for one in list(left):
                try:
                    await self._forget_proxy(one.service, one.environment)
                    stream = self._api.destroy(
                        context(), environment=one.environment, service=one.service
                    )
                    await followed(stream)
                except PlatformError as e:
                    failed[one.service] = e.message
                    continue
                left.remove(one)
                self.told(Came(one.service, "absent", "removed"))
            if not left:
                return []
        for one in left:
            self.told(Came(one.service, "absent", "failed", failed[one.service]))
        return [f"{one.service} was not taken away: {failed[one.service]}" for one in left]

    async def _services(self) -> list[ServiceSummary]:
        found, cursor = list[ServiceSummary](), None
        while True:
            page = await self._api.services(context(), cursor=cursor)
            found += page.items
            cursor = page.next
            if cursor is None:
                return [one for one in found if one.state != "stopped"]

    async def _all(self, work: Sequence[Awaitable[str | None]]) -> list[str]:
        ended = await asyncio.gather(*work)
        return [one for one in ended if one is not None]


async def followed(stream: AsyncIterator[Progress]) -> str:
    """Wait for the end of an operation.

    Returns:
        Where the service answers, if it said so.

    Raises:
        PlatformError: It failed.
    """
    url = ""
    async for progress in stream:
        url = progress.url or url
    return url
