"""The dialect of YAML: what it means and what it refuses."""

from __future__ import annotations

import pytest

from drystone.l00_kernel.yaml_text.reader import read_document
from drystone.l00_kernel.yaml_text.tree import plain
from drystone.l25_deployer.descriptor import Problem, read
from drystone.l25_deployer.descriptor.reading import DESCRIPTOR, MOST_BYTES
from l25_deployer.descriptor.samples import HEAD, MINIMAL


def value_of(text: str) -> object:
    root = read_document(f"a: {text}\n", "x.yaml", DESCRIPTOR).root
    assert root is not None
    return plain(root.entries["a"].node)


def only(text: str | bytes) -> Problem:
    problems = read(text, file="s.yaml").problems
    assert len(problems) == 1, problems
    return problems[0]


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("NO", "NO"),
        ("no", "no"),
        ("on", "on"),
        ("true", True),
        ("False", False),
        ("~", None),
        ("", None),
        ("'true'", "true"),
        ("12", 12),
        ("-3", -3),
        ("0", 0),
        ("007", "007"),
        ("0x1F", "0x1F"),
        ("0o17", "0o17"),
        ("1_000", "1_000"),
        ("22:22", "22:22"),
        ("1.5", 1.5),
        ("1e3", "1e3"),
        (".inf", ".inf"),
        (".nan", ".nan"),
        ("2030-01-01", "2030-01-01"),
        ("9" * 5000, "9" * 5000),
        ('"12"', "12"),
        ("!!str 12", "12"),
        ("! 12", "12"),
        ("!!int 12", 12),
        ("{on: yes, x: [1, no]}", {"on": "yes", "x": [1, "no"]}),
    ],
)
def test_scalars_mean_what_yaml_1_2_says(text: str, value: object) -> None:
    assert value_of(text) == value


def test_anchors_aliases_and_merge_keys_work_and_own_keys_win() -> None:
    text = MINIMAL + (
        "x-sizes:\n  small: &small {cpu: 100m, memory: 64Mi}\n  more: &more {memory: 1Gi, disk: 2Gi}\n"
        "size: {<<: [*small, *more], cpu: 250m}\n"
        "workers:\n  a: &a {command: [x], size: *small}\n  b: *a\n"
    )
    reading = read(text)
    assert reading.report() == ""
    assert reading.descriptor is not None
    size = reading.descriptor.size
    assert (size.cpu, size.memory, size.disk) == (0.25, 64 * 1024**2, 2 * 1024**3)
    assert reading.descriptor.workers["a"] == reading.descriptor.workers["b"]


def test_a_mistake_behind_an_anchor_is_reported_once() -> None:
    text = MINIMAL + "workers:\n  a: &a {command: [x], sise: {}}\n  b: *a\n  c: *a\n"
    assert only(text).message == "unknown key 'sise' in workers.a"


@pytest.mark.parametrize(
    ("text", "line", "column", "message"),
    [
        ("", 1, 1, "the descriptor is empty"),
        ("# nothing\n", 1, 1, "the descriptor is empty"),
        ("---\n---\n", 2, 1, "a second document starts here; a descriptor is one document"),
        (
            MINIMAL + "---\nschema: 1\n",
            5,
            1,
            "a second document starts here; a descriptor is one document",
        ),
        ("- a\n- b\n", 1, 1, "the descriptor is a list; it must be a mapping"),
        ("hello\n", 1, 1, "the descriptor is a single value; it must be a mapping"),
        ("a: 1\n\tb: 2\n", 2, 1, "a tab indents this line; YAML indents with spaces"),
        ("a: 1\0b", 1, 5, "a NUL byte stands here"),
        (b"a: caf\xe9\n", 1, 7, "the file is not UTF-8 here"),
        ("a: \ud800\n", 1, 4, "half of a character stands here"),
        ("a: \x1b[31m\n", 1, 4, "a character stands here that YAML does not allow"),
        ("a: &a [*a]\n", 1, 8, "'*a' stands inside what it stands for"),
        ("b: &blue 1\na: *bleu\n", 2, 4, "'*bleu' stands for nothing: no '&bleu' comes before it"),
        ("? [a]\n: b\n", 1, 3, "a key must be a text, not a mapping or a list"),
        ("a: " + "[" * 60, 1, 53, "values are nested more than 50 deep"),
    ],
)
def test_what_is_no_descriptor_at_all_is_refused_with_one_message(
    text: str | bytes, line: int, column: int, message: str
) -> None:
    problem = only(text)
    assert (problem.line, problem.column, problem.message) == (line, column, message)


