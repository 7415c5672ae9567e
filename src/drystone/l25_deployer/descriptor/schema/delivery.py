"""Blocks that say how a release comes to its users and how well it must work: deploy, objectives, logs."""

# ruff: noqa: RUF012  (a Struct copies its empty mappings; the tables are constants)

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from typing import Annotated, ClassVar, Literal

from typing_extensions import override

from drystone.l25_deployer.descriptor.block import Block, Rule
from drystone.l25_deployer.descriptor.quantities import Duration, Factor, Percent, Positive
from drystone.l25_deployer.descriptor.references import Working
from drystone.l25_deployer.descriptor.words import Name, Request, Window, Words


class Owner(Block, frozen=True, kw_only=True):
    """Who looks after the service."""

    SHORT: ClassVar[tuple[str, ...]] = ("team",)
    ALSO_CALLED: ClassVar[dict[str, str]] = {
        "name": "team",
        "email": "contact",
        "slack": "chat",
        "pager": "oncall",
    }

    team: Annotated[Words, "the team"]
    contact: Annotated[Words | None, "how to reach it"] = None
    oncall: Annotated[Words | None, "rota that is woken up"] = None
    chat: Annotated[Words | None, "channel"] = None
    cost_centre: Annotated[Words | None, "who pays"] = None
    business_unit: Annotated[Words | None, "what it belongs to"] = None


class Slo(Block, frozen=True, kw_only=True):
    """What users may rely on."""

    availability: Annotated[Percent | None, "share of requests that succeed"] = None
    latency: Annotated[
        dict[Literal["p50", "p90", "p95", "p99", "p999"], Duration], "time of answers"
    ] = {}
    window: Annotated[Duration, "time over which it is counted"] = timedelta(days=30)


class Logs(Block, frozen=True, kw_only=True):
    """What happens to what instances write."""

    format: Annotated[Literal["json", "text"], "how lines are read"] = "json"
    keep: Annotated[Duration, "how long"] = timedelta(days=30)
    level: Annotated[
        Literal["debug", "info", "warning", "error"] | None, "least level that is kept"
    ] = None


class Watch(Block, frozen=True, kw_only=True):
    """What decides whether a progressive deploy goes on."""

    metrics: Annotated[
        tuple[Literal["errors", "slow", "restarts", "log-errors", "dependency-errors"], ...],
        "what is compared with the old release",
    ] = ("errors", "slow", "restarts", "log-errors")
    false_alarm: Annotated[Percent, "probability of a false alarm during the whole deploy"] = 0.01
    tolerate: Annotated[Factor, "how much worse is still good"] = 1.0
    by: Annotated[
        Literal["request", "user", "tenant", "visitor"] | None,
        "what is counted once, with its first error; as cohort says when left out",
    ] = None
    on_alarm: Annotated[Literal["rollback", "pause"], "what an alarm does"] = "rollback"
    quiet: Annotated[Literal["promote", "hold"], "what happens without traffic"] = "promote"


class Deploy(Block, frozen=True, kw_only=True):
    """How a new release replaces the old one."""

    ALSO_CALLED: ClassVar[dict[str, str]] = {
        "type": "strategy",
        "migration": "migrate",
        "migrations": "migrate",
        "test": "smoke",
        "canary": "steps",
    }

    strategy: Annotated[
        Literal["blue-green", "progressive", "cutover"],
        "blue-green: both run, then all traffic moves; progressive: traffic moves in steps; "
        "cutover: the old one stops first",
    ] = "blue-green"
    steps: Annotated[tuple[Percent, ...], "shares of the traffic, rising"] = (0.01, 0.1, 0.5, 1.0)
    hold: Annotated[Duration, "time between two steps"] = timedelta(minutes=5)
    watch: Annotated[Watch, "what decides whether it goes on"] = Watch()
    migrate: Annotated[
        tuple[Working, ...] | None, "command that runs once, before the first instance"
    ] = None
    smoke: Annotated[tuple[Request, ...], "requests that the new release must answer well"] = ()
    after: Annotated[Name | None, "environment in which the same version must run first"] = None
    soak: Annotated[Duration | None, "for how long it must have run there"] = None
    windows: Annotated[tuple[Window, ...], "when deploys are allowed; always when empty"] = ()
    approve: Annotated[tuple[Words, ...], "who must agree"] = ()
    keep_warm: Annotated[Duration, "how long the old release keeps running"] = timedelta(minutes=30)
    keep: Annotated[Positive, "how many releases can be gone back to"] = 5
    cohort: Annotated[
        Literal["request", "user", "tenant", "visitor"], "what stays together on one release"
    ] = "request"
    regions: Annotated[Literal["one-by-one", "all"], "order of regions"] = "one-by-one"

    @override
    def mistakes(self) -> Iterator[Rule]:
        if list(self.steps) != sorted(set(self.steps)) or not self.steps:
            yield Rule("steps", "the steps must rise", "write for example [1%, 10%, 50%, 100%]")
        elif self.steps[-1] != 1.0:
            yield Rule("steps", "the last step must be 100%", "add 100%")
        if self.migrate is not None and not self.migrate:
            yield Rule(
                "migrate",
                "the command is empty",
                "write it as a list: [python, -m, orders.migrate]",
            )
