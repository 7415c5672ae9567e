from __future__ import annotations

from datetime import date

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from drystone.l05_graph.coincidence import accepted, chance
from drystone.l05_graph.evidence import Batch, Bucket, Detail, Evidence, Observation, merged
from drystone.l05_graph.failing_together import Judged, Verdict, judged
from drystone.l05_graph.findings import OBSERVED, Finding, Rule, Rules, Severity
from drystone.l05_graph.forms import survey
from drystone.l05_graph.model import Model
from drystone.l05_graph.observed import differences

TODAY = date(2026, 11, 22)
FIRST = 5_934_000
"""A bucket of five minutes, at the begin of a day."""


def traffic(
    series: dict[tuple[str, str], list[tuple[int, int]]], source: str = "otlp-traces"
) -> Evidence:
    """Make evidence of calls and errors in successive buckets of five minutes; a bucket without calls is left out."""
    observations = tuple(
        Observation(
            caller=caller,
            callee=callee,
            calls=sum(calls for calls, _ in cells),
            errors=sum(errors for _, errors in cells),
            buckets=tuple(Bucket(FIRST + n, *both) for n, both in enumerate(cells) if both[0]),
        )
        for (caller, callee), cells in sorted(series.items())
    )
    return merged(
        Batch(source=source, digest=source, detail=Detail.FIVE_MINUTES, observations=observations)
    )


def cells(
    length: int, bad: range | set[int], calls: int = 20, errors: int = 10
) -> list[tuple[int, int]]:
    return [(calls, errors if n in bad else 0) for n in range(length)]


SHOP = survey.read(
    "components:\n  shop: {needs: {mail: soft, users: hard, cache: soft}}\n  mail:\n  users:\n  cache:\n  db:\n"
)


def found(model: Model, evidence: Evidence, *rules: Rule) -> list[Finding]:
    levels = {rule: level for rule, level in Rules().levels.items() if rule in rules or not rules}
    return differences(model, evidence, Rules(levels=levels), TODAY)


def verdict(evidence: Evidence, target: str = "mail", model: Model = SHOP) -> Judged:
    return next(one for one in judged(model, evidence) if one.dependency.target == target)


def test_a_call_that_nobody_declared_is_told_with_the_line_to_add() -> None:
    (one,) = found(SHOP, traffic({("shop", "db"): cells(3, {1})}), Rule.UNDECLARED)
    assert (one.subject, one.severity, one.path[0].target) == ("shop", Severity.WARNING, "db")
    assert "otlp-traces: 60 calls, 10 failed" in one.sentence
    assert "needs: {db: hard}" in one.advice


def test_what_is_not_in_the_survey_is_to_be_declared_and_who_is_outside_is_nobodys_affair() -> None:
    evidence = traffic(
        {("shop", "external:1.2.3.4"): cells(1, {9}), ("external:clients", "shop"): cells(1, {9})}
    )
    (one,) = found(SHOP, evidence, Rule.UNDECLARED)
    assert 'needs: {"external:1.2.3.4": hard}' in one.advice
    assert "declare external:1.2.3.4" in one.advice


def test_what_is_hardly_sure_is_only_a_note() -> None:
    (one,) = found(SHOP, traffic({("shop", "db"): cells(1, {9})}, "vpc-flow"), Rule.UNDECLARED)
    assert one.severity is Severity.NOTE
    assert "no more than 45% sure" in one.sentence
    (other,) = found(SHOP, traffic({("shop", "db"): cells(2, {9})}, "vpc-flow"), Rule.UNDECLARED)
    assert other.severity is Severity.WARNING


def test_a_dependency_without_calls_is_told_once_its_caller_was_seen() -> None:
    told = found(SHOP, traffic({("shop", "users"): cells(30, {99})}), Rule.NEVER_OBSERVED)
    assert [one.path[0].target for one in told] == ["cache", "mail"]
    assert "600 calls, of which none went to cache" in told[0].sentence
    assert "fewer than one in 200" in told[0].sentence


def test_nothing_follows_for_a_caller_that_was_not_seen_or_could_not_be_seen_calling() -> None:
    assert found(SHOP, traffic({("users", "db"): cells(9, {99})}), Rule.NEVER_OBSERVED) == []
    edge = {("external:clients", "shop"): cells(9, {99})}
    assert found(SHOP, traffic(edge, "envoy-access-log"), Rule.NEVER_OBSERVED) == []
    assert len(found(SHOP, traffic(edge), Rule.NEVER_OBSERVED)) == 3


def test_what_is_needed_at_a_deploy_leaves_no_traffic() -> None:
    model = survey.read(
        "components:\n  a: {needs: {b: {strength: hard, at: deploy}, c: hard}}\n  b:\n  c:\n"
    )
    told = found(model, traffic({("a", "x"): cells(1, {9})}), Rule.NEVER_OBSERVED)
    assert [one.path[0].target for one in told] == ["c"]


def mail_fails(answers: range) -> Evidence:
    """Mail fails for half an hour; when the answers of the shop fail is the question."""
    failing = cells(200, answers, errors=8)
    return traffic(
        {("shop", "mail"): cells(200, range(50, 56)), ("external:clients", "shop"): failing}
    )


