"""``drystone refusals``, and what ``drystone show`` says of them."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import pytest

from drystone.l00_kernel.home import Home
from drystone.l10_engines.proxy.refusal_log import refusals_beside
from l85_surfaces.cli.conftest import Drystone
from l85_surfaces.cli.small_platform import SmallPlatform

Golden = Callable[[Path, str], None]
GOLDEN = Path(__file__).parent / "golden"


@pytest.fixture
def refused(small: SmallPlatform, folder: Path) -> None:
    """Orders in dev tried three things, and somebody one."""
    caught = {"listener": "catcher", "caller": "dev/orders"}
    asked = {"listener": "outbound", "caller": "dev/orders", "service": "dev/mail"}
    strange = {"listener": "inbound", "caller": None, "service": "prod/shop", "method": "GET"}
    lines: list[dict[str, object]] = [
        {**caught, "destination": "192.0.2.7:443", "name": "api.example.com"},
        {**caught, "destination": "192.0.2.7:443", "name": "api.example.com"},
        {**caught, "destination": "169.254.169.254:80", "name": "-"},
        {**asked, "method": "DELETE", "path": "/boxes/7", "details": "rbac_access_denied_x"},
        {**strange, "path": "/", "details": "jwt_authn_access_denied{Jwt_is_missing}"},
        {"nonsense": 1},
    ]
    now = datetime.now(UTC).isoformat()
    log = refusals_beside(Home(folder).access_log)
    log.write_text("".join(json.dumps({"time": now, **one}) + "\n" for one in lines))


def steady(text: str) -> str:
    """Replace what differs from run to run."""
    return re.sub(r"\b\d+ s ago", "2 s ago", text)


@pytest.mark.usefixtures("refused")
def test_refusals_are_told_with_the_line_that_would_allow_them(
    drystone: Drystone, golden: Golden
) -> None:
    said = [drystone("refusals"), drystone("refusals", "shop"), drystone("refusals", "nobody")]
    assert [(one.code, one.err) for one in said] == [(0, "")] * 3
    golden(GOLDEN / "refusals.txt", steady("$\n".join(one.out for one in said)))


@pytest.mark.usefixtures("refused")
def test_machines_get_all_of_it(drystone: Drystone) -> None:
    found = json.loads(drystone("refusals", "orders", "--env", "dev", "--json").out)
    assert [one["times"] for one in found["refusals"]] == [2, 1, 1]
    assert {one["descriptor"] for one in found["refusals"]} == {"dev/orders", ""}


@pytest.mark.usefixtures("refused")
def test_a_service_shows_that_something_of_it_was_refused(
    drystone: Drystone, descriptor: Path
) -> None:
    assert drystone("deploy", str(descriptor)).code == 0
    said = drystone("show", "orders")
    assert said.code == 0
    assert re.search(r"refused +dev/orders tried to connect", said.out)
    assert "`drystone refusals orders`" in " ".join(said.out.split())
