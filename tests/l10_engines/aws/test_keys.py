"""Keys have versions, and their services let others use them."""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from drystone.l10_engines.aws import versions
from drystone.l10_engines.aws.access import AccountAccess
from drystone.l10_engines.aws.declarations import Key
from drystone.l10_engines.aws.server import AwsStandIn
from drystone.testing.conformance.aws import asked, client, refusal
from drystone.testing.conformance.engines import short_home

NOW = datetime(2026, 1, 2, tzinfo=UTC)


@pytest.fixture(scope="module")
def engine() -> Iterator[AwsStandIn]:
    with short_home() as home:
        engine = AwsStandIn("aws", home / "aws")
        asyncio.run(engine.start())
        try:
            yield engine
        finally:
            asyncio.run(engine.stop())


def record() -> dict[str, Any]:
    return {
        "KeyId": "k",
        "Arn": "arn:aws:kms:r:1:key/k",
        "CreationDate": NOW.timestamp(),
        "_symmetric_key": os.urandom(32),
    }


@given(st.lists(st.booleans(), max_size=12))
def test_every_version_that_there_was_can_still_be_found(kinds: list[bool]) -> None:
    key, seen = record(), []
    for by_itself in kinds:
        seen.append(versions.newest(key))
        versions.add(key, NOW, kind="AUTOMATIC" if by_itself else "ON_DEMAND")
    seen.append(versions.newest(key))
    assert [number for number, _ in seen] == list(range(len(kinds) + 1))
    assert len({material for _, material in seen}) == len(seen)
    for number, material in seen:
        assert versions.material(key, number) == material
    assert versions.material(key, len(seen)) is None


@given(st.integers(0, 400), st.integers(1, 300))
def test_a_new_version_comes_at_its_age_and_not_before(days: int, every: int) -> None:
    key = record()
    assert not versions.add_if_due(key, NOW + timedelta(days=9000))
    versions.declare(key, timedelta(days=every))
    at = NOW + timedelta(days=days)
    assert versions.add_if_due(key, at) == (days >= every)
    assert not versions.add_if_due(key, at)


async def test_what_earlier_versions_encrypted_is_decrypted_after_a_death(
    engine: AwsStandIn,
) -> None:
    access, made = await engine.declare("dev.safe", "seal", Key())
    kms = client(access, "kms")
    sealed = [await seal(kms, made.name, b"first")]
    await engine.add_version("dev.safe", "seal")
    sealed.append(await seal(kms, made.name, b"second"))
    assert await asked(kms.rotate_key_on_demand, KeyId=made.name)
    sealed.append(await seal(kms, made.name, b"third"))
    pid = engine.status().pid
    assert pid is not None
    os.kill(pid, signal.SIGKILL)
    await engine.stop()
    await engine.start()
    access, made = await engine.declare("dev.safe", "seal", Key())  # which changes nothing of it
    kms = client(access, "kms")
    for blob, plain in zip(sealed, (b"first", b"second", b"third"), strict=True):
        assert (await asked(kms.decrypt, CiphertextBlob=blob))["Plaintext"] == plain
        new = await asked(kms.re_encrypt, CiphertextBlob=blob, DestinationKeyId=made.name)
        opened = await asked(kms.decrypt, CiphertextBlob=new["CiphertextBlob"], KeyId=made.arn)
        assert opened["Plaintext"] == plain
        changed = blob[:-1] + bytes([blob[-1] ^ 1])
        wrong = await refusal(kms.decrypt, CiphertextBlob=changed)
        assert wrong == "InvalidCiphertextException"
    other = sealed[1][:37] + (9).to_bytes(4, "big") + sealed[1][41:]
    assert await refusal(kms.decrypt, CiphertextBlob=other) == "InvalidCiphertextException"
    listed = (await asked(kms.list_key_rotations, KeyId=made.name))["Rotations"]
    assert [one["RotationType"] for one in listed] == ["ON_DEMAND", "ON_DEMAND"]


async def seal(kms: Any, key: str, plain: bytes) -> bytes:
    answer = await asked(kms.encrypt, KeyId=key, Plaintext=plain)
    blob: bytes = answer["CiphertextBlob"]
    return blob


async def test_a_key_has_a_new_version_by_itself_when_it_is_old(engine: AwsStandIn) -> None:
    access, made = await engine.declare("dev.old", "seal", Key(rotate=3650 * 86400.0))
    kms = client(access, "kms")
    status = await asked(kms.get_key_rotation_status, KeyId=made.name)
    assert (status["KeyRotationEnabled"], status["RotationPeriodInDays"]) == (True, 3650)
    assert status["NextRotationDate"] > datetime.now(UTC) + timedelta(days=3649)
    blob = await seal(kms, made.name, b"x")
    assert (await asked(kms.list_key_rotations, KeyId=made.name))["Rotations"] == []
    await engine.declare("dev.old", "seal", Key(rotate=0.001))
    await asked(kms.generate_data_key, KeyId=made.name, KeySpec="AES_256")
    [one] = (await asked(kms.list_key_rotations, KeyId=made.name))["Rotations"]
    assert one["RotationType"] == "AUTOMATIC"
    assert (await asked(kms.decrypt, CiphertextBlob=blob))["Plaintext"] == b"x"


