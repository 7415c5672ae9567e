"""Backstage: ``catalog-info.yaml``, any number of entities in any number of files.

Components and resources become components; an API stands for whoever provides it; systems become products, groups owners.
A relation does not say how strong a dependency is or when it counts: annotations do, or nobody does
(:data:`PREFIX`; the words are those of the survey).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple

from drystone.l00_kernel.yaml_text import tree
from drystone.l00_kernel.yaml_text.problems import nearest, quoted
from drystone.l05_graph.forms.attributes import (
    COMPONENT,
    DEPENDENCY,
    SYNONYMS,
    Attribute,
    Block,
    Several,
)
from drystone.l05_graph.forms.values import Unfit
from drystone.l05_graph.ingest.documents import Document, documents, get, pairs, text
from drystone.l05_graph.ingest.gathering import Gathering, fits
from drystone.l05_graph.ingest.source import Declared, DeclaredSource, File
from drystone.l05_graph.model import Component
from drystone.l05_graph.words import Kind, Phase, Strength

PREFIX = "drystone.dev/"
"""Annotations that begin with it say what the catalogue does not.

``drystone.dev/tier: "1"`` says it of the entity; every attribute of a component that can be one value works, several regions or
products with commas. ``drystone.dev/strength: hard`` says it of all its dependencies,
``drystone.dev/strength.orders-db: soft`` of that on ``orders-db`` alone; so do ``phase``, ``risk`` and ``without``.
"""
OF_COMPONENTS = tuple(
    name for name, one in COMPONENT.items() if not isinstance(one, Block) or one.short is not None
)
OF_DEPENDENCIES = ("strength", "at", "risk", "without")
_DATA = ("database", "storage", "bucket", "cache", "queue", "topic", "stream", "volume")
_TAKEN = ("component", "resource", "api")


class Ref(NamedTuple):
    """What a reference means: ``[kind:][namespace/]name``, in lower case but for the name."""

    kind: str
    namespace: str
    name: str

    @property
    def key(self) -> tuple[str, str, str]:
        """What tells it from others; names are told apart without regard to case."""
        return (self.kind, self.namespace.lower(), self.name.lower())

    @property
    def shown(self) -> str:
        """Name it in the model: ``orders``, ``payments/orders``, ``resource:orders-db``."""
        place = "" if self.namespace.lower() == "default" else f"{self.namespace}/"
        kind = "" if self.kind == "component" else f"{self.kind}:"
        return f"{kind}{place}{self.name}"


class _Entity(NamedTuple):
    ref: Ref
    document: Document
    said: Mapping[str, tree.Entry]

    def place(self, span: tree.Span | None = None) -> str:
        return self.document.place(span)


def read(files: Sequence[File]) -> Declared:
    """Read a catalogue.

    Raises:
        Unreadable: No file can be read, or none holds a component or resource.
    """
    gathering = Gathering("Backstage")
    entities: dict[tuple[str, str, str], _Entity] = {}
    for document in documents(files, gathering, "catalogue"):
        _take(document, entities, gathering)
    catalogue = _Catalogue(gathering, entities)
    for entity in entities.values():
        if entity.ref.kind in ("component", "resource"):
            catalogue.component(entity)
    for entity in entities.values():
        if entity.ref.kind in ("component", "resource"):
            catalogue.relations(entity)
    return gathering.declared("component or resource of a Backstage catalogue")


def parse(written: str, kind: str, namespace: str = "default") -> Ref:
    """Read a reference to an entity.

    Args:
        written: ``[kind:][namespace/]name``.
        kind: What is meant without one.
        namespace: The same.
    """
    before, colon, rest = written.strip().rpartition(":")
    of, slash, name = rest.rpartition("/")
    return Ref(
        (before if colon else kind).strip().lower(),
        (of if slash else namespace).strip(),
        name.strip(),
    )


def _refs(entity: _Entity, key: str, kind: str) -> Iterator[tuple[Ref, tree.Span]]:
    """Return the references under a key of the specification, each with its place.

    One may be a text, or a mapping with ``kind``, ``namespace`` and ``name`` ("Entity References" of Backstage).
    """
    found = get(entity.document.root, "spec", key)
    if found is None or (isinstance(found, tree.Scalar) and found.value is None):
        return
    for node in found.items if isinstance(found, tree.Sequence) else [found]:
        if isinstance(node, tree.Mapping):
            of = text(node, "kind") or kind
            namespace = text(node, "namespace") or entity.ref.namespace
            yield Ref(of.strip().lower(), namespace.strip(), text(node, "name").strip()), node.span
        else:
            yield parse(text(node), kind, entity.ref.namespace), node.span


def _take(
    document: Document, entities: dict[tuple[str, str, str], _Entity], gathering: Gathering
) -> None:
    root, place = document.root, document.place()
    kind, name = text(root, "kind").lower(), text(root, "metadata", "name")
    if not text(root, "apiVersion").startswith("backstage.io/") or not kind:
        gathering.skips.add("no Backstage entity: no 'apiVersion: backstage.io/…'", place)
    elif not name:
        gathering.skips.add("an entity has no metadata.name", place)
    elif kind == "location":
        gathering.skips.add("a Location is not followed; name the files that it leads to", place)
    elif kind not in (*_TAKEN, "system", "domain", "group"):
        gathering.skips.add(f"a {quoted(kind)} is no part of a dependency model", place)
    else:
        ref = Ref(kind, text(root, "metadata", "namespace") or "default", name)
        known = entities.get(ref.key)
        if known is None:
            said = root.entries if isinstance(root, tree.Mapping) else {}
            entities[ref.key] = _Entity(ref, document, said)
        else:
            where = known.place()
            gathering.skips.add(f"{quoted(ref.shown)} is already at {where}; that counts", place)


class _Catalogue:
    def __init__(
        self, gathering: Gathering, entities: Mapping[tuple[str, str, str], _Entity]
    ) -> None:
        self._gathering = gathering
        self._entities = entities
        self._providers: dict[tuple[str, str, str], list[str]] = {}
        self._of_needs: dict[str, dict[str, Any]] = {}
        for entity in entities.values():
            for ref, _ in _refs(entity, "providesApis", "api"):
                self._providers.setdefault(ref.key, []).append(entity.ref.shown)

    def component(self, entity: _Entity) -> None:
        """Take an entity as a component."""
        root, ref = entity.document.root, entity.ref
        type_ = text(root, "spec", "type").lower()
        kind = Kind.SERVICE
        if ref.kind == "resource":
            is_data = any(word in type_ for word in _DATA)
            kind = Kind.DATA if is_data else Kind.INFRASTRUCTURE
        owner = text(root, "spec", "owner")
        system = text(root, "spec", "system")
        lifecycle = text(root, "spec", "lifecycle")
        said: dict[str, Any] = {
            "kind": kind,
            "owner": _short(parse(owner, "group", ref.namespace)) if owner else None,
            "products": (_short(parse(system, "system", ref.namespace)),) if system else (),
            "note": f"lifecycle: {lifecycle}" if lifecycle else "",
        }
        component = Component(name=ref.shown, **{**said, **self._annotations(entity)})
        if mistake := fits(component):
            self._gathering.skips.add(f"an annotation will not do: {mistake}", entity.place())
            component = Component(name=ref.shown, **said)
        self._gathering.component(component, entity.place())

    def _annotations(self, entity: _Entity) -> dict[str, Any]:
        """Read what our annotations say of an entity, and keep what they say of its dependencies."""
        found: dict[str, Any] = {}
        needs = self._of_needs.setdefault(entity.ref.shown, {})
        for key, entry in pairs(entity.document.root, "metadata", "annotations"):
            if not key.startswith(PREFIX):
                continue
            word, _, target = key.removeprefix(PREFIX).partition(".")
            place = entity.place(entry.key)
            known = OF_DEPENDENCIES if target else (*OF_COMPONENTS, *OF_DEPENDENCIES)
            word = SYNONYMS.get(word, word)
            if word not in known:
                near = nearest(word, known)
                meant = f"; did you mean {PREFIX}{near}?" if near else ""
                self._gathering.skips.add(f"the annotation {quoted(key)} is unknown{meant}", place)
                continue
            of = DEPENDENCY[word] if word in OF_DEPENDENCIES else COMPONENT[word]
            try:
                value = _value(of, text(entry.node))
            except Unfit as unfit:
                self._gathering.skips.add(f"{key}: {unfit}", place)
                continue
            if word in OF_DEPENDENCIES:
                needs[f"{word}.{target}".rstrip(".")] = value
            else:
                found[word] = value
        return found

    def relations(self, entity: _Entity) -> None:
        """Take what an entity says of others."""
        ref = entity.ref
        for used, span in _refs(entity, "dependsOn", "component"):
            self._need(entity, ref, used, span, "dependsOn")
        for user, span in _refs(entity, "dependencyOf", "component"):
            self._need(entity, user, ref, span, "dependencyOf")
        for whole, span in _refs(entity, "subcomponentOf", "component"):
            self._need(entity, whole, ref, span, "subcomponentOf")
        for used, span in _refs(entity, "consumesApis", "api"):
            self._need(entity, ref, used, span, "consumesApis")
        for key in ("providesApis", "consumesApis"):
            for api, span in _refs(entity, key, "api"):
                self._known_api(api, entity.place(span))

    def _known_api(self, api: Ref, place: str) -> None:
        if api.key not in self._entities:
            self._gathering.note(f"the API {quoted(api.shown)} is declared nowhere", place)

    def _need(self, entity: _Entity, user: Ref, used: Ref, span: tree.Span, how: str) -> None:
        place = entity.place(span)
        for ref in (user, used):
            if ref.kind not in _TAKEN or not ref.name:
                self._gathering.skips.add(f"{how} names no component, resource or API", place)
                return
        sources = self._targets(user, place)
        targets = self._targets(used, place)
        for source in sources:
            said = self._said(source, used)
            self._gathering.needs(
                source,
                targets,
                place,
                how,
                strength=said.get("strength", Strength.UNKNOWN),
                at=said.get("at", (Phase.RUN,)),
                without=said.get("without", ""),
                **({"risk": said["risk"]} if "risk" in said else {}),
            )

    def _targets(self, ref: Ref, place: str) -> list[str]:
        """Return the components that a reference means: for an API, who provides it."""
        known = self._entities.get(ref.key)
        if ref.kind != "api":
            return [known.ref.shown if known else ref.shown]
        providers = self._providers.get(ref.key)
        if providers:
            return providers
        self._gathering.mention(ref.shown, place, note="nobody is said to provide it")
        return [ref.shown]

    def _said(self, source: str, used: Ref) -> dict[str, Any]:
        needs = self._of_needs.get(source, {})
        found = {word: needs[word] for word in OF_DEPENDENCIES if word in needs}
        of = {word: needs.get(f"{word}.{used.name}") for word in OF_DEPENDENCIES}
        return found | {word: value for word, value in of.items() if value is not None}


def _short(ref: Ref) -> str:
    return ref.name if ref.namespace.lower() == "default" else f"{ref.namespace}/{ref.name}"


def _value(attribute: Attribute, written: str) -> Any:
    if isinstance(attribute, Several):
        parts = [part.strip() for part in written.split(",")]
        return attribute.gather([attribute.parse(part) for part in parts if part])
    one = attribute.short if isinstance(attribute, Block) else attribute.parse
    return one(written.strip()) if one is not None else None


SOURCE = DeclaredSource(
    name="backstage",
    title="Backstage catalogue",
    files=("catalog-info.yaml", "catalog-info.yml"),
    format="https://backstage.io/docs/features/software-catalog/descriptor-format",
    read=read,
)
