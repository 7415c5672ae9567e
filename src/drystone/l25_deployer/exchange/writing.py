"""Writing YAML that people go on with: keys in the order in which they come, short things on one line."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence

from drystone.l00_kernel.yaml_text.writing import write_text

_WIDEST = 100
_QUANTITY = re.compile(r"[0-9]+(?:\.[0-9]+)?(?:ms|s|m|h|d|y|Ki|Mi|Gi|Ti|%)")


def dump(document: Mapping[str, object], comment: str = "") -> str:
    """Write a document.

    Args:
        document: Mappings, lists and single values in each other.
        comment: Lines to begin with.
    """
    head = "".join(f"# {line}".rstrip() + "\n" for line in comment.splitlines())
    return head + "\n".join(_mapping(document, 0)) + "\n"


def scalar(value: object) -> str:
    """Write a single value, so that it is read as the same."""
    match value:
        case None:
            return "null"
        case bool():
            return "true" if value else "false"
        case int():
            return repr(value)
        case float():
            number, e, exponent = repr(value).partition("e")
            return f"{number}.0{e}{exponent}" if e and "." not in number else repr(value)
        case _:
            return _text(str(value))


def flow(value: object) -> str:
    """Write a value on one line."""
    if isinstance(value, Mapping):
        inner = ", ".join(f"{scalar(key)}: {flow(item)}" for key, item in value.items())
        return f"{{{inner}}}"
    if isinstance(value, Sequence) and not isinstance(value, str):
        return f"[{', '.join(map(flow, value))}]"
    return scalar(value)


def _text(text: str) -> str:
    return text if _QUANTITY.fullmatch(text) else write_text(text)


def _mapping(value: Mapping[str, object], depth: int) -> Iterator[str]:
    for key, item in value.items():
        yield from _entry(f"{'  ' * depth}{scalar(key)}:", item, depth)


def _entry(head: str, item: object, depth: int) -> Iterator[str]:
    on_one_line = f"{head} {flow(item)}"
    is_whole = not isinstance(item, Mapping) or not item or depth > 0
    if is_whole and len(on_one_line) <= _WIDEST and not _is_deep(item):
        yield on_one_line
    elif isinstance(item, Mapping) and item:
        yield head
        yield from _mapping(item, depth + 1)
    elif isinstance(item, Sequence) and not isinstance(item, str) and item:
        yield head
        for one in item:
            yield from _item(one, depth + 1)
    else:
        yield on_one_line


def _item(one: object, depth: int) -> Iterator[str]:
    space = "  " * depth
    if not isinstance(one, Mapping) or not one or len(flow(one)) + depth <= 60:
        yield f"{space}- {flow(one)}"
        return
    lines = list(_mapping(one, depth + 1))
    yield f"{space}- {lines[0].lstrip()}"
    yield from lines[1:]


def _is_deep(item: object) -> bool:
    """Tell whether a mapping has mappings that have mappings: nobody reads those on one line."""
    return isinstance(item, Mapping) and any(
        isinstance(inner, Mapping) and any(isinstance(one, Mapping) for one in inner.values())
        for inner in item.values()
    )
