"""Looks after the keys of every service: the implementation of :class:`~drystone.l20_trust.keys.api.KeysApi`.

Keys are files, and no engine is needed: not to sign, not to replace, not to publish. What publishes them over HTTPS is a
process of its own (:mod:`~drystone.l20_trust.keys.http`) that reads the files and needs nobody.
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

import msgspec
from msgspec.structs import replace
from typing_extensions import override

from drystone.l00_kernel.ports import NullAudit
from drystone.l20_trust.keys import domain
from drystone.l20_trust.keys.api import (
    DEFAULT_LIFETIME,
    Algorithm,
    Given,
    KeysApi,
    KeyView,
    ProxyKeys,
    ReleaseKeys,
    Token,
    Trusted,
    issuer_of,
)
from drystone.l20_trust.keys.changes import Changes
from drystone.l20_trust.keys.domain import Key, Ring
from drystone.l20_trust.keys.errors import KeyNotFound, KeysUnreadable, NoKeys
from drystone.l20_trust.keys.repository import Repository
from drystone.l20_trust.keys.signer import Signer, with_new_key, with_spares
from drystone.l20_trust.keys.store import TOKENS
from drystone.l20_trust.keys.token_files import TokenFiles

if TYPE_CHECKING:
    from drystone.l00_kernel.clock import Clock
    from drystone.l00_kernel.contract import Context
    from drystone.l00_kernel.ports import Audit
    from drystone.l20_trust.keys.store import Store


class Keys(KeysApi, ReleaseKeys, ProxyKeys):
    """The keys of one home.

    Args:
        store: Its files.
        clock: The time.
        repository: Where others look them up.
        algorithm: Of new keys.
        audit: Who made tokens, and who replaced or revoked keys.
    """

    def __init__(
        self,
        store: Store,
        *,
        clock: Clock,
        repository: Repository,
        algorithm: Algorithm = "ES256",
        audit: Audit | None = None,
    ) -> None:
        self._store = store
        self._clock = clock
        self._repository = repository
        self._algorithm: Algorithm = algorithm
        self._audit = audit or NullAudit()
        self._rings: dict[str, Ring] = {}
        self._is_read = False
        self._unreadable: dict[str, KeysUnreadable] = {}
        self._signer = Signer()
        self._token_files = TokenFiles(store, self._signer)
        self._signing: dict[str, Key] = {}
        """By issuer, the key that signs: one of which all that is to be published of it is."""
        self._changes = Changes()
        self._is_settled = False
        """Whether what is published is known to be what the rings say; somebody may have died in between."""
        self._lock = threading.RLock()
        """Of whatever changes: each is short, and some run in threads. A ring that was read stays as it is."""

    # Looking and signing

    @override
    async def keys(
        self, ctx: Context, *, environment: str | None = None, service: str | None = None
    ) -> list[KeyView]:
        with self._lock:
            rings = list(self._all().values())
        now = self._clock.now()
        return [
            domain.view(ring, key)
            for ring in sorted(rings, key=lambda ring: ring.issuer)
            if environment in {None, ring.environment} and service in {None, ring.service}
            for key in reversed(domain.swept(ring, now).keys)
        ]

    @override
    async def token(
        self,
        ctx: Context,
        *,
        environment: str,
        service: str,
        audience: str,
        lifetime: timedelta = DEFAULT_LIFETIME,
    ) -> Token:
        issuer = issuer_of(environment, service)
        made = await asyncio.to_thread(self.mint, issuer, audience, lifetime)
        seconds = int(lifetime.total_seconds())
        await self._audit.record(ctx, "keys.token", issuer, audience=audience, seconds=seconds)
        return made

    @override
    def mint(self, issuer: str, audience: str, lifetime: timedelta = DEFAULT_LIFETIME) -> Token:
        environment, _, service = issuer.partition("/")
        now = self._clock.now()
        ring = self._existing(environment, service)
        key = self._signs_now(ring, now)
        if key is None:
            raise NoKeys(f"'{service}' in '{environment}' has no key that signs; deploy it again")
        return self._signer.token(ring, key, audience=audience, lifetime=lifetime, now=now)

    def _signs_now(self, ring: Ring, now: datetime) -> Key | None:
        """Return the key that signs; while a newer one is being published it is the one before, unless that was revoked."""
        key = self._signing.get(ring.issuer)
        if key and any(one.name == key.name and one.is_published(now) for one in ring.keys):
            return key
        return ring.active()

    def public_key(self, key_id: str) -> str | None:
        """Return a public key as PEM, if it is published: a source of keys for verifiers in this process."""
        issuer, _, name = key_id.rpartition("/")
        ring = self._all().get(issuer)
        now = self._clock.now()
        return next(
            (key.public for key in ring.keys if key.name == name and key.is_published(now))
            if ring
            else iter(()),
            None,
        )

    def ids(self, issuer: str) -> set[str]:
        """Return the ids of every key of a service, revoked ones and those that sign next among them."""
        ring = self._all().get(issuer)
        return {ring.id_of(key) for key in (*ring.keys, *ring.spares)} if ring else set()

    # For proxies

    @property
    @override
    def generation(self) -> int:
        return self._changes.count

    @override
    def watch(self, told: Callable[[str], None]) -> Callable[[], None]:
        return self._changes.watch(told)

    @override
    def key_set(self, issuers: Collection[str]) -> dict[str, Any]:
        every = self._all()
        rings = [every[issuer] for issuer in set(issuers) if issuer in every]
        return domain.whole_set(rings, self._clock.now())

    @override
    def trusted(self, audience: str) -> Sequence[Trusted]:
        return ()

    # Changing

    @override
    async def rotate(self, ctx: Context, *, environment: str, service: str) -> list[KeyView]:
        made = await asyncio.to_thread(self._rotate, environment, service)
        await self._note(ctx, "keys.rotate", environment, service, made)
        return made

    def _rotate(self, environment: str, service: str) -> list[KeyView]:
        with self._lock:
            ring = self._existing(environment, service)
            releases = ring.releases()
            for release in releases:
                ring = self._with_new_key(ring, release)
            self._replace(ring)
        return [domain.view(ring, key) for key in map(ring.active, releases) if key]

    @override
    async def revoke(
        self, ctx: Context, *, environment: str, service: str, key: str | None = None
    ) -> list[KeyView]:
        gone = await asyncio.to_thread(self._revoke, environment, service, key)
        await self._note(ctx, "keys.revoke", environment, service, gone)
        return gone

    async def _note(
        self, ctx: Context, action: str, environment: str, service: str, keys: Iterable[KeyView]
    ) -> None:
        ids = ", ".join(key.id for key in keys)
        await self._audit.record(ctx, action, issuer_of(environment, service), keys=ids)

    def _revoke(self, environment: str, service: str, key_id: str | None) -> list[KeyView]:
        with self._lock:
            ring = self._existing(environment, service)
            names = {
                key.name
                for key in ring.keys
                if key.state != "revoked" and key_id in {None, ring.id_of(key), key.name}
            }
            if not names:
                raise KeyNotFound(
                    f"'{service}' in '{environment}' has no such key, or it was revoked before;"
                    f" `drystone keys list {service} --env {environment}` lists those that there are"
                )
            releases = ring.releases()
            ring = domain.revoked(ring, names, self._clock.now())
            if key_id is None:  # who doubts every key doubts those that lie beside them
                ring = replace(ring, spares=())
            for release in releases:
                if ring.active(release) is None:
                    ring = self._with_new_key(ring, release)
            self._replace(ring)
        return [domain.view(ring, key) for key in ring.keys if key.name in names]

    def _with_new_key(self, ring: Ring, release: int) -> Ring:
        return with_new_key(ring, release, self._algorithm, self._clock.now())

    # The keys of releases

    @override
    async def provide(
        self, environment: str, service: str, release: int, calls: Collection[str]
    ) -> None:
        await self._repository.ensure()
        await asyncio.to_thread(self._provide, environment, service, release, calls)

    def _provide(
        self, environment: str, service: str, release: int, calls: Collection[str]
    ) -> None:
        with self._lock:
            if not self._is_settled:
                self.settle()
            before = self._readable(environment, service) or Ring(environment, service)
            ring = domain.with_calls(before, release, calls)
            if ring.active(release) is None:
                ring = self._with_new_key(ring, release)
            if ring != before:
                self._replace(ring)

    @override
    def given(self, environment: str, service: str, release: int) -> Given | None:
        with self._lock:
            ring = self._all().get(issuer_of(environment, service))
        key = ring.active(release) if ring else None
        if ring is None or key is None:
            return None
        first, second = self._repository.urls()
        folder = self._store.folder(environment, service, release)
        variables = {
            "ASAP_ISSUER": ring.issuer,
            "ASAP_AUDIENCE": ring.issuer,
            "ASAP_KEY_ID": ring.id_of(key),
            "ASAP_PRIVATE_KEY": domain.data_uri(ring.id_of(key), key.private),
            "ASAP_PUBLIC_KEY_REPOSITORY_URL": first,
            "ASAP_PUBLIC_KEY_FALLBACK_REPOSITORY_URL": second,
            "DRYSTONE_KEYS": str(folder),
            "DRYSTONE_TOKENS": str(folder / TOKENS),
            "DRYSTONE_CA_FILE": str(folder / "ca.pem"),
        }
        return Given(variables, folder)

    @override
    def retire(self, environment: str, service: str, release: int) -> None:
        with self._lock:
            ring = self._all().get(issuer_of(environment, service))
            if ring is not None:
                self._change(ring, domain.ended(ring, release, self._clock.now()))

    @override
    def forget(self, environment: str, service: str) -> None:
        with self._lock:
            ring = self._all().get(issuer_of(environment, service))
            if ring is not None:
                names = {key.name for key in ring.keys}
                self._change(ring, domain.revoked(ring, names, self._clock.now()))

    @override
    def keep_only(self, known: Mapping[tuple[str, str], Collection[int]]) -> None:
        with self._lock:
            for ring in list(self._all().values()):
                releases = known.get((ring.environment, ring.service))
                if not releases:
                    self.forget(ring.environment, ring.service)
                    continue
                for release in {key.release for key in ring.keys} - set(releases):
                    self.retire(ring.environment, ring.service, release)

    # The files

    @override
    def settle(self) -> None:
        with self._lock:
            now = self._clock.now()
            concerned = []
            for ring in list(self._all().values()):
                left = with_spares(domain.swept(ring, now), self._algorithm, now)
                if left != ring:
                    self._store.save(left)
                    self._hold(left)
                if left != ring or not self._is_settled:
                    concerned.append(ring)
                    self._store.publish(left, now)
                    self._let_sign(left)
            self._publish_sets(concerned)
            self._is_settled = True
            rings = list(self._all().values())
        for ring in rings:
            with self._lock:  # anew for each: others get their turn
                self._token_files.hand(self._all().get(ring.issuer, ring), self._clock.now())

    def _all(self) -> dict[str, Ring]:
        if not self._is_read:
            with self._lock:
                self._read()
        return self._rings

    def _read(self) -> None:
        """Read every ring, once; the caller holds the lock."""
        if self._is_read:
            return
        for ring in self._store.rings():
            if isinstance(ring, Ring):
                self._rings[ring.issuer] = ring
            else:
                self._unreadable[issuer_of(**ring.details)] = ring
        self._is_read = True

    def _hold(self, ring: Ring) -> None:
        """Go by a ring from now on; the caller holds the lock, and has written it."""
        self._all()[ring.issuer] = ring
        self._changes.tell(ring.issuer)

    def _let_sign(self, ring: Ring) -> None:
        """Sign with the key that a ring says, all of which is published; the caller holds the lock."""
        before, key = self._signing.pop(ring.issuer, None), ring.active()
        if key is not None:
            self._signing[ring.issuer] = key
        if before is not None and key is not None and before.name != key.name:
            self._changes.tell(ring.issuer)

    def _readable(self, environment: str, service: str) -> Ring | None:
        """Return the keys of a service, if it has any that can be read."""
        issuer = issuer_of(environment, service)
        ring = self._all().get(issuer)
        if (problem := self._unreadable.get(issuer)) is not None:
            raise KeysUnreadable(problem.message, **problem.details)
        return ring

    def _existing(self, environment: str, service: str) -> Ring:
        ring = self._readable(environment, service)
        if ring is None:
            raise NoKeys(
                f"'{service}' in '{environment}' has no keys: they come with a deploy of a process or an image;"
                " `drystone keys list` lists all",
                service=service,
                environment=environment,
            )
        return ring

    def _change(self, before: Ring, ring: Ring) -> None:
        if ring != before:
            self._replace(ring)

    def _replace(self, ring: Ring) -> None:
        """Write a ring and publish what it says; only then does anybody sign with its keys."""
        now = self._clock.now()
        before = self._all().get(ring.issuer, Ring(ring.environment, ring.service))
        ring = with_spares(domain.swept(ring, now), self._algorithm, now)
        self._store.save(ring)
        self._hold(ring)
        was_settled, self._is_settled = self._is_settled, False
        self._store.publish(ring, now)
        self._let_sign(ring)
        self._publish_sets([before, ring])
        self._token_files.hand(ring, now)
        self._is_settled = was_settled
        self._signer.keep_only(ring.issuer, {ring.id_of(key) for key in ring.keys if key.private})

    def _publish_sets(self, concerned: Iterable[Ring]) -> None:
        now = self._clock.now()
        every = self._all().values()
        sets = {}
        for audience in {one for ring in concerned for one in ring.audiences()}:
            found = domain.key_set(every, audience, now)
            sets[audience] = msgspec.json.encode(found) if found["keys"] else b""
        self._store.publish_sets(sets)
