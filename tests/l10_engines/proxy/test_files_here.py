"""How many clients the edge holds, by how many files a process may open."""

from __future__ import annotations

import resource

import pytest

from drystone.l10_engines.proxy.settings import (
    MOST_CLIENTS,
    bound_by,
    connections_here,
    files_here,
)


@pytest.mark.parametrize(("files", "held"), [(300, 100), (20_000, 6_666), (59_999, 19_999)])
def test_where_fewer_files_may_be_open_it_is_told_how_many_clients_are_held(
    files: int, held: int
) -> None:
    said = bound_by(files)
    assert said is not None
    assert said.startswith(f"{held:,} clients at once in place of 20,000: a third of the {files:,}")


@pytest.mark.parametrize("files", [60_000, 524_288, 1_048_576, 1 << 62])
def test_what_debian_and_systemd_allow_holds_them_all(files: int) -> None:
    assert bound_by(files) is None


def test_what_is_told_is_what_the_proxy_is_started_with() -> None:
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    assert files_here() == (1 << 62 if hard == resource.RLIM_INFINITY else hard)
    held = connections_here(MOST_CLIENTS)
    said = bound_by(files_here())
    assert (held == MOST_CLIENTS) if said is None else said.startswith(f"{held:,} clients")
