"""What services are made of, as those see it who carry them elsewhere: values in place of references."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import timedelta

import msgspec

from drystone.l25_deployer.descriptor.reading import Reading, resolve
from drystone.l25_deployer.exchange.errors import ExportRefused
from drystone.l25_deployer.exchange.remarks import Remark, Remarks
from drystone.l25_deployer.stacks import model
from drystone.l25_deployer.stacks.acted_on import not_acted_on
from drystone.l25_deployer.stacks.compile import compile_stacks
from drystone.l25_deployer.standing_words import StandingView

PORT = 8080
"""On which a process listens elsewhere; here it is told another one each time."""

OURS = "DRYSTONE_"
"""How variables begin that only mean something here."""


class Leaving(msgspec.Struct, frozen=True):
    """A service that is carried elsewhere.

    Attributes:
        stacks: What it is made of.
        unheeded: What its descriptor says that nothing acts on here either, with lines.
    """

    stacks: model.Stacks
    unheeded: tuple[Remark, ...] = ()

    @property
    def name(self) -> str:
        """The service's name."""
        return self.stacks.environment.service

    @property
    def web(self) -> model.Group | None:
        """The instances that serve; None for files."""
        return self.stacks.deployment.groups.get(model.WEB)

    @property
    def port(self) -> int:
        """On which it serves elsewhere."""
        if isinstance(self.stacks.resources.artifact, model.StaticArtifact):
            return 80
        return (self.web.port if self.web else None) or PORT


class Exported(msgspec.Struct, frozen=True):
    """What an export gives.

    Attributes:
        files: Texts by name.
        remarks: What is left behind, what was guessed, and what is left to do.
    """

    files: dict[str, str]
    remarks: tuple[Remark, ...]


def leaving(reading: Reading, environment: str, version: str) -> Leaving:
    """Take a service from its descriptor.

    Args:
        reading: The descriptor.
        environment: As it is there.
        version: What to call the release.

    Raises:
        DescriptorRefused: It has mistakes.
        Invalid: The environment or the version has no proper name.
    """
    merged = resolve(reading, environment)
    unheeded = tuple(
        Remark(
            "lost",
            merged.positions.file,
            one.line,
            one.path,
            f"nothing acts on it here: {one.sentence}",
            "say it there in that platform's own words",
        )
        for one in not_acted_on(merged)
        if not one.path.startswith("secrets")
    )
    return Leaving(compile_stacks(merged, version=version), unheeded)


def standing(name: str, view: StandingView | None) -> Leaving:
    """Take a service as it stands on the platform.

    Raises:
        ExportRefused: Nothing of it serves.
    """
    if view is None:
        raise ExportRefused(
            f"nothing of '{name}' serves; deploy it, or export its descriptor", service=name
        )
    return Leaving(msgspec.convert(view.stacks, model.Stacks))


Value = Callable[[model.Reference], str]


def filled(template: model.Template, value: Value) -> str:
    """Put values into a template."""
    return "".join(part if isinstance(part, str) else value(part) for part in template)


def variables(one: Leaving, group: model.Group) -> Iterator[tuple[str, model.Template]]:
    """Return the variables of some instances, without those that only mean something here; sorted."""
    every = {**one.stacks.resources.env, **group.env}
    for name in sorted(every):
        if not name.startswith(OURS):
            yield name, every[name]


def asks_stores(one: Leaving, command: model.Command) -> bool:
    """Tell whether a command has what a store gives, which no image may hold."""
    stores = one.stacks.eternal.resources
    return any(
        isinstance(part, model.Reference)
        and part.space == "resources"
        and not isinstance(stores.get(part.name), model.Volume)
        for word in command
        for part in word
    )


def given(one: Leaving) -> list[str]:
    """Name the variables that the platform gives by itself, as it names them; sorted."""
    return sorted(
        name
        for name, template in one.stacks.resources.env.items()
        if len(template) == 1
        and isinstance(template[0], model.Reference)
        and template[0].space == "resources"
        and name == f"{template[0].name}_{template[0].key}".replace("-", "_").upper()
    )


def left_behind(every: Sequence[Leaving], remarks: Remarks) -> None:
    """Tell what no other platform takes over."""
    names = {one.name for one in every}
    for one in every:
        at = one.stacks.environment
        if at.limits:
            remarks.lost(
                None,
                (one.name, "limits"),
                "limits are counted by the platform's proxies",
                "let a proxy there count",
            )
        if at.egress:
            hosts = ", ".join(at.egress)
            remarks.lost(
                None,
                (one.name, "network", "egress"),
                f"the ways outside, to {hosts}, are not bounded by name there",
                "bound them there if that is possible",
            )
        if at.staff or at.groups or at.builds or at.doors:
            remarks.lost(
                None,
                (one.name, "network", "ingress"),
                "people and builds are let in by the platform's proxies",
                "put a proxy before it that signs people in",
            )
        for name in sorted(at.dependencies.keys() - names):
            remarks.todo(
                None,
                (one.name, "dependencies", name),
                f"'{name}' is not exported with it",
                "export both together, or write where it is",
            )
        route = one.stacks.route
        if route.strategy != "blue-green" or route.smoke:
            remarks.lost(
                None,
                (one.name, "deploy"),
                "how a release takes over is that platform's own way",
                "look at its way",
            )


_BASES = {
    "node": "node:22-slim",
    "npm": "node:22-slim",
    "java": "eclipse-temurin:21",
    "python": "python:3.12-slim",
    "python3": "python:3.12-slim",
}


def base_of(one: Leaving, remarks: Remarks) -> str:
    """Choose the image in which a process can run."""
    artefact = one.stacks.resources.artifact
    if isinstance(artefact, model.ProcessArtifact) and artefact.runtime == "python":
        return _BASES["python"]
    program = one.web.command[0] if one.web and one.web.command else ("",)
    name = filled(program, lambda _: "").rpartition("/")[2]
    if name not in _BASES:
        what = f"no image is known that has the program '{name}'"
        remarks.todo(None, (one.name, "process"), what, "write its name behind FROM")
    return _BASES.get(name, "debian:13-slim")


def listens_everywhere(one: Leaving, remarks: Remarks) -> None:
    """Tell of a process that what reaches it elsewhere comes from another machine."""
    what = f"elsewhere it must listen on all addresses, at port {one.port}; here on 127.0.0.1 was enough"
    remarks.todo(None, (one.name, "process"), what, "look where it listens")


def compact(value: timedelta) -> str:
    """Write a duration in units that others know: hours, minutes, seconds, milliseconds."""
    milliseconds = round(value / timedelta(milliseconds=1))
    for unit, size in (("h", 3_600_000), ("m", 60_000), ("s", 1000)):
        if milliseconds and milliseconds % size == 0:
            return f"{milliseconds // size}{unit}"
    return f"{milliseconds}ms"


def without_nothing(values: Mapping[str, object]) -> dict[str, object]:
    """Leave out what says nothing."""
    return {key: value for key, value in values.items() if value not in (None, [], {}, "")}
