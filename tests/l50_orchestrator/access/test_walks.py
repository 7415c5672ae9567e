"""Long runs of changes by everybody at random: what holds after each of them, whatever it was and whether it was refused."""

from __future__ import annotations

import random
from collections.abc import Awaitable, Callable
from itertools import product

import msgspec
import pytest

from drystone.l00_kernel.errors import PlatformError
from drystone.l50_orchestrator.access import store
from drystone.l50_orchestrator.access.domain import ALL, Grant, Question, Role, Standing, decide
from drystone.l50_orchestrator.ports import Action
from l50_orchestrator.access.ground import OWNERS, PLATFORM, TYPES, Ground, ctx

pytestmark = pytest.mark.asyncio(loop_scope="session")

PEOPLE = ("root", "ada", "bob", "eve", "zoe")
TEAMS = ("commerce", "money")
QUESTIONS = [
    Question(action, service, OWNERS.get(service or ""), where, TYPES.get(where or ""))
    for action, service, where in product(
        (Action.SEE, Action.DEPLOY, Action.GRANT, Action.ADMINISTER),
        ("orders", "billing", None),
        ("dev", "prod-eu", None),
    )
]
Rights = dict[str, frozenset[Question]]


async def rights(ground: Ground) -> Rights:
    now = ground.clock.now()

    def of(standing: Standing) -> frozenset[Question]:
        # What somebody has by broken glass alone is neither given nor a right to give.
        plain = msgspec.structs.replace(standing, glass=0, until=None)
        return frozenset(asked for asked in QUESTIONS if decide(plain, asked, now).allowed)

    async with ground.database.session() as session:
        return {name: of(await store.standing_of(session, name, now)) for name in PEOPLE}


async def step(ground: Ground, chance: random.Random, who: str) -> None:
    """Have somebody change something."""
    access, me = ground.access, ctx(who)
    team, person = chance.choice(TEAMS), chance.choice(PEOPLE)
    grant = Grant(
        chance.choice([f"person:{person}", f"team:{team}", f"maintainers:{team}"]),
        chance.choice(list(Role)),
        chance.choice([ALL, f"team:{team}", "service:orders", "service:billing"]),
        chance.choice([ALL, "type:prod", "environment:dev"]),
    )
    is_maintainer = chance.random() < 0.5
    existing = (await access.grants(PLATFORM)).items
    deeds: list[Callable[[], Awaitable[object]]] = [
        lambda: access.grant(me, grant=grant),
        lambda: access.grant(me, grant=grant),
        lambda: access.revoke_grant(me, id=chance.choice(existing).id),
        lambda: access.put_member(me, team=team, person=person, is_maintainer=is_maintainer),
        lambda: access.remove_member(me, team=team, person=person),
        lambda: access.put_person(me, name=person),
        lambda: access.remove_person(me, name=person),
        lambda: access.break_glass(me, reason="there is an emergency"),
    ]
    await chance.choice(deeds)()


@pytest.mark.parametrize("seed", [0, *(pytest.param(n, marks=pytest.mark.slow) for n in (1, 2, 3))])
async def test_nobody_comes_to_rights_that_nobody_with_them_gave_and_one_admin_is_always_left(
    ground: Ground, seed: int
) -> None:
    chance = random.Random(seed)  # noqa: S311 - a walk that can be walked again
    done = refused = 0
    before = await rights(ground)
    for _ in range(60):
        who = chance.choice(PEOPLE)
        try:
            await step(ground, chance, who)
            done += 1
        except PlatformError:
            refused += 1
        after = await rights(ground)
        for name in PEOPLE:
            assert after[name] - before[name] <= before[who]
        async with ground.database.session() as session:
            assert await store.count_admins(session) >= 1
        before = after
    assert min(done, refused) > 5
