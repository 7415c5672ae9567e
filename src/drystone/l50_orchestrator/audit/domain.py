"""What an entry may say, how it is hashed, and how a chain of them is judged. Pure.

The hash of an entry is the SHA-256 of the following texts in UTF-8, each as a netstring (``<bytes>:<text>,``; D. J. Bernstein,
1997), one after the other: the word ``drystone-audit-1``, the number in decimal, the moment as ``2026-01-31T23:59:59.000000Z``,
actor, kind, behind, glass in decimal, action, subject, the fields as they stand in the table, the hash of the entry before in
lower-case hexadecimal digits, 64 zeros before the first. Lengths make it unambiguous, and nothing has to be parsed to check it.
"""

from __future__ import annotations

import hashlib
import math
import re
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime

import msgspec

from drystone.l00_kernel.ports import Field
from drystone.l00_kernel.visible import visible
from drystone.l50_orchestrator.audit.api import Problem
from drystone.l50_orchestrator.audit.errors import EntryUnfit, SecretInEntry

FORMAT = "drystone-audit-1"
BEGINNING = "0" * 64
"""What stands for the hash of the entry before the first."""

OWN_SUBJECTS = frozenset(
    {"audit", "environment", "glass", "grant", "person", "policy", "team", "token"}
)
"""First words of subjects that are no environments: what comes behind is no service."""

LONGEST_SUBJECT = 300
LONGEST_TEXT = 4000
MOST_FIELDS = 32

_ACTION = re.compile(r"[a-z][a-z0-9-]*(\.[a-z][a-z0-9-]*){1,4}")
_FIELD = re.compile(r"[a-z][a-z0-9_]{0,39}")
_SECRET_NAME = re.compile(
    r"token|secret|passw|passphrase|credential|private|api_?key|authorization|cookie"
)
_SECRET_TEXT = re.compile(
    r"dry_[0-9A-Za-z]{20}"
    r"|eyJ[\w-]{8,}\.[\w-]{8,}\."
    r"|-----BEGIN [A-Z ]{0,30}PRIVATE KEY"
    r"|://[^/\s:@]{1,200}:[^/\s@]{1,200}@"
    r"|\b(?:AKIA|ASIA)[0-9A-Z]{16}\b"
    r"|\bgh[pousr]_[0-9A-Za-z]{30}"
    r"|\bglpat-[\w-]{20}"
    r"|\bxox[abprs]-[\w-]{10}"
    r"|(?i:\bbearer\s+[\w.~+/-]{16})"
)


class Entry(msgspec.Struct, frozen=True):
    """One entry as it stands in the table; see :class:`~drystone.l50_orchestrator.audit.api.EntryView`."""

    number: int
    at: datetime
    actor: str
    kind: str
    behind: str
    glass: int
    action: str
    subject: str
    fields: str
    previous: str
    hash: str = ""

    def hashed(self) -> str:
        """Return the hash that it must have: 64 hexadecimal digits."""
        moment = self.at.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
        texts = (
            FORMAT,
            str(self.number),
            moment,
            self.actor,
            self.kind,
            self.behind,
            str(self.glass),
            self.action,
            self.subject,
            self.fields,
            self.previous,
        )
        return hashlib.sha256(b"".join(map(_netstring, texts))).hexdigest()


def _netstring(text: str) -> bytes:
    # What was edited by hand may hold anything that the database can; it must not stop the reading.
    content = text.encode("utf-8", "surrogatepass")
    return b"%d:%b," % (len(content), content)


def is_secret(text: str) -> bool:
    """Tell whether a text holds something that looks like a token, a key or a password."""
    return _SECRET_TEXT.search(text) is not None


def checked(action: str, subject: str, fields: Mapping[str, Field]) -> str:
    """Return the fields of a new entry as they are written: JSON, sorted by name, without spaces.

    Raises:
        EntryUnfit: An action, a subject or a field has not the form that it must have.
        SecretInEntry: A name or a value looks like a secret. The message does not quote it.
    """
    if not _ACTION.fullmatch(action):
        raise EntryUnfit(
            f"{visible(action[:80])!r} is no action: it is dotted words, release.deployed"
        )
    if not subject:
        raise EntryUnfit(f"{action} concerns nothing: name what it was done to")
    _check_text("subject", subject, LONGEST_SUBJECT)
    if len(fields) > MOST_FIELDS:
        raise EntryUnfit(f"{action} has {len(fields)} fields; {MOST_FIELDS} are the most")
    for name, value in fields.items():
        _check_field(name, value)
    return msgspec.json.encode(dict(sorted(fields.items()))).decode()


