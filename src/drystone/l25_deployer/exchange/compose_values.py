"""Values of a service of Compose: variables, ports, durations, sizes."""

from __future__ import annotations

import re
from collections.abc import Mapping

import msgspec

from drystone.l00_kernel.yaml_text import tree
from drystone.l00_kernel.yaml_text.problems import quoted
from drystone.l00_kernel.yaml_text.tree import Span
from drystone.l25_deployer.exchange.interpolation import Interpolated
from drystone.l25_deployer.exchange.walk import Walk

_PORT = re.compile(
    r"(?:(?P<host>\[[^\]]*\]|[^:]*):)?(?:(?P<published>[\d-]*):)?(?P<port>\d+)(?:/(?P<protocol>\w+))?"
)
_DURATION = re.compile(r"(?:(\d+)h)?(?:(\d+)m(?!s))?(?:(\d+(?:\.\d+)?)s)?(?:(\d+)ms)?")
_SIZE = re.compile(r"(\d+(?:\.\d+)?)\s*([kmgt]?)(i?)b?", re.IGNORECASE)


class Port(msgspec.Struct, frozen=True):
    """A port of a container.

    Attributes:
        number: On which the container listens.
        is_public: Whether others than this machine may reach it.
        is_published: Whether it can be reached from outside of the containers' network at all.
        is_tcp: Whether it speaks TCP.
    """

    number: int
    is_public: bool
    is_published: bool
    is_tcp: bool
    span: Span


def environment(walk: Walk, known: Mapping[str, str]) -> list[tuple[str, str, Span]]:
    """Return the variables of a service with their places, in either of the forms that Compose has."""
    node = walk.node("environment")
    found: list[tuple[str, str, Span]] = []
    if isinstance(node, tree.Mapping):
        for name, entry in node.entries.items():
            if isinstance(entry.node, tree.Scalar):
                text = known.get(name, "") if entry.node.value is None else entry.node.text
                found.append((name, _put_in(text, known, walk, name, entry.key), entry.key))
            else:
                walk.unfit(entry.node, (*walk.path, "environment", name), "a single value")
        return found
    for text, span in walk.words("environment"):
        name, equals, value = text.partition("=")
        found.append(
            (name, _put_in(value, known, walk, name, span) if equals else known.get(name, ""), span)
        )
    return found


def put_in(walk: Walk, key: str, known: Mapping[str, str]) -> str:
    """Return a single value with variables put in; those that nobody knows are told."""
    value = Interpolated(walk.text(key), known)
    for one in value.missing:
        what = f"nobody knows the variable {one}; it is empty"
        walk.remarks.todo(walk.place(key), (*walk.path, key), what, "write the value")
    return value.text


def _put_in(text: str, known: Mapping[str, str], walk: Walk, name: str, span: Span) -> str:
    value = Interpolated(text, known, mark=True)
    path = (*walk.path, "environment", name)
    for one in value.missing:
        walk.remarks.todo(
            span, path, f"nobody knows the variable {one}; it is empty", "write the value"
        )
    for one in value.defaults:
        walk.remarks.guess(span, path, f"the default of the variable {one} is taken")
    return value.text


def ports(walk: Walk, known: Mapping[str, str]) -> list[Port]:
    """Return the ports of a service; ranges and what is no port are told."""
    found: list[Port] = []
    node = walk.node("ports")
    items = node.items if isinstance(node, tree.Sequence) else [node] if node is not None else []
    for item in items:
        if isinstance(item, tree.Mapping):
            one = Walk(item, (*walk.path, "ports"), walk.remarks)
            target, protocol = one.text("target"), one.text("protocol") or "tcp"
            host = one.text("host_ip")
            is_published = one.has("published")
            for key in ("published", "mode", "name", "app_protocol"):
                one.node(key)
            one.rest("a port of Compose", {})
        else:
            text = Interpolated(item.text if isinstance(item, tree.Scalar) else "", known).text
            match = _PORT.fullmatch(text)
            target = match["port"] if match else ""
            protocol = (match["protocol"] if match else None) or "tcp"
            before = match["host"] if match else None
            is_published = match is not None
            host = before if before and not re.fullmatch(r"[\d-]*", before) else ""
        if not target.isdecimal() or not 0 < int(target) < 65536:
            walk.remarks.lost(
                item.span,
                (*walk.path, "ports"),
                "it is no single port",
                "name the one port that serves HTTP",
            )
            continue
        is_public = is_published and not re.fullmatch(
            r"127\.[\d.]+|localhost|\[?::1\]?", host or ""
        )
        found.append(
            Port(int(target), is_public, is_published, protocol.lower() == "tcp", item.span)
        )
    for text, span in walk.words("expose"):
        number = text.partition("/")[0]
        if number.isdecimal() and 0 < int(number) < 65536:
            found.append(Port(int(number), False, False, not text.endswith("/udp"), span))
        else:
            walk.remarks.lost(
                span, (*walk.path, "expose"), f"{quoted(text)} is no single port", "name one"
            )
    return found


def duration(text: str) -> str | None:
    """Read a duration of Compose, ``1m30s``, and write it as ours; None when it is none."""
    match = _DURATION.fullmatch(text.strip())
    if match is None or not text.strip():
        return None
    hours, minutes, seconds, rest = match.groups()
    total = (
        int(hours or 0) * 3_600_000
        + int(minutes or 0) * 60_000
        + round(float(seconds or 0) * 1000)
        + int(rest or 0)
    )
    for unit, size in (("h", 3_600_000), ("m", 60_000), ("s", 1000)):
        if total and total % size == 0:
            return f"{total // size}{unit}"
    return f"{total}ms"


def size(text: str) -> str | None:
    """Read a size of Compose or Kubernetes, ``512M``, and write it as ours; None when it is none.

    What is no whole number of MiB is rounded up: a bound that is too low kills.
    """
    match = _SIZE.fullmatch(text.strip())
    if match is None:
        return None
    unit = {"": 0, "k": 1, "m": 2, "g": 3, "t": 4}[match[2].lower()]
    value = float(match[1]) * 1024**unit
    mebi = max(1, -(-int(value) // 1024**2))
    return f"{mebi // 1024}Gi" if mebi % 1024 == 0 else f"{mebi}Mi"


def cpu(text: str) -> float | None:
    """Read a number of processors, ``0.5`` or ``500m``; None when it is none."""
    text = text.strip()
    if re.fullmatch(r"\d{1,6}m", text):
        text = f"{int(text[:-1]) / 1000:g}"
    if not re.fullmatch(r"\d{1,4}(?:\.\d+)?", text) or not 0.001 <= float(text) <= 1024:
        return None
    value = float(text)
    return int(value) if value.is_integer() else value
