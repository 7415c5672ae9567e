"""Descriptors that tests of several modules read."""

from __future__ import annotations

from pathlib import Path

ROOT = Path(__file__).parents[3]
EXAMPLES = sorted(
    [*ROOT.glob("examples/**/service.yaml"), *ROOT.glob("examples/descriptors/*.yaml")]
)
ORDERS = (ROOT / "examples/descriptors/orders.yaml").read_text()

HEAD = "schema: 1\nservice: orders\nowner: commerce\n"
MINIMAL = HEAD + "process: {command: [python, -m, orders]}\n"


def damaged(text: str, old: str, new: str) -> str:
    """Replace the first occurrence of a text that must be there."""
    assert old in text, old
    return text.replace(old, new, 1)
