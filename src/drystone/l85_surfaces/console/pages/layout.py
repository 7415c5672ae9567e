"""What is around every page."""

from __future__ import annotations

from collections.abc import Mapping

import msgspec

from drystone.l80_governance.dependencies.html import Html, Link, Node, fragment, page, tag
from drystone.l85_surfaces.console import addresses
from drystone.l85_surfaces.console.people import Person

BRAND = "Drystone"
NAVIGATION: Mapping[str, tuple[str, Link]] = {
    "services": ("Services", addresses.overview()),
    "releases": ("Releases", addresses.releases()),
    "approvals": ("Approvals", addresses.approvals()),
    "guardrails": ("Guardrails", addresses.listing("guardrails")),
    "registry": ("Registry", addresses.listing("registry")),
    "access": ("Access", addresses.listing("access")),
    "costs": ("Costs", addresses.costs()),
    "audit": ("Audit", addresses.audit()),
    "dependencies": ("Dependencies", addresses.dependencies()),
}
"""What every page leads to, in this order."""

_LONGEST_TITLE = 80


class Frame(msgspec.Struct, frozen=True, kw_only=True):
    """What a page is put into.

    Attributes:
        static: The address of each of our files by its name.
        person: Who looks at it.
        signs_in_at: Where somebody signs in who is not; None where nobody can.
    """

    static: Mapping[str, Link]
    person: Person | None = None
    signs_in_at: Link | None = None


class Page(msgspec.Struct, frozen=True, kw_only=True):
    """A page, without what is around it.

    Attributes:
        title: Its heading.
        body: Below the heading.
        lead: Under the heading.
        crumbs: Name and address of what it is a part of.
        entry: Which entry of the navigation it belongs to.
        live: It is asked for again after so many seconds; never when 0.
        status: Of the answer.
    """

    title: str
    body: Node
    lead: Node = None
    crumbs: tuple[tuple[str, Link], ...] = ()
    entry: str = ""
    live: int = 0
    status: int = 200


def document(frame: Frame, one: Page) -> Html:
    """Make the whole document of a page."""
    return page(
        "en",
        _head(frame, one),
        tag(
            "body",
            tag("a", "Skip to the content", href=fragment("main"), class_="skip"),
            _top(frame, one),
            tag(
                "main",
                _crumbs(one),
                tag("h1", tag("bdi", short(one.title, 200))),
                tag("div", one.lead, class_="lead") if one.lead is not None else None,
                one.body,
                id="main",
                tabindex="-1",
                data_live=one.live or None,
            ),
            tag("p", id="told", class_="unseen", role="status"),
        ),
    )


def short(text: str, length: int) -> str:
    """Return the begin of a text that is too long."""
    return text if len(text) <= length else f"{text[: length - 1]}…"


def _head(frame: Frame, one: Page) -> Html:
    title = f"{short(one.title, _LONGEST_TITLE)} · {BRAND}"
    return tag(
        "head",
        tag("meta", charset="utf-8"),
        tag("title", title),
        tag("meta", name="viewport", content="width=device-width, initial-scale=1"),
        tag("meta", name="color-scheme", content="light dark"),
        tag("link", rel="icon", href=frame.static["wall.svg"], type="image/svg+xml"),
        tag("link", rel="stylesheet", href=frame.static["console.css"]),
        tag("script", src=frame.static["console.js"], defer=True),
    )


def _top(frame: Frame, one: Page) -> Html:
    entries = [
        tag(
            "li",
            tag("a", name, href=address, aria_current="page" if key == one.entry else None),
        )
        for key, (name, address) in NAVIGATION.items()
    ]
    return tag(
        "header",
        tag("a", _wall(), BRAND, href=addresses.overview(), class_="brand"),
        tag("nav", tag("ul", entries), aria_label="Pages"),
        _who(frame),
        class_="top",
    )


def _who(frame: Frame) -> Html | None:
    if frame.person is not None:
        return tag(
            "p",
            tag("span", "Signed in as ", tag("b", tag("bdi", short(frame.person.name, 40)))),
            " ",
            tag("a", "Sign out", href=addresses.sign_out()),
            class_="who",
        )
    if frame.signs_in_at is None:
        return None
    return tag("p", tag("a", "Sign in", href=frame.signs_in_at), class_="who")


def _crumbs(one: Page) -> Html | None:
    if not one.crumbs:
        return None
    items = [
        tag("li", tag("a", tag("bdi", short(name, 60)), href=address))
        for name, address in one.crumbs
    ]
    return tag("nav", tag("ol", items), aria_label="Part of", class_="crumbs")


def _wall() -> Html:
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
