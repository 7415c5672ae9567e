from __future__ import annotations

import asyncio

import pytest
from hypothesis import given
from hypothesis import strategies as st

from drystone.l00_kernel.errors import Invalid
from drystone.l10_engines.loopback_ports import free_port
from drystone.l10_engines.postgres.access import DatabaseAccess
from drystone.l10_engines.postgres.external import ExternalPostgres, parse_url
from drystone.l10_engines.postgres.server import Postgres
from drystone.l10_engines.supervision.errors import EngineFailed
from drystone.l10_engines.supervision.port import EngineState

words = st.text(st.characters(codec="utf-8", exclude_characters="\0"), min_size=1, max_size=20)


@given(words, words, words, st.sampled_from(["db.example.com", "10.0.0.1", "::1"]))
def test_an_access_survives_its_url(user: str, password: str, database: str, host: str) -> None:
    access = DatabaseAccess(
        host=host,
        port=6543,
        database=database,
        user=user,
        password=password,
        parameters=(("sslmode", "require"),),
    )
    assert parse_url(access.url()) == access


@pytest.mark.parametrize("url", ["postgresql://u:se%zzcret@h/d", "nonsense", "postgresql://u@h"])
def test_a_url_that_lacks_something_is_refused_without_showing_it(url: str) -> None:
    with pytest.raises(Invalid) as caught:
        parse_url(url)
    assert "cret" not in str(caught.value)


@pytest.mark.asyncio(loop_scope="module")
async def test_a_server_elsewhere_is_connected_to_and_never_stopped(server: Postgres) -> None:
    external = ExternalPostgres("elsewhere", server.admin().url())
    await external.start()
    assert await external.is_ready()
    status = external.status()
    assert (status.state, status.pid, status.version) == (EngineState.EXTERNAL, None, "18.4")
    await external.stop()
    assert await server.is_ready()
    waiting = asyncio.create_task(external.wait())
    done, _ = await asyncio.wait((waiting,), timeout=0.01)
    assert not done
    waiting.cancel()


async def test_a_server_that_is_not_there_is_named() -> None:
    port = free_port()
    external = ExternalPostgres("elsewhere", f"postgresql://u:secret@127.0.0.1:{port}/d")
    with pytest.raises(EngineFailed, match=f"127.0.0.1:{port}") as caught:
        await external.start()
    assert "secret" not in str(caught.value)
    assert external.status().last_error == str(caught.value)
    assert not await external.is_ready()
