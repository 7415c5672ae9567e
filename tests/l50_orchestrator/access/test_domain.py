"""The laws of rights, and the whole matrix of them as a page to be read."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from conftest import Golden
from drystone.l50_orchestrator.access import domain, names, secrets
from drystone.l50_orchestrator.access.domain import (
    ALL,
    Bounds,
    Grant,
    Question,
    Role,
    Standing,
    Wider,
    decide,
    may_give,
)
from drystone.l50_orchestrator.access.errors import NameUnfit, SaidUnfit
from drystone.l50_orchestrator.ports import Action

AT = datetime(2026, 1, 1, tzinfo=UTC)
MATRIX = Path(__file__).with_name("permissions.txt")
OWNERS = {"orders": "commerce", "billing": "money", "new": None}
TYPES = {"dev": "dev", "staging": "staging", "prod-eu": "prod", "prod-us": "prod", "moon": None}

WHOS = st.sampled_from(["person:ada", "team:commerce", "maintainers:commerce"])
OVERS = st.sampled_from([ALL, "service:orders", "service:billing", "team:commerce", "team:money"])
PLACES = st.sampled_from([ALL, "environment:prod-eu", "environment:dev", "type:prod", "type:dev"])
GRANTS = st.builds(Grant, WHOS, st.sampled_from(Role), OVERS, PLACES)
LISTS = st.lists(GRANTS, max_size=4).map(tuple)


@st.composite
def questions(draw: st.DrawFn) -> Question:
    service = draw(st.sampled_from([None, *OWNERS]))
    environment = draw(st.sampled_from([None, *TYPES]))
    return Question(
        draw(st.sampled_from(Action)),
        service,
        OWNERS[service] if service else None,
        environment,
        TYPES[environment] if environment else None,
    )


BOUNDS = st.builds(
    Bounds,
    st.sampled_from(["personal", "service", "deploy"]),
    st.frozensets(st.sampled_from(Action)),
    st.sampled_from([None, "orders", "billing"]),
    st.sampled_from([None, "dev", "prod-eu"]),
)


def ada(*grants: Grant) -> Standing:
    return Standing("ada", "person", grants=grants)


def token_of(maker: Standing, bounds: Bounds) -> Standing:
    return Standing(
        "token:x",
        "token",
        is_active=maker.is_active,
        grants=maker.grants,
        bounds=bounds,
        behind=maker.name,
    )


def known_of(grant: Grant) -> Wider:
    over, _, service = grant.over.partition(":")
    place, _, environment = grant.place.partition(":")
    return Wider(
        OWNERS.get(service) if over == "service" else None,
        TYPES.get(environment) if place == "environment" else None,
    )


@given(LISTS, GRANTS, questions())
def test_one_more_grant_takes_no_right_away(
    grants: tuple[Grant, ...], more: Grant, asked: Question
) -> None:
    if decide(ada(*grants), asked, AT).allowed:
        assert decide(ada(more, *grants), asked, AT).allowed


@given(LISTS, questions())
def test_a_higher_role_may_all_that_a_lower_one_may(
    grants: tuple[Grant, ...], asked: Question
) -> None:
    raised = [msgspec.structs.replace(one, role=Role.ADMIN) for one in grants]
    if decide(ada(*grants), asked, AT).allowed:
        assert decide(ada(*raised), asked, AT).allowed


@given(LISTS, BOUNDS, questions())
def test_a_token_may_nothing_that_its_maker_may_not(
    grants: tuple[Grant, ...], bounds: Bounds, asked: Question
) -> None:
    if decide(token_of(ada(*grants), bounds), asked, AT).allowed:
        assert decide(ada(*grants), asked, AT).allowed


@given(LISTS, BOUNDS, st.sampled_from(Action), questions())
def test_one_scope_less_gives_no_right(
    grants: tuple[Grant, ...], bounds: Bounds, lost: Action, asked: Question
) -> None:
    narrow = msgspec.structs.replace(bounds, scopes=bounds.scopes - {lost})
    if decide(token_of(ada(*grants), narrow), asked, AT).allowed:
        assert decide(token_of(ada(*grants), bounds), asked, AT).allowed


@given(LISTS, BOUNDS, questions())
def test_a_token_of_somebody_who_has_left_may_nothing(
    grants: tuple[Grant, ...], bounds: Bounds, asked: Question
) -> None:
    gone = msgspec.structs.replace(ada(*grants), is_active=False)
    assert not decide(token_of(gone, bounds), asked, AT).allowed
    assert not decide(gone, asked, AT).allowed


@given(LISTS, BOUNDS, questions())
def test_a_token_does_nothing_by_broken_glass(
    grants: tuple[Grant, ...], bounds: Bounds, asked: Question
) -> None:
    plain = token_of(ada(*grants), bounds)
    with_glass = msgspec.structs.replace(plain, glass=1, until=AT + timedelta(hours=1))
    assert decide(plain, asked, AT) == decide(with_glass, asked, AT)


@given(LISTS, GRANTS, questions())
def test_nobody_gives_what_they_do_not_have(
    grants: tuple[Grant, ...], given_: Grant, asked: Question
) -> None:
    giver = ada(*grants)
    if may_give(giver, given_, known_of(given_)):
        given_to = Standing("bob", "person", grants=(given_,))
        if decide(given_to, asked, AT).allowed:
            assert decide(giver, asked, AT).allowed


@given(LISTS, GRANTS)
def test_broken_glass_gives_no_right_to_give(grants: tuple[Grant, ...], given_: Grant) -> None:
    plain = ada(*grants)
    with_glass = msgspec.structs.replace(plain, glass=1, until=AT + timedelta(hours=1))
    known = known_of(given_)
    assert may_give(plain, given_, known) == may_give(with_glass, given_, known)


@given(LISTS, questions())
def test_the_order_of_grants_does_not_matter(grants: tuple[Grant, ...], asked: Question) -> None:
    assert decide(ada(*grants), asked, AT) == decide(ada(*reversed(grants)), asked, AT)


@given(st.lists(GRANTS, max_size=6), questions())
def test_who_can_give_may_do_it_too(grants: list[Grant], asked: Question) -> None:
    for who in domain.givers(grants, asked):
        own = [one for one in grants if one.who == who]
        assert decide(ada(*own), asked, AT).allowed


@given(questions())
def test_broken_glass_is_admin_until_it_ends(asked: Question) -> None:
    broken = Standing("ada", "person", glass=1, until=AT)
    assert decide(broken, asked, AT - timedelta(microseconds=1)).allowed
    assert not decide(broken, asked, AT).allowed


# The matrix

CELLS = (
    ("orders", "dev"),
    ("orders", "prod-eu"),
    ("orders", None),
    ("billing", "dev"),
    ("billing", "prod-eu"),
    ("new", "dev"),
    (None, "prod-eu"),
    (None, None),
)


def table(title: str, standing: Standing) -> list[str]:
    heads = [f"{service or '-'}@{where or '-'}" for service, where in CELLS]
    lines = [title, f"  {'':<11}" + "".join(f"{head:<16}" for head in heads).rstrip()]
    for action in Action:
        marks = []
        for service, where in CELLS:
            asked = Question(
                action,
                service,
                OWNERS[service] if service else None,
                where,
                TYPES[where] if where else None,
            )
            marks.append("yes" if decide(standing, asked, AT).allowed else ".")
        lines.append(f"  {action.value:<11}" + "".join(f"{mark:<16}" for mark in marks).rstrip())
    return [*lines, ""]


def matrix() -> str:
    lines = [
        "Who may do what. orders belongs to the team commerce, billing to another one, new to none yet; dev is an environment of the",
        "type dev, prod-eu of the type prod. A dash: the action concerns no service, or all environments.",
        "",
    ]
    for role in Role:
        grant = Grant("team:commerce", role, "team:commerce")
        lines += table(f"{role.value} of all services of the team, everywhere", ada(grant))
    for role in Role:
        grant = Grant("team:commerce", role, "team:commerce", "type:dev")
        lines += table(
            f"{role.value} of all services of the team, where the type is dev", ada(grant)
        )
    for role in Role:
        grant = Grant("person:ada", role, "service:orders", "environment:prod-eu")
        lines += table(f"{role.value} of orders in prod-eu", ada(grant))
    for role in Role:
        lines += table(f"{role.value} of everything, everywhere", ada(Grant("person:ada", role)))
    lines += table("somebody without a role", ada())
    lines += table(
        "somebody who has left",
        msgspec.structs.replace(ada(Grant("a:b", Role.ADMIN)), is_active=False),
    )
    lines += table(
        "somebody without a role who has broken the glass",
        msgspec.structs.replace(ada(), glass=1, until=AT + timedelta(hours=1)),
    )
    lines += table("the owner of the platform", Standing("me", "platform"))
    lines += table(
        "a service of the platform's users", Standing("dev/orders", "service", is_active=False)
    )
    admin, everything = ada(Grant("person:ada", Role.ADMIN)), frozenset(Action)
    own = ada(Grant("team:commerce", Role.DEPLOYER, "team:commerce"))
    for title, maker, bounds in (
        ("personal token of an admin, all scopes", admin, Bounds("personal", everything)),
        (
            "personal token of an admin, scope see",
            admin,
            Bounds("personal", frozenset({Action.SEE})),
        ),
        ("service token of an admin, all scopes", admin, Bounds("service", everything)),
        (
            "deploy token of an admin for orders in prod-eu",
            admin,
            Bounds("deploy", domain.OF_DEPLOYS, "orders", "prod-eu"),
        ),
        (
            "deploy token for orders in prod-eu, whose maker is a deployer of commerce by now",
            own,
            Bounds("deploy", domain.OF_DEPLOYS, "orders", "prod-eu"),
        ),
        (
            "deploy token for billing in dev, whose maker is a deployer of commerce by now",
            own,
            Bounds("deploy", domain.OF_DEPLOYS, "billing", "dev"),
        ),
    ):
        lines += table(title, token_of(maker, bounds))
    return "\n".join(lines)


def test_the_matrix_of_permissions_is_the_one_that_was_read(golden: Golden) -> None:
    golden(MATRIX, matrix())


def test_every_action_needs_a_role() -> None:
    assert set(domain.NEEDED) == set(Action)


# Names and tokens


@pytest.mark.parametrize(
    "name",
    [
        "\u043erders",
        "orders\u200b",
        "\u216foney",
        "ORDERS",
        "a b",
        "",
        "a" * 64,
        "a'; DROP TABLE access_person;--",
        "a/b",
        "-a",
        "a\x00",
    ],
)
@pytest.mark.parametrize("what", ["person", "team", "service", "environment"])
def test_a_name_that_looks_like_another_one_or_like_a_statement_is_refused(
    what: str, name: str
) -> None:
    with pytest.raises(NameUnfit):
        names.checked(what, name)


def test_the_letter_that_looks_like_another_one_is_named() -> None:
    with pytest.raises(NameUnfit, match=r"U\+043E \(cyrillic small letter o\)"):
        names.checked("team", "\u043erders")


@pytest.mark.parametrize(
    "grant",
    [
        Grant("ada", Role.VIEWER),
        Grant("all", Role.VIEWER),
        Grant("service:orders", Role.VIEWER),
        Grant("person:ada", Role.VIEWER, "orders"),
        Grant("person:ada", Role.VIEWER, "person:ada"),
        Grant("person:ada", Role.VIEWER, ALL, "prod"),
        Grant("person:ada", Role.VIEWER, ALL, "type:moon"),
        Grant("person:\u0430da", Role.VIEWER),
    ],
)
def test_what_is_no_grant_is_refused(grant: Grant) -> None:
    with pytest.raises((SaidUnfit, NameUnfit)):
        domain.checked(grant)


@given(st.data())
def test_a_mistyped_token_is_told_from_an_unknown_one(data: st.DataObject) -> None:
    token = secrets.make()
    assert secrets.is_well_formed(token)
    place = data.draw(st.integers(4, len(token) - 1))
    letter = data.draw(st.sampled_from(sorted(set(secrets._LETTERS) - {token[place]})))
    assert not secrets.is_well_formed(token[:place] + letter + token[place + 1 :])
    assert not secrets.is_well_formed(token[:place] + token[place + 1 :])


def test_tokens_differ_and_have_256_random_bits() -> None:
    many = {secrets.make() for _ in range(500)}
    assert len(many) == 500
    assert all(len(token) == 53 and token.startswith("dry_") for token in many)
    assert 62**43 > 2**256
