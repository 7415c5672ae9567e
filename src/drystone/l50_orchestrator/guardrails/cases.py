"""Tries a policy on the cases that it brings."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import msgspec

from drystone.l10_engines.policies.evaluator import Evaluator
from drystone.l10_engines.policies.reading import Module
from drystone.l10_engines.policies.shapes import Shape
from drystone.l50_orchestrator.guardrails import judging, sample
from drystone.l50_orchestrator.guardrails.api import Case, PolicySaid
from drystone.l50_orchestrator.guardrails.judged import known


async def failed(name: str, said: PolicySaid, evaluator: Evaluator) -> tuple[str, ...]:
    """Return what came out differently from what cases say, a sentence for each; empty when all is well."""
    told = []
    for case in said.cases:
        found = list(_unknown(case.input, known(), "input"))
        found = found or await _differences(Module(name, said.text), case, evaluator)
        told += [f"case '{case.name}': {one}" for one in found]
    return tuple(told)


async def _differences(module: Module, case: Case, evaluator: Evaluator) -> list[str]:
    try:
        document = sample.changed(case.input)
    except msgspec.ValidationError as e:
        return [f"no change looks like its input: {e}"]
    (answer,) = await evaluator.judge([module], document)
    try:
        denied, warned = judging.answer_texts(answer)
    except ValueError as e:
        return [str(e)]
    return judging.came_out(denied, warned, {"deny": case.deny, "warn": case.warn})


def _unknown(value: Any, shape: Shape, place: str) -> Iterator[str]:
    """Find keys that no change has: a case that is mistyped would try nothing."""
    if not isinstance(shape, Mapping) or not isinstance(value, Mapping):
        return
    for key, inner in value.items():
        if key in shape or "*" in shape:
            yield from _unknown(inner, shape.get(key, shape.get("*")), f"{place}.{key}")
        else:
            yield f"{place} has no '{key}'"
