"""What services declare, and what becomes of it while releases disagree."""

from __future__ import annotations

from datetime import timedelta

from hypothesis import given
from hypothesis import strategies as st

from drystone.l25_deployer.local.mesh import Member
from drystone.l25_deployer.stacks.model import Dependency, EnvironmentStack
from drystone.l35_mesh.sidecar.declared import declared_by

REQUESTS = st.sampled_from(["GET /a", "GET /b/*", "POST /a", "* /c"])
CALLS = st.none() | st.lists(REQUESTS, min_size=1, max_size=3, unique=True).map(tuple)
NEEDS = st.dictionaries(st.sampled_from(["billing", "mail", "users"]), CALLS, max_size=3)


def stack(needs: dict[str, tuple[str, ...] | None], timeout: int = 5) -> EnvironmentStack:
    dependencies = {
        name: Dependency("hard", ("runtime",), timedelta(seconds=timeout), calls=calls)
        for name, calls in needs.items()
    }
    return EnvironmentStack(
        "desk", "dev", "docs", 2, (), timedelta(seconds=15), False, dependencies=dependencies
    )


@given(st.lists(NEEDS, max_size=3))
def test_a_request_may_be_made_that_any_release_declares_and_no_other(
    releases: list[dict[str, tuple[str, ...] | None]],
) -> None:
    member = Member(
        environment="dev", service="desk", surroundings=tuple(stack(needs) for needs in releases)
    )
    found = {call.dependency: call.calls for call in declared_by(member)}
    assert found.keys() == {name for needs in releases for name in needs}
    for name, calls in found.items():
        said = [needs[name] for needs in releases if name in needs]
        if None in said:
            assert calls == ()  # which allows everything
        else:
            assert set(calls) == {request for one in said for request in one or ()}
            assert len(set(calls)) == len(calls)


def test_what_the_serving_release_says_of_failures_counts() -> None:
    old, new = stack({"billing": None}, timeout=3), stack({"billing": None, "mail": None}, 9)
    member = Member(environment="dev", service="desk", surroundings=(old, new))
    found = {call.callee: call for call in declared_by(member)}
    assert found["billing.dev"].timeout == timedelta(seconds=3)
    assert found["mail.dev"].timeout == timedelta(seconds=9)


def test_a_dependency_in_another_environment_is_called_there() -> None:
    surroundings = stack({})
    surroundings.dependencies["users"] = Dependency(
        "soft", ("runtime",), timedelta(seconds=5), environment="shared"
    )
    (call,) = declared_by(Member(environment="dev", service="desk", surroundings=(surroundings,)))
    assert (call.issuer, call.audience, call.callee) == (
        "dev/desk",
        "shared/users",
        "users.shared",
    )
