"""What a descriptor says of its own release in one environment: how it is brought there, and what it waits for. Pure."""

from __future__ import annotations

import hashlib
from datetime import timedelta
from typing import Any, Literal

import msgspec

from drystone.l25_deployer.descriptor import read, resolve
from drystone.l25_deployer.descriptor.reading import Merged, Reading
from drystone.l25_deployer.descriptor.schema.delivery import Deploy
from drystone.l25_deployer.errors import DescriptorRefused
from drystone.l25_deployer.stacks.compile import compile_stacks
from drystone.l50_orchestrator.ports import Declared, Environment
from drystone.l50_orchestrator.releases import windows
from drystone.l50_orchestrator.releases.declaring import declared_in
from drystone.l50_orchestrator.releases.errors import RequestUnfit
from drystone.l50_orchestrator.rollout.plan import WEIGHTS, Cohort, Plan, Step, Watch, checked

HEADER = "x-drystone-release"
"""The request header by which somebody chooses a side of a rollout: ``canary`` or ``stable``."""


class Terms(msgspec.Struct, frozen=True, kw_only=True):
    """How a release comes to its users, and what it waits for.

    Attributes:
        service: Its name.
        team: Who owns it.
        tier: 0 to 4.
        description: In a sentence.
        rollout: How traffic moves step by step; None where it moves at once.
        after: Where the same must run first; empty where nowhere.
        soak: For how long; None where it only must have come there.
        windows: When it may be brought up; always where there are none.
        approve: People and teams who must agree, each.
        keep: How many releases are kept to go back to; None where the environment says.
        regions: Whether regions of one type follow one another.
        goes_on: Whether the descriptor may ask for a promotion by itself, in whatever environment.
        can_be_held: Whether it can run beside the one that serves; a cutover cannot.
        declared: What the descriptor says that stands in no stack.
        stacks: The five compiled stacks, as JSON objects.
    """

    service: str
    team: str
    tier: int | None
    description: str
    rollout: Plan | None
    after: str
    soak: timedelta | None
    windows: tuple[windows.Window, ...]
    approve: tuple[str, ...]
    keep: int | None
    stacks: dict[str, Any]
    regions: Literal["one-by-one", "all"] = "one-by-one"
    goes_on: bool = False
    can_be_held: bool = True
    declared: Declared = Declared()


def digest_of(text: str) -> str:
    """Return the digest under which a descriptor is kept."""
    return f"sha256:{hashlib.sha256(text.encode()).hexdigest()}"


def reading_of(text: str, file: str) -> Reading:
    """Read a descriptor, for all environments at once.

    Raises:
        DescriptorRefused: It has mistakes; the message has all of them.
    """
    reading = read(text, file=file)
    if reading.descriptor is None:
        raise DescriptorRefused(reading.report())
    return reading


def service_named(reading: Reading) -> str:
    """Return whose descriptor was read."""
    assert reading.descriptor is not None  # noqa: S101 - whoever read it refused mistakes
    return reading.descriptor.service


def terms_of(text: str, *, file: str, environment: Environment, version: str) -> Terms:
    """Read a descriptor for an environment.

    Raises:
        DescriptorRefused: It has mistakes; the message has all of them.
        RequestUnfit: A window cannot be read.
        PlanUnfit: The rollout cannot be carried out so.
        Invalid: The version is none.
    """
    return terms_in(reading_of(text, file), environment=environment, version=version)


def regions_in(reading: Reading, environment: Environment) -> Literal["one-by-one", "all"]:
    """Return whether regions of one type follow one another.

    Raises:
        DescriptorRefused: It has mistakes; the message has all of them.
    """
    return _resolved(reading, environment).descriptor.deploy.regions


def terms_in(reading: Reading, *, environment: Environment, version: str) -> Terms:
    """Take what a descriptor says for an environment.

    Raises:
        DescriptorRefused: It has mistakes; the message has all of them.
        RequestUnfit: A window cannot be read.
        PlanUnfit: The rollout cannot be carried out so.
        Invalid: The version is none.
    """
    merged = _resolved(reading, environment)
    found, deploy = merged.descriptor, merged.descriptor.deploy
    stacks = compile_stacks(merged, version=version)
    built: dict[str, Any] = msgspec.to_builtins(stacks)
    built["environment"]["name"] = environment.name
    return Terms(
        service=found.service,
        team=stacks.environment.owner,
        tier=stacks.environment.tier,
        description=stacks.environment.description or "",
        rollout=_rollout(deploy, found.slo.availability)
        if deploy.strategy == "progressive"
        else None,
        after=deploy.after or environment.after,
        soak=deploy.soak,
        windows=tuple(windows.parse(text) for text in deploy.windows),
        approve=deploy.approve,
        keep=deploy.keep if merged.positions.of(("deploy", "keep")) else None,
        stacks=built,
        regions=deploy.regions,
        goes_on="soak" in reading.text,
        can_be_held=deploy.strategy != "cutover",
        declared=declared_in(merged),
    )


def kept_by(terms: Terms, environment: Environment) -> int:
    """Return how many releases can be gone back to: as the descriptor says, or else the environment."""
    return environment.keep if terms.keep is None else terms.keep


def _resolved(reading: Reading, environment: Environment) -> Merged:
    region = environment.region or None
    return resolve(reading, environment.name, region, type_=environment.type)


def _rollout(deploy: Deploy, available: float | None) -> Plan:
    said = deploy.watch
    weights: dict[str, float] = {metric: WEIGHTS[metric] for metric in said.metrics}
    if not weights:
        raise RequestUnfit("deploy.watch.metrics is empty: name at least errors")
    by: Cohort = said.by or deploy.cohort
    return checked(
        Plan(
            steps=tuple(Step(share, deploy.hold) for share in deploy.steps),
            cohort=deploy.cohort,
            header=HEADER,
            watch=Watch(
                weights=weights,
                false_alarm=said.false_alarm,
                tolerate=said.tolerate,
                by=by,
                on_alarm=said.on_alarm,
                quiet=said.quiet,
                budget=None if available is None else max(1e-9, 1 - available),
            ),
        )
    )
