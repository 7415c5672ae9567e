"""Queries by the words of texts: match and its kin."""

from __future__ import annotations

from fnmatch import fnmatchcase
from typing import Any

from tantivy import Occur, Query

from drystone.l10_engines.search import analysis
from drystone.l10_engines.search.errors import Refused, illegal, not_offered, unreadable
from drystone.l10_engines.search.mapping import Field
from drystone.l10_engines.search.queries import escaped, fuzzy, pattern, term
from drystone.l10_engines.search.scope import Compiler, Scope, boosted, everything, nothing, options

_MATCH = {
    "query",
    "operator",
    "minimum_should_match",
    "fuzziness",
    "zero_terms_query",
    "analyzer",
    "lenient",
    "auto_generate_synonyms_phrase_query",
}
_PHRASE = {"query", "slop", "analyzer", "zero_terms_query"}


def minimum(said: Any, count: int) -> int:
    """Return how many of some clauses are to hold.

    Args:
        said: A number or a share, of those that hold or, below zero, of those that may not.
        count: How many there are.
    """
    text = str(said).strip()
    try:
        share = text.removesuffix("%")
        number = (
            int(share)
            if share == text
            else int(count * abs(int(share)) / 100) * (-1 if int(share) < 0 else 1)
        )
        is_less = int(share) < 0
    except ValueError as e:
        raise not_offered(
            f"[minimum_should_match: {said}]", "Write a number or a percentage."
        ) from e
    return max(0, min(count, count + number if is_less else number))


def _analyzer(field: Field, body: dict[str, Any]) -> str:
    name = str(body.get("analyzer") or field.analyzer)
    if name not in analysis.ANALYZERS:
        raise illegal(
            f"analyzer [{name}] not found; this platform has {', '.join(analysis.ANALYZERS)}"
        )
    return name


def match(scope: Scope, field: Field, body: dict[str, Any]) -> Query:
    """Return what finds words of a text.

    Args:
        scope: What it is compiled for.
        field: Which one.
        body: ``query`` with its options.
    """
    operator = str(body.get("operator", "or")).lower()
    if operator not in ("or", "and"):
        raise illegal(f"operator is or, or and, not [{operator}]")
    if field.type != "text":
        return _match_value(scope, field, body)
    words = [word for _, word in analysis.words(_analyzer(field, body), _text(body["query"]))]
    if not words:
        return everything() if body.get("zero_terms_query") == "all" else nothing()
    scope.count(len(words))
    if "fuzziness" in body:
        found = [fuzzy(scope, field, word, body["fuzziness"]) for word in words]
    else:
        found = [term(scope, field, word) for word in words]
    if len(found) == 1:
        return found[0]
    if operator == "and":
        return Query.boolean_query([(Occur.Must, one) for one in found])
    least = (
        minimum(body["minimum_should_match"], len(found)) if "minimum_should_match" in body else 1
    )
    return Query.boolean_query([(Occur.Should, one) for one in found], max(1, least))


def _match_value(scope: Scope, field: Field, body: dict[str, Any]) -> Query:
    try:
        fuzziness = body.get("fuzziness")
        is_plain = fuzziness is None or field.type != "keyword"
        return (
            term(scope, field, body["query"])
            if is_plain
            else fuzzy(scope, field, str(body["query"]), fuzziness)
        )
    except Refused:
        if body.get("lenient"):
            return nothing()
        raise


def _text(value: Any) -> str:
    if isinstance(value, dict | list) or value is None:
        raise unreadable("the words of a query are a text")
    return ("true" if value else "false") if isinstance(value, bool) else str(value)


def phrase(  # noqa: PLR0911 - a ladder of cases
    scope: Scope, field: Field, body: dict[str, Any], *, is_prefix: bool = False
) -> Query:
    """Return what finds words in order.

    Args:
        scope: What it is compiled for.
        field: Which one.
        body: ``query`` with its options.
        is_prefix: Whether the last word may go on.
    """
    if field.type != "text":
        if is_prefix:
            return pattern(scope, field, escaped(str(body["query"])) + "(?s:.*)")
        return term(scope, field, body["query"])
    words = analysis.words(_analyzer(field, body), _text(body["query"]))
    if not words:
        return everything() if body.get("zero_terms_query") == "all" else nothing()
    slop = body.get("slop", 0)
    if isinstance(slop, bool) or not isinstance(slop, int) or not 0 <= slop <= 100:
        raise illegal("slop is a number from 0 to 100")
    scope.count(len(words))
    column = scope.column(field)
    for _, word in words[:-1] if is_prefix else words:
        scope.seek(field, word)
    if is_prefix:
        if slop:
            raise not_offered("[slop] of the query [match_phrase_prefix]")
        scope.seek(field, words[-1][1], is_prefix=True)
        if len(words) == 1:
            return pattern(scope, field, escaped(words[0][1]) + "(?s:.*)")
        return Query.phrase_prefix_query(scope.schema, column, _from_zero(words))
    if len(words) == 1:
        return Query.term_query(scope.schema, column, words[0][1], "position")
    return Query.phrase_query(scope.schema, column, _from_zero(words), slop)


