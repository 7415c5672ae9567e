"""Workers whose number follows a real queue."""

from __future__ import annotations

import pytest

from drystone.l10_engines.aws.server import AwsStandIn
from drystone.l25_deployer.local.queues import AccountQueues
from drystone.l25_deployer.local.resources.account import declaration
from drystone.l25_deployer.stacks import provided
from drystone.testing.conformance.aws import asked, client
from l25_deployer.reached import at
from l25_deployer.small_platform import (
    ASKING,
    deploy,
    descriptor,
    embedded,
    folder_of,
    short_folder,
    until,
)

MORE = """
resources: {outbox: {type: queue, protect: false}}
workers:
  mailer:
    command: [python3, -c, "import time; time.sleep(3600)"]
    scale: {min: 1, max: 3, queue: {outbox: 10}}
"""


@pytest.mark.slow
async def test_as_many_workers_run_as_a_queue_needs() -> None:
    with short_folder() as folder:
        async with embedded(folder / "h") as whole:
            await deploy(whole.deployer, descriptor(more=MORE), folder_of(folder / "source"))
            engine = whole.supervisor["aws"]
            assert isinstance(engine, AwsStandIn)
            queues = AccountQueues(whole.services, engine)
            assert await queues.depth("dev", "greeter", "outbox") == 0
            kept = whole.services.existing("dev", "greeter")
            declared = kept.record.eternal["outbox"]
            assert isinstance(declared, provided.Queue)
            access, made = await engine.declare("dev.greeter", "outbox", declaration(declared))
            sqs = client(access, "sqs")
            for number in range(25):
                await asked(sqs.send_message, QueueUrl=made.url, MessageBody=str(number))
            assert await queues.depth("dev", "greeter", "outbox") == 25
            assert await queues.depth("dev", "greeter", "inbox") is None
            running = kept.active
            assert running is not None
            await until(lambda: len(running.of_group("mailer")) == 3, "three workers", within=30)
            view = await whole.deployer.show(ASKING, **at("greeter"))
            [scaling] = view.scaling
            assert (scaling.group, scaling.instances) == ("mailer", 3)
            _ = [
                s async for s in whole.deployer.destroy(ASKING, **at("greeter"), confirm=["outbox"])
            ]
            _ = [s async for s in whole.platform.stop()]
