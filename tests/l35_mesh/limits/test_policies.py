"""What the limiter is told, and which requests a limit is about."""

from __future__ import annotations

import re
from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from drystone.l25_deployer.stacks.limits import Limit
from drystone.l35_mesh.limits.policies import (
    LARGEST,
    Policies,
    PoliciesDamaged,
    Policy,
    decode,
    encode,
    exact_limits,
)
from drystone.l35_mesh.limits.requests import Requests, path_regex


@pytest.mark.parametrize(
    ("match", "inside", "outside"),
    [
        ("*", ["GET /", "POST /a?b=c"], []),
        ("POST /*", ["POST /", "POST /a/b"], ["GET /"]),
        ("* /a", ["GET /a", "PUT /a?x=/b"], ["GET /a/", "GET /ab", "GET /b?x=/a"]),
        (
            "GET /reports/*",
            ["GET /reports/", "HEAD /reports/1/2", "GET /reports/1?a=b"],
            ["GET /reports", "POST /reports/1", "GET /reports?/1", "GET /x?y=/reports/1"],
        ),
        ("GET /a/*/c", ["GET /a/b/c", "GET /a/b/c?d"], ["GET /a/b/b/c", "GET /a/c", "GET /a/b?/c"]),
        ("GET /a.b", ["GET /a.b"], ["GET /acb"]),
    ],
)
def test_a_limit_is_about_the_requests_that_its_pattern_names(
    match: str, inside: list[str], outside: list[str]
) -> None:
    requests = Requests(match)
    for request in inside:
        assert requests.have(*request.split(" ")), request
    for request in outside:
        assert not requests.have(*request.split(" ")), request


@pytest.mark.parametrize(
    "odd", ["/%72eports/1", "//reports/1", "/x/%2e%2E/reports/1", "/reports;a/1", "/a\\reports/1"]
)
def test_a_path_that_hides_what_it_means_counts_for_every_limit_of_its_method(odd: str) -> None:
    assert Requests("GET /reports/*").have("GET", odd)
    assert not Requests("POST /reports/*").have("GET", odd)


_WORDS = st.text(alphabet="/ab*", max_size=8)


@given(_WORDS, st.text(alphabet="/ab?;", max_size=10))
def test_a_pattern_means_what_envoy_is_told_that_it_means(path: str, target: str) -> None:
    match = f"GET /{path}"
    pattern = path_regex(match)
    expected = pattern is None or re.fullmatch(pattern, f"/{target}") is not None
    assert Requests(match).have("GET", f"/{target}") == expected


def test_a_pattern_of_many_stars_is_looked_for_once() -> None:
    # A regular expression that tries again would never come to an end.
    assert not Requests(f"GET /{'a*' * 400}b").have("GET", f"/{'a' * 60_000}c")
    assert Requests(f"GET /{'a*' * 400}c").have("GET", f"/{'a' * 60_000}c")


def test_what_a_query_hides_is_nobodys_affair() -> None:
    assert not Requests("GET /reports/*").have("GET", "/orders?next=//%2e;")


LIMIT = Limit(10, timedelta(minutes=1), "GET /a", "tenant", "exact", "gcra", burst=3)


def test_only_what_is_counted_in_one_place_goes_to_the_limiter() -> None:
    local = Limit(10, timedelta(seconds=1), "*", "caller", "local", "token-bucket", burst=3)
    assert exact_limits({"near": local, "far": LIMIT}) == {
        "far": Policy(10, 60_000_000, "gcra", "GET /a", burst=3, header="x-drystone-tenant")
    }


def test_policies_survive_being_written_and_read() -> None:
    policies: Policies = {"dev/orders": exact_limits({"far": LIMIT}), "dev/mail": {}}
    assert decode(encode(policies)) == policies


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"{}",
        b'{"services":{"dev/orders":{"a":{}}}}',
        b'{"services":{"orders":{}}}',
        b'{"services":{"dev/orders":{"a":{"count":0,"period":1,"algorithm":"gcra"}}}}',
        b'{"services":{"dev/orders":{"a":{"count":1,"period":1,"algorithm":"leaky"}}}}',
        b'{"format":2,"services":{}}',
        encode({"dev/orders": exact_limits({"far": LIMIT})})[:-5],
        b"[" * 100_000,
        b" " * (LARGEST + 1),
    ],
)
def test_a_damaged_file_is_refused(content: bytes) -> None:
    with pytest.raises(PoliciesDamaged):
        decode(content)


@given(st.binary(max_size=300))
def test_no_bytes_break_the_reader(content: bytes) -> None:
    with pytest.raises(PoliciesDamaged):
        decode(content)
