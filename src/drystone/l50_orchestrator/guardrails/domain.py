"""The rules of policies, exceptions and freezes. Pure."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable
from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import msgspec

from drystone.l10_engines.policies.reading import Module
from drystone.l50_orchestrator.guardrails.api import (
    ExceptionSaid,
    ExceptionView,
    FreezeSaid,
    FreezeView,
    PolicySaid,
    PolicyView,
)
from drystone.l50_orchestrator.guardrails.errors import (
    ExceptionUnfit,
    FreezeUnfit,
    PolicyRefused,
    SamePerson,
)
from drystone.l50_orchestrator.ports import Actor, Environment, Withdrawals

MOST_POLICIES = 1000
MOST_EXCEPTIONS = 5000
MOST_FREEZES = 500
LONGEST_EXCEPTION = timedelta(days=90)
LONGEST_FREEZE = timedelta(days=366)
FREEZE = "freeze/"
"""Before the name of a freeze, where an exception names what it is from."""

_NAME = re.compile(r"[a-z][a-z0-9-]{0,39}")
_MOST_WORDS = 500


class Asked(msgspec.Struct, frozen=True):
    """An exception, as it is kept.

    Attributes:
        asked_behind: Who made the token that asked; empty for others.
        allowed_by: Empty while nobody has.
    """

    name: str
    said: ExceptionSaid
    asked_by: str
    asked_behind: str
    asked_at: datetime
    allowed_by: str = ""
    allowed_at: datetime | None = None


def allowance(name: str) -> str:
    """Return what an exception gives, as :class:`~drystone.l50_orchestrator.ports.Withdrawals` call it."""
    return f"exception/{name}"


def as_it_stands(asked: Asked, withdrawals: Withdrawals | None) -> Asked:
    """Return an exception without an allowance that was taken away after the database was copied."""
    if (
        not asked.allowed_by
        or withdrawals is None
        or not withdrawals.is_taken(allowance(asked.name))
    ):
        return asked
    return msgspec.structs.replace(asked, allowed_by="", allowed_at=None)


class Frozen(msgspec.Struct, frozen=True):
    """A freeze, as it is kept."""

    name: str
    said: FreezeSaid
    by: str


def checked_name(name: str, unfit: type[PolicyRefused | ExceptionUnfit | FreezeUnfit]) -> str:
    """Return a name that may be one.

    Raises:
        PlatformError: Of the class ``unfit``.
    """
    if not _NAME.fullmatch(name):
        raise unfit(
            f"{name[:60]!r} is no name: it has small letters, digits and -, at most 40 of them, and begins with a letter"
        )
    return name


def _checked_words(what: str, words: str, unfit: type[ExceptionUnfit | FreezeUnfit]) -> None:
    if not words.strip() or len(words) > _MOST_WORDS:
        raise unfit(f"the {what} has 1 to {_MOST_WORDS} characters: those who meet it read it")


# Policies


def module_of(policy: PolicyView) -> Module:
    """Return what is evaluated of a policy."""
    return Module(policy.name, policy.said.text)


def applies(said: PolicySaid, environment: Environment, tier: int) -> bool:
    """Tell whether a policy holds for a service of a tier in an environment."""
    return (
        (not said.environments or environment.name in said.environments)
        and (not said.types or environment.type in said.types)
        and (not said.tiers or tier in said.tiers)
    )


def refuses(policy: PolicyView, today: date) -> bool:
    """Tell whether what a policy denies refuses, rather than only warns."""
    return (
        policy.mode == "refuse" and policy.said.severity == "refuse" and today >= policy.said.since
    )


# Exceptions


def checked_exception(said: ExceptionSaid, known: Collection[str], today: date) -> ExceptionSaid:
    """Return an exception that may be asked for.

    Args:
        said: What is asked.
        known: Names of all policies, and of all freezes with :data:`FREEZE` before them.
        today: In UTC.

    Raises:
        ExceptionUnfit: It cannot be.
    """
    if said.policy not in known:
        raise ExceptionUnfit(
            f"there is no policy {said.policy[:60]!r} to be excepted from; findings name theirs, and a freeze is named"
            f" '{FREEZE}<name>'"
        )
    if bool(said.environment) == (said.type is not None):
        raise ExceptionUnfit("say where it counts: in one environment, or in all of one type")
    for name in (said.service, *([said.environment] if said.environment else [])):
        if not _NAME.fullmatch(name):
            raise ExceptionUnfit(f"{name[:60]!r} is no name of a service or an environment")
    _checked_words("reason", said.reason, ExceptionUnfit)
    _checked_words("owner", said.owner, ExceptionUnfit)
    if not today <= said.until <= today + LONGEST_EXCEPTION:
        last = today + LONGEST_EXCEPTION
        raise ExceptionUnfit(
            f"an exception lasts {LONGEST_EXCEPTION.days} days at most: its last day is between {today} and {last}, not"
            f" {said.until}"
        )
    return said


def require_another(asked: Asked, actor: Actor) -> None:
    """Let pass who is somebody else than the one who asked.

    Raises:
        SamePerson: They are the same, or one made the other's token.
    """
    if {asked.asked_by, asked.asked_behind} & {actor.name, actor.behind} - {""}:
        raise SamePerson(
            f"{actor.behind or actor.name} asked for '{asked.name}': somebody else has to allow it"
        )


def is_about(asked: Asked, policy: str, service: str, environment: Environment) -> bool:
    """Tell whether an exception is from this policy, for this service, here."""
    said = asked.said
    return (said.policy, said.service) == (policy, service) and (
        said.environment == environment.name if said.environment else said.type == environment.type
    )


def counts(asked: Asked, today: date) -> bool:
    """Tell whether an exception counts today."""
    return bool(asked.allowed_by) and today <= asked.said.until


def exception_view(asked: Asked, today: date) -> ExceptionView:
    """Show an exception."""
    is_over = today > asked.said.until
    return ExceptionView(
        name=asked.name,
        said=asked.said,
        asked_by=asked.asked_by,
        asked_at=asked.asked_at,
        allowed_by=asked.allowed_by,
        allowed_at=asked.allowed_at,
        state="expired" if is_over else "counts" if asked.allowed_by else "asked",
        days_left=(asked.said.until - today).days,
    )


# Freezes


def span(said: FreezeSaid) -> tuple[datetime, datetime]:
    """Return the beginning and the end of a freeze, in UTC.

    An hour that a clock on the wall shows twice, or never, has two readings (PEP 495): the freeze begins at the earlier one
    and ends at the later one, so that it never leaves out what somebody may have meant.

    Raises:
        FreezeUnfit: One of them is no moment, or there is no such zone.
    """
    try:
        zone = ZoneInfo(said.zone)
    except (ZoneInfoNotFoundError, ValueError, OSError) as e:
        raise FreezeUnfit(
            f"{said.zone[:60]!r} is no time zone; write one such as Europe/Berlin"
        ) from e
    return min(_readings(said.start, zone)), max(_readings(said.end, zone))


def _readings(text: str, zone: ZoneInfo) -> list[datetime]:
    try:
        there = datetime.fromisoformat(text)
        if there.tzinfo is not None:
            raise FreezeUnfit(f"{text[:40]!r} has an offset of its own: the zone says it for both")
        return [there.replace(tzinfo=zone, fold=fold).astimezone(UTC) for fold in (0, 1)]
    except (ValueError, OverflowError) as e:
        raise FreezeUnfit(f"{text[:40]!r} is no moment; write one such as 2026-12-20T18:00") from e


def checked_freeze(said: FreezeSaid) -> FreezeSaid:
    """Return a freeze that may be.

    Raises:
        FreezeUnfit: It cannot be.
    """
    start, end = span(said)
    if not timedelta() < end - start <= LONGEST_FREEZE:
        raise FreezeUnfit(
            f"a freeze ends after it has begun, and lasts {LONGEST_FREEZE.days} days at most: {start} to {end} does not"
        )
    _checked_words("reason", said.reason, FreezeUnfit)
    return said


def freezes(
    frozen: Iterable[Frozen], environment: Environment, team: str, at: datetime
) -> list[Frozen]:
    """Return the freezes that hold for a team's services in an environment, at a moment."""
    found = []
    for one in frozen:
        said = one.said
        is_here = (
            (not said.environments or environment.name in said.environments)
            and (not said.types or environment.type in said.types)
            and (not said.teams or team in said.teams)
        )
        start, end = span(said)
        if is_here and start <= at < end:
            found.append(one)
    return found


def freeze_view(frozen: Frozen, at: datetime) -> FreezeView:
    """Show a freeze."""
    start, end = span(frozen.said)
    return FreezeView(frozen.name, frozen.said, start, end, start <= at < end, frozen.by)
