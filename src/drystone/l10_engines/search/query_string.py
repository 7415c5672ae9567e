"""Queries that people type: ``query_string`` with fields, ranges and AND, OR, NOT; ``simple_query_string``, which never errs."""

from __future__ import annotations

import re
from typing import Any, Literal

import msgspec
from tantivy import Occur, Query

from drystone.l10_engines.search.errors import Refused, unreadable
from drystone.l10_engines.search.fulltext import fields_of, match, phrase
from drystone.l10_engines.search.mapping import Field
from drystone.l10_engines.search.queries import from_wildcard, fuzzy, pattern
from drystone.l10_engines.search.scope import (
    DEEPEST,
    Compiler,
    Scope,
    any_of,
    boosted,
    everything,
    nothing,
    options,
)

_TOKEN = re.compile(
    r"""\s*(?:
        (?P<field>(?:[^\s():"\[\]{}^~+\-!\\/]|\\.)(?:[^\s():"\[\]{}^~\\/]|\\.)*):
      | (?P<phrase>"(?:[^"\\]|\\.)*")(?:~(?P<slop>\d+))?
      | (?P<range>[\[{]\s*(?P<low>\S+)\s+TO\s+(?P<high>[^\s\]}]+)\s*(?P<close>[\]}]))
      | (?P<compare>[<>]=?)(?P<than>[^\s()]+)
      | (?P<open>\()
      | (?P<end>\))
      | (?P<sign>[+!]|-(?=\S))
      | (?P<and>AND\b|&&)
      | (?P<or>OR\b|\|\|)
      | (?P<not>NOT\b)
      | (?P<word>(?:[^\s():"\[\]{}^~\\]|\\.)+)(?:~(?P<fuzzy>\d?))?
    )(?:\^(?P<boost>\d+(?:\.\d+)?))?""",
    re.VERBOSE,
)
_SIMPLE = str.maketrans(
    {"[": r"\[", "]": r"\]", "{": r"\{", "}": r"\}", ":": r"\:", "!": r"\!", "/": r"\/", "^": r"\^"}
)
_KNOWN = {"query", "fields", "default_operator", "lenient", "analyze_wildcard"}


class _Parser(msgspec.Struct):
    """Reads one query from left to right."""

    scope: Scope
    text: str
    default: list[tuple[Field, float]]
    operator: Literal["and", "or"]
    binds: bool
    """Whether AND binds more than OR; where it does not, each word is needed, forbidden, or welcome, as Lucene reads it."""
    place: int = 0

    def token(self) -> re.Match[str] | None:
        if not self.text[self.place :].strip():
            return None
        found = _TOKEN.match(self.text, self.place)
        if found is None or found.end() == self.place:
            raise Refused(
                "query_shard_exception",
                f"Failed to parse query [{self.text[:200]}] at character {self.place + 1}",
            )
        return found

    def expression(self, fields: list[tuple[Field, float]], depth: int) -> Query:
        """Read until the end or a closing parenthesis."""
        if depth > DEEPEST:
            raise unreadable(f"parentheses lie in each other {DEEPEST} deep at most")
        clauses: list[tuple[Occur | None, Query]] = []
        groups: list[Query] = []
        joined = ""
        while (found := self.token()) is not None and not found["end"]:
            if found["and"] or found["or"]:
                self.place = found.end()
                joined = "and" if found["and"] else "or"
                if self.binds and found["or"] and clauses:
                    groups.append(_joined(clauses))
                    clauses = []
                continue
            how: Occur | None = None
            while found is not None and (found["sign"] or found["not"]):
                self.place = found.end()
                how = Occur.Must if found["sign"] == "+" else Occur.MustNot
                found = self.token()
            if found is None or found["end"]:
                break
            query = self.clause(found, fields, depth)
            if joined == "and" or (not joined and self.operator == "and" and how is None):
                how = how or Occur.Must
                if joined and clauses and clauses[-1][0] is None:
                    clauses[-1] = Occur.Must, clauses[-1][1]
            clauses.append((how, query))
            joined = ""
        if clauses:
            groups.append(_joined(clauses))
        return any_of(groups)

    def clause(self, found: re.Match[str], fields: list[tuple[Field, float]], depth: int) -> Query:
        self.scope.count()
        self.place = found.end()
        if found["field"]:
            name = _plain(found["field"])
            after = self.token()
            if after is None or after["end"]:
                raise unreadable(f"nothing is sought in the field [{name}]")
            if name == "_exists_":
                self.place = after.end()
                return self.scope.query({"exists": {"field": _plain(after["word"] or "")}})
            return self.clause(after, fields_of(self.scope, [name]), depth)
        if found["open"]:
            inner = self.expression(fields, depth + 1)
            end = self.token()
            if end is None or not end["end"]:
                raise unreadable("a parenthesis is not closed")
            self.place = end.end()
            return boosted(inner, float(end["boost"]) if end["boost"] else None)
        found_in = [boosted(self.one(found, field), counts) for field, counts in fields]
        whole = (
            nothing()
            if not found_in
            else found_in[0]
            if len(found_in) == 1
            else Query.disjunction_max_query(found_in, 0.0)
        )
        if found["word"] == "*":
            whole = everything()
        return boosted(whole, float(found["boost"]) if found["boost"] else None)

    def one(self, found: re.Match[str], field: Field) -> Query:  # noqa: PLR0911 - one for each kind of word
        """Compile what is sought in one field."""
        if found["phrase"]:
            body = {"query": _plain(found["phrase"][1:-1]), "slop": int(found["slop"] or 0)}
            return phrase(self.scope, field, body)
        if found["range"]:
            sides = {
                "gte" if found["range"][0] == "[" else "gt": found["low"],
                "lte" if found["close"] == "]" else "lt": found["high"],
            }
            said = {key: _plain(value) for key, value in sides.items() if value != "*"}
            return self.scope.query({"range": {field.path: said}})
        if found["compare"]:
            key = {">": "gt", ">=": "gte", "<": "lt", "<=": "lte"}[found["compare"]]
            return self.scope.query({"range": {field.path: {key: _plain(found["than"])}}})
        word = found["word"]
        if re.search(r"(?<!\\)[*?]", word):
            if field.type not in ("text", "keyword"):
                return nothing()
            return pattern(
                self.scope, field, from_wildcard(word.lower() if field.type == "text" else word)
            )
        if found["fuzzy"] is not None:
            plain = _plain(word).lower() if field.type == "text" else _plain(word)
            return fuzzy(self.scope, field, plain, found["fuzzy"] or 2)
        return match(
            self.scope, field, {"query": _plain(word), "operator": self.operator, "lenient": True}
        )


