"""What is told of a change, from what policies answered."""

from __future__ import annotations

from datetime import timedelta

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from drystone.l10_engines.policies.evaluator import Answer
from drystone.l25_deployer.api import AcceptedRisk, DependencyFinding
from drystone.l50_orchestrator.guardrails import judging
from drystone.l50_orchestrator.guardrails.api import FreezeSaid, PolicyView
from drystone.l50_orchestrator.guardrails.domain import Asked, Frozen
from drystone.l50_orchestrator.ports import Change, Finding
from l50_orchestrator.guardrails.ground import NOW, change, said
from l50_orchestrator.guardrails.test_domain import excepted

TODAY = NOW.date()
CHANGE = change()
POLICY = PolicyView("backup", said(), is_house=False)
FOUND = Answer("backup", {"deny": msgspec.Raw(b'[{"text": "found", "line": 3}]')})
FROZEN = Frozen("holidays", FreezeSaid("2026-06-01T00:00", "2026-06-02T00:00", "holidays"), "root")


def judge(
    answer: Answer = FOUND,
    *exceptions: Asked,
    policy: PolicyView = POLICY,
    what: Change = CHANGE,
    frozen: tuple[Frozen, ...] = (),
) -> list[Finding]:
    return judging.findings(what, [policy], [answer], exceptions, frozen)


def asked(until: int, allowed_by: str = "max", **different: object) -> Asked:
    one = excepted(until=TODAY + timedelta(days=until), **different)
    return Asked("moving", one, "ada", "", NOW, allowed_by, NOW)


def test_what_a_policy_denies_refuses_with_its_line() -> None:
    assert judge() == [Finding("backup", "refuse", "found", 3)]


@pytest.mark.parametrize(
    "answer",
    [
        Answer("backup", problem="it took longer than 2 s"),
        Answer("other", {"deny": msgspec.Raw(b"[]")}),
        *(
            Answer("backup", {"deny": msgspec.Raw(value)})
            for value in (
                b"true",
                b'"text"',
                b"null",
                b'{"text": "t"}',
                b'["text"]',
                b'[{"txt": "t"}]',
                b'[{"text": ""}]',
                b'[{"text": 5}]',
                b'[{"text": "t", "line": -1}]',
                b'[{"text": "t", "line": "3"}]',
                b'[{"text": "t", "allow": true}]',
            )
        ),
    ],
)
def test_an_answer_that_is_none_refuses_and_no_exception_helps(answer: Answer) -> None:
    (found,) = judge(answer, asked(30))
    assert (found.policy, found.effect) == ("backup", "refuse")
    assert "cannot be evaluated, so nothing passes it" in found.text


def test_an_exception_that_counts_lets_it_pass_and_is_named() -> None:
    (found,) = judge(FOUND, asked(30))
    assert found.effect == "excepted"
    assert found.exception == "'moving' of ada, allowed by max, until 2026-07-01"


def test_an_exception_that_is_over_says_when() -> None:
    (found,) = judge(FOUND, asked(-1))
    assert found.effect == "refuse"
    assert "the exception 'moving' of ada expired on 2026-05-31" in found.text


def test_an_exception_that_nobody_allowed_does_not_count() -> None:
    (found,) = judge(FOUND, asked(30, ""))
    assert found.effect == "refuse"
    assert "nobody has allowed the exception 'moving' yet" in found.text


@given(
    st.lists(
        st.builds(
            asked,
            st.integers(-5, 5),
            st.sampled_from(["", "max"]),
            policy=st.sampled_from(["backup", "protect"]),
            service=st.sampled_from(["orders", "mail"]),
            environment=st.sampled_from(["prod", "dev"]),
        ),
        max_size=6,
    )
)
def test_it_passes_only_by_an_exception_for_it_that_is_allowed_and_not_over(
    exceptions: list[Asked],
) -> None:
    (found,) = judge(FOUND, *exceptions)
    good = any(
        one.allowed_by
        and one.said.until >= TODAY
        and (one.said.policy, one.said.service, one.said.environment)
        == ("backup", "orders", "prod")
        for one in exceptions
    )
    assert found.effect == ("excepted" if good else "refuse")


@given(st.sampled_from(["refuse", "warn"]), st.sampled_from(["refuse", "warn"]), st.integers(-3, 3))
def test_a_policy_warns_before_its_day_or_when_told_to(severity: str, mode: str, days: int) -> None:
    since = TODAY + timedelta(days=days)
    policy = PolicyView(
        "backup",
        said(severity=severity, since=since),
        is_house=False,
        mode=mode,  # type: ignore[arg-type]
    )
    (found,) = judge(policy=policy)
    is_refused = severity == mode == "refuse" and days <= 0
    assert found.effect == ("refuse" if is_refused else "warn")
    assert ("refuses from" in found.text) == (days > 0)


def test_a_freeze_refuses_and_a_hotfix_has_an_exception() -> None:
    nothing = Answer("backup", {"deny": msgspec.Raw(b"[]")})
    (found,) = judge(nothing, frozen=(FROZEN,))
    assert (found.policy, found.effect) == ("freeze/holidays", "refuse")
    assert "nothing changes here until 2026-06-02 00:00 UTC: holidays" in found.text
    (hotfix,) = judge(nothing, asked(1, policy="freeze/holidays"), frozen=(FROZEN,))
    assert hotfix.effect == "excepted"
    promoted = msgspec.structs.replace(CHANGE, kind="promotion")
    assert judge(nothing, what=promoted, frozen=(FROZEN,)) == [found]


def test_a_way_back_is_told_and_refused_by_nothing() -> None:
    back = msgspec.structs.replace(CHANGE, kind="rollback")
    broken = Answer("backup", problem="it took longer than 2 s")
    for answer in (FOUND, broken):
        assert [one.effect for one in judge(answer, what=back, frozen=(FROZEN,))] == ["warn"]


def test_what_the_check_of_dependencies_found_is_told_too() -> None:
    def one(severity: str, *, refuses: bool, accepted: AcceptedRisk | None = None) -> Change:
        found = DependencyFinding(
            "layer",
            severity,  # type: ignore[arg-type]
            refuses,
            "prod/orders",
            "It needs what lies above.",
            (),
            "Turn it round.",
            accepted,
            line=9,
        )
        return msgspec.structs.replace(
            CHANGE, plan=msgspec.structs.replace(CHANGE.plan, findings=(found,))
        )

    nothing = Answer("backup", {"deny": msgspec.Raw(b"[]")})
    risk = AcceptedRisk("max", "until the spring", TODAY, 0)
    effects = [
        [(f.policy, f.effect, f.line) for f in judge(nothing, what=what)]
        for what in (
            one("error", refuses=True),
            one("warning", refuses=False),
            one("note", refuses=False),
            one("note", refuses=False, accepted=risk),
        )
    ]
    layer = "dependencies/layer"
    assert effects == [[(layer, "refuse", 9)], [(layer, "warn", 9)], [], [(layer, "excepted", 9)]]


def test_a_flood_of_findings_is_bounded() -> None:
    many = [{"text": f"{i:04} " + "x" * 5000} for i in range(500)]
    found = judge(Answer("backup", {"deny": msgspec.Raw(msgspec.json.encode(many))}))
    assert len(found) == judging.MOST_FINDINGS + 1
    assert all(len(one.text) <= judging.LONGEST_TEXT for one in found)
    assert any("and 480 more" in one.text for one in found)
    assert {one.effect for one in found} == {"refuse"}
