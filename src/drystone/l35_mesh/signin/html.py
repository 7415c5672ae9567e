"""Pages of the sign-in: plain HTML without scripts, escaped by construction, and the headers that they go with.

Nothing on a page runs and nothing is loaded: the policy allows one style, by its hash, and forms that lead back here. A
form that has been sent is answered with a page that leads on by itself, not with a redirect, since browsers hold every
redirect after a form against ``form-action``, and where we lead to is another host.
"""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Mapping, Sequence
from html import escape
from typing import NamedTuple

from starlette.responses import HTMLResponse, Response

from drystone.l00_kernel.visible import visible

_STYLE = (
    ":root{color-scheme:light dark}"
    "body{font:1rem/1.5 system-ui,sans-serif;max-width:26rem;margin:12vh auto 2rem;padding:0 1rem}"
    "label,input,button{display:block;font:inherit;box-sizing:border-box}"
    "label{margin-top:1rem}input{width:100%;padding:.5rem;border:1px solid #767676;border-radius:.25rem}"
    "button{margin-top:1.25rem;padding:.5rem 1.25rem;border:2px solid currentColor;border-radius:.25rem;cursor:pointer}"
    ":focus-visible{outline:3px solid #1a73e8;outline-offset:2px}"
    ".trouble{border-left:.35rem solid #c5221f;padding:.25rem .75rem}code{font-size:1.1em}"
)
_HASH = base64.b64encode(hashlib.sha256(_STYLE.encode()).digest()).decode()

HEADERS: Mapping[str, str] = {
    "content-security-policy": "default-src 'none'; "
    f"style-src 'sha256-{_HASH}'; form-action 'self'; frame-ancestors 'none'; base-uri 'none'",
    "cache-control": "no-store",
    "referrer-policy": "no-referrer",
    "x-content-type-options": "nosniff",
    "x-frame-options": "DENY",
    "cross-origin-opener-policy": "same-origin",
    "permissions-policy": "publickey-credentials-get=()",
}
"""Of every page."""


class Field(NamedTuple):
    """One field of a form.

    Attributes:
        name: By which it is sent.
        label: What people read.
        kind: ``text``, ``password`` or ``hidden``.
        value: What it holds at first.
        complete: What the browser may fill in (HTML, autofill).
    """

    name: str
    label: str = ""
    kind: str = "hidden"
    value: str = ""
    complete: str = "off"


def page(
    title: str,
    *said: str,
    trouble: str = "",
    form: Sequence[Field] = (),
    action: str = "",
    button: str = "",
    status: int = 200,
    onward: str = "",
) -> HTMLResponse:
    """Return a page.

    Args:
        title: Its heading.
        said: Paragraphs.
        trouble: What went wrong, told to screen readers at once.
        form: Fields, where it has a form.
        action: Where the form goes; an address of ours.
        button: What its button says.
        status: Of HTTP.
        onward: Where it leads by itself, at once.
    """
    parts = [f"<h1>{_text(title)}</h1>"]
    if trouble:
        parts.append(f'<p class="trouble" role="alert">{_text(trouble)}</p>')
    parts += [f"<p>{_text(one)}</p>" for one in said]
    if button:
        inside = "".join(_field(one, first=one is _first(form)) for one in form)
        parts.append(
            f'<form method="post" action="{escape(action)}">{inside}<button>{_text(button)}</button></form>'
        )
    refresh = ""
    if onward:
        parts.append(f'<p><a href="{escape(onward)}">Continue</a></p>')
        refresh = f'<meta http-equiv="refresh" content="0;url={escape(onward)}">'
    body = (
        '<!doctype html><html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width,initial-scale=1">'
        f"{refresh}<title>{_text(title)}</title><style>{_STYLE}</style></head>"
        f"<body><main>{''.join(parts)}</main></body></html>"
    )
    return HTMLResponse(body, status, HEADERS)


def _first(form: Sequence[Field]) -> Field | None:
    return next((one for one in form if one.kind != "hidden" and not one.value), None)


def _field(field: Field, *, first: bool) -> str:
    sent = f'name="{escape(field.name)}" value="{escape(field.value)}"'
    if field.kind == "hidden":
        return f'<input type="hidden" {sent}>'
    focus = " autofocus" if first else ""
    return (
        f'<label for="{escape(field.name)}">{_text(field.label)}</label>'
        f'<input id="{escape(field.name)}" type="{escape(field.kind)}" {sent} required maxlength="256"'
        f' autocomplete="{escape(field.complete)}" autocapitalize="none" spellcheck="false"{focus}>'
    )


def _text(text: str) -> str:
    return escape(visible(text))


def lead(where: str, *, after_form: bool = False) -> Response:
    """Lead the browser to an address of ours, or of a provider.

    Args:
        where: The address.
        after_form: Whether a form was sent.
    """
    if after_form:
        return page("One moment", "You are signed in.", onward=where)
    kept = {name: HEADERS[name] for name in ("cache-control", "referrer-policy")}
    return Response(status_code=302, headers={"location": where, **kept})
