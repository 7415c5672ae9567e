"""What never reaches the view."""

from __future__ import annotations

from typing import Any

import pytest

from drystone.l80_governance.dependencies.guard import LARGEST_BODY, Guarded


async def status_of(*headers: tuple[str, str]) -> int:
    sent: list[Any] = []

    async def app(_scope: Any, _receive: Any, send: Any) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": []})

    async def send(message: Any) -> None:
        sent.append(message)

    async def receive() -> dict[str, Any]:
        return {}

    said = [(name.encode(), value.encode()) for name, value in headers]
    await Guarded(app)({"type": "http", "headers": said}, receive, send)
    return int(sent[0]["status"])


@pytest.mark.parametrize(
    "host", ["localhost", "localhost:8400", "LOCALHOST", "127.0.0.1:1", "[::1]:8400", "[::1]"]
)
async def test_this_machine_is_answered(host: str) -> None:
    assert await status_of(("host", host)) == 200


@pytest.mark.parametrize(
    "host",
    ["", "evil.example", "evil.example:8400", "localhost.evil.example", "a.localhost", "::1"],
)
async def test_a_name_that_was_made_to_lead_here_is_not(host: str) -> None:
    assert await status_of(("host", host)) == 421


@pytest.mark.parametrize(
    "header",
    [
        ("content-length", str(LARGEST_BODY + 1)),
        ("content-length", "9" * 40),
        ("content-length", "-1"),
        ("transfer-encoding", "chunked"),
    ],
)
async def test_a_large_body_is_refused_before_it_is_read(header: tuple[str, str]) -> None:
    assert await status_of(("host", "localhost"), header) == 413
    assert await status_of(("host", "localhost"), ("content-length", str(LARGEST_BODY))) == 200
