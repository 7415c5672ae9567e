from __future__ import annotations

import os
import tarfile
from datetime import UTC, datetime
from pathlib import Path
from typing import IO, cast

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec import structs

from drystone.l25_deployer.backups.domain import Manifest
from drystone.l25_deployer.backups.errors import (
    BackupDamaged,
    BackupSealed,
    KeysDamaged,
    NoSuchKey,
)
from drystone.l25_deployer.backups.keys import FILE, BackupKey, KeyRing, read_key
from drystone.l25_deployer.backups.sealing import PIECE, SUFFIX, BackupCipher, SealedReader
from drystone.l25_deployer.backups.seals import STAGING, Seals
from drystone.l25_deployer.local.resources import folders
from drystone.l25_deployer.local.resources.copies import Measure

NOW = datetime(2026, 5, 4, tzinfo=UTC)
SIZES = [0, 1, PIECE - 1, PIECE, PIECE + 1, 2 * PIECE, 2 * PIECE + 7]
HOLDS = {"public.patients": Measure(7, "123")}


def described(id_: str = "20260504t100000z-5d0c") -> Manifest:
    return Manifest(
        id=id_,
        type="volume",
        environment="dev",
        service="shop",
        resource="state",
        reason="asked",
        by="me",
        at=NOW,
    )


def sealed(home: Path, folder: Path, files: dict[str, bytes], id_: str = "a") -> Manifest:
    seals = Seals(home)
    folder.mkdir()
    with seals.staged() as plain:
        for name, content in files.items():
            (plain / name).parent.mkdir(exist_ok=True)
            (plain / name).write_bytes(content)
        return seals.seal(plain, folder, described(id_), HOLDS, NOW)


async def opened(home: Path, folder: Path, manifest: Manifest) -> dict[str, bytes]:
    async with Seals(home).opened(folder, manifest) as plain:
        return {
            str(path.relative_to(plain)): path.read_bytes()
            for path in plain.rglob("*")
            if path.is_file()
        }


async def test_files_of_every_length_come_back_and_nothing_of_them_can_be_read(
    tmp_path: Path,
) -> None:
    files = {f"some/{size}": os.urandom(size) for size in SIZES} | {"secret": b"hunter2" * 1000}

    manifest = sealed(tmp_path, tmp_path / "b", files)

    assert await opened(tmp_path, tmp_path / "b", manifest) == files
    kept = b"".join(path.read_bytes() for path in (tmp_path / "b").rglob("*") if path.is_file())
    assert b"hunter2" not in kept
    assert b"patients" not in bytes(manifest.seal.holds) if manifest.seal else False
    assert manifest.holds == {}
    assert Seals(tmp_path).holds(manifest, tmp_path / "b") == HOLDS
    assert list((tmp_path / STAGING).iterdir()) == []
    assert (tmp_path / FILE).stat().st_mode & 0o077 == 0
    assert {part.size for part in manifest.parts} == {
        path.stat().st_size for path in (tmp_path / "b").rglob("*") if path.is_file()
    }


