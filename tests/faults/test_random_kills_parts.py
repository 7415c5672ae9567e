"""The parts of the random kills: what they draw, what they expect, and what they find wrong."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from drystone.l25_deployer.api import HistoryEvent
from drystone.testing.faults.commands import is_undue, verdict
from drystone.testing.faults.drill import fighters
from drystone.testing.faults.expectation import Expectation, Outcome, State
from drystone.testing.faults.invariants import unpaired
from drystone.testing.faults.ledger import Ledger
from drystone.testing.faults.schedule import STEPS, draw
from drystone.testing.faults.traffic import cause

NAMES = ("rows", "blobs", "lines")
SEEDS = st.integers(0, 10_000)


@given(SEEDS, st.integers(1, 30))
def test_a_seed_draws_the_same_run_again(seed: int, deploys: int) -> None:
    drawn = draw(seed, deploys, NAMES, fighters())
    assert draw(seed, deploys, NAMES, fighters()) == drawn
    kinds = [action.kind for one in drawn for action in one.actions]
    assert deploys <= kinds.count("deploy") <= deploys + 1
    assert drawn[-1].rests


@given(SEEDS)
def test_a_round_that_nobody_may_notice_begins_and_ends_at_rest(seed: int) -> None:
    who = fighters()
    before_rests = True
    for one in draw(seed, 20, NAMES, who):
        struck = {s.victim for action in one.actions for s in action.strikes}
        assert {s.step for action in one.actions for s in action.strikes} <= set(STEPS)
        if one.is_gentle:
            assert struck <= set(who.gentle)
            assert before_rests
            assert one.rests
        before_rests = one.rests


def test_what_was_acknowledged_must_be_kept_and_what_was_sent_may() -> None:
    ledger = Ledger()
    first, second, third = (ledger.next_key() for _ in range(3))
    ledger.acknowledge(first)
    ledger.acknowledge(second)
    promised = ledger.acknowledged
    assert ledger.judge([first, second], promised) == []
    assert ledger.judge([third, second, first], promised) == []
    assert "acknowledged keys are lost" in ledger.judge([first], promised)[0]
    assert "never sent" in ledger.judge([first, second, "x"], promised)[0]
    assert "more than once" in ledger.judge([first, second, first], promised)[0]
    ledger.acknowledge(third)  # what is looked at again must be recognised
    assert ledger.judge([first], ledger.acknowledged) == ledger.judge([first], promised)


def begun() -> Expectation:
    expected = Expectation(keep=3)
    expected.begin("v0", 0)
    return expected


@pytest.mark.parametrize(
    ("outcome", "possible"),
    [
        (Outcome.DONE, {"v1"}),
        (Outcome.UNDONE, {"v0"}),
        (Outcome.UNKNOWN, {"v0", "v1"}),
    ],
)
def test_what_serves_agrees_with_what_the_command_told(
    outcome: Outcome, possible: set[str]
) -> None:
    for seen in (State("v0"), State("v1", ("v0",))):
        expected = begun()
        expected.deploy_began("v1", 1)
        expected.deployed("v1", outcome, 2)
        assert (expected.settle(seen, 3) is None) == (seen.active in possible)


def test_after_a_done_the_old_version_may_not_answer_what_is_sent_then() -> None:
    expected = begun()
    expected.deploy_began("v1", 1)
    assert expected.allows("v0", sent=1.5, ended=1.6)
    assert expected.allows("v1", sent=1.5, ended=1.6)
    expected.deployed("v1", Outcome.DONE, 2)
    assert expected.allows("v0", sent=1.9, ended=2.1)
    assert not expected.allows("v0", sent=2.1, ended=2.2)
    assert expected.allows("v1", sent=2.1, ended=2.2)


def test_a_version_that_never_served_may_never_have_answered() -> None:
    expected = begun()
    expected.deploy_began("v1", 1)
    expected.deployed("v1", Outcome.UNKNOWN, 2)
    assert expected.settle(State("v0"), 3) is None
    assert expected.allows("v1", sent=1.5, ended=1.6)
    expected.never_served("v1")
    assert not expected.allows("v1", sent=1.5, ended=1.6)
    assert expected.allows("v0", sent=1.5, ended=1.6)


def test_a_rollback_leads_to_the_version_before_and_shortens_the_trail() -> None:
    expected = begun()
    expected.deploy_began("v1", 1)
    expected.deployed("v1", Outcome.DONE, 2)
    expected.rollback_began(3)
    assert expected.allows("v0", sent=3.5, ended=3.6)
    expected.rolled_back(Outcome.DONE, 4)
    assert not expected.allows("v1", sent=4.5, ended=4.6)
    assert expected.settle(State("v0"), 5) is None


def test_a_long_trail_may_be_cut_to_what_is_kept_and_not_further() -> None:
    for kept, is_right in ((3, True), (2, False)):
        expected = begun()
        for number in range(1, 6):
            expected.deployed(f"v{number}", Outcome.DONE, number)
        trail = tuple(f"v{number}" for number in range(5))[-kept:]
        assert (expected.settle(State("v5", trail), 9) is None) == is_right


@pytest.mark.parametrize(("kept", "is_right"), [(3, True), (2, True), (1, False)])
def test_what_a_deploy_had_forgotten_does_not_come_back_with_a_rollback(
    kept: int, is_right: bool
) -> None:
    expected = begun()
    for number in range(1, 5):
        expected.deployed(f"v{number}", Outcome.DONE, number)
    assert expected.settle(State("v4", ("v1", "v2", "v3")), 5) is None
    expected.deployed("v5", Outcome.DONE, 6)
    expected.rolled_back(Outcome.DONE, 7)
    trail = ("v1", "v2", "v3")[-kept:]
    assert (expected.settle(State("v4", trail), 9) is None) == is_right


DONE = {"step": "done", "text": "rows.dev serves version v1", "state": "info"}


@pytest.mark.parametrize(
    ("code", "said", "complaint", "outcome"),
    [
        (0, [DONE], "", Outcome.DONE),
        (-9, [DONE], "", Outcome.UNKNOWN),
        (0, [], "", Outcome.UNKNOWN),
        (1, [{"type": "kernel.Unavailable"}], "the connection broke", Outcome.UNKNOWN),
        (1, [], "error: x\nrelease 1 (version v0) serves as before", Outcome.UNDONE),
    ],
)
def test_a_command_is_taken_at_its_word(
    code: int, said: list[dict[str, str]], complaint: str, outcome: Outcome
) -> None:
    assert verdict(code, said, complaint).outcome is outcome


def test_a_failure_is_undue_where_only_agent_and_command_were_killed() -> None:
    assert is_undue(verdict(1, [], "error: x\nrelease 1 (version v0) serves as before"))
    assert not is_undue(verdict(1, [], "rows.dev has no earlier release that is kept; deploy"))
    assert not is_undue(verdict(1, [], "the connection broke"))
    assert not is_undue(verdict(0, [DONE], ""))


def test_failures_are_counted_by_what_they_have_in_common() -> None:
    assert cause("Connect call failed ('127.0.0.1', 23770)") == cause(
        "Connect call failed ('127.0.0.1', 28001)"
    )
    assert cause("503 x") != cause("502 x")


def test_a_command_that_met_no_agent_began_nothing() -> None:
    assert not verdict(1, [{"type": "cli.NoAnswer"}], "does not answer").began


def history(*events: tuple[str, int]) -> list[HistoryEvent]:
    begin = datetime(2026, 1, 1, tzinfo=UTC)
    return [
        HistoryEvent(begin + timedelta(seconds=n), "me", event, "", release)
        for n, (event, release) in enumerate(events)
    ]


def test_a_history_is_complete_when_each_beginning_has_its_own_end() -> None:
    whole = history(
        ("deploy began", 1),
        ("exec", 1),
        ("deploy done", 1),
        ("deploy began", 2),
        ("deploy undone", 2),
    )
    assert unpaired(whole) == []
    assert len(unpaired(whole[:1])) == 1
    assert len(unpaired(whole[2:])) == 1
    assert len(unpaired([*whole[:2], *whole[3:]])) == 1
    assert len(unpaired([*whole, whole[-1]])) == 1
    assert len(unpaired(history(("deploy began", 1), ("deploy done", 2)))) == 1
