"""What an untangling may do, what it must reach, and what it did."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from drystone.l05_graph.arrays import Costs, Numbers
from drystone.l05_graph.limits import Proven
from drystone.l05_graph.model import Model, Pillar
from drystone.l05_graph.pinned import Contradiction, pins_of


class Goal(StrEnum):
    """What must not be left."""

    NO_TANGLE = "no-tangle"
    """No cycle of hard edges at all."""
    NO_DEADLOCK = "no-deadlock"
    """No cycle of hard edges through one that is needed before serving; circles that start together may stay."""


class Move(StrEnum):
    """What can be done."""

    REMOVE = "remove"
    SOFTEN = "soften"
    LATER = "later"
    """Need it at run time only."""
    PILLAR = "pillar"
    """Make a fallback, which some take in place of the component."""
    LAYER = "layer"
    """Move a decided layer."""


@dataclass(frozen=True, kw_only=True)
class Step:
    """One move.

    Attributes:
        move: What is done.
        edges: To which edges; for a pillar those whose sources take it, ascending; for a moved layer none.
        vertex: What the pillar is for, or whose layer is moved.
        cost: Of it.
        layer: Where to, for a layer that is moved: the lowest that it can have.
        path: Edges that do not fit the old layer, downwards.
    """

    move: Move
    edges: Numbers
    vertex: int | None
    cost: float
    layer: int | None = None
    path: tuple[int, ...] = ()


@dataclass(frozen=True, kw_only=True)
class Untangling(Proven):
    """The moves.

    Attributes:
        steps: Pillars first, then by edge.
        cost: Of all.
        bound: No moves that reach the goal cost less.
        witnesses: Cycles, as the edges of them that can be changed, that show the bound.
        impossible: Cycles of which nothing can be changed: one of each tangle of such. They stay.
        contradictions: Decided layers that were not followed, because of what nobody can change.
    """

    steps: tuple[Step, ...]
    witnesses: tuple[Numbers, ...]
    impossible: tuple[Numbers, ...]
    contradictions: tuple[Contradiction, ...] = ()


@dataclass(frozen=True, kw_only=True)
class Allowed:
    """Which moves may be made.

    Attributes:
        moves: Of these kinds.
        pillars: For which vertices a fallback could be made.
        later: What it costs, for each edge, to need it at run time only; a share of softening it when None.
        pins: Decided layers to keep, by vertex: whatever must lie on no cycle must then lead to a lower layer.
        move_layer: What it costs, by vertex, to move a decided layer; nobody may where it is not here.
    """

    moves: frozenset[Move] = frozenset(Move)
    pillars: Mapping[int, Pillar] = field(default_factory=dict)
    later: Costs | None = None
    pins: Mapping[int, int] = field(default_factory=dict)
    move_layer: Mapping[int, float] = field(default_factory=dict)

    @classmethod
    def of(cls, model: Model, moves: Collection[Move], *, keeps_layers: bool) -> Allowed:
        """Return what the components of a model allow.

        Args:
            model: Says for which a fallback could be made, and whose layers could be moved.
            moves: Of these kinds.
            keeps_layers: Whether decided layers are to be kept.
        """
        every = list(enumerate(model.components))
        return cls(
            moves=frozenset(moves),
            pillars={number: one.pillar for number, one in every if one.pillar is not None},
            pins=pins_of(model) if keeps_layers else {},
            move_layer={
                number: one.cost_move for number, one in every if one.cost_move is not None
            },
        )
