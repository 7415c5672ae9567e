"""Where the pages are: the only place where addresses of the page are put together."""

from __future__ import annotations

from urllib.parse import quote, urlencode

from drystone.l80_governance.dependencies.html import Link

SIGN_IN = "/.drystone/signin/"
"""Below this path of the page the sign-in answers, as it does at every service."""


def overview(**query: str | None) -> Link:
    """Return the address of the first page."""
    return _with("/", query)


def service(environment: str, name: str) -> Link:
    """Return the address of a service."""
    return Link(f"/services/{_part(environment)}/{_part(name)}")


def logs(environment: str, name: str, **query: str | None) -> Link:
    """Return the address of a service's lines."""
    return _with(f"{service(environment, name)}/logs", query)


def follow(environment: str, name: str, **query: str | None) -> Link:
    """Return where a service's lines go on as they are written."""
    return _with(f"{service(environment, name)}/logs/follow", query)


def roll_back(environment: str, name: str) -> Link:
    """Return where the way back is asked for."""
    return Link(f"{service(environment, name)}/roll-back")


def release(id_: str) -> Link:
    """Return the address of a release."""
    return Link(f"/releases/{_part(id_)}")


def releases(**query: str | None) -> Link:
    """Return the address of the list of releases."""
    return _with("/releases", query)


def act(id_: str, verb: str) -> Link:
    """Return where something is done about a release."""
    return Link(f"{release(id_)}/{_part(verb)}")


def approvals() -> Link:
    """Return the address of what waits for somebody."""
    return Link("/approvals")


def audit(**query: str | None) -> Link:
    """Return the address of the audit log."""
    return _with("/audit", query)


def listing(what: str, **query: str | None) -> Link:
    """Return the address of a page of lists: ``guardrails``, ``registry`` or ``access``."""
    return _with(f"/{_part(what)}", query)


def end(what: str, kind: str, id_: str) -> Link:
    """Return where something on a page of lists is ended."""
    return Link(f"{listing(what)}/{_part(kind)}/{_part(id_)}/end")


def costs(**query: str | None) -> Link:
    """Return the address of what services cost."""
    return _with("/costs", query)


def costs_chart(**query: str | None) -> Link:
    """Return the address of the same as a picture."""
    return _with("/costs/chart.svg", query)


def dependencies(environment: str | None = None, name: str | None = None) -> Link:
    """Return where the dependency view shows a service, or everything."""
    if environment is None or name is None:
        return Link("/dependencies/")
    return _with("/dependencies/service", {"name": f"{environment}/{name}"})


def static(name: str, tag: str) -> Link:
    """Return the address of a file of ours that never changes."""
    return Link(f"/assets/{_part(name)}?v={_part(tag)}")


def sign_in(to: str, at: str = "") -> Link:
    """Return where somebody signs in.

    Args:
        to: The path to which they return.
        at: Where the page answers those who are signed in; the same host when empty.
    """
    return Link(f"{at}{SIGN_IN}begin?to={quote(to, safe='/?=&%')}")


def sign_out() -> Link:
    """Return where somebody signs out."""
    return Link(f"{SIGN_IN}out")


def web(text: str) -> Link | None:
    """Return the address of a service as the platform tells it; None when it is not one."""
    is_one = text.startswith(("https://", "http://")) and text.isprintable() and " " not in text
    return Link(text) if is_one else None


def _part(text: str) -> str:
    return quote(text, safe="", errors="backslashreplace")


def _with(path: str, query: dict[str, str] | dict[str, str | None]) -> Link:
    said = {key: value for key, value in query.items() if value}
    return Link(path + (f"?{urlencode(said, errors='backslashreplace')}" if said else ""))
