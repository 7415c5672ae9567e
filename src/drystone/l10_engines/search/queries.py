"""What documents a query finds: from the JSON of OpenSearch's query language to a query of tantivy.

Every key that is not known is refused by its name.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import msgspec
from tantivy import FieldType, Query

from drystone.l10_engines.search import columns, dates
from drystone.l10_engines.search.errors import Refused, illegal, not_offered, unreadable
from drystone.l10_engines.search.mapping import Field
from drystone.l10_engines.search.reading import value_of
from drystone.l10_engines.search.scope import (
    Compiler,
    Scope,
    any_of,
    boosted,
    everything,
    nothing,
    options,
)

MOST_TERMS = 65536
LONGEST_PATTERN = 1000


def _one_field(kind: str, said: Any, value: str, known: set[str]) -> tuple[str, dict[str, Any]]:
    """Read ``{field: value}`` or ``{field: {value: ..., more}}``."""
    if not isinstance(said, dict) or len(said) != 1:
        raise unreadable(f"[{kind}] query doesn't support multiple fields, and names one")
    ((path, body),) = said.items()
    if not isinstance(body, dict):
        return path, {value: body}
    found = options(kind, body, {value, *known})
    if value not in found:
        raise unreadable(f"[{kind}] query on [{path}] has no [{value}]")
    return path, found


def term(scope: Scope, field: Field, value: Any) -> Query:
    """Return what finds a value as it stands in a field.

    Args:
        scope: What it is compiled for.
        field: Which one.
        value: As a document would have it.
    """
    if field.type == "text":
        scope.seek(field, str(value))
        return Query.term_query(scope.schema, scope.column(field), _as_text(value), "position")
    try:
        found = value_of(field, value)
        if field.type == "date" and isinstance(value, str):
            found = [dates.computed(value, field.format, now=scope.now, up=False)]
    except ValueError as e:
        raise Refused("query_shard_exception", f"failed to create query: {e}") from e
    if not found:
        return nothing()
    if field.type == "keyword":
        scope.seek(field, str(found[0]))
        return Query.term_query(scope.schema, scope.column(field), found[0], "basic")
    return Query.term_query(scope.schema, scope.column(field), found[0])


def _as_text(value: Any) -> str:
    return value if isinstance(value, str) else msgspec.json.encode(value).decode()


def _term(scope: Scope, said: Any) -> Query:
    path, body = _one_field("term", said, "value", {"case_insensitive"})
    if body.get("case_insensitive", False) is not False:
        raise not_offered("[case_insensitive: true] of the query [term]")
    if path == "_id":
        return boosted(
            Query.term_query(scope.schema, columns.IDENTITY, str(body["value"]), "basic"),
            body.get("boost"),
        )
    if path == "_index":
        return everything() if body["value"] == scope.snapshot.record.name else nothing()
    field = scope.fields.get(path)
    return (
        nothing()
        if field is None
        else boosted(term(scope, field, body["value"]), body.get("boost"))
    )


def _terms(scope: Scope, said: Any) -> Query:
    body = dict(said) if isinstance(said, dict) else {}
    boost = body.pop("boost", None)
    if len(body) != 1:
        raise unreadable("[terms] query names one field and its values")
    ((path, values),) = body.items()
    if isinstance(values, dict):
        raise not_offered("the look-up of [terms] in another document")
    if not isinstance(values, list):
        raise unreadable("[terms] query requires an array of terms")
    if len(values) > MOST_TERMS:
        raise illegal(
            f"The number of terms [{len(values)}] exceeds the allowed maximum of [{MOST_TERMS}]"
        )
    if path == "_id":
        return _ids(scope, {"values": values})
    field = scope.fields.get(path)
    if field is None or not values:
        return nothing()
    if len(values) <= 16:
        found = any_of(
            [Query.const_score_query(term(scope, field, value), 1.0) for value in values]
        )
    elif field.type == "text":
        found = Query.term_set_query(
            scope.schema, scope.column(field), [_as_text(v) for v in values]
        )
    else:
        try:
            plain = [one for value in values for one in value_of(field, value)]
        except ValueError as e:
            raise Refused("query_shard_exception", f"failed to create query: {e}") from e
        found = Query.term_set_query(scope.schema, scope.column(field), plain)
    return boosted(Query.const_score_query(found, 1.0), boost)


def _ids(scope: Scope, said: Any) -> Query:
    values = options("ids", said, {"values"}).get("values", [])
    values = values if isinstance(values, list) else [values]
    if len(values) > MOST_TERMS:
        raise illegal(f"[ids] has {MOST_TERMS} values at most")
    found = Query.term_set_query(scope.schema, columns.IDENTITY, [str(value) for value in values])
    return boosted(Query.const_score_query(found, 1.0), said.get("boost"))


def _range(scope: Scope, said: Any) -> Query:
    if not isinstance(said, dict) or len(said) != 1:
        raise unreadable("[range] query names one field")
    ((path, body),) = said.items()
    body = options(
        "range", body, {"gt", "gte", "lt", "lte", "from", "to", "format", "time_zone", "relation"}
    )
    for key in ("from", "to", "relation", "time_zone"):
        if key in body and not (key == "time_zone" and body[key] in ("UTC", "Z", "+00:00")):
            raise not_offered(f"[{key}] of the query [range]", "Write gt, gte, lt and lte, in UTC.")
    field = scope.fields.get(path)
    if field is None:
        return nothing()
    if field.type == "text":
        raise not_offered(
            f"a range of the text [{path}]",
            "Ask for a range of a keyword, such as its field 'keyword'.",
        )
    low, with_low = _bound(scope, field, body, "gt", "gte")
    high, with_high = _bound(scope, field, body, "lt", "lte")
    if low is None and high is None:
        return _exists(scope, {"field": path})
    column = scope.column(field)
    if field.type == "keyword":
        found = _between(scope, column, low, high, with_low=with_low, with_high=with_high)
    else:
        kind = FieldType.Float if field.column == "float" else FieldType.Integer
        found = Query.range_query(scope.schema, column, kind, low, high, with_low, with_high)
    return boosted(Query.const_score_query(found, 1.0), body.get("boost"))


def _bound(
    scope: Scope, field: Field, body: dict[str, Any], without: str, with_it: str
) -> tuple[Any, bool]:
    if body.get(without) is not None and body.get(with_it) is not None:
        raise illegal(f"[range] has [{without}] or [{with_it}], not both")
    key = without if body.get(without) is not None else with_it
    value = body.get(key)
    if value is None:
        return None, True
    try:
        if field.type == "date":
            form = str(body.get("format", field.format))
            dates.check_format(form)
            up = key in ("gt", "lte")
            return dates.computed(value, form, now=scope.now, up=up), key == with_it
        if field.type == "keyword":
            return _as_text(value), key == with_it
        if field.column == "int" and isinstance(value, float) and not value.is_integer():
            whole = int(value // 1)
            return (whole + 1, True) if key in ("gt", "gte") else (whole, True)
        found = value_of(field, value)
    except (ValueError, OverflowError) as e:
        raise Refused("query_shard_exception", f"failed to create query: {e}") from e
    return found[0], key == with_it


def _between(
    scope: Scope, column: str, low: str | None, high: str | None, *, with_low: bool, with_high: bool
) -> Query:
    """Return what finds keywords between two; tantivy has no such query, but a list of all keywords in order."""
    found = scope.snapshot.searcher.terms_with_prefix(column, "", None, 4 * MOST_TERMS)
    within = [
        one
        for one, _ in found
        if (low is None or one > low or (with_low and one == low))
        and (high is None or one < high or (with_high and one == high))
    ]
    if len(found) == 4 * MOST_TERMS or len(within) > MOST_TERMS:
        raise illegal(
            f"the range stands for more than {MOST_TERMS} keywords; ask for a smaller one"
        )
    return Query.term_set_query(scope.schema, column, within) if within else nothing()


def _exists(scope: Scope, said: Any) -> Query:
    path = options("exists", said, {"field"}).get("field")
    found = Query.term_query(scope.schema, columns.HAS, str(path), "basic")
    return boosted(Query.const_score_query(found, 1.0), said.get("boost"))


def escaped(text: str) -> str:
    """Return a regular expression that finds a text and nothing else."""
    return "".join("\\" + c if c in "\\.+*?()[]{}|^$#&~-" else c for c in text)


def pattern(scope: Scope, field: Field, regex: str, *, fold: bool = False) -> Query:
    """Return what finds words by a regular expression.

    Args:
        scope: What it is compiled for.
        field: Which one.
        regex: In the language of the engine, as a whole word.
        fold: Whether capitals and small letters are the same.
    """
    if len(regex) > 4 * LONGEST_PATTERN:
        raise illegal(f"a pattern has {LONGEST_PATTERN} characters at most")
    if field.type not in ("text", "keyword"):
        raise Refused(
            "query_shard_exception",
            f"Can only use prefix, wildcard and regexp queries on keyword and text fields - not on [{field.path}] which is of type [{field.type}]",
        )
    regex = f"(?i){regex}" if fold else regex
    try:
        found = Query.regex_query(scope.schema, scope.column(field), regex)
    except ValueError as e:
        raise illegal(f"the pattern cannot be used: {e}") from e
    return Query.const_score_query(found, 1.0)


def _seek_prefix(scope: Scope, field: Field, text: str, kind: str) -> None:
    """Have a pattern marked that is the beginning of a word; what others match costs too much to find again."""
    if kind != "regexp" and text.endswith("*") and not any(c in "*?\\" for c in text[:-1]):
        scope.seek(field, text[:-1], is_prefix=True)


def _of_pattern(kind: str, value: str, translate: Callable[[str], str]) -> Compiler:
    def compile_it(scope: Scope, said: Any) -> Query:
        path, body = _one_field(
            kind, said, value, {"case_insensitive", "rewrite", "wildcard"} - {value}
        )
        if body.get("rewrite") not in (None, "constant_score"):
            raise not_offered(f"[rewrite] of the query [{kind}]")
        field = scope.fields.get(path)
        text = str(body[value])
        if len(text) > LONGEST_PATTERN:
            raise illegal(f"[{kind}] has {LONGEST_PATTERN} characters at most")
        if field is None:
            return nothing()
        found = pattern(
            scope, field, translate(text), fold=bool(body.get("case_insensitive", False))
        )
        _seek_prefix(scope, field, text + "*" if kind == "prefix" else text, kind)
        return boosted(found, body.get("boost"))

    return compile_it


def from_wildcard(text: str) -> str:
    """Return the regular expression of a text with ``*`` and ``?``."""
    found, is_quoted = [], False
    for letter in text:
        if is_quoted or letter not in "\\*?":
            found.append(escaped(letter))
            is_quoted = False
        elif letter == "\\":
            is_quoted = True
        else:
            found.append("(?s:.*)" if letter == "*" else "(?s:.)")
    return "".join(found)


def _checked_regex(text: str) -> str:
    if re.search(r"(?<!\\)[~&#@<>\"]", text):
        raise not_offered(
            "the operators ~ & # @ < > of the query [regexp]",
            "Write them after a backslash to mean themselves.",
        )
    return text


def _fuzzy(scope: Scope, said: Any) -> Query:
    path, body = _one_field("fuzzy", said, "value", {"fuzziness", "transpositions"})
    field = scope.fields.get(path)
    if field is None:
        return nothing()
    return boosted(
        fuzzy(scope, field, str(body["value"]), body.get("fuzziness", "AUTO")), body.get("boost")
    )


def fuzzy(scope: Scope, field: Field, word: str, fuzziness: Any) -> Query:
    """Return what finds a word, or one that is written nearly so.

    Args:
        scope: What it is compiled for.
        field: A text or a keyword.
        word: As the analyzer leaves it.
        fuzziness: Letters that may differ, or ``AUTO``.
    """
    if field.column in ("int", "float"):
        return term(scope, field, word)
    distance = _distance(word, fuzziness)
    if distance == 0:
        return term(scope, field, word)
    scope.seek(field, word)
    return Query.fuzzy_term_query(scope.schema, scope.column(field), word, distance)


def _distance(word: str, fuzziness: Any) -> int:
    said = str(fuzziness).upper()
    if said.startswith("AUTO"):
        low, high = 3, 6
        if said != "AUTO":
            found = re.fullmatch(r"AUTO:(\d{1,3}),(\d{1,3})", said)
            if found is None:
                raise illegal(f"failed to parse fuzziness [{fuzziness}]")
            low, high = int(found[1]), int(found[2])
        return 0 if len(word) < low else 1 if len(word) < high else 2
    if said not in ("0", "1", "2"):
        raise illegal(f"fuzziness is 0, 1, 2 or AUTO, not [{fuzziness}]")
    return int(said)


def _match_all(_scope: Scope, said: Any) -> Query:
    body = options("match_all", said, set())
    return Query.const_score_query(everything(), float(body.get("boost", 1.0)))


def _match_none(_scope: Scope, said: Any) -> Query:
    options("match_none", said, set())
    return nothing()


KINDS: dict[str, Compiler] = {
    "term": _term,
    "terms": _terms,
    "ids": _ids,
    "range": _range,
    "exists": _exists,
    "prefix": _of_pattern("prefix", "value", lambda text: escaped(text) + "(?s:.*)"),
    "wildcard": _of_pattern("wildcard", "value", from_wildcard),
    "regexp": _of_pattern("regexp", "value", _checked_regex),
    "fuzzy": _fuzzy,
    "match_all": _match_all,
    "match_none": _match_none,
}
"""Queries of one field by its values."""
