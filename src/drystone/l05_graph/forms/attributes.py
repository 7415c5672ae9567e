"""Which attributes components and dependencies have in a form, and what each is made of.

One table serves the YAML form, where a block is a mapping (``recovery: {least: 1h, …}``), and tables, where it is several
columns (``recovery_least``).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import msgspec

from drystone.l05_graph.forms.values import (
    day,
    duration,
    flag,
    number,
    share,
    text,
    whole,
    word,
)
from drystone.l05_graph.model import Acceptance, BreakGlass, Estimate, Pillar, phases
from drystone.l05_graph.words import Kind, Phase, Plane, Resilience, Risk, Strength

Parse = Callable[[str], Any]


class Single(msgspec.Struct, frozen=True):
    """An attribute that is one value."""

    parse: Parse


class Several(msgspec.Struct, frozen=True):
    """An attribute that is a list of values, of which one alone may stand without a list.

    Attributes:
        parse: Of each.
        gather: What makes the attribute of all.
    """

    parse: Parse
    gather: Callable[[list[Any]], Any]


class Block(msgspec.Struct, frozen=True):
    """An attribute that has attributes itself.

    Attributes:
        parts: Its attributes.
        required: Those that must be said.
        make: What makes the attribute of its parts.
        short: What is meant by a single value in its place.
    """

    parts: Mapping[str, Single]
    required: tuple[str, ...]
    make: Callable[..., Any]
    short: Parse | None = None


Attribute = Single | Several | Block


def _estimate(written: str) -> Estimate:
    certain = duration(written)
    return Estimate(certain, certain, certain)


COMPONENT: Mapping[str, Attribute] = {
    "kind": Single(word(Kind)),
    "owner": Single(text),
    "crew": Single(text),
    "tier": Single(whole),
    "layer": Single(whole),
    "cost_move": Single(number),
    "plane": Single(word(Plane)),
    "regions": Several(text, tuple),
    "resilience": Single(word(Resilience)),
    "slo": Single(share),
    "availability": Single(share),
    "recovery": Block(
        {"least": Single(duration), "likely": Single(duration), "most": Single(duration)},
        ("least", "likely", "most"),
        Estimate,
        _estimate,
    ),
    "break_glass": Block(
        {"takes": Single(duration), "cost": Single(number), "runbook": Single(text)},
        ("takes",),
        BreakGlass,
        lambda written: BreakGlass(takes=duration(written)),
    ),
    "pillar": Block(
        {"cost": Single(number), "adoption": Single(number)},
        ("cost",),
        Pillar,
        lambda written: Pillar(cost=number(written)),
    ),
    "products": Several(text, tuple),
    "note": Single(text),
}

STRENGTH = word(Strength)
DEPENDENCY: Mapping[str, Attribute] = {
    "strength": Single(STRENGTH),
    "at": Several(word(Phase, {"runtime": "run", "run-time": "run"}), phases),
    "risk": Single(word(Risk, {"artefacts": "artifacts"})),
    "group": Single(text),
    "cost_remove": Single(number),
    "cost_soften": Single(number),
    "can_change": Single(flag),
    "without": Single(text),
    "accepted": Block(
        {"by": Single(text), "reason": Single(text), "until": Single(day)},
        ("by", "reason", "until"),
        Acceptance,
    ),
    "note": Single(text),
}

SYNONYMS = {
    "team": "owner",
    "criticality": "tier",
    "type": "kind",
    "category": "risk",
    "phase": "at",
    "phases": "at",
    "when": "at",
    "region": "regions",
    "product": "products",
    "break-glass": "break_glass",
    "dependencies": "needs",
    "depends-on": "needs",
    "rto": "recovery",
    "sla": "slo",
}
"""Words that people try, with ours."""