@pytest.mark.parametrize("size", [1, PIECE, 2 * PIECE + 7])
async def test_a_change_of_any_kind_is_found(tmp_path: Path, size: int) -> None:
    manifest = sealed(tmp_path, tmp_path / "b", {"one": os.urandom(size), "two": bytes(size)})
    one, two = (tmp_path / "b" / f"{name}{SUFFIX}" for name in ("one", "two"))
    content = one.read_bytes()
    piece = PIECE + 16
    changed = {
        "the first byte": b"E" + content[1:],
        "one in the middle": content[: len(content) // 2]
        + bytes([content[len(content) // 2] ^ 1])
        + content[len(content) // 2 + 1 :],
        "the last byte": content[:-1] + bytes([content[-1] ^ 1]),
        "cut": content[:-1],
        "a whole piece less": content[:8] if len(content) <= 8 + piece else content[: 8 + piece],
        "longer": content + b"\0",
        "nothing": b"",
        "another file": two.read_bytes(),
    }
    if len(content) > 8 + 2 * piece:
        first, second = content[8 : 8 + piece], content[8 + piece : 8 + 2 * piece]
        changed["pieces that changed places"] = (
            content[:8] + second + first + content[8 + 2 * piece :]
        )
    for how, damaged in changed.items():
        one.write_bytes(damaged)
        with pytest.raises(BackupDamaged, match=r"one\.sealed"):
            assert how != repr(await opened(tmp_path, tmp_path / "b", manifest))
    assert list((tmp_path / STAGING).iterdir()) == []


async def test_a_file_of_another_backup_and_a_manifest_of_another_resource_do_not_open(
    tmp_path: Path,
) -> None:
    files = {"one": b"the same"}
    manifest = sealed(tmp_path, tmp_path / "a", files, "a")
    other = sealed(tmp_path, tmp_path / "b", files, "b")
    (tmp_path / "a/one.sealed").write_bytes((tmp_path / "b/one.sealed").read_bytes())

    with pytest.raises(BackupDamaged, match=r"one\.sealed"):
        await opened(tmp_path, tmp_path / "a", manifest)
    for changed in (
        structs.replace(manifest, resource="other"),
        structs.replace(manifest, seal=other.seal),
    ):
        with pytest.raises(BackupDamaged, match="its seal is of something else"):
            await opened(tmp_path, tmp_path / "a", changed)


async def test_a_key_that_is_missing_or_another_one_is_named(tmp_path: Path) -> None:
    (tmp_path / "h").mkdir()
    (tmp_path / "other").mkdir()
    manifest = sealed(tmp_path / "h", tmp_path / "b", {"one": b"1"})
    assert manifest.seal is not None
    with pytest.raises(BackupSealed, match=f"{manifest.seal.key}, and here is none"):
        await opened(tmp_path / "other", tmp_path / "b", manifest)
    foreign = KeyRing(tmp_path / "other").newest(NOW)
    with pytest.raises(BackupSealed, match=f"here are {foreign.id}"):
        await opened(tmp_path / "other", tmp_path / "b", manifest)


async def test_what_was_sealed_before_a_rotation_still_opens(tmp_path: Path) -> None:
    before = sealed(tmp_path, tmp_path / "a", {"one": b"1"}, "a")
    ring = KeyRing(tmp_path)
    ring.note_shown(NOW)
    new = ring.rotate(NOW)
    after = sealed(tmp_path, tmp_path / "b", {"one": b"2"}, "b")

    assert before.seal is not None
    assert after.seal is not None
    assert before.seal.key != after.seal.key == new.id
    assert not ring.is_kept()
    assert await opened(tmp_path, tmp_path / "a", before) == {"one": b"1"}
    assert await opened(tmp_path, tmp_path / "b", after) == {"one": b"2"}


async def test_a_backup_of_an_older_platform_opens_as_it_is(tmp_path: Path) -> None:
    (tmp_path / "files.tar").write_bytes(b"plain")

    assert await opened(tmp_path, tmp_path, structs.replace(described(), format=1)) == {
        "files.tar": b"plain"
    }


def test_a_folder_goes_into_a_sealed_file_and_out_of_it_in_one_pass(tmp_path: Path) -> None:
    source = tmp_path / "source"
    (source / "below").mkdir(parents=True)
    (source / "below/large").write_bytes(os.urandom(3 * PIECE))
    (source / "link").symlink_to("below/large")
    key = BackupKey("0" * 8, bytes(32))
    cipher, _ = BackupCipher.made(b"about", key)

    with cipher.writer(tmp_path, "home.tar") as out:
        packed = folders.pack_into(source, cast("IO[bytes]", out))
    reading = SealedReader(cipher.pieces(tmp_path, "home.tar"))
    folders.unpack_from(cast("IO[bytes]", reading), tmp_path / "again")

    assert folders.measure(tmp_path / "again") == packed
    assert not tarfile.is_tarfile(tmp_path / "home.tar.sealed")


@given(secret=st.binary(min_size=32, max_size=32), lower=st.booleans(), around=st.text(max_size=9))
def test_a_key_that_was_written_down_is_read_again(secret: bytes, lower: bool, around: str) -> None:
    from drystone.l25_deployer.backups.keys import _id  # noqa: PLC0415

    key = BackupKey(_id(secret), secret)
    text = key.written() if lower else key.written().upper()
    spaced = text.replace("-", " - ")

    assert read_key(text) == key
    assert read_key(f"# my key {around!r}\n{spaced}\n") == key


def test_a_slip_of_the_pen_is_seen(tmp_path: Path) -> None:
    written = KeyRing(tmp_path).newest(NOW).written()
    at = 20
    wrong = written[:at] + ("a" if written[at] != "a" else "b") + written[at + 1 :]

    with pytest.raises(NoSuchKey, match="written down wrong"):
        read_key(wrong)
    for text in ("", "hunter2", written[:-2], "dbk1-" + "x" * 4000):
        with pytest.raises(NoSuchKey):
            read_key(text)


def test_keys_that_cannot_be_read_are_never_made_anew(tmp_path: Path) -> None:
    (tmp_path / FILE).write_bytes(b'{"keys": [')

    with pytest.raises(KeysDamaged, match="bring it back"):
        KeyRing(tmp_path).newest(NOW)
    assert (tmp_path / FILE).read_bytes() == b'{"keys": ['
