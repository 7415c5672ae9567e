"""Which tangle is looked at, and what its untangling is asked to do."""

from __future__ import annotations

from collections.abc import Hashable
from dataclasses import dataclass, replace
from datetime import timedelta
from enum import StrEnum

import numpy as np

from drystone.l05_graph.limits import Progress
from drystone.l05_graph.moves import (
    Allowed,
    Goal,
    Move,
    Search,
    Untangling,
    untangle,
)
from drystone.l05_graph.tangles import Tangle
from drystone.l05_graph.words import TangleKind
from drystone.l80_governance.dependencies.errors import QuestionUnclear, TangleNotFound
from drystone.l80_governance.dependencies.jobs import Tell
from drystone.l80_governance.dependencies.view import View

SECONDS = 5
MOST_SECONDS = 120


class Reach(StrEnum):
    """How far the untangling goes."""

    NO_TANGLE = Goal.NO_TANGLE.value
    NO_DEADLOCK = Goal.NO_DEADLOCK.value


@dataclass(frozen=True, kw_only=True)
class Question:
    """What is asked.

    Attributes:
        tangle: Which.
        goal: What must not be left.
        moves: What may be done.
        seconds: How long to search.
    """

    tangle: Tangle
    goal: Goal
    moves: frozenset[Move]
    seconds: int

    def key(self, view: View) -> Hashable:
        """Return what tells it from other questions."""
        members = (str(self.tangle.kind), *self.tangle.members.tolist())
        model = view.analysis.model.digest
        return (model, members, self.goal, self.moves, self.seconds)

    def search(self, view: View, tell: Tell) -> Untangling:
        """Search for the cheapest moves in the tangle; edges are those of the whole graph."""

        def on_progress(now: Progress) -> None:
            share = now.elapsed / timedelta(seconds=self.seconds)
            tell(
                share,
                f"{now.doing}: an answer costs {now.cost:.6g}, none less than {now.bound:.6g}",
            )

        graph = view.analysis.graph
        edges = self.tangle.edges
        inside = graph.only(edges)
        found = untangle(
            inside,
            self.goal,
            # Decided layers count where somebody asks for them to be moved.
            Allowed.of(view.analysis.model, self.moves, keeps_layers=Move.LAYER in self.moves),
            Search(time_limit=timedelta(seconds=self.seconds), on_progress=on_progress),
        )
        return Untangling(
            steps=tuple(
                replace(step, edges=edges[step.edges], path=tuple(edges[list(step.path)].tolist()))
                for step in found.steps
            ),
            cost=found.cost,
            bound=found.bound,
            witnesses=tuple(edges[row] for row in found.witnesses),
            impossible=tuple(edges[row] for row in found.impossible),
            contradictions=tuple(
                replace(one, path=edges[one.path]) for one in found.contradictions
            ),
        )


@dataclass(frozen=True, kw_only=True)
class State:
    """How far a search is.

    Attributes:
        answer: What it found; None while it goes on, and when it was ended.
        text: Where it is.
        is_ended: Whether somebody has ended it.
    """

    answer: Untangling | None = None
    text: str = ""
    is_ended: bool = False

    @property
    def goes_on(self) -> bool:
        """Whether something is to come."""
        return self.answer is None and not self.is_ended


ENDED = State(is_ended=True)


def question_of(view: View) -> Question:
    """Return what the address asks for.

    Raises:
        ComponentNotFound: There is no such component.
        TangleNotFound: It is in no tangle of that kind.
        QuestionUnclear: A word is none, or no move may be made.
    """
    tangle = tangle_asked(view)
    asked = view.asked
    said = [word for one in asked.texts("move") for word in one.split(",") if word]
    known = {str(move): move for move in Move}
    if any(word not in known for word in said):
        raise QuestionUnclear(f"a move is one of {', '.join(known)}")
    moves = frozenset(known[word] for word in said) or frozenset(Move) - {Move.LAYER}
    reach = asked.word("goal", Reach)
    if reach is None:
        goal = Goal.NO_DEADLOCK if tangle.kind is TangleKind.DEADLOCK else Goal.NO_TANGLE
    else:
        goal = Goal(reach.value)
    seconds = asked.number("limit", SECONDS, least=1, most=MOST_SECONDS)
    return Question(tangle=tangle, goal=goal, moves=moves, seconds=seconds)


def tangle_asked(view: View) -> Tangle:
    """Return the tangle that has a member.

    Raises:
        ComponentNotFound: There is no such component.
        TangleNotFound: It is in no tangle of that kind.
    """
    one = view.found("of")
    vertex = view.analysis.model.numbers[one.name]
    kind = view.asked.word("kind", TangleKind)
    for tangle in view.analysis.tangles:
        if (kind is None or tangle.kind is kind) and np.any(tangle.members == vertex):
            return tangle
    raise TangleNotFound(f"{one.name[:80]} is in no {kind or 'tangle'} of this model")