async def test_a_signing_key_has_no_versions_and_there_are_so_many_on_demand(
    engine: AwsStandIn,
) -> None:
    access, made = await engine.declare("dev.many", "seal", Key())
    kms = client(access, "kms")
    signs = await asked(kms.create_key, KeySpec="RSA_2048", KeyUsage="SIGN_VERIFY")
    id_ = signs["KeyMetadata"]["KeyId"]
    refused = await refusal(kms.rotate_key_on_demand, KeyId=id_)
    assert refused == "UnsupportedOperationException"
    for _ in range(versions.MOST_ON_DEMAND):
        await asked(kms.rotate_key_on_demand, KeyId=made.name)
    assert await refusal(kms.rotate_key_on_demand, KeyId=made.name) == "LimitExceededException"


class Shared:
    """A key that two services may use a little, and a third not at all."""

    def __init__(self, engine: AwsStandIn) -> None:
        self.engine = engine

    async def make(self) -> tuple[str, dict[str, Any]]:
        wanted = Key(encrypt=("dev.writer",), decrypt=("dev.reader",))
        access, made = await self.engine.declare("dev.keeper", "seal", wanted)
        found: dict[str, Any] = {"keeper": client(access, "kms")}
        for name in ("writer", "reader", "stranger"):
            own, _ = await self.engine.declare(f"dev.{name}", "own", Key())
            found[name] = client(own, "kms")
        return made.arn, found


async def test_services_use_a_key_as_its_own_service_lets_them(engine: AwsStandIn) -> None:
    arn, kms = await Shared(engine).make()
    blob = await seal(kms["writer"], arn, b"note")
    assert (await asked(kms["reader"].decrypt, CiphertextBlob=blob))["Plaintext"] == b"note"
    named = await asked(kms["reader"].decrypt, CiphertextBlob=blob, KeyId=arn)
    assert (named["Plaintext"], named["KeyId"]) == (b"note", arn)
    alias = arn.partition(":key/")[0] + ":alias/seal"
    assert await seal(kms["writer"], alias, b"y")
    assert (await asked(kms["keeper"].decrypt, CiphertextBlob=blob))["Plaintext"] == b"note"

    plain = {"Plaintext": b"x"}
    assert await refusal(kms["writer"].decrypt, CiphertextBlob=blob) == "InvalidCiphertextException"
    assert await refusal(kms["reader"].encrypt, KeyId=arn, **plain) == "AccessDeniedException"
    for key in (arn, alias):
        assert await refusal(kms["stranger"].encrypt, KeyId=key, **plain) == "AccessDeniedException"
    refused = await refusal(kms["stranger"].decrypt, CiphertextBlob=blob)
    assert refused == "InvalidCiphertextException"
    own_to_theirs = {"CiphertextBlob": await seal(kms["stranger"], "alias/own", b"x")}
    refused = await refusal(kms["stranger"].re_encrypt, **own_to_theirs, DestinationKeyId=arn)
    assert refused == "AccessDeniedException"


async def test_who_may_encrypt_may_do_nothing_else_with_a_key(engine: AwsStandIn) -> None:
    arn, kms = await Shared(engine).make()
    id_ = arn.rpartition("/")[2]
    writer = kms["writer"]
    for key in (arn, id_):
        assert await refusal(writer.rotate_key_on_demand, KeyId=key) == "AccessDeniedException"
        assert await refusal(writer.list_key_rotations, KeyId=key) == "AccessDeniedException"
        for act in (writer.disable_key, writer.describe_key):
            assert await refusal(act, KeyId=key) in {"AccessDeniedException", "NotFoundException"}
    for odd in (arn.upper(), arn.replace("kms", "sqs"), f" {arn}", f"{arn}/../x", arn + ":" + arn):
        assert await refusal(writer.encrypt, KeyId=odd, Plaintext=b"x") in {
            "AccessDeniedException",
            "NotFoundException",
        }


async def test_what_is_taken_away_is_refused_from_then_on(engine: AwsStandIn) -> None:
    arn, kms = await Shared(engine).make()
    assert await seal(kms["writer"], arn, b"x")
    await engine.declare("dev.keeper", "seal", Key())
    refused = await refusal(kms["writer"].encrypt, KeyId=arn, Plaintext=b"x")
    assert refused == "AccessDeniedException"


async def test_both_keys_of_an_account_open_it_until_the_former_ends(engine: AwsStandIn) -> None:
    former, made = await engine.declare("dev.renewed", "seal", Key())
    await engine.renew("dev.renewed", "begin")
    await engine.renew("dev.renewed", "begin")
    newer, _ = await engine.declare("dev.renewed", "seal", Key())
    assert (newer.account, newer.access_key == former.access_key) == (former.account, False)
    for access in (former, newer):
        assert await seal(client(access, "kms"), made.name, b"x")
    await engine.renew("dev.renewed", "withdraw")
    assert await is_unknown(newer)
    await engine.renew("dev.renewed", "begin")
    newer, _ = await engine.declare("dev.renewed", "seal", Key())
    await engine.renew("dev.renewed", "end")
    await engine.renew("dev.renewed", "end")
    assert await is_unknown(former)
    assert (await engine.declare("dev.renewed", "seal", Key()))[0] == newer
    assert await seal(client(newer, "kms"), made.name, b"x")
    await engine.renew("dev.nobody", "begin")


async def is_unknown(access: AccountAccess) -> bool:
    refused = await refusal(client(access, "kms").list_keys)
    return refused in {"InvalidClientTokenId", "UnrecognizedClientException", "InvalidAccessKeyId"}
