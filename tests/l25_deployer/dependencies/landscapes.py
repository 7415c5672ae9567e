"""Landscapes of small services, for checks of what a deploy does to dependencies."""

from __future__ import annotations

from datetime import date, timedelta
from typing import Any, Literal

from drystone.l05_graph.model import Acceptance
from drystone.l25_deployer.dependencies.deploy_check import check_deploy
from drystone.l25_deployer.dependencies.landscape import Landscape
from drystone.l25_deployer.dependencies.live_model import own_part
from drystone.l25_deployer.dependencies.model import declared
from drystone.l25_deployer.dependencies.verdict import Verdict
from drystone.l25_deployer.stacks.claims import Claims
from drystone.l25_deployer.stacks.model import Dependency, EnvironmentStack
from drystone.l90_assembly.own_services import platform_descriptors

TODAY = date(2026, 11, 22)
SECOND = timedelta(seconds=1)
Strong = Literal["hard", "soft"]


def stack(
    service: str,
    needs: dict[str, Dependency] | None = None,
    *,
    tier: int = 3,
    layer: int | None = None,
    **claims: Any,
) -> EnvironmentStack:
    return EnvironmentStack(
        service=service,
        name="dev",
        owner="tests",
        tier=tier,
        hosts=(),
        timeout=SECOND,
        public=True,
        layer=layer,
        dependencies=needs or {},
        claims=Claims(**claims),
    )


def need(needs: Strong = "hard", *at: str, **more: Any) -> Dependency:
    return Dependency(needs, at or ("runtime",), SECOND, **more)


def accepted(days: int) -> Acceptance:
    return Acceptance(by="ann", reason="moves in spring", until=TODAY + timedelta(days=days))


def deployed(*stacks: EnvironmentStack) -> Landscape:
    landscape = Landscape(own_part(platform_descriptors()))
    for one in stacks:
        landscape.put(f"dev/{one.service}", declared(one))
    return landscape


def verdict(landscape: Landscape, wanted: EnvironmentStack) -> Verdict:
    return check_deploy(landscape, declared(wanted), TODAY)
