"""Answers by the protocol of Batch (its API reference, version 2016-08-10): submit, look at and end runs of jobs."""

from __future__ import annotations

import json
from datetime import datetime
from typing import TYPE_CHECKING, Any

import msgspec

from drystone.l00_kernel.errors import PlatformError
from drystone.l10_engines.aws.access import REGION
from drystone.l10_engines.aws.handing_over import Answered, Handed, Head
from drystone.l25_deployer.jobs.errors import JobNotFound, RunNotFound, RunRefused

if TYPE_CHECKING:
    from drystone.l25_deployer.jobs.api import State
    from drystone.l25_deployer.jobs.domain import Run
    from drystone.l25_deployer.jobs.service import Jobs

_STATUS: dict[State, str] = {
    "waiting": "RUNNABLE",
    "running": "RUNNING",
    "succeeded": "SUCCEEDED",
    "failed": "FAILED",
    "stopped": "FAILED",
}
_LISTED = 100


class _Variable(msgspec.Struct, frozen=True):
    name: str
    value: str = ""


class _Overrides(msgspec.Struct, frozen=True):
    command: tuple[str, ...] = ()
    environment: tuple[_Variable, ...] = ()


class _Retry(msgspec.Struct, frozen=True):
    attempts: int = 1


class _Timeout(msgspec.Struct, frozen=True, rename="camel"):
    attempt_duration_seconds: int


class _Submit(msgspec.Struct, frozen=True, rename="camel"):
    job_name: str
    job_queue: str
    job_definition: str
    container_overrides: _Overrides = _Overrides()
    retry_strategy: _Retry | None = None
    timeout: _Timeout | None = None
    array_properties: dict[str, Any] = {}
    depends_on: list[dict[str, Any]] = []


class _Describe(msgspec.Struct, frozen=True):
    jobs: tuple[str, ...]


class _List(msgspec.Struct, frozen=True, rename="camel"):
    job_queue: str | None = None
    job_status: str = "RUNNING"
    max_results: int = _LISTED
    next_token: str | None = None


class _End(msgspec.Struct, frozen=True, rename="camel"):
    job_id: str
    reason: str


def answer(jobs: Jobs, handed: Handed, body: bytes) -> Answered:
    """Answer one request.

    Args:
        jobs: Whom it is for.
        handed: The request.
        body: Of it.
    """
    try:
        return Head(200, {"content-type": "application/json"}), json.dumps(
            _answer(jobs, handed, body or b"{}")
        ).encode()
    except (PlatformError, msgspec.MsgspecError) as e:
        is_theirs = isinstance(e, (JobNotFound, RunNotFound, RunRefused, msgspec.MsgspecError))
        status, code = (400, "ClientException") if is_theirs else (500, "ServerException")
        head = Head(status, {"content-type": "application/json", "x-amzn-errortype": code})
        return head, json.dumps({"message": str(e)}).encode()


def _answer(jobs: Jobs, handed: Handed, body: bytes) -> dict[str, Any]:
    environment, _, service = handed.owner.partition(".")
    match handed.method, handed.path:
        case "POST", "/v1/submitjob":
            asked = msgspec.json.decode(body, type=_Submit)
            return _submitted(_submit(jobs, environment, service, asked), handed.account)
        case "POST", "/v1/describejobs":
            wanted = {_last(one) for one in msgspec.json.decode(body, type=_Describe).jobs}
            every = [run for run in jobs.all(environment, service) if run.id in wanted]
            return {"jobs": [_detail(run, handed.account) for run in every]}
        case "POST", "/v1/listjobs":
            return _list(jobs, environment, service, handed, body)
        case "POST", "/v1/terminatejob" | "/v1/canceljob":
            end = msgspec.json.decode(body, type=_End)
            run = jobs.find(environment, service, _last(end.job_id))
            if handed.path == "/v1/terminatejob" or run.state == "waiting":
                jobs.end(environment, service, run.id, end.reason, by=service)
            return {}
        case _:
            raise RunRefused(
                "here jobs come with the descriptor of their service; clients may submit, describe, list, cancel and"
                " terminate runs of them"
            )


