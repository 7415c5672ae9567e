"""What is to be seen of a sandbox: its services, how dependencies are served, calls, logs and settings of resources."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Mapping, Sequence

import msgspec

from drystone.l00_kernel.contract import connect
from drystone.l00_kernel.errors import PlatformError
from drystone.l00_kernel.home import Home
from drystone.l25_deployer.api import DeployerApi, LogRecord, ServiceSummary
from drystone.l85_surfaces.sandbox.calls import Call, last_calls, verdicts_of
from drystone.l85_surfaces.sandbox.choices import Choice
from drystone.l85_surfaces.sandbox.errors import NoSandbox
from drystone.l85_surfaces.sandbox.places import Place, Plan
from drystone.l85_surfaces.sandbox.running import context
from drystone.l85_surfaces.sandbox.workspace import LOCAL

MOST_CALLS = 40
MOST_LINES = 200
_SECRET = re.compile(r"PASSWORD|SECRET|TOKEN|KEY")
_PASSWORD = re.compile(r"(?<=://)([^:/@\s]*):([^@/\s]+)@")


class Served(msgspec.Struct, frozen=True):
    """One service and how it is served.

    Attributes:
        choice: How.
        state: What the platform says of it; empty where it is not there.
        url: Where it answers.
    """

    choice: Choice
    state: str
    url: str


class Seen(msgspec.Struct, frozen=True):
    """What a sandbox looks like now.

    Attributes:
        name: Of the sandbox.
        base: Folder of its workspace.
        is_up: Whether its platform answers.
        served: Every service, by name.
        calls: The last ones, the newest first.
        resources: Types by service and name.
    """

    name: str
    base: str
    is_up: bool
    served: tuple[Served, ...]
    calls: tuple[Call, ...]
    resources: Mapping[str, Mapping[str, str]]


class Setting(msgspec.Struct, frozen=True):
    """One variable by which a service reaches a resource."""

    name: str
    value: str
    is_secret: bool


class Looking:
    """Looks at one sandbox.

    Args:
        place: Where it lives.
    """

    def __init__(self, place: Place) -> None:
        self._place = place
        self._home = Home(place.home)
        self._settings: dict[tuple[str, int | None], list[Setting]] = {}

    @property
    def place(self) -> Place:
        """Where the sandbox lives."""
        return self._place

    async def seen(self) -> Seen:
        """Return what it looks like now.

        Raises:
            NoSandbox: There is none.
        """
        identity = self._place.require()
        plan = self._place.plan()
        services: dict[str, ServiceSummary] = {}
        verdicts: dict[str, str] = {}
        is_up = True
        try:
            async with connect(DeployerApi, uds=self._home.agent_socket) as api:
                page = await api.services(context())
                services = {one.service: one for one in page.items if one.state != "stopped"}
                mocks = [one.name for one in plan.choices if one.way == "mock"] if plan else []
                told = await asyncio.gather(*(self._lines(api, name, MOST_LINES) for name in mocks))
                for records in told:
                    verdicts |= verdicts_of(one.text for one in records)
        except PlatformError:
            is_up = False
        calls = await asyncio.to_thread(
            last_calls, self._home.access_log, verdicts, most=MOST_CALLS
        )
        return Seen(
            name=identity.name,
            base=identity.base,
            is_up=is_up,
            served=tuple(_served(one, services.get(one.name)) for one in _choices(plan)),
            calls=tuple(calls),
            resources=plan.resources if plan else {},
        )

    async def logs(self, service: str, lines: int = MOST_LINES) -> list[LogRecord]:
        """Return the last lines of a service.

        Raises:
            NoSandbox: There is no such service in it.
            PlatformError: Its platform does not answer.
        """
        self._require(service)
        async with connect(DeployerApi, uds=self._home.agent_socket) as api:
            return await self._lines(api, service, lines)

    async def settings(self, service: str) -> list[Setting]:
        """Return by which variables a service reaches its resources. The values may be secret.

        Raises:
            NoSandbox: There is no such service in it.
            PlatformError: Its platform does not answer, or the service does not run.
        """
        plan = self._require(service)
        resources = plan.resources.get(service, {})
        if not resources:
            return []
        async with connect(DeployerApi, uds=self._home.agent_socket) as api:
            view = await api.show(context(), environment=LOCAL, service=service)
            key = (service, view.summary.release)
            if key not in self._settings:
                text = ""
                stream = api.execute(
                    context(), environment=LOCAL, service=service, command=["env", "-0"]
                )
                async for piece in stream:
                    text += piece.text
                self._settings[key] = settings_of(text, resources, plan.variables.get(service, []))
        return self._settings[key]

    async def _lines(self, api: DeployerApi, service: str, lines: int) -> list[LogRecord]:
        try:
            return [
                one
                async for one in api.logs(
                    context(), environment=LOCAL, service=service, lines=lines
                )
            ]
        except PlatformError:
            return []

    def _require(self, service: str) -> Plan:
        plan = self._place.plan()
        if plan is None or service not in {one.name for one in plan.choices}:
            raise NoSandbox(f"there is no service {service[:80]!r} in this sandbox")
        return plan


def settings_of(text: str, resources: Mapping[str, str], further: Sequence[str]) -> list[Setting]:
    """Choose the variables that lead to resources.

    Args:
        text: Variables, each ended by a zero byte or, made visible, its picture.
        resources: Names of the resources.
        further: Names of further variables that refer to resources.
    """
    prefixes = tuple(f"{name.upper().replace('-', '_')}_" for name in resources)
    found = []
    for line in re.split("\0|\N{SYMBOL FOR NULL}|\\\\x00|\\\\0|\n", text):
        name, equals, value = line.partition("=")
        if equals and (name in further or name.startswith(prefixes)):
            is_secret = bool(_SECRET.search(name) or _PASSWORD.search(value))
            found.append(Setting(name, value, is_secret))
    return sorted(found, key=lambda one: one.name)


def hidden(one: Setting) -> str:
    """Return a value without what is secret in it."""
    if not one.is_secret:
        return one.value
    if _PASSWORD.search(one.value):
        return _PASSWORD.sub(r"\1:…@", one.value)
    return "…"


def _choices(plan: Plan | None) -> Sequence[Choice]:
    return plan.choices if plan else ()


def _served(choice: Choice, summary: ServiceSummary | None) -> Served:
    if summary is None:
        return Served(choice, "", "")
    return Served(choice, summary.state, summary.url or "")
