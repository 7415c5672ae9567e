"""What the orchestrator tells, as the pages show it."""

from __future__ import annotations

import math
from datetime import timedelta

import msgspec
import pytest

from drystone.l50_orchestrator.audit.api import EntryView
from drystone.l50_orchestrator.drift.api import DriftView
from drystone.l50_orchestrator.ports import Finding
from drystone.l50_orchestrator.releases.api import (
    CurvePoint,
    Happened,
    ReleaseSummary,
    ReleaseView,
    RolloutView,
)
from drystone.l85_surfaces.console import told
from drystone.l85_surfaces.console.pages.curve import WIDE, drawn
from l85_surfaces.console.stand import NOW

SUMMARY = ReleaseSummary(
    id="r-1",
    number=4,
    environment="prod",
    service="orders",
    team="commerce",
    kind="deploy",
    origin="r-1",
    version="1.4.2",
    state="rolling",
    why="step 1 of 4",
    author="ada",
    message="cheaper",
    asked_at=NOW,
    ended_at=None,
    is_serving=False,
    is_kept=False,
)
ROLLOUT = RolloutView(
    phase="rising",
    share=0.1,
    step=2,
    steps=4,
    verdict="quiet",
    why="begun",
    alarm=math.log(100),
    proof=3.0,
    turns=[(timedelta(), "begun"), (timedelta(seconds=30), "nothing proven")],
    curve=[
        CurvePoint(timedelta(seconds=at), 0.1, 0.1 * at, -0.1, {"errors": (1, 0)})
        for at in range(9)
    ],
    examples=["GET / answered 500"],
    counted={"errors": (9, 1200, 4, 11_000)},
)


def view(state: str = "rolling", phase: str | None = "rising", **more: object) -> ReleaseView:
    summary = {key: more.pop(key) for key in ("is_kept", "is_serving") if key in more}
    one = ReleaseView(
        summary=msgspec.structs.replace(SUMMARY, state=state, **summary),
        descriptor="schema: 1\n",
        descriptor_digest="",
        file="service.yaml",
        artefact="",
        stacks={},
        plan=None,
        findings=[Finding("owner", "warn", "nobody", 3)],
        approve=[],
        approvals=[],
        at_target=0,
        before="",
        rest=[],
        steps=[],
        rollout=None if phase is None else msgspec.structs.replace(ROLLOUT, phase=phase),
    )
    return msgspec.structs.replace(one, **more)


@pytest.mark.parametrize(
    ("one", "verbs"),
    [
        (view(), ("promote", "pause", "abort")),
        (view(phase="paused"), ("promote", "resume", "abort")),
        (view(phase="alarmed"), ("promote", "abort")),
        (view("waiting", None, approve=["team"]), ("approve", "reject", "abort")),
        (view("waiting", None), ("abort",)),
        (view("queued", None), ("abort",)),
        (view("settling"), ()),
        (view("served", None, is_kept=True), ("roll-back",)),
        (view("served", None, is_kept=True, is_serving=True), ()),
        (view("failed", None), ()),
    ],
)
def test_what_can_be_done_follows_from_where_a_release_stands(
    one: ReleaseView, verbs: tuple[str, ...]
) -> None:
    assert told.verbs(one) == verbs


def test_a_rollout_becomes_a_picture_with_all_its_counts() -> None:
    found = told.curve(ROLLOUT)

    assert found.at == timedelta(seconds=30)
    assert [(one.metric, one.canary, one.canary_bad) for one in found.counts] == [
        ("errors", 1200, 9)
    ]
    assert 'class="evidence bad"' in drawn(found, WIDE).written


def test_a_rollout_that_nobody_looked_at_is_no_mistake() -> None:
    empty = msgspec.structs.replace(ROLLOUT, curve=[], turns=[])

    assert told.curve(empty).at == timedelta()


def test_the_begin_and_the_end_of_a_step_are_one_line_with_its_duration() -> None:
    happened = [
        Happened(1, NOW, "admit", "began", ""),
        Happened(2, NOW + timedelta(seconds=2), "admit", "ended", "allowed"),
        Happened(3, NOW, "health", "began", ""),
        Happened(4, NOW, "health", "info", "still waiting"),
        Happened(5, NOW + timedelta(seconds=9), "health", "failed", "no answer"),
        Happened(6, NOW, "end", "ended", "withdrawn"),
    ]

    assert [(one.name, one.state, one.text, one.seconds) for one in told.steps(happened)] == [
        ("admit", "ended", "allowed", 2.0),
        ("health", "failed", "no answer", 9.0),
        ("health", "info", "still waiting", None),
        ("end", "ended", "withdrawn", None),
    ]


def test_who_is_behind_a_token_and_broken_glass_are_told() -> None:
    entry = EntryView(
        number=3,
        at=NOW,
        actor="token:7",
        kind="token",
        behind="ada",
        glass=2,
        action="release.deployed",
        subject="prod/orders",
        fields={"release": 4},
        text="",
        previous="",
        hash="",
    )

    found = told.entry(entry)

    assert found.actor == "token:7 (by ada) under break-glass access 2"
    assert found.fields == {"release": "4"}


def test_drift_is_told_in_a_sentence_with_who_and_what() -> None:
    names = [f"stacks.environment.{name}" for name in ("a", "b", "c", "d", "e", "f")]
    drifts = [
        DriftView(
            environment="prod",
            service="orders",
            field=name,
            wanted="1",
            found="2",
            since=NOW,
            by="ada",
            how="deploy",
            repairs=("repair",),
        )
        for name in names
    ]
    (said,) = told.drifted(drifts)
    assert "by the deploy of ada, past the orchestrator: stacks.environment.a, " in said
    assert "and 1 more; `drystone drift orders --env prod`" in said
    by_hand = msgspec.structs.replace(drifts[0], by="", how="")
    assert " UTC: stacks.environment.a;" in told.drifted([by_hand])[0]
    assert told.drifted([]) == []


def test_users_that_were_counted_and_what_was_not_measured_are_told() -> None:
    unmeasured = {"log-errors": "nobody is named"}
    shown = told.curve(msgspec.structs.replace(ROLLOUT, by="user", unmeasured=unmeasured))
    assert [one.metric for one in shown.counts] == ["errors by user"]
    assert shown.unmeasured == (("log-errors", "nobody is named"),)
