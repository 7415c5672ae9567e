"""Each function that policies may call means what the language says it means (OPA's policy reference)."""

from __future__ import annotations

import msgspec
import pytest

from drystone.l10_engines.policies.builtins import ALLOWED
from drystone.l10_engines.policies.evaluator import Evaluator
from drystone.l10_engines.policies.reading import Module

MEANS: dict[str, list[tuple[str, object]]] = {
    "abs": [("abs(-3)", 3), ("abs(2.5)", 2.5)],
    "ceil": [("ceil(1.1)", 2), ("ceil(-1.1)", -1)],
    "floor": [("floor(1.9)", 1), ("floor(-1.1)", -2)],
    "round": [("round(1.4)", 1), ("round(1.6)", 2)],
    "to_number": [('to_number("12")', 12), ("to_number(true)", 1), ("to_number(null)", 0)],
    "count": [
        ("count([1, 1, 2])", 3),
        ("count({1, 1, 2})", 2),
        ('count("añb")', 3),
        ("count({})", 0),
    ],
    "max": [("max([1, 3, 2])", 3), ('max({"a", "b"})', "b")],
    "min": [("min([3, 1, 2])", 1)],
    "product": [("product([2, 3, 4])", 24), ("product([])", 1)],
    "sort": [("sort([3, 1, 2])", [1, 2, 3]), ('sort({"b", "a"})', ["a", "b"])],
    "sum": [("sum([1, 2, 3])", 6), ("sum([])", 0)],
    "array.concat": [("array.concat([1], [2, 3])", [1, 2, 3])],
    "array.reverse": [("array.reverse([1, 2, 3])", [3, 2, 1])],
    "array.slice": [("array.slice([1, 2, 3, 4], 1, 3)", [2, 3]), ("array.slice([1], 3, 5)", [])],
    "intersection": [("intersection({{1, 2}, {2, 3}})", [2])],
    "union": [("union({{1, 2}, {2, 3}})", [1, 2, 3])],
    "object.filter": [('object.filter({"a": 1, "b": 2}, {"a"})', {"a": 1})],
    "object.get": [
        ('object.get({"a": 1}, "a", 0)', 1),
        ('object.get({"a": 1}, "b", 0)', 0),
        ('object.get({"a": {"b": 2}}, ["a", "b"], 0)', 2),
        ('object.get({"a": {"b": 2}}, ["a", "c"], 7)', 7),
        ('object.get({"a": null}, "a", 0)', None),
    ],
    "object.keys": [('object.keys({"b": 1, "a": 2})', ["a", "b"])],
    "object.remove": [('object.remove({"a": 1, "b": 2}, {"a"})', {"b": 2})],
    "object.union": [('object.union({"a": 1, "b": 1}, {"b": 2})', {"a": 1, "b": 2})],
    "concat": [('concat(", ", ["a", "b"])', "a, b"), ('concat("", [])', "")],
    "contains": [('contains("abc", "b")', True), ('contains("abc", "d")', False)],
    "endswith": [('endswith("abc", "bc")', True), ('endswith("abc", "ab")', False)],
    "indexof": [('indexof("abc", "c")', 2), ('indexof("abc", "d")', -1)],
    "lower": [('lower("AbC")', "abc")],
    "replace": [('replace("a.b.c", ".", "-")', "a-b-c")],
    "split": [('split("a/b/c", "/")', ["a", "b", "c"]), ('split("a", "/")', ["a"])],
    "sprintf": [
        ('sprintf("%s has %d of %v", ["x", 2, [1]])', "x has 2 of [1]"),
        ('sprintf("100%%", [])', "100%"),
    ],
    "startswith": [('startswith("abc", "ab")', True), ('startswith("abc", "bc")', False)],
    "substring": [('substring("abcde", 1, 3)', "bcd"), ('substring("abcde", 2, -1)', "cde")],
    "trim": [('trim("xxaxx", "x")', "a")],
    "trim_left": [('trim_left("xxax", "x")', "ax")],
    "trim_prefix": [('trim_prefix("v1.2", "v")', "1.2"), ('trim_prefix("1.2", "v")', "1.2")],
    "trim_right": [('trim_right("axx", "x")', "a")],
    "trim_space": [('trim_space("  a \\t")', "a")],
    "trim_suffix": [('trim_suffix("a.md", ".md")', "a")],
    "upper": [('upper("AbC")', "ABC")],
    "glob.match": [
        ('glob.match("*.example.com", ["."], "a.example.com")', True),
        ('glob.match("*.example.com", ["."], "a.b.example.com")', False),
    ],
    "regex.match": [('regex.match("^a+$", "aaa")', True), ('regex.match("^a+$", "aab")', False)],
    "is_array": [("is_array([])", True), ("is_array({})", False)],
    "is_boolean": [("is_boolean(false)", True), ("is_boolean(0)", False)],
    "is_null": [("is_null(null)", True), ("is_null(false)", False)],
    "is_number": [("is_number(1.5)", True), ('is_number("1")', False)],
    "is_object": [("is_object({})", True), ("is_object([])", False)],
    "is_set": [("is_set({1})", True), ("is_set([1])", False)],
    "is_string": [('is_string("")', True), ("is_string(1)", False)],
    "type_name": [
        ("type_name({1})", "set"),
        ("type_name(null)", "null"),
        ('type_name("")', "string"),
    ],
}


def test_each_allowed_function_has_a_meaning_here() -> None:
    assert set(MEANS) == ALLOWED


@pytest.mark.asyncio(loop_scope="session")
async def test_each_allowed_function_means_it(evaluator: Evaluator) -> None:
    every = [(call, wanted) for cases in MEANS.values() for call, wanted in cases]
    modules = [
        Module(
            f"m{i}",
            f"package drystone.m{i}\n\nimport rego.v1\n\ndeny contains [v] if {{\n    v := {call}\n}}\n",
        )
        for i, (call, _) in enumerate(every)
    ]
    answers = await evaluator.judge(modules, b"{}")
    told = {
        call: answer.problem or msgspec.json.decode(answer.rules["deny"])
        for (call, _), answer in zip(every, answers, strict=True)
    }
    assert told == {call: [[wanted]] for call, wanted in every}


@pytest.mark.parametrize(
    "call",
    [
        "to_number(input.x)",
        "count(input.n)",
        "startswith(input.n, input.x)",
        'regex.match("(", input.x)',
    ],
)
@pytest.mark.asyncio(loop_scope="session")
async def test_a_function_that_fails_is_a_problem_and_not_undefined(
    evaluator: Evaluator, call: str
) -> None:
    for text in (f"v := {call}\n    v != 0", f"not {call}"):
        module = Module(
            "f",
            f'package drystone.f\n\nimport rego.v1\n\ndeny contains "x" if {{\n    {text}\n}}\n',
        )
        (answer,) = await evaluator.judge([module], b'{"x": "abc", "n": 5}')
        assert "'deny' cannot be evaluated" in answer.problem
        assert not answer.rules
