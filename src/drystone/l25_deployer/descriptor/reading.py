"""From text to descriptor: everything that is wrong, at once; and the descriptor of one environment."""

from __future__ import annotations

import operator
import re

import msgspec

from drystone.l00_kernel.errors import Invalid
from drystone.l00_kernel.yaml_text.problems import Problem, render
from drystone.l00_kernel.yaml_text.reader import read_document
from drystone.l00_kernel.yaml_text.subject import Subject
from drystone.l00_kernel.yaml_text.tree import Mapping, Path, at, dotted
from drystone.l25_deployer.descriptor import overlays
from drystone.l25_deployer.descriptor.compiled import Keyed, Tagged, shape_of
from drystone.l25_deployer.descriptor.rules import check_whole
from drystone.l25_deployer.descriptor.schema.descriptor import Descriptor
from drystone.l25_deployer.descriptor.schema.resources import AnyResource
from drystone.l25_deployer.descriptor.shapes import Run
from drystone.l25_deployer.errors import DescriptorRefused

MOST_BYTES = 1024 * 1024
MOST_MERGED = 200_000
"""Values of all environments together, each with its base."""

DESCRIPTOR = Subject(
    name="descriptor",
    begin="start with 'schema: 1' and 'service: <name>'",
    too_large="large data belongs into files of the artefact, not into the descriptor",
    most_bytes=MOST_BYTES,
    most_values=50_000,
)

_NAME = re.compile(r"[a-z](?:[a-z0-9-]{0,38}[a-z0-9])?")


_place = operator.attrgetter("place")


class Origin(msgspec.Struct, frozen=True):
    """Where a value was written.

    Attributes:
        path: Path in the descriptor, ``resources.db.connections``; empty for the whole.
        line: Line of the file, from 1.
        column: Column, from 1.
    """

    file: str
    path: str
    line: int
    column: int


class Positions:
    """Where everything in a descriptor, or in one environment of it, was written."""

    def __init__(self, root: Mapping | None, file: str) -> None:
        self._root = root
        self.file = file

    @property
    def root(self) -> Mapping | None:
        """The tree, with environments merged in; None when the text was no mapping."""
        return self._root

    def of(self, path: Path) -> Origin | None:
        """Tell where a value was written; None when it was not, for example a default."""
        found = at(self._root, path) if self._root is not None else None
        if found is None:
            return None
        return Origin(self.file, dotted(path), found[0].line, found[0].column)

    def near(self, path: Path) -> Origin | None:
        """Tell where a value, or the innermost block around it that was written, stands."""
        for length in range(len(path), 0, -1):
            origin = self.of(path[:length])
            if origin is not None:
                return origin
        return None


class Reading(msgspec.Struct, frozen=True):
    """What came of reading a descriptor.

    Attributes:
        descriptor: The base, without what environments change; None if there is any mistake.
        problems: All mistakes, in the order of the file.
        positions: Where everything stands.
        text: The text that was read, for :func:`~drystone.l00_kernel.yaml_text.problems.render`.
        environments: Environments that are mentioned: ``prod``, ``prod.eu-west``.
    """

    descriptor: Descriptor | None
    problems: tuple[Problem, ...]
    positions: Positions
    text: str
    environments: tuple[str, ...] = ()
    embedded_allowed: bool = False

    def report(self) -> str:
        """Show all mistakes, ready to print; empty when there are none."""
        return "\n\n".join(render(problem, self.text) for problem in self.problems)


class Merged(msgspec.Struct, frozen=True):
    """The descriptor of one environment.

    Attributes:
        descriptor: With everything merged in; its ``environments`` are empty.
        environment: Which.
        region: Which region of it, if it matters.
        positions: Where everything was written, in the base or in an environment.
    """

    descriptor: Descriptor
    environment: str
    region: str | None
    positions: Positions


def read(
    text: str | bytes, *, file: str = "service.yaml", embedded_allowed: bool = False
) -> Reading:
    """Read a descriptor and find every mistake in it, in all of its environments. Raises nothing.

    Args:
        text: The YAML text.
        file: What to call the file in messages.
        embedded_allowed: Whether this is a descriptor of the platform itself, which may say ``embedded``.
    """
    document = read_document(text, file, DESCRIPTOR)
    root = document.root
    if root is None:
        return Reading(
            None, tuple(sorted(document.problems, key=_place)), Positions(None, file), document.text
        )
    run = Run(file, document.problems)
    mentioned = overlays.names(root)
    run.environments = frozenset(name.partition(".")[0] for name in mentioned)
    shape, resources = shape_of(Descriptor), shape_of(AnyResource)
    assert isinstance(resources, Tagged)  # noqa: S101 - the schema itself says so
    value = run.check(shape, root, ())
    check_whole(root, resources, run, embedded_allowed=embedded_allowed)
    if len(mentioned) * root.size > MOST_MERGED:
        run.problem(
            root.entries["environments"].key,
            f"the descriptor unfolds to more than {MOST_MERGED:,} values in its environments",
            "every environment is checked whole; remove some, or make the base smaller",
        )
        mentioned = []
    for name in mentioned:
        environment, _, region = name.partition(".")
        run.environment, run.uses = name, []
        whole = overlays.merged(root, shape, environment, region or None)
        run.check(shape, whole, ())
        check_whole(whole, resources, run, embedded_allowed=embedded_allowed)
    problems = tuple(sorted(run.problems, key=_place))
    return Reading(
        descriptor=value if isinstance(value, Descriptor) and not problems else None,
        problems=problems,
        positions=Positions(root, file),
        text=document.text,
        environments=tuple(mentioned),
        embedded_allowed=embedded_allowed,
    )


def resolve(
    reading: Reading, environment: str, region: str | None = None, *, type_: str | None = None
) -> Merged:
    """Give the descriptor of one environment; one that is not mentioned is the base.

    Args:
        reading: The descriptor.
        environment: Where it is to run.
        region: The region that this is in.
        type_: Which part of ``environments`` holds there; the one with the environment's name when None.

    Raises:
        DescriptorRefused: The descriptor has mistakes; the message shows all of them.
        Invalid: The environment or region has no proper name.
    """
    root = reading.positions.root
    if reading.descriptor is None or root is None:
        raise DescriptorRefused(reading.report())
    for what, name in (("environment", environment), ("region", region), ("type", type_)):
        if name is not None and not _NAME.fullmatch(name):
            raise Invalid(
                f"{name!r} is no name of a {what}; use a-z, 0-9 and -, starting with a letter"
            )
    shape = shape_of(Descriptor)
    assert isinstance(shape, Keyed)  # noqa: S101 - Descriptor is a block
    whole = overlays.merged(root, shape, type_ or environment, region)
    file = reading.positions.file
    run = Run(file, [])
    descriptor = run.check(shape, whole, ())
    if not isinstance(descriptor, Descriptor):
        raise DescriptorRefused(
            "\n\n".join(render(problem, reading.text) for problem in run.problems)
        )
    return Merged(descriptor, environment, region, Positions(whole, file))
