"""The parts of a platform end, whatever becomes of one of them."""

from __future__ import annotations

from drystone.l00_kernel.errors import Unavailable
from drystone.l25_deployer.local.startup import Part, stop_parts


async def test_every_part_ends_though_one_cannot_and_one_has_a_mistake() -> None:
    ended: list[str] = []

    def part(name: str, layer: int, error: Exception | None = None) -> Part:
        async def start() -> str:
            return ""

        async def stop() -> None:
            if error is not None:
                raise error
            ended.append(name)

        return Part(name, layer, start, stop)

    waves = [
        [part("proxy", 10)],
        [part("mesh", 35, Unavailable("it does not answer")), part("keys", 20)],
        [part("view", 80, KeyError("nobody"))],
    ]
    last = {step.name: step async for step in stop_parts(waves)}
    assert ended == ["keys", "proxy"]
    assert {name: step.state for name, step in last.items()} == {
        "view": "failed",
        "mesh": "failed",
        "keys": "ready",
        "proxy": "ready",
    }
    assert last["mesh"].text == "it does not answer"
    assert last["view"].text == "broke off: KeyError('nobody')"
