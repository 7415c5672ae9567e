"""Nothing that somebody else wrote drives the terminal of who reads it, or passes for a line of ours."""

from __future__ import annotations

import json
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from drystone.l00_kernel.visible import visible, visible_json
from drystone.l25_deployer.api import HistoryEvent
from drystone.l85_surfaces.cli.terminal import Paint, Style, Terminal, remark, shown, write_json
from drystone.l85_surfaces.cli.views.services import history

EVIL = "a\x1b[2Jb\x1b]0;owned\x07c\rd\x9b31me\u202ef\u2028g\x00h\x7f"
MOMENT = datetime(2026, 1, 1, tzinfo=UTC)
ANY = st.text(max_size=50)


def is_tame(text: str) -> bool:
    """A terminal obeys nothing of it but line breaks and tabs."""
    return all(visible(line) == line for line in text.split("\n"))


@given(text=ANY)
def test_whatever_the_text_nothing_of_it_is_obeyed(text: str) -> None:
    assert is_tame(shown(text, colour=False))
    assert is_tame(visible(text))
    assert visible(visible(text)) == visible(text)


@given(text=ANY)
def test_our_own_colours_stay_and_those_of_others_do_not_unless_they_are_ours(text: str) -> None:
    paint = Paint(colour=True)
    painted = shown(paint("word", Style.BAD) + text.replace("\x1b", "\x1b[8m"), colour=True)
    assert painted.startswith("\x1b[1;31mword\x1b[0m")
    assert "\x1b[8m" not in painted


@given(value=st.recursive(ANY, lambda inner: st.lists(inner) | st.dictionaries(ANY, inner)))
def test_json_is_safe_to_show_and_says_the_same(value: object) -> None:
    for document in (json.dumps(value, ensure_ascii=False), json.dumps(value, indent=1)):
        assert is_tame(visible_json(document))
        assert json.loads(visible_json(document)) == value


def test_every_way_out_is_tame(capsys: pytest.CaptureFixture[str]) -> None:
    Terminal(json=False).line(EVIL)
    remark(EVIL)
    write_json(json.dumps({"text": EVIL}, ensure_ascii=False).encode())
    said = capsys.readouterr()
    assert is_tame(said.out)
    assert is_tame(said.err)
    assert json.loads(said.out.splitlines()[1])["text"] == EVIL


def test_no_text_adds_a_line_to_a_history() -> None:
    evil = HistoryEvent(MOMENT, "eve\n2026", "deploy\ndone", EVIL + "\nforged", 1, "1\n2", 1.0)
    lines = list(history([evil]))
    assert len(lines) == 2  # the headings and the event
    assert all(is_tame(line) for line in lines)
