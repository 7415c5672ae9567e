"""Words become arguments."""

from __future__ import annotations

from typing import Annotated, Any, Literal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from drystone.l85_surfaces.cli.errors import Misuse
from drystone.l85_surfaces.cli.options import NOTHING_SAID, Shared
from drystone.l85_surfaces.cli.parameters import Parameter, arguments_of
from drystone.l85_surfaces.cli.parsing import parse


def sample(
    first: str,
    second: str = "other",
    /,
    *rest: str,
    number: Annotated[int | None, Parameter(name=("--number", "-n"), least=-5)] = None,
    on: Annotated[bool, Parameter(name=("--on", "-o"), negative="--off")] = True,
    loud: Annotated[bool, Parameter(name=("--loud", "-l"))] = False,
    of_kind: Literal["red", "green"] = "red",
    each: list[str] | None = None,
    shared: Shared = NOTHING_SAID,
) -> None:
    """Take all kinds of arguments."""


ARGUMENTS = arguments_of(sample)


@pytest.mark.parametrize(
    ("words", "values"),
    [
        (["a"], {"first": "a"}),
        (["a", "b", "c", "d"], {"first": "a", "second": "b", "rest": ["c", "d"]}),
        (["--number", "7", "a"], {"first": "a", "number": 7}),
        (["a", "--number=7"], {"first": "a", "number": 7}),
        (["a", "-n7"], {"first": "a", "number": 7}),
        (["a", "-n", "-5"], {"first": "a", "number": -5}),
        (["a", "-lon", "7"], {"first": "a", "loud": True, "on": True, "number": 7}),
        (["a", "--off"], {"first": "a", "on": False}),
        (["a", "--of-kind", "green"], {"first": "a", "of_kind": "green"}),
        (["a", "--each", "x", "--each=-y"], {"first": "a", "each": ["x", "-y"]}),
        (["-", "--home", "/h", "--json"], {"first": "-", "home": "/h", "json": True}),
        (["a", "--", "--json", "--"], {"first": "a", "second": "--json", "rest": ["--"]}),
        (["", "--home="], {"first": "", "home": ""}),
    ],
)
def test_words_become_arguments(words: list[str], values: dict[str, Any]) -> None:
    assert parse(ARGUMENTS, words) == values


@pytest.mark.parametrize(
    "words",
    [
        [],
        ["--number", "7"],
        ["a", "--number"],
        ["a", "-n", "-6"],
        ["a", "-n", "--json"],
        ["a", "--of-kind", "blue"],
        ["a", "--unknown"],
        ["a", "--jso"],
        ["a", "-ln"],
        ["a", "--off=1"],
        ["a", "--on", "--off"],
    ],
    ids=" ".join,
)
def test_words_that_do_not_fit_are_refused(words: list[str]) -> None:
    with pytest.raises(Misuse):
        parse(ARGUMENTS, words)


@given(st.lists(st.text(max_size=5)))
def test_what_follows_two_hyphens_is_told_by_its_place(words: list[str]) -> None:
    found = parse(ARGUMENTS, ["--", "a", "b", *words])
    assert found.get("rest", []) == words


@given(st.lists(st.text(alphabet="-=anlo7 ", max_size=6)))
def test_any_words_are_understood_or_refused(words: list[str]) -> None:
    try:
        found = parse(ARGUMENTS, words)
    except Misuse:
        return
    assert found.keys() <= {argument.name for argument in ARGUMENTS}
