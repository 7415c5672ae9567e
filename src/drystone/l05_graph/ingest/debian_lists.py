"""Packages and Sources files of a Debian archive, read into numbers.

An archive has a hundred thousand packages that name each other more than a million times, mostly in the same words. So every
clause, such as ``libc6 (>= 2.34)``, is understood once, and resolved once when all packages are known.
"""

from __future__ import annotations

import re
from array import array
from collections.abc import Sequence
from dataclasses import dataclass
from enum import IntEnum

from drystone.l05_graph.ingest.source import File, Skips, Unreadable
from drystone.l05_graph.ingest.unpacking import unpacked

SOURCE = "src:"
"""What the names of source packages begin with."""
_ARCHITECTURES = frozenset(["amd64", "any", "linux-any", "any-amd64", "all"])
_CLAUSE = re.compile(
    rb"\s*([A-Za-z0-9][A-Za-z0-9+.\-]{0,200})(?::[a-z0-9\-]+)?\s*(\([^()]*\))?"
    rb"\s*(\[[^\[\]]*\])?\s*((?:<[^<>]*>\s*)*)"
)
_PACKAGE = b"Package:"


class Field(IntEnum):
    """By which field a package names another."""

    DEPENDS = 0
    PRE_DEPENDS = 1
    RECOMMENDS = 2
    SUGGESTS = 3
    BUILD_DEPENDS = 4
    BUILT_FROM = 5


_OF_BINARIES = {
    b"\nPre-Depends:": Field.PRE_DEPENDS,
    b"\nDepends:": Field.DEPENDS,
    b"\nRecommends:": Field.RECOMMENDS,
    b"\nSuggests:": Field.SUGGESTS,
}
_OF_SOURCES = {
    b"\nBuild-Depends:": Field.BUILD_DEPENDS,
    b"\nBuild-Depends-Arch:": Field.BUILD_DEPENDS,
    b"\nBuild-Depends-Indep:": Field.BUILD_DEPENDS,
}


@dataclass(frozen=True, kw_only=True)
class Lists:
    """What the files say.

    Attributes:
        names: Of all packages by number, binary packages first.
        binaries: How many of them are binary packages.
        users: Who names something, by number.
        clauses: What is named: a number of ``targets``.
        fields: By which field.
        targets: The packages that each clause can mean, by number; the first alternative first.
        skips: What was left out.
    """

    names: Sequence[str]
    binaries: int
    users: array[int]
    clauses: array[int]
    fields: array[int]
    targets: Sequence[tuple[int, ...]]
    skips: Skips


def read_lists(files: Sequence[File]) -> Lists:
    """Read the files of an archive.

    Raises:
        Unreadable: A file is not what it should be, or none names a package.
    """
    reader = _Reader()
    for file in files:
        reader.take(file, unpacked(file))
    return reader.result()


