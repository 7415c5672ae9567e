"""A run: deploys under load while a killer is at work, and the look at what is left.

What is to happen is drawn before it begins (:mod:`drystone.testing.faults.schedule`). After a round the platform comes to
rest, and every invariant is held against it; the first round that breaks one ends the run, so that what is broken can
be looked at.
"""

from __future__ import annotations

import asyncio
import shutil
from collections import Counter
from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from drystone.l10_engines.loopback_ports import free_port
from drystone.testing.command_line import (
    CommandLine,
    kill_what_remains,
    processes_of,
    remains,
    short_home,
    stop,
)
from drystone.testing.faults import data, invariants, leftovers
from drystone.testing.faults.commands import Told, carry_out, is_undue
from drystone.testing.faults.expectation import Outcome
from drystone.testing.faults.rest import LIMIT, Restless, until_at_rest
from drystone.testing.faults.schedule import Action, Fighters, Round, draw
from drystone.testing.faults.site import Site
from drystone.testing.faults.subjects import ENVIRONMENT
from drystone.testing.faults.traffic import Traffic, cause
from drystone.testing.faults.victims import VICTIMS

if TYPE_CHECKING:
    from drystone.testing.faults.invariants import Invariant
    from drystone.testing.faults.journal import Journal
    from drystone.testing.faults.subjects import Subject

INVARIANTS: tuple[Invariant, ...] = (
    invariants.OneReleaseServes(),
    invariants.NothingIsLost(),
    invariants.StatusIsTrue(),
    invariants.HistoryIsComplete(),
    invariants.RestartedEnvoyServesTheSame(),
    leftovers.NoStrayProcess(),
    leftovers.NoStrayGroup(),
    leftovers.NoStrayRule(),
    leftovers.NoStrayMount(),
    leftovers.NoStrayPort(),
    leftovers.NoStrayNetwork(),
    leftovers.NoStraySidecar(),
    leftovers.NoStrayContainer(),
    data.NoStrayRole(),
    data.NoStrayBucket(),
    data.NoStrayVolume(),
    data.NoStraySecret(),
    data.ResourcesAreTheReleases(),
    leftovers.NoStrayFolder(),
    leftovers.NoPartialFile(),
)

MOST_SHOWN = 5
ENOUGH = 40
"""Good answers in a row after which the failures of what was killed are over."""

CONNECTION_ENDED = "server closed the connection"
"""What the service with a database answers that used a connection to it once more which had ended."""

LOOKS, LOOK_AGAIN = 5, timedelta(seconds=1)
"""How often what does not hold is looked at again, and after which pause."""


class Terms(msgspec.Struct, frozen=True):
    """What a run is.

    Attributes:
        seed: What it is drawn from.
        deploys: How many deploys.
        rate: Requests per second to each service.
        runtime: What isolates the services that come as folders.
        own: The services that have an Envoy of their own.
    """

    seed: int
    deploys: int
    rate: float
    runtime: str
    own: tuple[str, ...] = ()

    def command(self) -> str:
        """Return the command that does the same again."""
        return (
            f"python -m drystone.testing.faults --seed {self.seed} --deploys {self.deploys}"
            f" --rate {self.rate:g} --runtime {self.runtime}"
            + "".join(f" --own-sidecar {name}" for name in self.own)
        )


class Verdict(msgspec.Struct, frozen=True):
    """What came of a run.

    Attributes:
        broken: Everything that did not hold.
        answered: Requests that were answered well.
        failed: Requests that were not, which is right while what should answer is dead.
        acknowledged: Keys that were found again.
        struck: How many of each kind of victim were killed.
        told: What commands told, and how often each.
        causes: Why requests failed, and how often each.
        home: The home, if it was kept because something is broken.
    """

    broken: tuple[str, ...]
    answered: int
    failed: int
    acknowledged: int
    struck: Mapping[str, int]
    told: Mapping[str, int]
    causes: Mapping[str, int]
    home: Path | None = None


