"""The agent dies at any place where keys are written, and what it leaves is whole: the old state or the new one."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

import pytest

from drystone.l00_kernel import fault_points
from drystone.l00_kernel.atomic import remove_partials
from drystone.l00_kernel.shortage import DiskFull
from drystone.l20_trust.keys import tokens
from drystone.l20_trust.keys.signing import is_signed
from l20_trust.key_rings import CTX, NOW, ORDERS, PAYMENTS, keys_at

MOST = 40
"""More places than any of these operations passes."""

QUICK = ("document.partial.written", "keys.ring.written", "keys.repository.written")
EVERY = (*QUICK, "document.write.begun", "document.rename.done")


def first(folder: Path) -> None:
    keys_at(folder)._provide("dev", "orders", 1, [PAYMENTS])


def rotate(folder: Path) -> None:
    keys_at(folder)._rotate("dev", "orders")


def revoke(folder: Path) -> None:
    keys_at(folder)._revoke("dev", "orders", None)


def destroy(folder: Path) -> None:
    keys_at(folder).forget("dev", "orders")


def dies(work: Callable[[Path], None], folder: Path, wish: str) -> bool:
    """Do it in a process of its own that dies at a place; tell whether it came there."""
    child = os.fork()
    if child == 0:
        code = 1
        try:
            fault_points.arm(wish, folder, lambda _: None)
            work(folder)
            code = 0
        finally:
            os._exit(code)
    _, status = os.waitpid(child, 0)
    if os.WIFSIGNALED(status):
        assert os.WTERMSIG(status) == signal.SIGKILL
        return True
    assert os.waitstatus_to_exitcode(status) == 0
    return False


async def hold(folder: Path, before: set[str]) -> set[str]:
    """Hold what is there to what has to be; return the ids of the keys that sign or are published."""
    remove_partials(path for path in folder.rglob("*") if path.is_dir())
    keys = keys_at(folder)
    keys.settle()
    found = {key.id for key in await keys.keys(CTX) if key.state != "revoked"}
    for root in ("public", "copy"):
        served = folder / "keys" / root / "keys"
        assert {str(path.relative_to(served)) for path in served.rglob("*.pem")} == found
    given = keys.given("dev", "orders", 1)
    if given is not None:
        inside = given.folder / ORDERS
        assert [f"{ORDERS}/{path.name}" for path in inside.iterdir()] == [
            given.environment["ASAP_KEY_ID"]
        ]
        made = await keys.token(CTX, environment="dev", service="orders", audience=PAYMENTS)
        claims = tokens.verify(
            made.token,
            audience=PAYMENTS,
            key_of=keys.public_key,
            is_signed=is_signed,
            now=NOW + timedelta(seconds=1),
        )
        assert claims.iss == ORDERS
    assert (given is None) == (not found)
    assert len(found - before) <= 1
    return found


@pytest.mark.parametrize("points", [QUICK, pytest.param(EVERY, marks=pytest.mark.slow)])
@pytest.mark.parametrize("work", [first, rotate, revoke, destroy])
async def test_a_death_leaves_the_old_keys_or_the_new_ones(
    work: Callable[[Path], None], points: tuple[str, ...], tmp_path: Path
) -> None:
    met = 0
    for point in points:
        for n in range(1, MOST):
            folder = tmp_path / f"{point}-{n}"
            folder.mkdir()
            if work is not first:
                first(folder)
            before = await hold(folder, set()) if work is not first else set()
            if not dies(work, folder, f"{point}:kill@{n}"):
                break
            met += 1
            after = await hold(folder, before)
            if work in {revoke, destroy}:
                assert after == before or not after & before, "revoked, or not; all of them"
            else:
                assert before <= after
            keys_at(folder)._provide("dev", "orders", 1, [PAYMENTS])
            assert await hold(folder, after)
        else:
            pytest.fail(f"{work.__name__} passes {point} more than {MOST} times")
    assert met >= len(points)


async def test_a_disk_that_fills_up_leaves_the_old_keys_or_the_new_ones(tmp_path: Path) -> None:
    for n in range(1, MOST):
        folder = tmp_path / str(n)
        folder.mkdir()
        first(folder)
        before = await hold(folder, set())
        keys = keys_at(folder)
        fault_points.arm(f"document.write.begun:fail@{n}", folder, lambda _: None)
        try:
            keys._rotate("dev", "orders")
            break
        except DiskFull:
            pass
        finally:
            fault_points.disarm()
        await keys.provide("dev", "orders", 1, [PAYMENTS])
        made = await keys.token(CTX, environment="dev", service="orders", audience=PAYMENTS)
        assert (folder / "keys/public/keys" / made.key).exists()
        assert before <= await hold(folder, before)
    assert n > 3
