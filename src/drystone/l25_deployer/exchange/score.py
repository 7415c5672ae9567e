"""From a Score workload to a descriptor.

The first container is the service, the others stand beside it. Score leaves open who provides a resource and what it gives; the names of what
is given are those that its public implementations use.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

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
    variable,
)
from drystone.l25_deployer.exchange.errors import ImportRefused
from drystone.l25_deployer.exchange.remarks import Remarks
from drystone.l25_deployer.exchange.score_bounds import bounds, put_health, put_ports
from drystone.l25_deployer.exchange.walk import Walk

VERSION = "score.dev/v1b1"
_PLACE = re.compile(r"\$(?:(?P<plain>\$)|\{(?P<path>[^{}]*)\})")
_NAME = re.compile(r"[A-Z_][A-Z0-9_]{0,127}")
_STORE = {
    "host": "host",
    "port": "port",
    "username": "user",
    "user": "user",
    "password": "password",
}
_TYPES: Mapping[str, tuple[str, Mapping[str, str]]] = {
    "postgres": ("postgres", {**_STORE, "name": "name", "database": "name", "url": "url"}),
    "postgres-instance": ("postgres", {**_STORE, "name": "name", "database": "name"}),
    "redis": ("cache", {"host": "host", "port": "port", "password": "password", "url": "url"}),
    "s3": (
        "bucket",
        {
            "bucket": "name",
            "name": "name",
            "endpoint": "endpoint",
            "url": "endpoint",
            "region": "region",
            "access_key_id": "access_key",
            "aws_access_key_id": "access_key",
            "secret_key": "secret_key",
            "aws_secret_key": "secret_key",
        },
    ),
    "volume": ("volume", {"source": "path"}),
    "elasticsearch": ("search", {**_STORE, "url": "url"}),
}
_ENVIRONMENT = ("environment", "env")
_ROUTES = ("dns", "route", "ingress")
_SERVICES = ("service", "workload", "service-port")
_CONTAINER = {
    "files": ("files are a part of the artefact", "put the file into the image"),
}


def read(content: bytes, *, file: str, owner: str, files: Files) -> Imported:
    """Read a Score workload.

    Args:
        content: Its text.
        file: How it is called.
        owner: Who looks after the service.
        files: Not used: a workload names no files that count.

    Raises:
        ImportRefused: It is none, or of another version.
    """
    del files
    remarks = Remarks(file)
    return _Reading(Walk(document_of(content, file, "Score workload"), (), remarks), owner).all()


class _Reading:
    def __init__(self, root: Walk, owner: str) -> None:
        self._root = root
        self._remarks = root.remarks
        self._owner = owner
        self._resources: dict[str, tuple[str, str]] = {}
        self._making = Making("", owner)

    def all(self) -> Imported:
        root, remarks = self._root, self._remarks
        version = root.text("apiVersion")
        if version != VERSION:
            raise ImportRefused(
                f"{remarks.file} is of version {quoted(version)}; only {VERSION} is understood"
            )
        metadata = root.below("metadata")
        name = metadata.text("name")
        self._making = Making(named(name or "workload"), self._owner)
        if self._making.service != name:
            remarks.guess(
                metadata.place("name"),
                ("metadata", "name"),
                f"the service is called '{self._making.service}': {quoted(name)} is no name of a service",
            )
        metadata.rest(
            "metadata",
            {
                "annotations": (
                    "they are for programs that read them",
                    "write 'tags' for a catalogue",
                )
            },
        )
        for key, walk in root.below("resources").each():
            self._resource(key, walk)
        containers = root.below("containers")
        if not containers.keys:
            raise ImportRefused(f"{remarks.file} has no containers; a workload has one at least")
        first, *others = containers.keys
        self._main(containers.below(first))
        for other in others:
            self._sidecar(other, containers.below(other))
        put_ports(root, self._making)
        root.rest("a Score workload", {})
        if self._owner == "unowned":
            remarks.todo(
                root.span,
                ("metadata",),
                "nobody says who owns it",
                "write 'owner', or import with --owner",
            )
        return Imported((self._making.draft(remarks, f"From {remarks.file}."),), remarks.all())

    def _resource(self, key: str, walk: Walk) -> None:
        type_ = walk.text("type").lower()
        name = named(key, [name for _, name in self._resources.values()])
        kind, _ = _TYPES.get(type_, ("", {}))
        reasons = {
            "metadata": ("it is for programs that read it", "write the 'tags' of the resource"),
            "class": ("it is a word of who provides the resource", "see the keys of the resource"),
            "params": (
                "they are words of who provides the resource",
                "see the keys of the resource",
            ),
            "id": (
                "a resource belongs to one service",
                "let the others call it, or declare shared_from",
            ),
        }
        self._resources[key] = (type_, name)
        if kind:
            self._making.put({"type": kind}, "resources", name)
            if name != key:
                self._remarks.guess(walk.span, walk.path, f"the resource is called '{name}'")
        elif type_ in _ROUTES:
            self._making.put({"public": True}, "network", "ingress")
            self._remarks.guess(
                walk.span,
                walk.path,
                "everybody may reach the service, under a name that the platform gives",
                "write network.ingress",
            )
        elif type_ in _SERVICES:
            params = walk.below("params")
            name = named(params.text("workload") or key)
            params.node("port")
            params.rest("a dependency", {})
            self._resources[key] = (type_, name)
            self._making.put("hard", "dependencies", name)
            self._remarks.guess(
                walk.span,
                walk.path,
                f"it is taken for the service '{name}', and for hard",
                "say hard or soft, and what happens without it",
            )
        elif type_ not in _ENVIRONMENT:
            self._remarks.lost(
                walk.span,
                walk.path,
                f"no resource is known for the type {quoted(type_)}",
                "look for one in the reference of descriptors, or let it run elsewhere",
            )
        walk.rest("a resource", reasons)

    def _main(self, walk: Walk) -> None:
        making = self._making
        image = self._image(walk)
        making.put(image, "image")
        command = self._command(walk)
        if command:
            making.put(command, "command")
        env = self._variables(walk)
        if env:
            making.put(env, "env")
        put_health(walk, self._making)
        size = bounds(walk)
        if size:
            making.put(size, "size")
        self._volumes(walk)
        walk.rest("a container", _CONTAINER)

    def _sidecar(self, key: str, walk: Walk) -> None:
        more = {
            "command": self._command(walk),
            "env": self._variables(walk),
            "size": bounds(walk),
        }
        found = {"image": self._image(walk)} | {ours: one for ours, one in more.items() if one}
        self._making.put(found, "sidecars", named(key))
        self._remarks.guess(
            walk.span,
            walk.path,
            "it stands beside the first container as a sidecar",
            "look which container serves",
        )
        for probe in ("livenessProbe", "readinessProbe"):
            if walk.has(probe):
                walk.lost(probe, "only the service itself is asked", "nothing")
        self._volumes(walk)
        walk.rest("a container", _CONTAINER)

    def _image(self, walk: Walk) -> str:
        image = walk.text("image")
        if image != "." and IMAGE.fullmatch(image):
            return image
        why = (
            "the image is built by whoever deploys"
            if image == "."
            else f"{quoted(image)} names no image"
        )
        self._remarks.todo(
            walk.place("image"),
            (*walk.path, "image"),
            why,
            f"build localhost/{self._making.service}:VERSION before each deploy",
        )
        return f"localhost/{self._making.service}:${{version}}"

    def _command(self, walk: Walk) -> list[str]:
        words = [text for key in ("command", "args") for text, _ in walk.words(key)]
        if words and not walk.has("command"):
            self._remarks.guess(
                walk.place("args"),
                (*walk.path, "args"),
                "arguments alone are the command: what the image begins with is not known",
                "write the whole command",
            )
        return [self._filled(text, walk, "command") for text in words]

    def _variables(self, walk: Walk) -> dict[str, str]:
        found: dict[str, str] = {}
        of = walk.below("variables")
        for name in of.keys:
            value, path = of.text(name), (*of.path, name)
            if not _NAME.fullmatch(name):
                self._remarks.lost(
                    of.place(name),
                    path,
                    f"{quoted(name)} is no name of a variable here (A-Z, 0-9 and _)",
                    "put it into the image",
                )
            elif "${" not in value and is_secret(name, value):
                found[name] = self._making.add_secret(name)
                self._remarks.todo(
                    of.place(name),
                    path,
                    "it looks like a secret, whose value is not imported",
                    "set it where the platform keeps secrets",
                )
            else:
                found[name] = self._filled(value, of, name)
        return found

    def _filled(self, text: str, walk: Walk, key: str) -> str:
        """Put our references in place of Score's."""
        found, plain, last = "", "", 0
        for match in _PLACE.finditer(text):
            plain += text[last : match.start()]
            last = match.end()
            if match["plain"]:
                plain += "$"
            else:
                found += escaped(plain) + self._reference(match["path"], walk, key)
                plain = ""
        return found + escaped(plain + text[last:])

    def _reference(self, inside: str, walk: Walk, key: str) -> str:
        place, path = walk.place(key), (*walk.path, key)
        if inside == "metadata.name":
            return "${service}"
        space, _, rest = inside.partition(".")
        name, _, output = rest.partition(".")
        type_, ours = self._resources.get(name, ("", "")) if space == "resources" else ("", "")
        if type_ in _ENVIRONMENT and output:
            self._remarks.todo(
                place,
                path,
                f"{quoted(output)} is told by the environment; it is kept as a secret",
                "set it where the platform keeps secrets, or write it into 'env'",
            )
            return self._making.add_secret(variable(output).upper())
        if type_ in _SERVICES and output in ("host", "hostname", "port", "url"):
            return f"${{dependencies.{ours}.{output.removesuffix('name')}}}"
        known = _TYPES.get(type_, ("", {}))[1].get(output)
        if known is None:
            self._remarks.todo(
                place,
                path,
                f"nothing gives {quoted('${' + inside + '}')}; it is left empty",
                "write the value",
            )
            return ""
        return f"${{resources.{ours}.{known}}}"

    def _volumes(self, walk: Walk) -> None:
        node = walk.node("volumes")
        path = (*walk.path, "volumes")
        listed = node.items if isinstance(node, tree.Sequence) else []
        every = [(getattr(item, "entries", {}), item.span) for item in listed]
        if isinstance(node, tree.Mapping):
            every += [
                (getattr(entry.node, "entries", {}), entry.key) for entry in node.entries.values()
            ]
        for entries, span in every:
            source = getattr(entries["source"].node, "text", "") if "source" in entries else ""
            match = re.fullmatch(r"\$\{resources\.([^.}]+)(?:\.source)?\}", source)
            key = match[1] if match else source
            _, name = self._resources.get(key, ("", named(key or "volume")))
            self._making.put({"type": "volume"}, "resources", name)
            self._remarks.todo(
                span,
                path,
                f"the volume is at the path in {variable(name).upper()}_PATH, not where it is mounted there",
                "tell the program, by a variable or an option",
            )
