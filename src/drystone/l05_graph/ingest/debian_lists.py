"""Packages and Sources files of a Debian archive, read into numbers.

An archive has a hundred thousand packages that name each other more than a million times, mostly in the same words. So every
clause, such as ``libc6 (>= 2.34)``, is understood once, and resolved once when all packages are known.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from enum import IntEnum

import numpy as np

from drystone.l00_kernel.yaml_text.problems import visible
from drystone.l05_graph.arrays import Numbers
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
    users: Numbers
    clauses: Numbers
    fields: Numbers
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
        self._provides_version: set[tuple[bytes, int]] = set()
        self._clauses: list[int] = []
        self._spans: list[tuple[int, Field, int]] = []
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
        take = self._source if is_source else self._binary
        at, line, counted = 0, 1, 0
        for stanza in content.split(b"\n\n"):
            reason = take(stanza) if stanza.strip() else ""
            if reason:
                line, counted = line + content.count(b"\n", counted, at), at
                self._skips.add(reason, f"{file.name}:{line}")
            at += len(stanza) + 2
        if not content.endswith(b"\n"):
            self._skips.add("the last line has no end; was the file cut?", file.name)

    def _binary(self, stanza: bytes) -> str:
        """Take a stanza; return why it is left out."""
        name = _name(stanza)
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
                    if found[2]:
                        self._provides_version.add((found[1], number))
        for key, field in _OF_BINARIES.items():
            if key in stanza:
                self._relations(number, _value(stanza, key), field)
        return ""

    def _source(self, stanza: bytes) -> str:
        name = _name(stanza)
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
        number_of, numbers = self._numbers.setdefault, self._numbers
        found = [number_of(clause, len(numbers)) for clause in value.split(b",")]
        self._clauses += found
        self._spans.append((user, field, len(found)))

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
        targets = [self._resolved(clause) for clause in self._numbers]
        self._add_origins({name: number + count for name, number in self._sources.items()}, targets)
        ends = np.array([user for user, _, _ in self._spans], np.int64)
        lengths = np.array([length for _, _, length in self._spans], np.int64)
        fields = np.array([field for _, field, _ in self._spans], np.int64)
        return Lists(
            names=names,
            binaries=count,
            users=np.repeat(np.where(ends >= 0, ends, count - 1 - ends), lengths),
            clauses=np.array(self._clauses, np.int64),
            fields=np.repeat(fields, lengths),
            targets=targets,
            skips=self._skips,
        )

    def _add_origins(self, sources: dict[bytes, int], targets: list[tuple[int, ...]]) -> None:
        """Add what each binary package is built from."""
        built: dict[int, int] = {}
        for number, origin in enumerate(self._origins):
            source = sources.get(origin)
            if source is not None:
                if source not in built:
                    built[source] = len(targets)
                    targets.append((source,))
                self._clauses.append(built[source])
                self._spans.append((number, Field.BUILT_FROM, 1))
            elif sources:
                self._skips.add("the source of a package is in no list", _shown(origin))

    def _called(self, name: bytes, *, has_version: bool) -> Iterator[int]:
        """Return the packages that a name means: first the real one, then those that stand for it.

        Who provides a name without a version satisfies no clause with one (Debian Policy, section 7.5).
        """
        if name in self._binaries:
            yield self._binaries[name]
        for provider in self._provides.get(name, ()):
            if not has_version or (name, provider) in self._provides_version:
                yield provider

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
            found.update(dict.fromkeys(self._called(name, has_version=bool(version))))
            is_known = True
        if not found and is_known:
            self._skips.add("a clause names no package of the lists", _shown(clause))
        elif is_elsewhere and not is_known:
            self._skips.add("a clause is for other architectures or profiles")
        return tuple(found)


def _name(stanza: bytes) -> bytes:
    """Return the name of a package, which nearly always stands in the first line."""
    if stanza.startswith(_PACKAGE):
        return stanza[len(_PACKAGE) : stanza.find(b"\n") if b"\n" in stanza else None].strip()
    return _value(b"\n" + stanza.removeprefix(b"\xef\xbb\xbf"), b"\nPackage:")


def _value(stanza: bytes, key: bytes) -> bytes:
    """Return the value of a field with its continuation lines; empty when there is none."""
    at = stanza.find(key)
    if at < 0:
        return b""
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
    return visible(clause[:60].decode("latin-1").strip())
