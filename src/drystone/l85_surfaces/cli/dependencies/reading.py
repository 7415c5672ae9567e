"""The model that a command works on: from a file, a folder, standard input, an edge list, or the platform."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Mapping, Sequence
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

import drystone
from drystone.l05_graph.forms import surveys
from drystone.l05_graph.model import Component, Dependency, Key, Model
from drystone.l05_graph.words import Strength
from drystone.l85_surfaces.cli.dependencies.options import LIVE, Source
from drystone.l85_surfaces.cli.errors import (
    DescriptorMistaken,
    FileUnreadable,
    Misuse,
    TooManyEdges,
)
from drystone.l85_surfaces.cli.sources import STANDARD_INPUT

if TYPE_CHECKING:
    from drystone.l05_graph.arrays import Graph
    from drystone.l05_graph.findings import Finding
    from drystone.l25_deployer.api import DependencyModel
    from drystone.l25_deployer.descriptor import Descriptor
    from drystone.l85_surfaces.cli.options import Shared

MOST_FILES = 10_000
MOST_EDGES = 1_000_000
"""An edge list becomes a model with meaning up to this size; what works on numbers alone has no such bound."""


LIVE_PLATFORM = "the live platform"


class Given:
    """What a command works on.

    Args:
        name: What to call it in messages.
        model: The model; None for an edge list, of which one is made when a command asks for meaning.
        places: File and line of components, by name, and of dependencies, by key.
        graph: Of an edge list.
        notes: What was put together or left out.
    """

    def __init__(
        self,
        name: str,
        model: Model | None = None,
        places: Mapping[str | Key, str] | None = None,
        *,
        graph: Graph | None = None,
        notes: tuple[str, ...] = (),
    ) -> None:
        self.name = name
        self.notes = notes
        self._model = model
        self._graph = graph
        self._places = places or {}

    @property
    def is_edge_list(self) -> bool:
        """Whether nothing is known but who needs whom."""
        return self._model is None

    @cached_property
    def model(self) -> Model:
        """The model.

        Raises:
            TooManyEdges: It is an edge list that is too long to be looked at with meaning.
        """
        if self._model is not None:
            return self._model
        assert self._graph is not None  # noqa: S101 - one of the two is there
        return _model_of(self._graph, self.name)

    @cached_property
    def graph(self) -> Graph:
        """The numbers of it; edge ``e`` is dependency ``e`` of the model."""
        if self._graph is not None:
            return self._graph
        from drystone.l05_graph.arrays import graph_of  # noqa: PLC0415 - loads numpy

        return graph_of(self.model)

    def place(self, one: str | Key) -> str:
        """Return file and line of a component or dependency; empty when it is not known."""
        return self._places.get(one, "")

    def place_of(self, finding: Finding) -> str:
        """Return where what a finding is about was read: its first dependency, or else its subject."""
        known = (self.place(one.key) for one in finding.path)
        return next(filter(None, known), "") or self.place(finding.subject)


def given(survey: str | None, source: Source, shared: Shared) -> Given:
    """Read the model that the command line names; the live platform's when it names none.

    Raises:
        Misuse: It names several.
        FileUnreadable: A file cannot be read.
        ModelInvalid: A survey has mistakes.
        NoPlatform: None runs in the home.
    """
    file = survey if survey is not None else source.model
    if survey is not None and source.model is not None:
        raise Misuse(f"the model is given twice: {survey} and --model {source.model}")
    if (file is not None) + source.platform + (source.edges is not None) > 1:
        raise Misuse("name one of a survey, --platform and --edges")
    if source.edges is not None:
        return _edges(source.edges)
    if source.platform:
        return platform_itself()
    if file is not None:
        return surveyed(file)
    return live(shared)


def given_beside(names: Sequence[str], source: Source, shared: Shared) -> Given:
    """Read the model for a command whose arguments are names of components.

    Raises:
        Misuse: A name is that of a file, and nothing says where the model is.
        FileUnreadable: The model cannot be read.
        ModelInvalid: It has mistakes.
        NoPlatform: None runs in the home.
    """
    file = next((name for name in names if name.endswith(surveys.ENDINGS)), None)
    if source == LIVE and file is not None and Path(file).is_file():
        raise Misuse(f"{file} is a file, not a component; read it with --model {file}")
    return given(None, source, shared)


def surveyed(file: str) -> Given:
    """Read a survey, or a folder of surveys.

    Raises:
        FileUnreadable: It cannot be read.
        ModelInvalid: It has mistakes.
    """
    placed = surveys.read(documents(file))
    return Given(placed.model.title or file, placed.model, placed.places)


def documents(file: str) -> dict[str, bytes]:
    """Read the bytes of a file, of standard input, or of the surveys of a folder, each by its name.

    Raises:
        FileUnreadable: It cannot be read, or the folder holds no survey.
    """
    if file == STANDARD_INPUT:
        return {STANDARD_INPUT: sys.stdin.buffer.read(surveys.MOST_BYTES + 1)}
    if not Path(file).is_dir():
        return {file: read_bytes(file)}
    folder = Path(file)
    found = [
        one
        for one in sorted(folder.iterdir())
        if one.name.endswith(surveys.ENDINGS) and not one.name.startswith(".") and one.is_file()
    ]
    if not found or len(found) > MOST_FILES:
        what = "no survey" if not found else f"more than {MOST_FILES:,} surveys"
        raise FileUnreadable(
            f"the folder {file} holds {what}: name a file, or a folder of {', '.join(surveys.ENDINGS)} files",
            file=file,
        )
    return {str(one): read_bytes(str(one)) for one in found}


def read_bytes(file: str, most: int = surveys.MOST_BYTES) -> bytes:
    """Read a file, one byte more than the most at most.

    Raises:
        FileUnreadable: There is no such file, or it may not be read.
    """
    try:
        with Path(file).open("rb") as opened:
            return opened.read(most + 1)
    except (OSError, ValueError) as e:
        raise unreadable(file, e) from e


def unreadable(file: str, e: OSError | ValueError) -> FileUnreadable:
    """Return the refusal of a file that cannot be read."""
    why = (e.strerror if isinstance(e, OSError) else None) or str(e)
    return FileUnreadable(f"{file} cannot be read: {why}", file=file)


def live(shared: Shared) -> Given:
    """Ask the platform of the home for its model.

    Raises:
        NoPlatform: None runs there.
    """
    return of_survey(asyncio.run(ask_live(shared)))


def of_survey(told: DependencyModel) -> Given:
    """Return what a platform has told of itself."""
    written = {LIVE_PLATFORM: told.survey.encode()}
    return Given(LIVE_PLATFORM, surveys.read(written).model)


async def ask_live(shared: Shared) -> DependencyModel:
    """Ask the platform of the home for its model and the order of its last start.

    Raises:
        NoPlatform: None runs there.
    """
    from drystone.l85_surfaces.cli.reach import context, platform  # noqa: PLC0415 - asks nobody else

    async with platform(shared.folder) as api:
        return await api.dependencies(context())


def platform_itself() -> Given:
    """Read the platform's own descriptors.

    Raises:
        ModelInvalid: They contradict each other.
    """
    from drystone.l25_deployer.dependencies.model import model_of_descriptors  # noqa: PLC0415

    files = own_descriptors()
    model = model_of_descriptors(files.values())
    return Given("the platform's own services", model, {d.service: f for f, d in files.items()})


def own_descriptors() -> dict[str, Descriptor]:
    """Return the descriptors of the platform's own services, by file."""
    from drystone.l25_deployer.descriptor import read  # noqa: PLC0415 - for the platform alone

    root = Path(drystone.__file__).parent
    found = {}
    for file in sorted(root.rglob("service.yaml")):
        name = str(file.relative_to(root.parent))
        reading = read(file.read_bytes(), file=name, embedded_allowed=True)
        if reading.descriptor is None:
            raise DescriptorMistaken(reading.report(), file=name)
        found[name] = reading.descriptor
    return found


def _edges(file: str) -> Given:
    from drystone.l05_graph.forms.edge_list import read_edge_stream  # noqa: PLC0415 - loads numpy

    try:
        if file == STANDARD_INPUT:
            found = read_edge_stream(sys.stdin.buffer, file)
        else:
            with Path(file).open("rb") as opened:
                found = read_edge_stream(opened, file)
    except (OSError, ValueError) as e:
        raise unreadable(file, e) from e
    return Given(file, graph=found.graph, notes=tuple(found.notes()))


def _model_of(graph: Graph, name: str) -> Model:
    count = len(graph.source)
    if count > MOST_EDGES:
        raise TooManyEdges(
            f"{name} has {count:,} edges; this looks at each with its meaning, up to {MOST_EDGES:,}:"
            " tangles, untangle, layers and heat take more"
        )
    names = graph.names
    ends = zip(graph.source.tolist(), graph.target.tolist(), graph.cost.tolist(), strict=True)
    return Model(
        title=name,
        components=tuple(Component(name=one) for one in names),
        dependencies=tuple(
            Dependency(
                source=names[source],
                target=names[target],
                strength=Strength.HARD,
                cost_remove=cost,
            )
            for source, target, cost in ends
        ),
    )
