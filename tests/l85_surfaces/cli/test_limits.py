"""``drystone limits``."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from l85_surfaces.cli.conftest import Drystone

Golden = Callable[[Path, str], None]
GOLDEN = Path(__file__).parent / "golden"


@pytest.mark.usefixtures("small")
def test_limits_are_told_with_what_came_of_them(drystone: Drystone, golden: Golden) -> None:
    said = [drystone("limits"), drystone("limits", "orders"), drystone("limits", "bare")]
    assert [(one.code, one.err) for one in said] == [(0, "")] * 3
    golden(GOLDEN / "limits.txt", "$\n".join(one.out for one in said))


@pytest.mark.usefixtures("small")
def test_machines_get_all_of_every_limit(drystone: Drystone) -> None:
    found = json.loads(drystone("limits", "--env", "dev", "--json").out)
    assert [one["limit"] for one in found["limits"]] == ["all", "uploads"]
    assert found["limits"][1]["nearest"][0] == {"name": "acme", "used": 5, "left": 0}
    assert found["problems"] == []


@pytest.mark.usefixtures("small")
def test_a_service_that_is_not_there_has_no_limits(drystone: Drystone) -> None:
    said = drystone("limits", "nobody")
    assert said.code == 1
    assert "there is no service 'nobody'" in said.err
