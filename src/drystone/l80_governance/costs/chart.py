"""A chart of costs: bars, as SVG without a script, readable in light and dark."""

from __future__ import annotations

from collections.abc import Mapping
from html import escape

from drystone.l80_governance.costs.domain import Cost, shown

WIDTH, ROW, TOP, LABELS, AMOUNTS = 720, 26, 46, 220, 120
MOST_BARS = 200
_LONGEST = 32


def chart(costs: Mapping[str, Cost], *, title: str, currency: str) -> str:
    """Draw one bar for each key, and behind it a paler one for as many instances as there may be.

    Args:
        costs: By key, in the order of the bars; those beyond :data:`MOST_BARS` are left out.
        title: What is shown.
        currency: Of the amounts.
    """
    rows = list(costs.items())[:MOST_BARS]
    height = TOP + ROW * max(1, len(rows)) + 8
    largest = max((cost.most for _, cost in rows), default=0)
    room = WIDTH - LABELS - AMOUNTS
    said = escape(title)
    lines = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}" role="img" aria-label="{said}">',
        "<style>text{font:13px system-ui,sans-serif;fill:#1c2430}.t{font-weight:600;font-size:15px}"
        ".n{fill:#2f6f8f}.m{fill:#b9d3df}@media(prefers-color-scheme:dark){text{fill:#e6ebf0}"
        ".n{fill:#6fb3d2}.m{fill:#2c4655}}</style>",
        f'<text class="t" x="8" y="24">{said}</text>',
    ]
    for place, (key, cost) in enumerate(rows):
        y = TOP + ROW * place
        now, most = (
            float(amount / largest * room) if largest else 0.0 for amount in (cost.now, cost.most)
        )
        label = escape(key if len(key) <= _LONGEST else key[: _LONGEST - 1] + "…")
        amount = f"{shown(cost.now)} {escape(currency)}"
        told = f"{escape(key)}: {amount} a month"
        if cost.most > cost.now:
            told += f", at most {shown(cost.most)}"
        lines += [
            f"<g><title>{told}</title>",
            f'<text x="8" y="{y + 16}">{label}</text>',
            f'<rect class="m" x="{LABELS}" y="{y + 4}" width="{most:.1f}" height="16" rx="2"/>',
            f'<rect class="n" x="{LABELS}" y="{y + 4}" width="{now:.1f}" height="16" rx="2"/>',
            f'<text x="{WIDTH - 8}" y="{y + 16}" text-anchor="end">{amount}</text></g>',
        ]
    if not rows:
        lines.append(f'<text x="8" y="{TOP + 16}">nothing is deployed</text>')
    return "\n".join([*lines, "</svg>", ""])
