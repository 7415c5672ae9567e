"""The difference of two sets of stacks."""

from __future__ import annotations

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from conftest import Golden
from drystone.l25_deployer.stacks.acted_on import not_acted_on
from drystone.l25_deployer.stacks.compile import compile_stacks
from drystone.l25_deployer.stacks.model import Stacks
from drystone.l25_deployer.stacks.origins import trace
from drystone.l25_deployer.stacks.plan import Change, Plan, apply, plan
from drystone.l25_deployer.stacks.show import plan_json, plan_text, render_plan
from l25_deployer.stacks.samples import MINIMAL, ROOT, STACKS, merged, stacks
from l25_deployer.stacks.test_compile import GOLDEN

DATABASE = MINIMAL + "resources: {db: {type: postgres, connections: 10}}\n"


_TOLD = ("add", "change", "remove", "danger")


def between(old: str | None, new: str, *, confirm: frozenset[str] = frozenset()) -> Plan:
    wanted = merged(new)
    compiled = compile_stacks(wanted, version="1")
    previous = stacks(old) if old is not None else None
    return plan(previous, compiled, trace(compiled, wanted), confirm=confirm)


def only(made: Plan) -> Change:
    assert len(made.changes) == 1, made.changes
    return made.changes[0]


@given(STACKS)
def test_there_is_nothing_to_change_between_a_thing_and_itself(a: Stacks) -> None:
    assert plan(a, a, {}).is_empty


@given(st.none() | STACKS, STACKS)
def test_carrying_out_a_plan_leads_to_what_was_wanted(a: Stacks | None, b: Stacks) -> None:
    assert apply(a, plan(a, b, {})) == b


@given(STACKS, STACKS, st.sets(st.sampled_from(["a", "b", "c-d"])))
def test_no_plan_loses_data_without_saying_so(a: Stacks, b: Stacks, confirm: set[str]) -> None:
    made = plan(a, b, {}, confirm=confirm)
    for name, resource in a.eternal.resources.items():
        if type(b.eternal.resources.get(name)) is type(resource):
            continue
        (change,) = (
            change
            for change in made.changes
            if change.path == ("eternal", "resources", name) and change.action == "remove"
        )
        assert "DELETES DATA" in change.consequence
        assert (change.effect == "refused") == (resource.protect and name not in confirm)
        assert (name in made.confirm) == (change.effect == "refused")


@given(STACKS, STACKS)
def test_a_plan_can_always_be_shown_and_written(a: Stacks, b: Stacks) -> None:
    made = plan(a, b, {})
    shown = [line for line in render_plan(made) if line.style in _TOLD]
    assert (shown == []) == made.is_empty
    assert len(msgspec.json.decode(plan_json(made))["changes"]) == len(made.changes)


def test_the_first_plan_and_a_later_one_of_the_big_example_read_like_this(golden: Golden) -> None:
    text = (ROOT / "examples/descriptors/orders.yaml").read_text()
    first = merged(text, "prod")
    before = compile_stacks(first, version="7")
    shown = plan_text(plan(None, before, trace(before, first), not_acted_on=not_acted_on(first)))
    golden(GOLDEN / "orders-prod.first-plan.txt", shown + "\n")
    changed = (
        text.replace("  files:  {type: bucket", "  attic:  {type: bucket")
        .replace("LOG_LEVEL: info", "LOG_LEVEL: debug\n  API_TOKEN: abcdef")
        .replace("scale: {min: 4", "scale: {min: 5")
        .replace("memory: 512Mi", "memory: 1Gi")
        .replace("strategy: progressive", "strategy: blue-green\n  keep_warm: 1h")
    )
    second = merged(changed, "prod")
    after = compile_stacks(second, version="8")
    later = plan(before, after, trace(after, second), findings=["billing is not deployed in prod"])
    golden(GOLDEN / "orders-prod.later-plan.txt", plan_text(later) + "\n")


def test_a_removed_database_is_refused_until_it_is_named() -> None:
    refused = between(DATABASE, MINIMAL)
    assert refused.refused == ("db: DELETES DATA: type its name to confirm",)
    assert refused.confirm == ("db",)
    confirmed = between(DATABASE, MINIMAL, confirm=frozenset(["db"]))
    assert confirmed.refused == ()
    assert "DELETES DATA: confirmed by name" in plan_text(confirmed)


def test_a_resource_that_gave_up_its_protection_is_removed_and_marked() -> None:
    made = between(DATABASE.replace("connections: 10", "protect: false"), MINIMAL)
    assert made.refused == ()
    assert "DELETES DATA: the resource is not protected" in plan_text(made)


def test_giving_up_protection_and_removing_are_two_deploys() -> None:
    unprotected = DATABASE.replace("connections: 10", "connections: 10, protect: false")
    change = only(between(DATABASE, unprotected))
    assert (change.field, change.effect) == ("resources.db.protect", "in-place")


