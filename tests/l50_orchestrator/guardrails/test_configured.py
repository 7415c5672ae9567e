"""Policies, their modes, exceptions and freezes as files say them."""

from __future__ import annotations

from typing import ClassVar

import pytest

from docs.pages import pages
from drystone.l00_kernel.errors import Invalid
from drystone.l10_engines.policies.evaluator import Evaluator
from drystone.l10_engines.postgres.database import Database
from drystone.l25_deployer.descriptor.block import Block
from drystone.l50_orchestrator.configuration.api import File
from drystone.l50_orchestrator.configuration.service import Configuration
from drystone.l50_orchestrator.guardrails.configured import (
    ConfiguredExceptions,
    ConfiguredFreezes,
    ConfiguredModes,
    ConfiguredPolicies,
)
from drystone.l50_orchestrator.guardrails.service import Guardrails
from drystone.testing.configured import InMemory, TeamBlock, TeamsInMemory
from l50_orchestrator.guardrails.ground import MAX, ROOT, over

pytestmark = pytest.mark.asyncio(loop_scope="session")

SAID = """\
teams:
  commerce: [ada]
environments:
  prod: [root]
exceptions:
  moving: {policy: backup, service: orders, environment: prod, reason: moves, owner: ada, until: 2026-06-30}
  hotfix: {policy: freeze/holidays, service: orders, type: prod, reason: hotfix, owner: ada, until: 2026-06-02}
freezes:
  holidays:
    start: 2026-12-20T18:00
    end: 2027-01-04T08:00
    zone: Europe/Berlin
    reason: holidays
    types: [prod]
    teams: [commerce]
policy-modes:
  protect: {mode: warn, reason: until the summer}
policies:
  no-orders:
    description: For tests.
    team: commerce
    since: 2026-01-01
    types: [prod]
    tiers: [0, 1]
    rego: |
      package drystone.no_orders

      import rego.v1

      deny contains {"text": "found"} if input.service == "orders"
    cases:
      - {name: the sample, deny: [found]}
      - {name: another, input: {service: mail}}
"""


class Environments(InMemory[TeamBlock]):
    """Stands for the registry's."""

    kind: ClassVar[str] = "environments"
    schema = TeamBlock


@pytest.fixture
def guardrails(database: Database, evaluator: Evaluator) -> Guardrails:
    return over(database, evaluator)


@pytest.fixture
def configuration(database: Database, guardrails: Guardrails) -> Configuration:
    kinds: dict[str, InMemory[Block]] = {}
    return Configuration(
        database,
        [
            ConfiguredExceptions(guardrails),
            ConfiguredFreezes(guardrails),
            ConfiguredModes(guardrails),
            ConfiguredPolicies(guardrails),
            TeamsInMemory(kinds),
            Environments(kinds),
        ],
    )


def files(text: str = SAID) -> list[File]:
    return [File("guardrails.yaml", text)]


async def apply(configuration: Configuration, text: str = SAID) -> int:
    told = [one async for one in configuration.apply(ROOT, files=files(text))]
    return len(told) - 1


async def test_what_files_say_is_applied_once(
    configuration: Configuration, guardrails: Guardrails
) -> None:
    assert await apply(configuration) == 7
    assert await apply(configuration) == 0
    assert (await guardrails.policy(ROOT, name="no-orders")).said.tiers == (0, 1)
    assert (await guardrails.policy(ROOT, name="protect")).mode == "warn"
    (hotfix, moving) = (await guardrails.exceptions(ROOT)).items
    assert (hotfix.state, moving.state) == ("asked", "asked")
    await guardrails.allow_exception(MAX, name="moving", said=moving.said)
    assert await apply(configuration) == 0


async def test_a_change_of_an_exception_is_to_be_allowed_again(
    configuration: Configuration, guardrails: Guardrails
) -> None:
    await apply(configuration)
    (_, moving) = (await guardrails.exceptions(ROOT)).items
    await guardrails.allow_exception(MAX, name="moving", said=moving.said)
    assert await apply(configuration, SAID.replace("2026-06-30", "2026-07-30")) == 1
    (_, moving) = (await guardrails.exceptions(ROOT)).items
    assert moving.state == "asked"


@pytest.mark.parametrize(
    ("wrong", "right", "told"),
    [
        ("backup, service", "backups, service", "'backups' is none of the policies"),
        ("freeze/holidays", "freeze/hollidays", "'hollidays' is none of the freezes"),
        ("Europe/Berlin", "Europe/Nowhere", "is no time zone"),
        ("environment: prod, ", "", "exactly one of"),
        ("input.service ==", "http.send(input) ==", "'http.send' may not be called"),
        ("input.service ==", "input.servce ==", "input has no 'servce'"),
        ("until: 2026-06-30", "until: never", "day"),
    ],
)
async def test_mistakes_are_told_with_their_place(
    configuration: Configuration, wrong: str, right: str, told: str
) -> None:
    with pytest.raises(Invalid, match=r"guardrails\.yaml:\d+:\d+") as refused:
        await apply(configuration, SAID.replace(wrong, right))
    assert told in refused.value.message


async def test_what_is_pruned_is_gone(configuration: Configuration, guardrails: Guardrails) -> None:
    await apply(configuration)
    left = "exceptions: {}\nfreezes: {}\npolicy-modes: {}\npolicies: {}\n"
    planned = await configuration.plan(ROOT, files=files(left), prune=True)
    pruned = configuration.apply(ROOT, files=files(left), prune=True, confirm=planned.words)
    assert len([one async for one in pruned]) == 6
    assert (await guardrails.exceptions(ROOT)).items == []
    assert await guardrails.freezes(ROOT) == []
    assert (await guardrails.policy(ROOT, name="protect")).mode == "refuse"
    assert all(one.is_house for one in (await guardrails.policies(ROOT)).items)


async def test_what_the_page_shows_is_applied_as_it_stands(
    configuration: Configuration, guardrails: Guardrails
) -> None:
    page = next(page for page in pages() if page.path == "docs/how-to/guard-deploys.md")
    texts = [block.text for block in page.blocks if block.language == "yaml"]
    places = "environments:\n  prod: [root]\n"
    shown = [File(f"{number}.yaml", text) for number, text in enumerate([places, *texts])]
    told = [one async for one in configuration.apply(ROOT, files=shown)]
    assert len(told) == len(texts) + 2
    assert (await guardrails.policy(ROOT, name="small-bodies")).said.types == ("staging", "prod")
