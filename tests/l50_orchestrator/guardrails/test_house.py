"""The policies that come with the platform do what their pages say, on what a deployer really compiles."""

from __future__ import annotations

import msgspec
import pytest

from drystone.l10_engines.policies.evaluator import Evaluator
from drystone.l10_engines.policies.reading import read
from drystone.l50_orchestrator.guardrails import cases, domain
from drystone.l50_orchestrator.guardrails.api import Case, PolicyView
from drystone.l50_orchestrator.guardrails.guard import PolicyGuard
from drystone.l50_orchestrator.guardrails.house_policies import house_policies
from drystone.l50_orchestrator.guardrails.judged import judged, known
from drystone.l50_orchestrator.ports import Environment
from l50_orchestrator.guardrails.ground import TIDY, change

pytestmark = pytest.mark.asyncio(loop_scope="session")

HOUSE = house_policies()
EACH = pytest.mark.parametrize("policy", HOUSE, ids=lambda policy: policy.name)
DIGEST = f"sha256:{'0f' * 32}"
LAX = """\
schema: 1
service: orders
owner: search
tier: 0
image: registry.example/orders:latest
scale: {min: 1}
network: {ingress: {public: true}, egress: ["old.example.com:80"]}
resources:
  db: {type: postgres, protect: false}
  files: {type: bucket}
deploy: {strategy: cutover}
"""


@EACH
async def test_each_does_in_its_cases_what_they_say(
    policy: PolicyView, evaluator: Evaluator
) -> None:
    await evaluator.check(domain.module_of(policy))
    assert await cases.failed(policy.name, policy.said, evaluator) == ()


@EACH
async def test_each_is_tried_on_something_that_it_lets_pass_and_on_all_that_it_finds(
    policy: PolicyView,
) -> None:
    every = policy.said.cases
    assert any(not case.deny and not case.warn for case in every)
    for rule in read(domain.module_of(policy), known()).rules:
        wanted = [part for case in every for part in getattr(case, rule)]
        assert len(wanted) >= policy.said.text.count(f"\n{rule} contains "), rule


async def test_a_case_that_tries_nothing_is_told(evaluator: Evaluator) -> None:
    said = msgspec.structs.replace(
        HOUSE[0].said,
        cases=(
            Case("mistyped", {"stacks": {"enviroment": {"tier": 1}}}),
            Case("misfit", {"stacks": {"environment": {"tier": "high"}}}),
            Case("finds what is not there", {}, deny=("no such words",)),
        ),
    )
    told = await cases.failed(HOUSE[0].name, said, evaluator)
    assert [one.partition(": ")[2][:40] for one in told] == [
        "input.stacks has no 'enviroment'",
        "no change looks like its input: Expected",
        "'deny' does not say 'no such words'",
    ]


async def test_a_tidy_descriptor_passes_them_all(guard: PolicyGuard) -> None:
    assert await guard.findings(change(TIDY), HOUSE, [], []) == []


async def test_a_lax_descriptor_is_told_everything_with_its_lines(guard: PolicyGuard) -> None:
    found = await guard.findings(change(LAX), HOUSE, [], [])
    refused = {(one.policy, one.line) for one in found if one.effect == "refuse"}
    assert refused == {
        ("backup", 10),
        ("encryption", 7),
        ("pinned-artefacts", 5),
        ("protect", 9),
        ("public-exposure", 7),
        ("required-owner", 3),
        ("required-owner", 0),
        ("tier-rules", 0),
        ("tier-rules", 6),
        ("tier-rules", 11),
    }


async def test_they_leave_what_runs_elsewhere_alone(guard: PolicyGuard) -> None:
    for kind in ("local", "dev"):
        here = Environment("dev", kind)
        assert await guard.findings(change(LAX, here), HOUSE, [], []) == []


async def test_what_stands_in_no_stack_is_seen_by_value() -> None:
    more = """\
data: {orders: [personal]}
"""
    seen = judged(change(TIDY + more, artefact="sha256:1")).declared
    assert (seen.oncall, seen.tags, seen.data) == (
        "commerce-primary",
        {"product": "shop"},
        ("personal",),
    )
    copies = seen.resources["db"].backup
    assert copies is not None
    assert (copies.keep, copies.interval, copies.point_in_time) == (7 * 86_400, 86_400, False)
    usual = judged(change(TIDY.replace(", backup: {keep: 7d}", ""))).declared
    assert usual.resources["db"].backup == msgspec.structs.replace(copies, keep=35 * 86_400.0)
    none = judged(change(TIDY.replace("{type: postgres, backup: {keep: 7d}}", "{type: volume}")))
    assert none.declared.resources["db"].backup is None


@pytest.mark.parametrize(
    ("ref", "digest"),
    [(f"a/b@{DIGEST}", DIGEST), (f"a/b:1@{DIGEST}", DIGEST), ("a/b:1", None)],
)
async def test_the_digest_that_an_image_names_is_seen(ref: str, digest: str | None) -> None:
    text = TIDY.replace("process: {command: [./serve], dir: app}", f"image: {ref}")
    assert judged(change(text)).artefact == digest
    assert judged(change(text, artefact="sha256:promoted")).artefact == "sha256:promoted"


@pytest.mark.parametrize(
    ("text", "policy"),
    [
        (TIDY.replace(", oncall: commerce-primary", ""), "tier-rules"),
        (TIDY.replace("tags: {product: shop}\n", ""), "required-owner"),
        (TIDY.replace("{keep: 7d}", "{keep: 1d}"), "backup"),
    ],
)
async def test_a_way_back_is_told_what_it_lacks_by_value(
    guard: PolicyGuard, text: str, policy: str
) -> None:
    found = await guard.findings(change(text, kind="rollback"), HOUSE, [], [])
    assert [one.policy for one in found] == [policy]


async def test_what_is_stored_in_plain_text_is_refused(guard: PolicyGuard) -> None:
    asked = change()
    plain = msgspec.structs.replace(asked.plan, at_rest="plain")
    asked = msgspec.structs.replace(asked, plan=plain)
    found = await guard.findings(asked, HOUSE, [], [])
    assert [(one.policy, one.effect) for one in found] == [("encryption", "refuse")]
