"""A service moves to another address while its callers go on, and back."""

from __future__ import annotations

from pathlib import Path

import pytest

from journeys.place import Place, small_service
from l10_engines.proxy.upstream import Upstream

pytestmark = pytest.mark.asyncio(loop_scope="session")


async def test_a_service_moves_for_one_caller_who_proves_it_then_for_all_and_comes_back(
    platform: Place, tmp_path: Path
) -> None:
    name, caller = platform.name(), platform.name()
    assert (await platform.deploy(small_service(tmp_path / "callee", name))).code == 0
    needs = {name: {"needs": "soft", "without": "it does without"}}
    calling = small_service(tmp_path / "caller", caller, dependencies=needs)
    assert (await platform.deploy(calling)).code == 0
    run, there = platform.drystone.must, await Upstream("there").start()

    async def goes_there(**headers: str) -> bool:
        return (await platform.get(name, headers=headers)).text == "there"

    async def calls_there() -> bool:
        return (await run("curl", "--as", caller, f"{name}/", "--", "-s")).out == "there"

    try:
        await run("migrate", "start", name, "--to", f"127.0.0.1:{there.port}")
        assert not await goes_there()
        await run("migrate", "share", name, "0%", "--caller", f"dev/{caller}")
        assert await calls_there()
        assert not await goes_there()
        assert not await goes_there(**{"x-asap-issuer": f"dev/{caller}"})
        await run("migrate", "share", name, "100%", "--no-rules")
        assert await goes_there()
        await run("migrate", "back", name)
        assert not await calls_there()
        await run("migrate", "finish", name)
    finally:
        await there.stop()
