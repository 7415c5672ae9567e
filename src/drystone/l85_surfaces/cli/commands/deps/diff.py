"""``drystone deps diff``."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Annotated

from drystone.l05_graph.changes import diff as changes_of
from drystone.l05_graph.rules import check
from drystone.l85_surfaces.cli.commands.deps.lint import rules_of
from drystone.l85_surfaces.cli.dependencies.options import Everything, RulesFile
from drystone.l85_surfaces.cli.dependencies.reading import live, surveyed
from drystone.l85_surfaces.cli.options import NOTHING_SAID, Shared
from drystone.l85_surfaces.cli.parameters import Parameter
from drystone.l85_surfaces.cli.terminal import Terminal
from drystone.l85_surfaces.cli.views.deps import differences as views


def diff(
    before: Annotated[str, Parameter(help="A survey, or a folder of surveys.")],
    after: Annotated[str | None, Parameter(help="Another; the live platform when omitted.")] = None,
    /,
    *,
    rules: RulesFile = None,
    show_all: Everything = False,
    shared: Shared = NOTHING_SAID,
) -> int:
    """Tell how two models differ, and what becomes better or worse.

    Exits with 1 when the second breaks a rule, so that it is an error, where the first did not.
    """
    old = surveyed(before)
    new = surveyed(after) if after is not None else live(shared)
    if old.name == new.name:
        old.name, new.name = before, after or new.name
    today, wanted = datetime.now(UTC).date(), rules_of(rules)
    found = views.Difference.of(
        changes_of(old.model, new.model),
        check(old.model, wanted, today),
        check(new.model, wanted, today),
    )
    out = Terminal(json=shared.json)
    out.document(views.document(found, old, new, today))
    out.lines(views.differences(found, old, new, today, paint=out.paint, show_all=show_all))
    return 1 if found.is_worse else 0
