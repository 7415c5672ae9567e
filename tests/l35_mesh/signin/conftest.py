"""What the tests of the sign-in share."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime

import pytest

from drystone.l35_mesh.signin.gate import Door
from drystone.l35_mesh.signin.users import Users
from drystone.testing.browser import Browser, binary
from drystone.testing.conformance.engines import short_home
from l35_mesh.signin.stand import PASSWORDS, Person, Stand, cheapen

DOORS = {
    "orders": (
        Door(match="* /admin*", groups=("admins",)),
        Door(match="POST /deploys", builds=("ci/orders",)),
        Door(match="* /open", public=True),
        Door(match="* /closed/*", groups=("admins",)),
        Door(staff=True),
    ),
    "reports": (Door(staff=True),),
    "evil": (Door(public=True),),
    "streams": (Door(staff=True, builds=("ci/orders",)),),
}


@pytest.fixture(scope="package")
def stand() -> Iterator[Stand]:
    """One Envoy for all tests: it takes longer to start than a test takes."""
    with short_home() as home:
        one = Stand(home, DOORS, brief=("streams",))
        users = Users(one.folder)
        groups = {"ada": ["admins", "staff"], "bob": ["staff"], "mallory": []}
        for name, password in PASSWORDS.items():
            users.add(name, password, groups=groups[name], now=datetime(2026, 1, 1, tzinfo=UTC))
        cheapen(one.folder)
        with one.running():
            yield one


@pytest.fixture
def person(stand: Stand) -> Iterator[Person]:
    with Person(stand.port) as one:
        yield one


@pytest.fixture(scope="package")
def session(stand: Stand) -> dict[str, str]:
    """Cookies of somebody who has signed in: a password takes a tenth of a second."""
    with Person(stand.port) as one:
        one.sign_in(stand.url("orders"))
        return one.jar["signin.localhost"]


@pytest.fixture
def ada(stand: Stand, session: dict[str, str]) -> Iterator[Person]:
    """Somebody who is signed in, and was at no service yet."""
    with Person(stand.port) as one:
        one.jar["signin.localhost"] = dict(session)
        yield one


@pytest.fixture(scope="package")
def browser() -> Iterator[Browser]:
    if binary() is None:
        pytest.skip("Chromium is not installed")
    with Browser() as one:
        yield one
