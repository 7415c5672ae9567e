"""``drystone tokens``."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Annotated

from drystone.l00_kernel.clock import SystemClock
from drystone.l00_kernel.home import Home
from drystone.l85_surfaces.cli.options import NOTHING_SAID, Shared
from drystone.l85_surfaces.cli.parameters import Parameter
from drystone.l85_surfaces.cli.terminal import Terminal
from drystone.l85_surfaces.cli.views import people as views

if TYPE_CHECKING:
    from drystone.l35_mesh.signin.accounts import Accounts

DEFAULT_DAYS = 90


def issue(
    *,
    build: Annotated[
        str, Parameter(name=("--build", "-b"), help="Name of the build, as descriptors have it.")
    ],
    days: Annotated[
        int, Parameter(name=("--days",), least=1, most=366, help="How long it lives.")
    ] = DEFAULT_DAYS,
    shared: Shared = NOTHING_SAID,
) -> None:
    """Issue a token to a build. It is shown once: put it where the build keeps its secrets.

    A build exchanges it for one of a service, which lives for minutes.
    """
    out = Terminal(json=shared.json)
    token, made = _accounts(shared).issue(build, timedelta(days=days))
    out.document({"token": token, "id": made.id, "build": made.build, "until": made.until})
    out.line(token)


def list_tokens(*, shared: Shared = NOTHING_SAID) -> None:
    """List the tokens that were issued to builds, without what they consist of."""
    out = Terminal(json=shared.json)
    found = _accounts(shared).tokens()
    out.document([{"id": t.id, "build": t.build, "made": t.made, "until": t.until} for t in found])
    if found:
        out.lines(views.tokens(found, now=datetime.now(UTC), paint=out.paint))
    else:
        out.line("no tokens; issue one with `drystone tokens issue --build NAME`")


def revoke(
    token_id: Annotated[str, Parameter(help="Id of the token, as the list has it.")],
    /,
    *,
    shared: Shared = NOTHING_SAID,
) -> None:
    """Revoke a token: services refuse the build within ten minutes."""
    out = Terminal(json=shared.json)
    gone = _accounts(shared).revoke(token_id)
    out.document({"id": gone.id, "build": gone.build})
    out.line(f"the token {gone.id} of {gone.build} is revoked")


def _accounts(shared: Shared) -> Accounts:
    from drystone.l35_mesh.signin.accounts import Accounts  # noqa: PLC0415 - loads what it needs

    return Accounts(Home.open(shared.folder), SystemClock())
