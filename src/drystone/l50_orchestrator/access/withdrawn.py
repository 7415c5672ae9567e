"""What was taken away, in a file of the home: a database that was restored to yesterday does not give it back.

A line for each, in the order of time: ``- token/1a2b3c 2026-01-31T23:59:59Z`` when it was taken, ``+ person/ada …`` when it was given
again. What stands there is the id of a token or grant, a person, a team, a person's place in a team or at its head, access by broken glass that was
ended, an exception that was allowed, or whose a service was; nothing of it is a secret.
Something is written here before the database takes it in, and given again after: whatever dies in between, it stays closed.
"""

from __future__ import annotations

import re
import threading
from collections.abc import Collection
from datetime import UTC, datetime
from pathlib import Path

import msgspec

from drystone.l00_kernel.atomic import append_lines
from drystone.l00_kernel.ownership import require_safe_file
from drystone.l00_kernel.ports import Field
from drystone.l50_orchestrator.access import store
from drystone.l50_orchestrator.access.domain import Standing
from drystone.l50_orchestrator.access.errors import WithdrawnUnreadable

_LINE = re.compile(r"([-+]) ([a-z]+/[ -~]{1,200}?) (\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ)")
_TAKEN = frozenset({"token.revoked", "person.left", "grant.revoked", "team.left", "team.dissolved"})


class Withdrawn:
    """The file. One process writes it.

    Args:
        path: Where it is; it need not exist, its folder does.

    Raises:
        WithdrawnUnreadable: A line is none of its kind. A last line that was not written to its end is no line.
        OthersCanWrite: Another user could have written it.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._taken: set[str] = set()
        self._writing = threading.Lock()
        require_safe_file(path)
        try:
            text = path.read_text("ascii", errors="replace")
        except FileNotFoundError:
            return
        whole, _, _ = text.rpartition("\n")
        for number, line in enumerate(whole.split("\n"), 1):
            if line:
                self._read(number, line)

    def _read(self, number: int, line: str) -> None:
        found = _LINE.fullmatch(line)
        if found is None:
            raise WithdrawnUnreadable(
                f"line {number} of {self._path} is nothing that was taken away: somebody else wrote it, or the disk did; compare"
                " the file with a copy of it"
            )
        self._keep(found[1], found[2])

    def _keep(self, sign: str, what: str) -> None:
        if sign == "-":
            self._taken.add(what)
        else:
            self._taken.discard(what)

    def __contains__(self, what: str) -> bool:
        """Tell whether something was taken away and not given again."""
        return what in self._taken

    def take(self, what: Collection[str]) -> None:
        """Write down that something is taken away, and force it to the disk.

        Raises:
            DiskFull: There is no room; then it must not be taken away in the database either.
        """
        self._append("-", [one for one in what if one not in self._taken])

    def give(self, what: Collection[str]) -> None:
        """Write down that something is given again.

        Raises:
            DiskFull: There is no room; it stays closed.
        """
        self._append("+", [one for one in what if one in self._taken])

    def _append(self, sign: str, what: list[str]) -> None:
        if not what:
            return
        moment = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
        text = "".join(f"{sign} {one} {moment}\n" for one in what)
        with self._writing:
            append_lines(self._path, text.encode("ascii"))
        for one in what:
            self._keep(sign, one)


def taken_by(notes: Collection[tuple[str, str, dict[str, Field]]]) -> list[str]:
    """Return what a change takes away, by what it notes in the audit log."""
    found = []
    for action, subject, fields in notes:
        if action == "team.left":
            found += membership(subject.removeprefix("team/"), str(fields["person"]))
        elif action in _TAKEN:
            found.append(subject)
    return found


def membership(team: str, person: str) -> list[str]:
    """Return what somebody has by being in a team: a place, and perhaps that of a maintainer."""
    return [f"team/{team}/{person}", maintenance(team, person)]


def maintenance(team: str, person: str) -> str:
    """Return what a person has by maintaining a team."""
    return f"maintainer/{team}/{person}"


def glass(person: str, until: datetime) -> str:
    """Return what somebody has by broken glass; its number comes again in a restored database, its end does not."""
    return f"glass/{person}/{until.astimezone(UTC).isoformat()}"


def ownership(service: str, team: str) -> str:
    """Return what a team has by owning a service."""
    return f"owner/{service}/{team}"


def reduced(standing: Standing, withdrawn: Withdrawn) -> Standing:
    """Return what somebody may do without what was taken away after the database was copied."""
    if f"person/{standing.name}" in withdrawn:
        return Standing(standing.name, standing.kind, is_active=False)
    gone = {
        team
        for team in standing.teams
        if f"team/{team}" in withdrawn or f"team/{team}/{standing.name}" in withdrawn
    }
    led = {team for team in standing.maintains if maintenance(team, standing.name) in withdrawn}
    whose = {f"team:{team}" for team in gone} | {f"maintainers:{team}" for team in gone | led}
    grants = tuple(
        one
        for one in standing.grants
        if one.who not in whose and f"grant/{store.id_of(one)}" not in withdrawn
    )
    until = standing.until
    if until is not None and glass(standing.name, until) in withdrawn:
        standing = msgspec.structs.replace(standing, glass=0, until=None)
    return msgspec.structs.replace(
        standing,
        teams=standing.teams - gone,
        maintains=standing.maintains - gone - led,
        grants=grants,
    )
