"""See the whole platform work, in a throw-away home: deploys, switches and crashes under traffic.

::

    make demo

Starts a platform of its own on a free port, and drives it by the command line alone, as a person would. Ends with 0
when everything went as promised, with 1 and the reason when something did not, and leaves nothing behind either way.
"""

from __future__ import annotations

import asyncio
import json
import os
import shutil
import signal
import sys
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import httpx2
from rich.console import Console
from rich.status import Status
from rich.table import Table

from drystone.l00_kernel.errors import PlatformError
from drystone.l10_engines.loopback_ports import free_port
from drystone.testing.command_line import CommandLine, kill_what_remains, remains, short_home, stop
from drystone.testing.load import Load, Outcome, Report, run

ROOT = Path(__file__).parents[1]
EXAMPLE = "examples/guestbook/service.yaml"
ENVIRONMENT = "prod"
RATE = 200
BEFORE_AND_AFTER_S = 1.5
"""How long traffic flows before and after what it is meant to hit."""

RECOVERY_LIMIT = timedelta(seconds=30)
READ_BACK = (
    "import os, psycopg; "
    "print(*[m for m, in psycopg.connect(os.environ['DB_URL']).execute('select message from entries')], sep='\\n')"
)


class Broken(Exception):
    """Something is not as the platform promises."""


@dataclass
class Step:
    """One line of the report; requests and failures only where traffic flowed."""

    what: str
    seconds: float
    report: Report | None = None
    remark: str = ""


