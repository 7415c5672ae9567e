"""The repository of another platform may answer whatever it likes: nothing of it does harm."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path

import pytest
import pytest_asyncio

from drystone.l20_trust.certificates.authority import Authority
from drystone.l20_trust.keys.errors import KeysOutOfReach, PeerUnfit
from drystone.l20_trust.keys.peers import asking
from drystone.l20_trust.keys.peers.asking import key_set, tls_by
from l20_trust.key_rings import ORDERS
from l20_trust.peers.platforms import Answers

SHORT = timedelta(milliseconds=300)


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    made = Authority(tmp_path_factory.mktemp("certificates"))
    made.ensure()
    return made


@pytest_asyncio.fixture
async def answers(authority: Authority, tmp_path: Path) -> AsyncIterator[Answers]:
    async with Answers(authority, tmp_path / "served").serving() as found:
        yield found


async def ask(authority: Authority, *urls: str, patience: timedelta = asking.PATIENCE) -> bytes:
    return await key_set(urls, ORDERS, tls_by(authority.certificate.read_text()), patience)


async def test_the_keys_of_one_issuer_are_asked_for_by_its_name(
    authority: Authority, answers: Answers
) -> None:
    answers.say(b'{"keys":[]}')
    assert await ask(authority, answers.url) == b'{"keys":[]}'
    assert answers.asked == [f"/issuers/{ORDERS}.json"]


async def test_what_is_not_published_is_no_key(authority: Authority, answers: Answers) -> None:
    answers.say(b"no such key", status="404 Not Found", content_type="text/plain")
    assert await ask(authority, answers.url) == b'{"keys":[]}'


@pytest.mark.parametrize("status", ["301 Moved", "302 Found", "307 Temporary", "308 Permanent"])
async def test_a_redirect_is_not_followed(
    authority: Authority, answers: Answers, status: str
) -> None:
    answers.say(b"", status=status, location=f"{answers.url}elsewhere")
    with pytest.raises(KeysOutOfReach, match="answers with status 30"):
        await ask(authority, answers.url)
    assert len(answers.asked) == 1


@pytest.mark.parametrize(
    "said",
    [
        b"",
        b"garbage\r\n\r\n",
        b"SSH-2.0-x\r\n",
        b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: 100\r\n\r\n{",
        b"HTTP/1.1 200 OK\r\ncontent-type: text/html\r\ncontent-length: 2\r\n\r\n{}",
        b"HTTP/1.1 500 Oh\r\ncontent-type: application/json\r\ncontent-length: 2\r\n\r\n{}",
        b"HTTP/1.1 206 Part\r\ncontent-type: application/json\r\ncontent-length: 2\r\n\r\n{}",
        b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ntransfer-encoding: chunked\r\n\r\nzz\r\n",
        b"HTTP/1.1 100 Go on\r\n\r\n" * 500,
        b"HTTP/1.1 200 OK\r\n" + b"x: y\r\n" * 500 + b"\r\n",
        b"HTTP/1.1 \x1b[2J" + b"\xff" * 4000,
    ],
)
async def test_what_is_no_answer_is_told_in_a_few_safe_words(
    authority: Authority, answers: Answers, said: bytes
) -> None:
    answers.said = said
    with pytest.raises(KeysOutOfReach) as told:
        await ask(authority, answers.url)
    assert told.value.message.isprintable()
    assert len(told.value.message) < 400


async def test_a_huge_answer_is_not_read_to_its_end(authority: Authority, answers: Answers) -> None:
    answers.say(b" " * (asking.LARGEST + 1))
    with pytest.raises(KeysOutOfReach, match="more than"):
        await ask(authority, answers.url)


async def test_a_slow_answer_is_given_up_though_something_comes_all_the_time(
    authority: Authority, answers: Answers
) -> None:
    answers.say(b'{"keys":[]}')
    answers.pause = 0.02
    with pytest.raises(KeysOutOfReach, match=r"within 0\.3 seconds"):
        await ask(authority, answers.url, patience=SHORT)


async def test_whoever_says_nothing_is_given_up(authority: Authority) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        url = f"https://127.0.0.1:{silent.getsockname()[1]}/"
        with pytest.raises(KeysOutOfReach, match="within"):
            await ask(authority, url, patience=SHORT)


async def test_only_the_authority_that_was_named_is_believed(
    authority: Authority, answers: Answers, tmp_path: Path
) -> None:
    answers.say(b'{"keys":[]}')
    other = Authority(tmp_path / "other")
    other.ensure()
    with pytest.raises(KeysOutOfReach, match="certificate verify failed"):
        await ask(other, answers.url)
    assert answers.asked == []


async def test_the_copy_is_asked_where_the_first_does_not_answer(
    authority: Authority, answers: Answers
) -> None:
    answers.say(b'{"keys":[]}')
    assert await ask(authority, "https://127.0.0.1:9/", answers.url) == b'{"keys":[]}'


async def test_the_copy_has_its_time_though_the_first_says_nothing(
    authority: Authority, answers: Answers
) -> None:
    answers.say(b'{"keys":[]}')
    with socket.create_server(("127.0.0.1", 0)) as silent:
        first = f"https://127.0.0.1:{silent.getsockname()[1]}/"
        patience = timedelta(seconds=2)
        async with asyncio.timeout(patience.total_seconds()):
            found = await ask(authority, first, answers.url, patience=patience)
    assert found == b'{"keys":[]}'


@pytest.mark.parametrize("pem", ["", "garbage", "-----BEGIN CERTIFICATE-----\nAAAA\n-----END"])
def test_an_authority_without_a_certificate_is_refused(pem: str) -> None:
    with pytest.raises(PeerUnfit, match="no certificate"):
        tls_by(pem)