def _from_zero(words: list[tuple[int, str]]) -> list[str | tuple[int, str]]:
    first = words[0][0]
    return [(position - first, word) for position, word in words]


def _single(kind: str, known: set[str]) -> Compiler:
    def compile_it(scope: Scope, said: Any) -> Query:
        if not isinstance(said, dict) or len(said) != 1:
            raise unreadable(f"[{kind}] query names one field")
        ((path, body),) = said.items()
        body = options(kind, body, known) if isinstance(body, dict) else {"query": body}
        if "query" not in body:
            raise unreadable(f"No text specified for text query of [{path}]")
        field = scope.fields.get(path)
        if field is None:
            return nothing()
        return boosted(of_kind(kind, scope, field, body), body.get("boost"))

    return compile_it


def of_kind(kind: str, scope: Scope, field: Field, body: dict[str, Any]) -> Query:
    """Compile one of the queries of this module, for one field."""
    if kind == "match":
        return match(scope, field, body)
    return phrase(scope, field, body, is_prefix=kind == "match_phrase_prefix")


def fields_of(scope: Scope, said: Any) -> list[tuple[Field, float]]:
    """Return the fields that names with ``*`` and ``^`` mean, each with how much it counts.

    Args:
        scope: What it is compiled for.
        said: The names; texts and keywords of the index when there are none.
    """
    names = [said] if isinstance(said, str) else said
    if names in (None, []):
        names = ["*"]
    if not isinstance(names, list):
        raise unreadable("[fields] is a list of names")
    found: dict[str, tuple[Field, float]] = {}
    for name in names:
        path, _, much = str(name).partition("^")
        try:
            counts = float(much) if much else 1.0
        except ValueError as e:
            raise illegal(f"[{name}] has no number after ^") from e
        if "*" not in path:
            if path in scope.fields:
                found[path] = scope.fields[path], counts
            continue
        for other, field in scope.fields.items():
            if field.type in ("text", "keyword") and fnmatchcase(other, path):
                found[other] = field, counts
    return list(found.values())


def _multi_match(scope: Scope, said: Any) -> Query:
    body = options("multi_match", said, _MATCH | {"fields", "type", "tie_breaker", "slop"})
    if "query" not in body:
        raise unreadable("No text specified for multi_match query")
    how = str(body.get("type", "best_fields"))
    kinds = {
        "best_fields": "match",
        "most_fields": "match",
        "phrase": "match_phrase",
        "phrase_prefix": "match_phrase_prefix",
    }
    if how not in kinds:
        raise not_offered(
            f"[type: {how}] of the query [multi_match]", f"It is one of {', '.join(kinds)}."
        )
    inner = {
        key: value
        for key, value in body.items()
        if key not in ("fields", "type", "tie_breaker", "boost")
    }
    found = []
    for field, counts in fields_of(scope, body.get("fields")):
        if field.type not in ("text", "keyword"):
            inner = {**inner, "lenient": True}
        scope.count()
        found.append(boosted(of_kind(kinds[how], scope, field, inner), counts))
    if not found:
        return nothing()
    if how == "most_fields":
        whole = Query.boolean_query([(Occur.Should, one) for one in found])
    else:
        whole = Query.disjunction_max_query(found, float(body.get("tie_breaker", 0.0)))
    return boosted(whole, body.get("boost"))


KINDS: dict[str, Compiler] = {
    "match": _single("match", _MATCH),
    "match_phrase": _single("match_phrase", _PHRASE),
    "match_phrase_prefix": _single("match_phrase_prefix", _PHRASE),
    "multi_match": _multi_match,
}
"""Queries by words."""
