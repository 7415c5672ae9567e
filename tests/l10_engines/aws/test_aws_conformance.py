from __future__ import annotations

from pathlib import Path

from typing_extensions import override

from drystone.l10_engines.aws.declarations import Table
from drystone.l10_engines.aws.server import AwsStandIn
from drystone.l10_engines.supervision.local import LocalEngine
from drystone.testing.conformance.aws import AwsConformance, asked, client
from drystone.testing.conformance.engines import LocalEngineConformance

TABLE = Table(key="id")


class TestAws(AwsConformance):
    @classmethod
    @override
    def make(cls, directory: Path) -> AwsStandIn:
        return AwsStandIn("aws", directory)


class TestAwsAsAnEngine(LocalEngineConformance):
    @override
    def make(self, directory: Path) -> AwsStandIn:
        return AwsStandIn("aws", directory)

    @override
    async def write(self, engine: LocalEngine, key: str, value: str) -> None:
        assert isinstance(engine, AwsStandIn)
        access, made = await engine.declare("dev.one", "values", TABLE)
        item = {"id": {"S": key}, "value": {"S": value}}
        await asked(client(access, "dynamodb").put_item, TableName=made.name, Item=item)

    @override
    async def read(self, engine: LocalEngine, key: str) -> str | None:
        assert isinstance(engine, AwsStandIn)
        access, made = await engine.declare("dev.one", "values", TABLE)
        db = client(access, "dynamodb")
        found = await asked(db.get_item, TableName=made.name, Key={"id": {"S": key}})
        return found["Item"]["value"]["S"] if "Item" in found else None