def _submit(jobs: Jobs, environment: str, service: str, asked: _Submit) -> Run:
    name = _last(asked.job_definition).partition(":")[0]
    if _last(asked.job_queue) != name:
        raise RunRefused(
            f"each job has a queue of its own, of the same name: give {name!r} and not {asked.job_queue!r}"
        )
    if asked.array_properties or asked.depends_on:
        raise RunRefused("runs have no arrays and do not wait for each other here")
    job = jobs.job(environment, service, name)
    limits = job
    if asked.retry_strategy is not None:
        limits = msgspec.structs.replace(
            limits, retries=min(10, max(1, asked.retry_strategy.attempts)) - 1
        )
    if asked.timeout is not None:
        limits = msgspec.structs.replace(
            limits, timeout=max(1, asked.timeout.attempt_duration_seconds)
        )
    overrides = asked.container_overrides
    for one in overrides.environment:
        if one.name.startswith(("AWS_BATCH", "DRYSTONE_")) or "=" in one.name or not one.name:
            raise RunRefused(f"the platform itself sets {one.name!r}; choose another name")
    return jobs.submit(
        environment,
        service,
        name,
        overrides.command or job.command,
        by=service,
        title=asked.job_name[:128],
        variables={one.name: one.value for one in overrides.environment},
        limits=limits,
    )


def _list(
    jobs: Jobs, environment: str, service: str, handed: Handed, body: bytes
) -> dict[str, Any]:
    asked = msgspec.json.decode(body, type=_List)
    queue = _last(asked.job_queue) if asked.job_queue else None
    found = [
        run
        for run in reversed(jobs.all(environment, service))
        if _STATUS[run.state] == asked.job_status and queue in {None, run.job}
    ]
    if asked.next_token:
        found = [run for run in found if run.id < asked.next_token]
    most = min(max(1, asked.max_results), _LISTED)
    page: dict[str, Any] = {
        "jobSummaryList": [_summary(run, handed.account) for run in found[:most]]
    }
    if len(found) > most:
        page["nextToken"] = found[most - 1].id
    return page


def _last(name: str) -> str:
    """Return what a name or an ARN names."""
    return name.rpartition("/")[2] if name.startswith("arn:") else name


def _arn(run: Run, account: str) -> str:
    return f"arn:aws:batch:{REGION}:{account}:job/{run.id}"


def _submitted(run: Run, account: str) -> dict[str, Any]:
    return {"jobArn": _arn(run, account), "jobName": run.title, "jobId": run.id}


def _summary(run: Run, account: str) -> dict[str, Any]:
    found: dict[str, Any] = {
        **_submitted(run, account),
        "createdAt": _millis(run.asked),
        "status": _STATUS[run.state],
        "statusReason": run.reason,
        "jobDefinition": f"arn:aws:batch:{REGION}:{account}:job-definition/{run.job}:1",
    }
    if run.attempts:
        last = run.attempts[-1]
        found["startedAt"] = _millis(run.attempts[0].began)
        found["container"] = {"exitCode": last.code, "reason": last.reason}
        if last.code is None:
            del found["container"]["exitCode"]
        if run.has_ended and last.ended is not None:
            found["stoppedAt"] = _millis(last.ended)
    return found


def _detail(run: Run, account: str) -> dict[str, Any]:
    found = _summary(run, account)
    attempts = []
    for one in run.attempts:
        container: dict[str, Any] = {"reason": one.reason, "logStreamName": one.instance}
        if one.code is not None:
            container["exitCode"] = one.code
        attempt: dict[str, Any] = {"container": container, "startedAt": _millis(one.began)}
        if one.ended is not None:
            attempt["stoppedAt"] = _millis(one.ended)
        attempts.append(attempt)
    variables = [{"name": name, "value": value} for name, value in run.variables.items()]
    container = {
        **found.get("container", {}),
        "command": list(run.command),
        "environment": variables,
    }
    return {
        **found,
        "jobQueue": f"arn:aws:batch:{REGION}:{account}:job-queue/{run.job}",
        "attempts": attempts,
        "container": container,
        "retryStrategy": {"attempts": run.limits.retries + 1},
        "timeout": {"attemptDurationSeconds": run.limits.timeout},
        "dependsOn": [],
        "parameters": {},
        "tags": {},
    }


def _millis(at: datetime) -> int:
    return int(at.timestamp() * 1000)
