"""Whatever is read, the answer is a descriptor or problems in their places; never an exception, never half of each."""

from __future__ import annotations

import json

import jsonschema  # type: ignore[import-untyped]
from hypothesis import given, settings
from hypothesis import strategies as st

from drystone.l00_kernel.yaml_text.problems import LINE_BREAK
from drystone.l00_kernel.yaml_text.reader import read_document
from drystone.l00_kernel.yaml_text.tree import plain
from drystone.l25_deployer.descriptor import Reading, read, render, resolve
from drystone.l25_deployer.descriptor.compiled import Keyed, shape_of
from drystone.l25_deployer.descriptor.edges import references
from drystone.l25_deployer.descriptor.json_schema import json_schema
from drystone.l25_deployer.descriptor.reading import DESCRIPTOR
from drystone.l25_deployer.descriptor.schema.descriptor import Descriptor
from drystone.l25_deployer.stacks.compile import compile_stacks
from drystone.l25_deployer.stacks.model import decode, encode
from l25_deployer.descriptor.samples import MINIMAL, ORDERS

LINES = ORDERS.splitlines()
PIECES = [
    *(
        "{",
        "}",
        "[",
        "]",
        ":",
        "- ",
        "&a ",
        "*a",
        "<<: *a",
        "!!str ",
        "|\n",
        "? ",
        "---\n",
        "\t",
        "#",
        '"',
        "'",
        "${",
        "}",
    ),
    *(
        "null",
        "true",
        "NO",
        "0",
        "-1",
        "1e9",
        "x-a",
        "resources",
        "type",
        "..",
        "\x00",
        "\ud800",
        "\x85",
        "\u2028",
        "é",
        "日本",
    ),
]


def is_sound(reading: Reading) -> Reading:
    """Hold what is true of every reading, and follow a good one all the way."""
    assert (reading.descriptor is None) == (reading.problems != ())
    places = [problem.place for problem in reading.problems]
    assert places == sorted(set(places))
    lines = LINE_BREAK.split(reading.text)
    for problem in reading.problems:
        assert problem.line >= 1
        assert problem.column >= 1
        assert problem.end > problem.column
        assert problem.line <= len(lines)
        shown = render(problem, reading.text)
        assert all(char.isprintable() or char == "\n" for char in shown)
        assert shown.startswith(f"service.yaml:{problem.line}:{problem.column}: ")
    if reading.descriptor is not None:
        references(reading.descriptor)
        for name in ("dev", *reading.environments):
            environment, _, region = name.partition(".")
            stacks = compile_stacks(resolve(reading, environment, region or None), version="1")
            assert decode(encode(stacks)) == stacks
    return reading


@given(st.text() | st.binary() | st.lists(st.sampled_from(PIECES), max_size=30).map("".join))
@settings(max_examples=300)
def test_any_text_is_answered(text: str | bytes) -> None:
    is_sound(read(text))


@st.composite
def _mutated(draw: st.DrawFn) -> str:
    """The big example, with pieces put in, taken out and moved about."""
    text = ORDERS
    for _ in range(draw(st.integers(1, 4))):
        place = draw(st.integers(0, len(text)))
        length = draw(st.integers(0, 12))
        text = text[:place] + draw(st.sampled_from(["", *PIECES])) + text[place + length :]
    return text


@given(_mutated())
@settings(max_examples=150)
def test_any_damage_to_a_good_descriptor_is_answered(text: str) -> None:
    is_sound(read(text))


@given(st.lists(st.sampled_from(LINES), max_size=60).map("\n".join))
@settings(max_examples=100)
def test_any_order_of_good_lines_is_answered(text: str) -> None:
    is_sound(read(text))


def _keys() -> list[str]:
    top = shape_of(Descriptor)
    assert isinstance(top, Keyed)
    found = set(top.fields)
    for field in top.fields.values():
        if isinstance(field.shape, Keyed):
            found |= set(field.shape.fields)
    return sorted(found)


WORDS = st.sampled_from(
    [
        None,
        True,
        False,
        0,
        1,
        18,
        -1,
        1.5,
        "x",
        "hard",
        "soft",
        "postgres",
        "5m",
        "1Gi",
        "/up",
        "GET /up",
        "a.b",
        "50%",
        "${resources.a.url}",
        "${port}",
        "${version}",
        "dev",
        "",
        "web",
        "queue",
        "ari:cloud:a:b:c/d",
    ]
)
TREES = st.recursive(
    WORDS,
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from([*_keys(), "a", "b", "web", "type", "dev", "x-a", "A", "B"]),
            inner,
            max_size=4,
        )
    ),
    max_leaves=20,
)


@given(st.dictionaries(st.sampled_from(_keys()), TREES, max_size=6))
@settings(max_examples=300)
def test_any_tree_of_known_words_is_answered(tree: dict[str, object]) -> None:
    base = read_document(MINIMAL, "x", DESCRIPTOR).root
    assert base is not None
    whole = {**{str(key): value for key, value in dict(plain(base)).items()}, **tree}  # type: ignore[call-overload]
    is_sound(read(json.dumps(whole)))


VALIDATOR = jsonschema.Draft202012Validator(json_schema())


@given(st.dictionaries(st.sampled_from(_keys()), TREES, max_size=2))
@settings(max_examples=200)
def test_what_reading_accepts_the_json_schema_accepts_too(tree: dict[str, object]) -> None:
    whole = {"schema": 1, "service": "a", "owner": "b", "process": {"command": ["c"]}, **tree}
    if read(json.dumps(whole)).descriptor is not None:
        assert [error.message for error in VALIDATOR.iter_errors(whole)] == []
