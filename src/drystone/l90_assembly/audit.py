"""Who did what to a service beyond its deploys: lines of the service's own history."""

from __future__ import annotations

from typing import TYPE_CHECKING

from typing_extensions import override

from drystone.l00_kernel.ports import Audit

if TYPE_CHECKING:
    from collections.abc import Callable

    from drystone.l00_kernel.context import Context
    from drystone.l00_kernel.ports import Field
    from drystone.l25_deployer.local.kept_service import KeptService

EVENTS = {
    "keys.token": "token",
    "keys.rotate": "new key",
    "keys.revoke": "key revoked",
    "certificates.replace": "new certificate",
    "keys.trust": "trusted",
    "keys.distrust": "distrusted",
}
"""What an action is called there."""


class HistoryAudit(Audit):
    """Writes what concerns a service into its history; what concerns none is in no history.

    Args:
        find: Returns a service by environment and name; None where there is none.
    """

    def __init__(self, find: Callable[[str, str], KeptService | None]) -> None:
        self._find = find

    @override
    async def record(self, ctx: Context, action: str, subject: str, **fields: Field) -> None:
        kept = self._find(*subject.split("/", 1))
        if kept is not None:
            text = ", ".join(f"{name} {value}" for name, value in fields.items())
            kept.write_history(EVENTS.get(action, action), text, by=ctx.caller.name)
