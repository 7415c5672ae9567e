"""From services to plain manifests for Kubernetes. Pure, and the same services give the same manifests.

Nothing but built-in kinds of objects: Deployment, Service, ConfigMap, PersistentVolumeClaim, Job, PodDisruptionBudget,
HorizontalPodAutoscaler and NetworkPolicy. Secrets are referred to and not written. Stores have no manifests: what a service is told of one is
taken from a Secret, which whoever provides the store fills.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from drystone.l25_deployer.exchange.dockerfile import dockerfile
from drystone.l25_deployer.exchange.errors import ExportRefused
from drystone.l25_deployer.exchange.kubernetes_pods import NAME, Pods
from drystone.l25_deployer.exchange.leaving import (
    Exported,
    Leaving,
    asks_stores,
    base_of,
    left_behind,
    listens_everywhere,
)
from drystone.l25_deployer.exchange.remarks import Remarks
from drystone.l25_deployer.exchange.writing import dump
from drystone.l25_deployer.stacks import model
from drystone.l25_deployer.stacks.ways import WAY_IN

_SAID = "Written by drystone export. Secrets that are referred to have to be there before."


def export(every: Sequence[Leaving], *, source: str) -> Exported:
    """Write services as manifests, one file for each, and Dockerfiles for those that come without an image.

    Args:
        every: Which.
        source: Where they come from, for remarks.

    Raises:
        ExportRefused: One is a part of the platform itself.
    """
    ordered, remarks = sorted(every, key=lambda one: one.name), Remarks(source)
    files: dict[str, str] = {}
    for one in ordered:
        writing = _Writing(one, ordered, remarks)
        objects = list(writing.objects())
        files[f"{one.name}.yaml"] = "---\n".join([dump(objects[0], _SAID), *map(dump, objects[1:])])
        files.update(writing.dockerfiles)
    left_behind(ordered, remarks)
    unheeded = tuple(remark for one in ordered for remark in one.unheeded)
    return Exported(files, (*unheeded, *remarks.all()))


class _Writing(Pods):
    """Writes one service."""

    def __init__(self, one: Leaving, every: Sequence[Leaving], remarks: Remarks) -> None:
        super().__init__(one, every)
        self._remarks = remarks
        self.dockerfiles: dict[str, str] = {}
        self.image = self._artefact()

    def objects(self) -> Iterator[dict[str, object]]:
        """Write its objects, in an order in which they can be made."""
        one = self._one
        for name, resource in sorted(one.stacks.eternal.resources.items()):
            if isinstance(resource, model.Volume):
                yield self._claim(name)
            else:
                self._store(name, resource)
        groups = one.stacks.deployment.groups
        for name, group in sorted(groups.items(), key=lambda item: item[0] != model.WEB):
            settings = self.settings(name, group)
            if settings:
                yield self._object("v1", "ConfigMap", self.called(name), {"data": settings})
        if one.stacks.route.migrate:
            yield self._migration(groups)
        if not groups:
            yield self._deployment(model.WEB, None)
        for name, group in sorted(groups.items(), key=lambda item: item[0] != model.WEB):
            yield self._deployment(name, group)
            yield from self._many(name, group)
        yield self._service()
        yield self._network_policy()

    def _object(
        self, version: str, kind: str, name: str, body: Mapping[str, object]
    ) -> dict[str, object]:
        labels = {NAME: self._one.name, "app.kubernetes.io/managed-by": "drystone-export"}
        return {
            "apiVersion": version,
            "kind": kind,
            "metadata": {"name": name, "labels": labels},
            **body,
        }

    def _artefact(self) -> str:
        one = self._one
        version = one.stacks.resources.version
        image = f"{one.name}:{version}"
        match one.stacks.resources.artifact:
            case model.ImageArtifact() as artefact:
                return artefact.ref
            case model.ProcessArtifact() as process:
                base = base_of(one, self._remarks)
                words = one.web.command if one.web else ()
                words = words[:1] if asks_stores(one, words) else words
                command = [self.text(word) for word in words]
                text = dockerfile(
                    base=base, dir_=process.dir, setup=process.setup, command=command, env={}
                )
                listens_everywhere(one, self._remarks)
            case model.StaticArtifact() as static:
                text = f"FROM nginx:1\nCOPY {static.dir} /usr/share/nginx/html\n"
            case _:
                raise ExportRefused(
                    f"{one.name} is a part of the platform itself, which runs nowhere else",
                    service=one.name,
                )
        self.dockerfiles[f"{one.name}.Dockerfile"] = text
        self._remarks.todo(
            None,
            (one.name, "image"),
            "it comes without an image",
            f"docker build -f {one.name}.Dockerfile -t {image}, push it, and name the registry in the manifest",
        )
        return image

    def _store(self, name: str, resource: model.Resource) -> None:
        type_ = str(resource.__struct_config__.tag)
        keys = sorted(
            {
                part.key
                for template in self._one.stacks.resources.env.values()
                for part in template
                if isinstance(part, model.Reference)
                and part.space == "resources"
                and part.name == name
            }
        )
        if isinstance(resource, WAY_IN):
            self._remarks.todo(
                None,
                (self._one.name, "resources", name),
                f"the {type_} for {', '.join(resource.hosts) or 'its own name'} has no manifest: its kind is that of the cluster",
                f"write an Ingress or an HTTPRoute, or a Certificate of cert-manager, and a Secret {self._one.name}-{name}"
                f" with the keys {', '.join(keys)}",
            )
            return
        self._remarks.todo(
            None,
            (self._one.name, "resources", name),
            f"the {type_} has no manifest, and its data is not exported",
            f"provide one, and a Secret {self._one.name}-{name} with the keys {', '.join(keys)}; move the data: drystone migrate data",
        )

    def _claim(self, name: str) -> dict[str, object]:
        self._remarks.guess(
            None,
            (self._one.name, "resources", name),
            "the volume asks for 1Gi",
            "write its size; its data is not exported",
        )
        spec = {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "1Gi"}}}
        return self._object(
            "v1", "PersistentVolumeClaim", f"{self._one.name}-{name}", {"spec": spec}
        )

    def _deployment(self, name: str, group: model.Group | None) -> dict[str, object]:
        selects = self.selects(name)
        has_volume = any(
            isinstance(each, model.Volume) for each in self._one.stacks.eternal.resources.values()
        )
        strategy = (
            {"type": "Recreate"}
            if has_volume
            else {"type": "RollingUpdate", "rollingUpdate": {"maxUnavailable": 0, "maxSurge": 1}}
        )
        is_image = isinstance(self._one.stacks.resources.artifact, model.ImageArtifact)
        is_told = is_image or name != model.WEB
        command = (
            self.words(group.command)
            if group and (is_told or asks_stores(self._one, group.command))
            else []
        )
        spec: dict[str, object] = {
            "selector": {"matchLabels": selects},
            "strategy": strategy,
            "template": self.pod(name, group, selects, command),
        }
        is_scaled = group is not None and group.scaling is not None
        if not is_scaled:
            spec = {"replicas": group.instances if group else 1, **spec}
        return self._object("apps/v1", "Deployment", self.called(name), {"spec": spec})

    def _migration(self, groups: Mapping[str, model.Group]) -> dict[str, object]:
        one = self._one
        labels = self.selects("migrate")
        command = self.words(one.stacks.route.migrate)
        pod = self.pod("migrate", groups.get(model.WEB), labels, command)
        spec = dict(pod["spec"])  # type: ignore[call-overload]
        spec["restartPolicy"] = "Never"
        version = "".join(
            char if char.isalnum() else "-" for char in one.stacks.resources.version.lower()
        ).strip("-")
        self._remarks.todo(
            None,
            (one.name, "deploy", "migrate"),
            "a Job does not wait before a Deployment",
            f"apply {one.name}-migrate-{version}, and wait for it, before the rest",
        )
        return self._object(
            "batch/v1",
            "Job",
            f"{one.name}-migrate-{version}"[:63].strip("-"),
            {"spec": {"backoffLimit": 0, "template": {**pod, "spec": spec}}},
        )

    def _many(self, name: str, group: model.Group) -> Iterator[dict[str, object]]:
        scaling = group.scaling
        if group.instances > 1 or scaling is not None:
            spec: dict[str, object] = {
                "maxUnavailable": 1,
                "selector": {"matchLabels": self.selects(name)},
            }
            yield self._object(
                "policy/v1", "PodDisruptionBudget", self.called(name), {"spec": spec}
            )
        if scaling is not None:
            shares = {"cpu": scaling.cpu, "memory": scaling.memory}
            metrics = [
                {
                    "type": "Resource",
                    "resource": {
                        "name": of,
                        "target": {"type": "Utilization", "averageUtilization": round(share * 100)},
                    },
                }
                for of, share in shares.items()
                if share is not None
            ]
            if scaling.requests is not None or scaling.latency is not None or scaling.queues:
                what = "a cluster follows requests, times and queues only by metrics of one's own"
                path = (self._one.name, "scale")
                self._remarks.lost(None, path, what, "provide them, and write the metric")
            spec = {
                "scaleTargetRef": {
                    "apiVersion": "apps/v1",
                    "kind": "Deployment",
                    "name": self.called(name),
                },
                "minReplicas": group.instances,
                "maxReplicas": scaling.most,
                "metrics": metrics,
            }
            yield self._object(
                "autoscaling/v2", "HorizontalPodAutoscaler", self.called(name), {"spec": spec}
            )

    def _service(self) -> dict[str, object]:
        port = {"name": "http", "port": self._one.port, "targetPort": "http"}
        if self._one.stacks.environment.public:
            self._remarks.todo(
                None,
                (self._one.name, "network", "ingress", "public"),
                "there is no Ingress: its kind and names are those of the cluster",
                f"write one that leads to the Service {self._one.name}",
            )
        return self._object(
            "v1",
            "Service",
            self._one.name,
            {"spec": {"selector": self.selects(model.WEB), "ports": [port]}},
        )

    def _network_policy(self) -> dict[str, object]:
        """Let in who declares to call, or everybody where it is public; let out to what is declared, and to names."""
        one = self._one
        at = one.stacks.environment
        callers = sorted(
            name
            for name, other in self._every.items()
            if one.name in other.stacks.environment.dependencies
            and (at.callers is None or name in at.callers)
        )
        comes: dict[str, object] = {"ports": [{"port": one.port}]}
        if not at.public:
            comes["from"] = [{"podSelector": {"matchLabels": {NAME: name}}} for name in callers]
        ingress = [comes] if at.public or callers else []
        names = {
            "to": [{"namespaceSelector": {}}],
            "ports": [{"port": 53, "protocol": "UDP"}, {"port": 53, "protocol": "TCP"}],
        }
        others = [name for name in sorted(at.dependencies) if name in self._every]
        egress: list[object] = [names]
        egress += [
            {
                "to": [{"podSelector": {"matchLabels": {NAME: name}}}],
                "ports": [{"port": self._every[name].port}],
            }
            for name in others
        ]
        has_stores = any(
            not isinstance(each, model.Volume) for each in one.stacks.eternal.resources.values()
        )
        kinds = ["Ingress", "Egress"]
        if has_stores or at.egress or at.dependencies.keys() - self._every.keys():
            kinds.remove("Egress")
            egress = []
            self._remarks.lost(
                None,
                (one.name, "network"),
                "where it may go is not bounded there: a NetworkPolicy knows no names of hosts",
                "bound it to the addresses of its stores and of hosts outside",
            )
        spec: dict[str, object] = {
            "podSelector": {"matchLabels": {NAME: one.name}},
            "policyTypes": kinds,
            "ingress": ingress,
        }
        if egress:
            spec["egress"] = egress
        return self._object("networking.k8s.io/v1", "NetworkPolicy", one.name, {"spec": spec})
