"""Another user of the machine who takes the names of sockets that the object store makes in a shared folder."""

from __future__ import annotations

import os
import socket
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from drystone.l10_engines.loopback_ports import free_port
from drystone.l10_engines.objects.server import Objects
from drystone.l10_engines.supervision import record
from drystone.l10_engines.supervision.record import Record
from drystone.testing.conformance.engines import short_home
from faults.strangers import NOBODY

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="only root can become another user")


def name_of(purpose: str, ports: dict[str, int]) -> Path:
    """Return the socket that SeaweedFS makes for one of its parts; it takes no other folder."""
    return Path("/tmp", f"seaweedfs-{purpose.removesuffix('_grpc')}-grpc-{ports[purpose]}.sock")


@pytest.fixture
def ports() -> Iterator[dict[str, int]]:
    """The ports of an earlier start, of which each name is taken in another way."""
    found: dict[str, int] = {}
    for purpose in Objects.purposes:
        found[purpose] = free_port(taken=set(found.values()))
    folder, link, file, listening = (
        name_of(p, found) for p in ("master_grpc", "volume_grpc", "filer_grpc", "s3_grpc")
    )
    (folder / "inside").mkdir(parents=True)
    link.symlink_to("/etc/passwd")
    file.write_text("")
    with ExitStack() as stack:
        ear = stack.enter_context(socket.socket(socket.AF_UNIX))
        ear.bind(str(listening))
        ear.listen()
        for path in (folder, link, file, listening):
            os.chown(path, NOBODY, NOBODY, follow_symlinks=False)
        yield found
        (folder / "inside").rmdir()
        folder.rmdir()


async def test_a_store_starts_whatever_lies_where_its_sockets_were(ports: dict[str, int]) -> None:
    with short_home() as home:
        directory = home / "objects"
        directory.mkdir()
        record.write(directory / "record.json", Record(record.NOBODY, ports, memory=0))
        store = Objects("objects", directory)
        try:
            await store.start()
            moved = {purpose for purpose in ports if store.ports[purpose] != ports[purpose]}
            assert moved == {"master_grpc"}, "clients find the others where they were"
            assert all(name_of(p, store.ports).is_socket() for p in ports if p.endswith("_grpc"))
        finally:
            await store.stop()
        assert not any(os.path.lexists(name_of(p, store.ports)) for p in ports if "_grpc" in p)
    assert name_of("master_grpc", ports).is_dir()
