"""One platform trusts another: what it believes, what it keeps, and when it stops."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from datetime import timedelta
from functools import partial
from pathlib import Path

import pytest
import pytest_asyncio

from drystone.l20_trust.keys.errors import KeysOutOfReach, NoPeer, PeerUnfit
from drystone.l20_trust.keys.peers.api import Checked, TokenSaid
from drystone.l20_trust.keys.peers.joined import JoinedKeys
from drystone.l20_trust.keys.peers.service import Peers
from l20_trust.key_rings import ORDERS, PAYMENTS, pair
from l20_trust.peers.platforms import CTX, Answers, Platform, somebody

SOURCE = f"{ORDERS}@home"


@pytest_asyncio.fixture
async def far(tmp_path: Path) -> Platform:
    """Another platform, where orders calls payments."""
    found = Platform(tmp_path / "far")
    await found.keys.provide("dev", "orders", 1, [PAYMENTS])
    return found


@pytest_asyncio.fixture
async def answers(far: Platform, tmp_path: Path) -> AsyncIterator[Answers]:
    """Its repository."""
    async with Answers(far.authority, tmp_path / "served").serving() as found:
        found.public = far.folder / "keys/public"
        yield found


@pytest_asyncio.fixture
async def near(tmp_path: Path) -> AsyncIterator[Platform]:
    found = Platform(tmp_path / "near")
    yield found
    await found.peers.stop()


async def until(is_so: Callable[[], bool]) -> None:
    async with asyncio.timeout(30):
        while not is_so():  # noqa: ASYNC110 - a task goes by the clock
            await asyncio.sleep(0.005)


def token_of(platform: Platform) -> str:
    return platform.keys.mint(ORDERS, PAYMENTS, timedelta(minutes=30)).token


async def checked(peers: Peers, token: str, audience: str = PAYMENTS) -> Checked:
    return await peers.check(CTX, said=TokenSaid(token, audience))


async def until_worth(peers: Peers, token: str, *, is_good: bool) -> None:
    for _ in range(5000):
        if (await checked(peers, token)).is_good == is_good:
            return
        await asyncio.sleep(0.005)
    pytest.fail("nothing was followed")


async def test_what_is_trusted_proves_named_callers_to_named_callees_alone(
    near: Platform, far: Platform, answers: Answers
) -> None:
    await far.keys.provide("dev", "mail", 1, [PAYMENTS])
    view = await near.peers.trust(somebody("ann"), name="home", said=far.said(answers.url))
    assert (view.keys, view.by, view.problem) == (3, "ann", "")
    assert near.published == 1
    assert near.audit.of == [
        ("keys.trust", PAYMENTS, {"platform": "home", "callers": ORDERS}),
    ]
    good = await checked(near.peers, token_of(far))
    assert (good.is_good, good.issuer, good.peer) == (True, ORDERS, "home")
    elsewhere = far.keys.mint(ORDERS, "dev/mail").token
    assert not (await checked(near.peers, elsewhere, "dev/mail")).is_good
    foreign = far.keys.mint("dev/mail", PAYMENTS).token
    assert (await checked(near.peers, foreign)).reason == "its key is not published"
    joined = JoinedKeys(near.keys, near.peers)
    assert [one.source for one in joined.trusted(PAYMENTS)] == [SOURCE]
    assert joined.trusted("dev/mail") == []
    assert joined.key_set([ORDERS])["keys"] == []
    assert len(joined.key_set([ORDERS, SOURCE])["keys"]) == 3


async def test_both_services_of_one_name_are_known_by_keys_of_their_own(
    near: Platform, far: Platform, answers: Answers
) -> None:
    await near.keys.provide("dev", "orders", 1, [PAYMENTS])
    before = await checked(near.peers, token_of(far))
    assert (before.is_good, before.reason) == (False, "its key is not published")
    await near.peers.trust(CTX, name="home", said=far.said(answers.url))
    assert (await checked(near.peers, token_of(far))).peer == "home"
    assert (await checked(near.peers, token_of(near))).peer == ""


async def test_a_key_of_another_platform_never_takes_the_place_of_an_own_one(
    near: Platform, far: Platform, answers: Answers
) -> None:
    await near.keys.provide("dev", "orders", 1, [PAYMENTS])
    (own,) = await near.keys.keys(CTX)
    answers.public = None
    answers.say_keys(
        {**pair().jwk, "kid": own.id}, {**pair().jwk, "kid": f"{ORDERS}/20260101t000000-other.pem"}
    )
    told: list[str] = []
    joined = JoinedKeys(near.keys, near.peers)
    joined.watch(told.append)
    view = await near.peers.trust(CTX, name="home", said=far.said(answers.url))
    assert view.keys == 1
    assert (await checked(near.peers, token_of(near))).is_good
    told.clear()
    await near.keys.revoke(CTX, environment="dev", service="orders", key=own.id)
    assert SOURCE in told, "which of its keys count may have changed"
    ids = [key["kid"] for key in near.peers.key_set(SOURCE)]
    assert own.id not in ids, "a key that was revoked here does not come back from there"


async def test_a_key_that_is_revoked_there_is_followed_and_what_does_not_answer_changes_nothing(
    near: Platform, far: Platform, answers: Answers
) -> None:
    await near.peers.trust(CTX, name="home", said=far.said(answers.url))
    token = token_of(far)
    told: list[str] = []
    near.peers.changes.watch(told.append)
    for _ in range(2):  # those that sign next were known before
        await far.keys.rotate(CTX, environment="dev", service="orders")
        assert (await checked(near.peers, token_of(far))).is_good
    await until(lambda: SOURCE in told)
    await far.keys.revoke(CTX, environment="dev", service="orders")
    fresh = token_of(far)
    await until_worth(near.peers, token, is_good=False)
    await until_worth(near.peers, fresh, is_good=True)
    known = near.peers.key_set(SOURCE)
    for said in (b"garbage", b"", b'{"keys":[{"kid":"dev/mail/x.pem"}]}'):
        asked = len(answers.asked)
        answers.public = None
        answers.say(said)
        await until(partial(answers.was_asked, asked + 3))
        assert near.peers.key_set(SOURCE) == known
        (view,) = await near.peers.trusted(CTX)
        assert answers.url in view.problem
    assert near.anew().key_set(SOURCE) == known, "an agent that comes back knows it, too"


async def test_a_platform_that_does_not_answer_is_not_trusted_in_the_first_place(
    near: Platform, far: Platform, answers: Answers
) -> None:
    answers.public = None
    answers.say(b"garbage")
    with pytest.raises(KeysOutOfReach):
        await near.peers.trust(CTX, name="home", said=far.said(answers.url))
    assert await near.peers.trusted(CTX) == []
    assert await near.anew().trusted(CTX) == []
    assert near.published == 0


async def test_who_is_distrusted_proves_nothing_any_more(
    near: Platform, far: Platform, answers: Answers
) -> None:
    await near.peers.trust(CTX, name="home", said=far.said(answers.url))
    told: list[str] = []
    near.peers.changes.watch(told.append)
    await near.peers.distrust(CTX, name="home")
    assert (told, near.published) == ([SOURCE], 2)
    assert not (await checked(near.peers, token_of(far))).is_good
    assert near.audit.of[-1][0] == "keys.distrust"
    assert await near.anew().trusted(CTX) == []
    assert not list((near.folder / "keys").glob("*/home.json"))
    asked = len(answers.asked)
    with pytest.raises(NoPeer):
        await near.peers.distrust(CTX, name="home")
    await near.peers.trust(CTX, name="home", said=far.said(answers.url, "dev/mail"))
    await until(partial(answers.was_asked, asked + 3))
    assert set(answers.asked[asked + 1 :]) == {"/issuers/dev/mail.json"}
    assert not (await checked(near.peers, token_of(far))).is_good


@pytest.mark.parametrize("content", [b"", b"{}", b'{"name": "home"}', b"\xff"])
async def test_a_damaged_file_trusts_nobody_and_says_so(
    near: Platform, far: Platform, answers: Answers, content: bytes
) -> None:
    await near.peers.trust(CTX, name="home", said=far.said(answers.url))
    (near.folder / "keys/peers/home.json").write_bytes(content)
    anew = near.anew()
    (view,) = await anew.trusted(CTX)
    assert (view.name, view.keys) == ("home", 0)
    assert "cannot be read" in view.problem
    assert anew.trusted_by(PAYMENTS) == []
    await anew.distrust(CTX, name="home")
    assert await anew.trusted(CTX) == []


async def test_what_was_told_and_is_damaged_is_asked_for_again(
    near: Platform, far: Platform, answers: Answers
) -> None:
    await near.peers.trust(CTX, name="home", said=far.said(answers.url))
    (near.folder / "keys/told/home.json").write_bytes(b"garbage")
    anew = near.anew()
    assert anew.key_set(SOURCE) == []
    anew.start()
    await until(lambda: len(anew.key_set(SOURCE)) == 3)
    await anew.stop()


async def test_so_many_platforms_are_trusted_and_no_more(
    near: Platform, far: Platform, answers: Answers
) -> None:
    near.peers = near.anew(every=timedelta(hours=1))
    for number in range(32):
        await near.peers.trust(CTX, name=f"home-{number}", said=far.said(answers.url))
    with pytest.raises(PeerUnfit, match="distrust one"):
        await near.peers.trust(CTX, name="another", said=far.said(answers.url))
    assert (await near.peers.trust(CTX, name="home-0", said=far.said(answers.url))).name == "home-0"
