"""A tidy service, of which no policy of the house says anything: what cases of policies are told apart from."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from typing import Any

import msgspec

from drystone.l25_deployer.stacks.claims import Claims
from drystone.l25_deployer.stacks.model import (
    Deployment,
    EnvironmentStack,
    Eternal,
    Group,
    ImageArtifact,
    Postgres,
    ReleaseResources,
    Route,
    Stacks,
    Stop,
)
from drystone.l50_orchestrator.guardrails.judged import Actor, Judged, Noted, Planned
from drystone.l50_orchestrator.ports import Copies, Declared, DeclaredResource, Environment

DAY = 86_400.0
_STOP = Stop(drain=timedelta(seconds=30), grace=timedelta(seconds=30), signal="TERM")

TIDY = Judged(
    service="orders",
    environment=Environment("prod", "prod", after="staging"),
    team="commerce",
    actor=Actor("ada", "person"),
    kind="deploy",
    at="2026-06-01T12:00:00Z",
    stacks=Stacks(
        eternal=Eternal({"db": Postgres(version="18", connections=20)}),
        resources=ReleaseResources(
            version="7", artifact=ImageArtifact("registry.example/orders@sha256:5f0c")
        ),
        deployment=Deployment(
            {
                "web": Group(
                    command=(),
                    instances=2,
                    cpu=0.5,
                    memory=256 << 20,
                    stop=_STOP,
                    serves=True,
                    port=8080,
                )
            }
        ),
        environment=EnvironmentStack(
            service="orders",
            name="prod",
            owner="commerce",
            tier=1,
            hosts=("orders.prod.localhost",),
            timeout=timedelta(seconds=15),
            public=False,
            description="Accepts and tracks customer orders.",
            claims=Claims(slo=0.999),
            staff=True,
        ),
        route=Route(strategy="blue-green", keep_warm=timedelta(hours=1), keep=5),
    ),
    plan=Planned((), (), (), (), (), "encrypted"),
    noted=(
        Noted("owner.oncall", 4, "only the team is shown yet"),
        Noted("resources.db.backup", 12, "no copies are made yet"),
        Noted("tags", 5, "tags are not recorded yet"),
    ),
    lines={},
    declared=Declared(
        oncall="commerce-primary",
        tags={"product": "shop"},
        resources={
            "db": DeclaredResource(
                "postgres",
                Copies(
                    interval=DAY,
                    keep=7 * DAY,
                    point_in_time=False,
                    copy_to=(),
                    restore_test=7 * DAY,
                ),
            )
        },
    ),
    artefact="sha256:5f0c",
)


def changed(different: Mapping[str, Any]) -> bytes:
    """Return the tidy service as JSON, with something different; see :class:`~.api.Case`.

    Raises:
        msgspec.ValidationError: No change looks like this.
    """
    tidy = msgspec.json.decode(msgspec.json.encode(TIDY))
    wanted = _merged(tidy, different) if different else tidy
    return msgspec.json.encode(msgspec.convert(wanted, Judged))


def _merged(into: Any, different: Any) -> Any:
    if not (isinstance(into, dict) and isinstance(different, Mapping) and different):
        return different
    other_type = "type" in different and "type" in into and different["type"] != into["type"]
    kept = {} if other_type else into
    return kept | {key: _merged(kept.get(key), one) for key, one in different.items()}
