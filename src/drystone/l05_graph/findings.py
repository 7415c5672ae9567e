"""What is checked of a model, and what is found."""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from fnmatch import fnmatchcase

import msgspec

from drystone.l05_graph.model import Acceptance, Component, Dependency, Path
from drystone.l05_graph.reach import shown


class Severity(StrEnum):
    """How bad a finding is, the worst first."""

    ERROR = "error"
    WARNING = "warning"
    NOTE = "note"


class Rule(StrEnum):
    """What is checked."""

    DEADLOCK = "deadlock"
    """Nothing needs itself in a circle through a phase before it serves."""
    CO_START = "co-start"
    """Nothing needs itself in a circle at run time."""
    LAYER = "layer"
    """A hard dependency does not lead to a higher layer."""
    SAME_LAYER = "same-layer"
    """Nor to the same one."""
    TIER = "tier"
    """What is important needs nothing that is less so."""
    RESILIENCE = "resilience"
    """What claims to survive the loss of a zone or region needs nothing that does not."""
    REGION = "region"
    """What runs in a region needs nothing that does not run there."""
    PLANE = "plane"
    """What serves needs nothing at run time that changes things (static stability)."""
    FORBIDDEN = "forbidden"
    """No dependency is one that was forbidden."""
    STRENGTH = "strength"
    """Somebody has said how strong each dependency is."""
    WITHOUT = "without"
    """Of a soft dependency it is said what happens without it."""
    ACCEPTED = "accepted"
    """No acceptance of a risk has run out."""
    SLO = "slo"
    """What is promised can be kept."""
    UNDECLARED = "undeclared"
    """Every dependency that traffic shows is declared."""
    FAILS_TOGETHER = "fails-together"
    """What can do without a soft dependency does not fail with it."""
    NEVER_OBSERVED = "never-observed"
    """Every dependency at run time is used."""


OBSERVED = (Rule.UNDECLARED, Rule.FAILS_TOGETHER, Rule.NEVER_OBSERVED)
"""What is checked of a model and evidence together (:mod:`~drystone.l05_graph.observed`)."""


LEVELS: Mapping[Rule, Severity] = {
    Rule.DEADLOCK: Severity.ERROR,
    Rule.CO_START: Severity.ERROR,
    Rule.LAYER: Severity.ERROR,
    Rule.SAME_LAYER: Severity.ERROR,
    Rule.TIER: Severity.ERROR,
    Rule.RESILIENCE: Severity.ERROR,
    Rule.REGION: Severity.WARNING,
    Rule.PLANE: Severity.ERROR,
    Rule.FORBIDDEN: Severity.ERROR,
    Rule.STRENGTH: Severity.NOTE,
    Rule.WITHOUT: Severity.NOTE,
    Rule.ACCEPTED: Severity.ERROR,
    Rule.SLO: Severity.WARNING,
    Rule.UNDECLARED: Severity.WARNING,
    Rule.FAILS_TOGETHER: Severity.WARNING,
    Rule.NEVER_OBSERVED: Severity.NOTE,
}


class Pattern(msgspec.Struct, frozen=True, kw_only=True):
    """Dependencies, by patterns (``*``, ``?``, ``[…]``) of names, of products, or of both.

    Attributes:
        source: Of who needs.
        target: Of what is needed.
        source_product: Of a product of who needs; None when it does not matter.
        target_product: Of a product of what is needed.
        hard_only: Whether soft ones do not matter.
        reason: Why; it is told.
    """

    source: str = "*"
    target: str = "*"
    source_product: str | None = None
    target_product: str | None = None
    hard_only: bool = False
    reason: str = ""

    def is_about(self, one: Dependency, source: Component) -> bool:
        """Whether a dependency of this component matters, wherever it leads."""
        return (one.is_hard or not self.hard_only) and _is(source, self.source, self.source_product)

    def fits(self, one: Dependency, source: Component, target: Component) -> bool:
        """Whether a dependency between two components is one of these."""
        return self.is_about(one, source) and _is(target, self.target, self.target_product)

    def sentence(self) -> str:
        """Name it in a message."""
        return f"{_named(self.source, self.source_product)} → {self.goal()}"

    def goal(self) -> str:
        """Name what may be needed."""
        return _named(self.target, self.target_product)


def _is(component: Component, name: str, product: str | None) -> bool:
    return fnmatchcase(component.name, name) and (
        product is None or any(fnmatchcase(one, product) for one in component.products)
    )


def _named(name: str, product: str | None) -> str:
    if product is None:
        return name
    return f"product {product}" if name == "*" else f"{name} of product {product}"


class Rules(msgspec.Struct, frozen=True, kw_only=True):
    """What is checked, and how bad it is.

    Attributes:
        levels: The severity of each rule; one that is missing is not checked.
        forbidden: No dependency may be one of these.
        allowed: What has a pattern here for its source may only need what one of them allows.
    """

    levels: Mapping[Rule, Severity] = msgspec.field(default_factory=lambda: LEVELS)
    forbidden: tuple[Pattern, ...] = ()
    allowed: tuple[Pattern, ...] = ()


class Finding(msgspec.Struct, frozen=True, kw_only=True):
    """Where a model breaks a rule.

    Attributes:
        rule: Which.
        severity: How bad it is; a note when it is accepted.
        subject: The component whose owner has to act.
        sentence: What is wrong.
        path: The dependencies that prove it, in order.
        advice: What to do.
        accepted: Who has accepted it.
    """

    rule: Rule
    severity: Severity
    subject: str
    sentence: str
    path: Path
    advice: str
    accepted: Acceptance | None = None

    @property
    def key(self) -> tuple[Rule, str, str]:
        """What tells whether it is the same finding in another model."""
        return (self.rule, self.subject, shown(self.path[:1] + self.path[-1:]))
