"""Kubernetes: manifests as YAML documents or JSON, as they are applied.

A workload needs what its configuration names: Services by their DNS names, which stand for the workloads that they select;
ConfigMaps, Secrets, volume claims and its ServiceAccount by reference. The values of Secrets are never looked at.
Workloads keep their names; everything else is written as ``secret/name``, and what lies in another namespace than
``default`` as ``namespace/name``.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from drystone.l00_kernel.yaml_text import tree
from drystone.l05_graph.ingest.documents import documents, get, items, pairs, text
from drystone.l05_graph.ingest.gathering import RUN, Gathering
from drystone.l05_graph.ingest.kubernetes_objects import Object, Objects, Workload, named
from drystone.l05_graph.ingest.kubernetes_pods import Pods
from drystone.l05_graph.ingest.source import Declared, DeclaredSource, File
from drystone.l05_graph.model import Component
from drystone.l05_graph.words import Kind, Risk

_NAMESPACE_LABEL = "kubernetes.io/metadata.name"


def read(files: Sequence[File]) -> Declared:
    """Read manifests.

    Raises:
        Unreadable: No file can be read, or none holds a workload or an Ingress.
    """
    gathering = Gathering("Kubernetes")
    for file in files:
        if b"{{" in file.content:
            what = "holds '{{'; if it is a Helm template, import what 'helm template' prints"
            gathering.note(what, file.name)
    objects = Objects(gathering, documents(files, gathering, "manifest"))
    pods = Pods(gathering, objects)
    for workload in objects.workloads.values():
        pods.take(workload)
    for ingress in objects.by_kind.get("Ingress", {}).values():
        _ingress(ingress, objects, gathering)
    for policy in objects.by_kind.get("NetworkPolicy", {}).values():
        _Policy(policy, objects, gathering).take()
    return gathering.declared("workload of Kubernetes")


def _ingress(one: Object, objects: Objects, gathering: Gathering) -> None:
    name = named(one.namespace, one.name, "ingress")
    gathering.component(Component(name=name, kind=Kind.INFRASTRUCTURE), one.place())
    for backend in _backends(one.node):
        service = text(backend, "service", "name") or text(backend, "serviceName")
        if service:
            place = one.place(backend.span)
            behind = objects.behind(one.namespace, service, place)
            gathering.needs(name, behind, place, "backend", risk=Risk.NETWORK)
    for entry in items(one.node, "spec", "tls"):
        secret = text(entry, "secretName")
        if secret:
            what = named(one.namespace, secret, "secret")
            gathering.mention(what, "", Kind.DATA)
            gathering.needs(name, what, one.place(entry.span), "tls", risk=Risk.AUTH)


def _backends(node: tree.Node) -> Iterator[tree.Node]:
    first = [get(node, "spec", "defaultBackend"), get(node, "spec", "backend")]
    yield from (one for one in first if one is not None)
    for rule in items(node, "spec", "rules"):
        for path in items(rule, "http", "paths"):
            backend = get(path, "backend")
            if backend is not None:
                yield backend


class _Policy:
    """What a NetworkPolicy lets through on purpose: from named pods to named pods."""

    def __init__(self, one: Object, objects: Objects, gathering: Gathering) -> None:
        self._one = one
        self._objects = objects
        self._gathering = gathering

    def take(self) -> None:
        """Take the connections between workloads that it names."""
        subject = self._selected(get(self._one.node, "spec", "podSelector"), self._one.namespace)
        if not subject:
            return
        for direction, side in (("ingress", "from"), ("egress", "to")):
            for rule in items(self._one.node, "spec", direction):
                for peer in items(rule, side):
                    others = self._peers(peer)
                    pairs_ = [(a, b) for a in others for b in subject]
                    for user, used in pairs_ if side == "from" else [(b, a) for a, b in pairs_]:
                        if user is not used:
                            place = self._one.place(peer.span)
                            self._gathering.needs(user.name, used.name, place, direction, at=RUN)

    def _peers(self, peer: tree.Node) -> list[Workload]:
        namespace = self._one.namespace
        if get(peer, "namespaceSelector") is not None:
            namespace = text(peer, "namespaceSelector", "matchLabels", _NAMESPACE_LABEL)
            if not namespace:
                return self._skip("namespaces that are not chosen by their name", peer)
        if get(peer, "podSelector") is None:
            return self._skip("addresses or all pods of a namespace, not named ones", peer)
        return self._selected(get(peer, "podSelector"), namespace)

    def _selected(self, selector: tree.Node | None, namespace: str) -> list[Workload]:
        if selector is not None and items(selector, "matchExpressions"):
            return self._skip("pods by matchExpressions, which are not evaluated", selector)
        labels = {key: text(entry.node) for key, entry in pairs(selector, "matchLabels")}
        if not labels:
            return self._skip("all pods, not named ones", selector or self._one.node)
        return self._objects.selected(namespace, labels)

    def _skip(self, what: str, node: tree.Node) -> list[Workload]:
        reason = f"a NetworkPolicy is for {what}"
        self._gathering.skips.add(reason, self._one.place(node.span))
        return []


SOURCE = DeclaredSource(
    name="kubernetes",
    title="Kubernetes manifests",
    files=("*.yaml", "*.yml", "*.json"),
    format="https://kubernetes.io/docs/reference/kubernetes-api/",
    read=read,
)
