"""What ``drystone sandbox status`` shows."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from drystone.l85_surfaces.cli.terminal import Paint, Style
from drystone.l85_surfaces.sandbox.looking import Seen, Served

MOST_CALLS = 10
VERDICTS = {
    "holds": ("✓ holds", Style.GOOD),
    "broken": ("✗ broken", Style.BAD),
    "unproven": ("- unproven", Style.WARN),
    "unjudged": ("✗ unjudged", Style.BAD),
}
"""How the verdict of a proof looks."""


def sandbox_lines(seen: Seen, dashboard: str | None, home: Path, *, paint: Paint) -> Iterator[str]:
    """Yield lines that show a sandbox.

    Args:
        seen: What it looks like.
        dashboard: Address of its dashboard; None where nobody serves it.
        home: Where its platform lives.
        paint: How to colour.
    """
    state = paint("up", Style.GOOD) if seen.is_up else paint("down", Style.QUIET)
    yield f"sandbox {paint(seen.name, Style.NAME)} of {seen.base} is {state}"
    yield f"home       {home}"
    yield f"dashboard  {dashboard or 'not served'}"
    yield ""
    width = max((len(one.choice.name) for one in seen.served), default=0)
    for one in seen.served:
        yield _served(one, width, paint)
    if seen.calls:
        yield ""
        yield "last calls"
    for call in seen.calls[:MOST_CALLS]:
        style = Style.GOOD if 0 < call.status < 400 else Style.BAD
        status = paint(str(call.status or "—"), style)
        yield (
            f"{call.at:%H:%M:%S}  {call.caller} → {call.callee}  {call.request}  {status}  {call.verdict}"
        )


def _served(one: Served, width: int, paint: Paint) -> str:
    choice = one.choice
    to = f" {choice.to}" if choice.way in {"mock", "proxy"} else ""
    state = one.state or ("" if choice.way == "absent" else "down")
    style = Style.GOOD if state == "serving" else Style.WARN
    words = [choice.name.ljust(width), f"{choice.way}{to}", paint(state, style), one.url]
    return "  ".join(word for word in words if word).rstrip()
