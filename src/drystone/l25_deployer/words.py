"""What callers give to the deployer, and what it tells them."""

from __future__ import annotations

from datetime import date, datetime
from typing import Literal

import msgspec

from drystone.l00_kernel.settings_tables import AtRest
from drystone.l25_deployer.absence_words import AbsenceView
from drystone.l25_deployer.cost_words import CostView
from drystone.l25_deployer.held_words import CanaryView
from drystone.l25_deployer.scaling_words import ScalingView


class Source(msgspec.Struct, frozen=True):
    """A descriptor as its author has it.

    Attributes:
        text: The YAML text.
        file: What to call the file in messages.
        folder: Absolute path of the folder that holds it; paths of the descriptor start there.
        type: Which part of its ``environments`` holds, where that is not the one with the environment's name.
        region: The region whose part holds as well; empty where there is none.
    """

    text: str
    file: str
    folder: str
    type: str = ""
    region: str = ""


class PathStep(msgspec.Struct, frozen=True):
    """One dependency on the path that proves a finding.

    Attributes:
        source: Who needs, such as ``dev/shop``.
        target: What is needed; the next step's source.
        strength: ``hard``, ``soft`` or ``unknown``.
        at: When: ``build``, ``deploy``, ``start``, ``run``, ``recovery``.
    """

    source: str
    target: str
    strength: str
    at: tuple[str, ...]


class AcceptedRisk(msgspec.Struct, frozen=True):
    """Somebody takes what is wrong with a dependency, for a time.

    Attributes:
        by: Who.
        reason: Why.
        until: The last day of it.
        days_left: From today to that day; 0 on the last.
    """

    by: str
    reason: str
    until: date
    days_left: int


class DependencyFinding(msgspec.Struct, frozen=True, omit_defaults=True):
    """What a descriptor does to the dependencies that would not be there without it.

    Attributes:
        rule: ``deadlock``, ``co-start``, ``soft-tangle``, ``layer``, ``same-layer``, ``tier``, ``resilience``, ``region``,
            ``plane``, ``slo``, ``accepted`` (an acceptance is over) or ``missing`` (what is needed is not deployed).
        severity: ``error``, ``warning`` or ``note``; what is accepted is a note.
        refuses: Whether it refuses the deploy.
        subject: The service whose owner has to act.
        sentence: What is wrong.
        path: The dependencies that prove it, in order.
        advice: What to do; nothing has to be done when empty.
        accepted: Who has accepted it.
        file: The descriptor that causes it, where that is known.
        line: Line of it, from 1.
        column: Column of it, from 1.
    """

    rule: str
    severity: Literal["error", "warning", "note"]
    refuses: bool
    subject: str
    sentence: str
    path: tuple[PathStep, ...]
    advice: str
    accepted: AcceptedRisk | None = None
    file: str | None = None
    line: int | None = None
    column: int | None = None


class Progress(msgspec.Struct, frozen=True, omit_defaults=True):
    """One thing that happened during an operation.

    Attributes:
        at: When.
        step: The step's name, stable for machines: ``wait``, ``check``, ``plan``, ``resources``, ``build``,
            ``migrate``, ``start``, ``health``, ``warm-up``, ``smoke``, ``hold``, ``switch``, ``drain``, ``stop``, ``done``.
        state: Whether the step began, ended or failed, or a line of information.
        text: The same for people.
        seconds: How long the step took, once it ended.
        release: Number of the release concerned.
        url: Where the service answers, with the last progress of a deploy.
        findings: What the dependency check found, when the step ``check`` has ended or failed.
    """

    at: datetime
    step: str
    state: Literal["began", "ended", "failed", "info"]
    text: str
    seconds: float | None = None
    release: int | None = None
    url: str | None = None
    findings: tuple[DependencyFinding, ...] = ()


class PlanChange(msgspec.Struct, frozen=True, omit_defaults=True):
    """One field that a deploy would change.

    Attributes:
        stack: Which of the five stacks.
        path: The field in the stack.
        action: What happens to it.
        old: Its value now, as text.
        new: Its value afterwards, as text.
        line: Line of the descriptor that causes it.
        consequence: What it means for the running service.
    """

    stack: str
    path: str
    action: Literal["add", "change", "remove"]
    old: str | None = None
    new: str | None = None
    line: int | None = None
    consequence: str = ""


class PlanView(msgspec.Struct, frozen=True):
    """What a deploy would do; making it changes nothing.

    Attributes:
        service: Its name.
        environment: Where.
        file: The descriptor's file.
        changes: Field by field.
        refused: Reasons why the deploy would be refused as it stands.
        confirm: Names of resources that must be typed because their data would be deleted.
        not_yet: What is accepted but not acted on yet, each with its line.
        notes: Findings of the dependency check and other remarks.
        runtime: What would isolate the instances, in words.
        exposed: What would not be isolated at all, and how it could be.
        findings: What the dependency check found; ``refused`` and ``notes`` say the same in words.
        cost: What a month would cost; None where nobody knows prices.
        at_rest: How what is stored lies on the disk, as the owner of the platform says.
    """

    service: str
    environment: str
    file: str
    changes: list[PlanChange]
    refused: list[str]
    confirm: list[str]
    not_yet: list[str]
    notes: list[str]
    runtime: str
    exposed: list[str] = []
    findings: tuple[DependencyFinding, ...] = ()
    at_rest: AtRest = "unknown"
    cost: CostView | None = None


