"""For how long what services consist of was there, month by month: what they are charged for in the end.

The agent notes every minute what it sees; instances outlive it, so that the next agent goes on where the last one ended. What an
agent that was killed had not noted yet is found again by when each instance began. What begins and ends between two looks, or ends
after the last one, is not counted: less than a minute of each instance's life.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from drystone.l00_kernel.atomic import read_if_exists, write_atomically
from drystone.l25_deployer.stacks.sizes import (
    INSTANCE,
    PartSize,
    ServiceSize,
    UsedPart,
    UsedService,
    size_of,
)

if TYPE_CHECKING:
    from drystone.l00_kernel.clock import Clock
    from drystone.l25_deployer.local.kept_service import KeptService

_NAME = re.compile(r"\d{4}-(?:0[1-9]|1[0-2])")


class Seen(msgspec.Struct, frozen=True):
    """An instance or a resource that is there.

    Attributes:
        id: Tells it from all others.
        owner: Whose it is, without parts.
        part: How large it is; one of its kind.
        since: When it began to run; None for what has been there before, or does not tell.
    """

    id: str
    owner: ServiceSize
    part: PartSize
    since: datetime | None = None


class Month(msgspec.Struct, frozen=True):
    """What is written down of a month.

    Attributes:
        until: Up to which moment.
        there: Ids of what was there at that moment.
        uses: By whom it is charged to.
    """

    until: datetime
    there: frozenset[str] = frozenset()
    uses: dict[str, UsedService] = {}


def after(
    month: Month, seen: Iterable[Seen], now: datetime, lasted: timedelta, *, is_new_life: bool
) -> Month:
    """Return what is to be written down at a later moment.

    Args:
        month: What is written down.
        seen: What is there now.
        now: The moment.
        lasted: How long it is since the last one.
        is_new_life: Whether somebody else has written the last time, so that what is there may have begun anew.
    """
    every = list(seen)
    uses = dict(month.uses)
    for one in every:
        time = lasted
        if one.id in month.there and (not is_new_life or one.since is None):
            pass
        elif one.since is not None:
            time = min(lasted, max(timedelta(), now - one.since))
        else:
            time = timedelta()  # it has come since, nobody knows when
        key = _charged(one.owner)
        uses[key] = _added(uses.get(key, UsedService(one.owner)), one, time)
    return Month(now, frozenset(one.id for one in every), uses)


def _charged(owner: ServiceSize) -> str:
    return msgspec.json.encode(owner).decode()


def _added(use: UsedService, one: Seen, time: timedelta) -> UsedService:
    milliseconds = round(time / timedelta(milliseconds=1))
    parts = list(use.parts)
    for place, used in enumerate(parts):
        if used.part == one.part:
            parts[place] = UsedPart(one.part, used.milliseconds + milliseconds)
            break
    else:
        parts.append(UsedPart(one.part, milliseconds))
    return UsedService(use.owner, tuple(parts))


def _next_month(name: str) -> datetime:
    year, month = (int(number) for number in name.split("-"))
    return datetime(year + month // 12, month % 12 + 1, 1, tzinfo=UTC)


def _name(moment: datetime) -> str:
    return f"{moment:%Y-%m}"


class Hours:
    """Keeps a document for each month.

    Args:
        folder: Where; it is made at the first need.
        clock: Tells when.
    """

    def __init__(self, folder: Path, clock: Clock) -> None:
        self._folder = folder
        self._clock = clock
        self._noted: timedelta | None = None
        """When this agent noted last, by the clock that does not jump."""

    def note(self, seen: Iterable[Seen]) -> None:
        """Write down for how long what is there has been there since the last time.

        Raises:
            OSError: The disk gives no room; the next note makes up for it.
        """
        seen = list(seen)
        now, monotonic = self._clock.now(), self._clock.monotonic()
        name, month = self._last(now)
        is_new_life = self._noted is None
        lasted = monotonic - self._noted if self._noted is not None else now - month.until
        lasted = max(timedelta(), lasted)
        self._folder.mkdir(mode=0o700, exist_ok=True)
        while name < _name(now):
            end = _next_month(name)
            later = min(lasted, now - end)
            self._write(name, after(month, seen, end, lasted - later, is_new_life=is_new_life))
            name, month, lasted = _name(end), Month(end, month.there), later
        self._write(name, after(month, seen, now, lasted, is_new_life=is_new_life))
        self._noted = monotonic

    def of(self, name: str) -> list[UsedService]:
        """Return what is written down of a month; nothing of one that nobody wrote anything of.

        Args:
            name: As ``2026-01``.
        """
        month = self._read(name) if _NAME.fullmatch(name) else None
        return list(month.uses.values()) if month is not None else []

    def _last(self, now: datetime) -> tuple[str, Month]:
        """Return the latest month that is written down; one that begins now where none is."""
        names = sorted(path.stem for path in self._folder.glob("*.json"))
        for name in reversed([one for one in names if _NAME.fullmatch(one) and one <= _name(now)]):
            month = self._read(name)
            if month is not None:
                return name, month
        return _name(now), Month(now)

    def _read(self, name: str) -> Month | None:
        found = read_if_exists(self._folder / f"{name}.json")
        try:
            return msgspec.json.decode(found, type=Month) if found is not None else None
        except msgspec.MsgspecError:  # damaged: what was is lost, what will be is counted
            return None

    def _write(self, name: str, month: Month) -> None:
        write_atomically(self._folder / f"{name}.json", msgspec.json.encode(month))


def seen_of(kept: KeptService) -> Iterator[Seen]:
    """Say what of a service is there: instances of all its releases that run, and its resources."""
    deployed = kept.deployed()
    if deployed is None:
        return
    size = size_of(deployed)
    owner = msgspec.structs.replace(size, parts=())
    for number, running in kept.running.items():
        groups = running.release.stacks.deployment.groups
        for one in running.instances:
            group = groups.get(one.blueprint.group)
            if group is None or one.pid is None:
                continue
            part = PartSize(INSTANCE, one.blueprint.group, cpu=group.cpu, memory=group.memory)
            yield Seen(f"{number}/{one.blueprint.spec.id}", owner, part, one.since)
    for part in size.parts:
        if part.kind != INSTANCE or part.name not in deployed.deployment.groups:
            yield Seen(f"{owner.environment}/{owner.service}/{part.kind} {part.name}", owner, part)
