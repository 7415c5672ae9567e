"""What services declare to call, as their releases say it that run. Pure."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from typing import TYPE_CHECKING

import msgspec

from drystone.l20_trust.keys.api import issuer_of

if TYPE_CHECKING:
    from drystone.l25_deployer.local.mesh import Member


class Declared(msgspec.Struct, frozen=True, kw_only=True):
    """One service's declaration that it calls another.

    Attributes:
        environment: Where the one who calls is.
        caller: Its name.
        issuer: What its tokens call it.
        dependency: What its descriptor calls the other one.
        callee: The other one as the edge calls it, ``<service>.<environment>``.
        audience: What tokens call the other one.
        calls: The requests that it makes; every one when empty.
        timeout: How long an answer may take.
        retries: How often a failed call is repeated; the usual number when None.
        retry_on: Which failures are; the usual ones when None.
        is_apart: Whether the one who calls has a network of its own.
        slots: At which of its addresses for the other one it calls.
        is_tried: Whether a release of the one who calls is tried.
    """

    environment: str
    caller: str
    issuer: str
    dependency: str
    callee: str
    audience: str
    calls: tuple[str, ...]
    timeout: timedelta
    retries: int | None
    retry_on: tuple[str, ...] | None
    is_apart: bool = False
    slots: tuple[int, ...] = (0,)
    is_tried: bool = False


def declared_by(member: Member) -> Iterator[Declared]:
    """Yield what a service declares, each callee once.

    While releases of it run that declare different things, it may make the requests of each: they share their addresses. All
    else is as the release has it that serves, or the first that declares it at all.
    """
    found: dict[str, Declared] = {}
    for stack in member.surroundings:
        for name, dependency in stack.dependencies.items():
            environment = dependency.environment or member.environment
            callee = f"{name}.{environment}"
            calls = dependency.calls or ()
            if callee not in found:
                found[callee] = Declared(
                    environment=member.environment,
                    caller=member.service,
                    issuer=issuer_of(member.environment, member.service),
                    dependency=name,
                    callee=callee,
                    audience=issuer_of(environment, name),
                    calls=calls,
                    timeout=dependency.timeout,
                    retries=dependency.retries,
                    retry_on=dependency.retry_on,
                    is_apart=member.is_apart,
                    slots=member.slots,
                    is_tried=member.is_tried,
                )
            else:
                before = found[callee]
                found[callee] = msgspec.structs.replace(before, calls=_either(before.calls, calls))
    yield from found.values()


def _either(one: tuple[str, ...], other: tuple[str, ...]) -> tuple[str, ...]:
    """Allow what either allows; nothing written allows everything."""
    return tuple(dict.fromkeys((*one, *other))) if one and other else ()