def test_another_type_under_the_same_name_deletes_the_old_data() -> None:
    made = between(DATABASE, DATABASE.replace("postgres, connections: 10", "bucket"))
    eternal = [
        (change.action, change.effect) for change in made.changes if change.stack == "eternal"
    ]
    assert eternal == [("remove", "refused"), ("add", "create")]


def test_the_version_of_a_database_does_not_change_in_place() -> None:
    made = between(
        DATABASE,
        DATABASE.replace("connections: 10", "connections: 10, version: 19"),
        confirm=frozenset(["db"]),
    )
    assert len(made.refused) == 1
    assert made.confirm == ()


@pytest.mark.parametrize(
    ("addition", "field", "effect", "line"),
    [
        ("env: {A: 2}", "env.A", "new-release", 5),
        ("scale: 3", "groups.web.instances", "in-place", 5),
        ("size: {memory: 1Gi}", "groups.web.memory", "new-release", 5),
        ("health: /up", "groups.web.health.path", "in-place", 5),
        ("stop:\n  grace: 5s", "groups.web.stop.grace", "in-place", 6),
        ("deploy: {keep_warm: 5m}", "keep_warm", "in-place", 5),
        ("network: {ingress: {public: true}}", "public", "in-place", 5),
        ("dependencies: {billing: hard}", "dependencies.billing", "create", 5),
        ("workers: {w: {command: [x]}}", "groups.w", "create", 5),
        ("environments: {dev: {scale: 2}}", "groups.web.instances", "in-place", 5),
    ],
)
def test_each_change_says_what_it_means_and_which_line_causes_it(
    addition: str, field: str, effect: str, line: int
) -> None:
    change = only(between(MINIMAL, MINIMAL + addition + "\n"))
    assert (change.field, change.effect) == (field, effect)
    assert change.origin is not None
    assert change.origin.line == line


def test_values_that_look_like_secrets_are_not_shown() -> None:
    text = (
        MINIMAL
        + "env: {DB_PASSWORD: hunter2, API_TOKEN: hunter2, SHOP_API_KEY: hunter2, URL: 'pg://me:hunter2@db/x', NAME: shown}\n"
    )
    made = between(None, text)
    assert "hunter2" not in plan_text(made)
    assert b"hunter2" not in plan_json(made)
    assert "shown" in plan_text(made)
    assert "pg://me:(hidden)@db/x" in plan_text(made)


def test_control_characters_of_values_do_not_reach_the_terminal() -> None:
    made = between(None, MINIMAL + 'env: {A: "x\\ty\\nz"}\n')
    assert all(char.isprintable() or char == "\n" for char in plan_text(made))


def _data(before: str, after: str, confirm: frozenset[str] = frozenset()) -> Plan:
    old, new = (stacks(f"{MINIMAL}resources: {text}\n") for text in (before, after))
    return plan(old, new, {}, confirm=confirm)


def test_a_resource_that_looks_renamed_is_refused_with_its_new_name() -> None:
    made = _data("{jobs: {type: queue}}", "{tasks: {type: queue}}")
    assert made.confirm == ("jobs",)
    assert made.refused == (
        "jobs: DELETES DATA: tasks looks like its new name, and a resource keeps its data under its name alone;"
        " keep the name, or type it to confirm",
    )
    assert _data("{a: {type: queue}}", "{b: {type: queue}}", frozenset("a")).refused == ()
    other = _data("{jobs: {type: queue}}", "{tasks: {type: queue, fifo: true}}")
    assert other.refused == ("jobs: DELETES DATA: type its name to confirm",)


def test_another_type_under_the_same_name_is_refused() -> None:
    made = _data("{jobs: {type: queue}}", "{jobs: {type: topic}}")
    assert made.confirm == ("jobs",)
    assert "its type changes from queue to topic" in made.refused[0]
    effects = [change.effect for change in made.changes if change.stack == "eternal"]
    assert effects == ["refused", "create"]


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("{t: {type: keyvalue, key: a}}", "{t: {type: keyvalue, key: b}}"),
        ("{t: {type: keyvalue, key: a}}", "{t: {type: keyvalue, key: a, sort: b}}"),
        ("{t: {type: queue}}", "{t: {type: queue, fifo: true}}"),
        ("{t: {type: secret}}", "{t: {type: secret, generate: rsa}}"),
    ],
)
def test_what_is_found_or_ordered_by_something_keeps_it(before: str, after: str) -> None:
    made = _data(before, after)
    assert made.confirm == ()
    assert ["add a resource with another name" in text for text in made.refused] == [True]


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("{t: {type: queue}}", "{t: {type: queue, visibility: 1m, attempts: 2}}"),
        ("{t: {type: keyvalue, key: a}}", "{t: {type: keyvalue, key: a, indexes: {by-b: b}}}"),
        ("{t: {type: stream}}", "{t: {type: stream, shards: 4, retain: 7d}}"),
    ],
)
def test_other_settings_change_in_place(before: str, after: str) -> None:
    made = _data(before, after)
    assert made.refused == ()
    assert {change.effect for change in made.changes if change.stack == "eternal"} == {"in-place"}
