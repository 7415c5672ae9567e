"""A backup of a platform of twenty services with a gigabyte, the trial to restore it, and the recovery from nothing."""

from __future__ import annotations

import asyncio
import os
import shutil
import subprocess
import time
from collections.abc import Callable
from pathlib import Path
from statistics import median
from typing import Any

import psycopg
from benchmarks.stand import Stand, stand, table

from drystone.l00_kernel.atomic import sync_file
from drystone.l10_engines.postgres import binaries
from drystone.l25_deployer.backups.keys import BackupKey
from drystone.l25_deployer.backups.sealing import SUFFIX, BackupCipher
from drystone.l25_deployer.backups.store import part_of
from drystone.testing.command_line import CommandLine, short_home

SERVICES = 20
SEALED_MB = 256
ROUNDS = 3
_FILL = (
    "CREATE TABLE filled (id bigint PRIMARY KEY, words text);"
    "INSERT INTO filled SELECT i, repeat(md5(i::text), 30) FROM generate_series(1, 1000000) i"
)
"""Rows of about a kilobyte each."""


async def backups(_count: int) -> str:
    """Back up, prove and recover, layer by layer; once, since it takes minutes."""
    async with stand() as one:
        await _deploy(one)
        url = await _database(one)
        await asyncio.to_thread(_fill, url)
        single = await _single(one, url)
        sealing = await asyncio.to_thread(_sealing)
        elsewhere = one.drystone.home.with_name(one.drystone.home.name + "-backups")
        try:
            whole = await _whole(one, elsewhere)
            return f"{single}\n\n{sealing}\n\n{whole}"
        finally:
            shutil.rmtree(elsewhere, ignore_errors=True)


async def _deploy(one: Stand) -> None:
    kinds: dict[int, dict[str, Any]] = {
        0: {"db": {"type": "postgres", "connections": 5}},
        1: {"files": {"type": "bucket"}},
    }
    for n in range(SERVICES):
        more = kinds.get(
            n,
            {"state": {"type": "volume"}}
            if n % 2
            else {"db": {"type": "postgres", "connections": 3}},
        )
        await one.drystone.must("deploy", one.descriptor(name=f"s{n}", resources=more))


async def _database(one: Stand) -> str:
    said = await one.drystone.must("exec", "s0", "--", "env")
    return next(
        line.removeprefix("DB_URL=") for line in said.out.splitlines() if line.startswith("DB_URL=")
    )


def _fill(url: str) -> None:
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute("SET statement_timeout TO 0")
        connection.execute(_FILL)


async def _single(one: Stand, url: str) -> str:
    """Measure one database of a gigabyte, beside PostgreSQL's own programs."""
    with psycopg.connect(url) as connection:
        found = connection.execute("SELECT pg_database_size(current_database())").fetchone()
    size = found[0] / 1e9 if found else 0.0
    bare_dump, bare_load = await asyncio.to_thread(_bare, url)
    taken = await _timed(one.drystone, "backup", "s0", "db")
    tried = await _timed(one.drystone, "restore", "s0", "db", "--test")
    restored = await _timed(one.drystone, "restore", "s0", "db", "--yes", "db")
    rows = [
        ["pg_dump, bare", f"{bare_dump:.1f} s", "1"],
        ["backup, with a sum of every row", f"{taken:.1f} s", f"{taken / bare_dump:.1f}"],
        ["pg_restore, bare", f"{bare_load:.1f} s", "1"],
        ["restore test, every row compared", f"{tried:.1f} s", f"{tried / bare_load:.1f}"],
        [
            "restore, with a backup of what was there",
            f"{restored:.1f} s",
            f"{restored / bare_load:.1f}",
        ],
    ]
    return table(f"One database of {size:.2f} GB", ["what", "took", "ratio"], rows)


