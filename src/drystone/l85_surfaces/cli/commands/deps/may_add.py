"""``drystone deps may-add``."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Annotated, Literal

from drystone.l05_graph.additions import may_add as verdict_of
from drystone.l05_graph.model import Dependency, phases
from drystone.l05_graph.words import Phase, Risk, Strength
from drystone.l85_surfaces.cli.commands.deps.lint import rules_of
from drystone.l85_surfaces.cli.dependencies.options import LIVE, RulesFile, Source
from drystone.l85_surfaces.cli.dependencies.reading import given_beside
from drystone.l85_surfaces.cli.options import NOTHING_SAID, Shared
from drystone.l85_surfaces.cli.parameters import Parameter
from drystone.l85_surfaces.cli.terminal import Terminal
from drystone.l85_surfaces.cli.views.deps import additions as views


def may_add(
    component: Annotated[str, Parameter(help="Who needs.")],
    needs: Annotated[str, Parameter(help="What is needed.")],
    /,
    *,
    source: Source = LIVE,
    soft: Annotated[
        bool, Parameter(show_default=False, help="It can do without; hard when omitted.")
    ] = False,
    at: Annotated[
        list[Literal["build", "deploy", "start", "run", "recovery"]] | None,
        Parameter(show_default=False, help="When; may be given again. [default: run]"),
    ] = None,
    risk: Annotated[
        Literal[
            "deployments",
            "source",
            "artifacts",
            "builds",
            "configuration",
            "logging",
            "auth",
            "network",
            "data",
            "other",
        ],
        Parameter(help="What for."),
    ] = "other",
    rules: RulesFile = None,
    shared: Shared = NOTHING_SAID,
) -> int:
    """Tell what a new dependency would do, before it is there.

    Whether it closes a circle, which rules it would break, and how available the component could still be. Exits with 1 when it
    should not be added.
    """
    model = given_beside((component, needs), source, shared)
    wanted = Dependency(
        source=component,
        target=needs,
        strength=Strength.SOFT if soft else Strength.HARD,
        at=phases(map(Phase, at or ("run",))),
        risk=Risk(risk),
        without="(to be said)" if soft else "",
    )
    verdict = verdict_of(model.model, wanted, rules_of(rules), datetime.now(UTC).date())
    out = Terminal(json=shared.json)
    out.document(views.document(verdict))
    out.lines(views.verdict(verdict, model, paint=out.paint))
    return 0 if verdict.is_welcome else 1
