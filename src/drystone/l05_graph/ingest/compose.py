"""Compose files: services and what they name.

Compose knows an order of starts (``depends_on``) and, by conditions, how much of it matters; hosts in variables and commands
are names of services in the same network. Several files are read together, as ``docker compose -f a -f b`` does.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from itertools import islice
from pathlib import PurePosixPath

from msgspec.structs import replace

from drystone.l00_kernel.yaml_text import tree
from drystone.l00_kernel.yaml_text.problems import quoted
from drystone.l05_graph.ingest import host_names
from drystone.l05_graph.ingest.documents import (
    Document,
    documents,
    get,
    is_true,
    items,
    pairs,
    text,
    words,
)
from drystone.l05_graph.ingest.gathering import MOST_ALTERNATIVES, RUN, Gathering
from drystone.l05_graph.ingest.source import Declared, DeclaredSource, File
from drystone.l05_graph.model import Component
from drystone.l05_graph.words import Kind, Phase, Risk, Strength

START = (Phase.START,)
START_AND_RUN = (Phase.START, Phase.RUN)
_CONDITIONS = {
    "service_started": Strength.UNKNOWN,
    "service_healthy": Strength.HARD,
    "service_completed_successfully": Strength.HARD,
}
_SHARED = ("network_mode", "ipc", "pid")
_REPLACED = (*_SHARED, "command", "entrypoint", "image", "extends")
"""What a service that extends another has instead of the other's, and not beside it."""
_DEFINED = {"volumes": "volume", "secrets": "secret", "configs": "config"}
_NOT_FOLLOWED = ("env_file",)
MOST_BASES = 20


def read(files: Sequence[File]) -> Declared:
    """Read Compose files of one application.

    Raises:
        Unreadable: No file can be read, or none has services.
    """
    gathering = Gathering("Compose")
    every = list(documents(files, gathering, "Compose file"))
    reading = _Reading(gathering)
    for document in every:
        reading.know(document)
    for document in every:
        reading.take(document)
    return gathering.declared("services of Compose")


class _Reading:
    def __init__(self, gathering: Gathering) -> None:
        self._gathering = gathering
        self._by_host: dict[str, dict[str, None]] = {}
        self._external: set[str] = set()
        self._services: dict[tuple[str, str], tuple[tree.Node, Document]] = {}

    def know(self, document: Document) -> None:
        """Learn under which names services are found, and what others provide."""
        for name, entry in pairs(document.root, "services"):
            service = entry.node
            self._services.setdefault((document.file, name), (service, document))
            aliases = [text(service, "hostname"), text(service, "container_name")]
            for _, network in pairs(service, "networks"):
                aliases += [alias for alias, _ in words(network.node, "aliases") if alias]
            for host in dict.fromkeys([name, *filter(None, aliases)]):
                self._by_host.setdefault(host.lower(), {})[name] = None
        for key, kind in _DEFINED.items():
            for name, entry in pairs(document.root, key):
                if get(entry.node, "external") is not None and not _is_false(entry.node):
                    self._external.add(f"{kind}/{name}")

    def take(self, document: Document) -> None:
        """Take the services of a file."""
        if get(document.root, "include") is not None:
            self._skip("'include' is not followed; name those files too", document.place())
        services = pairs(document.root, "services")
        if not services:
            self._skip("no services", document.place())
        for name, entry in services:
            place = document.place(entry.key)
            profiles = ", ".join(word for word, _ in words(entry.node, "profiles") if word)
            note = f"only with profile {profiles}" if profiles else ""
            if not self._gathering.has(name):
                self._gathering.component(Component(name=name, note=note), place)
            for node, of in self._extended(name, entry.node, document):
                _Service(name, node, of, self._gathering, self).take()

    def _extended(
        self, name: str, node: tree.Node, document: Document
    ) -> Iterator[tuple[tree.Node, Document]]:
        """Return a service, then what it extends, without the keys and variables that it sets itself."""
        seen: set[tuple[str, str]] = {(document.file, name)}
        own: set[str] = set()
        while len(seen) <= MOST_BASES:
            yield _without(node, own), document
            extends = get(node, "extends")
            base = text(extends, "service") or text(extends)
            if extends is None or not base:
                return
            file = text(extends, "file")
            where = str(PurePosixPath(document.file).parent / file) if file else document.file
            found = self._services.get((where, base))
            if found is None or (found[1].file, base) in seen:
                what = f"'extends' leads to {quoted(base)}, which is in no file given"
                self._skip(what, document.place(extends.span))
                return
            seen.add((found[1].file, base))
            own |= {key for key, _ in pairs(node) if key in _REPLACED}
            own |= {f"environment {key}" for key in _variables(node)}
            node, document = found

    def _skip(self, what: str, place: str) -> None:
        self._gathering.skips.add(what, place)

    def called(self, host: str) -> Collection[str]:
        """Return the services that are found under a name."""
        return self._by_host.get(host, {})

    def defined(self, kind: str, name: str) -> str:
        """Name a volume, secret or config, and take it as a component."""
        what = f"{kind}/{name}"
        is_external = what in self._external
        note = "made outside of Compose" if is_external else ""
        kind_ = Kind.EXTERNAL if is_external else Kind.DATA
        self._gathering.mention(what, "", kind_, note)
        return what


