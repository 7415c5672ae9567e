"""What is shown in place of a page that cannot be made."""

from __future__ import annotations

from drystone.l00_kernel.errors import PlatformError
from drystone.l05_graph.errors import ModelInvalid
from drystone.l80_governance.dependencies.html import link, tag
from drystone.l80_governance.dependencies.parts import counted
from drystone.l80_governance.dependencies.view import Page

_MOST = 100


def trouble(error: PlatformError) -> Page:
    """Say what is wrong, and what to do."""
    if isinstance(error, ModelInvalid):
        mistakes = error.mistakes[:_MOST]
        return Page(
            title="The model has mistakes",
            lead=f"{counted(len(error.mistakes), 'mistake')}; mend them and load the page again.",
            body=tag(
                "ul", [tag("li", one.sentence()[:1000]) for one in mistakes], class_="mistakes"
            ),
            status=int(error.status),
        )
    home = tag("a", "Go to the overview", href=link(""))
    return Page(
        title="This page cannot be shown",
        lead=error.message[:1].upper() + error.message[1:1000] + ".",
        body=tag("p", home),
        status=int(error.status),
    )