class InstanceView(msgspec.Struct, frozen=True):
    """One running copy of one group of a release.

    Attributes:
        id: Its name.
        group: ``web`` or the worker's name.
        release: Number of its release.
        state: What the agent knows: starting, healthy, unhealthy, backing-off or stopped.
        pid: Process id on this machine, if it runs.
        port: Its loopback port, if it serves.
        restarts: How often it was restarted after ending by itself.
        since: Start of the running process.
        last_exit: How it last ended, in words.
    """

    id: str
    group: str
    release: int
    state: str
    pid: int | None
    port: int | None
    restarts: int
    since: datetime | None
    last_exit: str | None


class ReleaseView(msgspec.Struct, frozen=True):
    """One version of the service in this environment.

    Attributes:
        artifact: Digest of what it runs.
        key: Of the deploy that brought it; empty where that had none.
    """

    number: int
    version: str
    state: str
    created: datetime
    by: str
    artifact: str
    key: str = ""


class ResourceView(msgspec.Struct, frozen=True):
    """One thing provisioned for the service; never its credentials."""

    name: str
    type: str
    engine: str
    detail: str


class ServiceSummary(msgspec.Struct, frozen=True):
    """One line of ``drystone services``.

    Attributes:
        state: ``serving``, ``degraded`` (some instance is not healthy), ``down``, ``deploying`` or ``stopped``;
            derived from what the edge serves, not from what was intended.
        held: The share of the requests, 0 to 1, of the release that is tried beside the one that serves; None where none is.
        ways: Addresses of its own at which it answers, too.
    """

    service: str
    environment: str
    owner: str
    state: str
    version: str | None
    release: int | None
    instances: str
    url: str | None
    held: float | None = None
    ways: list[str] = []


class ServiceView(msgspec.Struct, frozen=True):
    """All that ``drystone show`` tells."""

    summary: ServiceSummary
    releases: list[ReleaseView]
    instances: list[InstanceView]
    resources: list[ResourceView]
    dependencies: list[str]
    operation: str | None
    runtime: str
    problems: list[str]
    sidecar: Literal["node", "instance"] = "node"
    """Where its sidecar runs: in the proxy of the host, or in a process that it has alone."""
    canary: CanaryView | None = None
    """What is tried beside the release that serves."""
    scaling: list[ScalingView] = []
    """Of the groups whose number is not always the same."""


class HistoryEvent(msgspec.Struct, frozen=True, omit_defaults=True):
    """One line of the append-only history of a service."""

    at: datetime
    by: str
    event: str
    text: str
    release: int | None = None
    version: str | None = None
    seconds: float | None = None


class LogRecord(msgspec.Struct, frozen=True, omit_defaults=True):
    """One line that an instance wrote; control characters are made visible."""

    instance: str
    release: int
    text: str


class ExecOutput(msgspec.Struct, frozen=True, omit_defaults=True):
    """A piece of a one-off command's output, or, last, how it ended."""

    text: str = ""
    exit_code: int | None = None


class EngineView(msgspec.Struct, frozen=True):
    """One engine of the platform."""

    name: str
    state: str
    version: str
    pid: int | None
    address: str
    memory_mb: int | None
    restarts: int
    problem: str | None


class StartupStep(msgspec.Struct, frozen=True, omit_defaults=True):
    """One part of the platform coming up, in the recovery order.

    Attributes:
        layer: Its height in the cake.
        name: The part or the service.
        state: Where it stands.
        seconds: How long it took, once ready.
        text: A remark, for example why it failed.
        at: When it came to stand there.
    """

    layer: int
    name: str
    state: Literal["starting", "ready", "adopted", "failed", "skipped"]
    seconds: float | None = None
    text: str = ""
    at: datetime | None = None


class PlatformStatus(msgspec.Struct, frozen=True):
    """The platform on this machine, as it is now.

    Attributes:
        away: For how long nobody looked after it before this agent came; None when it was stopped before.
        exposed: What is not isolated at all on this machine, and how it could be.
        bounded: What the machine holds below what the platform could, and how it could be more.
    """

    version: str
    home: str
    url: str
    agent_pid: int
    since: datetime
    ready: bool
    runtime: str
    isolation: list[str]
    engines: list[EngineView]
    startup: list[StartupStep]
    services: list[ServiceSummary]
    problems: list[str]
    away: AbsenceView | None = None
    exposed: list[str] = []
    bounded: list[str] = []


class CameUp(msgspec.Struct, frozen=True):
    """When something came up in the last start.

    Attributes:
        at: When it was up.
        seconds: How long it took.
    """

    at: datetime
    seconds: float


class DependencyModel(msgspec.Struct, frozen=True):
    """The live platform as a dependency model, its own services included.

    A deployed service is called ``environment/service``, a part of the platform ``platform/name``. What the platform adds by
    itself is there too: what carries a service, and the engines that hold its data.

    Attributes:
        survey: The model as the YAML text of a survey.
        order: The waves in which a start brings up everything that is deployed now, by the names of the model: the first
            wave first.
        followed: The same of the last start, with what was deployed then.
        came_up: When each was up in the last start, and how long that took, in seconds.
    """

    survey: str
    order: list[list[str]]
    followed: list[list[str]] = []
    came_up: dict[str, CameUp] = {}