class _Service:
    def __init__(
        self,
        name: str,
        node: tree.Node,
        document: Document,
        gathering: Gathering,
        reading: _Reading,
    ) -> None:
        self._name = name
        self._node = node
        self._document = document
        self._gathering = gathering
        self._reading = reading

    def take(self) -> None:
        """Take all that the service needs."""
        self._depends_on()
        self._links()
        self._variables()
        self._commands()
        self._shared()
        self._stored()
        image = get(self._node, "image")
        registry = host_names.registry_of(text(image))
        if image is not None and registry:
            behind = self._others(registry) or [registry]
            self._need(behind, image.span, "image", at=(Phase.DEPLOY,), risk=Risk.ARTIFACTS)
        for key in _NOT_FOLLOWED:
            node = get(self._node, key)
            if node is not None:
                self._gathering.skips.add(f"{key!r} is not followed", self._place(node.span))

    def _depends_on(self) -> None:
        if not isinstance(get(self._node, "depends_on"), tree.Mapping):
            for name, span in words(self._node, "depends_on"):
                self._need([name], span, "depends_on", at=START)
        for name, entry in pairs(self._node, "depends_on"):
            condition = text(entry.node, "condition") or "service_started"
            strength = _CONDITIONS.get(condition)
            if strength is None:
                what = f"a condition of depends_on is none of {', '.join(_CONDITIONS)}"
                self._gathering.skips.add(what, self._place(entry.key))
                strength = Strength.UNKNOWN
            is_optional = is_true(entry.node, "required") is False
            self._need(
                [name],
                entry.key,
                f"depends_on, {condition}" if condition in _CONDITIONS else "depends_on",
                at=START,
                strength=Strength.SOFT if is_optional else strength,
                without="it starts without" if is_optional else "",
            )

    def _links(self) -> None:
        for key in ("links", "external_links"):
            for link, span in words(self._node, key):
                self._need([link.partition(":")[0]], span, key, at=RUN)
        for volume, span in words(self._node, "volumes_from"):
            name = volume.removeprefix("container:").partition(":")[0]
            self._need(
                [name],
                span,
                "volumes_from",
                at=START,
                strength=Strength.HARD,
                risk=Risk.DATA,
            )

    def _variables(self) -> None:
        for name, value, span in self._environment():
            found = list(host_names.placed(value))
            if host_names.is_about_hosts(name):
                found += host_names.whole(value)
            elif not host_names.is_about_secrets(name) and any(
                self._others(host) for host in host_names.whole(value)
            ):
                what = f"{self._name}: the value of {name} is called like a service"
                self._gathering.note(f"{what}; it is taken for something else", self._place(span))
            self._hosts(found, span, f"variable {name}")

    def _environment(self) -> Iterator[tuple[str, str, tree.Span]]:
        for name, entry in pairs(self._node, "environment"):
            yield name, text(entry.node), entry.key
        for item in items(self._node, "environment"):
            name, _, value = text(item).partition("=")
            yield name, value, item.span

    def _commands(self) -> None:
        for key in ("command", "entrypoint"):
            for word, span in words(self._node, key):
                for part in word.split():
                    option, is_option, value = part.partition("=")
                    found = list(host_names.placed(part))
                    if is_option and option.startswith("-") and host_names.is_about_hosts(option):
                        found += host_names.whole(value)
                    self._hosts(found, span, key)

    def _hosts(self, found: Sequence[str], span: tree.Span, how: str) -> None:
        for host in dict.fromkeys(found):
            others = self._others(host)
            if others:
                self._need(others, span, how, at=RUN)

    def _others(self, host: str) -> list[str]:
        """Return the services that a host means, unless it is the service itself; of very many, too many for a choice."""
        called = self._reading.called(host)
        return [] if self._name in called else list(islice(called, MOST_ALTERNATIVES + 1))

    def _shared(self) -> None:
        for key in _SHARED:
            kind, _, name = text(self._node, key).partition(":")
            node = get(self._node, key)
            if kind == "service" and name and node is not None:
                self._need(
                    [name],
                    node.span,
                    key,
                    at=START_AND_RUN,
                    strength=Strength.HARD,
                    risk=Risk.NETWORK if key == "network_mode" else Risk.OTHER,
                )
        for name, entry in pairs(self._node, "build", "additional_contexts"):
            kind, _, other = text(entry.node).partition(":")
            if kind == "service" and other:
                how = f"build context {name}"
                self._need(
                    [other],
                    entry.key,
                    how,
                    at=(Phase.BUILD,),
                    strength=Strength.HARD,
                    risk=Risk.BUILDS,
                )

    def _stored(self) -> None:
        for key, kind in _DEFINED.items():
            for item in items(self._node, key):
                name = text(item, "source") if isinstance(item, tree.Mapping) else text(item)
                if key == "volumes":
                    name = _volume(item, name)
                if name:
                    self._need(
                        [self._reading.defined(kind, name)],
                        item.span,
                        key,
                        at=START_AND_RUN if key == "volumes" else START,
                        strength=Strength.HARD,
                        risk=Risk.DATA if key == "volumes" else Risk.CONFIGURATION,
                    )

    def _need(
        self,
        targets: Sequence[str],
        span: tree.Span,
        how: str,
        *,
        at: tuple[Phase, ...],
        strength: Strength = Strength.UNKNOWN,
        risk: Risk = Risk.OTHER,
        without: str = "",
    ) -> None:
        self._gathering.needs(
            self._name,
            targets,
            self._place(span),
            how,
            strength=strength,
            at=at,
            risk=risk,
            without=without,
        )

    def _place(self, span: tree.Span) -> str:
        return self._document.place(span)