def test_a_soft_dependency_with_which_its_caller_fails_is_told() -> None:
    evidence = mail_fails(range(50, 56))
    one = verdict(evidence)
    assert one.verdict is Verdict.TOGETHER
    assert (one.share_with, one.share_without) == (0.4, 0.0)
    assert one.chance == pytest.approx(1 / 200)
    (told,) = found(SHOP, evidence, Rule.FAILS_TOGETHER)
    assert "40.0% of the answers of shop fail while mail fails (30 minutes)" in told.sentence


def test_one_that_its_caller_survives_is_not() -> None:
    evidence = mail_fails(range(120, 126))
    assert verdict(evidence).verdict is Verdict.APART
    assert found(SHOP, evidence, Rule.FAILS_TOGETHER) == []


def test_a_cause_that_both_share_is_named_and_no_verdict_passed() -> None:
    outage = range(50, 56)
    evidence = traffic(
        {
            ("external:clients", "shop"): cells(200, outage),
            ("shop", "mail"): cells(200, outage),
            ("shop", "users"): cells(200, outage),
            ("mail", "users"): cells(200, outage),
        }
    )
    one = verdict(evidence)
    assert (one.verdict, one.causes) == (Verdict.COMMON_CAUSE, ("users",))
    (told,) = found(SHOP, evidence, Rule.FAILS_TOGETHER)
    assert told.severity is Severity.NOTE
    assert "so does users, which may be the cause of both" in told.sentence


def test_what_needs_the_dependency_itself_is_no_other_cause() -> None:
    outage = range(50, 56)
    evidence = traffic(
        {
            ("external:clients", "shop"): cells(200, outage),
            ("shop", "mail"): cells(200, outage),
            ("shop", "cache"): cells(200, outage),
            ("cache", "mail"): cells(200, outage),
        }
    )
    assert verdict(evidence).verdict is Verdict.TOGETHER


def test_failing_together_without_the_shared_cause_as_well_is_told() -> None:
    evidence = traffic(
        {
            ("external:clients", "shop"): cells(400, {*range(50, 56), *range(300, 306)}),
            ("shop", "mail"): cells(400, {*range(50, 56), *range(300, 306)}),
            ("shop", "users"): cells(400, range(50, 56)),
            ("mail", "users"): cells(400, range(50, 56)),
        }
    )
    assert verdict(evidence).verdict is Verdict.TOGETHER


@pytest.mark.parametrize(
    ("to_mail", "answers", "expected"),
    [
        (cells(200, {999}), cells(200, {5}), Verdict.NEVER_FAILED),
        (cells(10, {3}), cells(10, {3}), Verdict.TOO_LITTLE),
        (cells(200, range(200)), cells(200, range(200)), Verdict.APART),
    ],
    ids=["it never failed", "too few times", "it always failed"],
)
def test_too_little_is_said_to_be(
    to_mail: list[tuple[int, int]], answers: list[tuple[int, int]], expected: Verdict
) -> None:
    evidence = traffic({("shop", "mail"): to_mail, ("external:clients", "shop"): answers})
    assert verdict(evidence).verdict is expected


def test_an_accepted_one_is_a_note_until_its_last_day() -> None:
    text = "components:\n  shop:\n    needs:\n      mail: {strength: soft, accepted: {by: x, reason: y, until: 2026-11-22}}\n  mail:\n"
    evidence = traffic(
        {("shop", "mail"): cells(200, {7}), ("external:clients", "shop"): cells(200, {7})}
    )
    model = survey.read(text)
    (told,) = found(model, evidence, Rule.FAILS_TOGETHER)
    assert told.severity is Severity.NOTE
    assert told.accepted is not None
    (late,) = differences(model, evidence, Rules(), date(2026, 11, 23))
    assert late.severity is Severity.WARNING


@settings(max_examples=20)
@given(st.integers(0, 2**32), st.integers(2, 40))
def test_the_chance_is_the_share_of_shifts_that_meet_as_much(seed: int, length: int) -> None:
    random = np.random.default_rng(seed)
    one, other = (random.integers(0, 3, length).astype(float) for _ in range(2))
    met = [float(one @ np.roll(other, -shift)) for shift in range(length)]
    expected = sum(value >= met[0] - 1e-9 for value in met) / length
    assert chance(one, other, [length]) == pytest.approx(expected)


def test_several_days_tell_more_than_one() -> None:
    series = np.zeros(864)
    series[[40, 330, 700]] = 1
    assert chance(series, series, [288, 288, 288]) < 0.001
    assert chance(series, series, [864]) == pytest.approx(1 / 864)


def test_of_many_tests_only_as_much_is_accepted_as_keeps_the_share_of_false_findings() -> None:
    # The example of Benjamini and Hochberg (1995), section 3.2: four of fifteen at 0.05.
    published = [
        *[0.0001, 0.0004, 0.0019, 0.0095, 0.0201, 0.0278, 0.0298, 0.0344, 0.0459],
        *[0.3240, 0.4262, 0.5719, 0.6528, 0.7590, 1.0],
    ]
    assert accepted(published) == [True] * 4 + [False] * 11
    assert accepted([]) == []


def test_every_rule_of_evidence_has_a_level_of_its_own() -> None:
    assert all(rule in Rules().levels for rule in OBSERVED)
    assert found(SHOP, traffic({("shop", "db"): cells(3, {1})}), Rule.TIER) == []
