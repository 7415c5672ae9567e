"""A policy keeps to a dialect in which nothing fails in silence."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from drystone.l10_engines.policies.errors import PolicyUnfit
from drystone.l10_engines.policies.reading import MOST_BYTES, Module, checked, read
from drystone.l10_engines.policies.shapes import Leaf, Shape
from l10_engines.policies.sample import policy

KNOWN: Shape = {"service": None, "groups": {"*": {"instances": None}}, "plan": {"changes": None}}

GOOD = """package drystone.good

import rego.v1

# A comment with http.send(1) and "half a text.
default is_small := false

is_small if input.service == "a"

few(group) if group.instances < 2
few(group) if not group.instances

deny contains {"text": sprintf("%s `is` too few", [name]), "line": 3} if {
    not is_small
    some name, group in input.groups
    few(group)
    every other in input.groups {
        other.instances >= 0
    }
    texts := [t | some t in ["a", `b
        with http.send("x")`]]
    count(texts) == 2
}

warn contains {"text": "w"} if {
    contains(input.service, "x")
    input["plan"].changes[_].line > 2
}
"""


def test_a_policy_of_the_dialect_passes() -> None:
    assert checked(Module("good", GOOD), KNOWN) == ("deny", "warn")


@pytest.mark.parametrize(
    ("body", "told"),
    [
        (
            'http.send({"url": "http://x"}).status == 200',
            "p.rego:6:5: 'http.send' may not be called",
        ),
        (
            'some x in input.xs\nnot net.cidr_contains("10.0.0.0/8", x)',
            "p.rego:7:9: 'net.cidr_contains'",
        ),
        ("time.now_ns() > 0", "p.rego:6:5: 'time.now_ns'"),
        ('rand.intn("a", 5) == 1', "'rand.intn' may not be called"),
        ("opa.runtime().env", "'opa.runtime' may not be called"),
        ('http["send"]({}) == 1', "'http.send' may not be called"),
        ("x := input.f\nx[0]({}) == 1", "p.rego:7:9: call a function by its name"),
        ("http . send ({}) == 1", "'http.send' may not be called"),
        ("stacks.tier == 1", "p.rego:6:5: 'stacks' is declared nowhere"),
        ("input.groups[i].instances < 2", "p.rego:6:18: 'i' is declared nowhere"),
        ("some i\ninput.groups[i].instances < 2", "p.rego:6:10: say where it comes from"),
        ("input.plan.change == 1", "p.rego:6:5: input.plan has no 'change'; it has changes"),
        ('input["servce"] == "x"', "input has no 'servce'; it has groups, plan, service"),
        ("input.groups.web.instance == 1", "input.groups.web has no 'instance'"),
        ("data.drystone.other.deny", "p.rego:6:5: a policy knows 'input' and its own rules"),
        ("input.service == 1 with input as {}", "p.rego:6:24: 'with' stands in no rule"),
        ("count := 3\ncount == 3", "'count' is a word of the language"),
        ("input := {}\ninput.service", "'input' is a word of the language"),
        ('input.service == "half\n"', "this text does not end on its line"),
        ('input.service == $"{1}"', "use sprintf"),
        ("input.s\u0435rvice == 1", "stands in no policy outside of texts"),
        ('input.service == "a\u202e"\x00', "stands in no policy"),
    ],
)
def test_what_would_fail_in_silence_is_told_with_its_place(body: str, told: str) -> None:
    with pytest.raises(PolicyUnfit) as refused:
        checked(policy("p", body), KNOWN)
    assert told in refused.value.message


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("", "p.rego:1:1: begin with 'package drystone.p'"),
        (
            "package drystone.q\n\nimport rego.v1\n\ndeny contains 1\n",
            "begin with 'package drystone.p'",
        ),
        ("package drystone.p\n\ndeny contains 1\n", "import rego.v1"),
        (
            "package drystone.p\nimport rego.v1\nimport data.x as count\ndeny contains 1\n",
            "p.rego:3:1:",
        ),
        ("package drystone.p\nimport rego.v1\nallow := 1\n", "this policy finds nothing"),
        ("package drystone.p\nimport rego.v1\ndeny := 1\n", "p.rego:3:1: 'deny' is a set"),
        ("package drystone.p\nimport rego.v1\ndefault deny := 1\n", "'deny' is a set"),
        ("package drystone.p\nimport rego.v1\ndeny[1] := 2\n", "the name of a rule is one word"),
        (
            "package drystone.p\nimport rego.v1\ncount(x) := 1\ndeny contains 1\n",
            "give the rule another name",
        ),
        (
            "package drystone.p\nimport rego.v1\nhttp(x) := 1\ndeny contains http(2) + y\n",
            "'y' is declared nowhere",
        ),
        (
            "package drystone.p\nimport rego.v1\n  deny contains 1\n",
            "begin every rule in the first column",
        ),
        (
            "package drystone.p\nimport rego.v1\ndeny contains x if {\n  x := 1\n}\nf := x\n",
            "p.rego:6:6: 'x' is declared",
        ),
    ],
)
def test_a_module_is_one_policy_and_nothing_else(text: str, told: str) -> None:
    with pytest.raises(PolicyUnfit) as refused:
        checked(Module("p", text))
    assert told in refused.value.message


TYPED: Shape = {
    "at": Leaf("text"),
    "env": {"name": Leaf("text"), "type": Leaf("text", ("dev", "prod"))},
    "tier": Leaf("number"),
    "open": Leaf("boolean"),
    "tags": {"*": Leaf("text")},
    "xs": Leaf("list", items={"kind": Leaf("text"), "n": Leaf("number")}),
}


@pytest.mark.parametrize(
    ("body", "told"),
    [
        (
            'input.env == "dev"',
            "p.rego:6:5: input.env is an object and no text: compare input.env.name",
        ),
        ('"dev" == input.env', "p.rego:6:14: input.env is an object and no text"),
        ('not input.env == "dev"', "p.rego:6:9: input.env is an object"),
        (
            'input["env"] != "dev"',
            'input["env"] is an object and no text: compare input["env"].name',
        ),
        ('input.env in {"dev", "prod"}', "input.env is an object and no text"),
        ('input.env.type == "live"', 'input.env.type is one of dev, prod, and never "live"'),
        (
            'input.env.type in {"live", "real"}',
            'input.env.type is one of dev, prod, and never "live"',
        ),
        ('input.tier == "1"', 'input.tier is a number, and never "1"'),
        ("input.open == 1", "input.open is true or false, and never 1"),
        ("input.at == true", "input.at is a text, and never true"),
        ("input.xs == 3", "input.xs is a list, and never 3"),
        ('input.tags == "x"', "compare what it holds by name, input.tags[name]"),
        ('e := input.env\ne == "dev"', "p.rego:7:5: e is an object and no text: compare e.name"),
        ('some x in input.xs\nx == "a"', "x is an object and no text: compare one of x.kind, x.n"),
        ('some i, x in input.xs\nx.n == "a"', 'x.n is a number, and never "a"'),
        ("input.at.year == 2026", "input.at is a text, and has no 'year'"),
    ],
)
def test_a_comparison_that_is_never_true_is_told_with_the_right_path(body: str, told: str) -> None:
    with pytest.raises(PolicyUnfit) as refused:
        checked(policy("p", body), TYPED)
    assert told in refused.value.message


@pytest.mark.parametrize(
    "body",
    [
        'input.env.name == "dev"',
        'input.env.type in {"live", "prod"}',
        "input.env == null",
        "input.tier + 1 == 3",
        "1 < input.tier",
        'sprintf("%v", [input.env]) == "x"',
        'input.tags.cost == "x"',
        'some name, value in input.tags\nvalue == "x"',
        'some x in input.xs\nx.kind == "a"',
        "count(input.xs) == 0",
        'e := input.env.type\ne == "dev"',
        'e := [input.env]\ne == "dev"',
        "same := input.env == null\nsame == true",
    ],
)
def test_a_comparison_that_may_be_true_passes(body: str) -> None:
    assert checked(policy("p", body), TYPED) == ("deny",)


def test_another_word_for_a_part_of_the_input_is_compared_like_it() -> None:
    with pytest.raises(PolicyUnfit, match=r"where is an object and no text: compare where\.name"):
        checked(policy("p", 'where == "dev"', "where := input.env"), TYPED)
    assert checked(policy("p", 'where := "dev"\nwhere == "dev"', "where := input.env"), TYPED)


def test_every_mistake_is_told_at_once_and_in_order() -> None:
    found = read(policy("p", "a == 1\nb == 2\nhttp.send(c)"))
    assert [(m.line, m.column) for m in found.mistakes] == [(6, 5), (7, 5), (8, 5), (8, 15)]


def test_a_policy_is_bounded() -> None:
    with pytest.raises(PolicyUnfit, match=f"{MOST_BYTES} are the most"):
        checked(policy("p", "true\n" * MOST_BYTES))


@given(st.text(max_size=60), st.integers(0, len(GOOD)))
def test_reading_never_fails_whatever_stands_there(text: str, place: int) -> None:
    found = read(Module("good", GOOD[:place] + text + GOOD[place:]), KNOWN)
    assert found.rules or found.mistakes


@given(st.sampled_from(["http.send", "net.lookup_ip_addr", "time.now_ns", "foo"]), st.data())
def test_a_call_that_is_not_allowed_is_found_wherever_it_stands(
    name: str, data: st.DataObject
) -> None:
    lines = GOOD.splitlines()
    inside = [
        i for i, line in enumerate(lines) if line.startswith("    ") and "with http" not in line
    ]
    at = data.draw(st.sampled_from(inside))
    space = data.draw(st.sampled_from(["", " ", "\t"]))
    lines[at] = f"    {name}{space}(1)\n{lines[at]}"
    told = [m.sentence for m in read(Module("good", "\n".join(lines)), KNOWN).mistakes]
    assert any(name in sentence for sentence in told) or "b" in lines[at]
