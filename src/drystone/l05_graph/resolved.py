"""Graphs with alternatives as graphs without: what tangles are found in."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from drystone.l05_graph.alternatives import spare_lines
from drystone.l05_graph.arrays import BITS, Flags, Graph
from drystone.l05_graph.climb import climbed
from drystone.l05_graph.needs import Alternatives, Needs
from drystone.l05_graph.strong import strong_components
from drystone.l05_graph.words import BEFORE_SERVING, Phase


def resolved(graph: Graph) -> Graph:
    """Return the graph in which alternatives are hard or soft edges: those that are counted on are hard.

    An edge of a group is needed when any of the group is. Where no group lies inside a strong component of all that could
    be hard, nothing is looked at further.
    """
    if graph.group is None:
        return graph
    among = graph.group >= 0
    if not crosses(graph):
        return graph
    hard, at = as_groups(graph)
    needs = needs_of_graph(graph)
    spare = np.zeros(len(hard), np.bool_)
    spare[list(spare_lines(needs, climbed(needs).wave))] = True
    return replace(graph, hard=hard & ~(among & spare), at=at, group=None)


def crosses(graph: Graph) -> bool:
    """Whether an edge of a group lies inside a strong component of all that could be hard."""
    if graph.group is None:
        return False
    hard, _ = as_groups(graph)
    _, of = strong_components(graph.size, graph.source[hard], graph.target[hard])
    return bool(np.any(hard & (graph.group >= 0) & (of[graph.source] == of[graph.target])))


def as_groups(graph: Graph) -> tuple[Flags, np.ndarray[tuple[int], np.dtype[np.int8]]]:
    """Return which edges are hard and when each is needed, where all of a group are as any of it is."""
    assert graph.group is not None  # noqa: S101 - asked by the callers
    members = np.nonzero(graph.group >= 0)[0]
    group = graph.group[members]
    hard_group = np.zeros(len(graph.at_least), np.bool_)
    np.logical_or.at(hard_group, group, graph.hard[members])
    at_group = np.zeros(len(graph.at_least), np.int8)
    np.bitwise_or.at(at_group, group, graph.at[members])
    hard, at = graph.hard.copy(), graph.at.copy()
    hard[members], at[members] = hard_group[group], at_group[group]
    return hard, at


def needs_of_graph(graph: Graph) -> Needs:
    """Return the needs of a graph, by its vertices; lines are edges."""
    size = graph.size
    lists: list[list[list[int]]] = [[[] for _ in range(size)] for _ in range(5)]
    before, running, soft, of, among = lists
    needs = Needs(graph.names, before, running, soft, [], of, among)
    if graph.group is None:
        hard, at, group = graph.hard, graph.at, np.full(len(graph.hard), -1)
    else:
        hard, at = as_groups(graph)
        group = graph.group
    early_bits = sum(BITS[phase] for phase in BEFORE_SERVING)
    early, late = (at & early_bits) > 0, (at & BITS[Phase.RUN]) > 0
    columns = (graph.source, graph.target, early, late, group)
    members: dict[int, list[int]] = {}
    for edge in np.nonzero(hard)[0].tolist():
        source, target, is_early, is_late, which = (column[edge].item() for column in columns)
        if which >= 0:
            members.setdefault(which, []).append(edge)
            continue
        if is_early:
            before[source].append(target)
        if is_late:
            running[source].append(target)
    for which, edges in members.items():
        first = edges[0]
        enough = min(int(graph.at_least[which]), len(edges))
        targets = tuple(graph.target[edges].tolist())
        when = bool(early[first]), bool(late[first])
        if enough > 0 and any(when):
            source = int(graph.source[first])
            needs.add(Alternatives(source, enough, targets, tuple(edges), *when))
    return needs
