"""What is around every page: the way to all others, the search, and what is looked at."""

from __future__ import annotations

from collections.abc import Mapping

from drystone.l80_governance.dependencies.html import Html, Link, fragment, joined, link, page, tag
from drystone.l80_governance.dependencies.view import Page, View, short

NAVIGATION: Mapping[str, str] = {
    "": "Overview",
    "layers": "Layers",
    "matrix": "Matrix",
    "heat": "Heat",
    "tangles": "Tangles",
    "findings": "Findings",
    "services": "Services",
    "dependencies": "Dependencies",
    "scenario": "Scenario",
    "versions": "Versions",
    "tabletop": "Tabletop",
}
"""The pages that every page leads to, with their names; in this order."""
BRAND = "Drystone dependencies"


def document(view: View | None, one: Page, static: Mapping[str, str]) -> Html:
    """Make the whole document of a page.

    Args:
        view: What it is about; None when there is no model to show.
        one: The page.
        static: The address of each static file by its name.
    """
    return page(
        "en",
        _head(view, one, static),
        tag(
            "body",
            tag("a", "Skip to the content", href=fragment("main"), class_="skip"),
            _top(view),
            tag("nav", tag("ul", _entries(view, one)), aria_label="Pages", class_="pages"),
            tag(
                "main",
                tag("h1", one.title),
                tag("p", one.lead, class_="lead") if one.lead is not None else None,
                one.body,
                id="main",
                tabindex="-1",
            ),
            _foot(view),
        ),
    )


def _head(view: View | None, one: Page, static: Mapping[str, str]) -> Html:
    about = short(view.analysis.model.title, 80) if view is not None else ""
    title = " · ".join(part for part in (short(one.title, 80), about, BRAND) if part)
    refresh = tag("meta", http_equiv="refresh", content=str(one.refresh))
    return tag(
        "head",
        tag("meta", charset="utf-8"),
        tag("title", title),
        tag("meta", name="viewport", content="width=device-width, initial-scale=1"),
        tag("meta", name="color-scheme", content="light dark"),
        tag("link", rel="icon", href=Link(static["wall.svg"]), type="image/svg+xml"),
        tag("link", rel="stylesheet", href=Link(static["style.css"])),
        [tag("script", src=Link(static[name]), defer=True) for name in ("page.js", *one.scripts)],
        tag("noscript", refresh) if one.refresh is not None else None,
    )


def _top(view: View | None) -> Html:
    home = link("") if view is None else view.link("")
    return tag(
        "header",
        tag("a", wall(), tag("span", BRAND), href=home, class_="brand"),
        tag("p", tag("bdi", short(_about(view), 80)), class_="about"),
        _search(view) if view is not None else None,
        class_="top",
    )


def _about(view: View | None) -> str:
    return "" if view is None else view.analysis.model.title or "Untitled model"


def _search(view: View) -> Html:
    return tag(
        "form",
        tag("label", "Find a component", for_="search", class_="unseen"),
        tag(
            "input",
            type="search",
            id="search",
            name="q",
            value=view.asked.text("q"),
            placeholder="Find a component",
            autocomplete="off",
            spellcheck="false",
            maxlength=200,
        ),
        kept(view),
        tag("button", "Find", type="submit"),
        action=link("services"),
        method="get",
        role="search",
        class_="search",
    )


def kept(view: View) -> Html | None:
    """Return the field that keeps a form at the version that is looked at."""
    if view.version is None:
        return None
    return tag("input", type="hidden", name="version", value=view.version)


def _entries(view: View | None, one: Page) -> list[Html]:
    def entry(path: str, name: str) -> Html:
        address = link(path) if view is None else view.link(path)
        current = "page" if path == one.path and one.status == 200 else None
        return tag("li", tag("a", name, href=address, aria_current=current))

    return [entry(path, name) for path, name in NAVIGATION.items()]


def _foot(view: View | None) -> Html:
    if view is None:
        return tag("footer", tag("p", BRAND))
    model = view.analysis.model
    return tag(
        "footer",
        tag(
            "p",
            f"{len(model.components):,} components and {len(model.dependencies):,} dependencies, "
            f"as of {view.analysis.today}. ",
            joined("Model ", tag("code", model.digest[:16]), "."),
        ),
    )


def wall() -> Html:
    """Draw the sign: a few stones upon each other."""
    stones = [
        *[(1, 15, 8, 5), (10, 15, 5, 5), (16, 15, 7, 5), (1, 9, 5, 5), (7, 9, 9, 5)],
        *[(17, 9, 6, 5), (3, 3, 8, 5), (12, 3, 8, 5)],
    ]
    return tag(
        "svg",
        [tag("rect", x=x, y=y, width=w, height=h, rx=1.4) for x, y, w, h in stones],
        viewBox="0 0 24 24",
        aria_hidden="true",
        class_="sign",
    )
