"""Nobody reaches the deployer without proving who they are, and what they do is written down with their names."""

from __future__ import annotations

import httpx2

from drystone.l00_kernel.contract import Caller, Context, loopback
from drystone.l00_kernel.contract.declaration import calls_of
from drystone.l00_kernel.contract.inprocess import InProcess, claimed_caller
from drystone.l00_kernel.contract.server import serve
from drystone.l25_deployer.api import DeployerApi
from l25_deployer.small_platform import (
    ASKING,
    descriptor,
    embedded,
    folder_of,
    short_folder,
    source,
)


async def test_no_endpoint_answers_a_caller_who_proves_nothing() -> None:
    with short_folder() as folder:
        async with embedded(folder / "h") as whole:
            app = serve(whole.deployer, authenticate=claimed_caller)
            async with httpx2.AsyncClient(transport=InProcess(app), base_url="http://a") as http:
                statuses = {
                    call.id: (
                        await http.request(
                            call.verb, call.path.format(environment="dev", service="greeter")
                        )
                    ).status_code
                    for call in calls_of(DeployerApi)
                }
            assert len(statuses) >= 13
            assert set(statuses.values()) == {401}
            assert whole.services.all() == []


async def test_the_history_names_who_asked() -> None:
    ada = Context(Caller("ada"))
    with short_folder() as folder:
        async with embedded(folder / "h") as whole:
            api = loopback(DeployerApi, whole.deployer)
            what = source(descriptor(), folder_of(folder / "source"))
            async for _ in api.deploy(ada, source=what, environment="dev"):
                pass
            async for _ in api.destroy(ada, environment="dev", service="greeter"):
                pass
            page = await api.history(ASKING, environment="dev", service="greeter")

    assert {(event.event, event.by) for event in page.items} >= {
        ("deploy began", "ada"),
        ("deploy done", "ada"),
        ("destroyed", "ada"),
    }
