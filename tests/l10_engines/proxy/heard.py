"""What an agent sends to its Envoys, and whether they waited for any of it."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from drystone.l10_engines.proxy.incremental import IncrementalConversation
from l10_engines.proxy.rig import Rig


class Heard:
    """What was sent to Envoys, by kind, and what was said to be gone."""

    def __init__(self) -> None:
        self.sent: list[tuple[str, str]] = []
        self.gone: list[tuple[str, str]] = []

    def note(self, responses: list[Any]) -> None:
        for response in responses:
            kind = response.type_url.rpartition(".")[2]
            self.sent += [(kind, one.name) for one in response.resources]
            self.gone += [(kind, name) for name in response.removed_resources]

    def forget(self) -> None:
        self.sent.clear()
        self.gone.clear()

    def kinds(self) -> set[str]:
        return {kind for kind, _ in self.sent}

    def names(self, kind: str) -> set[str]:
        return {name for of, name in self.sent if of == kind}


def hear(monkeypatch: pytest.MonkeyPatch) -> Heard:
    """Note what is sent from now on until the end of the test."""
    heard, answer = Heard(), IncrementalConversation.responses

    def responses(talk: IncrementalConversation, snapshot: Any) -> list[Any]:
        made = answer(talk, snapshot)
        heard.note(made)
        return made

    monkeypatch.setattr(IncrementalConversation, "responses", responses)
    return heard


async def never_waited(rig: Rig) -> bool:
    """Tell whether nothing that Envoy asked for came too late or not at all."""
    found = msgspec.json.decode(await rig.envoy.statistics(r"init_fetch_timeout$"))
    return all(not stat.get("value") for stat in found["stats"])
