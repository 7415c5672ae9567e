"""Trusts keys of other platforms, and follows what becomes of them: the implementation of :class:`PeersApi`.

A platform is asked again and again. What it told last goes on to hold while it does not answer, here and on the disk, so that
its death changes nothing; what it revokes is followed as long as it answers.
"""

from __future__ import annotations

import asyncio
import random
import ssl
from collections.abc import Awaitable, Callable, Sequence
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

import msgspec
from typing_extensions import override

from drystone.l00_kernel.errors import PlatformError
from drystone.l20_trust.keys import tokens
from drystone.l20_trust.keys.api import Trusted
from drystone.l20_trust.keys.changes import Changes
from drystone.l20_trust.keys.errors import (
    KeysOutOfReach,
    KeysUnreadable,
    NoPeer,
    PeerUnfit,
    TokenRefused,
)
from drystone.l20_trust.keys.peers import asking, domain
from drystone.l20_trust.keys.peers.api import (
    Checked,
    PeerSaid,
    PeersApi,
    PeerView,
    RepositoryView,
    TokenSaid,
)
from drystone.l20_trust.keys.peers.domain import Jwk, Peer

if TYPE_CHECKING:
    from drystone.l00_kernel.clock import Clock
    from drystone.l00_kernel.contract import Context
    from drystone.l00_kernel.ports import Audit, Log
    from drystone.l20_trust.keys.peers.store import PeerStore
    from drystone.l20_trust.keys.repository import Repository
    from drystone.l20_trust.keys.service import Keys

EVERY = timedelta(seconds=8)
"""How long it takes until a platform is asked again, a quarter more or less: many that began together do not stay so."""

_JITTER = 0.25

WITHIN = EVERY * (1 + _JITTER) + asking.PATIENCE
"""How long a key that was revoked over there is accepted here at most."""


class _Look(msgspec.Struct):
    """What came of the last look at a platform.

    Attributes:
        tls: Whom it is asked by.
        heard: By issuer, its last answer that was believed: one that is the same again is not read again.
        answered: When it last told all its keys.
        problem: Why it did not the last time.
        is_noted: Whether what it told is written down.
    """

    tls: ssl.SSLContext
    heard: dict[str, bytes]
    answered: datetime | None = None
    problem: str = ""
    is_noted: bool = True


