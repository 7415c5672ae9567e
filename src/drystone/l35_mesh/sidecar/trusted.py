"""Services of other platforms that may call one of this, beside those that declare it here."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from drystone.l20_trust.keys.api import Trusted, issuer_of
from drystone.l35_mesh.sidecar.model import Caller, Inbound

if TYPE_CHECKING:
    from drystone.l25_deployer.local.mesh import Member


def with_trusted(
    inbound: Inbound, member: Member, trusted: Sequence[Trusted]
) -> tuple[Caller, ...]:
    """Return who may call a service, with those of other platforms that may.

    What a service of this platform declares holds for the one of the same name over there, too. Where the one who is called
    names its callers, it has named those of its environment, wherever they are.

    Args:
        inbound: What stands before the service, with those who declare it here.
        member: The service.
        trusted: Whose calls somebody said it accepts.
    """
    known = {caller.issuer for caller in inbound.callers}
    may = member.surroundings[0].callers
    named = None if may is None else {issuer_of(member.environment, caller) for caller in may}
    others = dict.fromkeys(one.issuer for one in trusted)
    fit = [one for one in others if one not in known and (named is None or one in named)]
    return (*inbound.callers, *map(Caller, fit))
