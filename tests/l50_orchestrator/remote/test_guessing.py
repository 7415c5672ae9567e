from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta

import pytest

from drystone.l00_kernel.clock import ManualClock
from drystone.l00_kernel.context import Caller
from drystone.l00_kernel.errors import Unauthenticated, Unavailable
from drystone.l50_orchestrator.remote.errors import TooManyWrongTokens
from drystone.l50_orchestrator.remote.guessing import ALL_AGAIN, OF_ALL, OF_ONE, ONE_AGAIN, Guesses


class Tokens:
    """Knows one token, counts how often it was asked, and may be away."""

    def __init__(self) -> None:
        self.right = "Bearer right"
        self.asked = 0
        self.is_away = False
        self.clock = ManualClock()
        self.guesses = Guesses(self, self.clock)

    async def __call__(self, headers: Mapping[str, str]) -> Caller:
        self.asked += 1
        if self.is_away:
            raise Unavailable
        if headers["authorization"] != self.right:
            raise Unauthenticated
        return Caller("ada")

    async def say(self, token: str, address: str = "10.0.0.1") -> str:
        try:
            headers = {"authorization": token, "x-forwarded-for": address}
            return (await self.guesses(headers)).name
        except (Unauthenticated, TooManyWrongTokens, Unavailable) as e:
            return type(e).__name__


async def test_wrong_tokens_of_one_address_are_bounded_and_come_back_with_time() -> None:
    tokens = Tokens()
    said = [await tokens.say(f"Bearer {n}") for n in range(OF_ONE + 5)]
    assert said == ["Unauthenticated"] * OF_ONE + ["TooManyWrongTokens"] * 5
    assert tokens.asked == OF_ONE
    assert await tokens.say("Bearer x", "10.0.0.2") == "Unauthenticated"
    await tokens.clock.advance(ONE_AGAIN)
    assert await tokens.say("Bearer y") == "Unauthenticated"
    assert await tokens.say("Bearer z") == "TooManyWrongTokens"


async def test_who_was_right_before_is_not_kept_out_by_those_who_guess() -> None:
    tokens = Tokens()
    assert await tokens.say(tokens.right) == "ada"
    for n in range(OF_ONE):
        await tokens.say(f"Bearer {n}")
    assert await tokens.say("Bearer x") == "TooManyWrongTokens"
    assert await tokens.say(tokens.right) == "ada"


async def test_a_token_that_was_right_and_is_no_more_counts_as_wrong() -> None:
    tokens = Tokens()
    await tokens.say(tokens.right)
    before, tokens.right = tokens.right, "Bearer another"
    assert await tokens.say(before) == "Unauthenticated"
    said = [await tokens.say(before) for _ in range(OF_ONE + 1)]
    assert said == ["Unauthenticated"] * OF_ONE + ["TooManyWrongTokens"]


async def test_many_addresses_together_are_bounded_too() -> None:
    tokens = Tokens()
    said = [await tokens.say("Bearer x", f"10.0.{n // 250}.{n % 250}") for n in range(OF_ALL + 1)]
    assert said[-2:] == ["Unauthenticated", "TooManyWrongTokens"]
    await tokens.clock.advance(ALL_AGAIN * 2)
    assert await tokens.say("Bearer x", "10.9.9.9") == "Unauthenticated"


async def test_right_tokens_and_a_database_that_is_away_cost_no_try() -> None:
    tokens = Tokens()
    tokens.is_away = True
    said = {await tokens.say(f"Bearer {n}") for n in range(3 * OF_ONE)}
    assert said == {"Unavailable"}
    tokens.is_away = False
    for n in range(3 * OF_ONE):
        tokens.right = f"Bearer right {n}"
        assert await tokens.say(tokens.right) == "ada"


async def test_addresses_without_end_take_no_memory_without_end() -> None:
    tokens = Tokens()
    for n in range(10_100):
        await tokens.clock.advance(timedelta(milliseconds=50))
        await tokens.say("Bearer x", str(n))
    assert len(tokens.guesses.addresses) <= 10_000


async def test_without_a_token_nobody_is_asked() -> None:
    tokens = Tokens()
    with pytest.raises(Unauthenticated, match="send a token"):
        await tokens.guesses({"cookie": "session=1", "x-drystone-person": "ada"})
    assert tokens.asked == 0
