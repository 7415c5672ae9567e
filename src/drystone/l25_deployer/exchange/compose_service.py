"""One service of a Compose file as a descriptor."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from drystone.l00_kernel.yaml_text import tree
from drystone.l00_kernel.yaml_text.problems import quoted
from drystone.l00_kernel.yaml_text.tree import Span
from drystone.l25_deployer.exchange.compose_artefact import Artefact, folder_of
from drystone.l25_deployer.exchange.compose_bounds import (
    put_health,
    put_sizes,
    put_stop,
    put_volumes,
)
from drystone.l25_deployer.exchange.compose_keys import SERVICE
from drystone.l25_deployer.exchange.compose_values import environment, ports
from drystone.l25_deployer.exchange.compose_variables import Variables
from drystone.l25_deployer.exchange.dockerfile import in_words
from drystone.l25_deployer.exchange.drafting import (
    Draft,
    Files,
    Making,
    escaped,
    variable,
)
from drystone.l25_deployer.exchange.interpolation import Interpolated, variables
from drystone.l25_deployer.exchange.rewiring import Target, mentions
from drystone.l25_deployer.exchange.walk import Walk

_OURS = "x-drystone"


class ComposeService:
    """A service in the making.

    Args:
        service: Its name here.
        walk: What the file says of it.
        owner: Who looks after it.
        known: Values of variables of the file.
        files: What lies beside the file.

    Attributes:
        service: Its name here.
        port: On which it listens in the source; 0 when nothing says.
    """

    def __init__(
        self, service: str, walk: Walk, owner: str, known: Mapping[str, str], files: Files
    ) -> None:
        self.service = service
        self._walk = walk
        self._remarks = walk.remarks
        self._known = known
        self._files = files
        ours = walk.below(_OURS)
        self._making = Making(service, ours.text("owner") or owner)
        self._given = [name for name, _ in ours.words("given")]
        self._built = Artefact(walk, self._making, known, files).find()
        self._ports = ports(walk, known)
        self._env = [*self._of_files(), *environment(walk, known)]
        serving = [one for one in self._ports if one.is_tcp]
        self.port = serving[0].number if serving else self._built.port if self._built else 0
        self._needs = self._needed()
        self._targets: dict[str, Target] = {}
        self._resources: dict[str, dict[str, Any]] = {}
        self._named: set[str] = set()

    def know(self, targets: Mapping[str, Target]) -> None:
        """Learn where names of hosts lead."""
        self._targets.update(targets)

    def give(self, host: str, target: Target, resource: dict[str, Any]) -> None:
        """Have a resource in place of a container."""
        self._targets[host] = target
        self._resources[target.name] = resource

    def without(self, host: str) -> None:
        """Do without a container that somebody else has as a resource."""
        self._needs.pop(host, None)

    @property
    def volumes(self) -> list[str]:
        """The volumes that it has."""
        return [name for name, one in self._resources.items() if one["type"] == "volume"]

    def uses(self, host: str) -> bool:
        """Tell whether it waits for a container, or a variable names it."""
        return host in self._needs or any(
            mentions(name, value, host) for name, value, _ in self._env
        )

    def place_of(self, host: str) -> Span | None:
        """Tell where it names a container."""
        found = (span for name, value, span in self._env if mentions(name, value, host))
        return self._needs.get(host) or next(found, self._walk.span)

    def go(self) -> None:
        """Fill in the descriptor."""
        self._commands()
        self._serving()
        if self._built is None or self._built.process is not None:
            put_health(self._walk, self._making)
        put_sizes(self._walk, self._making, self._known)
        put_stop(self._walk, self._making)
        put_volumes(self._walk, self._resources, self._known)
        self._variables()
        self._secrets()
        for name, resource in self._resources.items():
            self._making.put(resource, "resources", name)
        for host, target in self._targets.items():
            if target.space == "resources" and host not in self._named:
                what = f"no variable names {quoted(host)}; its address is in the variables {variable(target.name).upper()}_*"
                self._remarks.todo(
                    self._walk.span, self._walk.path, what, "let the program read them"
                )
        self._dependencies()
        restart = self._walk.text("restart")
        if restart in ("no", "on-failure") or restart.startswith("on-failure:"):
            self._walk.lost(
                "restart",
                "an instance that ends is started again, always",
                "let it run on, or be a schedule",
            )
        self._walk.rest("a service of Compose", SERVICE)

    def draft(self) -> Draft:
        """Write the descriptor."""
        if self._making.keys["owner"] == "unowned":
            self._remarks.todo(
                self._walk.span,
                (*self._walk.path,),
                f"nobody says who owns '{self.service}'",
                "write 'owner', or import with --owner",
            )
        return self._making.draft(self._remarks, f"From {self._remarks.file}.")

    def _of_files(self) -> list[tuple[str, str, Span]]:
        """Return the variables of files that the service names."""
        walk, found = self._walk, list[tuple[str, str, Span]]()
        node = walk.node("env_file")
        for item in (
            node.items if isinstance(node, tree.Sequence) else [node] if node is not None else []
        ):
            one = (
                Walk(item, (*walk.path, "env_file"), self._remarks)
                if isinstance(item, tree.Mapping)
                else None
            )
            name = one.text("path") if one else getattr(item, "text", "")
            if one:
                one.node("required")
                one.rest("a file of variables", {})
            content = self._files(folder_of(name)) if folder_of(name) else None
            if content is None:
                self._remarks.lost(
                    item.span,
                    (*walk.path, "env_file"),
                    f"the file {quoted(name)} is not there, or outside of the folder",
                    "write its variables into 'env'",
                )
                continue
            found += [(key, value, item.span) for key, value in variables(content).items()]
        return found

    def _needed(self) -> dict[str, Span | None]:
        node = self._walk.node("depends_on")
        if isinstance(node, tree.Mapping):
            return {name: entry.key for name, entry in node.entries.items()}
        return dict(self._walk.words("depends_on"))

    def _commands(self) -> None:
        entry, command = self._command("entrypoint"), self._command("command")
        if not entry and not command:
            return
        key = "command" if command else "entrypoint"
        if self._built is not None and self._built.process is not None:
            whole = [*entry, *command] if entry else command
            self._making.put([escaped(one) for one in whole], "process", "command")
        elif self._built is not None:
            self._walk.lost(key, "files need no command", "nothing")
        else:
            self._making.put([escaped(one) for one in (*entry, *command)], "command")
        if entry and self._built is None:
            self._remarks.guess(
                self._walk.place("entrypoint"),
                (*self._walk.path, "entrypoint"),
                "entry point and command together are the command",
            )

    def _command(self, key: str) -> list[str]:
        node = self._walk.node(key)
        if isinstance(node, tree.Scalar):
            found = in_words(Interpolated(node.text, self._known).text)
            if found[:2] == ["sh", "-c"]:
                self._remarks.guess(
                    node.span,
                    (*self._walk.path, key),
                    "a shell carries the command out; its image must have one",
                )
            return found
        return [Interpolated(text, self._known).text for text, _ in self._walk.words(key)]

    def _serving(self) -> None:
        """Find the one port that serves, and who may reach it."""
        walk = self._walk
        is_image = self._built is None
        numbers = dict.fromkeys(one.number for one in self._ports if one.is_tcp)
        if is_image and self.port and self.port != 8080:
            self._making.put(self.port, "port")
        if is_image and not self.port:
            self._remarks.guess(
                walk.span,
                walk.path,
                "no port is named; it is taken to listen on 8080",
                "write 'port'",
            )
        for one in self._ports:
            if not one.is_tcp:
                self._remarks.lost(
                    one.span,
                    (*walk.path, "ports"),
                    "the proxy passes on HTTP alone",
                    "let it be reached elsewhere",
                )
            elif one.number != self.port and numbers.pop(one.number, 1) is None:
                self._remarks.lost(
                    one.span,
                    (*walk.path, "ports"),
                    f"a service serves on one port, here {self.port}",
                    "make it a service of its own",
                )
        if any(one.is_public and one.number == self.port for one in self._ports):
            self._making.put({"public": True}, "network", "ingress")
            self._remarks.guess(
                walk.place("ports"),
                (*walk.path, "ports"),
                "it was published, so everybody may reach it; its address is given by the platform",
                "write network.ingress",
            )
        if not is_image and self._built is not None and self._built.process is not None:
            self._own_port()

    def _own_port(self) -> None:
        """Let a process listen where the platform says, if a variable or its command tells it where."""
        command = self._making.keys["process"]["command"]
        port = str(self.port)
        pattern = re.compile(rf"(?<![\d.]){port}(?!\d)")
        changed = [pattern.sub("${port}", one) for one in command] if self.port else command
        if changed != command:
            self._making.put(changed, "process", "command")
            self._remarks.guess(
                self._walk.span,
                self._walk.path,
                f"{port} in the command becomes the port that the platform gives",
            )
        elif not any("port" in one for one in command) and not self._has_port():
            self._remarks.todo(
                self._walk.span,
                self._walk.path,
                "a process listens on the port that the platform gives",
                "let it read the variable PORT",
            )

    def _has_port(self) -> bool:
        every = {
            **(self._built.env if self._built else {}),
            **{name: value for name, value, _ in self._env},
        }
        return any(
            value == str(self.port) and name.upper().endswith("PORT")
            for name, value in every.items()
        )

    def _variables(self) -> None:
        built = self._built
        if built is not None and built.process is None:
            if self._env:
                self._walk.lost("environment", "files need no variables", "nothing")
            return
        found = Variables(
            self._walk,
            self._making,
            self._targets,
            port=self.port if built else 0,
            given=self._given,
        )
        for name, value in (built.env if built else {}).items():
            found.put(name, value, None)
        for name, value, span in self._env:
            found.put(name, value, span)
        self._named = found.named

    def _secrets(self) -> None:
        node = self._walk.node("secrets")
        for item in node.items if isinstance(node, tree.Sequence) else []:
            one = (
                Walk(item, (*self._walk.path, "secrets"), self._remarks)
                if isinstance(item, tree.Mapping)
                else None
            )
            source = one.text("source") if one else getattr(item, "text", "")
            for key in ("target", "uid", "gid", "mode"):
                if one and one.has(key):
                    one.lost(key, "secrets are variables, not files", "nothing")
            name = variable(source).upper()
            self._making.put(self._making.add_secret(name), "env", name)
            self._remarks.todo(
                item.span,
                (*self._walk.path, "secrets"),
                f"the secret is the variable ${{secrets.{name}}}, not a file in /run/secrets",
                "let the program read a variable",
            )

    def _dependencies(self) -> None:
        node = self._walk.node("depends_on")
        for host, target in self._targets.items():
            if target.space != "dependencies" or not (host in self._needs or host in self._named):
                continue
            entry = node.entries.get(host) if isinstance(node, tree.Mapping) else None
            one = (
                Walk(entry.node, (*self._walk.path, "depends_on", host), self._remarks)
                if entry
                else None
            )
            is_soft = one is not None and one.has("required") and not one.is_true("required")
            if one:
                one.node("condition")
                if one.has("restart"):
                    one.lost(
                        "restart",
                        "a service is not started again when another one changes",
                        "nothing",
                    )
            need: object = "hard"
            if is_soft:
                need = {"needs": "soft", "without": "it works without"}
            self._making.put(need, "dependencies", target.name)
            self._remarks.guess(
                self._needs.get(host) or self._walk.span,
                (*self._walk.path, "depends_on"),
                f"'{target.name}' is taken to be {'soft' if is_soft else 'hard'}: Compose knows an order of starts, not who can do without whom",
                "say hard or soft, and what happens without it",
            )
        for host, span in self._needs.items():
            if host not in self._targets:
                self._remarks.lost(
                    span,
                    (*self._walk.path, "depends_on"),
                    f"{quoted(host)} is no service here",
                    "look whether it is needed",
                )