@dataclass
class Demonstration:
    """What is shown, one step after the other.

    Attributes:
        console: Where to.
        platform: The command line of the throw-away platform.
        port: Its port.
        status: What goes on at the moment; only a terminal shows it.
        steps: What was done so far.
        signed: Messages whose storing the guestbook has acknowledged.
    """

    console: Console
    platform: CommandLine
    port: int
    status: Status
    steps: list[Step] = field(default_factory=list)
    signed: set[str] = field(default_factory=set)

    @property
    def url(self) -> str:
        """Where the guestbook answers."""
        return f"http://guestbook.{ENVIRONMENT}.localhost:{self.port}"

    async def show(self) -> None:
        """Show everything.

        Raises:
            Broken: Something is not as promised.
        """
        await self.start()
        await self.deploy_first()
        await self.sign("before anything else happened", 50)
        await self.switch("deploy 2.0", "2.0", "deploy", EXAMPLE, "--version", "2.0")
        await self.sign("served by version 2.0", 50)
        await self.switch("roll back to 1.0", "1.0", "rollback", "guestbook")
        await self.kill_instance()
        await self.kill_agent()
        await self.sign("after all that", 50)
        await self.read_back()

    async def start(self) -> None:
        """Start the platform in its empty home."""
        self.title("Start a platform in an empty home")
        begun = time.monotonic()
        await self.command("up", "--detach", "--port", str(self.port))
        self.done("start on an empty home", begun)

    async def deploy_first(self) -> None:
        """Deploy the guestbook, which nothing serves yet."""
        self.title("Deploy a guestbook with its database, two instances and a worker")
        begun = time.monotonic()
        await self.command("deploy", EXAMPLE, "--env", ENVIRONMENT, "--version", "1.0")
        await self.answer("/version")
        self.done("deploy 1.0 with its database", begun)

    async def sign(self, remark: str, count: int) -> None:
        """Write entries; each that is acknowledged must be found in the end."""
        begun = time.monotonic()
        async with self.client() as client:
            for number in range(count):
                message = f"{remark}, entry {number}"
                entry = {"name": "demo", "message": message}
                answer = await client.post("/api/entries", json=entry)
                if answer.status_code != 201:
                    raise Broken(
                        f"the guestbook answered {answer.status_code}: {answer.text[:200]}"
                    )
                self.signed.add(message)
        self.done(f"write {count} entries", begun)

    async def switch(self, what: str, version: str, *command: str) -> None:
        """Change the version that serves, under traffic; not one request may fail."""
        self.title(f"{what[0].upper()}{what[1:]}, while {RATE} requests a second arrive")

        async def act() -> str:
            await self.command(*command, "--env", ENVIRONMENT)
            return ""

        report, _ = await self.under_traffic(what, act)
        if report.failed:
            raise Broken(f"{what}: requests failed\n{report.text()}")
        spans = report.versions()
        if len(spans) != 2 or list(spans)[-1] != version:
            raise Broken(f"{what}: these versions answered, in this order: {', '.join(spans)}")

    async def kill_instance(self) -> None:
        """End one of the two instances without warning."""
        self.title("Kill one of the two instances (SIGKILL)")

        async def act() -> str:
            victim = (await self.instances())[0]
            self.note(f"kill -9 {victim['pid']}   # {victim['id']}")
            os.kill(victim["pid"], signal.SIGKILL)
            return await self.until(lambda: self.replaced(victim))

        report, _ = await self.under_traffic("kill an instance", act)
        cut = [one for one in report.failed if one.failure == "cut"]
        if len(cut) < len(report.failed):
            raise Broken(f"the other instance did not take over every request\n{report.text()}")
        if cut:
            self.note(
                f"answers that were half given when it died, which nobody can finish: {len(cut)}"
            )

    async def replaced(self, victim: dict[str, Any]) -> str | None:
        """Say so when an instance runs again and is healthy."""
        now = next((i for i in await self.instances() if i["id"] == victim["id"]), None)
        if now is None or now["pid"] in {None, victim["pid"]} or now["state"] != "healthy":
            return None
        return f"now pid {now['pid']}"

    async def kill_agent(self) -> None:
        """End the platform's own process; what it started must not notice."""
        self.title("Kill the platform's agent (SIGKILL)")
        before = await self.processes()

        async def act() -> str:
            agent = (await self.platform.ask("status"))["agent_pid"]
            self.note(f"kill -9 {agent}   # the agent")
            os.kill(agent, signal.SIGKILL)
            return await self.until(lambda: self.new_agent(agent))

        report, _ = await self.under_traffic("kill the agent", act)
        if report.failed:
            raise Broken(f"the traffic noticed that the agent was gone\n{report.text()}")
        after = await self.processes()
        if after != before:
            raise Broken(f"the new agent did not adopt everything: before {before}, now {after}")
        self.note(f"adopted as they were: {', '.join(sorted(after))}")

    async def new_agent(self, old: int) -> str | None:
        """Say so when another agent has everything in its hands."""
        said = await self.platform.run("status", "--json")
        if said.code != 0:
            return None
        status = json.loads(said.out)
        if status["agent_pid"] == old or any(s["state"] != "serving" for s in status["services"]):
            return None
        return f"now pid {status['agent_pid']}"

    async def processes(self) -> dict[str, int]:
        """Return the processes that must survive the agent, by name."""
        status = await self.platform.ask("status")
        found = {engine["name"]: engine["pid"] for engine in status["engines"] if engine["pid"]}
        return found | {one["id"]: one["pid"] for one in await self.instances()}

    async def read_back(self) -> None:
        """Look into the database for every entry that was acknowledged."""
        self.title("Look for every entry in the database")
        begun = time.monotonic()
        arguments = ("exec", "guestbook", "--env", ENVIRONMENT, "--", "python", "-c", READ_BACK)
        self.note(f"$ drystone {' '.join(arguments[:-1])} …")
        found = set((await self.platform.must(*arguments)).out.splitlines())
        if missing := self.signed - found:
            raise Broken(f"{len(missing)} acknowledged entries are lost, such as {min(missing)!r}")
        self.done("read the entries back", begun, f"all {len(self.signed)} found")

    async def instances(self) -> list[dict[str, Any]]:
        """Return the instances of the release that serves which answer requests."""
        view = await self.platform.ask("show", "guestbook", "--env", ENVIRONMENT)
        serving = view["summary"]["release"]
        return [i for i in view["instances"] if i["group"] == "web" and i["release"] == serving]

    def client(self) -> httpx2.AsyncClient:
        """Return a client of the guestbook; the system's resolver need not know names below localhost."""
        host = urlsplit(self.url).netloc
        return httpx2.AsyncClient(base_url=f"http://127.0.0.1:{self.port}", headers={"host": host})

    async def answer(self, path: str) -> None:
        """Ask the guestbook through the edge."""
        async with self.client() as client:
            answer = await client.get(path)
        self.note(f"$ curl {self.url}{path}\n{answer.text}")

    async def command(self, *arguments: str) -> None:
        """Run a command and show its steps as they end."""
        self.note(f"$ drystone {' '.join(arguments)} --json")
        async for step in self.platform.steps(*arguments):
            if step.get("state") in {"began", "starting"}:
                self.status.update(f"{step.get('step') or step.get('name')} {step.get('text', '')}")
            elif step.get("state") in {"ended", "ready", "adopted"}:
                name = step.get("step") or f"layer {step['layer']} {step['name']}"
                text = step.get("text", "")
                self.console.print(
                    f"  [green]✓[/] {name:<18} {step.get('seconds', 0):6.2f} s  [dim]{text}[/]"
                )
            elif step.get("step") == "done":
                self.console.print(f"  {step['text']}: {step.get('url', '')}", style="bold")

    async def under_traffic(
        self, what: str, act: Callable[[], Awaitable[str]]
    ) -> tuple[Report, float]:
        """Do something while requests arrive; return what became of them and how long it took."""
        async with self.traffic() as stopped:
            await asyncio.sleep(BEFORE_AND_AFTER_S)
            begun = time.monotonic()
            remark = await act()
            seconds = time.monotonic() - begun
            await asyncio.sleep(BEFORE_AND_AFTER_S)
            report = await stopped()
        self.note(report.text())
        self.steps.append(Step(what, seconds, report, remark))
        if remark:
            self.console.print(f"  [green]✓[/] {remark}, after {seconds:.1f} s")
        return report, seconds

    @asynccontextmanager
    async def traffic(self) -> AsyncIterator[Callable[[], Awaitable[Report]]]:
        """Let requests arrive, half of them over new connections, until the returned function is called."""
        enough = asyncio.Event()
        counted = {"sent": 0, "failed": 0}

        def observe(outcome: Outcome) -> None:
            counted["sent"] += 1
            counted["failed"] += outcome.failure is not None
            self.status.update(f"{counted['sent']} requests, {counted['failed']} failed")

        load = Load(url=f"{self.url}/version", rate=RATE, length=timedelta(minutes=5))
        running = asyncio.create_task(run(load, stop=enough, observe=observe))

        async def stopped() -> Report:
            enough.set()
            return await running

        try:
            yield stopped
        finally:
            enough.set()
            await running

    async def until(self, said: Callable[[], Awaitable[str | None]]) -> str:
        """Wait for something to come back."""
        try:
            async with asyncio.timeout(RECOVERY_LIMIT.total_seconds()):
                while True:
                    if (text := await said()) is not None:
                        return text
                    await asyncio.sleep(0.1)
        except TimeoutError:
            limit = f"{RECOVERY_LIMIT.total_seconds():g} s"
            raise Broken(f"it did not come back within {limit}") from None

    def title(self, text: str) -> None:
        """Say what comes."""
        self.console.print(f"\n[bold]{text}[/]")
        self.status.update("")

    def note(self, text: str) -> None:
        """Show a command or a detail."""
        for line in text.splitlines():
            style = "cyan" if line.startswith(("$", "kill")) else "dim"
            self.console.print(f"  {line}", style=style, markup=False, soft_wrap=True)

    def done(self, what: str, begun: float, remark: str = "") -> None:
        """Note a step for the report."""
        self.steps.append(Step(what, time.monotonic() - begun, remark=remark))