class Drill:
    """One run on one platform.

    Args:
        terms: What it is.
        site: The platform; every subject is deployed and has traffic.
        journal: Where it is told.
    """

    def __init__(self, terms: Terms, site: Site, journal: Journal) -> None:
        self.broken: list[str] = []
        self.told: Counter[str] = Counter()
        self._site = site
        self._journal = journal
        self._rounds = draw(
            terms.seed, terms.deploys, tuple(site.subjects), fighters(sidecars=bool(terms.own))
        )
        self._gentle_since: float | None = None
        self._was_at_rest = True
        self._deployed: list[tuple[Subject, str]] = []
        self._moved: set[str] = set()
        """Services of which a release wanted its sidecar elsewhere since they were looked at."""

    async def run(self) -> None:
        """Do every round until one breaks something."""
        for number, one in enumerate(self._rounds, 1):
            self._journal.write("round", f"{number} of {len(self._rounds)}: {_words(one)}")
            if one.is_gentle:
                await self._until_all_is_answered()
                self._gentle_since = self._journal.now()
            async with asyncio.TaskGroup() as group:
                acts = [group.create_task(self._act(action)) for action in one.actions]
            if self._was_at_rest and (one.is_gentle or not any(a.strikes for a in one.actions)):
                for told in filter(is_undue, (act.result() for act in acts)):
                    self._break("outcomes", f"nothing it needs was killed; yet: {told.words}")
            self._was_at_rest = one.rests
            if one.rests:
                await self._look(last=number == len(self._rounds))
            if self.broken:
                return

    async def _act(self, action: Action) -> Told:
        subject, journal = self._site.subjects[action.subject], self._journal
        descriptor = subject.write(
            keep_warm=action.keep_warm,
            mark=action.version if action.new_code else "",
            more=action.more,
            is_aside=action.is_aside,
        )
        expected = subject.expectation
        if action.kind == "deploy":
            expected.deploy_began(action.version, journal.now())
        else:
            expected.rollback_began(journal.now())
        if self._moves(action):
            self._moved.add(action.subject)
        told = await carry_out(action, descriptor, self._site, journal)
        self.told[f"{action.kind} {told.outcome}"] += 1
        journal.write(
            action.kind, f"{action.subject} {action.version}: {told.outcome}: {told.words}"
        )
        outcome = Outcome.UNKNOWN if told.edge_follows_later else told.outcome
        if action.kind == "deploy":
            self._deployed.append((subject, action.version))
            expected.deployed(action.version, outcome, told.at)
            if told.outcome is Outcome.DONE:
                subject.done.add(action.version)
        else:
            expected.rolled_back(outcome, told.at)
        return told

    def _moves(self, action: Action) -> bool:
        """Tell whether what an operation leads to has its sidecar elsewhere than what serves now."""
        subject, record = self._site.subjects[action.subject], self._site.record(action.subject)
        if record.active is None:
            return False
        if action.kind == "deploy":
            is_own = subject.has_own_sidecar and not action.is_aside
        elif record.trail:
            is_own = self._site.has_own_sidecar(action.subject, record.trail[-1])
        else:
            return False
        return is_own != self._site.has_own_sidecar(action.subject, record.active)

    async def _look(self, *, last: bool) -> None:
        """Come to rest and hold every invariant against the platform."""
        begun = self._journal.now()
        try:
            await until_at_rest(self._site, cold=last)
        except Restless as e:
            self._break("rest", str(e))
        self._journal.write("rest", f"after {self._journal.now() - begun:.1f} s")
        for name, subject in self._site.subjects.items():
            problem = subject.expectation.settle(self._site.state(name), self._journal.now())
            if problem:
                self._break("outcomes", f"{name}: {problem}")
        self._judge_answers()
        for invariant in INVARIANTS:
            for text in await self._violations(invariant):
                self._break(invariant.name, text)

    async def _violations(self, invariant: Invariant) -> list[str]:
        """Look again at what does not hold: a warm release that ends just now is on its way between two records."""
        found = await invariant.violations(self._site)
        for _ in range(LOOKS):
            if not found:
                break
            await asyncio.sleep(LOOK_AGAIN.total_seconds())
            again = await invariant.violations(self._site)
            found = [text for text in found if text in again]
        return found

    def _judge_answers(self) -> None:
        """Hold what clients saw against what might serve, and against what was killed."""
        for subject, version in self._deployed:
            # Not the releases: what served and was gone back from need not be kept.
            events = self._site.documents.history(ENVIRONMENT, subject.name)
            if all((e.event, e.version) != ("deploy done", version) for e in events):
                subject.expectation.never_served(version)
        self._deployed = []
        for name, traffic in self._site.traffic.items():
            seen = traffic.take()
            allows = self._site.subjects[name].expectation.allows
            wrong = [s for s in seen if s.version and not allows(s.version, s.sent, s.ended)]
            for one in wrong[:MOST_SHOWN]:
                text = (
                    f"{name}: {one.version} answered a request of {one.sent:.3f} to {one.ended:.3f}"
                )
                self._break("answers", text)
            failed = [s for s in seen if s.trouble]
            since = self._gentle_since
            unfair = [s for s in failed if since is not None and s.sent >= since]
            if name in self._moved:
                # The ways of a service move with its sidecar, and connections to its resources begin anew.
                unfair = [s for s in unfair if CONNECTION_ENDED not in s.trouble]
            if unfair:
                first = unfair[0]
                text = f"{name}: {len(unfair)} failed though only agent and commands were killed;"
                self._break("gentleness", f"{text} at {first.sent:.3f}: {first.trouble}")
            elif failed:
                words, often = Counter(cause(one.trouble) for one in failed).most_common(1)[0]
                text = f"{name}: {len(failed)} of {len(seen)} requests, {often} of them: {words}"
                self._journal.write("failed", text)
        self._gentle_since = None
        self._moved.clear()

    async def _until_all_is_answered(self) -> None:
        """Wait until the failures of what was killed before are over, so that those that come are none of them."""
        try:
            async with asyncio.timeout(LIMIT.total_seconds()):
                while any(t.good_in_a_row < ENOUGH for t in self._site.traffic.values()):  # noqa: ASYNC110
                    await asyncio.sleep(LOOK_AGAIN.total_seconds())
        except TimeoutError:
            self._break("rest", f"requests go on failing for {LIMIT} though all is said to be well")

    def _break(self, name: str, text: str) -> None:
        self.broken.append(f"{name}: {text}")
        self._journal.write("BROKEN", f"{name}: {text}")


