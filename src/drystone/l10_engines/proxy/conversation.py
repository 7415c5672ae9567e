"""The side of an Envoy that an older agent started, in the same service, as a state machine without I/O.

Such an Envoy is served until it is replaced by one that speaks as in :mod:`~drystone.l10_engines.proxy.incremental`.

The protocol is "xDS REST and gRPC protocol" of Envoy's documentation, in its state-of-the-world form:
all kinds of resource share one stream; every response carries a nonce; a request that repeats the
nonce accepts the response, or refuses it if it carries an error. What the text leaves to the server,
and this decides:

* A request that repeats a nonce which is already answered asks for the same again: Envoy does so for
  the endpoints of a cluster that changed, and waits five seconds if nobody answers.
* Of kinds that Envoy asks for by name, only what has changed is sent, so that a switch costs the same among ten services
  and among a thousand. Whoever asks once more gets everything.
* Routes and listeners are sent when Envoy has the clusters they name, with their endpoints; clusters
  that are gone stay until Envoy has the routes that no longer name them. So no request meets a route
  to nowhere ("make before break").
"""

from __future__ import annotations

from typing import Any

from drystone.l10_engines.proxy.messages import message_class
from drystone.l10_engines.proxy.snapshot import (
    CLUSTER,
    ENDPOINT,
    KINDS,
    LISTENER,
    NOTHING,
    ROUTE,
    WILDCARDS,
    Packed,
    PackedSnapshot,
)

_Key = tuple[int, frozenset[str], frozenset[str]]


class _Subscription:
    """What Envoy wants of one kind, and what became of the last response."""

    def __init__(self) -> None:
        self.names: frozenset[str] = frozenset()
        self.nonce = ""
        self.sent: _Key | None = None
        self.has: dict[str, Packed] = {}
        self.answered = True
        self.refusal: str | None = None


class Conversation:
    """What one stream has asked for, been sent and accepted."""

    def __init__(self) -> None:
        self.node = ""
        self.group = ""
        self.snapshot = NOTHING
        self._subscriptions: dict[str, _Subscription] = {}
        self._delivered: dict[str, Packed] = {}
        self._lingering: dict[str, Packed] = {}
        self._nonces = 0

    def receive(self, request: Any) -> None:
        """Take in a ``DiscoveryRequest``; :meth:`responses` then tells what to answer."""
        if request.node.id:
            self.node, self.group = request.node.id, request.node.cluster
        subscription = self._subscriptions.setdefault(request.type_url, _Subscription())
        nonce = request.response_nonce
        if nonce and subscription.nonce and nonce != subscription.nonce:
            return  # answers a response that a later one has replaced
        before, names = subscription.names, frozenset(request.resource_names)
        subscription.names = names
        if request.HasField("error_detail"):
            subscription.answered = True
            subscription.refusal = request.error_detail.message
            subscription.has = {}  # some of what was refused may have been taken, and nobody says which
        elif nonce and not subscription.answered:
            subscription.answered = True
            subscription.refusal = None
        else:
            subscription.sent = None  # a new subscription, or the same once more
            # A cluster that changed wants its endpoints again, and others may be asked for in the same breath.
            again = request.type_url == ENDPOINT or names == before
            kept = frozenset() if again else names & before
            subscription.has = {name: of for name, of in subscription.has.items() if name in kept}

    def responses(self, snapshot: PackedSnapshot) -> list[Any]:
        """Return the ``DiscoveryResponse`` messages that are due now, in order."""
        if snapshot is not self.snapshot:
            self.snapshot = snapshot
            clusters = snapshot.resources[CLUSTER]
            self._lingering = {
                name: packed for name, packed in self._delivered.items() if name not in clusters
            }
        due = [response for kind in KINDS if (response := self._response(kind)) is not None]
        if self._lingering and all(self._is_done(kind) for kind in (LISTENER, ROUTE)):
            self._lingering = {}
            due += [r for r in (self._response(CLUSTER),) if r is not None]
        return due

    def refusals(self) -> dict[str, str]:
        """Return what Envoy refuses of the current snapshot: its words by kind of resource."""
        words = {kind.rpartition(".")[2]: self._refusal(kind) for kind in self._subscriptions}
        return {kind: text for kind, text in words.items() if text is not None}

    def _refusal(self, kind: str) -> str | None:
        """Return why Envoy refuses what is current of a kind; a refusal of something older is over."""
        subscription = self._subscriptions.get(kind)
        if subscription is None or subscription.sent != self._key(kind, subscription):
            return None
        return subscription.refusal

    def has_applied(self, version: int) -> bool:
        """Tell whether Envoy has accepted a snapshot at least as new as this, wholly."""
        if self.snapshot.version < version or self._lingering:
            return False
        return all(self._is_done(kind) for kind in KINDS) and not self.refusals()

    def _is_done(self, kind: str) -> bool:
        """Tell whether Envoy has accepted all of one kind, or has no use for it."""
        subscription = self._subscriptions.get(kind)
        if subscription is None:
            return not self.snapshot.resources[kind]
        if not self.snapshot.needed.get(kind, frozenset()) <= subscription.names:
            return False
        current = subscription.sent == self._key(kind, subscription)
        nothing = kind not in WILDCARDS and not self._selected(kind, subscription)
        return (current or nothing) and subscription.answered and subscription.refusal is None

    def _selected(self, kind: str, subscription: _Subscription) -> dict[str, Packed]:
        known = self.snapshot.resources[kind]
        if kind in WILDCARDS:
            return {**known, **(self._lingering if kind == CLUSTER else {})}
        return {name: known[name] for name in subscription.names if name in known}

    def _key(self, kind: str, subscription: _Subscription) -> _Key:
        """Return what tells two responses apart: versions, names asked for, clusters that linger."""
        if kind in WILDCARDS:
            version = self.snapshot.versions[kind]
        else:
            selected = self._selected(kind, subscription)
            version = max((packed.version for packed in selected.values()), default=0)
        lingering = frozenset(self._lingering) if kind == CLUSTER else frozenset()
        return version, subscription.names, lingering

    def _response(self, kind: str) -> Any | None:
        subscription = self._subscriptions.get(kind)
        if subscription is None or self._must_wait(kind):
            return None
        key = self._key(kind, subscription)
        selected = self._selected(kind, subscription)
        if subscription.sent == key or (not selected and kind not in WILDCARDS):
            return None
        due = selected
        if kind not in WILDCARDS:
            has, subscription.has = subscription.has, selected
            due = {name: of for name, of in selected.items() if has.get(name) is not of}
            if not due:  # fewer are wanted than before, and nothing else is new
                subscription.sent = key
                return None
        self._nonces += 1
        subscription.sent = key
        subscription.nonce = str(self._nonces)
        subscription.answered = False
        subscription.refusal = None
        if kind == CLUSTER:
            self._delivered = selected
        return message_class("envoy.service.discovery.v3.DiscoveryResponse")(
            version_info=str(self.snapshot.version),
            type_url=kind,
            nonce=subscription.nonce,
            resources=[packed.message for packed in due.values()],
        )

    def _must_wait(self, kind: str) -> bool:
        """Tell whether clusters or endpoints are still on their way, which routes would name."""
        if kind not in {LISTENER, ROUTE}:
            return False
        if CLUSTER not in self._subscriptions:
            return False
        if self._refusal(CLUSTER) is not None or self._refusal(ENDPOINT) is not None:
            return False  # waiting for clusters that Envoy refuses would hold back the rest as well
        return not (self._is_done(CLUSTER) and self._is_done(ENDPOINT))
