"""What pods are made of: containers with their variables, probes and volumes."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from drystone.l25_deployer.exchange.leaving import Leaving, filled, variables, without_nothing
from drystone.l25_deployer.stacks import model

NAME = "app.kubernetes.io/name"
_PART = "app.kubernetes.io/component"


class Pods:
    """Writes the pods of one service.

    Args:
        one: The service.
        every: All that leave together.

    Attributes:
        image: What they run.
    """

    def __init__(self, one: Leaving, every: Sequence[Leaving]) -> None:
        self._one = one
        self._every = {other.name: other for other in every}
        self.image = ""

    def called(self, group: str) -> str:
        """Name the objects of a group."""
        return self._one.name if group == model.WEB else f"{self._one.name}-{group}"

    def selects(self, group: str) -> dict[str, str]:
        """Return the labels by which the pods of a group are found."""
        return {NAME: self._one.name, _PART: group}

    def settings(self, name: str, group: model.Group) -> dict[str, str]:
        """Return the variables that are no secrets."""
        return {
            variable: self.text(template)
            for variable, template in self._variables(name, group)
            if not self._secret(template)
        }

    def _variables(self, name: str, group: model.Group) -> Iterator[tuple[str, model.Template]]:
        for variable, template in variables(self._one, group):
            if variable != "PORT" or name == model.WEB:
                yield variable, template

    def _secret(self, template: model.Template) -> tuple[str, str] | None:
        """Return the Secret and its key that a variable comes from; None for what is no secret."""
        stores = self._one.stacks.eternal.resources
        for part in template:
            if (
                isinstance(part, model.Reference)
                and part.space == "resources"
                and not isinstance(stores.get(part.name), model.Volume)
            ):
                return f"{self._one.name}-{part.name}", part.key
        return None

    def _env(self, name: str, group: model.Group) -> list[dict[str, object]]:
        """Return the variables that come from Secrets."""
        found: list[dict[str, object]] = []
        parts: dict[str, dict[str, object]] = {}
        for variable, template in self._variables(name, group):
            if self._secret(template) is None:
                continue
            if len(template) == 1:
                secret, key = self._secret(template) or ("", "")
                found.append(_from_secret(variable, secret, key))
                continue
            for part in template:
                if isinstance(part, model.Reference) and part.space == "resources":
                    inner = f"{part.name}_{part.key}".replace("-", "_").upper()
                    parts[inner] = _from_secret(inner, f"{self._one.name}-{part.name}", part.key)
            text = filled(
                template,
                lambda ref: (
                    f"$({ref.name}_{ref.key})".replace("-", "_").upper()
                    if ref.space == "resources"
                    else self.value(ref)
                ),
            )
            found.append({"name": variable, "value": text})
        names = {one["name"] for one in found}
        secrets = [
            _from_secret(one, f"{self._one.name}-secrets", one)
            for one in self._one.stacks.resources.settings.secrets
        ]
        return [
            *(one for name_, one in sorted(parts.items()) if name_ not in names),
            *sorted(found, key=lambda one: ("value" in one, str(one["name"]))),
            *secrets,
        ]

    def text(self, template: model.Template) -> str:
        """Put values into a template."""
        return filled(template, self.value)

    def words(self, command: model.Command) -> list[str]:
        """Put values into a command; what a store gives is taken from its variable when a pod starts."""
        stores = self._one.stacks.eternal.resources

        def value(ref: model.Reference) -> str:
            if ref.space != "resources" or isinstance(stores.get(ref.name), model.Volume):
                return self.value(ref)
            return f"$({ref.name}_{ref.key})".replace("-", "_").upper()

        return [
            filled(
                tuple(
                    part.replace("$(", "$$(") if isinstance(part, str) else part for part in word
                ),
                value,
            )
            for word in command
        ]

    def value(self, ref: model.Reference) -> str:
        """Return the value of a reference; of a resource other than a volume it is in a Secret."""
        match ref.space:
            case "dependencies":
                port = self._every[ref.name].port if ref.name in self._every else 8080
                return {
                    "url": f"http://{ref.name}:{port}",
                    "host": ref.name,
                    "port": str(port),
                }.get(ref.key, "")
            case "port":
                return str(self._one.port)
            case "resources":
                return f"/data/{ref.name}"
            case _:
                return ""

    def pod(
        self, name: str, group: model.Group | None, labels: Mapping[str, str], command: list[str]
    ) -> dict[str, object]:
        """Write what pods are made of."""
        one = self._one
        container: dict[str, Any] = {"name": name, "image": self.image}
        if command:
            container["command"] = command
        if name == model.WEB:
            container["ports"] = [{"name": "http", "containerPort": one.port}]
        volumes = [
            {"name": key, "persistentVolumeClaim": {"claimName": f"{one.name}-{key}"}}
            for key, resource in sorted(one.stacks.eternal.resources.items())
            if isinstance(resource, model.Volume)
        ]
        if group is not None:
            of = name if name in one.stacks.deployment.groups else model.WEB
            if self.settings(of, group):
                container["envFrom"] = [{"configMapRef": {"name": self.called(of)}}]
            container["env"] = self._env(of, group)
            amount = {
                "cpu": f"{round(group.cpu * 1000)}m",
                "memory": f"{-(-group.memory // 1024**2)}Mi",
            }
            container["resources"] = {"requests": amount, "limits": {"memory": amount["memory"]}}
            if name == model.WEB and group.health is not None:
                container.update(_probes(group.health, one.port))
        container["volumeMounts"] = [
            {"name": str(each["name"]), "mountPath": f"/data/{each['name']}"} for each in volumes
        ]
        is_nginx = isinstance(one.stacks.resources.artifact, model.StaticArtifact)
        container["securityContext"] = {
            "allowPrivilegeEscalation": False,
            **({} if is_nginx else {"capabilities": {"drop": ["ALL"]}}),
        }
        spec = without_nothing(
            {
                "terminationGracePeriodSeconds": round(
                    (group.stop.drain + group.stop.grace).total_seconds()
                )
                if group
                else None,
                "automountServiceAccountToken": False,
                "containers": [without_nothing(container)],
                "volumes": volumes,
            }
        )
        spec["automountServiceAccountToken"] = False
        return {"metadata": {"labels": dict(labels)}, "spec": spec}


def _from_secret(variable: str, secret: str, key: str) -> dict[str, object]:
    return {"name": variable, "valueFrom": {"secretKeyRef": {"name": secret, "key": key}}}


def _probes(health: model.Health, port: int) -> dict[str, object]:
    number = health.port or port
    asked: dict[str, object] = {"httpGet": {"path": health.path, "port": number}}
    if health.grpc:
        asked = {"grpc": without_nothing({"port": number, "service": health.service})}
    every = {
        "periodSeconds": max(1, round(health.interval.total_seconds())),
        "timeoutSeconds": max(1, round(health.timeout.total_seconds())),
    }
    grace = max(1, round(health.grace / max(health.interval, health.interval.resolution)))
    return {
        "startupProbe": {**asked, **every, "failureThreshold": min(grace, 1000)},
        "readinessProbe": {
            **asked,
            **every,
            "successThreshold": health.healthy,
            "failureThreshold": health.unhealthy,
        },
        "livenessProbe": {**asked, **every, "failureThreshold": health.unhealthy},
    }
