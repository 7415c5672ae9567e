"""What the pods of a workload need."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from drystone.l00_kernel.yaml_text import tree
from drystone.l05_graph.ingest import host_names
from drystone.l05_graph.ingest.documents import get, is_true, items, pairs, text, words
from drystone.l05_graph.ingest.gathering import RUN, Gathering
from drystone.l05_graph.ingest.kubernetes_objects import Objects, Workload, named
from drystone.l05_graph.ingest.source import Unreadable
from drystone.l05_graph.words import Kind, Phase, Risk, Strength

MOST_CHARACTERS = 500_000_000
"""So much configuration is searched for hosts; a ConfigMap counts for each workload that uses it."""
START = (Phase.START,)
START_AND_RUN = (Phase.START, Phase.RUN)
DEPLOY = (Phase.DEPLOY,)


class _Use(NamedTuple):
    """That a workload uses an object by reference."""

    kind: str
    name: str
    node: tree.Node
    how: str
    is_optional: bool = False


class Pods:
    """Takes what pods need.

    Args:
        gathering: Where it goes.
        objects: Everything else of the manifests.
    """

    def __init__(self, gathering: Gathering, objects: Objects) -> None:
        self._gathering = gathering
        self._objects = objects
        self._searched = 0

    def take(self, workload: Workload) -> None:
        """Take all that a workload needs."""
        for container in items(workload.pod, "initContainers"):
            # One that restarts always runs beside the others, and so needs what it names all the time.
            is_sidecar = text(container, "restartPolicy") == "Always"
            self._container(workload, container, START_AND_RUN if is_sidecar else START)
        for container in items(workload.pod, "containers"):
            self._container(workload, container, RUN)
        self._volumes(workload)
        for entry in items(workload.pod, "imagePullSecrets"):
            if secret := text(entry, "name"):
                name = named(workload.object.namespace, secret, "secret")
                self._gathering.mention(name, "", Kind.DATA)
                place = _at(workload, entry)
                self._gathering.needs(
                    workload.name, name, place, "imagePullSecrets", at=DEPLOY, risk=Risk.ARTIFACTS
                )
        account = text(workload.pod, "serviceAccountName")
        if account and account != "default":
            name = named(workload.object.namespace, account, "serviceaccount")
            self._gathering.mention(name, "", Kind.INFRASTRUCTURE)
            self._gathering.needs(
                workload.name,
                name,
                workload.object.place(),
                "serviceAccountName",
                strength=Strength.HARD,
                at=DEPLOY,
                risk=Risk.AUTH,
            )

    def _container(self, workload: Workload, container: tree.Node, at: tuple[Phase, ...]) -> None:
        for entry in items(container, "env"):
            name = text(entry, "name")
            self._named_in(workload, name, text(entry, "value"), entry, at)
            for kind, key in (("configmap", "configMapKeyRef"), ("secret", "secretKeyRef")):
                self._use_of(workload, kind, get(entry, "valueFrom", key), f"env {key}", at)
            chosen = text(entry, "valueFrom", "configMapKeyRef", "key")
            config = text(entry, "valueFrom", "configMapKeyRef", "name")
            for key, value in self._data(workload, config):
                if key == chosen:
                    self._named_in(workload, name, value, entry, at)
        for entry in items(container, "envFrom"):
            self._use_of(workload, "secret", get(entry, "secretRef"), "envFrom", at)
            self._use_of(workload, "configmap", get(entry, "configMapRef"), "envFrom", at)
            for key, value in self._data(workload, text(entry, "configMapRef", "name")):
                self._named_in(workload, key, value, entry, at)
        self._command(workload, container, at)
        registry = host_names.registry_of(text(container, "image"))
        if registry:
            self._image(workload, registry, container)

    def _command(self, workload: Workload, container: tree.Node, at: tuple[Phase, ...]) -> None:
        is_before = Phase.START in at
        for key in ("command", "args"):
            for word, span in words(container, key):
                node = tree.Scalar(span, word, word)
                option, is_option, value = word.partition("=")
                if is_option and option.startswith("-"):
                    self._named_in(workload, option, value, node, at, how=key)
                    continue
                every = [
                    *host_names.placed(word),
                    *(host_names.mentioned(word) if is_before else ()),
                ]
                for host in dict.fromkeys(every):
                    self._host(workload, host, node, key, at)

    def _named_in(
        self,
        workload: Workload,
        name: str,
        value: str,
        node: tree.Node,
        at: tuple[Phase, ...],
        *,
        how: str = "",
    ) -> None:
        """Take the hosts that a variable or option names."""
        found = list(host_names.placed(value))
        if host_names.is_about_hosts(name):
            found += host_names.whole(value)
        elif not host_names.is_about_secrets(name):
            self._doubt(workload, name, value, node)
        for host in dict.fromkeys(found):
            self._host(workload, host, node, how or f"variable {name}", at)

    def _doubt(self, workload: Workload, name: str, value: str, node: tree.Node) -> None:
        """Tell that a value is called like a Service, where it is most likely something else."""
        for host in host_names.whole(value):
            if self._objects.named_service(host, workload.object.namespace) is not None:
                what = f"{workload.name}: the value of {name} is called like a Service"
                note = f"{what}; it is taken for something else"
                self._gathering.note(note, _at(workload, node))

    def _host(
        self, workload: Workload, host: str, node: tree.Node, how: str, at: tuple[Phase, ...]
    ) -> None:
        service = self._objects.named_service(host, workload.object.namespace)
        if service is None:
            return
        place = _at(workload, node)
        behind = self._objects.behind(*service, place)
        if workload.name not in behind:  # its own Service is where it is found, not what it needs
            self._gathering.needs(workload.name, behind, place, how, at=at)

    def _image(self, workload: Workload, registry: str, container: tree.Node) -> None:
        place = _at(workload, container)
        service = self._objects.named_service(registry, workload.object.namespace)
        behind = self._objects.behind(*service, place) if service else [registry]
        self._gathering.needs(workload.name, behind, place, "image", at=DEPLOY, risk=Risk.ARTIFACTS)

    def _data(self, workload: Workload, config: str) -> Iterator[tuple[str, str]]:
        """Return what a ConfigMap says, by key."""
        key = (workload.object.namespace, config)
        found = self._objects.by_kind.get("ConfigMap", {}).get(key)
        if found is not None:
            for name, entry in pairs(found.node, "data"):
                value = text(entry.node)
                self._searched += len(value) + 100
                if self._searched > MOST_CHARACTERS:
                    raise Unreadable(
                        "too many workloads use large ConfigMaps; import them in parts"
                    )
                yield name, value

    def _volumes(self, workload: Workload) -> None:
        for volume in items(workload.pod, "volumes"):
            for source in (volume, *items(volume, "projected", "sources")):
                self._use_of(workload, "configmap", get(source, "configMap"), "volume", START)
                self._use_of(workload, "secret", get(source, "secret"), "volume", START)
                for key, value in self._data(workload, text(source, "configMap", "name")):
                    # A file may say anything; only what stands where a host stands is taken.
                    for host in dict.fromkeys(host_names.placed(value)):
                        self._host(workload, host, source, f"file {key}", RUN)
            claim = text(volume, "persistentVolumeClaim", "claimName")
            if claim:
                self._claim(workload, claim, volume)
        if workload.object.kind == "StatefulSet":
            for claim_of_each in items(workload.object.node, "spec", "volumeClaimTemplates"):
                claim = text(claim_of_each, "metadata", "name")
                if claim:
                    self._claim(workload, f"{claim}-{workload.object.name}", claim_of_each)

    def _claim(self, workload: Workload, claim: str, node: tree.Node) -> None:
        name = named(workload.object.namespace, claim, "volume")
        self._gathering.mention(name, "", Kind.DATA)
        self._gathering.needs(
            workload.name,
            name,
            _at(workload, node),
            "volume claim",
            strength=Strength.HARD,
            at=START_AND_RUN,
            risk=Risk.DATA,
        )

    def _use_of(
        self,
        workload: Workload,
        kind: str,
        node: tree.Node | None,
        how: str,
        at: tuple[Phase, ...],
    ) -> None:
        """Take a reference to a ConfigMap or Secret: without it no container starts, unless it is optional."""
        name = text(node, "name") or text(node, "secretName")
        if node is None or not name:
            return
        what = named(workload.object.namespace, name, kind)
        self._gathering.mention(what, "", Kind.DATA)
        is_optional = is_true(node, "optional") is True
        self._gathering.needs(
            workload.name,
            what,
            _at(workload, node),
            how,
            strength=Strength.SOFT if is_optional else Strength.HARD,
            at=START,
            risk=Risk.CONFIGURATION,
            without="it starts without" if is_optional else "",
        )


def _at(workload: Workload, node: tree.Node) -> str:
    return workload.object.place(node.span)