def _variables(node: tree.Node) -> set[str]:
    listed = (text(item).partition("=")[0] for item in items(node, "environment"))
    return {*listed, *(name for name, _ in pairs(node, "environment"))}


def _without(node: tree.Node, own: Collection[str]) -> tree.Node:
    """Leave out of a service that is extended what the other one sets itself."""
    if not own or not isinstance(node, tree.Mapping):
        return node
    kept = {key: entry for key, entry in node.entries.items() if key not in own}
    if (entry := kept.get("environment")) is not None:
        of = entry.node
        if isinstance(of, tree.Mapping):
            some = {k: e for k, e in of.entries.items() if f"environment {k}" not in own}
            of = replace(of, entries=some)
        elif isinstance(of, tree.Sequence):
            names = (f"environment {text(item).partition('=')[0]}" for item in of.items)
            of = replace(
                of, items=[i for i, n in zip(of.items, names, strict=True) if n not in own]
            )
        kept["environment"] = tree.Entry(entry.key, of)
    return replace(node, entries=kept)


def _volume(item: tree.Node, source: str) -> str:
    """Return the name of a volume; empty when a folder of the machine or nothing named is mounted."""
    if isinstance(item, tree.Mapping):
        return source if text(item, "type") == "volume" else ""
    name, colon, _ = source.partition(":")
    return name if colon and not name.startswith((".", "/", "~", "$")) else ""


def _is_false(node: tree.Node) -> bool:
    return is_true(node, "external") is False


SOURCE = DeclaredSource(
    name="compose",
    title="Compose file",
    files=("compose.yaml", "compose.yml", "docker-compose.yaml", "docker-compose.yml"),
    format="https://github.com/compose-spec/compose-spec/blob/main/spec.md",
    read=read,
)
