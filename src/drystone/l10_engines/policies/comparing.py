"""Finds the comparisons of a policy that never come out otherwise, since both sides are of different types."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence

from drystone.l10_engines.policies.shapes import EQUAL, ORDER, Shape, inside, never, walked
from drystone.l10_engines.policies.tokens import Mistake, Token

INPUT = "input"


def also_called(rules: Sequence[Sequence[Token]], known: Shape) -> dict[str, Shape]:
    """Return the rules that are another word for a part of ``input``, and what that is.

    Args:
        rules: Tokens of each.
        known: What ``input`` may hold.
    """
    names = [rule[0].text for rule in rules if rule]
    found = {}
    for rule in rules:
        words = [token.text for token in rule[:3]]
        if words[1:] != [":=", INPUT] or names.count(words[0]) != 1:
            continue
        shape, end, _ = walked(rule, 2, known)
        if end >= len(rule) or rule[end].text == "if":
            found[words[0]] = shape
    return found


def compared(
    rule: Sequence[Token], declared: Collection[str], aliases: Mapping[str, Shape]
) -> list[Mistake]:
    """Return the mistakes of one rule.

    Args:
        rule: Its tokens.
        declared: Names of its own, which hide those of rules.
        aliases: What ``input`` and other rules stand for.
    """
    own = {name: shape for name, shape in aliases.items() if name not in declared or name == INPUT}
    return _Comparing(rule, own).mistakes()


class _Comparing:
    """One rule, and what is known of its names so far."""

    def __init__(self, rule: Sequence[Token], known: dict[str, Shape]) -> None:
        self._rule = rule
        self._known = known

    def mistakes(self) -> list[Mistake]:
        found = []
        for at, token in enumerate(self._rule):
            is_name = token.kind == "word" and (at == 0 or self._text(at - 1) != ".")
            if is_name and token.text in self._known and (told := self._told(at)):
                found.append(Mistake(token.line, token.column, told))
            self._learn(at)
        return found

    def _text(self, at: int) -> str:
        return self._rule[at].text if 0 <= at < len(self._rule) else ""

    def _ends(self, at: int, signs: str) -> bool:
        """Tell whether an expression ends before a token."""
        return at >= len(self._rule) or self._rule[at].begins or self._text(at) in signs

    def _learn(self, at: int) -> None:
        """Take note of what a variable stands for that is declared here."""
        if self._text(at + 1) == ":=" and at > 0:
            self._known.pop(self._text(at), None)
            if (whole := self._reference(at + 2, "};")) is not None:
                self._known[self._text(at)] = whole[0]
        elif self._text(at) == "in" and self._declares(at):
            self._known.pop(self._text(at - 1), None)
            if self._text(at - 2) == ",":
                self._known.pop(self._text(at - 3), None)
            if (whole := self._reference(at + 1, "{};")) is not None:
                self._known[self._text(at - 1)] = inside(whole[0], None)

    def _reference(self, at: int, signs: str) -> tuple[Shape] | None:
        """Return what a reference leads to; None where it is none, or not all of the expression."""
        name = self._text(at)
        if name not in self._known:
            return None
        shape, end, _ = walked(self._rule, at, self._known[name])
        return (shape,) if self._ends(end, signs) else None

    def _declares(self, at: int) -> bool:
        """Tell whether an ``in`` gives values to variables, and does not ask."""
        before = at - 4 if self._text(at - 2) == "," else at - 2
        return self._text(before) in {"some", "every"}

    def _told(self, at: int) -> str:
        """Say what is wrong with the comparison that a reference stands in; empty where nothing is."""
        shape, end, place = walked(self._rule, at, self._known[self._text(at)])
        operator, before = self._text(end), self._text(at - 1) if at > 0 else ""
        literals: Sequence[Token] = ()
        if operator in EQUAL | ORDER and end + 1 < len(self._rule) and self._ends(end + 2, "};)],"):
            literals = self._rule[end + 1 : end + 2]
        elif operator == "in" and self._text(end + 1) in {"{", "["}:
            literals = self._listed(end + 2)
        elif before in EQUAL | ORDER and self._ends(end, "};)],") and at > 1:
            operator, literals = before, self._rule[at - 2 : at - 1]
        told = [never(place, shape, operator, literal) for literal in literals]
        return told[0] if told and all(told) else ""

    def _listed(self, at: int) -> Sequence[Token]:
        """Return the texts and numbers of a list or set, where it holds nothing else."""
        end = at
        while end < len(self._rule) and self._text(end) not in "}]":
            end += 1
        inner = [token for token in self._rule[at:end] if token.text != ","]
        return inner if all(token.kind in {"text", "number"} for token in inner) else ()