class _Reader:
    def __init__(self) -> None:
        self._binaries: dict[bytes, int] = {}
        self._sources: dict[bytes, int] = {}
        self._origins: list[bytes] = []
        self._provides: dict[bytes, list[int]] = {}
        self._users, self._clauses = array("q"), array("q")
        self._fields = array("b")
        self._numbers: dict[bytes, int] = {}
        self._skips = Skips()

    def take(self, file: File, content: bytes) -> None:
        """Take one file.

        Raises:
            Unreadable: It is no list of packages.
        """
        if b"\r\n" in content[:10_000]:
            content = content.replace(b"\r\n", b"\n")
        head = content[:100_000].removeprefix(b"\xef\xbb\xbf").split(b"\n\n", 1)[0]
        if b"\x00" in head or _PACKAGE not in head:
            raise Unreadable(
                f"{file.name}: this is no Packages or Sources file of Debian: it does not begin"
                " with lines such as 'Package: bash'"
            )
        is_source = b"\nBinary:" in head or b"\nFormat:" in head
        at, reason = 0, ""
        for stanza in content.split(b"\n\n"):
            if stanza.strip():
                reason = self._source(stanza) if is_source else self._binary(stanza)
                if reason:
                    line = content.count(b"\n", 0, at) + 1 if self._skips.count < 50 else 0
                    self._skips.add(reason, f"{file.name}:{line}" if line else "")
            at += len(stanza) + 2
        if not content.endswith(b"\n"):
            self._skips.add("the last line has no end; was the file cut?", file.name)

    def _binary(self, stanza: bytes) -> str:
        """Take a stanza; return why it is left out."""
        name = _value(stanza, b"\nPackage:")
        if not _is_name(name):
            return "a stanza has no name of a package"
        if name in self._binaries:
            return "another version of a package; the first counts"
        number = self._binaries[name] = len(self._binaries)
        source = _value(stanza, b"\nSource:")
        self._origins.append(source.split(b" ", 1)[0] if source else name)
        provides = _value(stanza, b"\nProvides:")
        if provides:
            for clause in provides.split(b","):
                found = _CLAUSE.fullmatch(clause)
                if found is not None:
                    self._provides.setdefault(found[1], []).append(number)
        for key, field in _OF_BINARIES.items():
            if key in stanza:
                self._relations(number, _value(stanza, key), field)
        return ""

    def _source(self, stanza: bytes) -> str:
        name = _value(stanza, b"\nPackage:")
        if not _is_name(name):
            return "a stanza has no name of a package"
        if name in self._sources:
            return "another version of a source package; the first counts"
        number = self._sources[name] = len(self._sources)
        for key, field in _OF_SOURCES.items():
            if key in stanza:
                # Sources are numbered behind the binary packages, whose number is not known yet.
                self._relations(-1 - number, _value(stanza, key), field)
        return ""

    def _relations(self, user: int, value: bytes, field: Field) -> None:
        numbers = self._numbers
        for clause in value.split(b","):
            number = numbers.get(clause)
            if number is None:
                number = numbers[clause] = len(numbers)
            self._users.append(user)
            self._clauses.append(number)
            self._fields.append(field)

    def result(self) -> Lists:
        """Resolve what was named.

        Raises:
            Unreadable: There is no package.
        """
        names = [name.decode("ascii") for name in self._binaries]
        count = len(names)
        if not count and not self._sources:
            raise Unreadable("the files hold no package of Debian")
        names += [f"{SOURCE}{name.decode('ascii')}" for name in self._sources]
        users = array("q", (user if user >= 0 else count - 1 - user for user in self._users))
        targets = [self._resolved(clause) for clause in self._numbers]
        clauses, fields = self._clauses, self._fields
        of_source = {name: number + count for name, number in self._sources.items()}
        built: dict[int, int] = {}
        for number, origin in enumerate(self._origins):
            source = of_source.get(origin)
            if source is not None:
                users.append(number)
                fields.append(Field.BUILT_FROM)
                if source not in built:
                    built[source] = len(targets)
                    targets.append((source,))
                clauses.append(built[source])
            elif self._sources:
                self._skips.add("the source of a package is in no list", origin.decode("latin-1"))
        return Lists(
            names=names,
            binaries=count,
            users=users,
            clauses=clauses,
            fields=fields,
            targets=targets,
            skips=self._skips,
        )

    def _resolved(self, clause: bytes) -> tuple[int, ...]:
        """Return the packages that a clause can mean, and count what it says beyond that."""
        found: dict[int, None] = {}
        is_elsewhere = is_known = False
        for alternative in clause.split(b"|"):
            match = _CLAUSE.fullmatch(alternative)
            if match is None:
                if alternative.strip():
                    self._skips.add("a relation that cannot be read", _shown(alternative))
                continue
            name, version, architectures, profiles = match.groups()
            if not _applies(architectures, profiles):
                is_elsewhere = True
                continue
            if version:
                self._skips.add("the version in a clause, which is not compared")
            number = self._binaries.get(name)
            if number is not None:
                found[number] = None
            # A real package goes before those that stand for it.
            found.update(dict.fromkeys(self._provides.get(name, ())))
            is_known = True
        if not found and is_known:
            self._skips.add("a clause names no package of the lists", _shown(clause))
        elif is_elsewhere and not is_known:
            self._skips.add("a clause is for other architectures or profiles")
        return tuple(found)


def _value(stanza: bytes, key: bytes) -> bytes:
    """Return the value of a field with its continuation lines; empty when there is none."""
    at = stanza.find(key)
    if at < 0:
        if not stanza.removeprefix(b"\xef\xbb\xbf").lstrip(b"\n").startswith(key[1:]):
            return b""
        at = stanza.index(key[1:]) - 1
    begin = at + len(key)
    end = stanza.find(b"\n", begin)
    while end >= 0 and stanza[end + 1 : end + 2] in (b" ", b"\t"):
        end = stanza.find(b"\n", end + 1)
    return stanza[begin : end if end >= 0 else len(stanza)].strip()


def _is_name(name: bytes) -> bool:
    found = _CLAUSE.fullmatch(name)
    return found is not None and found[1] == name


def _applies(architectures: bytes | None, profiles: bytes) -> bool:
    """Tell whether a clause counts on a common machine, in an ordinary build."""
    if architectures:
        words = architectures[1:-1].decode("latin-1").split()
        but = {word[1:] for word in words if word.startswith("!")}
        if but and not _ARCHITECTURES.isdisjoint(but):
            return False
        if not but and _ARCHITECTURES.isdisjoint(words):
            return False
    if profiles:
        every = re.findall(rb"<([^<>]*)>", profiles)
        # In an ordinary build no profile is on: one list that only negates is enough.
        return any(all(word.startswith(b"!") for word in one.split()) for one in every)
    return True


def _shown(clause: bytes) -> str:
    return clause[:60].decode("latin-1").strip()
