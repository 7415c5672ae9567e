"""What the driver writes down about a service: documents of the home, no database.

``services/<environment>/<service>/``

* ``service.json`` — one :class:`ServiceRecord`: which release serves, what is in progress, which data exists;
* ``releases/<number>.json`` — one :class:`ReleaseRecord` each: all that is needed to run it again, with no path that
  leads out of the home, so that the home may be moved;
* ``history.jsonl`` — every change, appended, never rewritten.

A deploy's point of no return is the replacement of ``service.json`` that names the new release as active; whoever
reads the documents after a crash sees either the old or the new world.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from pathlib import Path
from typing import Literal

import msgspec

from drystone.l00_kernel.clock import Clock
from drystone.l10_engines.processes.identity import boot_id
from drystone.l10_engines.proxy.edge import Cohort
from drystone.l25_deployer.stacks.model import Resource, Stacks

ReleaseState = Literal["preparing", "active", "canary", "warm", "stopped", "failed", "withdrawn"]

MOST_ENDED = 50
"""How many operations that had a key are remembered for each service."""


class Operation(msgspec.Struct, frozen=True):
    """What is being done to a service now.

    Attributes:
        kind: The verb.
        release: The release that is to serve afterwards, if any.
        since: When it began.
        by: Who asked.
        fresh: Resources that did not exist before it; they go when it fails.
        unwanted: Resources that go with their data when it succeeds, as was confirmed.
        before: Resources that existed before it, with the settings that they get back when it fails.
        key: By which whoever asked knows it again.
        holds: Whether the release is to get no traffic yet.
        reason: Why a canary is withdrawn.
        asked: Key of another operation that ends with this one.
        keeps_last: Whether a last backup is made of the data that goes.
    """

    kind: Literal["deploy", "rollback", "destroy", "settle", "withdraw"]
    release: int | None
    since: datetime
    by: str
    fresh: tuple[str, ...] = ()
    unwanted: tuple[str, ...] = ()
    before: dict[str, Resource] = {}
    key: str | None = None
    holds: bool = False
    reason: str = ""
    asked: str | None = None
    keeps_last: bool = True


class Canary(msgspec.Struct, frozen=True):
    """A release that runs beside the one that serves, until it is settled or withdrawn.

    Attributes:
        release: Its number.
        key: Of the deploy that brought it up.
        since: When it was up.
        share: Of the requests that it gets, 0 to 1.
        cohort: What stays on one release.
        header: In which a request chooses ``canary`` or ``stable``; none can when None.
        by: Who is told apart when errors are counted.
        fresh: See :class:`Operation`; these hold for the deploy that has not ended.
        unwanted: See there.
        before: See there.
    """

    release: int
    key: str
    since: datetime
    share: float = 0.0
    cohort: Cohort = "request"
    header: str | None = None
    fresh: tuple[str, ...] = ()
    unwanted: tuple[str, ...] = ()
    before: dict[str, Resource] = {}
    by: Cohort = "request"


class Ended(msgspec.Struct, frozen=True):
    """How an operation ended that had a key.

    Attributes:
        key: Of the operation.
        release: The release that it was about.
        state: What became of that.
        detail: Why; empty where it serves.
    """

    key: str
    release: int
    state: Literal["serving", "failed", "withdrawn"]
    detail: str = ""


class Warmth(msgspec.Struct, frozen=True):
    """How long a release is kept warm.

    What counts is the time that passes, not what the clock says: somebody may set the clock. A restart of the machine
    ends all warmth, since nothing runs any more.

    Attributes:
        until: When it ends by the clock of the day on which it began; for people.
        ends: Seconds of the monotonic clock of the boot at which it ends; None in a record of an older platform.
        boot: That boot.
    """

    until: datetime
    ends: float | None = None
    boot: str = ""

    @classmethod
    def lasting(cls, duration: timedelta, clock: Clock) -> Warmth:
        """Return a warmth that begins now."""
        ends = clock.monotonic() + duration
        return cls(clock.now() + duration, ends.total_seconds(), boot_id())

    def left(self, clock: Clock) -> timedelta:
        """Return how long it still lasts; zero or less when it is over."""
        if self.ends is None or self.boot != boot_id():
            return self.until - clock.now()
        return timedelta(seconds=self.ends) - clock.monotonic()


class Rotation(msgspec.Struct, frozen=True):
    """The replacement of credentials, until the former ones open nothing any more.

    Attributes:
        names: Resources whose credentials are replaced.
        since: When it began.
        by: Who asked.
        phase: ``making``: the new ones are made up; ``replacing``: both open the resources, and instances get the new ones;
            ``ending``: every instance has the new ones; ``withdrawing``: none has, and the new ones go again.
        trouble: Why it does not go on; empty while it does.
    """

    names: tuple[str, ...]
    since: datetime
    by: str
    phase: Literal["making", "replacing", "ending", "withdrawing"] = "making"
    trouble: str = ""


class ServiceRecord(msgspec.Struct, frozen=True):
    """The state of one service in one environment.

    Attributes:
        service: Its name.
        environment: Where.
        active: Number of the release that takes the traffic.
        trail: Releases that served before, oldest first: where a rollback leads.
        warm: Releases that still run without traffic, and how long they shall.
        next_release: Number of the next release.
        eternal: Resources that exist, by name, with the settings last applied.
        operation: What is in progress.
        is_apart: Whether its instances have a network of their own.
        canary: What is tried beside the release that takes the traffic.
        ended: Operations that had keys, the latest last.
        fixed: How many instances somebody wants, by group, until the next release; no load changes these.
        rotation: Credentials that are being replaced.
        rotated: When credentials were made or replaced, by resource.
    """

    service: str
    environment: str
    active: int | None = None
    trail: tuple[int, ...] = ()
    warm: dict[int, Warmth] = {}
    next_release: int = 1
    eternal: dict[str, Resource] = {}
    operation: Operation | None = None
    is_apart: bool = False
    canary: Canary | None = None
    ended: tuple[Ended, ...] = ()
    fixed: dict[str, int] = {}
    rotation: Rotation | None = None
    rotated: dict[str, datetime] = {}

    def with_end(
        self, state: Literal["serving", "failed", "withdrawn"], detail: str = ""
    ) -> tuple[Ended, ...]:
        """Return the operations that have ended, with the one in progress among them if it has a key."""
        operation = self.operation
        if operation is None:
            return self.ended
        new = []
        if operation.key is not None and operation.release is not None:
            new.append(Ended(operation.key, operation.release, state, detail))
        if operation.asked is not None and self.active is not None:
            new.append(Ended(operation.asked, self.active, "serving"))
        keys = {one.key for one in new}
        others = [one for one in self.ended if one.key not in keys]
        return (*others, *new)[-MOST_ENDED:]

    @property
    def key(self) -> tuple[str, str]:
        """Environment and service."""
        return (self.environment, self.service)


class InstanceRecord(msgspec.Struct, frozen=True):
    """One copy of one group of a release, as it is to run.

    Attributes:
        id: Unique in the home; names its folder under ``instances``.
        group: ``web`` or the worker's name.
        port: The loopback port it was given, if the group serves.
    """

    id: str
    group: str
    port: int | None


class ReleaseRecord(msgspec.Struct, frozen=True):
    """One version of a service: code, configuration and resources' settings together.

    Attributes:
        number: Counts up per service and environment.
        version: What its author calls it.
        created: When the deploy began.
        by: Who deployed it.
        descriptor: The text it was made from.
        file: What the author calls the file.
        stacks: What the text compiled to.
        artifact: Digest of the built folder or pinned image; empty before it is built.
        source: Folder of the built artefact; absolute here, relative to the home on the disk.
        runtime: Virtual environment of the built artefact; likewise.
        image: Pinned image.
        isolation: Name of the runtime that runs it.
        instances: What runs, or ran.
        state: Where it stands.
        failure: Why it failed, or was withdrawn.
        key: Of the deploy that made it, if that had one.
        gone: Ids of instances that it had before; their logs can still be read.
        slot: Which of its service's addresses for a dependency it calls: one that is tried has another than the one that serves.
    """

    number: int
    version: str
    created: datetime
    by: str
    descriptor: str
    file: str
    stacks: Stacks
    isolation: str
    artifact: str = ""
    source: str | None = None
    runtime: str | None = None
    image: str | None = None
    instances: tuple[InstanceRecord, ...] = ()
    state: ReleaseState = "preparing"
    failure: str | None = None
    key: str | None = None
    gone: tuple[str, ...] = ()
    slot: int = 0

    def artifact_folders(self) -> frozenset[str]:
        """Return the names of the stored folders that it needs."""
        return frozenset(Path(path).parent.name for path in (self.source, self.runtime) if path)
