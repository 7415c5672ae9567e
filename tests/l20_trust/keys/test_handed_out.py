"""What instances read: keys and tokens that are fresh, for them alone, whoever they are inside their container."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path

import pytest

from drystone.l00_kernel import fault_points
from drystone.l00_kernel.clock import ManualClock
from drystone.l10_engines.runtimes.podman import Podman
from drystone.l10_engines.runtimes.port import InstanceSpec, Limits, Mount
from drystone.l20_trust.keys import tokens
from drystone.l20_trust.keys.service import Keys
from drystone.l20_trust.keys.signing import is_signed
from drystone.testing.bare_image import SHOWN, bare_image
from l20_trust.key_rings import CTX, NOW, ORDERS, PAYMENTS, keys_at, orders_at

ORDERS_IN = {"environment": "dev", "service": "orders"}
HALF = timedelta(minutes=30)
NOBODY = 65534

needs_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root can become somebody else")


def tokens_of(keys: Keys, release: int = 1) -> Path:
    given = keys.given("dev", "orders", release)
    assert given is not None
    return Path(given.environment["DRYSTONE_TOKENS"])


def claims_of(keys: Keys, token: Path, clock: ManualClock) -> tokens.Claims:
    return tokens.verify(
        token.read_text(),
        audience=f"dev/{token.name}",
        key_of=keys.public_key,
        is_signed=is_signed,
        now=clock.now(),
    )


async def test_there_is_a_good_token_for_each_declared_service_at_any_time(tmp_path: Path) -> None:
    clock = ManualClock(NOW)
    keys = keys_at(tmp_path, clock)
    await keys.provide("dev", "orders", 1, [PAYMENTS, "dev/mail", "ari:cloud:x", "../../x/y"])
    folder = tokens_of(keys)
    seen = set()
    for _ in range(8):
        assert {path.name for path in folder.iterdir()} == {"payments", "mail"}
        claims = claims_of(keys, folder / "payments", clock)
        assert claims.iss == ORDERS
        assert claims.exp - clock.now().timestamp() > HALF.total_seconds()
        seen.add(claims.jti)
        await clock.advance(timedelta(minutes=20))
        keys.settle()
    assert len(seen) == 4, "it is made anew when half of its time is over, and not before"


async def test_a_new_agent_goes_on_with_the_tokens_of_the_one_before(tmp_path: Path) -> None:
    clock = ManualClock(NOW)
    before = tokens_of(await orders_at(tmp_path, clock)) / "payments"
    content = before.read_text()
    await clock.advance(timedelta(minutes=29))
    keys = keys_at(tmp_path, clock)
    keys.settle()

    assert before.read_text() == content
    for damage in (b"", b"\xff\x00", bytes(len(content)), b"." * 3000):
        before.write_bytes(damage)
        keys.settle()
        assert claims_of(keys, before, clock).iss == ORDERS
    before.unlink()
    keys.settle()
    assert claims_of(keys, before, clock).iss == ORDERS


async def test_a_clock_that_was_put_back_makes_tokens_anew(tmp_path: Path) -> None:
    await orders_at(tmp_path, ManualClock(NOW + timedelta(hours=2)))
    clock = ManualClock(NOW)
    keys = keys_at(tmp_path, clock)
    keys.settle()
    assert claims_of(keys, tokens_of(keys) / "payments", clock).iat == NOW.timestamp()


async def test_tokens_of_a_key_that_was_replaced_or_revoked_are_replaced_with_it(
    tmp_path: Path,
) -> None:
    clock = ManualClock(NOW)
    keys = await orders_at(tmp_path, clock)
    token = tokens_of(keys) / "payments"
    for change in (keys.rotate, keys.revoke):
        earlier = token.read_text()
        await change(CTX, **ORDERS_IN)
        assert token.read_text() != earlier
        assert claims_of(keys, token, clock).iss == ORDERS


async def test_what_a_release_does_not_call_any_more_has_no_token(tmp_path: Path) -> None:
    clock = ManualClock(NOW)
    keys = await orders_at(tmp_path, clock)
    await keys.provide("dev", "orders", 2, ["dev/mail"])
    assert [path.name for path in tokens_of(keys, 1).iterdir()] == ["payments"]
    assert [path.name for path in tokens_of(keys, 2).iterdir()] == ["mail"]
    await keys.provide("dev", "orders", 2, [])
    assert list(tokens_of(keys, 2).iterdir()) == []
    folder = tokens_of(keys, 1)
    keys.retire("dev", "orders", 1)
    assert not folder.exists()


async def test_a_full_disk_keeps_no_token_from_being_renewed(tmp_path: Path) -> None:
    clock = ManualClock(NOW)
    keys = await orders_at(tmp_path, clock)
    token = tokens_of(keys) / "payments"
    await clock.advance(HALF)
    fault_points.arm("document.write.begun:fail@1", tmp_path, lambda _: None)
    try:
        keys.settle()
    finally:
        fault_points.disarm()
    assert claims_of(keys, token, clock).iat == (NOW + HALF).timestamp()


@pytest.fixture
def reachable() -> Iterator[Path]:
    """A folder that every user may enter: what is closed below is closed by us."""
    folder = Path(tempfile.mkdtemp(prefix="keys-", dir="/tmp"))
    folder.chmod(0o755)
    yield folder
    shutil.rmtree(folder)


def as_nobody(work: Callable[[], bool], *, within: Path) -> bool:
    """Tell what is true for another user, who begins in a folder."""
    child = os.fork()
    if child == 0:
        code = 2
        try:
            os.chdir(within)
            os.setgroups([])
            os.setgid(NOBODY)
            os.setuid(NOBODY)
            code = 0 if work() else 1
        finally:
            os._exit(code)
    code = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    assert code in {0, 1}
    return code == 0


def reads(*paths: Path) -> Callable[[], bool]:
    """Return whether any of these can be read."""

    def work() -> bool:
        for path in paths:
            try:
                path.read_bytes()
            except PermissionError:
                continue
            return True
        return False

    return work


@needs_root
async def test_another_user_of_the_machine_reads_neither_a_key_nor_a_token(
    reachable: Path,
) -> None:
    keys = await orders_at(reachable)
    (reachable / "keys").chmod(0o755)
    private = reachable / "keys/private"
    files = [path for path in private.rglob("*") if path.is_file()]

    assert len(files) == 3
    assert not as_nobody(reads(*files), within=reachable)
    private.chmod(0o755)
    assert as_nobody(reads(*files), within=reachable), "the door alone keeps others out"
    await keys.rotate(CTX, **ORDERS_IN)
    files = [path for path in private.rglob("*") if path.is_file()]
    assert not as_nobody(reads(*files), within=reachable)


@needs_root
async def test_who_is_shown_the_folder_of_a_release_reads_it_as_any_user_and_no_other(
    reachable: Path,
) -> None:
    keys = await orders_at(reachable)
    await keys.provide("dev", "mail", 1, [])
    given, other = keys.given("dev", "orders", 1), keys.given("dev", "mail", 1)
    assert given is not None
    assert other is not None
    key = Path(given.environment["ASAP_KEY_ID"])
    for path in (key, Path("tokens_for/payments"), Path("ca.pem")):
        assert as_nobody(reads(path), within=given.folder)
    assert not as_nobody(reads(Path("..", other.folder.name, "ca.pem")), within=given.folder)


async def test_an_image_whose_user_is_not_root_reads_its_keys_and_no_others(
    reachable: Path,
) -> None:
    if (reason := await Podman().available()) is not None:
        pytest.skip(reason)
    keys = await orders_at(reachable)
    await keys.provide("dev", "mail", 1, [])
    given, other = keys.given("dev", "orders", 1), keys.given("dev", "mail", 1)
    assert given is not None
    assert other is not None
    script = (
        'id -u; head -n1 "$DRYSTONE_KEYS/$ASAP_KEY_ID"; cat "$DRYSTONE_TOKENS/payments";'
        f' echo; ls {other.folder} "$DRYSTONE_KEYS/.."; echo x > "$DRYSTONE_TOKENS/payments"'
    )
    said: list[bytes] = []
    with bare_image("USER 1234:1234") as image:
        runtime = Podman()
        spec = InstanceSpec(
            id="orders",
            command=("/bin/sh", "-c", script),
            environment=given.environment,
            state=reachable / "instance",
            limits=Limits(memory=64 * 1024**2, cpu=1),
            home_label=f"keys-{reachable.name}",
            mounts=tuple(Mount(p, str(p), read_only=True) for p in (*SHOWN, given.folder)),
            image=await runtime.resolve_image(image),
        )
        await runtime.run_once(spec, limit=timedelta(seconds=60), output=said.append)

    uid, key, token, *errors = b"".join(said).decode().splitlines()
    assert (uid, key) == ("1234", "-----BEGIN PRIVATE KEY-----")
    assert tokens.is_fresh(token, key_id=given.environment["ASAP_KEY_ID"], now=NOW)
    assert "No such file" in errors[0]
    assert "cannot create" in errors[-1]
    assert not any("mail" in line for line in errors[1:])
