"""The pages of the policies that come with the platform, made from them."""

from __future__ import annotations

from collections.abc import Iterator

from drystone.l10_engines.policies.builtins import ALLOWED
from drystone.l10_engines.policies.shapes import Leaf, Shape
from drystone.l50_orchestrator.guardrails.api import Case, PolicySaid, PolicyView
from drystone.l50_orchestrator.guardrails.house_policies import house_policies
from drystone.l50_orchestrator.guardrails.judged import known

MADE = "<!-- Made from the policies: pytest tests/docs --update -->"


def index_page() -> str:
    """Write the page that lists all policies, and the functions that policies may call."""
    lines = [
        "# Policies of the house",
        "",
        MADE,
        "",
        "They come with the platform and are on. [An exception](../how-to/guard-deploys.md#allow-what-a-policy-forbids) lets one service do what one",
        "forbids, for a time; an admin lets one [warn only, or switches it off](../how-to/guard-deploys.md#policies-of-the-house).",
        "",
        "| policy | holds in | for tiers | what it holds |",
        "|---|---|---|---|",
        *(
            f"| [{one.name}](policies/{one.name}.md) | {_where(one.said)} | {_tiers(one.said)} | {one.said.description} |"
            for one in house_policies()
        ),
        "",
        "## Functions that policies may call",
        "",
        "Those of the language ([OPA's reference](https://www.openpolicyagent.org/docs/policy-reference#built-in-functions)) that the evaluator is",
        "known to get right; a call of any other one is refused when the policy is put.",
        "",
        ", ".join(f"`{name}`" for name in sorted(ALLOWED)),
        "",
    ]
    return "\n".join(lines)


def input_page() -> str:
    """Write the page of what policies know as ``input``."""
    lines = [
        "# What a policy sees",
        "",
        "<!-- Made from the types: pytest tests/docs --update -->",
        "",
        "`input`, in full: what is not there is `null`, and a key that is not listed is refused when the policy is put. `<name>` stands for any key,",
        "`[]` for each item of a list. Lengths of time are texts as in ISO 8601 in the stacks, and seconds in `declared`.",
        "[How to write a policy](../how-to/guard-deploys.md#write-a-policy)",
        "",
        "```text",
        *_seen(known(), "input"),
        "```",
        "",
    ]
    return "\n".join(lines)


def _seen(shape: Shape, place: str) -> Iterator[str]:
    """Yield every path of a policy's input with what stands there."""
    match shape:
        case Leaf(kind="list") if shape.items is not None:
            yield from _seen(shape.items, f"{place}[]")
        case Leaf():
            kind = " | ".join(shape.values) or shape.kind
            yield f"{place}  {kind}"
        case None:
            yield f"{place}  anything"
        case _:
            for key in sorted(shape):
                yield from _seen(shape[key], f"{place}.{'<name>' if key == '*' else key}")


def policy_page(policy: PolicyView) -> str:
    """Write the page of one policy."""
    said = policy.said
    lines = [
        f"# Policy `{policy.name}`",
        "",
        MADE,
        "",
        said.description,
        "",
        f"It holds in environments of type {_where(said)}, for {_tiers(said)} tiers. [All policies](../policies.md)",
        "",
        "## What it says, and of what",
        "",
        "| case | refuses | warns |",
        "|---|---|---|",
        *(_row(case) for case in said.cases),
        "",
        "## The policy",
        "",
        "```text",
        said.text.rstrip("\n"),
        "```",
        "",
    ]
    return "\n".join(lines)


def _where(said: PolicySaid) -> str:
    return ", ".join(said.types) or "every"


def _tiers(said: PolicySaid) -> str:
    return ", ".join(str(tier) for tier in said.tiers) or "all"


def _row(case: Case) -> str:
    denied, warned = (
        "; ".join(f"… {part} …" for part in parts) for parts in (case.deny, case.warn)
    )
    return f"| {case.name} | {denied} | {warned} |"
