"""Debian: what packages need to run, and what is needed to build them. Large, public and well known: good to try things on.

==================  ======  =====  ========  =========================================
field               hard    at     risk      of
==================  ======  =====  ========  =========================================
Depends             yes     run    other     binary packages
Pre-Depends         yes     start  other     binary packages
Recommends          no      run    other     binary packages
Suggests            no      run    other     binary packages
Build-Depends(-…)   yes     build  builds    sources (``src:bash``)
built from          yes     build  source    binary packages; cannot be changed
==================  ======  =====  ========  =========================================

``a | b``, and a virtual package that several provide, are groups of which one is enough. Versions are not compared.
A list of the whole archive becomes numbers within seconds (:func:`read_graph`); as a model it takes several times as long.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from drystone.l05_graph.arrays import BITS, Graph, Numbers, graph_of_edges
from drystone.l05_graph.costs import BASE, SOFTEN_SHARE
from drystone.l05_graph.ingest.debian_lists import SOURCE as SOURCE_PREFIX
from drystone.l05_graph.ingest.debian_lists import Field, Lists, read_lists
from drystone.l05_graph.ingest.gathering import Gathering
from drystone.l05_graph.ingest.source import Declared, DeclaredSource, File, Skip
from drystone.l05_graph.model import Component
from drystone.l05_graph.words import Kind, Phase, Risk, Strength


class _Meaning(NamedTuple):
    how: str
    strength: Strength
    at: Phase
    risk: Risk


MEANING = {
    Field.DEPENDS: _Meaning("Depends", Strength.HARD, Phase.RUN, Risk.OTHER),
    Field.PRE_DEPENDS: _Meaning("Pre-Depends", Strength.HARD, Phase.START, Risk.OTHER),
    Field.RECOMMENDS: _Meaning("Recommends", Strength.SOFT, Phase.RUN, Risk.OTHER),
    Field.SUGGESTS: _Meaning("Suggests", Strength.SOFT, Phase.RUN, Risk.OTHER),
    Field.BUILD_DEPENDS: _Meaning("Build-Depends", Strength.HARD, Phase.BUILD, Risk.BUILDS),
    Field.BUILT_FROM: _Meaning("built from", Strength.HARD, Phase.BUILD, Risk.SOURCE),
}


@dataclass(frozen=True, kw_only=True)
class Archive:
    """An archive as a graph.

    Attributes:
        graph: Of its packages; an edge for each pair and field, to the first alternative.
        fields: By which :class:`Field` each edge is.
        choices: How many clauses leave a choice, of which the first was taken.
        skips: What was left out.
    """

    graph: Graph
    fields: Numbers
    choices: int
    skips: tuple[Skip, ...]


def read_graph(files: Sequence[File]) -> Archive:
    """Read Packages and Sources files, plain or compressed by gzip or xz, into numbers.

    Raises:
        Unreadable: A file is none of them.
    """
    lists = read_lists(files)
    first = np.array([some[0] if some else -1 for some in lists.targets], np.int64)
    many = np.array([len(some) > 1 for some in lists.targets], np.bool_)
    users, fields, targets = lists.users, lists.fields, first[lists.clauses]
    known = (targets >= 0) & (targets != users)
    _count_loops(lists, int(np.count_nonzero((targets >= 0) & ~known)))
    count, kinds = len(lists.names), len(Field)
    keys = np.sort((users[known] * count + targets[known]) * kinds + fields[known])
    keys = keys[np.concatenate(([True], keys[1:] != keys[:-1]))] if len(keys) else keys
    field, pair = keys % kinds, keys // kinds
    meaning = [MEANING[one] for one in Field]
    cost = np.array([BASE[one.risk] for one in meaning])[field]
    graph = graph_of_edges(
        lists.names,
        pair // count,
        pair % count,
        cost,
        soften=cost * SOFTEN_SHARE,
        hard=np.array([one.strength is Strength.HARD for one in meaning])[field],
        at=np.array([BITS[one.at] for one in meaning], np.int8)[field],
        can_change=field != Field.BUILT_FROM,
    )
    choices = int(np.count_nonzero(many[lists.clauses]))
    return Archive(graph=graph, fields=field, choices=choices, skips=lists.skips.result())


def read(files: Sequence[File]) -> Declared:
    """Read Packages and Sources files, plain or compressed by gzip or xz, into a model.

    Raises:
        Unreadable: A file is none of them.
    """
    lists = read_lists(files)
    gathering = Gathering("Debian")
    gathering.skips = lists.skips
    names = lists.names
    for name in names:
        note = "source package" if name.startswith(SOURCE_PREFIX) else ""
        gathering.component(Component(name=name, kind=Kind.TOOL, note=note), "")
    every = (lists.users.tolist(), lists.clauses.tolist(), lists.fields.tolist())
    for user, clause, number in zip(*every, strict=True):
        targets = lists.targets[clause]
        if not targets:
            continue
        how, strength, at, risk = MEANING[Field(number)]
        if user in targets:
            _count_loops(lists, 1)
            continue
        gathering.needs(
            names[user],
            [names[target] for target in targets],
            "",
            how,
            strength=strength,
            at=(at,),
            risk=risk,
            can_change=number != Field.BUILT_FROM,
        )
    return gathering.declared("package of Debian")


def _count_loops(lists: Lists, count: int) -> None:
    if count:
        lists.skips.add("a package needs what it is or provides itself", count=count)


SOURCE = DeclaredSource(
    name="debian",
    title="Debian package lists",
    files=tuple(
        f"*{kind}{end}" for kind in ("Packages", "Sources") for end in ("", ".gz", ".xz", ".lz4")
    ),
    format="https://www.debian.org/doc/debian-policy/ch-relationships.html",
    read=read,
)
