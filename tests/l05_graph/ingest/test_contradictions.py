"""What many files say together: what is told, what counts, and that nothing goes by in silence."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from drystone.l05_graph.ingest.gathering import MOST_ALTERNATIVES, Gathering
from drystone.l05_graph.ingest.source import Declared, Unreadable
from drystone.l05_graph.model import Component
from drystone.l05_graph.words import Kind, Phase, Strength
from l05_graph.ingest.reading import needs, skips

HARD, SOFT, UNKNOWN = Strength.HARD, Strength.SOFT, Strength.UNKNOWN
NAMES = st.sampled_from("abcd")
NEEDS = st.tuples(
    NAMES,
    st.lists(NAMES, min_size=1, max_size=3),
    st.sampled_from(Strength),
    st.sampled_from(list(Phase)),
)


def gathered(*said: tuple[str, list[str], Strength, Phase], declared: str = "abcd") -> Declared:
    gathering = Gathering("Test")
    for name in declared:
        gathering.component(Component(name=name), f"{name}:1")
    for line, (source, targets, strength, at) in enumerate(said, 1):
        gathering.needs(source, targets, f"f:{line}", "words", strength=strength, at=(at,))
    return gathering.declared("anything")


@given(st.lists(NEEDS, max_size=12))
def test_whatever_is_said_gives_a_sound_model_in_which_each_need_holds_or_is_told(
    said: list[tuple[str, list[str], Strength, Phase]],
) -> None:
    found = gathered(*said)
    every = {(one.source, one.target, one.at[0]) for one in found.model.dependencies}
    told = sum(skip.count for skip in found.skips)
    missing = [
        one for one in said if not any((one[0], target, one[3]) in every for target in one[1])
    ]
    assert len(missing) <= told
    hard = {(one.source, one.target, one.at[0]) for one in found.model.dependencies if one.is_hard}
    for source, targets, strength, at in said:
        if len(set(targets)) == 1 and source not in targets and strength is not SOFT:
            assert (source, targets[0], at) in hard


def test_the_stronger_of_two_statements_counts_and_both_places_are_told() -> None:
    found = gathered(("a", ["b"], SOFT, Phase.RUN), ("a", ["b"], HARD, Phase.RUN))
    assert needs(found) == ["a → b (hard, at run, other)"]
    assert found.notes == ("f:2: a → b is hard here and soft at f:1; hard counts",)
    again = gathered(("a", ["b"], HARD, Phase.RUN), ("a", ["b"], SOFT, Phase.RUN))
    assert needs(again) == needs(found)
    assert again.notes == ("f:2: a → b is soft here and hard at f:1; hard counts",)


def test_a_component_that_is_declared_twice_differently_is_told_with_both_places() -> None:
    gathering = Gathering("Test")
    assert gathering.component(Component(name="a", tier=1), "one:3")
    assert not gathering.component(Component(name="a", tier=2), "two:7")
    assert not gathering.component(Component(name="a", tier=1), "three:1")
    found = gathering.declared("anything")
    assert found.model.component("a").tier == 1
    assert skips(found) == [
        "1 times: 'a' is declared at one:3 with other attributes; the first counts (two:7)"
    ]
    assert found.notes == ("three:1: 'a' is declared again, as at one:3",)


def test_a_need_of_itself_an_empty_name_and_an_endless_one_are_left_out_and_told() -> None:
    names = ("a", "  ", "x" * 301, "b\x1b[31m")
    said = [("a", [target], HARD, Phase.RUN) for target in names]
    assert skips(gathered(*said)) == [
        "1 times: depends on itself, which a component always has (f:1 a)",
        "1 times: a name is empty (f:2)",
        "1 times: a name has more than 300 characters (f:3)",
        "1 times: a name has characters that cannot be shown (f:4)",
    ]


def test_what_is_named_and_nowhere_declared_is_external_and_told_with_its_place() -> None:
    found = gathered(("a", ["elsewhere"], UNKNOWN, Phase.RUN))
    assert found.model.component("elsewhere").kind is Kind.EXTERNAL
    assert found.notes == ("f:1: 'elsewhere' is declared nowhere; it counts as external",)


def test_a_choice_is_a_group_of_which_one_is_enough() -> None:
    found = gathered(("a", ["b", "c", "b"], HARD, Phase.RUN))
    (group,) = found.model.groups
    assert (group.component, group.name, group.at_least) == ("a", "b | c", 1)
    assert [one.group for one in found.model.dependencies] == ["b | c", "b | c"]


@pytest.mark.parametrize("order", [1, -1])
def test_a_choice_of_what_is_needed_anyway_needs_nothing_more(order: int) -> None:
    said = [("a", ["b"], HARD, Phase.RUN), ("a", ["b", "c"], HARD, Phase.RUN)]
    found = gathered(*said[::order])
    assert needs(found) == ["a → b (hard, at run, other)"]
    assert not found.model.groups
    assert "1 times: a choice of which one is needed in any case" in skips(found)[0]


def test_a_soft_statement_does_not_dissolve_a_hard_choice() -> None:
    found = gathered(("a", ["b", "c"], HARD, Phase.RUN), ("a", ["b"], SOFT, Phase.RUN))
    assert [one.group for one in found.model.dependencies] == ["b | c", "b | c"]
    assert found.notes == ("f:2: a → b is soft here and hard at f:1; hard counts",)


def test_a_choice_may_be_said_twice_with_other_strengths() -> None:
    found = gathered(("a", ["b", "c"], SOFT, Phase.RUN), ("a", ["b", "c"], HARD, Phase.RUN))
    assert {one.strength for one in found.model.dependencies} == {HARD}
    assert len(found.model.groups) == 1


def test_a_choice_of_very_many_is_left_out_and_told() -> None:
    many = [f"x{number}" for number in range(MOST_ALTERNATIVES + 1)]
    found = gathered(("a", many, HARD, Phase.RUN))
    assert skips(found) == [f"1 times: a choice of more than {MOST_ALTERNATIVES} (f:1 a)"]


def test_files_without_anything_are_refused_with_the_first_reason() -> None:
    gathering = Gathering("Test")
    gathering.skips.add("this is a poem", "f:1")
    with pytest.raises(
        Unreadable, match=r"the files hold no thing: 1 times: this is a poem \(f:1\)"
    ):
        gathering.declared("thing")


def test_what_is_said_without_end_is_refused() -> None:
    gathering = Gathering("Test", most_statements=3)
    for _ in range(3):
        gathering.needs("a", "b", "f:1", "words")
    with pytest.raises(Unreadable, match="import them in parts"):
        gathering.needs("a", "b", "f:1", "words")


def test_a_note_shows_nothing_that_a_terminal_would_act_on() -> None:
    gathering = Gathering("Test")
    gathering.component(Component(name="a"), "f:1")
    gathering.note("red \x1b[31m letters")
    assert gathering.declared("anything").notes == ("red \ufffd[31m letters",)
