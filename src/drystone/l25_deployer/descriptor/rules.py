"""Rules that span blocks: references lead somewhere, names that one block uses are declared in another.

They work on the tree and not on the finished descriptor, so that they also find their mistakes when there are others.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

from drystone.l00_kernel.yaml_text.problems import nearest, one_of, quoted
from drystone.l00_kernel.yaml_text.tree import Entry, Mapping, Node, Path, Scalar, Sequence, at
from drystone.l25_deployer.descriptor.compiled import Keyed, Tagged
from drystone.l25_deployer.descriptor.schema.resources import Resource
from drystone.l25_deployer.descriptor.shapes import Run, Use

ARTEFACTS = ("image", "process", "static")
NEIGHBOUR_KEYS = ("url", "host", "port")
"""What ``${dependencies.<name>.<key>}`` and ``${sidecars.<name>.<key>}`` may ask for."""

_SINGULAR = {
    "resources": "resource",
    "dependencies": "dependency",
    "secrets": "secret",
    "sidecars": "sidecar",
    "config": "namespace of the configuration",
}


def check_whole(root: Mapping, resources: Tagged, run: Run, *, embedded_allowed: bool) -> None:
    """Note every mistake that only the whole descriptor shows.

    Args:
        root: The descriptor, or one environment of it.
        resources: The shape of a resource, which knows the keys of each type.
        run: Holds the references that were found; takes the mistakes.
        embedded_allowed: Whether this is a descriptor of the platform itself.
    """
    _artefact(root, run, embedded_allowed=embedded_allowed)
    declared = {space: _declared(root, space) for space in _SINGULAR} if run.uses else {}
    for use in run.uses:
        if use.ref.space in declared:
            _reference(use, root, declared[use.ref.space], resources, run)
    for rule in (
        _workers,
        _queues,
        _streams,
        _data,
        _environment_names,
        _secrets,
        _itself,
        _groups,
        _protocol,
    ):
        rule(root, run)


def _artefact(root: Mapping, run: Run, *, embedded_allowed: bool) -> None:
    embedded = root.entries.get("embedded")
    if embedded is not None and not embedded_allowed:
        run.problem(
            embedded.key,
            "'embedded' is for the platform's own services",
            f"use exactly one of {one_of(ARTEFACTS)}",
        )
    possible = (*ARTEFACTS, "embedded") if embedded_allowed else ARTEFACTS
    written = [key for key in possible if key in root.entries]
    if not written and embedded is not None:
        return
    if not written:
        span = next((root.removed[key] for key in ARTEFACTS if key in root.removed), None)
        run.problem(
            span or root.span,
            f"the descriptor says nowhere what to run: it needs exactly one of {one_of(ARTEFACTS)}",
            "for example 'process: {command: [python, -m, orders]}'",
        )
    elif len(written) > 1:
        first, second = written[:2]
        line = root.entries[first].key.line
        run.problem(
            root.entries[second].key,
            f"both '{first}' (line {line}) and '{second}' say what to run; exactly one may",
            f"remove one of them; environments may differ in it by removing the other with '{first}: null'",
        )
    if "process" in root.entries and "command" in root.entries:
        run.problem(
            root.entries["command"].key,
            "'command' replaces the command of an image; a process has its own",
            "move it to 'process: {command: […]}'",
        )
    if written == ["static"]:
        for key in ("command", "workers", "sidecars"):
            if key in root.entries:
                run.problem(
                    root.entries[key].key,
                    f"'{key}' has nothing to run: the artefact is static files",
                )


def _reference(
    use: Use, root: Mapping, declared: dict[str, Node | None], resources: Tagged, run: Run
) -> None:
    space, name = use.ref.space, use.ref.name
    if name not in declared:
        _undeclared(use, root, declared, run)
        return
    known: tuple[str, ...] | None = None
    if space == "resources":
        entry = declared[name]
        shape = resources.chosen(entry) if entry is not None else None
        known = keys_of(shape) if shape is not None else None
        what = f"a resource of type {_text(entry, 'type')}"
    elif space in ("dependencies", "sidecars"):
        known, what = NEIGHBOUR_KEYS, f"a {_SINGULAR[space]}"
    else:
        what = ""
    if known is not None and use.ref.key not in known:
        near = nearest(use.ref.key, known)
        better = f"did you mean '${{{space}.{name}.{near}}}'?" if near else None
        run.problem(
            use.span,
            f"'{use.ref.text()}': {what} has no {quoted(use.ref.key)}",
            better or f"it has {', '.join(known)}",
        )


def keys_of(shape: Keyed) -> tuple[str, ...]:
    """List what references to a resource of this shape may ask for."""
    return shape.block.KEYS if issubclass(shape.block, Resource) else ()


def _undeclared(use: Use, root: Mapping, declared: dict[str, Node | None], run: Run) -> None:
    space, name = use.ref.space, use.ref.name
    what = _SINGULAR[space]
    block = root.entries.get(space)
    gone = (
        block.node.removed.get(name)
        if block is not None and isinstance(block.node, Mapping)
        else None
    )
    if gone is not None:
        help_ = f"line {gone.line} removes it"
    elif near := nearest(name, declared):
        rest = f".{use.ref.key}" if use.ref.key else ""
        help_ = f"did you mean '${{{space}.{near}{rest}}}'?"
    else:
        there = f"declared: {', '.join(declared)}" if declared else "none is declared"
        help_ = f"declare it under '{space}'; {there}"
    run.problem(use.span, f"'{use.ref.text()}': there is no {what} {quoted(name)}", help_)


def _declared(root: Mapping, space: str) -> dict[str, Node | None]:
    """Give what a block declares: names of a mapping with their values, or items of a list."""
    entry = root.entries.get(space)
    node = entry.node if entry is not None else None
    if isinstance(node, Mapping):
        return {key: value.node for key, value in node.entries.items() if not key.startswith("x-")}
    if isinstance(node, Sequence):
        return {item.text: None for item in node.items if isinstance(item, Scalar)}
    return {}


def _text(node: Node | None, key: str) -> str:
    entry = node.entries.get(key) if isinstance(node, Mapping) else None
    return entry.node.text if entry is not None and isinstance(entry.node, Scalar) else ""


def _entries(root: Mapping, *path: str) -> Iterator[tuple[str, Entry]]:
    found = at(root, path)
    if found is not None and isinstance(found[1], Mapping):
        yield from (item for item in found[1].entries.items() if not item[0].startswith("x-"))


def _workers(root: Mapping, run: Run) -> None:
    for name, entry in _entries(root, "workers"):
        if name == "web":
            run.problem(
                entry.key,
                "a worker cannot be called 'web'",
                "that is the name of the service's own instances",
            )


def _queues(root: Mapping, run: Run) -> None:
    """Queues that are used must be resources of type queue."""
    queues = {
        name for name, entry in _entries(root, "resources") if _text(entry.node, "type") == "queue"
    }

    def must_be_queue(node: Node | None, where: str) -> None:
        if isinstance(node, Scalar) and isinstance(node.value, str) and node.text not in queues:
            near = nearest(node.text, queues)
            help_ = (
                f"did you mean '{near}'?"
                if near
                else "declare it: 'resources: {<name>: {type: queue}}'"
            )
            run.problem(node.span, f"{where}: there is no queue {quoted(node.text)}", help_)

    for place in ((), *(("workers", name) for name, _ in _entries(root, "workers"))):
        for name, entry in _entries(root, *place, "scale", "queue"):
            where = ".".join((*place, "scale.queue"))
            must_be_queue(Scalar(entry.key, name, name), where)
    for name, entry in _entries(root, "schedules"):
        must_be_queue(_below(entry.node, "queue"), f"schedules.{name}.queue")
    for name, entry in _entries(root, "events", "subscribes"):
        target = _below(entry.node, "to")
        if isinstance(target, Scalar) and " " not in target.text:
            must_be_queue(target, f"events.subscribes.{name}.to")
    for name, called_by, trigger in _triggers(root):
        if (node := _below(trigger, "queue")) is not None:
            must_be_queue(node, f"resources.{name}.on.{called_by}.queue")
    _topics(root, run, must_be_queue)


def _triggers(root: Mapping) -> Iterator[tuple[str, str, Node]]:
    """Give what calls functions, by function and name."""
    for name, entry in _entries(root, "resources"):
        if _text(entry.node, "type") == "function":
            for place, trigger in _entries(root, "resources", name, "on"):
                yield name, place, trigger.node


def _streams(root: Mapping, run: Run) -> None:
    """Streams that call functions must be resources of type stream."""
    streams = {n for n, e in _entries(root, "resources") if _text(e.node, "type") == "stream"}
    for name, place, trigger in _triggers(root):
        node = _below(trigger, "stream")
        if isinstance(node, Scalar) and node.text not in streams:
            run.problem(
                node.span,
                f"resources.{name}.on.{place}.stream: there is no stream {quoted(node.text)}",
                "declare it: 'resources: {<name>: {type: stream}}'",
            )


def _topics(root: Mapping, run: Run, must_be_queue: Callable[[Node | None, str], None]) -> None:
    """Topics pass on to queues, and one that keeps no order not to one that does."""
    for name, entry in _entries(root, "resources"):
        receivers = _below(entry.node, "to") if _text(entry.node, "type") == "topic" else None
        for item in receivers.items if isinstance(receivers, Sequence) else []:
            must_be_queue(item, f"resources.{name}.to")
            queue = _entry_of(root, item) if _text(entry.node, "fifo") != "true" else None
            if queue is not None and _text(queue, "fifo") == "true":
                run.problem(
                    item.span,
                    f"resources.{name}.to: a topic that keeps no order cannot pass on to a queue that does",
                    "write 'fifo: true' at the topic as well, or leave it out at the queue",
                )


def _entry_of(root: Mapping, item: Node) -> Node | None:
    """Return the resource that a text names."""
    found = dict(_entries(root, "resources")).get(item.text) if isinstance(item, Scalar) else None
    return found.node if found is not None else None


def _below(node: Node, key: str) -> Node | None:
    entry = node.entries.get(key) if isinstance(node, Mapping) else None
    return entry.node if entry is not None else None


def _data(root: Mapping, run: Run) -> None:
    """Data classes without a slash are names that the block ``data`` gives."""
    declared = _declared(root, "data")
    for name, entry in _entries(root, "resources"):
        classes = _below(entry.node, "data")
        for item in classes.items if isinstance(classes, Sequence) else []:
            if isinstance(item, Scalar) and "/" not in item.text and item.text not in declared:
                near = nearest(item.text, declared)
                help_ = (
                    f"did you mean '{near}'?"
                    if near
                    else "name it under 'data', or write a class such as pii/contact"
                )
                run.problem(
                    item.span,
                    f"resources.{name}.data: no data class is called {quoted(item.text)}",
                    help_,
                )


def _environment_names(root: Mapping, run: Run) -> None:
    """The environment that a deploy waits for must be mentioned, so that a slip is found."""
    found = at(root, ("deploy", "after"))
    known = run.environments
    if found is None or not isinstance(found[1], Scalar) or found[1].text in known:
        return
    near = nearest(found[1].text, known)
    help_ = (
        f"did you mean '{near}'?"
        if near
        else f"mention it: 'environments: {{{found[1].text}: {{}}}}'"
    )
    run.problem(
        found[1].span, f"deploy.after: there is no environment {quoted(found[1].text)}", help_
    )


def _secrets(root: Mapping, run: Run) -> None:
    secrets = _declared(root, "secrets")
    places: tuple[Path, ...] = (
        ("env",),
        *(("workers", name, "env") for name, _ in _entries(root, "workers")),
    )
    for place in places:
        for name, entry in _entries(root, *(str(step) for step in place)):
            if name in secrets and not _is_reference_to(entry.node, name):
                run.problem(
                    entry.key,
                    f"{'.'.join(map(str, place))}.{name} hides the secret of the same name",
                    f"remove it, or write {name}: ${{secrets.{name}}}",
                )


def _is_reference_to(node: Node, name: str) -> bool:
    return isinstance(node, Scalar) and node.text == f"${{secrets.{name}}}"


def _itself(root: Mapping, run: Run) -> None:
    service = _text(root, "service")
    for name, entry in _entries(root, "dependencies"):
        if name == service:
            run.problem(entry.key, f"the service {quoted(name)} depends on itself", "remove it")


def _groups(root: Mapping, run: Run) -> None:
    """A group of alternatives is declared, and has as many members as it needs."""
    declared = dict(_entries(root, "groups"))
    members = dict.fromkeys(declared, 0)
    for name, entry in _entries(root, "dependencies"):
        node = _below(entry.node, "group")
        if not isinstance(node, Scalar):
            continue
        if node.text in declared:
            members[node.text] += 1
            continue
        near = nearest(node.text, declared)
        help_ = f"did you mean '{near}'?" if near else f"declare it: 'groups: {{{node.text}: 1}}'"
        where = f"dependencies.{name}.group"
        run.problem(node.span, f"{where}: there is no group {quoted(node.text)}", help_)
    for name, entry in declared.items():
        needed = entry.node.value if isinstance(entry.node, Scalar) else None
        if isinstance(needed, int) and needed > members[name]:
            run.problem(
                entry.node.span,
                f"groups.{name}: {needed} are needed of {members[name]} dependencies that name the group",
                f"write 'group: {name}' at more dependencies, or let it need fewer",
            )


def _protocol(root: Mapping, run: Run) -> None:
    """What is asked by gRPC speaks HTTP/2, and files are served by HTTP/1.1."""
    entry = root.entries.get("proxy")
    is_http2 = entry is not None and _text(entry.node, "protocol") == "http2"
    if is_http2 and "static" in root.entries:
        found = at(root, ("proxy", "protocol"))
        assert found is not None  # noqa: S101 - it has a text
        run.problem(
            found[1].span,
            "static files are served by the platform's own server, which speaks HTTP/1.1",
            "remove it; clients may speak HTTP/2 to the edge all the same",
        )
    health = root.entries.get("health")
    grpc = _below(health.node, "grpc") if health is not None else None
    has_port = health is not None and _below(health.node, "port") is not None
    if isinstance(grpc, Scalar) and grpc.value is True and not is_http2 and not has_port:
        run.problem(
            grpc.span,
            "health is asked by gRPC at the service's port, where the edge speaks HTTP/1.1",
            "write 'proxy: {protocol: http2}', or give health a port of its own",
        )