@pytest.mark.parametrize(
    ("text", "help_"),
    [
        ("a: b: c\n", "a text that holds ': ' must stand in quotes"),
        ("a: {b: c\n", "a '{' was not closed, or a ',' is missing"),
        ("a: [b, c\n", "a '[' was not closed, or a ',' is missing"),
        ('a: "b\n', "a quote was opened and not closed"),
        ("a: @b\n", "a text that starts with this character must stand in quotes"),
        ("a:\n  b: 1\n c: 2\n", "is the line indented like the others of its block?"),
    ],
)
def test_broken_yaml_comes_with_what_usually_helps(text: str, help_: str) -> None:
    problem = only(text)
    assert problem.message.startswith("this is not YAML: ")
    assert problem.help == help_


def test_a_key_that_stands_twice_is_shown_with_both_lines() -> None:
    problem = only(MINIMAL + "tier: 1\ndescription: x\ntier: 2\n")
    assert (problem.line, problem.message) == (
        7,
        "the key 'tier' stands twice; the first is in line 5",
    )
    assert problem.help == "remove one of lines 5 and 7"


@pytest.mark.parametrize("key", ["8080", "true", "null", "1.5"])
def test_a_key_that_is_no_text_is_refused(key: str) -> None:
    problems = read(MINIMAL + f"tags: {{{key}: x}}\n").problems
    assert problems[0].message.startswith("a key must be a text")
    assert problems[0].help == f'write it in quotes: "{key}"'


@pytest.mark.parametrize(
    "tag", ["!!python/object:os.system", "!vault", "!!binary", "!!set", "!!timestamp"]
)
def test_tags_are_refused(tag: str) -> None:
    problem = only(HEAD + f"process: {{command: [x, {tag} abc]}}\n")
    assert problem.message == f"the tag '{tag}' is not allowed"


def test_an_unfolding_bomb_is_refused() -> None:
    lines = ["x-a0: &a0 [x, x, x, x, x, x, x, x, x, x]"]
    lines += [f"x-a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 10)}]" for n in range(1, 12)]
    assert only("\n".join(lines)).message == "the descriptor unfolds to more than 50,000 values"


def test_aliases_do_not_hide_how_deep_values_are_nested() -> None:
    lines = ["x-a0: &a0 [x]"] + [f"x-a{n}: &a{n} [*a{n - 1}]" for n in range(1, 60)]
    assert only("\n".join(lines)).message == "values are nested more than 50 deep"


def test_a_file_of_ten_megabytes_is_refused_without_being_parsed() -> None:
    problem = only("[" * 10 * MOST_BYTES)
    assert problem.message == "the file has 10,485,760 bytes; a descriptor has at most 1,048,576"


def test_many_values_in_a_small_file_are_refused() -> None:
    assert "unfolds to more than" in only("a: [" + "1," * 200_000 + "]").message


def test_a_byte_order_mark_and_windows_line_ends_are_accepted() -> None:
    assert read(b"\xef\xbb\xbf" + MINIMAL.replace("\n", "\r\n").encode()).report() == ""


def test_thousands_of_mistakes_are_cut_short() -> None:
    problems = read(MINIMAL + "".join(f"unknown{n}: 1\n" for n in range(5000))).problems
    assert len(problems) == 501
    assert sum(problem.message == "there are more than 500 mistakes" for problem in problems) == 1


def test_more_environments_than_anybody_has_are_refused() -> None:
    environments = "".join(f"  e{number}: {{scale: {number}}}\n" for number in range(51))
    problem = only(f"{MINIMAL}environments:\n{environments}")
    assert problem.message == "environments: there are more than 50 environments"


def test_environments_that_multiply_a_large_base_are_refused() -> None:
    base = "env:\n" + "".join(f"  V{number}: x\n" for number in range(5000))
    environments = "".join(f"  e{number}: {{scale: 2}}\n" for number in range(50))
    problem = only(f"{MINIMAL}{base}environments:\n{environments}")
    assert (
        problem.message == "the descriptor unfolds to more than 200,000 values in its environments"
    )


def test_a_message_stays_short_whatever_it_quotes() -> None:
    long = "k" * 100_000
    for text in (
        f"{long}: 1\n",
        f"a: *{long}\n",
        f"resources: {{{long}: {{x: 1}}}}\n",
        f"a: !{long} 1\n",
    ):
        for problem in read(MINIMAL + text).problems:
            assert len(problem.message) <= 1000
