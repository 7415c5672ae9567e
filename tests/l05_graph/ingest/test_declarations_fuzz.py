"""Whatever a source of declarations is given, it answers with a model or a refusal, and tells what it leaves out."""

from __future__ import annotations

import random
from collections.abc import Callable

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from drystone.l05_graph.ingest.source import File, Unreadable
from drystone.l05_graph.ingest.sources import DECLARED
from l05_graph.ingest.reading import examples, read, source

NAMES = [one.name for one in DECLARED]
BOMB = "a: &a [x, x, x, x, x, x, x, x, x]\n" + "".join(
    f"{after}: &{after} [{', '.join([f'*{before}'] * 9)}]\n"
    for before, after in zip("abcdefghi", "bcdefghij", strict=False)
)
WORDS = [
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
        "!Ref ",
        "!GetAtt ",
        "!Sub ",
        "? ",
        "---\n",
    ),
    *(
        '"',
        "'",
        "\\",
        "|",
        ",",
        "(",
        ">=",
        "->",
        "=",
        "\t",
        " ",
        "\n",
        "\n\n",
        "\r\n",
        "#",
        "null",
        "true",
    ),
    *(
        "0",
        "-1",
        "1e999",
        "9" * 30,
        "NaN",
        "\x00",
        "\x85",
        "é",
        "\ud7ff",
        "x" * 400,
        "${",
        "..",
        "/",
        "@",
    ),
]


def answer(name: str, files: list[File]) -> None:
    try:
        found = source(name).read(files)
    except Unreadable:
        return
    assert found.model.components
    assert all(len(note) < 2000 for note in found.notes)


def mangled(content: bytes, seed: int) -> bytes:
    """Cut, double, swap and replace pieces of an example."""
    chance = random.Random(seed)  # noqa: S311 - not a secret
    text = content.decode()
    for _ in range(chance.randint(1, 6)):
        lines = text.splitlines(keepends=True) or [""]
        at, to = chance.randrange(len(lines)), chance.randrange(len(lines))
        place = chance.randrange(len(text) + 1)
        match chance.randrange(6):
            case 0:
                text = text[:place]
            case 1:
                lines[at], lines[to] = lines[to], lines[at]
                text = "".join(lines)
            case 2:
                text = "".join([*lines[:at], lines[to], *lines[at:]])
            case 3:
                text = text[:place] + chance.choice(WORDS) + text[place:]
            case 4:
                words = lines[at].split(" ")
                words[chance.randrange(len(words))] = chance.choice(WORDS)
                lines[at] = " ".join(words)
                text = "".join(lines)
            case _:
                text = text[:place] + text[place + chance.randint(1, 40) :]
    encoding = chance.choice(["utf-8"] * 8 + ["utf-16", "utf-8-sig"])
    return text.encode(encoding, "surrogatepass")


@pytest.mark.parametrize("name", NAMES)
def test_any_bytes_are_answered(name: str) -> None:
    @settings(max_examples=25, deadline=None)
    @given(st.lists(st.binary() | st.text().map(lambda text: text.encode("utf-8", "replace"))))
    def check(contents: list[bytes]) -> None:
        answer(name, [File(f"{number}", content) for number, content in enumerate(contents)])

    check()


@pytest.mark.parametrize("name", NAMES)
def test_any_text_of_the_words_of_the_formats_is_answered(name: str) -> None:
    lines = [line for file in examples(name) for line in file.content.decode().splitlines()]
    pieces = st.sampled_from(WORDS) | st.sampled_from(lines).map("{}\n".format)

    @settings(max_examples=25, deadline=None)
    @given(st.lists(pieces, max_size=30).map("".join))
    def check(text: str) -> None:
        answer(name, [File("x", text.encode())])

    check()


@pytest.mark.parametrize("name", NAMES)
def test_an_example_that_was_damaged_is_answered(name: str) -> None:
    files = examples(name)

    @settings(max_examples=40, deadline=None)
    @given(st.integers(0, 2**32))
    def check(seed: int) -> None:
        answer(
            name, [File(file.name, mangled(file.content, seed + n)) for n, file in enumerate(files)]
        )

    check()


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize(
    "make",
    [
        lambda: b"",
        BOMB.encode,
        lambda: b"[" * 100_000,
        lambda: b"{" * 100_000,
        lambda: b'{"a":' * 100_000,
        lambda: b"- " * 50_000,
        lambda: b"---\n" * 5_000,
        lambda: b"a: b\n" * 5_000,
        lambda: b'{"version": 4, "resources": ' + b"[" * 100_000,
        lambda: b"version: " + b"9" * 100_000,
        lambda: "Resources: é".encode("latin-1"),
        lambda: "Package: x".encode("utf-16"),
        lambda: b"\x00" * 100_000,
        lambda: b'<?xml version="1.0"?><!DOCTYPE a [<!ENTITY b "c">]><a>&b;</a>',
    ],
)
def test_what_is_none_of_it_is_refused_in_words(name: str, make: Callable[[], bytes]) -> None:
    with pytest.raises(Unreadable) as refused:
        source(name).read([File("hostile", make())])
    assert 10 < len(str(refused.value)) < 1000


@pytest.mark.parametrize("name", NAMES)
def test_no_file_at_all_is_refused(name: str) -> None:
    with pytest.raises(Unreadable):
        read(name)
