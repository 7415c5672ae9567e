"""Turn a run into what the runtimes start: pure, given the values."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from drystone.l10_engines.runtimes.port import InstanceSpec, Limits
from drystone.l25_deployer.local.blueprints import instance_id, one_off

if TYPE_CHECKING:
    from drystone.l25_deployer.jobs.domain import Attempt, Run
    from drystone.l25_deployer.local.blueprints import Surroundings
    from drystone.l25_deployer.local.records import ReleaseRecord, ServiceRecord


def attempt_id(record: ServiceRecord, release: int, run: Run) -> str:
    """Name the instance of the next attempt of a run; none before had this name."""
    return instance_id(record, release, run.job, f"{run.id}-{len(run.attempts) + 1}")


def describe(
    record: ServiceRecord, release: ReleaseRecord, around: Surroundings, run: Run, attempt: Attempt
) -> InstanceSpec:
    """Describe an attempt of a run.

    Args:
        record: The service.
        release: The release that serves.
        around: What its instances share.
        run: The run.
        attempt: The attempt, of the run or about to be.

    Raises:
        ValueUnknown: A reference of the descriptor has no value.
    """
    command = tuple((word,) for word in run.command)
    spec = one_off(record, release, around, command, run.id)
    number = len(run.attempts) + (attempt not in run.attempts)
    own = {
        "AWS_BATCH_JOB_ID": run.id,
        "AWS_BATCH_JOB_ATTEMPT": str(number),
        "AWS_BATCH_JQ_NAME": run.job,
    }
    return msgspec.structs.replace(
        spec,
        id=attempt.instance,
        state=around.instances / attempt.instance,
        environment={**spec.environment, **run.variables, **own},
        limits=Limits(memory=run.limits.memory, cpu=run.limits.cpu),
    )