class Peers(PeersApi):
    """The platforms that one home trusts.

    Args:
        store: The files.
        clock: The time.
        keys: Those of this platform.
        repository: Where others look these up.
        authority: File with the certificate by which that is trusted.
        audit: Who trusted whom.
        log: Where to say that a platform does not answer.
        publish: Brings to the proxies who may call; returns when they have it.
        every: How long it takes until a platform is asked again.
    """

    def __init__(
        self,
        store: PeerStore,
        *,
        clock: Clock,
        keys: Keys,
        repository: Repository,
        authority: str,
        audit: Audit,
        log: Log,
        publish: Callable[[], Awaitable[None]],
        every: timedelta = EVERY,
    ) -> None:
        self._store = store
        self._clock = clock
        self._keys = keys
        self._repository = repository
        self._authority = authority
        self._audit = audit
        self._log = log
        self._publish = publish
        self._every = every
        self._peers: dict[str, Peer] | None = None
        self._unreadable: dict[str, KeysUnreadable] = {}
        self._told: dict[str, list[Jwk]] = {}
        """By source, the keys that its platform told."""
        self._looks: dict[str, _Look] = {}
        self._changing = asyncio.Lock()
        self._task: asyncio.Task[None] | None = None
        self.changes = Changes()

    # What is trusted

    @override
    async def trusted(self, ctx: Context) -> list[PeerView]:
        views = [self._view(peer) for peer in self._all().values()]
        broken = [
            PeerView(name, (), (), (), None, "", 0, None, problem.message, WITHIN)
            for name, problem in self._unreadable.items()
        ]
        return sorted([*views, *broken], key=lambda view: view.name)

    @override
    async def trust(self, ctx: Context, *, name: str, said: PeerSaid) -> PeerView:
        said = domain.checked(name, said)
        peer = Peer(name, said, self._clock.now(), ctx.caller.name)
        look = _Look(asking.tls_by(said.authority), {})
        async with self._changing:
            before = self._all().get(name)
            if before is None and len(self._all()) >= domain.MOST_PEERS:
                raise PeerUnfit(f"{domain.MOST_PEERS} platforms are trusted already: distrust one")
            told = await self._ask(peer, look)
            self._store.note_told(name, told)
            self._store.save(peer)
            if before is not None:
                self._forget(before)
            self._hold(peer, told)
            look.answered = self._clock.now()
            self._looks[name] = look
            for one in peer.sources():
                self._tell_source(one)
        self.start()
        await self._note(ctx, "keys.trust", peer)
        await self._publish()
        return self._view(peer)

    @override
    async def distrust(self, ctx: Context, *, name: str) -> PeerView:
        async with self._changing:
            peer = self._all().get(name)
            broken = self._unreadable.pop(name, None)
            if peer is None and broken is None:
                raise NoPeer(f"no platform {name!r} is trusted; `drystone keys trusted` lists all")
            self._store.forget(name)
            if peer is None:
                return PeerView(name, (), (), (), None, "", 0, None, "", WITHIN)
            view = self._view(peer)
            self._forget(peer)
        await self._note(ctx, "keys.distrust", peer)
        await self._publish()
        return view

    async def _note(self, ctx: Context, action: str, peer: Peer) -> None:
        callers = ", ".join(peer.said.issuers)
        for callee in peer.said.callees:
            await self._audit.record(ctx, action, callee, platform=peer.name, callers=callers)

    @override
    async def repository(self, ctx: Context) -> RepositoryView:
        urls = tuple(url.removesuffix("keys/") for url in self._repository.urls())
        return RepositoryView(urls, self._authority)

    @override
    async def check(self, ctx: Context, *, said: TokenSaid) -> Checked:
        return await asyncio.to_thread(self._check, said)

    def _check(self, said: TokenSaid) -> Checked:
        from drystone.l20_trust.keys.signing import (  # noqa: PLC0415 - loads cryptography
            is_signed,
            public_pem,
        )

        whose = used = ""

        def key_of(key_id: str) -> str | None:
            nonlocal whose, used
            used = key_id
            if own := self._keys.public_key(key_id):
                return own
            for source, _ in self.trusted_by(said.audience):
                for key in self.key_set(source):
                    if key["kid"] == key_id:
                        whose = source.rpartition("@")[2]
                        return public_pem(key)
            return None

        try:
            claims = tokens.verify(
                said.token,
                audience=said.audience,
                key_of=key_of,
                is_signed=is_signed,
                now=self._clock.now(),
            )
        except TokenRefused as e:
            return Checked(is_good=False, reason=e.reason)
        ends = datetime.fromtimestamp(claims.exp, tz=self._clock.now().tzinfo)
        return Checked(
            is_good=True,
            issuer=claims.iss,
            key=used,
            peer=whose,
            expires=ends,
        )

    def _view(self, peer: Peer) -> PeerView:
        look = self._looks[peer.name]
        return PeerView(
            name=peer.name,
            repositories=peer.said.repositories,
            issuers=peer.said.issuers,
            callees=peer.said.callees,
            since=peer.since,
            by=peer.by,
            keys=sum(len(self.key_set(source)) for source, _ in peer.sources()),
            answered=look.answered,
            problem=look.problem,
            within=WITHIN,
        )

    # For proxies: answered from memory, from any thread

    def trusted_by(self, audience: str) -> Sequence[Trusted]:
        """Return who may call a service of this platform."""
        peers = list(self._all().values())
        return [one for peer in peers if audience in peer.said.callees for one in peer.sources()]

    def sources_of(self, issuer: str) -> list[str]:
        """Return the sources of keys of all services of this name."""
        peers = list(self._all().values())
        return [one.source for peer in peers for one in peer.sources() if one.issuer == issuer]

    def key_set(self, source: str) -> list[Jwk]:
        """Return the keys of a source that count."""
        own = self._keys.ids(source.partition("@")[0])
        peers = sorted(self._all().values(), key=lambda peer: (peer.since, peer.name))
        return domain.allowed(peers, self._told, source, own)

    # Following

    def start(self) -> None:
        """Follow every platform that is trusted, from now on. Idempotent."""
        if self._task is None and self._all():
            loop = asyncio.get_running_loop()
            self._task = loop.create_task(self._follow(), name="follow trusted platforms")

    async def stop(self) -> None:
        """Follow no more; what is known goes on to hold. Idempotent."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)
            self._task = None

    async def _follow(self) -> None:
        while True:
            await asyncio.gather(*(self._look_at(peer) for peer in list(self._all().values())))
            pause = self._every * random.uniform(1 - _JITTER, 1 + _JITTER)  # noqa: S311 - no secret
            await asyncio.sleep(pause.total_seconds())

    async def _look_at(self, peer: Peer) -> None:
        """Ask a platform once more, and go by what it tells."""
        look = self._looks.get(peer.name)
        if look is None:
            return
        try:
            told = await self._ask(peer, look)
        except KeysOutOfReach as e:
            if not look.problem:
                self._log.warning("a trusted platform does not tell its keys", peer=peer.name)
            look.problem = e.message
            return
        async with self._changing:
            if self._all().get(peer.name) is not peer:
                return  # somebody said otherwise meanwhile
            look.answered, look.problem = self._clock.now(), ""
            changed = [one for one in peer.sources() if told[one.issuer] != self._told[one.source]]
            if changed:
                self._hold(peer, told)
                look.is_noted = False
            for one in changed:
                self._tell_source(one)
            if not look.is_noted:
                self._note_told(peer, told, look)

    def _note_told(self, peer: Peer, told: dict[str, list[Jwk]], look: _Look) -> None:
        try:
            self._store.note_told(peer.name, told)
            look.is_noted = True
        except (OSError, PlatformError) as e:  # tried again with the next look
            look.problem = f"its keys hold, and cannot be written down: {e}"

    async def _ask(self, peer: Peer, look: _Look) -> dict[str, list[Jwk]]:
        """Ask for the keys of each issuer, of all at once: a look takes no longer than an answer may.

        Raises:
            KeysOutOfReach: It does not answer, or not as it must.
        """
        issuers = peer.said.issuers
        asked = (self._ask_for(peer, issuer, look) for issuer in issuers)
        told: dict[str, list[Jwk]] = {}
        for issuer, keys in zip(
            issuers, await asyncio.gather(*asked, return_exceptions=True), strict=True
        ):
            if isinstance(keys, BaseException):
                raise keys
            told[issuer] = keys
        return told

    async def _ask_for(self, peer: Peer, issuer: str, look: _Look) -> list[Jwk]:
        heard = await asking.key_set(peer.said.repositories, issuer, look.tls)
        if look.heard.get(issuer) == heard:
            return self._told[f"{issuer}@{peer.name}"]
        try:
            keys = await asyncio.to_thread(domain.keys_in, heard, issuer)
        except ValueError as e:
            raise KeysOutOfReach(f"{peer.said.repositories[0]}: {e}") from e
        look.heard[issuer] = heard
        return keys

    def _all(self) -> dict[str, Peer]:
        """Return every peer by name; read from the disk once."""
        if self._peers is None:
            self._peers = {}
            for found in self._store.peers():
                if isinstance(found, Peer):
                    self._looks[found.name] = _Look(asking.tls_by(found.said.authority), {})
                    self._hold(found, self._store.told(found.name))
                else:
                    self._unreadable[found.details["name"]] = found
        return self._peers

    def _hold(self, peer: Peer, told: dict[str, list[Jwk]]) -> None:
        peers = {} if self._peers is None else self._peers
        self._peers = {**peers, peer.name: peer}
        self._told |= {one.source: told.get(one.issuer, []) for one in peer.sources()}
        self._unreadable.pop(peer.name, None)

    def _forget(self, peer: Peer) -> None:
        self._peers = {name: one for name, one in self._all().items() if name != peer.name}
        self._looks.pop(peer.name, None)
        for one in peer.sources():
            self._told.pop(one.source, None)
            self._tell_source(one)

    def _tell_source(self, changed: Trusted) -> None:
        """Say that keys changed: those of a source, and of all that come after it and may have the same ids."""
        for source in {changed.source, *self.sources_of(changed.issuer)}:
            self.changes.tell(source)
