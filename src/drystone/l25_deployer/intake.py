"""From a descriptor's text to what a deploy would do with it."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from drystone.l00_kernel.errors import Invalid
from drystone.l25_deployer.api import PlanChange, PlanView, Source
from drystone.l25_deployer.dependencies.model import PLATFORM
from drystone.l25_deployer.dependencies.placing import placed
from drystone.l25_deployer.descriptor import Merged, read, resolve
from drystone.l25_deployer.errors import DescriptorRefused, PlanRefused
from drystone.l25_deployer.estimates import Estimates, NoEstimates
from drystone.l25_deployer.exposure import of_service
from drystone.l25_deployer.local.quotas import Quotas
from drystone.l25_deployer.local.records import ReleaseRecord
from drystone.l25_deployer.local.ways_in import Ways
from drystone.l25_deployer.stacks.acted_on import not_acted_on
from drystone.l25_deployer.stacks.compile import compile_stacks
from drystone.l25_deployer.stacks.model import ImageArtifact, Stacks, StaticArtifact
from drystone.l25_deployer.stacks.origins import trace
from drystone.l25_deployer.stacks.plan import plan
from drystone.l25_deployer.stacks.show import value_text
from drystone.l25_deployer.stacks.sizes import ServiceSize, size_of

if TYPE_CHECKING:
    from collections.abc import Mapping

    from drystone.l00_kernel.clock import Clock
    from drystone.l00_kernel.settings_tables import AtRest
    from drystone.l10_engines.runtimes.port import Runtime
    from drystone.l25_deployer.local.kept_service import KeptService
    from drystone.l25_deployer.local.live_dependencies import LiveDependencies


class Wanted(msgspec.Struct, frozen=True):
    """A descriptor that was read, merged for its environment and compiled."""

    service: str
    merged: Merged
    stacks: Stacks
    folder: Path

    @property
    def key(self) -> tuple[str, str]:
        """Environment and service."""
        return (self.merged.environment, self.service)


class Intake:
    """Reads descriptors and plans what to do with them.

    Args:
        runtime: Name of the runtime for processes.
        runtimes: Those that work here, by name.
        clock: The time.
        builds_isolated: Whether builds run in a sandbox.
        at_rest: How what is stored lies on the disk, as the owner says.
        estimates: Puts a price on what a plan would deploy.
        ways: Who has which way in.
        quotas: What services may claim together.
    """

    def __init__(
        self,
        *,
        estimates: Estimates | None = None,
        runtime: str,
        runtimes: Mapping[str, Runtime],
        clock: Clock,
        builds_isolated: bool,
        at_rest: AtRest = "unknown",
        ways: Ways | None = None,
        quotas: Quotas | None = None,
    ) -> None:
        self.runtime = runtime
        self._runtimes = runtimes
        self._clock = clock
        self._builds_isolated = builds_isolated
        self._at_rest: AtRest = at_rest
        self._ways = Ways() if ways is None else ways
        self._quotas = Quotas() if quotas is None else quotas
        self._estimates = NoEstimates() if estimates is None else estimates

    def take(self, source: Source, environment: str, version: str) -> Wanted:
        """Read a descriptor.

        Raises:
            DescriptorRefused: It has mistakes; the message shows all of them.
            Invalid: The environment or the version has no proper name.
        """
        if environment == PLATFORM:
            raise Invalid(
                f"'{PLATFORM}' is where the platform's own services stand; choose another environment"
            )
        folder = Path(source.folder)
        if not folder.is_absolute():
            raise DescriptorRefused(
                f"the descriptor's folder must be an absolute path, not {folder}"
            )
        reading = read(source.text, file=source.file)
        merged = resolve(reading, environment, source.region or None, type_=source.type or None)
        stacks = compile_stacks(merged, version=version)
        return Wanted(merged.descriptor.service, merged, stacks, folder)

    def called(self, wanted: Wanted, version: str) -> Wanted:
        """Give a descriptor that was read another version.

        Raises:
            Invalid: The version has no proper name.
        """
        return msgspec.structs.replace(
            wanted, stacks=compile_stacks(wanted.merged, version=version)
        )

    def show(
        self,
        wanted: Wanted,
        kept: KeptService | None,
        dependencies: LiveDependencies,
        confirm: frozenset[str] = frozenset(),
    ) -> PlanView:
        """Tell what a deploy would change.

        Args:
            wanted: What is to be deployed.
            kept: What is deployed.
            dependencies: All that is deployed, for the check of dependencies.
            confirm: Names of resources whose data may be deleted.
        """
        found = dependencies.check(wanted.stacks)
        written = {found.subject: wanted.merged.positions}
        made = plan(
            kept.deployed() if kept else None,
            wanted.stacks,
            trace(wanted.stacks, wanted.merged),
            confirm=confirm,
            not_acted_on=not_acted_on(wanted.merged),
            findings=[*found.notes, *found.stands()],
        )
        return PlanView(
            service=made.service,
            environment=made.environment,
            file=wanted.merged.positions.file,
            changes=[
                PlanChange(
                    stack=change.stack,
                    path=change.field,
                    action=change.action,
                    old=value_text(change, change.old),
                    new=value_text(change, change.new),
                    line=change.origin.line if change.origin else None,
                    consequence=change.consequence,
                )
                for change in made.changes
            ],
            refused=[
                *made.refused,
                *found.refused,
                *_changed_types(wanted, kept),
                *self._ways.refusals(
                    f"{made.service}.{made.environment}", wanted.stacks.eternal.resources
                ),
                *self._quotas.refusals(kept, wanted.stacks, confirm),
            ],
            confirm=list(made.confirm),
            not_yet=[f"line {n.line}: {n.path}: {n.sentence}" for n in made.accepted_not_acted_on],
            notes=[*made.findings, *_kept_data(wanted, kept)],
            runtime=self._isolation(wanted.stacks),
            exposed=of_service(
                wanted.stacks.resources.artifact,
                self.runtime_for(wanted.stacks),
                builds_isolated=self._builds_isolated,
            ),
            findings=tuple(placed(one, written) for one in found.findings),
            at_rest=self._at_rest,
            cost=self._estimates.month(_size_now(kept), size_of(wanted.stacks)),
        )

    def release(
        self, wanted: Wanted, source: Source, number: int, by: str, key: str | None = None
    ) -> ReleaseRecord:
        """Make the record of a new release."""
        return ReleaseRecord(
            number=number,
            version=wanted.stacks.resources.version,
            created=self._clock.now(),
            by=by,
            descriptor=source.text,
            file=source.file,
            stacks=wanted.stacks,
            isolation=self.runtime_for(wanted.stacks),
            key=key,
        )

    def runtime_for(self, stacks: Stacks) -> str:
        """Name the runtime that a release runs in.

        Images need podman. Static files are served by the platform's own code, which needs no sandbox.
        """
        match stacks.resources.artifact:
            case ImageArtifact():
                return "podman"
            case StaticArtifact():
                return "processes"
            case _:
                return self.runtime

    def _isolation(self, stacks: Stacks) -> str:
        name = self.runtime_for(stacks)
        runtime = self._runtimes.get(name)
        return (
            f"{name}: {runtime.isolation().sentence()}"
            if runtime
            else f"{name}: does not work here"
        )


def require_allowed(plan: PlanView) -> None:
    """Stop a deploy whose plan must not be carried out.

    Raises:
        PlanRefused: It breaks a rule, or deletes data that was not named.
    """
    if plan.confirm:
        words = " ".join(f"--delete-data {name}" for name in plan.confirm)
        raise PlanRefused(
            f"this would delete the data of {', '.join(plan.confirm)}; if you mean it, add {words}"
        )
    if plan.refused:
        raise PlanRefused("\n".join(plan.refused))


def _changed_types(wanted: Wanted, kept: KeptService | None) -> list[str]:
    existing = kept.record.eternal if kept else {}
    return [
        f"resource '{name}' is a {_type(existing[name])} and cannot become a {_type(resource)};"
        " give the new one another name"
        for name, resource in wanted.stacks.eternal.resources.items()
        if name in existing and type(existing[name]) is not type(resource)
    ]


def _kept_data(wanted: Wanted, kept: KeptService | None) -> list[str]:
    if kept is None or kept.record.active is not None:
        return []
    return [
        f"resource '{name}' and its data are there from an earlier time"
        for name in kept.record.eternal
    ]


def _size_now(kept: KeptService | None) -> ServiceSize | None:
    deployed = kept.deployed() if kept is not None else None
    return size_of(deployed) if deployed is not None else None


def _type(resource: object) -> str:
    return type(resource).__name__.lower()
