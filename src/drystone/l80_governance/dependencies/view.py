"""What a page is made from, and what it is."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field

from drystone.l05_graph.errors import ComponentNotFound
from drystone.l05_graph.model import Component, Dependency
from drystone.l80_governance.dependencies.analysis import Analysis
from drystone.l80_governance.dependencies.asked import Asked
from drystone.l80_governance.dependencies.html import Asking, Html, Link, Node, link, tag
from drystone.l80_governance.dependencies.models import Durations

SHOWN = 60
"""Of a longer name only the begin is shown where it stands among others."""
_LONGEST_IN_ADDRESS = 200
_HASHED = "sha256-"


@dataclass(frozen=True, kw_only=True)
class View:
    """One model, and what is asked about it.

    Attributes:
        analysis: Of the model.
        asked: The state of the page.
        version: Name of the version that is looked at; None for the current model.
        how_to_import: The command that adds to what traffic showed.
        durations: How long calls took, by who calls and who is called.
    """

    analysis: Analysis
    asked: Asked
    version: str | None = None
    how_to_import: str = ""
    durations: Durations = field(default_factory=dict)

    def link(self, path: str, /, **query: Asking) -> Link:
        """Return the address of a page about the same model."""
        return link(path, **query, version=self.version)

    def again(self, path: str, /, **changed: Asking) -> Link:
        """Return the address of the same page, with some of its state changed."""
        query: dict[str, Asking] = dict(self.asked.without(*changed, "version"))
        return self.link(path, **(query | changed))

    def service(self, name: str, *, length: int = SHOWN) -> Html:
        """Name a component and lead to its page."""
        cut = short(name, length)
        title = name[:1000] if cut != name else None
        address = self.link("service", name=in_address(name))
        return tag("a", tag("bdi", cut), href=address, title=title, class_="name")

    def dependency(self, one: Dependency) -> Html:
        """Name a dependency and lead to its ends."""
        arrow = tag("span", " → ", class_="arrow")
        return tag("span", self.service(one.source), arrow, self.service(one.target), class_="edge")

    def found(self, key: str = "name") -> Component:
        """Return the component that is asked for.

        Raises:
            ComponentNotFound: There is none of that name.
        """
        said = self.asked.text(key)
        model = self.analysis.model
        if said not in model.by_name and said.startswith(_HASHED):
            fits = (one for one in model.components if in_address(one.name) == said)
            return next(fits, None) or model.component(said)
        if said not in model.by_name and len(said) > _LONGEST_IN_ADDRESS:
            raise ComponentNotFound(f"there is no component {said[:40]!r}…")
        return model.component(said)


@dataclass(frozen=True, kw_only=True)
class Page:
    """A page, without what is around every page.

    Attributes:
        title: Its heading.
        body: Below the heading.
        lead: One sentence under the heading.
        path: Which entry of the navigation it belongs to.
        scripts: Names of static files that make it nicer.
        refresh: Ask again after so many seconds, where there are no scripts.
        status: Of the answer.
    """

    title: str
    body: Node
    lead: Node = None
    path: str = ""
    scripts: tuple[str, ...] = field(default=())
    refresh: int | None = None
    status: int = 200


def short(name: str, length: int = SHOWN) -> str:
    """Return the begin of a name that is too long to be shown among others."""
    return name if len(name) <= length else name[: length - 1] + "…"


def in_address(name: str) -> str:
    """Return what stands for a component in an address: its name, or a hash of one that is too long or no text."""
    if len(name) <= _LONGEST_IN_ADDRESS and name == name.strip() and name.isprintable():
        return name
    return _HASHED + hashlib.sha256(name.encode("utf-8", "surrogatepass")).hexdigest()[:20]
