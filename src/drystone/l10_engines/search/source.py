"""Which parts of a document an answer holds."""

from __future__ import annotations

from collections.abc import Callable
from fnmatch import fnmatchcase
from typing import Any

from drystone.l10_engines.search.errors import unreadable


def values_at(source: Any, path: str) -> list[Any]:
    """Return the values of a field in a document.

    Args:
        source: The document.
        path: Names with full stops between them; a document may have such a name itself.
    """
    if isinstance(source, list):
        return [value for one in source for value in values_at(one, path)]
    if not isinstance(source, dict):
        return []
    found = []
    if path in source:
        value = source[path]
        found += value if isinstance(value, list) else [value] if value is not None else []
    head, _, rest = path.partition(".")
    while rest:
        if head in source:
            found += values_at(source[head], rest)
        more, _, rest = rest.partition(".")
        head = f"{head}.{more}"
    return found


def chooser(said: Any) -> Callable[[dict[str, Any]], dict[str, Any] | None]:
    """Return what makes of a document what an answer holds of it.

    Args:
        said: The value of ``_source``: a boolean, names with ``*``, or an object with ``includes`` and ``excludes``.

    Raises:
        Refused: It cannot be read.
    """
    if said is None or said is True or said == "true":
        return lambda source: source
    if said is False or said == "false":
        return lambda _source: None
    if isinstance(said, dict):
        includes = _names(said.get("includes", said.get("include", [])))
        excludes = _names(said.get("excludes", said.get("exclude", [])))
        if said.keys() - {"includes", "include", "excludes", "exclude"}:
            raise unreadable("[_source] has includes and excludes")
    else:
        includes, excludes = _names(said), []
    return lambda source: _part(source, "", includes, excludes, wanted=not includes) or {}


def _names(said: Any) -> list[str]:
    names = said.split(",") if isinstance(said, str) else said
    if not isinstance(names, list) or not all(isinstance(name, str) for name in names):
        raise unreadable("[_source] is a boolean, a name, or a list of names")
    return names


def _part(
    value: dict[str, Any], prefix: str, includes: list[str], excludes: list[str], *, wanted: bool
) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for name, inner in value.items():
        path = prefix + name
        if any(fnmatchcase(path, one) for one in excludes):
            continue
        is_wanted = wanted or any(fnmatchcase(path, one) for one in includes)
        kept = _inner(inner, path, includes, excludes, wanted=is_wanted)
        if is_wanted or kept not in (None, {}, []):
            found[name] = kept
    return found


def _inner(value: Any, path: str, includes: list[str], excludes: list[str], *, wanted: bool) -> Any:
    if isinstance(value, dict):
        return _part(value, path + ".", includes, excludes, wanted=wanted)
    if isinstance(value, list) and any(isinstance(one, dict | list) for one in value):
        kept = [_inner(one, path, includes, excludes, wanted=wanted) for one in value]
        return [one for one in kept if one not in (None, {}, [])]
    return value if wanted else None
