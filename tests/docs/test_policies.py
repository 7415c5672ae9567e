"""The pages of policies are what the policies say, one for each and no other."""

from __future__ import annotations

import pytest

from conftest import Golden
from docs.pages import ROOT
from docs.policy_pages import index_page, policy_page
from drystone.l50_orchestrator.guardrails.api import PolicyView
from drystone.l50_orchestrator.guardrails.house_policies import house_policies

FOLDER = ROOT / "docs" / "reference" / "policies"


@pytest.mark.parametrize("policy", house_policies(), ids=lambda policy: policy.name)
def test_the_page_of_a_policy_is_that_of_the_policy(policy: PolicyView, golden: Golden) -> None:
    golden(FOLDER / f"{policy.name}.md", policy_page(policy))


def test_the_list_of_policies_is_that_of_the_policies(golden: Golden) -> None:
    golden(FOLDER.with_suffix(".md"), index_page())


def test_no_page_is_left_of_a_policy_that_is_none() -> None:
    assert {page.stem for page in FOLDER.glob("*.md")} == {one.name for one in house_policies()}
