"""Whoever reaches a port or socket of the store without a key gets nothing."""

from __future__ import annotations

import asyncio
import http.client
from pathlib import Path

import grpc
import pytest

from drystone.l10_engines.objects.buckets import Buckets
from drystone.l10_engines.objects.calls import client_of
from drystone.l10_engines.objects.certificates import Certificates, make
from drystone.l10_engines.objects.server import Objects

pytestmark = pytest.mark.asyncio(loop_scope="module")

PINGS = {
    "master_grpc": "/master_pb.Seaweed/Ping",
    "volume_grpc": "/volume_server_pb.VolumeServer/Ping",
    "filer_grpc": "/filer_pb.SeaweedFiler/Ping",
}
"""A call without arguments that each part answers."""

SECRET = b"words that no stranger may read"


def proof_of(files: Certificates, authority: Path) -> grpc.ChannelCredentials:
    return grpc.ssl_channel_credentials(
        authority.read_bytes(), files.key.read_bytes(), files.certificate.read_bytes()
    )


def ping(target: str, method: str, proof: grpc.ChannelCredentials | None) -> bool:
    """Tell whether a part answers to a caller with this proof of who he is."""
    # The name in the certificate is not what is tested: whoever attacks does not check it.
    options = [("grpc.ssl_target_name_override", "drystone object store parts")]
    made = (
        grpc.insecure_channel(target)
        if proof is None
        else grpc.secure_channel(target, proof, options)
    )
    with made as channel:
        try:
            channel.unary_unary(method, bytes, bytes)(b"", timeout=3)
        except grpc.RpcError as e:
            return e.code() not in {grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.DEADLINE_EXCEEDED}
        return True


def doors(store: Objects) -> list[tuple[str, str]]:
    """Return every address of the store that speaks gRPC, and what to call there."""
    found = []
    for purpose, method in PINGS.items():
        port = store.ports[purpose]
        part = purpose.removesuffix("_grpc")
        found.append((f"127.0.0.1:{port}", method))
        found.append((f"unix:/tmp/seaweedfs-{part}-grpc-{port}.sock", method))
    return found


async def test_the_parts_answer_to_nobody_without_their_certificate(
    store: Objects, tmp_path: Path
) -> None:
    folder = store.directory / "certificates"
    own = Certificates(folder / "authority.pem", folder / "parts.pem", folder / "parts-key.pem")
    forged = make(tmp_path / "forged")
    no_client = grpc.ssl_channel_credentials(own.authority.read_bytes())
    for target, method in doors(store):
        opened = await asyncio.to_thread(ping, target, method, proof_of(own, own.authority))
        assert opened, f"{target} must answer to the parts, or this test proves nothing"
        for name, proof in {
            "nothing": None,
            "no certificate": no_client,
            "another authority's": proof_of(forged, own.authority),
        }.items():
            assert not await asyncio.to_thread(ping, target, method, proof), f"{target}, {name}"


async def test_the_ports_that_speak_http_give_no_data(store: Objects) -> None:
    buckets = Buckets(store)
    access = await buckets.provision("closed", access_key="KEYCLOSED", secret_key="secret")
    client = await asyncio.to_thread(client_of, access)
    await asyncio.to_thread(client.put_object, Bucket=access.bucket, Key="k", Body=SECRET)
    try:
        paths = [f"/buckets/{access.bucket}/k", f"/{access.bucket}/k", "/buckets/?pretty=y"]
        paths += [f"/{number},{key}" for number in range(1, 10) for key in ("01", "0100000000")]
        paths += ["/dir/assign", "/dir/lookup?volumeId=1", "/submit", "/?proxyChunkId=1,01"]
        for purpose in ("clients", "master", "volume", "filer"):
            for path in paths:
                said = await asyncio.to_thread(fetch, store.ports[purpose], path)
                assert SECRET not in said, f"{purpose} {path}"
                assert b'"fid"' not in said, f"{purpose} {path}"
    finally:
        await buckets.drop("closed", and_data=True)


def fetch(port: int, path: str) -> bytes:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
    try:
        connection.request("GET", path)
        return connection.getresponse().read()
    finally:
        connection.close()


async def test_another_start_takes_another_authority(tmp_path: Path) -> None:
    first = make(tmp_path / "c").authority.read_bytes()
    again = make(tmp_path / "c")
    assert again.authority.read_bytes() != first
    for path in (again.authority, again.certificate, again.key):
        assert path.stat().st_mode & 0o777 == 0o600