def _bare(url: str) -> tuple[float, float]:
    """Dump a database with pg_dump alone, and restore it with pg_restore alone; seconds of each."""
    root = binaries.installed_root()
    place = short_home("bare")
    place.mkdir(parents=True, exist_ok=True)
    file = place / "dump"
    try:
        begun = time.monotonic()
        dump = [str(binaries.program(root, "pg_dump")), "--format=custom", "--compress=gzip:1"]
        subprocess.run([*dump, f"--file={file}", url], check=True)
        dumped = time.monotonic()
        load = [str(binaries.program(root, "pg_restore")), "--jobs=2", "--no-owner", "--clean"]
        subprocess.run(
            [*load, f"--dbname={url}", str(file)], check=False, stderr=subprocess.DEVNULL
        )
        return dumped - begun, time.monotonic() - dumped
    finally:
        shutil.rmtree(place, ignore_errors=True)


def _sealing() -> str:
    """Measure what sealing a file costs, beside what a copy that is not encrypted needs: a sum of it, and the disk."""
    place = short_home("seal")
    size, took = SEALED_MB << 20, dict[str, list[float]]()
    try:
        made = os.urandom(1 << 20) * SEALED_MB
        for _ in range(ROUNDS):
            _sealed_once(place, made, took)
    finally:
        shutil.rmtree(place, ignore_errors=True)
    rows = []
    for what, beside in (("sealed", "summed"), ("opened", "read and summed")):
        for name in (beside, what):
            seconds = median(took[name])
            ratio = f"{seconds / median(took[beside]):.1f}"
            rows.append([name, f"{seconds:.2f} s", f"{size / seconds / 1e6:.0f} MB/s", ratio])
    return table(f"A file of {SEALED_MB} MiB", ["what", "took", "", "ratio"], rows)


def _sealed_once(place: Path, content: bytes, took: dict[str, list[float]]) -> None:
    def timed(what: str, work: Callable[[], object]) -> None:
        begun = time.monotonic()
        work()
        took.setdefault(what, []).append(time.monotonic() - begun)

    def summed() -> None:
        part_of(place, plain.name)
        sync_file(plain)

    def sealed() -> None:
        cipher.seal_file(plain, place, "part")
        sync_file(place / f"part{SUFFIX}")

    cipher, _ = BackupCipher.made(b"measured", BackupKey("0" * 8, bytes(32)))
    plain = place / "plain"
    plain.write_bytes(content)
    timed("summed", summed)
    timed("read and summed", lambda: part_of(place, plain.name))
    timed("sealed", sealed)
    timed("opened", lambda: cipher.open_file(place, "part", place / "again"))
    for path in place.iterdir():
        path.unlink()


async def _timed(drystone: CommandLine, *command: str) -> float:
    begun = time.monotonic()
    await drystone.must(*command)
    return time.monotonic() - begun


async def _whole(one: Stand, elsewhere: Path) -> str:
    taken = await _timed(one.drystone, "backup", "--platform", "--to", str(elsewhere))
    (folder,) = [path for path in elsewhere.iterdir() if not path.name.startswith(".")]
    said = await one.drystone.must("recover", "--from", str(folder), "--rehearse", "--json")
    report = next(line for line in reversed(said.documents) if "layers" in line)
    rows = [["all of it backed up", f"{taken:.1f} s", f"{report['size'] / 1e6:.0f} MB"]]
    rows.append(["read, checked, unpacked", f"{report['unpacking']:.1f} s", ""])
    for layer in report["layers"]:
        oldest = layer.get("oldest")
        age = "" if oldest is None else f"data of {oldest:.0f} s before"
        rows.append(
            [
                f"layer {layer['layer']}: {', '.join(layer['names'][:3])}{' …' if len(layer['names']) > 3 else ''}",
                f"{layer['seconds']:.1f} s",
                age,
            ]
        )
    rows.append(
        ["recovered from nothing", f"{report['seconds']:.1f} s", f"{report['resources']} resources"]
    )
    return table(f"A platform with {SERVICES} services", ["what", "took", ""], rows)
