"""What a policy must hold to before anything evaluates it: a part of Rego in which nothing fails in silence.

Rego answers *undefined* for much that is a mistake, and a rule that is undefined refuses nothing. The evaluator moreover takes a
name that was never declared for an undefined value, where OPA would refuse the policy. So policies keep to a dialect that can be
checked: every variable is declared (``some``, ``every``, ``:=``, parameters), every call is of a rule of the same module or of a
function on the list, what is read from ``input`` is there by its type, and nothing comes from ``data`` or is changed by ``with``.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import msgspec

from drystone.l10_engines.policies.builtins import ALLOWED
from drystone.l10_engines.policies.comparing import also_called, compared
from drystone.l10_engines.policies.errors import PolicyUnfit
from drystone.l10_engines.policies.shapes import Leaf, Shape
from drystone.l10_engines.policies.tokens import Mistake, Token, Unreadable, tokens

MOST_BYTES = 64 << 10
RULES = ("deny", "warn")
"""What a policy answers by: sets of findings."""

WHERE = "docs/how-to/guard-deploys.md"
_MOST_MISTAKES = 30
_KEYWORDS = frozenset(
    [
        "as",
        "contains",
        "default",
        "else",
        "every",
        "false",
        "if",
        "import",
        "in",
        "not",
        "null",
        "package",
        "set",
        "some",
        "true",
        "with",
    ]
)
_SPACES = frozenset(name.partition(".")[0] for name in ALLOWED)


class Module(msgspec.Struct, frozen=True):
    """A policy.

    Attributes:
        name: Small letters, digits and ``-``; its package is ``drystone.<name>`` with ``_`` in place of ``-``.
        text: The Rego.
    """

    name: str
    text: str

    @property
    def package(self) -> str:
        """The last part of its package."""
        return self.name.replace("-", "_")


class Read(msgspec.Struct, frozen=True):
    """What a reader found.

    Attributes:
        rules: Which of :data:`RULES` the policy has.
        mistakes: In their order.
    """

    rules: tuple[str, ...]
    mistakes: tuple[Mistake, ...]


def checked(module: Module, known: Shape = None) -> tuple[str, ...]:
    """Return the names of the rules by which a policy answers.

    Args:
        module: The policy.
        known: What ``input`` may hold.

    Raises:
        PolicyUnfit: It has mistakes.
    """
    found = read(module, known)
    if found.mistakes:
        raise unfit(module.name, found.mistakes)
    return found.rules


def unfit(name: str, mistakes: Sequence[Mistake]) -> PolicyUnfit:
    """Return the error that tells mistakes."""
    told = [f"{name}.rego:{m.line}:{m.column}: {m.sentence}" for m in mistakes[:_MOST_MISTAKES]]
    if len(mistakes) > _MOST_MISTAKES:
        told.append(f"… and {len(mistakes) - _MOST_MISTAKES} more")
    return PolicyUnfit("\n".join(told))


def read(module: Module, known: Shape = None) -> Read:
    """Read a policy and find every mistake that can be found without evaluating it. Never raises."""
    size = len(module.text.encode(errors="surrogatepass"))
    if size > MOST_BYTES:
        sentence = f"this policy has {size} bytes; {MOST_BYTES} are the most: make several of it"
        return Read((), (Mistake(1, 1, sentence),))
    try:
        every = list(tokens(module.text))
    except Unreadable as e:
        return Read((), (e.mistake,))
    found: list[Mistake] = []
    statements = list(_statements(every, found))
    head = _head(module, statements, found)
    rules = [_Rule(statement, found) for statement in statements[head:]]
    functions = {rule.name for rule in rules if rule.is_function}
    names = {rule.name for rule in rules}
    aliases = {"input": known, **also_called([rule.tokens for rule in rules], known)}
    for rule in rules:
        rule.check(names, functions, known)
        found += compared(rule.tokens, rule.declared, aliases)
    kept = tuple(rule for rule in RULES if rule in names)
    if not kept and not found:
        sentence = "this policy finds nothing: write 'deny contains {\"text\": …} if { … }'"
        found.append(Mistake(1, 1, sentence))
    return Read(kept, tuple(sorted(set(found), key=lambda m: (m.line, m.column))))


def _statements(every: Sequence[Token], found: list[Mistake]) -> Iterator[list[Token]]:
    """Yield what begins in the first column; everything else belongs to what began before it."""
    statement: list[Token] = []
    depth = 0
    for token in every:
        if depth == 0 and token.begins and token.text not in "}])":
            if token.column != 1:
                found.append(_at(token, "begin every rule in the first column"))
            if statement:
                yield statement
            statement = []
        statement.append(token)
        if token.kind == "sign":
            depth += (token.text in "{[(") - (token.text in "}])")
    if statement:
        yield statement


def _head(module: Module, statements: list[list[Token]], found: list[Mistake]) -> int:
    """Check what stands before the rules; return how many statements that are."""
    words = [
        "".join(t.text if i != 1 else f" {t.text}" for i, t in enumerate(s)) for s in statements
    ]
    package = f"package drystone.{module.package}"
    if words[:1] != [package]:
        where = statements[0][0] if statements else Token("word", "", 1, 1, begins=True)
        found.append(_at(where, f"begin with '{package}'"))
    if words[1:2] != ["import rego.v1"]:
        where = statements[1][0] if len(statements) > 1 else Token("word", "", 1, 1, begins=True)
        found.append(
            _at(where, "write 'import rego.v1' below the package, and import nothing else")
        )
    return 2


def _at(token: Token, sentence: str) -> Mistake:
    return Mistake(token.line, token.column, sentence)


class _Rule:
    """One rule: its name, what it declares, and what it uses."""

    def __init__(self, every: list[Token], found: list[Mistake]) -> None:
        self._found = found
        self.tokens = every[1:] if every[0].text == "default" else every
        self.declared: set[str] = {"_", "input"}
        first = self.tokens[0] if self.tokens else every[0]
        self.name = first.text
        after = self._text(1)
        self.is_function = after == "("
        if first.kind != "word" or first.text in _KEYWORDS | {"input", "data"}:
            found.append(_at(first, "a rule begins with its name"))
        elif first.text in ALLOWED or first.text in _SPACES:
            found.append(
                _at(
                    first,
                    f"'{first.text}' is a function of the language: give the rule another name",
                )
            )
        elif after in {".", "["}:
            found.append(
                _at(first, f"the name of a rule is one word: write '{first.text} contains …'")
            )
        elif first.text in RULES and (after != "contains" or every[0].text == "default"):
            found.append(
                _at(
                    first,
                    f"'{first.text}' is a set: write '{first.text} contains {{\"text\": …}} if {{ … }}'",
                )
            )
        self._declare()

    def _text(self, i: int) -> str:
        return self.tokens[i].text if 0 <= i < len(self.tokens) else ""

    def _declare(self) -> None:
        i = 1
        if self.is_function:
            end = self._closing(1)
            for token in self.tokens[2:end]:
                self._name(token)
            i = end
        for at in range(i, len(self.tokens)):
            match self.tokens[at].text:
                case "some" | "every" if self.tokens[at].kind == "word":
                    self._listed(at + 1)
                case ":=" if at > 0:
                    self._assigned(at - 1)
                case _:
                    pass

    def _closing(self, opening: int) -> int:
        depth = 0
        for at in range(opening, len(self.tokens)):
            if self.tokens[at].kind == "sign":
                depth += (self._text(at) in "{[(") - (self._text(at) in "}])")
            if depth == 0:
                return at
        return len(self.tokens)

    def _listed(self, at: int) -> None:
        """Declare the names behind ``some`` or ``every``."""
        while at < len(self.tokens):
            token = self.tokens[at]
            if token.kind != "word" or token.text in _KEYWORDS:
                self._found.append(
                    _at(token, "name variables behind 'some' and 'every', and nothing else")
                )
                return
            self._name(token)
            if self._text(at + 1) == "in":
                return
            if self._text(at + 1) != ",":
                self._found.append(_at(token, "say where it comes from: 'some x in …'"))
                return
            at += 2

    def _assigned(self, at: int) -> None:
        token = self.tokens[at]
        if at == 0 or token.text == ")":  # the value of the rule itself
            return
        if token.kind == "word" and token.text not in _KEYWORDS:
            self._name(token)
        elif token.text != "else":
            self._found.append(_at(token, "a name stands before ':=', and nothing else"))

    def _name(self, token: Token) -> None:
        if token.kind != "word" or token.text in _KEYWORDS:
            return
        if token.text in ALLOWED or token.text in _SPACES or token.text in {"input", "data"}:
            self._found.append(
                _at(
                    token,
                    f"'{token.text}' is a word of the language: give the variable another name",
                )
            )
            return
        self.declared.add(token.text)

    def check(self, names: set[str], functions: set[str], known: Shape) -> None:
        """Find uses of what is not declared."""
        for at, token in enumerate(self.tokens):
            if token.text == "(" and at and self._text(at - 1) in {"]", "}"} and not token.begins:
                self._found.append(_at(token, "call a function by its name"))
            if token.kind != "word" or (at and self._text(at - 1) == "."):
                continue
            if token.text in {"with", "import", "package"}:
                self._found.append(_at(token, f"'{token.text}' stands in no rule"))
            elif token.text in _KEYWORDS and not (token.text == "contains" and self._is_call(at)):
                continue
            elif token.text == "data":
                self._found.append(
                    _at(token, "a policy knows 'input' and its own rules, and no 'data'")
                )
            else:
                self._use(at, token, names, functions, known)

    def _is_call(self, at: int) -> bool:
        return at > 1 and self._text(at + 1) == "("

    def _use(
        self, at: int, token: Token, names: set[str], functions: set[str], known: Shape
    ) -> None:
        path, end = self._path(at)
        called = ".".join(path)
        if self._text(end) == "(" and at > 0:
            if called not in functions and called not in ALLOWED:
                self._found.append(
                    _at(
                        token,
                        f"'{called}' may not be called: policies call their own functions, and those of {WHERE}",
                    )
                )
        elif token.text == "input":
            self._look_up(token, path[1:], known)
        elif token.text not in self.declared and token.text not in names:
            self._found.append(
                _at(token, f"'{token.text}' is declared nowhere: declare it with 'some' or ':='")
            )

    def _path(self, at: int) -> tuple[list[str], int]:
        """Return the keys of a reference as far as they are written out, and where what follows stands."""
        path = [self._text(at)]
        at += 1
        while True:
            if self._text(at) == "." and at + 1 < len(self.tokens):
                path.append(self._text(at + 1))
                at += 2
            elif (
                self._text(at) == "["
                and self._text(at + 2) == "]"
                and self._text(at + 1)[:1] == '"'
            ):
                path.append(self._text(at + 1)[1:-1])
                at += 3
            else:
                return path, at

    def _look_up(self, token: Token, path: Sequence[str], known: Shape) -> None:
        place = "input"
        for key in path:
            if known is None:
                return
            if isinstance(known, Leaf):
                self._found.append(_at(token, f"{place} is a {known.kind}, and has no '{key}'"))
                return
            if key not in known and "*" not in known:
                there = ", ".join(sorted(known)) or "nothing"
                self._found.append(_at(token, f"{place} has no '{key}'; it has {there}"))
                return
            known = known[key] if key in known else known["*"]
            place = f"{place}.{key}"
