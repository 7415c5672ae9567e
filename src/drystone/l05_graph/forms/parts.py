"""What has been read of a model, from one file or several, with the place of each part."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from drystone.l05_graph.errors import Mistake, ModelInvalid
from drystone.l05_graph.model import Component, Dependency, Group, Key, Model, checked


@dataclass(frozen=True, kw_only=True)
class Placed:
    """A model, and where it was read.

    Attributes:
        model: The model.
        places: File and line of each component, by name, and of each dependency, by key.
    """

    model: Model
    places: Mapping[str | Key, str]


@dataclass(kw_only=True)
class Parts:
    """The parts of a model as far as they could be read, and the mistakes in what could not.

    Attributes:
        title: Of the model.
        parent: Digest of the model that it was made from.
        components: In the order in which they stand.
        dependencies: The same.
        groups: The same.
        places: Where each of them stands, by ``id()``.
        implied: Names that are components even when nobody declares them, in order.
        mistakes: In the order of the file.
        is_whole: Whether all that is declared is here, although there are mistakes in it.
    """

    title: str = ""
    parent: str | None = None
    components: list[Component] = field(default_factory=list)
    dependencies: list[Dependency] = field(default_factory=list)
    groups: list[Group] = field(default_factory=list)
    places: dict[int, str] = field(default_factory=dict)
    implied: dict[str, None] = field(default_factory=dict)
    mistakes: list[Mistake] = field(default_factory=list)
    is_whole: bool = True

    def model(self) -> Model:
        """Put the model together.

        Raises:
            ModelInvalid: There are mistakes, or the parts contradict each other.
        """
        if self.mistakes:
            # What the parts contradict is told as well, as far as they could be read.
            more = self._contradictions() if self.is_whole else ()
            raise ModelInvalid(in_order([*self.mistakes, *more]))
        return self._checked()

    def placed(self) -> Placed:
        """Put the model together, with the places.

        Raises:
            ModelInvalid: There are mistakes, or the parts contradict each other.
        """
        model = self.model()
        places: dict[str | Key, str] = {}
        for component in model.components:
            places[component.name] = self.places.get(id(component), "")
        for one in model.dependencies:
            places[one.key] = self.places.get(id(one), "")
        return Placed(model=model, places=places)

    def _checked(self) -> Model:
        known = {component.name for component in self.components}
        return checked(
            [*self.components, *(Component(name=n) for n in self.implied if n not in known)],
            self.dependencies,
            self.groups,
            title=self.title,
            parent=self.parent,
            places=self.places,
        )

    def _contradictions(self) -> tuple[Mistake, ...]:
        """Return what the parts that could be read contradict.

        A need for a component that is there but could not be read is no contradiction, so every declared component takes
        part, with what could be read of it.
        """
        try:
            self._checked()
        except ModelInvalid as refused:
            return refused.mistakes
        return ()


def together(every: Iterable[Parts]) -> Parts:
    """Put what several files say into one; the first title that there is is the title."""
    whole = Parts()
    for one in every:
        whole.title = whole.title or one.title
        whole.parent = whole.parent or one.parent
        whole.components += one.components
        whole.dependencies += one.dependencies
        whole.groups += one.groups
        whole.places |= one.places
        whole.implied |= one.implied
        whole.mistakes += one.mistakes
        whole.is_whole = whole.is_whole and one.is_whole
    return whole


def in_order(mistakes: list[Mistake]) -> list[Mistake]:
    """Sort mistakes by file, line and column; files in the order in which they come."""
    files: dict[str, int] = {}

    def key(mistake: Mistake) -> tuple[int, list[int]]:
        parts = mistake.place.split(":")
        numbers = [int(part) for part in parts[-2:] if part.isdigit()]
        file = ":".join(parts[: len(parts) - len(numbers)])
        return files.setdefault(file, len(files)), numbers

    return sorted(mistakes, key=key)