def report_on(steps: list[Step]) -> Table:
    """Set the report: what was done, how long it took, and what became of the requests meanwhile."""
    table = Table(box=None, pad_edge=False, header_style="bold", padding=(0, 2, 0, 0))
    table.add_column("step", no_wrap=True)
    for name in ("time", "requests", "failed", "slowest"):
        table.add_column(name, justify="right", no_wrap=True)
    table.add_column("", style="dim", no_wrap=True)
    for step in steps:
        cells = ["", "", ""]
        if step.report is not None:
            slowest = step.report.latency(1)
            cells = [str(len(step.report.outcomes)), str(len(step.report.failed)),
                     f"{slowest / timedelta(milliseconds=1):.0f} ms" if slowest else ""]  # fmt: skip
        table.add_row(step.what, f"{step.seconds:.1f} s", *cells, step.remark)
    return table


async def clean_up(console: Console, platform: CommandLine) -> bool:
    """Stop everything and remove the home; returns whether nothing is left."""
    clean = True
    console.print("\n[bold]Stop everything and remove the home[/]")
    try:
        await stop(platform)
    except (PlatformError, TimeoutError) as e:
        console.print(str(e), style="red", markup=False, soft_wrap=True)
        clean = False
    for left in remains(platform.home):
        console.print(f"left behind: {left}", style="red", markup=False, soft_wrap=True)
        clean = False
    kill_what_remains(platform.home)
    shutil.rmtree(platform.home)
    return clean


async def main() -> int:
    """Run the demonstration; returns the exit code."""
    os.chdir(ROOT)
    console = Console(highlight=False)
    begun = time.monotonic()
    home = short_home("demo")
    console.print(f"A demonstration in the throw-away home {home}")
    status = console.status("")
    demonstration = Demonstration(console, CommandLine(home), free_port(), status)
    showing = asyncio.create_task(demonstration.show())
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        asyncio.get_running_loop().add_signal_handler(number, showing.cancel)
    problem = ""
    status.start()
    try:
        await showing
    except asyncio.CancelledError:
        problem = "interrupted"
    except (Broken, PlatformError) as e:
        problem = f"not as promised: {e}"
    finally:
        status.stop()
        is_clean = await clean_up(console, demonstration.platform)
    if not is_clean:
        problem = problem or "not as promised: something was left behind"
    console.print()
    if demonstration.steps:
        console.print(report_on(demonstration.steps))
        console.print()
    if problem:
        console.print(f"✗ {problem}", style="red", markup=False, soft_wrap=True)
        return 1
    console.print(f"[green]✓[/] everything as promised, in {time.monotonic() - begun:.0f} s")
    return 0


if __name__ == "__main__":
    sys.exit(asyncio.run(main()))