def fighters(*, sidecars: bool = True) -> Fighters:
    """Return all victims as the schedule wants them.

    Args:
        sidecars: Whether there are sidecars that are processes.
    """
    victims = [v for v in VICTIMS.values() if sidecars or not v.is_of_sidecar]
    return Fighters(
        gentle={v.name: v.weight for v in victims if v.is_gentle},
        all={v.name: v.weight for v in victims},
    )


def _words(one: Round) -> str:
    parts = []
    for action in one.actions:
        strikes = "; ".join(strike.words() for strike in action.strikes) or "nothing is killed"
        parts.append(f"{action.kind} {action.subject} {action.version} ({strikes})")
    return ", ".join(parts) + ("" if one.rests else ", and no rest")


async def fight(terms: Terms, subjects: tuple[Subject, ...], journal: Journal) -> Verdict:
    """Run a drill on a platform of its own; the home stays when something is broken.

    Args:
        terms: What it is.
        subjects: The services; their folders hold what they are deployed from.
        journal: Where it is told.
    """
    journal.write("begin", terms.command())
    drystone = CommandLine(short_home("flt"), {"DRYSTONE_RUNTIME": terms.runtime})
    port = free_port()
    traffic = {s.name: Traffic(s, port=port, rate=terms.rate, clock=journal.now) for s in subjects}
    for subject in subjects:
        subject.has_own_sidecar = subject.name in terms.own
    site = Site(drystone, port, subjects, traffic)
    drill = Drill(terms, site, journal)
    is_whole = False
    try:
        async with _prepared(site, journal):
            await drill.run()
        is_whole = not drill.broken
    finally:
        left = await _end(site, keep=not is_whole)
    for text in left:
        drill.broken.append(f"after down: {text}")
        journal.write("BROKEN", f"after down: {text}")
    verdict = Verdict(
        broken=tuple(drill.broken),
        answered=sum(one.answered for one in traffic.values()),
        failed=sum(one.failed for one in traffic.values()),
        acknowledged=sum(len(subject.ledger.acknowledged) for subject in subjects),
        struck=site.struck,
        told=drill.told,
        causes=sum((one.causes for one in traffic.values()), Counter()),
        home=drystone.home if drystone.home.exists() else None,
    )
    journal.write("verdict", _verdict_words(verdict, terms, journal))
    return verdict


def _verdict_words(verdict: Verdict, terms: Terms, journal: Journal) -> str:
    counts = (
        f"{sum(verdict.struck.values())} killed; {verdict.answered} requests answered,"
        f" {verdict.failed} failed; {verdict.acknowledged} acknowledged keys"
    )
    tables = {"killed": verdict.struck, "told": verdict.told, "failed": verdict.causes}
    lines = [
        f"{'BROKEN' if verdict.broken else 'all holds'}: {counts}",
        *(f"{name}: {_ranked(table)}" for name, table in tables.items()),
        *verdict.broken,
    ]
    if not verdict.broken:
        return "\n".join(lines)
    lines.append(f"seed {terms.seed}; again: {terms.command()}")
    lines.append(f"the journal is {journal.path}, the home {verdict.home}")
    return "\n".join(lines)


def _ranked(table: Mapping[str, int]) -> str:
    return ", ".join(f"{often} {what}" for what, often in Counter(table).most_common()) or "none"


@asynccontextmanager
async def _prepared(site: Site, journal: Journal) -> AsyncIterator[None]:
    """Start the platform, deploy every subject once in peace, and let requests come until the block is left."""
    await site.drystone.must("up", "--detach", "--port", str(site.port))
    for name, subject in site.subjects.items():
        descriptor = subject.write(keep_warm=timedelta(0))
        where = ("--env", ENVIRONMENT, "--version", "v0")
        await site.drystone.must("deploy", descriptor, *where)
        subject.expectation.begin("v0", journal.now())
        journal.write("deploy", f"{name} v0 in peace")
    async with AsyncExitStack() as stack:
        for traffic in site.traffic.values():
            await stack.enter_async_context(traffic.flowing())
        yield


async def _end(site: Site, *, keep: bool) -> list[str]:
    """Stop the platform and remove its home, unless it is kept; return what is left behind."""
    home = site.home.path
    try:
        await stop(site.drystone)
        left = remains(home)
    finally:
        if processes_of(home):
            kill_what_remains(home)
    if not left and not keep:
        await asyncio.to_thread(shutil.rmtree, home)
    return left
