"""The objects of Kubernetes manifests, and which workloads a name or a selector means."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import NamedTuple

from drystone.l00_kernel.yaml_text import tree
from drystone.l00_kernel.yaml_text.problems import quoted
from drystone.l05_graph.ingest.documents import Document, get, items, pairs, text
from drystone.l05_graph.ingest.gathering import MOST_ALTERNATIVES, Gathering
from drystone.l05_graph.model import Component

Labels = Mapping[str, str]

TEMPLATES = {
    "Deployment": ("spec", "template"),
    "StatefulSet": ("spec", "template"),
    "DaemonSet": ("spec", "template"),
    "ReplicaSet": ("spec", "template"),
    "ReplicationController": ("spec", "template"),
    "Job": ("spec", "template"),
    "CronJob": ("spec", "jobTemplate", "spec", "template"),
    "Pod": (),
}
"""Where the kinds of workloads keep the description of their pods."""
_PLAIN = ("Deployment", "StatefulSet", "DaemonSet")
_DATA = ("ConfigMap", "Secret", "PersistentVolumeClaim")
_TAKEN = (*TEMPLATES, *_DATA, "Service", "Ingress", "NetworkPolicy", "ServiceAccount")


class Object(NamedTuple):
    """An object of a manifest."""

    kind: str
    namespace: str
    name: str
    node: tree.Node
    document: Document

    def place(self, span: tree.Span | None = None) -> str:
        """Write a place in it."""
        return self.document.place(span or self.node.span)


class Workload(NamedTuple):
    """A workload.

    Attributes:
        object: Where it is declared.
        name: In the model.
        labels: Of its pods.
        pod: The specification of its pods.
    """

    object: Object
    name: str
    labels: Labels
    pod: tree.Node | None


def named(namespace: str, name: str, kind: str = "") -> str:
    """Name something in the model: ``orders``, ``secret/orders``, ``shop/secret/orders``."""
    parts = ("" if namespace == "default" else namespace, kind, name)
    return "/".join(part for part in parts if part)


class Objects:
    """All objects of some manifests.

    Args:
        gathering: Takes what is no object, and the components.
        every: The documents.
    """

    def __init__(self, gathering: Gathering, every: Iterator[Document]) -> None:
        self._gathering = gathering
        self.by_kind: dict[str, dict[tuple[str, str], Object]] = {}
        for document in every:
            self._take(document.root, document)
        self.workloads: dict[str, Workload] = {}
        self._behind: dict[tuple[str, str], list[str]] = {}
        self._by_namespace: dict[str, list[Workload]] = {}
        self._by_label: dict[tuple[str, str, str], list[Workload]] = {}
        for kind in TEMPLATES:
            for one in self.by_kind.get(kind, {}).values():
                self._workload(one)

    def _take(self, node: tree.Node, document: Document) -> None:
        kind, place = text(node, "kind"), document.place(node.span)
        if kind.endswith("List") and get(node, "items") is not None:
            for item in items(node, "items"):
                self._take(item, document)
            return
        name = text(node, "metadata", "name")
        if not kind or not text(node, "apiVersion"):
            self._gathering.skips.add("no Kubernetes object: no apiVersion and kind", place)
        elif kind not in _TAKEN:
            self._gathering.skips.add(f"a {quoted(kind)} is not read for dependencies", place)
        elif not name:
            self._gathering.skips.add(f"a {kind} has no metadata.name", place)
        else:
            namespace = text(node, "metadata", "namespace") or "default"
            one = Object(kind, namespace, name, node, document)
            known = self.by_kind.setdefault(kind, {}).setdefault((namespace, name), one)
            if known is not one:
                what = f"the {kind} {quoted(name)} is already at {known.place()}; that counts"
                self._gathering.skips.add(what, place)

    def _workload(self, one: Object) -> None:
        template = get(one.node, *TEMPLATES[one.kind])
        labels = {key: text(entry.node) for key, entry in pairs(template, "metadata", "labels")}
        name = named(one.namespace, one.name, "" if one.kind in _PLAIN else one.kind.lower())
        if name in self.workloads:
            other = self.workloads[name].object
            name = named(one.namespace, one.name, one.kind.lower())
            self._gathering.note(
                f"a {one.kind} is called {quoted(one.name)} like the {other.kind} at"
                f" {other.place()}; it is {name} here",
                one.place(),
            )
        found = Workload(one, name, labels, get(template, "spec"))
        product = text(one.node, "metadata", "labels", "app.kubernetes.io/part-of")
        products = (product,) if product else ()
        if not self._gathering.component(Component(name=name, products=products), one.place()):
            return
        self.workloads[name] = found
        self._by_namespace.setdefault(one.namespace, []).append(found)
        for key, value in labels.items():
            self._by_label.setdefault((one.namespace, key, value), []).append(found)

    def selected(self, namespace: str, labels: Labels) -> list[Workload]:
        """Return the workloads of a namespace whose pods have these labels; all of it without labels."""
        if not labels:
            return self._by_namespace.get(namespace, [])
        key, value = next(iter(labels.items()))
        candidates = self._by_label.get((namespace, key, value), [])
        return [one for one in candidates if labels.items() <= one.labels.items()]

    def named_service(self, host: str, namespace: str) -> tuple[str, str] | None:
        """Return the namespace and name of the Service that a host name means, as seen from a namespace.

        A name that ends as those of Services do (``….svc.cluster.local``) means one even if no file declares it.
        """
        services = self.by_kind.get("Service", {})
        parts = host.split(".")
        if "svc" in parts[2:]:
            at = parts.index("svc", 2)
            return (parts[at - 1], parts[at - 2])
        # The name of a single pod of a StatefulSet stands before that of its Service.
        for tail in (parts, parts[1:]):
            where = {1: namespace, 2: tail[-1] if tail else ""}.get(len(tail))
            if where and (where, tail[0]) in services:
                return (where, tail[0])
        return None

    def behind(self, namespace: str, name: str, place: str) -> list[str]:
        """Return the components that serve behind a Service: the workloads that it selects, or itself."""
        found = self._behind.get((namespace, name))
        if found is None:
            found = self._behind[namespace, name] = self._serving(namespace, name, place)
        return found

    def _serving(self, namespace: str, name: str, place: str) -> list[str]:
        one = self.by_kind.get("Service", {}).get((namespace, name))
        selector = {key: text(e.node) for key, e in pairs(one and one.node, "spec", "selector")}
        found = [workload.name for workload in self.selected(namespace, selector)]
        if selector and 1 <= len(found) <= MOST_ALTERNATIVES:
            return found
        itself = named(namespace, name, "service")
        if one is None:
            self._gathering.mention(itself, place)
        else:
            host = text(one.node, "spec", "externalName")
            count = f"{len(found)} workloads" if selector and found else "no workload"
            note = f"stands for {host}" if host else f"a Service that selects {count} given here"
            self._gathering.mention(itself, one.place(), note=note)
        return [itself]
