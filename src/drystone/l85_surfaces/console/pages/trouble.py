"""What is shown in place of a page that cannot be made."""

from __future__ import annotations

from drystone.l00_kernel.errors import PlatformError
from drystone.l80_governance.dependencies.html import tag
from drystone.l85_surfaces.console import addresses
from drystone.l85_surfaces.console.errors import NotTurnedOn
from drystone.l85_surfaces.console.pages.layout import Page, short
from drystone.l85_surfaces.console.pages.parts import prose


def trouble(error: PlatformError, entry: str = "") -> Page:
    """Say what is wrong, and what to do."""
    message = error.message[:1].upper() + short(error.message[1:], 1000)
    return Page(
        title="Not here yet" if isinstance(error, NotTurnedOn) else "This page cannot be shown",
        lead=prose(f"{message.rstrip('.')}.", 1100),
        body=tag("p", tag("a", "Go to the services", href=addresses.overview())),
        entry=entry,
        status=int(error.status),
    )
