"""From a descriptor of the kind that Atlassian's Micros reads to one of ours.

What is known of that format is what is public: descriptors and talks. Resources are declared there anew in each environment, as lists; here they
are maps that merge. Programs keep their variables (``SQS_<NAME>_QUEUE_URL``), which become references.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from drystone.l00_kernel.yaml_text import tree
from drystone.l00_kernel.yaml_text.problems import quoted
from drystone.l25_deployer.exchange.compose_artefact import IMAGE
from drystone.l25_deployer.exchange.drafting import (
    Files,
    Imported,
    Making,
    document_of,
    escaped,
    is_secret,
    named,
)
from drystone.l25_deployer.exchange.errors import ImportRefused
from drystone.l25_deployer.exchange.micros_resources import put_resources
from drystone.l25_deployer.exchange.remarks import Remarks
from drystone.l25_deployer.exchange.walk import Reasons, Walk

_PLACE = re.compile(r"\$\{(\w+)\}")
_NAME = re.compile(r"[A-Z_][A-Z0-9_]{0,127}")
_ENVIRONMENTS = {
    "ddev": "dev",
    "adev": "adev",
    "stg": "staging",
    "staging": "staging",
    "prod": "prod",
}
_NOT_YET = ["sh", "-c", "echo 'write the command of this worker into its descriptor' >&2; exit 1"]
_ALARMS = (
    "alarms are written in another way",
    "write 'alarms': errors: errors > 1% for 5m -> page",
)
_TOP: Reasons = {
    "buildNumber": ("a release is called as its deploy says", "drystone deploy --version"),
    "organization": ("an owner is a team", "write owner.business_unit"),
    "httpRedirect": ("the edge decides about it", "nothing"),
    "cleanup": ("old releases end after deploy.keep_warm", "write deploy.keep_warm"),
    "loadBalancer": ("the edge is the balancer", "nothing"),
    "alarms": _ALARMS,
}


def read(content: bytes, *, file: str, owner: str, files: Files) -> Imported:
    """Read a descriptor of Micros' kind.

    Args:
        content: Its text.
        file: How it is called.
        owner: Who looks after the service.
        files: Not used: such a descriptor names no files that count.

    Raises:
        ImportRefused: It is none.
    """
    del files
    remarks = Remarks(file)
    return _Reading(
        Walk(document_of(content, file, "descriptor of Micros"), (), remarks), owner
    ).all()


class _Reading:
    def __init__(self, root: Walk, owner: str) -> None:
        self._root = root
        self._remarks = root.remarks
        self._owner = owner
        self._making = Making("service", owner)

    def all(self) -> Imported:
        root, remarks = self._root, self._remarks
        if not root.has("name") or not {"compose", "links", "resources", "config", "scaling"} & set(
            root.keys
        ):
            raise ImportRefused(
                f"{remarks.file} is no descriptor of Micros: 'name' or all of 'compose', 'links', 'resources' are missing"
            )
        written = root.text("name")
        making = self._making = Making(named(written), self._owner)
        if making.service != written:
            remarks.guess(
                root.place("name"),
                ("name",),
                f"the service is called '{making.service}': {quoted(written)} is no name of a service",
            )
        self._about()
        self._containers()
        self._links()
        self._part(root, making.keys)
        overrides = root.below("environmentOverrides")
        for name, walk in overrides.each():
            ours = named(_ENVIRONMENTS.get(name, name))
            changed: dict[str, Any] = {}
            self._part(walk, changed)
            walk.rest("an environment", _TOP)
            making.put(changed, "environments", ours)
        root.rest("a descriptor of Micros", _TOP)
        if self._owner == "unowned":
            remarks.todo(
                root.span,
                ("name",),
                "nobody says which team owns it",
                "write 'owner', or import with --owner",
            )
        return Imported((making.draft(remarks, f"From {remarks.file}."),), remarks.all())

    def _about(self) -> None:
        root, making = self._root, self._making
        text = root.text("description")
        if text:
            making.put(escaped(text), "description")
        notifications = root.below("notifications")
        email = notifications.text("email")
        if email:
            making.put({"team": self._owner, "contact": escaped(email)}, "owner")
        notifications.rest("notifications", {})
        tags = root.below("tags")
        for key in tags.keys:
            making.put(escaped(tags.text(key)), "tags", named(key))
        computing = root.below("computeClassification")
        classes = self._classes(computing)
        if classes:
            making.put(classes, "data")
        computing.rest("computeClassification", {})

    def _classes(self, walk: Walk) -> list[str]:
        """Return classes of data: ``UGC/PrimaryIdentifier`` is ``ugc/primary-identifier``."""
        found = []
        for text, _ in walk.words("dataType"):
            parts = [
                named(re.sub(r"(?<=[a-z])(?=[A-Z])", "-", part)) for part in text.split("/") if part
            ]
            if parts:
                found.append("/".join(parts))
        return list(dict.fromkeys(found))

    def _containers(self) -> None:
        compose = self._root.below("compose")
        walks = dict(compose.each())
        if not walks:
            self._making.put(f"localhost/{self._making.service}:${{version}}", "image")
            self._remarks.todo(
                self._root.span, ("compose",), "no container is named", "write 'image'"
            )
            return
        main = next((name for name, walk in walks.items() if walk.has("ports")), next(iter(walks)))
        for name, walk in walks.items():
            image = self._image(walk)
            command = [escaped(text) for text, _ in walk.words("command")]
            ports = [text for text, _ in walk.words("ports")]
            number = ports[0].rpartition(":")[2] if ports else ""
            walk.rest(
                "a container",
                {
                    "links": (
                        "containers of an instance reach each other",
                        "${sidecars.NAME.host}",
                    ),
                    "depends_on": (
                        "sidecars start before the service",
                        "write sidecars.NAME.start",
                    ),
                },
            )
            if name == main:
                self._making.put(image, "image")
                if command:
                    self._making.put(command, "command")
                if number.isdecimal() and number != "8080" and 0 < int(number) < 65536:
                    self._making.put(int(number), "port")
            else:
                self._making.put(
                    {"image": image, **({"command": command} if command else {})},
                    "sidecars",
                    named(name),
                )

    def _image(self, walk: Walk) -> str:
        image, tag = walk.text("image"), walk.text("tag")
        whole = f"{image}:{tag}" if tag else image
        if IMAGE.fullmatch(whole):
            return whole
        self._remarks.todo(
            walk.place("image"),
            (*walk.path, "image"),
            f"{quoted(whole)} is known when it is built",
            f"write the image; until then it is localhost/{self._making.service}:VERSION",
        )
        return f"localhost/{self._making.service}:${{version}}"

    def _links(self) -> None:
        links, making = self._root.below("links"), self._making
        for key, ours in (("healthcheck", "health"), ("deepcheck", "deepcheck")):
            of = links.below(key)
            uri = of.text("uri")
            if uri:
                making.put("/" + uri.lstrip("/"), ours)
            of.rest(f"links.{key}", {})
        if "health" not in making.keys:
            self._remarks.guess(
                links.span,
                ("links", "healthcheck"),
                "it is taken to answer at /healthcheck",
                "write 'health'",
            )
        source = links.below("source")
        url = source.text("url")
        match = re.fullmatch(r"git@([\w.-]+):([\w./-]+)", url)
        link = f"ssh://git@{match[1]}/{match[2]}" if match else url
        if link and re.fullmatch(r"(?:https?|ssh|git)://[\w.@:/~-]+", link):
            making.put(link, "links", "source")
        elif link:
            source.lost("url", f"{quoted(url)} is no link", "write links.source")
        source.rest("links.source", {})
        links.rest("links", {})

    def _proxy(self, walk: Walk, into: dict[str, Any]) -> None:
        proxy = walk.below("serviceProxy")
        proxy.node("enabled")
        egress = proxy.below("egress")
        node = egress.node("dependencies")
        for item in node.items if isinstance(node, tree.Sequence) else []:
            one = Walk(item, (*egress.path, "dependencies"), self._remarks)
            name = one.text("name")
            if name:
                into.setdefault("dependencies", {})[named(name)] = "hard"
                self._remarks.guess(
                    item.span,
                    one.path,
                    f"'{named(name)}' is taken to be hard",
                    "say hard or soft, and what happens without it",
                )
            one.rest("a dependency", {})
        egress.rest("egress", {})
        proxy.rest(
            "serviceProxy",
            {
                "ingress": (
                    "who may call is closed here, and opened by name",
                    "write network.ingress",
                ),
                "plugins": (
                    "the sidecar proves who calls, without plugins",
                    "write network.ingress",
                ),
            },
        )

    def _part(self, walk: Walk, into: dict[str, Any]) -> None:
        """Take what may stand at the top and in an environment."""
        self._proxy(walk, into)
        scale = self._scaling(walk.below("scaling"))
        if scale:
            into["scale"] = scale
        grace = walk.below("lifecycleEvents")
        timeout = grace.text("timeout")
        if timeout.isdecimal() and int(timeout) < 100_000:
            into["stop"] = {"grace": f"{timeout}s"}
            self._remarks.guess(
                grace.place("timeout"),
                (*grace.path, "timeout"),
                "it is how long an instance has to end",
                "look at 'stop'",
            )
        grace.rest(
            "lifecycleEvents", {"source": ("an instance is told by a signal", "let it handle TERM")}
        )
        base = self._making.keys if into is not self._making.keys else {}
        node = walk.node("workers")
        for item in node.items if isinstance(node, tree.Sequence) else []:
            worker = Walk(item, (*walk.path, "workers"), self._remarks)
            name = named(worker.text("name") or "worker")
            body: dict[str, Any] = {}
            if name not in base.get("workers", {}):
                body["command"] = list(_NOT_YET)
                self._remarks.todo(
                    item.span,
                    worker.path,
                    f"nothing says what the worker '{name}' runs",
                    f"write workers.{name}.command",
                )
            several = self._scaling(worker.below("scaling"))
            if several:
                body["scale"] = several
            worker.rest("a worker", {})
            into.setdefault("workers", {})[name] = body
        resources, env = put_resources(walk, base.get("resources", {}), self._classes)
        if resources:
            into["resources"] = resources
        config = walk.below("config")
        every = {**env, **self._variables(config.below("environmentVariables"))}
        if every:
            into["env"] = every
        config.rest("config", {})
        alarms = walk.below("alarms")
        overrides = alarms.below("overrides")
        for key in overrides.keys:
            overrides.lost(key, *_ALARMS)
        alarms.rest("alarms", {})

    def _scaling(self, walk: Walk) -> dict[str, Any]:
        found: dict[str, Any] = {}
        for key in ("min", "max"):
            text = walk.text(key)
            if text.isdecimal() and 0 < int(text) <= 1000:
                found[key] = int(text)
            elif text:
                walk.lost(key, f"{quoted(text)} instances cannot run", "write 'scale'")
        walk.rest(
            "scaling",
            {
                "instance": ("what an instance may use is said in CPUs and memory", "write 'size'"),
                "metrics": (
                    "the load is followed by use of CPU, memory, requests or queues",
                    "write 'scale'",
                ),
            },
        )
        return found

    def _variables(self, walk: Walk) -> dict[str, str]:
        found: dict[str, str] = {}
        for name in walk.keys:
            value, path = walk.text(name), (*walk.path, name)
            place = walk.place(name)
            if not _NAME.fullmatch(name):
                self._remarks.lost(
                    place,
                    path,
                    f"{quoted(name)} is no name of a variable here (A-Z, 0-9 and _)",
                    "put it into the image",
                )
            elif value.startswith("vault://") or is_secret(name, value):
                found[name] = self._making.add_secret(name)
                self._remarks.todo(
                    place,
                    path,
                    "it is a secret, whose value is not imported",
                    "set it where the platform keeps secrets",
                )
            else:
                found[name] = self._filled(value, place, path)
        return found

    def _filled(self, value: str, place: Any, path: tuple[str | int, ...]) -> str:
        sidecars: Mapping[str, Any] = self._making.keys.get("sidecars", {})
        match = re.fullmatch(r"(\w+://)([a-z][\w-]*):(\d+)(/.*)?", value)
        if match and named(match[2]) in sidecars:
            self._remarks.guess(place, path, f"it is taken to name the sidecar '{match[2]}'")
            self._making.keys["sidecars"][named(match[2])].setdefault("port", int(match[3]))
            ref = f"${{sidecars.{named(match[2])}.host}}:${{sidecars.{named(match[2])}.port}}"
            return f"{match[1]}{ref}{escaped(match[4] or '')}"
        for name in _PLACE.findall(value):
            self._remarks.todo(
                place,
                path,
                f"{name} is put in when it is built there",
                "write the value, or ${version}, ${environment}",
            )
        return escaped(value)
