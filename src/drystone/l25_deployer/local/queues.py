"""What waits in the queues of services that are deployed here, and what is put there."""

from __future__ import annotations

from typing import TYPE_CHECKING

from typing_extensions import override

from drystone.l10_engines.aws import declarations
from drystone.l25_deployer.errors import TargetNotFound
from drystone.l25_deployer.local.resources.account import account_of, declaration, name_of
from drystone.l25_deployer.local.resources.port import Owner
from drystone.l25_deployer.scaling.queues import Queues
from drystone.l25_deployer.stacks import provided

if TYPE_CHECKING:
    from drystone.l10_engines.aws.server import AwsEngine
    from drystone.l25_deployer.local.services import Services


_GROUP = "platform"
"""In which group messages stand that are put into a queue that keeps an order."""


class AccountQueues(Queues):
    """Asks the engine in which they are.

    Args:
        services: What is deployed.
        aws: The engine.
    """

    def __init__(self, services: Services, aws: AwsEngine) -> None:
        self._services = services
        self._aws = aws

    @override
    async def depth(self, environment: str, service: str, queue: str) -> int | None:
        kept = self._services.find(environment, service)
        resource = kept.record.eternal.get(queue) if kept is not None else None
        if not isinstance(resource, provided.Queue) or self._aws.status().pid is None:
            return None
        owner = Owner(environment, service, queue)
        declared = declaration(resource)
        assert isinstance(declared, declarations.Queue)  # noqa: S101 - of a queue it is one
        return await self._aws.waiting(account_of(owner), name_of(owner, resource), declared)

    @override
    async def send(self, environment: str, service: str, queue: str, body: str) -> str:
        kept = self._services.existing(environment, service)
        resource = kept.record.eternal.get(queue)
        if not isinstance(resource, provided.Queue):
            there = [
                name for name, one in kept.record.eternal.items() if isinstance(one, provided.Queue)
            ]
            raise TargetNotFound(
                f"{service} has no queue '{queue}' in {environment}; there are: {', '.join(there) or 'none'}"
            )
        message = {"QueueUrl": f"{queue}.fifo" if resource.fifo else queue, "MessageBody": body}
        if resource.fifo:
            message["MessageGroupId"] = _GROUP
        owner = account_of(Owner(environment, service, queue))
        sent = await self._aws.ask(owner, "sqs", "SendMessage", message)
        return str(sent["MessageId"])