def _check_field(name: str, value: Field) -> None:
    if not _FIELD.fullmatch(name):
        raise EntryUnfit(
            f"{visible(name[:80])!r} is no name of a field: small letters, digits and _"
        )
    if _SECRET_NAME.search(name):
        raise SecretInEntry(
            f"a field named {name} may not stand in the audit log: secrets have no place there"
        )
    match value:
        case None | bool():
            return
        case str():
            _check_text(name, value, LONGEST_TEXT)
        case int():
            if not -(2**63) <= value < 2**63:
                raise EntryUnfit(f"{name} is a number of more than 64 bits")
        case float():
            if not math.isfinite(value):
                raise EntryUnfit(f"{name} is {value}, which JSON does not have")


def _check_text(name: str, text: str, longest: int) -> None:
    if len(text) > longest:
        raise EntryUnfit(f"{name} has {len(text)} characters; {longest} are the most")
    if "\x00" in text or any("\ud800" <= c <= "\udfff" for c in text):
        raise EntryUnfit(f"{name} holds a character that no text has")
    if is_secret(text):
        raise SecretInEntry(
            f"{name} holds something that looks like a secret, and the audit log keeps what it is told for ever; say it"
            " in other words"
        )


class Head(msgspec.Struct, frozen=True):
    """An entry's number and hash, kept outside of the database.

    Attributes:
        number: Of an entry.
        hash: Its hash then.
        at: When this was written down.
        is_restored: Whether somebody accepted then that the database was an older copy, which agreed up to this entry.
    """

    number: int
    hash: str
    at: datetime
    is_restored: bool = False


def standing(heads: Sequence[Head]) -> dict[int, Head]:
    """Return the heads that hold, by number: what was accepted as lost holds no longer.

    Args:
        heads: In the order in which they were written.
    """
    held = dict[int, Head]()
    for head in heads:
        if head.is_restored:
            held = {number: one for number, one in held.items() if number <= head.number}
        if head.number:
            held[head.number] = head
    return held


class Walk:
    """Reads a chain from its beginning, entry by entry, until something is wrong.

    Args:
        heads: Those that hold, by number.

    Attributes:
        entries: How many entries were good.
        head: Hash of the last of them.
        anchored: Number of the last one that a head confirms.
    """

    def __init__(self, heads: Mapping[int, Head]) -> None:
        self._heads = heads
        self.entries = 0
        self.head = BEGINNING
        self.anchored = 0

    def read(self, entries: Iterable[Entry]) -> Problem | None:
        """Go on with entries in the order of their numbers; the first problem."""
        for entry in entries:
            problem = self._step(entry)
            if problem is not None:
                return problem
        return None

    def _step(self, entry: Entry) -> Problem | None:
        number = self.entries + 1
        if entry.number != number:
            return Problem(
                "missing",
                number,
                f"entry {number} is missing: after {self.entries} comes {entry.number}",
            )
        if entry.hashed() != entry.hash:
            return Problem(
                "changed",
                number,
                f"entry {number} ({visible(entry.action[:80])}) was changed: it is not what was hashed when it was written",
            )
        if entry.previous != self.head:
            return Problem(
                "unlinked",
                number,
                f"entry {number} does not follow entry {number - 1}: one of them was changed and hashed anew",
            )
        head = self._heads.get(number)
        if head is not None and head.hash != entry.hash:
            return Problem("rewritten", self.anchored + 1, self._rewritten(head))
        self.entries, self.head = number, entry.hash
        if head is not None:
            self.anchored = number
        return None

    def _rewritten(self, head: Head) -> str:
        return (
            f"entries {self.anchored + 1} to {head.number} fit together, and are not those of {_day(head)}, when entry"
            f" {head.number} had another hash: the log was rewritten from one of them on, or the database was restored from a"
            " copy of before and went on"
        )

    def end(self) -> Problem | None:
        """Tell what is wrong when no entry is left."""
        beyond = [head for number, head in self._heads.items() if number > self.entries]
        if not beyond:
            return None
        last = max(beyond, key=lambda head: head.number)
        return Problem(
            "cut",
            self.entries + 1,
            f"the log ends with entry {self.entries}, and on {_day(last)} it had {last.number}: its end was cut off, or the"
            " database was restored from an older copy",
        )


def _day(head: Head) -> str:
    return head.at.astimezone(UTC).strftime("%Y-%m-%d %H:%M UTC")