def _joined(clauses: list[tuple[Occur | None, Query]]) -> Query:
    whole = [(how or Occur.Should, query) for how, query in clauses]
    if all(how is Occur.MustNot for how, _ in whole):
        whole.append((Occur.Must, everything()))
    return Query.boolean_query(whole)


def _plain(text: str) -> str:
    return re.sub(r"\\(.)", r"\1", text)


def _query_string(scope: Scope, said: Any) -> Query:
    body = options("query_string", said, _KNOWN | {"default_field"})
    fields = body.get("fields") or ([body["default_field"]] if "default_field" in body else None)
    found = _parser(scope, body, str(body.get("query", "")), fields, binds=False)
    whole = found.expression(found.default, 1)
    if found.token() is not None:
        raise unreadable(
            f"Failed to parse query [{found.text[:200]}]: a parenthesis is closed that was not opened"
        )
    return boosted(whole, body.get("boost"))


def _parser(scope: Scope, body: dict[str, Any], text: str, fields: Any, *, binds: bool) -> _Parser:
    if len(text) > 10_000:
        raise unreadable("a query has 10000 characters at most")
    operator = str(body.get("default_operator", "or")).lower()
    return _Parser(
        scope, text, fields_of(scope, fields), "and" if operator == "and" else "or", binds
    )


def _simple_query_string(scope: Scope, said: Any) -> Query:
    body = options("simple_query_string", said, _KNOWN)
    text = str(body.get("query", "")).translate(_SIMPLE)
    text = re.sub(r"\b(AND|OR|NOT)\b", lambda word: word[0].lower(), text).replace("|", " OR ")
    if text.count('"') % 2:
        text = text.replace('"', " ")
    text = re.sub(r"(?<=\s)\+(?=\s)", " AND ", text)
    text = re.sub(r"~(?!\d)", " ", text)
    if text.count("(") != text.count(")"):
        text = re.sub(r"[()]", " ", text)
    try:
        found = _parser(scope, body, text, body.get("fields"), binds=True)
        whole = found.expression(found.default, 1)
    except Refused as e:
        if e.kind in ("parsing_exception", "query_shard_exception"):
            return nothing()
        raise
    return boosted(whole, body.get("boost"))


KINDS: dict[str, Compiler] = {
    "query_string": _query_string,
    "simple_query_string": _simple_query_string,
}
"""Queries that people type."""
