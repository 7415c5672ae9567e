"""From services to a Compose file. Pure, and the same services give the same file.

What it writes is what an import reads as the same descriptors again: resources are containers of known stores, processes and files are
built in place, and what Compose has no word for stands under ``x-drystone``.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta

from drystone.l25_deployer.exchange.dockerfile import dockerfile
from drystone.l25_deployer.exchange.errors import ExportRefused
from drystone.l25_deployer.exchange.leaving import (
    Exported,
    Leaving,
    asks_stores,
    base_of,
    compact,
    filled,
    given,
    left_behind,
    listens_everywhere,
    variables,
    without_nothing,
)
from drystone.l25_deployer.exchange.remarks import Remarks
from drystone.l25_deployer.exchange.writing import dump
from drystone.l25_deployer.stacks import model

FILE = "compose.yaml"
_MEBI = 1024 * 1024
_USUAL = (0.5, 512 * _MEBI)
_HEALTH = model.Health(
    path="/",
    interval=timedelta(seconds=5),
    timeout=timedelta(seconds=2),
    healthy=2,
    unhealthy=3,
    grace=timedelta(seconds=60),
)
_USER = "app"


def export(every: Sequence[Leaving], *, source: str) -> Exported:
    """Write services as a Compose file.

    Args:
        every: Which.
        source: Where they come from, for remarks.

    Raises:
        ExportRefused: One is a part of the platform itself.
    """
    return _Writing(sorted(every, key=lambda one: one.name), Remarks(source)).all()


class _Writing:
    def __init__(self, every: Sequence[Leaving], remarks: Remarks) -> None:
        self._every = every
        self._remarks = remarks
        self._by_name = {one.name: one for one in every}
        self._services: dict[str, dict[str, object]] = {}
        self._volumes: dict[str, dict[str, object]] = {}
        self._hosts: dict[tuple[str, str], str] = {}
        self._published: set[int] = set()

    def all(self) -> Exported:
        """Write everything."""
        taken = set(self._by_name)
        for one in self._every:
            for name in sorted(one.stacks.eternal.resources):
                host = name if name not in taken else f"{one.name}-{name}"
                taken.add(host)
                self._hosts[one.name, name] = host
        for one in self._every:
            self._service(one)
        left_behind(self._every, self._remarks)
        document = without_nothing({"services": self._services, "volumes": self._volumes})
        said = "Written by drystone export. Values of secrets are taken from the environment, or from the file .env."
        unheeded = tuple(remark for one in self._every for remark in one.unheeded)
        return Exported({FILE: dump(document, said)}, (*unheeded, *self._remarks.all()))

    def _service(self, one: Leaving) -> None:
        stacks = one.stacks
        base = self._artefact(one)
        stores = [name for name in sorted(stacks.eternal.resources) if self._store(one, name)]
        waits: dict[str, object] = {
            self._hosts[one.name, name]: {"condition": "service_started"} for name in stores
        }
        for name, need in sorted(stacks.environment.dependencies.items()):
            if name in self._by_name:
                soft = {"required": False} if need.needs == "soft" else {}
                waits[name] = {"condition": "service_started", **soft}
        web = one.web
        command = [self._text(one, word) for word in web.command] if web else []
        body: dict[str, object] = {**base, **self._instances(one, web)}
        is_told = "build" not in base or (web is not None and asks_stores(one, web.command))
        if web is not None and command and is_told:
            body["command"] = command
        port = one.port
        if stacks.environment.public:
            outside = next(n for n in range(port, 65536) if n not in self._published)
            self._published.add(outside)
            body["ports"] = [f"{outside}:{port}"]
        else:
            body["expose"] = [str(port)]
        body["depends_on"] = waits
        body["x-drystone"] = without_nothing(
            {"owner": stacks.environment.owner, "given": given(one)}
        )
        self._services[one.name] = without_nothing(body)
        self._others(one, base, waits)

    def _others(self, one: Leaving, base: dict[str, object], waits: dict[str, object]) -> None:
        """Write workers and the migration as services of their own, which have no port."""
        for name, group in sorted(one.stacks.deployment.groups.items()):
            if name != model.WEB:
                command = [self._text(one, word) for word in group.command]
                body = {
                    **base,
                    **self._instances(one, group),
                    "command": command,
                    "depends_on": waits,
                }
                self._services[f"{one.name}-{name}"] = without_nothing(body)
        if one.stacks.route.migrate:
            command = [self._text(one, word) for word in one.stacks.route.migrate]
            env = self._env(one, model.Group((), 1, *_USUAL, stop=_STOP, serves=False))
            body = {
                **base,
                "environment": env,
                "command": command,
                "depends_on": waits,
                "restart": "no",
            }
            self._services[f"{one.name}-migrate"] = without_nothing(body)
            before = {f"{one.name}-migrate": {"condition": "service_completed_successfully"}}
            service = self._services[one.name]
            service["depends_on"] = {**waits, **before}
            self._remarks.guess(
                None,
                (one.name, "deploy", "migrate"),
                f"the migration is the service '{one.name}-migrate', which runs at each start",
                "look at it",
            )

    def _instances(self, one: Leaving, group: model.Group | None) -> dict[str, object]:
        if group is None:
            return {}
        limits = without_nothing(
            {
                "cpus": f"{group.cpu:g}" if group.cpu != _USUAL[0] else "",
                "memory": f"{-(-group.memory // _MEBI)}M" if group.memory != _USUAL[1] else "",
            }
        )
        many = group.instances if group.instances != 1 else None
        deploy = without_nothing(
            {"replicas": many, "resources": {"limits": limits} if limits else None}
        )
        if group.scaling is not None:
            self._remarks.lost(
                None,
                (one.name, "scale"),
                "Compose does not follow the load",
                "write deploy.replicas",
            )
        if group.health is not None:
            what = "its image is taken to have curl, by which Compose asks for its health"
            self._remarks.guess(None, (one.name, "health"), what, "write another 'healthcheck'")
        stop = group.stop
        return {
            "environment": self._env(one, group),
            "volumes": self._mounts(one),
            "healthcheck": _health(group.health, one.port) if group.health else {},
            "deploy": deploy,
            "stop_grace_period": compact(stop.grace) if stop.grace != timedelta(seconds=30) else "",
            "stop_signal": f"SIG{stop.signal}" if stop.signal != "TERM" else "",
            "restart": "unless-stopped",
        }

    def _env(self, one: Leaving, group: model.Group) -> dict[str, object]:
        found: dict[str, object] = {
            name: self._text(one, template)
            for name, template in variables(one, group)
            if name != "PORT" or group.serves
        }
        for name in one.stacks.resources.settings.secrets:
            found[name] = f"${{{name}:?}}"
        if isinstance(one.stacks.resources.artifact, model.ImageArtifact) and found.get(
            "PORT"
        ) == str(one.port):
            # An image listens where it does anyway; PORT is what the platform tells it.
            del found["PORT"]
        return dict(sorted(found.items()))

    def _text(self, one: Leaving, template: model.Template) -> str:
        def value(ref: model.Reference) -> str:
            match ref.space:
                case "resources":
                    return self._of_store(one, ref)
                case "dependencies":
                    port = self._by_name[ref.name].port if ref.name in self._by_name else 8080
                    known = {
                        "url": f"http://{ref.name}:{port}",
                        "host": ref.name,
                        "port": str(port),
                    }
                    return known.get(ref.key, "")
                case "port":
                    return str(one.port)
                case _:
                    return ""

        # A dollar of ours is a plain one; Compose would look for a variable behind it.
        escaped = tuple(
            part.replace("$", "$$") if isinstance(part, str) else part for part in template
        )
        return filled(escaped, value)

    def _of_store(self, one: Leaving, ref: model.Reference) -> str:
        host = self._hosts[one.name, ref.name]
        password = f"${{{_variable(host)}_PASSWORD:?}}"
        match one.stacks.eternal.resources.get(ref.name):
            case model.Postgres():
                known = {
                    "url": f"postgresql://{_USER}:{password}@{host}:5432/{_USER}",
                    "host": host,
                    "port": "5432",
                    "name": _USER,
                    "user": _USER,
                    "password": password,
                }
            case model.Cache():
                known = {"url": f"redis://{host}:6379", "host": host, "port": "6379"}
            case model.Bucket():
                address = f"http://{host}:9000"
                known = {
                    "name": ref.name,
                    "endpoint": address,
                    "url": f"{address}/{ref.name}",
                    "access_key": _USER,
                    "secret_key": password,
                    "region": "us-east-1",
                }
            case model.Volume():
                known = {"path": f"/data/{ref.name}"}
            case _:
                known = {}
        return known.get(ref.key, "")

    def _store(self, one: Leaving, name: str) -> bool:
        """Write the container of a store; False for what is none."""
        host, path = self._hosts[one.name, name], (one.name, "resources", name)
        password = f"${{{_variable(host)}_PASSWORD:?}}"
        match one.stacks.eternal.resources[name]:
            case model.Postgres() as database:
                env = {"POSTGRES_DB": _USER, "POSTGRES_PASSWORD": password, "POSTGRES_USER": _USER}
                body = {
                    "image": f"postgres:{database.version}",
                    "environment": env,
                    "volumes": [f"{host}:/var/lib/postgresql"],
                }
                self._volumes[host] = {}
                for extension in database.extensions:
                    self._remarks.todo(
                        None,
                        path,
                        f"the extension {extension} is not made there",
                        f"CREATE EXTENSION {extension}",
                    )
            case model.Cache():
                body = {"image": "valkey/valkey:9"}
            case model.Bucket():
                env = {"MINIO_ROOT_PASSWORD": password, "MINIO_ROOT_USER": _USER}
                body = {
                    "image": "minio/minio",
                    "command": ["server", "/data"],
                    "environment": env,
                    "volumes": [f"{host}:/data"],
                }
                self._volumes[host] = {}
                self._remarks.todo(
                    None, path, f"the bucket '{name}' has to be made there", f"mc mb {name}"
                )
            case model.Volume():
                self._volumes[host] = {}
                return False
            case other:
                type_ = str(other.__struct_config__.tag)
                self._remarks.lost(
                    None,
                    path,
                    f"Compose has nothing for a resource of the type {getattr(other, 'type', type_)}",
                    "let it run elsewhere",
                )
                return False
        self._services[host] = {**body, "restart": "unless-stopped"}
        self._remarks.todo(
            None,
            path,
            "the data is not exported",
            "drystone migrate data, or restore a backup there",
        )
        return True

    def _mounts(self, one: Leaving) -> list[str]:
        return [
            f"{self._hosts[one.name, name]}:/data/{name}"
            for name, resource in sorted(one.stacks.eternal.resources.items())
            if isinstance(resource, model.Volume)
        ]

    def _artefact(self, one: Leaving) -> dict[str, object]:
        match one.stacks.resources.artifact:
            case model.ImageArtifact() as image:
                return {"image": image.ref}
            case model.ProcessArtifact() as process:
                base = base_of(one, self._remarks)
                listens_everywhere(one, self._remarks)
                words = one.web.command if one.web else ()
                # What a store gives is no part of an image: there the program stands alone, and Compose tells the rest.
                words = words[:1] if asks_stores(one, words) else words
                command = [self._text(one, word) for word in words]
                text = dockerfile(base=base, dir_=".", setup=process.setup, command=command, env={})
                return {"build": {"context": process.dir, "dockerfile_inline": text}}
            case model.StaticArtifact() as static:
                if static.spa or static.cache or static.headers or static.csp:
                    self._remarks.lost(
                        None,
                        (one.name, "static"),
                        "how files are served is nginx' own way there",
                        "write a configuration of nginx",
                    )
                text = f"FROM nginx:1\nCOPY {static.dir} /usr/share/nginx/html\n"
                return {"build": {"context": ".", "dockerfile_inline": text}}
            case _:
                raise ExportRefused(
                    f"{one.name} is a part of the platform itself, which runs nowhere else",
                    service=one.name,
                )


_STOP = model.Stop(timedelta(0), timedelta(seconds=30), "TERM")


def _health(health: model.Health, port: int) -> dict[str, object]:
    if health.grpc:
        return {"test": ["CMD", "grpc_health_probe", f"-addr=localhost:{health.port or port}"]}
    asked = f"http://localhost:{health.port or port}{health.path}"
    return without_nothing(
        {
            "test": ["CMD", "curl", "-fsS", asked],
            "interval": compact(health.interval) if health.interval != _HEALTH.interval else "",
            "timeout": compact(health.timeout) if health.timeout != _HEALTH.timeout else "",
            "retries": health.unhealthy if health.unhealthy != _HEALTH.unhealthy else None,
            "start_period": compact(health.grace) if health.grace != _HEALTH.grace else "",
        }
    )


def _variable(host: str) -> str:
    return host.replace("-", "_").upper()
